//! What each flag changes in the plan, and how each wrong use is told.

use expect_test::{Expect, expect};

use super::super::args::BenchCommand;
use super::*;
use crate::command::{Parsed, Sub, parse};
use crate::plan_lines::{differences, words};

const BASE: [&str; 2] = ["--model", "org/some-model"];

pub(super) fn read(flags: &[&str]) -> Result<ServeArgs, Problem> {
    let args = ["crestline", "bench", "serve"].iter().chain(flags);
    match parse(args.map(Into::into).collect())? {
        Parsed::Command(Sub::Bench(args)) => match args.command {
            BenchCommand::Serve(args) => Ok(ServeArgs {
                command: None,
                ..*args
            }),
            BenchCommand::Startup(_) | BenchCommand::Sweep(_) => panic!("not `bench serve`"),
        },
        other => panic!("not a bench command: {other:?}"),
    }
}

pub(super) fn translated(flags: &[&str]) -> Result<Translation, Problem> {
    let all: Vec<&str> = BASE.iter().chain(flags).copied().collect();
    translate(&read(&all)?, &Surroundings::default())
}

/// The lines of the plan that the flags change, and the notes they give.
fn changed(flags: &str) -> String {
    let base = translated(&[]).unwrap().plan;
    let translation = translated(&words(flags)).unwrap_or_else(|problem| panic!("{problem}"));
    let mut lines = differences(&base, &translation.plan);
    lines.extend(translation.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

/// Checks them.
fn changes(flags: &str, expected: &Expect) {
    expected.assert_eq(&changed(flags));
}

/// Checks how the flags change what is computed and shown.
fn reports(flags: &str, expected: &Expect) {
    let base = format!("{:#?}", translated(&[]).unwrap().report);
    let report = format!("{:#?}", translated(&words(flags)).unwrap().report);
    let changed: Vec<&str> = report
        .lines()
        .filter(|line| !base.lines().any(|other| other == *line))
        .map(str::trim)
        .collect();
    expected.assert_eq(&changed.join("\n"));
}

fn refuses(flags: &str, expected: &Expect) {
    let problem = translated(&words(flags)).expect_err("these flags are wrong");
    assert_eq!(problem.exit(), crate::exit::Exit::Usage);
    expected.assert_eq(&problem.to_string());
}

mod connection;
mod conversations;
mod load;
mod pictures;
mod request;
mod results;
mod runs;
mod wrong;
