//! `crestline bench sweep plot` and `plot_pareto`: pictures of what sweeps have measured, ours or vLLM's.
//!
//! `records` reads the runs, `settings` holds the flags against them, `filters` and `groups` choose and part them, `chart` makes a
//! figure of those that are left. `pareto` is the other command. Nothing is measured, and the experiment is only read.

pub(crate) mod args;
mod axis;
mod chart;
mod filters;
mod groups;
mod output;
mod pareto;
mod records;
mod settings;

pub(super) use pareto::run as run_pareto;

use crestline_report::figures::{Curves, curves};

use self::args::PlotArgs;
use self::chart::Chart;
use self::groups::Group;
use self::output::Preview;
use self::records::Record;
use self::settings::Settings;
use crate::console;
use crate::exit::Exit;
use crate::problem::Problem;

/// Size of a panel in the terminal, in inches.
const PREVIEW_INCHES: [f64; 2] = [5.2, 3.0];

/// Draws all figures.
pub(super) fn run(args: &PlotArgs) -> Result<Exit, Problem> {
    let found = records::read(&args.experiment)?;
    for warning in &found.warnings {
        console::tell(&format!("warning: {warning}"));
    }
    let settings = Settings::of(args, &found.records)?;
    let mut drawn = 0;
    let mut reasons: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (group, records) in settings.fig_by.parted(found.records.iter()) {
        let name = free_name(&settings.name, &group, &names);
        names.push(name.clone());
        match figure(&settings, (&group, &name), &records)? {
            None => drawn += 1,
            Some(why) if reasons.contains(&why) => {}
            Some(why) => reasons.push(why),
        }
    }
    if drawn == 0 {
        return Err(Problem::usage("there is nothing to draw").cause(reasons.join("\n")));
    }
    Ok(Exit::Done)
}

/// The name of a figure. What is not told apart by letters that a file may have is told apart by a number.
fn free_name(name: &str, group: &Group, taken: &[String]) -> String {
    let values = groups::joined(group, "-");
    let plain = match values.as_str() {
        "" => name.to_owned(),
        values => format!("{name}-{values}"),
    };
    let is_free = |name: &String| {
        let file = |name: &str| super::layout::figure(name, "");
        taken.iter().all(|other| file(other) != file(name))
    };
    let numbered = (2..).map(|number| format!("{plain}~{number}"));
    let mut all = std::iter::once(plain.clone()).chain(numbered);
    all.find(is_free).unwrap_or(plain)
}

/// Draws one; says why where there is nothing in it.
fn figure(
    settings: &Settings,
    (group, name): (&Group, &str),
    records: &[&Record],
) -> Result<Option<String>, Problem> {
    let kept = records.iter().filter(|record| settings.keeps(record));
    let mut kept: Vec<Record> = kept.map(|record| (*record).clone()).collect();
    for bin in &settings.bins {
        for record in &mut kept {
            bin.apply(record);
        }
    }
    let chart = Chart::of(settings, group, &kept);
    let [rows, columns] = chart.as_ref().map_or([0, 0], |chart| chart.grid);
    let files = settings.output.files(&settings.folder, name);
    console::say(&format!(
        "[BEGIN FIGURE]\nGroup: {}\nGrid: {rows} rows x {columns} cols",
        groups::dictionary(group)
    ));
    for file in &files {
        console::say(&format!("Output file: {}", file.display()));
    }
    let empty = match chart {
        Ok(chart) => {
            for warning in &chart.warnings {
                console::tell(&format!("warning: {warning}"));
            }
            show(settings, chart.curves, &files)?;
            None
        }
        Err(reasons) => {
            let why = if kept.is_empty() {
                format!("no run passes --filter-by {}", settings.filter_by)
            } else {
                reasons.join("\n")
            };
            console::say(&format!("No data to plot: {why}"));
            Some(why)
        }
    };
    console::say("[END FIGURE]");
    Ok(empty)
}

fn show(settings: &Settings, it: Curves, files: &[std::path::PathBuf]) -> Result<(), Problem> {
    settings.output.write(&curves(&it), files)?;
    if settings.output.preview == Preview::Shown {
        let narrow = Curves {
            columns: 1,
            part_inches: PREVIEW_INCHES,
            parts: it.parts.into_iter().flatten().map(Some).collect(),
            ..it
        };
        console::say(&curves(&narrow).text());
    }
    Ok(())
}
