//! A folder of one load: a database, files of its figures, or both.
//!
//! Where there are records, figures come from them; the files add what records do not say.

use std::ffi::OsStr;
use std::path::Path;

pub(super) use crestline_experiment::run::DATABASE;
use crestline_report::facts::{Applied, Client, LoadFacts};
use serde_json::Value;

use super::gathered::Gathered;
use super::listing::Place;
use super::stored::{self, Depth};
use crate::perf::read_back;
use crate::python_json;

/// The files that say what a load came to.
const FILES: [&str; 3] = [
    read_back::SUMMARY,
    read_back::PERCENTILES,
    read_back::ARGUMENTS,
];

/// Whether a file of this name is of a load whose folder it lies in.
pub(super) fn is_file_of_one(name: &OsStr) -> bool {
    [DATABASE, read_back::SUMMARY]
        .iter()
        .any(|known| name == *known)
}

/// Reads a load; its run is what the folder lies in.
pub(super) fn read(place: &Place, gathered: &mut Gathered<'_>) {
    let files = files(place, gathered);
    let database = place.path.join(DATABASE);
    let stored = place
        .has(DATABASE)
        .then(|| database_of(&database, gathered));
    let load = match (stored.flatten(), files) {
        (Some(load), Some(files)) => completed(load, files),
        (Some(load), None) | (None, Some(load)) => load,
        (None, None) => return,
    };
    gathered.add_load(&super::around(&place.path), load);
}

/// Reads a database that is named itself.
pub(super) fn read_database(path: &Path, gathered: &mut Gathered<'_>) {
    if let Some(load) = database_of(path, gathered) {
        gathered.add_load(path, load);
    }
}

/// What a database holds; where it cannot be read, that is told.
pub(super) fn database_of(path: &Path, gathered: &mut Gathered<'_>) -> Option<LoadFacts> {
    let depth = if gathered.has_room() {
        Depth::Requests
    } else {
        Depth::Figures
    };
    let read = stored::read(path, gathered.wanted, depth);
    read.map_err(|why| gathered.leave_out(path, why)).ok()
}

/// What the files beside a database say; `None` where there is no summary that can be read.
fn files(place: &Place, gathered: &mut Gathered<'_>) -> Option<LoadFacts> {
    let summary = value(place, read_back::SUMMARY, gathered, read_back::is_summary);
    let percentiles = value(place, read_back::PERCENTILES, gathered, |value| {
        read_back::percentiles(value).is_some()
    });
    let arguments = value(place, read_back::ARGUMENTS, gathered, Value::is_object);
    let rows = percentiles.as_ref().and_then(read_back::percentiles);
    let mut load = read_back::load(
        &summary?,
        &rows.unwrap_or_default(),
        &arguments.unwrap_or_default(),
    );
    let files = FILES.iter().filter(|name| place.has(name));
    load.origin.files = files
        .map(|name| place.path.join(name).display().to_string())
        .collect();
    Some(load)
}

/// The value of a file, where it is there and fits; else why not is told.
fn value(
    place: &Place,
    name: &str,
    gathered: &mut Gathered<'_>,
    fits: impl FnOnce(&Value) -> bool,
) -> Option<Value> {
    if !place.has(name) {
        return None;
    }
    let path = place.path.join(name);
    let read = python_json::read(&path).and_then(|value| {
        if fits(&value) {
            Ok(value)
        } else {
            Err("it does not have what such a file has".to_owned())
        }
    });
    read.map_err(|why| gathered.leave_out(&path, why)).ok()
}

/// A load from its records, with what only files say.
fn completed(mut load: LoadFacts, files: LoadFacts) -> LoadFacts {
    if load.client == Client::Unknown {
        load.client = files.client;
    }
    let (own, other) = (&mut load.origin, files.origin);
    own.files.extend(other.files);
    own.settings = other.settings.or(own.settings.take());
    own.seed = own.seed.or(other.seed);
    own.model = own.model.take().or(other.model);
    own.url = own.url.take().or(other.url);
    if own.tool.is_empty() {
        own.tool = other.tool;
    }
    if load.applied == Applied::default() {
        load.applied = files.applied;
    }
    load
}
