//! `crestline bench sweep plot_pareto`: throughput a GPU against speed a user, as a figure and as a table.
//!
//! Which points are on the frontier is `core`'s to say; how many users and GPUs a run had is [`users`]' and [`gpus`]'.

mod gpus;
mod table;
mod users;

use crestline_core::pareto;
use crestline_report::figures::{Frontier, frontier};
use serde_json::Value;

use super::super::python;
use super::args::{ParetoArgs, UserSpeed};
use super::filters::parts;
use super::output::{self, Files, Output, Preview};
use super::records::{self, Record, has, unknown};
use crate::console;
use crate::exit::Exit;
use crate::problem::Problem;

/// Folder of the files, in that of the experiment.
const FOLDER: &str = "pareto";
/// How the figure is called.
const NAME: &str = "PARETO";
/// Width and height of the part with the points, in inches.
const INCHES: [f64; 2] = [7.2, 5.4];
/// The same in the terminal.
const PREVIEW_INCHES: [f64; 2] = [5.2, 3.4];
/// Output tokens a second of a whole run.
const THROUGHPUT: &str = "output_throughput";
/// Time per output token after the first, in milliseconds.
const TPOT: &str = "mean_tpot_ms";

/// What a number was found in.
#[derive(Debug, Clone, PartialEq)]
struct Sourced {
    value: f64,
    source: String,
}

/// A run with what is drawn of it.
#[derive(Debug)]
struct Point<'a> {
    record: &'a Record,
    users: Option<Sourced>,
    gpus: Sourced,
    per_user: f64,
    per_gpu: f64,
    is_on_frontier: bool,
}

/// Draws the figure and writes the table.
pub(in super::super) fn run(args: &ParetoArgs) -> Result<Exit, Problem> {
    let output = Output::of(&args.output)?;
    let found = records::read(&args.experiment)?;
    for warning in &found.warnings {
        console::tell(&format!("warning: {warning}"));
    }
    for (flag, key) in [
        ("--user-count-var", &args.user_count_var),
        ("--gpu-count-var", &args.gpu_count_var),
    ] {
        if let Some(key) = key
            && !users::spellings(key)
                .iter()
                .any(|key| has(&found.records, key))
        {
            return Err(unknown(flag, key, &found.records));
        }
    }
    let (mut points, warnings) = points(args, &found.records);
    for warning in &warnings {
        console::tell(&format!("warning: {warning}"));
    }
    if points.is_empty() {
        return Err(Problem::usage("there is nothing to draw").cause(warnings.join("\n")));
    }
    let order = on_frontier(&mut points);
    let labels: Vec<&str> = parts(&args.label_by).collect();
    tell_of_labels(&labels, &points);
    let folder = args.experiment.join(FOLDER);
    let files = output.files(&folder, NAME);
    console::say("[BEGIN FIGURE]\nGroup: {}");
    for file in &files {
        console::say(&format!("Output file: {}", file.display()));
    }
    let table = folder.join("pareto.csv");
    console::say(&format!("Output table: {}", table.display()));
    let figure = figure(args, &points, &order, &labels);
    output.write(&frontier(&figure), &files)?;
    if output.files == Files::Written {
        let text = table::text(&points, &labels);
        output::write(&table, text.as_bytes())?;
    }
    if output.preview == Preview::Shown {
        let small = Frontier {
            inches: PREVIEW_INCHES,
            ..figure
        };
        console::say(&frontier(&small).text());
    }
    let verb = match output.files {
        Files::Written => "Plotted",
        Files::Named => "Would plot",
    };
    console::say(&format!(
        "{verb} {} points; Pareto frontier size: {}.\n[END FIGURE]",
        points.len(),
        order.len()
    ));
    Ok(Exit::Done)
}

/// All runs that have both speeds, and how many have not, for each reason.
fn points<'a>(args: &ParetoArgs, records: &'a [Record]) -> (Vec<Point<'a>>, Vec<String>) {
    let mut points = Vec::new();
    let mut skipped: Vec<(&str, usize)> = Vec::new();
    for record in records {
        match point(args, record) {
            Ok(point) => points.push(point),
            Err(why) => match skipped.iter_mut().find(|(known, _)| *known == why) {
                Some((_, count)) => *count += 1,
                None => skipped.push((why, 1)),
            },
        }
    }
    let mut warnings: Vec<String> = skipped
        .into_iter()
        .map(|(why, count)| {
            let s = if count == 1 { "" } else { "s" };
            format!("{count} run{s} left out: {why}")
        })
        .collect();
    let is_assumed = |point: &Point<'_>| point.gpus.source == gpus::ASSUMED;
    if !points.is_empty() && points.iter().all(is_assumed) {
        warnings.push(
            "no run says how many GPUs it had, so each counts as 1; --gpu-count-var names the key that does"
                .to_owned(),
        );
    }
    (points, warnings)
}

fn point<'a>(args: &ParetoArgs, record: &'a Record) -> Result<Point<'a>, &'static str> {
    if record.has_failed() {
        return Err("all requests failed");
    }
    let finite = |key: &str| record.number(key).filter(|value| value.is_finite());
    let throughput = finite(THROUGHPUT).ok_or("there is no output_throughput")?;
    let users = users::of(record, args.user_count_var.as_deref());
    let per_user = match args.user_speed {
        UserSpeed::Throughput => {
            let users = users.as_ref().ok_or("the number of users is unknown")?;
            throughput / users.value
        }
        UserSpeed::Decode => {
            let tpot = finite(TPOT).filter(|tpot| *tpot > 0.0);
            1000.0 / tpot.ok_or("there is no mean_tpot_ms above 0")?
        }
    };
    let gpus = gpus::of(record, args.gpu_count_var.as_deref());
    Ok(Point {
        record,
        per_gpu: throughput / gpus.value,
        users,
        gpus,
        per_user,
        is_on_frontier: false,
    })
}

/// Marks the points of the frontier, and gives their places in its order. Void runs are on none.
fn on_frontier(points: &mut [Point<'_>]) -> Vec<usize> {
    let counted = |point: &Point<'_>| {
        if point.record.is_void() {
            [f64::NAN; 2]
        } else {
            [point.per_user, point.per_gpu]
        }
    };
    let places: Vec<[f64; 2]> = points.iter().map(counted).collect();
    let order = pareto::frontier(&places);
    for place in &order {
        points[*place].is_on_frontier = true;
    }
    order
}

fn figure(args: &ParetoArgs, points: &[Point<'_>], order: &[usize], labels: &[&str]) -> Frontier {
    let at = |point: &Point<'_>| [point.per_user, point.per_gpu];
    let (voids, counted): (Vec<_>, Vec<_>) = points.iter().partition(|it| it.record.is_void());
    let x = match args.user_speed {
        UserSpeed::Throughput => "Tokens/s/user",
        UserSpeed::Decode => "Tokens/s/user while decoding (1000 / mean TPOT in ms)",
    };
    let mut models: Vec<String> = points
        .iter()
        .filter_map(|it| it.record.text("model_id"))
        .collect();
    models.dedup();
    Frontier {
        title: "Throughput a GPU against speed a user".to_owned(),
        subject: match &models[..] {
            [model] => format!("{model} · {} runs", points.len()),
            _ => format!("{} runs", points.len()),
        },
        labels: [x.to_owned(), "Tokens/s/GPU".to_owned()],
        inches: INCHES,
        points: counted.into_iter().map(at).collect(),
        voids: voids.into_iter().map(at).collect(),
        frontier: order
            .iter()
            .map(|place| (at(&points[*place]), label(&points[*place], labels)))
            .collect(),
    }
}

/// `key=value` in lines, of those keys that are known.
fn label(point: &Point<'_>, keys: &[&str]) -> String {
    let lines = keys
        .iter()
        .filter_map(|key| Some(format!("{key}={}", point.text(key)?)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Labels that no point has are told.
fn tell_of_labels(keys: &[&str], points: &[Point<'_>]) {
    for key in keys {
        if points.iter().all(|point| point.text(key).is_none()) {
            console::tell(&format!(
                "warning: --label-by: no run has {key}; the labels are without it"
            ));
        }
    }
}

impl Point<'_> {
    /// The value of a key: of the run, of what is computed of it, or of its server's command.
    fn text(&self, key: &str) -> Option<String> {
        let spelt = users::spellings(key);
        let mut own = spelt.iter().filter_map(|key| self.record.fields.get(key));
        if let Some(value) = own.next() {
            return Some(shown(value));
        }
        let computed = match key.replace('-', "_").as_str() {
            "gpu_count" => self.gpus.value,
            "user_count_estimate" => self.users.as_ref()?.value,
            "tokens_per_user" => self.per_user,
            "tokens_per_gpu" => self.per_gpu,
            _ => return gpus::size(self.record, key).map(|size| size.to_string()),
        };
        Some(crestline_report::number::significant(computed, 4))
    }
}

/// Whole numbers without a fraction.
fn shown(value: &Value) -> String {
    match value.as_f64() {
        Some(number) => crestline_report::number::significant(number, 6),
        None => python::str(value),
    }
}
