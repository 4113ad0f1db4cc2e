//! The one database at a path: the file itself, or the only one in a folder.
//!
//! Looks at names alone and reads no file.

use std::fs;
use std::path::{Path, PathBuf};

use crestline_experiment::run::DATABASE;

use super::errors::RunFileError;

/// Folders within a folder that are looked into: an output folder has those of dates, models and loads.
const DEEPEST: usize = 4;

/// The database at a path.
pub(super) fn database(path: &Path) -> Result<PathBuf, RunFileError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if !path.is_dir() {
        return Err(RunFileError::Missing {
            path: path.to_owned(),
        });
    }
    let own = path.join(DATABASE);
    if own.is_file() {
        return Ok(own);
    }
    let mut found = Vec::new();
    look(path, DEEPEST, &mut found)?;
    found.sort();
    match &found[..] {
        [] => Err(RunFileError::NoRun {
            path: path.to_owned(),
        }),
        [only] => Ok(only.clone()),
        _ => Err(RunFileError::Several {
            names: found.iter().map(|file| shown(file)).collect(),
            path: path.to_owned(),
        }),
    }
}

fn shown(file: &Path) -> String {
    format!("`{}`", file.parent().unwrap_or(file).display())
}

/// Puts down the databases in the folders of a folder.
fn look(path: &Path, deep: usize, found: &mut Vec<PathBuf>) -> Result<(), RunFileError> {
    let cannot = |source| RunFileError::Folder {
        path: path.to_owned(),
        source,
    };
    for entry in fs::read_dir(path).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if !entry.file_type().map_err(cannot)?.is_dir() {
            continue;
        }
        let inner = entry.path();
        let own = inner.join(DATABASE);
        if own.is_file() {
            found.push(own);
        } else if deep > 1 {
            look(&inner, deep - 1, found)?;
        }
    }
    Ok(())
}
