//! What each flag changes in the plan, and how each wrong use is told.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::command::{Parsed, Sub, parse};

const BASE: [&str; 6] = [
    "--model",
    "org/some-model",
    "--dataset",
    "random",
    "--tokenizer-path",
    "builtin",
];

fn surroundings() -> Surroundings {
    Surroundings {
        api_key: None,
        timestamp: "20261122_101500".to_owned(),
    }
}

fn read(flags: &[&str]) -> Result<PerfArgs, Problem> {
    let args = ["crestline", "perf"].iter().chain(flags);
    match parse(args.map(Into::into).collect())? {
        Parsed::Command(Sub::Perf(args)) => Ok(*args),
        other => panic!("not a perf command: {other:?}"),
    }
}

fn translated(flags: &[&str]) -> Result<Translation, Problem> {
    let all: Vec<&str> = BASE.iter().chain(flags).copied().collect();
    translate(&read(&all)?, &surroundings())
}

/// The plan's leaves by their path.
fn leaves(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                leaves(&format!("{path}.{key}"), value, out);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (place, value) in items.iter().enumerate() {
                leaves(&format!("{path}.{place}"), value, out);
            }
        }
        leaf => {
            out.insert(path.trim_start_matches('.').to_owned(), leaf.to_string());
        }
    }
}

fn lines_of(translation: &Translation) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    leaves(
        "",
        &serde_json::to_value(&translation.plan).unwrap(),
        &mut out,
    );
    out
}

/// Words as a shell would part them, with single quotes.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("a closing quote"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// Checks which lines of the plan the flags change, and which notes they give.
fn changes(flags: &str, expected: &Expect) {
    let base = lines_of(&translated(&[]).unwrap());
    let text = match translated(&words(flags)) {
        Err(problem) => problem.to_string(),
        Ok(translation) => {
            let mut lines: Vec<String> = lines_of(&translation)
                .iter()
                .filter(|(path, value)| base.get(*path) != Some(value))
                .map(|(path, value)| format!("{path} = {value}"))
                .collect();
            lines.extend(translation.notes.iter().map(|note| format!("note: {note}")));
            lines.join("\n")
        }
    };
    expected.assert_eq(&text);
}

/// Checks the problem that the flags, with nothing before them, are answered with.
fn refuses(flags: &str, expected: &Expect) {
    let problem = read(&words(flags))
        .and_then(|args| translate(&args, &surroundings()))
        .expect_err("these flags are wrong");
    assert_eq!(problem.exit(), crate::exit::Exit::Usage);
    expected.assert_eq(&problem.to_string());
}

/// The same after a usable set of flags.
fn refuses_more(flags: &str, expected: &Expect) {
    refuses(&format!("{} {flags}", BASE.join(" ")), expected);
}

mod loads;
mod prompts;
mod wrong_flags;
mod wrong_values;
