//! Data sets and APIs that are code of the user's, as the crates below know them.
//!
//! `crestline.plugins` wraps what the user has written; values cross as JSON text. The interpreter's lock is held for a call and
//! no longer, by threads that prepare requests or collect records, never by one that sends or reads.

mod api;
mod source;

use std::sync::Arc;

use crestline_cli::own;
use pyo3::prelude::*;

use api::PythonApi;
use source::PythonSource;

/// Makes `--dataset NAME` the items of `item(index)`, each as JSON; of so many different ones, where that is known.
#[pyfunction]
pub(crate) fn add_dataset(name: &str, item: Py<PyAny>, number: Option<u64>) {
    own::add_dataset(name, Arc::new(PythonSource::new(item, number)));
}

/// Makes `--api NAME` what `build(index, max_tokens, prompt, model, settings)` and `parse(pieces, request)` do, where they are
/// not `None`.
#[pyfunction]
pub(crate) fn add_api(name: &str, build: Option<Py<PyAny>>, parse: Option<Py<PyAny>>) {
    own::add_api(name, Arc::new(PythonApi::new(build, parse)));
}

/// Forgets a data set.
#[pyfunction]
pub(crate) fn remove_dataset(name: &str) {
    own::remove_dataset(name);
}

/// Forgets an API.
#[pyfunction]
pub(crate) fn remove_api(name: &str) {
    own::remove_api(name);
}

/// What was raised, with where.
fn told(python: Python<'_>, error: &PyErr) -> String {
    let place = error
        .traceback(python)
        .and_then(|traceback| traceback.format().ok());
    match place {
        Some(place) => format!("{error}\n{}", place.trim_end()),
        None => error.to_string(),
    }
}
