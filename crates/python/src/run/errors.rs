//! Runs that cannot be read, as exceptions of `crestline.errors`.
//!
//! The words are those of the crates that read.

use std::error::Error as _;
use std::path::PathBuf;

use crestline_store::runs::StoreError;
use crestline_store::runs::arrow::ColumnError;
use pyo3::prelude::*;

/// Why there is no run to read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunFileError {
    /// Nothing is there.
    #[error("`{}` does not exist: name a folder or a database that a run has written", .path.display())]
    Missing {
        /// What was named.
        path: PathBuf,
    },
    /// A folder without a database.
    #[error(
        "no run in `{}`: a run's folder holds `benchmark_data.db`, which `crestline perf` writes", .path.display()
    )]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with several.
    #[error("`{}` holds {} runs: open one of {}", .path.display(), .names.len(), .names.join(", "))]
    Several {
        /// The folder.
        path: PathBuf,
        /// Folders in it that hold one each.
        names: Vec<String>,
    },
    /// The folder cannot be looked into.
    #[error("cannot look into `{}`: {source}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file.
    #[error("{}", told(.0))]
    Store(#[from] StoreError),
}

/// An error of the store, with what it comes from.
pub(super) fn told(error: &StoreError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl RunFileError {
    /// The exception.
    pub(super) fn into_python(self, python: Python<'_>) -> PyErr {
        let class = match &self {
            Self::Missing { .. } => "RunNotFound",
            Self::Store(StoreError::Damaged { .. } | StoreError::Read { .. }) => "DamagedRun",
            Self::NoRun { .. } | Self::Several { .. } | Self::Folder { .. } | Self::Store(_) => {
                "NotARun"
            }
        };
        exception(python, class, &self.to_string())
    }
}

/// A name that is no column's, as an exception.
pub(super) fn unknown_column(python: Python<'_>, error: &ColumnError) -> PyErr {
    exception(python, "UnknownColumn", &error.to_string())
}

/// An exception of `crestline.errors`.
fn exception(python: Python<'_>, class: &str, text: &str) -> PyErr {
    let made = python
        .import("crestline.errors")
        .and_then(|module| module.getattr(class)?.call1((text,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
