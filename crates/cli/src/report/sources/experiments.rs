//! The folder of a sweep: runs of each combination, times of starts, answers of searches.
//!
//! What the files are called and what stands in them is for [`crate::bench::read_back`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crestline_report::facts::{LoadFacts, PlainTable};
use serde_json::{Value, json};

use super::answers;
use super::gathered::Gathered;
use super::listing::Place;
use super::{loads, results, search};
use crate::bench::read_back::experiment::{self, FileKind};
use crate::bench::read_back::{self, Document};
use crate::python_json;

/// A run in a file of its own, or in that of its combination.
struct Run {
    file: PathBuf,
    /// Of its combination.
    folder: PathBuf,
    number: i64,
    document: Document,
}

/// Whether a folder is of a sweep, or of a combination of one.
pub(super) fn is_one(place: &Place) -> bool {
    let is_run = |name: &str| matches!(experiment::file_kind(name), FileKind::Run(_));
    let has_run = |place: &Place| place.files.iter().any(|name| is_run(name));
    let is_combination = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        experiment::is_combination(&name) || Place::look(folder).is_ok_and(|inner| has_run(&inner))
    };
    place.has(experiment::TABLE) || has_run(place) || place.folders().iter().any(is_combination)
}

/// Reads all runs and answers of a sweep.
pub(super) fn read(place: &Place, gathered: &mut Gathered<'_>) {
    // A combination alone belongs to the sweep around it.
    let own = place
        .path
        .ancestors()
        .find(|folder| folder.join(experiment::OWN).is_dir());
    let root = own.unwrap_or(&place.path).to_owned();
    let mut runs = Vec::new();
    collect(place, &mut runs, gathered);
    let documents: Vec<&Document> = runs.iter().map(|run| &run.document).collect();
    let (names, values) = read_back::parameters(&documents);
    let starts = starts(&names, &runs, &values);
    gathered.add_parameters(names);
    for (run, parameters) in runs.iter().zip(values) {
        if read_back::is_result(&run.document) {
            let load = load(&root, run, gathered);
            gathered.add_load(&place.path, LoadFacts { parameters, ..load });
        }
    }
    if let Some(table) = starts {
        gathered.add_table(table);
    }
    if root == place.path {
        answers::read(&root, gathered);
    }
}

/// Finds the runs in a folder and its folders.
fn collect(place: &Place, runs: &mut Vec<Run>, gathered: &mut Gathered<'_>) {
    let mut summary = None;
    let mut found = Vec::new();
    for file in place.ending(&results::ENDS) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match experiment::file_kind(&name) {
            FileKind::Run(number) => match run_of(&file) {
                Ok(document) => found.push((number, file.clone(), document)),
                Err(why) => gathered.leave_out(&file, why),
            },
            FileKind::Failure => gathered.leave_out(&file, failure(&file)),
            FileKind::Summary => summary = Some(file),
            FileKind::Companion => {}
            FileKind::Other if results::is_companion(&name) => {}
            FileKind::Other => super::file(&file, gathered),
        }
    }
    if let Some(file) = summary {
        add_missing(&file, &mut found, gathered);
    }
    runs.extend(found.into_iter().map(|(number, file, document)| Run {
        file,
        folder: place.path.clone(),
        number,
        document,
    }));
    for folder in place.folders() {
        if folder
            .file_name()
            .is_some_and(|name| name == experiment::OWN)
        {
            continue;
        }
        match Place::look(&folder) {
            Err(error) => gathered.leave_out(&folder, error.to_string()),
            Ok(inner) if inner.is_load() || search::is_one(&inner) => {
                super::folder(&folder, super::DEEPEST, gathered);
            }
            Ok(inner) => collect(&inner, runs, gathered),
        }
    }
}

/// The result in a file.
fn run_of(file: &Path) -> Result<Document, String> {
    match python_json::read(file)? {
        Value::Object(document) if is_run(&document) => Ok(document),
        _ => Err("it is no run of a benchmark".to_owned()),
    }
}

fn is_run(document: &Document) -> bool {
    read_back::is_result(document) || !experiment::starts(document).is_empty()
}

fn failure(file: &Path) -> String {
    python_json::read(file).map_or_else(|why| why, |value| experiment::failure(&value))
}

/// Adds runs of a combination that have no file of their own, or none that can be read.
fn add_missing(
    file: &Path,
    found: &mut Vec<(i64, PathBuf, Document)>,
    gathered: &mut Gathered<'_>,
) {
    let list = match python_json::read(file) {
        Ok(Value::Array(list)) if !list.is_empty() => list,
        Ok(Value::Array(_)) => return gathered.leave_out(file, "its list of runs is empty"),
        Ok(_) => return gathered.leave_out(file, "it holds no list of runs"),
        Err(why) => return gathered.leave_out(file, why),
    };
    let known: BTreeSet<i64> = found.iter().map(|(number, ..)| *number).collect();
    for (place, entry) in (0..).zip(list) {
        match entry {
            Value::Object(document) if is_run(&document) => {
                let number = document.get("run_number").and_then(Value::as_i64);
                let number = number.unwrap_or(place);
                if !known.contains(&number) {
                    found.push((number, file.to_owned(), document));
                }
            }
            _ => {
                let why = format!("entry {}: it is no run of a benchmark", place + 1);
                gathered.leave_out(file, why);
            }
        }
    }
}

/// A run with its requests, where they are kept.
fn load(root: &Path, run: &Run, gathered: &mut Gathered<'_>) -> LoadFacts {
    let records = experiment::records(root, &run.folder, run.number);
    let database = database_in(&records);
    let stored = database.and_then(|database| loads::database_of(&database, gathered));
    let mut load = match stored {
        Some(stored) => {
            let mut load = read_back::load(&run.document);
            load.origin.files = vec![run.file.display().to_string()];
            results::completed(load, stored)
        }
        None => results::load(&run.file, &run.document, gathered),
    };
    let server = read_back::server_command(&run.file);
    if let (Some(command), Some(Value::Object(settings))) = (server, &mut load.origin.settings) {
        settings.insert("server command".to_owned(), command.join(" ").into());
    }
    load
}

/// The database of a run: it lies in the folder of its load.
fn database_in(records: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(records).ok()?;
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut databases = folders.map(|folder| folder.join(loads::DATABASE));
    databases.find(|path| path.is_file())
}

/// Times of starts, a row for each run and kind.
fn starts(
    names: &[String],
    runs: &[Run],
    values: &[BTreeMap<String, String>],
) -> Option<PlainTable> {
    let mut rows = Vec::new();
    for (run, values) in runs.iter().zip(values) {
        for (kind, mut times) in experiment::starts(&run.document) {
            times.sort_by(f64::total_cmp);
            let count = times.len();
            let mean = times.iter().sum::<f64>() / count as f64;
            let median = f64::midpoint(times[(count - 1) / 2], times[count / 2]);
            let own = names.iter().map(|name| json!(values[name]));
            let figures = [mean, times[0], median, times[count - 1]].map(|time| json!(time));
            let which = [json!(run.number), json!(kind), json!(count)];
            rows.push(own.chain(which).chain(figures).collect());
        }
    }
    let figures = [
        "run", "start", "starts", "mean s", "min s", "median s", "max s",
    ];
    let columns = names.iter().cloned();
    (!rows.is_empty()).then(|| PlainTable {
        title: "Times of starts".to_owned(),
        columns: columns.chain(figures.map(str::to_owned)).collect(),
        rows,
    })
}
