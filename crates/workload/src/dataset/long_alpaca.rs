//! `longalpaca`: the `instruction` of each object of a JSON array.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::DatasetError;
use super::file::Wanted;
use crate::hub::HubCaches;
use crate::presentation::Content;

const WANTED: Wanted = Wanted {
    name: "longalpaca",
    file: "LongAlpaca-12k.json",
    repository: "AI-ModelScope/LongAlpaca-12k",
};

#[derive(Deserialize)]
struct Record {
    instruction: String,
}

/// As for the other data sets; in a folder without a file of the usual name its first JSON file is taken.
pub(super) fn find(path: Option<&Path>, caches: &HubCaches) -> Result<PathBuf, DatasetError> {
    WANTED.find(path, caches).or_else(|error| {
        let first = path.filter(|path| path.is_dir()).and_then(first_json_file);
        first.ok_or(error)
    })
}

fn first_json_file(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files.into_iter().next()
}

pub(super) fn read(path: &Path) -> Result<Vec<Content>, DatasetError> {
    let file = File::open(path).map_err(|source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let records: Vec<Record> =
        serde_json::from_reader(BufReader::new(file)).map_err(|error| DatasetError::Malformed {
            path: path.to_owned(),
            line: Some(error.line()).filter(|line| *line > 0),
            reason: format!("not a JSON array of objects with `instruction`: {error}"),
        })?;
    Ok(records
        .into_iter()
        .map(|record| Content::Text(record.instruction))
        .collect())
}
