//! `crestline compare`: two runs, or two sets of repeated runs, and which is faster.
//!
//! Judges nothing itself: the mathematics are [`crestline_core::compare`]'s, the reading is [`crate::report`]'s.

pub(crate) mod args;
mod comparison;
mod figures;
mod files;
mod sides;
mod tables;
mod unlike;
mod words;

use std::path::{Path, PathBuf};

use self::args::CompareArgs;
use self::comparison::{Comparison, Question};
use self::sides::Side;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::report::sources::{self, Wanted};
use crate::{console, whole_file};

/// Reads both sides, compares, prints and writes.
pub(crate) fn run(args: &CompareArgs) -> Result<Exit, Problem> {
    let question = question(args)?;
    let (a, b) = paths(args)?;
    sides::apart(&a, &b)?;
    let a = read("A", &a)?;
    let b = read("B", &b)?;
    let comparison = Comparison::new(&a, &b, &question)?;
    for warning in &comparison.warnings {
        console::tell(&format!("note: {warning}"));
    }
    show(args, &comparison, &question)?;
    Ok(if comparison.has_regressed() {
        Exit::Regressed
    } else if comparison.is_void() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn question(args: &CompareArgs) -> Result<Question, Problem> {
    if !(args.threshold > 0.0 && args.threshold.is_finite()) {
        return Err(
            Problem::usage(format!("--threshold cannot be {}", args.threshold))
                .hint("a number of percent above 0, such as 5"),
        );
    }
    if !(0.5..=0.999).contains(&args.confidence) {
        return Err(
            Problem::usage(format!("--confidence cannot be {}", args.confidence))
                .hint("a probability from 0.5 to 0.999, such as 0.95"),
        );
    }
    Ok(Question {
        statistics: match &args.metrics {
            Some(list) => figures::listed(list)?,
            None => crestline_core::compare::usual(),
        },
        confidence: args.confidence,
        threshold: args.threshold / 100.0,
        seed: args.seed,
    })
}

/// What belongs to A, and what to B.
fn paths(args: &CompareArgs) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Problem> {
    let are_named = !args.a.is_empty() || !args.b.is_empty();
    let usage = "write `crestline compare A B`, or with repeats `crestline compare --a A1 A2 A3 --b B1 B2 B3`";
    match (args.runs.as_slice(), are_named) {
        ([a, b], false) => Ok((vec![a.clone()], vec![b.clone()])),
        ([], true) if !args.a.is_empty() && !args.b.is_empty() => {
            Ok((args.a.clone(), args.b.clone()))
        }
        ([], true) => {
            let missing = if args.a.is_empty() { "--a" } else { "--b" };
            Err(Problem::usage(format!("{missing} is missing")).hint(usage))
        }
        (_, true) => {
            Err(Problem::usage("runs are given with --a and --b and also without").hint(usage))
        }
        (runs, false) => Err(Problem::usage(format!(
            "compare takes two runs, A and B; there are {}",
            runs.len()
        ))
        .hint(usage)),
    }
}

fn read(name: &'static str, paths: &[PathBuf]) -> Result<Side, Problem> {
    let wanted = Wanted {
        details: usize::MAX,
        ..Wanted::default()
    };
    let facts = sources::read(paths, &wanted)?;
    Side::new(name, paths, facts)
}

fn show(args: &CompareArgs, comparison: &Comparison, question: &Question) -> Result<(), Problem> {
    let markdown = tables::markdown(comparison, question);
    match args.markdown.as_deref() {
        Some(path) if path == Path::new("-") => console::say(markdown.trim_end()),
        other => {
            console::say(tables::text(comparison, question).trim_start());
            if let Some(path) = other {
                write(path, &markdown)?;
            }
        }
    }
    if let Some(path) = &args.junit {
        write(path, &files::junit(comparison, question))?;
    }
    if let Some(path) = &args.json {
        write(path, &format!("{:#}\n", files::json(comparison, question)))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    whole_file::write(path, text.as_bytes()).map_err(|error| {
        Problem::failed(format!("{} cannot be written", path.display())).because(&error)
    })
}
