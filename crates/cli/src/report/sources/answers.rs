//! Searches of a sweep: the answers of all configurations, and the session of each.
//!
//! Reads no results; those of the loads that were tried are runs of their own.

use std::path::{Path, PathBuf};

use crestline_report::facts::{LoadFacts, SearchFacts, TriedFacts};
use serde_json::Value;

use super::document;
use super::gathered::Gathered;
use super::listing::Place;
use super::search;
use crate::bench::read_back::experiment;
use crate::python_json;
use crate::report::tried::tried;

/// The parameter of a search of which no run says its parameters.
const CONFIGURATION: &str = "configuration";

/// A configuration of a server and a benchmark, with its answers.
struct Found {
    folder: PathBuf,
    /// As the file calls it.
    name: String,
    answers: Vec<Value>,
}

/// Reads the searches of a sweep, where it has some; runs must have been read before.
pub(super) fn read(root: &Path, gathered: &mut Gathered<'_>) {
    let path = experiment::answers(root);
    let value = path.is_file().then(|| python_json::read(&path));
    let value = match value {
        Some(Ok(value)) if value["slas"].is_array() => value,
        Some(Ok(_)) => return gathered.leave_out(&path, "it has no answers of searches"),
        Some(Err(why)) => {
            gathered.leave_out(&path, why);
            Value::Null
        }
        None => Value::Null,
    };
    let mut all = configurations(root, &value);
    if all.is_empty() {
        all = unanswered(root);
    }
    for found in all {
        if let Some(search) = search_of(root, &found, &value, gathered) {
            gathered.add_search(root, search);
        }
    }
}

/// Each configuration once, in the order of the file.
fn configurations(root: &Path, value: &Value) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for sla in value["slas"].as_array().into_iter().flatten() {
        let bench = sla["bench"].as_str().unwrap_or_default();
        for answer in sla["ranking"].as_array().into_iter().flatten() {
            let serve = answer["serve"].as_str().unwrap_or_default();
            let folder = experiment::combination(root, serve, bench);
            match all.iter_mut().find(|found| found.folder == folder) {
                Some(found) => found.answers.push(answer.clone()),
                None => all.push(Found {
                    folder,
                    name: [serve, bench].join(" ").trim().to_owned(),
                    answers: vec![answer.clone()],
                }),
            }
        }
    }
    all
}

/// Sessions that are there without an answer: the sweep was ended before.
fn unanswered(root: &Path) -> Vec<Found> {
    let sessions = experiment::session(root, &root.join("x"));
    let place = sessions
        .parent()
        .and_then(|folder| Place::look(folder).ok());
    let folders = place.map(|place| place.folders()).unwrap_or_default();
    let names = folders.iter().filter_map(|folder| folder.file_name());
    names
        .map(|name| Found {
            folder: root.join(name),
            name: name.to_string_lossy().into_owned(),
            answers: Vec::new(),
        })
        .collect()
}

fn search_of(
    root: &Path,
    found: &Found,
    value: &Value,
    gathered: &mut Gathered<'_>,
) -> Option<SearchFacts> {
    let session = search::of_session(&experiment::session(root, &found.folder), gathered);
    if session.is_none() && found.answers.is_empty() {
        return None;
    }
    let has_session = session.is_some();
    let mut search = session.unwrap_or_default();
    if !found.answers.is_empty() {
        search.is_interrupted = false;
        search.answers = found.answers.iter().map(document::answer).collect();
    }
    if let Some(variable) = value["variable"].as_str() {
        document::unit(variable).clone_into(&mut search.unit);
    }
    let loads: Vec<&LoadFacts> = gathered.loads_in(&found.folder).collect();
    if !has_session {
        search.tried = loads_tried(&loads);
    }
    search.parameters = match loads.first() {
        Some(load) => load.parameters.clone(),
        None => [(CONFIGURATION.to_owned(), found.name.clone())].into(),
    };
    if loads.is_empty() {
        gathered.add_parameters([CONFIGURATION.to_owned()]);
    }
    Some(search)
}

/// Whole runs as loads that were tried: the first of each load.
fn loads_tried(loads: &[&LoadFacts]) -> Vec<TriedFacts> {
    let mut all: Vec<TriedFacts> = Vec::new();
    for run in loads {
        let load = run.applied.concurrency.or(run.applied.rate);
        let Some(load) =
            load.filter(|load| all.iter().all(|known| known.load.total_cmp(load).is_ne()))
        else {
            continue;
        };
        all.push(tried(load, run));
    }
    all.sort_by(|one, other| one.load.total_cmp(&other.load));
    all
}
