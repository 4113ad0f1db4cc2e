//! Reads whatever a report is asked for: runs, folders of runs, searches and sweeps, crestline's and those of other tools.
//!
//! What cannot be read is named with the reason and left out. Draws nothing; which keys and files other tools write is for
//! [`crate::perf`] and [`crate::bench`].

mod answers;
mod document;
mod experiments;
mod gathered;
mod listing;
mod loads;
mod results;
mod search;
mod stored;

use std::path::{Path, PathBuf};

use crestline_core::digest::Limits;
use crestline_report::facts::Facts;

use crate::problem::Problem;
use gathered::Gathered;
use listing::{Kind, Place};

/// What is read beside the figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Prompts and answers.
    pub(crate) texts: Texts,
    /// How much is kept of single requests.
    pub(crate) limits: Limits,
    /// Runs of which each request is kept; of more there are the figures.
    pub(crate) details: usize,
}

impl Default for Wanted {
    /// As much as a page has room for.
    fn default() -> Self {
        Self {
            texts: Texts::default(),
            limits: Limits::default(),
            details: 12,
        }
    }
}

/// Whether prompts and answers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Texts {
    /// They stay where they are.
    #[default]
    LeftOut,
    /// Those of the requests that are shown.
    Included,
}

/// Folders within a folder that are looked into.
const DEEPEST: usize = 8;

/// Reads all that is at some paths.
pub(crate) fn read(paths: &[PathBuf], wanted: &Wanted) -> Result<Facts, Problem> {
    let mut gathered = Gathered::new(wanted);
    for path in paths {
        if !path.exists() {
            return Err(Problem::usage(format!("{} does not exist", path.display()))
                .hint("name a folder or a file that a run has written"));
        }
        if path.is_dir() {
            folder(path, DEEPEST, &mut gathered);
        } else {
            file(path, &mut gathered);
        }
    }
    if gathered.is_empty() {
        return Err(nothing(paths, &gathered));
    }
    Ok(gathered.facts(paths))
}

fn nothing(paths: &[PathBuf], gathered: &Gathered<'_>) -> Problem {
    let names = paths.iter().map(|path| path.display().to_string());
    let why = match gathered.left_out() {
        [] => "no file in it is of a run".to_owned(),
        lines => lines.join("\n"),
    };
    Problem::usage(format!("no run in {}", names.collect::<Vec<_>>().join(", ")))
        .cause(why)
        .hint(
            "a report is made of the folder of `crestline perf` or `bench sweep`, of a result of `bench serve --save-result`, \
             of a run's database, or of the same of EvalScope and vLLM",
        )
}

/// Reads everything in a folder.
fn folder(path: &Path, deep: usize, gathered: &mut Gathered<'_>) {
    let place = match Place::look(path) {
        Ok(place) => place,
        Err(error) => return gathered.leave_out(path, error.to_string()),
    };
    if search::is_one(&place) {
        search::read(&place, gathered);
        results::read(&place, gathered);
    } else if place.is_load() {
        return loads::read(&place, gathered);
    } else if experiments::is_one(&place) {
        return experiments::read(&place, gathered);
    } else {
        results::read(&place, gathered);
    }
    for inner in place.folders() {
        if gathered.is_read(&inner) {
            continue;
        }
        match deep {
            0 => gathered.leave_out(&inner, format!("it lies more than {DEEPEST} folders deep")),
            _ => folder(&inner, deep - 1, gathered),
        }
    }
}

/// Reads a file, with what belongs to it.
fn file(path: &Path, gathered: &mut Gathered<'_>) {
    let name = path.file_name().unwrap_or_default();
    let read = match listing::kind(path) {
        Err(error) => return gathered.leave_out(path, error.to_string()),
        Ok(Kind::Database) => return loads::read_database(path, gathered),
        Ok(Kind::Other) if search::is_file_of_one(name) => search::read,
        Ok(Kind::Other) if loads::is_file_of_one(name) => loads::read,
        Ok(Kind::Other) => return results::read_file(path, gathered),
    };
    match Place::look(&around(path)) {
        Ok(place) => read(&place, gathered),
        Err(error) => gathered.leave_out(path, error.to_string()),
    }
}

/// The folder that a file lies in.
fn around(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests;
