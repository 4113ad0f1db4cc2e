//! `crestline report`: one page of one or many runs, searches and sweeps.
//!
//! `sources` reads what is there, `crestline_report` makes the page of it. Measures nothing.

pub(crate) mod sources;
pub(crate) mod tried;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use crestline_report::facts::Facts;
use crestline_report::html::report as page;
use crestline_report::number::counted;

use crate::exit::Exit;
use crate::problem::Problem;
use crate::{console, whole_file};
use sources::{Texts, Wanted};

/// How a page begins.
const PAGE: &[u8] = b"<!DOCTYPE html>";

/// Makes one page of runs, searches and sweeps, also of those of vLLM and EvalScope. It needs no network.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReportArgs {
    /// Folders of `perf`, of `bench serve` or of a sweep, results and databases of runs.
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    runs: Vec<PathBuf>,
    /// Page that is written.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "crestline_report.html"
    )]
    output: PathBuf,
    /// Title of the page, in place of the model's name.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Put prompts and answers of the requests that are shown into the page.
    #[arg(long)]
    include_text: bool,
}

/// Whether a measurement ends with a page.
#[derive(Debug, Clone, Args)]
pub(crate) struct PageArgs {
    /// Write no page of the results. It is `perf_report.html` in the folder of `perf`, `NAME.report.html` beside the JSON of
    /// `bench serve`, and `crestline/report.html` in the folder of a sweep.
    #[arg(long)]
    no_html: bool,
}

/// Whether a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Written,
    LeftOut,
}

impl PageArgs {
    pub(crate) fn page(&self) -> Page {
        if self.no_html {
            Page::LeftOut
        } else {
            Page::Written
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Problem> {
    check(&args.output)?;
    let wanted = Wanted {
        texts: if args.include_text {
            Texts::Included
        } else {
            Texts::LeftOut
        },
        ..Wanted::default()
    };
    let mut facts = sources::read(&args.runs, &wanted)?;
    for line in &facts.left_out {
        console::tell(&format!("warning: {line}"));
    }
    if let Some(title) = &args.title {
        facts.title.clone_from(title);
    }
    let size = write(&facts, &args.output)?;
    console::say(&format!(
        "The report of {} is in {} ({size})",
        what(&facts),
        args.output.display()
    ));
    Ok(Exit::Done)
}

/// Writes the page of a folder that was just measured, and gives its size.
pub(crate) fn of_folder(folder: &Path, page: &Path) -> Result<String, Problem> {
    let facts = sources::read(&[folder.to_owned()], &Wanted::default())?;
    write(&facts, page)
}

fn write(facts: &Facts, file: &Path) -> Result<String, Problem> {
    let html = page(facts).html();
    whole_file::write(file, html.as_bytes()).map_err(|error| {
        Problem::failed(format!("{}: cannot be written", file.display()))
            .because(&error)
            .hint("make room or permit it, or name another file")
    })?;
    Ok(size(html.len()))
}

fn size(bytes: usize) -> String {
    match bytes as f64 {
        few if few < 1e6 => format!("{:.0} kB", few / 1e3),
        many => format!("{:.1} MB", many / 1e6),
    }
}

/// `12 runs and 1 search`.
fn what(facts: &Facts) -> String {
    let counts = [(facts.loads.len(), "run"), (facts.tables.len(), "table")];
    let mut parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, thing)| counted(count as u64, thing))
        .collect();
    match facts.searches.len() {
        0 => {}
        1 => parts.push("1 search".to_owned()),
        many => parts.push(format!("{many} searches")),
    }
    parts.join(" and ")
}

/// Refuses a place where no page can be, or where something else is, before anything is read.
fn check(file: &Path) -> Result<(), Problem> {
    let refused = |why: &str, hint: &str| {
        Err(Problem::usage(format!("--output {}: {why}", file.display())).hint(hint))
    };
    if file.is_dir() {
        return refused("it is a folder", "name a file in it");
    }
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return refused("its folder does not exist", "make it, or name another file");
    }
    if is_something_else(file) {
        return refused(
            "it is there already, and no page",
            "name another file, so that nothing is lost",
        );
    }
    Ok(())
}

/// A file that is there, not empty, and no page: it may be a run that was meant to be read.
fn is_something_else(file: &Path) -> bool {
    let Ok(opened) = fs::File::open(file) else {
        return false;
    };
    let mut begin = Vec::new();
    let read = opened.take(PAGE.len() as u64).read_to_end(&mut begin);
    read.is_ok() && !begin.is_empty() && begin != PAGE
}
