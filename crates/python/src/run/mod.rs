//! Stored runs: where they are, what they say of themselves, and their requests as Arrow.
//!
//! Makes no object of Python for a request: batches are handed over by the Arrow C stream interface, and read as they are
//! pulled.

mod errors;
mod find;
mod stream;

use std::path::PathBuf;

use crestline_experiment::run::CLIENT;
use crestline_store::runs::arrow::{RequestColumns, columns, server_changes};
use crestline_store::runs::{RunReader, StoreError};
use pyo3::prelude::*;
use serde_json::{Value, json};

pub(crate) use stream::Stream;

/// A run's database.
#[pyclass(frozen, module = "crestline._native")]
#[derive(Debug)]
pub(crate) struct RunFile {
    path: PathBuf,
    /// What it says of itself, as JSON.
    facts: Value,
}

#[pymethods]
impl RunFile {
    /// Finds the one run at a path: a database, or a folder that holds one.
    #[staticmethod]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "Python's path becomes one of its own"
    )]
    fn open(python: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = python.detach(|| -> Result<Self, errors::RunFileError> {
            let path = find::database(&path)?;
            let facts = facts(&path)?;
            Ok(Self { path, facts })
        });
        opened.map_err(|error| error.into_python(python))
    }

    /// The database.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// What the run says of itself, as JSON: `plan`, `start_unix_s`, `tool_version`, `complete`, `client`.
    fn facts(&self) -> String {
        self.facts.to_string()
    }

    /// Requests that it has by now.
    fn rows(&self, python: Python<'_>) -> PyResult<u64> {
        let rows = python.detach(|| RunReader::open(&self.path)?.len());
        rows.map_err(|error: StoreError| errors::RunFileError::from(error).into_python(python))
    }

    /// Its requests, with columns of these names.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "Python's names become ones of their own"
    )]
    fn requests(&self, python: Python<'_>, names: Vec<String>) -> PyResult<Stream> {
        let columns = RequestColumns::named(names.iter().map(String::as_str));
        let columns = columns.map_err(|error| errors::unknown_column(python, &error))?;
        Ok(Stream::of_requests(self.path.clone(), columns))
    }

    /// What the server said of itself while it ran.
    fn server_metrics(&self, python: Python<'_>) -> PyResult<Stream> {
        let server = python.detach(|| RunReader::open(&self.path)?.server_series());
        let server = server
            .map_err(|error: StoreError| errors::RunFileError::from(error).into_python(python))?;
        Ok(Stream::of_batch(server_changes(&server)))
    }
}

/// Every column that requests have: name, unit, meaning, and whether it is read where none is named.
#[pyfunction]
pub(crate) fn request_columns() -> Vec<(&'static str, &'static str, &'static str, bool)> {
    let all = columns().into_iter();
    all.map(|it| {
        let is_usual = it.read == crestline_store::runs::arrow::Read::Always;
        (it.name, it.unit, it.meaning, is_usual)
    })
    .collect()
}

fn facts(path: &std::path::Path) -> Result<Value, StoreError> {
    let reader = RunReader::open(path)?;
    let meta = reader.meta();
    Ok(json!({
        "plan": meta.header.plan,
        "start_unix_s": meta.header.start.as_secs_f64(),
        "tool_version": meta.header.tool_version,
        "complete": meta.complete,
        "client": reader.note(CLIENT)?,
    }))
}
