//! Results of runs as JSON files: one a file, a list of them, or one a line.
//!
//! The database of a run is used where its result says where it is.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crestline_report::facts::{Client, LoadFacts};
use serde_json::Value;

use super::gathered::Gathered;
use super::listing::Place;
use super::loads;
use super::search;
use super::stored;
use crate::bench::read_back::{self, Document};
use crate::python_json;

/// Files that are no runs and no fault either.
const COMPANIONS: [&str; 12] = [
    "benchmark_args.json",
    "benchmark_percentile.json",
    "progress.json",
    "speed_benchmark.json",
    "trace_summary.json",
    "workload_throughput.json",
    "workload_timeline.json",
    "serve_params.json",
    "bench_params.json",
    "made_by.json",
    "answers.json",
    "result.json",
];
/// Endings of files that may hold a run.
pub(super) const ENDS: [&str; 3] = ["json", "db", "sqlite"];

/// Reads all results in a folder.
pub(super) fn read(place: &Place, gathered: &mut Gathered<'_>) {
    for file in place.ending(&ENDS) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_known = is_companion(&name) || is_of_a_folder(file.file_name().unwrap_or_default());
        if !is_known && !gathered.is_read(&file) {
            super::file(&file, gathered);
        }
    }
}

/// Whether a file is read with the folder that it lies in.
fn is_of_a_folder(name: &OsStr) -> bool {
    loads::is_file_of_one(name) || search::is_file_of_one(name)
}

/// Whether a file of this name stands beside runs and is none.
pub(super) fn is_companion(name: &str) -> bool {
    COMPANIONS.contains(&name)
}

/// Reads the results in a file.
pub(super) fn read_file(path: &Path, gathered: &mut Gathered<'_>) {
    if let Ok(value) = python_json::read(path)
        && search::is_document(&value)
    {
        return search::read_value(path, &value, gathered);
    }
    let documents = match documents(path) {
        Ok(documents) => documents,
        Err(why) => return gathered.leave_out(path, why),
    };
    let are_many = documents.len() > 1;
    for (place, document) in documents.into_iter().enumerate() {
        match document {
            Ok(document) if read_back::is_result(&document) => {
                let load = load(path, &document, gathered);
                gathered.add_load(path, load);
            }
            other => {
                let why = other
                    .err()
                    .unwrap_or_else(|| "it is no run of a benchmark".to_owned());
                let entry = format!("entry {}: ", place + 1);
                let entry = if are_many { entry.as_str() } else { "" };
                gathered.leave_out(path, format!("{entry}{why}"));
            }
        }
    }
}

/// What a file holds: an object, a list of them, or one a line.
fn documents(path: &Path) -> Result<Vec<Result<Document, String>>, String> {
    let whole = match python_json::read(path) {
        Ok(value) => value,
        Err(why) => return lines(path).ok_or(why),
    };
    match whole {
        Value::Array(list) if list.is_empty() => Err("it is an empty list".to_owned()),
        Value::Array(list) => Ok(list.into_iter().map(object).collect()),
        value => Ok(vec![object(value)]),
    }
}

fn object(value: Value) -> Result<Document, String> {
    match value {
        Value::Object(document) => Ok(document),
        _ => Err("it is no run of a benchmark".to_owned()),
    }
}

/// Objects one a line, where the first of several lines is one.
fn lines(path: &Path) -> Option<Vec<Result<Document, String>>> {
    let text = fs::read(path).ok()?;
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    let all: Vec<_> = lines
        .map(|line| python_json::parse(line).and_then(object))
        .collect();
    all.first().is_some_and(Result::is_ok).then_some(all)
}

/// A run: its result, and its requests where they are kept.
pub(super) fn load(path: &Path, document: &Document, gathered: &mut Gathered<'_>) -> LoadFacts {
    let mut load = read_back::load(document);
    load.origin.files = vec![path.display().to_string()];
    if let Some(stored) = database(path, document, gathered) {
        return completed(load, stored);
    }
    if gathered.has_room()
        && let Some(records) = read_back::requests(document)
    {
        let (_, detail) = stored::of_records(&records, gathered.wanted);
        load.detail = Some(Box::new(detail));
    }
    load
}

fn database(path: &Path, document: &Document, gathered: &mut Gathered<'_>) -> Option<LoadFacts> {
    let database = super::around(path).join(read_back::database(document)?);
    if !database.is_file() {
        return None;
    }
    // What lies around it need not be looked into again.
    for folder in database.ancestors().skip(1).take(2) {
        gathered.put_aside(folder.to_owned());
    }
    loads::database_of(&database, gathered)
}

/// A run of which the database is there: figures are those of its records.
pub(super) fn completed(load: LoadFacts, mut stored: LoadFacts) -> LoadFacts {
    stored.applied = load.applied;
    if stored.client == Client::Unknown {
        stored.client = load.client;
    }
    stored.origin.files.extend(load.origin.files);
    stored.origin.settings = load.origin.settings;
    stored.origin.is_complete &= load.origin.is_complete;
    stored
}
