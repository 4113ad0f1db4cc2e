//! What is in a folder, as far as it matters to a report.
//!
//! Looks at names and at how files begin; reads none.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::loads;
use crate::python_json::natural;

/// What an `SQLite` file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A folder.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Names of its files, numbers in their order.
    pub(super) files: Vec<String>,
    folders: Vec<String>,
}

impl Place {
    /// Looks behind no links to folders, which may lead in circles.
    pub(super) fn look(path: &Path) -> io::Result<Self> {
        let mut place = Self {
            path: path.to_owned(),
            files: Vec::new(),
            folders: Vec::new(),
        };
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                place.folders.push(name);
            } else if entry.path().is_file() {
                place.files.push(name);
            }
        }
        place.files.sort_by_cached_key(|name| natural(name));
        place.folders.sort_by_cached_key(|name| natural(name));
        Ok(place)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file == name)
    }

    pub(super) fn has_folder(&self, name: &str) -> bool {
        self.folders.iter().any(|folder| folder == name)
    }

    /// It holds one load.
    pub(super) fn is_load(&self) -> bool {
        self.files
            .iter()
            .any(|name| loads::is_file_of_one(name.as_ref()))
    }

    /// Its folders, those whose names begin with a point left out.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let shown = self.folders.iter().filter(|name| !name.starts_with('.'));
        shown.map(|name| self.path.join(name)).collect()
    }

    /// Its files with such an ending.
    pub(super) fn ending(&self, ends: &[&str]) -> Vec<PathBuf> {
        let fits = |name: &&String| {
            let end = Path::new(name.as_str()).extension();
            end.is_some_and(|end| ends.iter().any(|one| end.eq_ignore_ascii_case(one)))
        };
        let files = self.files.iter().filter(fits);
        files.map(|name| self.path.join(name)).collect()
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An `SQLite` file.
    Database,
    /// Any other.
    Other,
}

/// Looks at how a file begins.
pub(super) fn kind(path: &Path) -> io::Result<Kind> {
    let mut begin = Vec::new();
    let file = File::open(path)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut begin)?;
    Ok(if begin == MAGIC {
        Kind::Database
    } else {
        Kind::Other
    })
}
