//! A folder of a search for the highest load within an SLA: its summary, its session's database, its separate runs.
//!
//! A search that was killed has no summary; it is made anew from what is on disk.

use std::ffi::OsStr;
use std::path::Path;

use crestline_core::search::Outcome;
use crestline_core::sla::Group;
use crestline_experiment::run::{CLIENT, DATABASE};
use crestline_experiment::search::journal::JOURNAL;
use crestline_experiment::search::read_back::{self, ReadBackError};
use crestline_experiment::search::summary_json::{self, SUMMARY};
use crestline_report::facts::{AnswerFacts, LoadFacts, SearchFacts, TriedFacts};
use crestline_store::runs::RunReader;
use serde_json::Value;

use super::document;
use super::gathered::Gathered;
use super::listing::Place;
use super::loads;
use super::stored;
use crate::perf;
use crate::python_json;

/// The kind under which what a search gave up itself is on file.
const GIVEN_UP: &str = "cancelled";

/// Where the runs of a search are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// In folders of their own.
    Beside,
    /// What they came to is in the summary.
    InTheFile,
}

/// Whether a folder is of a search.
pub(super) fn is_one(place: &Place) -> bool {
    place.files.iter().any(|name| is_file_of_one(name.as_ref()))
}

/// Whether a file of this name is of a search whose folder it lies in.
pub(super) fn is_file_of_one(name: &OsStr) -> bool {
    [SUMMARY, JOURNAL].iter().any(|known| name == *known)
}

/// Reads a search; its separate runs, where it has some, are for whoever looks into the folders.
pub(super) fn read(place: &Place, gathered: &mut Gathered<'_>) {
    let path = place.path.join(SUMMARY);
    let summary = place.has(SUMMARY).then(|| python_json::read(&path));
    let summary = match summary {
        Some(Ok(value)) if is_document(&value) => Some(value),
        Some(Ok(_)) => {
            gathered.leave_out(&path, "it is no summary of a search");
            None
        }
        Some(Err(why)) => {
            gathered.leave_out(&path, why);
            None
        }
        None => None,
    };
    match summary {
        Some(value) if perf::read_back::is_search(&value) => {
            let runs = if place.has_folder(perf::read_back::RUNS) {
                Runs::Beside
            } else {
                Runs::InTheFile
            };
            add_other(&path, &value, runs, gathered);
        }
        summary => own(place, summary, gathered),
    }
}

/// A search of crestline's own, perhaps without a summary.
fn own(place: &Place, summary: Option<Value>, gathered: &mut Gathered<'_>) {
    let is_old = |value: &Value| value["loads"][0].get("figures").is_none();
    let document = match summary {
        Some(value) if !(is_old(&value) && place.has(JOURNAL)) => Some(value),
        // What an earlier version did not write is worked out from the records, where that can be; its answers stand.
        Some(mut value) => {
            if let Ok(mut fresh) = from_disk(&place.path) {
                value["loads"] = fresh["loads"].take();
            }
            Some(value)
        }
        None if place.has(JOURNAL) => match from_disk(&place.path) {
            Ok(value) => Some(value),
            Err(ReadBackError::NoPlan) => None,
            Err(error) => {
                gathered.leave_out(&place.path.join(JOURNAL), why(&error));
                None
            }
        },
        None => None,
    };
    let Some(document) = document else { return };
    let mut search = document::search(&document);
    search.session = session(&place.path, gathered).map(Box::new);
    if search.session.is_none() {
        gathered.add_name(document["model"].as_str());
    }
    gathered.add_search(&place.path, search);
}

/// Adds the search that a file alone tells of.
pub(super) fn read_value(path: &Path, value: &Value, gathered: &mut Gathered<'_>) {
    if perf::read_back::is_search(value) {
        add_other(path, value, Runs::InTheFile, gathered);
    } else {
        gathered.add_name(value["model"].as_str());
        gathered.add_search(path, document::search(value));
    }
}

/// Whether a value is the summary of a search.
pub(super) fn is_document(value: &Value) -> bool {
    document::is_one(value) || perf::read_back::is_search(value)
}

/// A search of which no more is known than what its loads came to.
fn add_other(path: &Path, value: &Value, runs: Runs, gathered: &mut Gathered<'_>) {
    let (mut search, loads) = perf::read_back::search(value);
    if runs == Runs::InTheFile {
        for mut load in loads {
            load.origin.files = vec![path.display().to_string()];
            gathered.add_load(path, load);
        }
    }
    search.answers = answers(path, &search);
    gathered.add_search(path, search);
}

/// The highest load that was tried of which the figures meet each group of criteria, with all below it; those stand in the
/// arguments of the runs.
fn answers(path: &Path, search: &SearchFacts) -> Vec<AnswerFacts> {
    let runs = super::around(path).join(perf::read_back::RUNS);
    let folders = Place::look(&runs)
        .map(|place| place.folders())
        .unwrap_or_default();
    let mut files = folders
        .iter()
        .map(|folder| folder.join(perf::read_back::ARGUMENTS));
    let groups = files.find_map(|file| perf::read_back::criteria(&python_json::read(&file).ok()?));
    let answer = |group: &Group| {
        let is_met = |tried: &&TriedFacts| {
            let mut criteria = group.criteria.iter();
            criteria.all(|criterion| {
                let name = criterion.measure.to_string();
                let value = tried.figures.iter().find(|(known, _)| *known == name);
                let value = value.and_then(|(_, value)| *value);
                value.is_some_and(|value| criterion.relation.holds(value, criterion.threshold))
            })
        };
        let highest = search.tried.iter().take_while(is_met).last();
        AnswerFacts {
            criteria: group.to_string(),
            outcome: highest.is_none().then_some(Outcome::Infeasible),
            load: highest.map(|tried| tried.load),
            estimate: None,
            interval: None,
            confidence: None,
            binding: None,
            knee: None,
            best: None,
            output_tps: None,
            requests: highest.map(|tried| tried.requests[0]),
            reason: "each load was judged once, so nothing is known of how sure it is".to_owned(),
        }
    };
    let groups = groups.unwrap_or_default();
    // What is best of a measure is no limit on the load.
    groups
        .iter()
        .filter(|group| group.aim.is_none())
        .map(answer)
        .collect()
}

/// What a search left on disk, as its summary would have it.
fn from_disk(folder: &Path) -> Result<Value, ReadBackError> {
    let found = read_back::read(folder)?;
    let client = RunReader::open(&folder.join(DATABASE))
        .ok()
        .and_then(|reader| reader.note(CLIENT).ok().flatten());
    Ok(summary_json::document(
        &found.plan,
        &found.search,
        &found.outcome,
        &client.unwrap_or_default(),
    ))
}

/// Why a search cannot be read back, without paths.
fn why(error: &ReadBackError) -> String {
    match error {
        ReadBackError::Store(error) => stored::why(error),
        other => other.to_string(),
    }
}

/// The search of a session's folder in a sweep, without its answers; nothing where there is none.
pub(super) fn of_session(folder: &Path, gathered: &mut Gathered<'_>) -> Option<SearchFacts> {
    if !folder.join(JOURNAL).is_file() {
        return None;
    }
    let document = from_disk(folder)
        .map_err(|error| gathered.leave_out(folder, why(&error)))
        .ok()?;
    let mut search = document::search(&document);
    search.session = session(folder, gathered).map(Box::new);
    Some(search)
}

/// All requests of a session as one run. Those that the search gave up itself, when it changed the load, are no failures.
fn session(folder: &Path, gathered: &mut Gathered<'_>) -> Option<LoadFacts> {
    let database = folder.join(DATABASE);
    if !database.is_file() {
        return None;
    }
    let mut load = loads::database_of(&database, gathered)?;
    let figures = &mut load.figures;
    let given_up = figures.failures.remove(GIVEN_UP).unwrap_or_default();
    figures.requests -= given_up;
    figures.failed -= given_up;
    let share = (figures.requests - figures.failed) as f64 / figures.requests.max(1) as f64;
    let success = crestline_core::metrics::Metric::SuccessRate;
    figures.totals.insert(success, share);
    Some(load)
}
