//! From a data set's source to its file, and from the file to lines.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::DatasetError;
use crate::hub::{HubCaches, HubKind};

/// Where a data set's file is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Name of the data set.
    pub(super) name: &'static str,
    /// Name of the file in a folder.
    pub(super) file: &'static str,
    /// Hub repository `org/name` that holds it.
    pub(super) repository: &'static str,
}

impl Wanted {
    /// The file: what the user names, that name in the user's folder, or in the local hub caches.
    pub(super) fn find(
        &self,
        path: Option<&Path>,
        caches: &HubCaches,
    ) -> Result<PathBuf, DatasetError> {
        let folders = match path {
            Some(path) if path.is_dir() => vec![path.to_owned()],
            Some(path) => return existing(self.name, path),
            None => caches.snapshots(HubKind::Dataset, self.repository),
        };
        let found = folders
            .iter()
            .map(|folder| folder.join(self.file))
            .find(|file| file.is_file());
        found.ok_or_else(|| DatasetError::NotFound {
            name: self.name,
            looked: self.looked(path, caches),
            source_hint: Some(self.how_to_get()),
        })
    }

    fn looked(&self, path: Option<&Path>, caches: &HubCaches) -> Vec<PathBuf> {
        let folders = match path {
            Some(path) => vec![path.to_owned()],
            None => caches.candidates(HubKind::Dataset, self.repository),
        };
        folders
            .into_iter()
            .map(|folder| folder.join(self.file))
            .collect()
    }

    fn how_to_get(&self) -> String {
        let Self {
            file, repository, ..
        } = self;
        format!(
            "fetch it once with `modelscope download --dataset {repository} {file} --local_dir FOLDER` and give \
             `--dataset-path FOLDER/{file}`, or take `--dataset random`"
        )
    }
}

/// A file that the user names.
pub(super) fn existing(name: &'static str, path: &Path) -> Result<PathBuf, DatasetError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    Err(DatasetError::NotFound {
        name,
        looked: vec![path.to_owned()],
        source_hint: None,
    })
}

/// Hands each line to `take` with its number, from 1, without the line end.
pub(super) fn for_each_line(
    path: &Path,
    mut take: impl FnMut(usize, &str) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let unreadable = |source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut line, mut number) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).map_err(unreadable)? == 0 {
            return Ok(());
        }
        number += 1;
        // A byte-order mark is no part of the first prompt.
        let text = if number == 1 {
            line.trim_start_matches('\u{feff}')
        } else {
            &line
        };
        take(number, text.trim_end_matches(['\n', '\r']))?;
    }
}

/// Reads one JSON value a line; blank lines are passed over.
pub(super) fn for_each_record<T: serde::de::DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(T),
) -> Result<(), DatasetError> {
    for_each_numbered(path, |_, record| {
        take(record);
        Ok(())
    })
}

/// As [`for_each_record`], with the number of each line, for records that may turn out to be wrong.
pub(super) fn for_each_numbered<T: serde::de::DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(usize, T) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    for_each_line(path, |number, line| {
        if line.trim().is_empty() {
            return Ok(());
        }
        let record = serde_json::from_str(line).map_err(|error| DatasetError::Malformed {
            path: path.to_owned(),
            line: Some(number),
            reason: without_place(&error),
        })?;
        take(number, record)
    })
}

/// Reads a JSON array; `what` it is made of is for the message.
pub(super) fn read_array<T: serde::de::DeserializeOwned>(
    path: &Path,
    what: &str,
) -> Result<Vec<T>, DatasetError> {
    let unreadable = |source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read(path).map_err(unreadable)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(text).map_err(|error| DatasetError::Malformed {
        path: path.to_owned(),
        line: Some(error.line()),
        reason: format!("not a JSON array of {what}: {error}"),
    })
}

/// Refuses a file whose name ends otherwise.
pub(super) fn with_ending(path: &Path, ending: &'static str) -> Result<(), DatasetError> {
    if path.extension().is_some_and(|found| found == ending) {
        return Ok(());
    }
    Err(DatasetError::WrongEnding {
        path: path.to_owned(),
        ending,
    })
}

/// A JSON error without its own line and column, which count from the begin of a single line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
