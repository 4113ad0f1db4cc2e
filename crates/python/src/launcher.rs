//! Workers that Python code starts on other machines, as the program wants them.
//!
//! Takes the interpreter's lock only while it speaks with that code.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crestline_cli::launch::{LaunchError, Launcher, Remote};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// A callable that takes an address and a number of workers, or `None`, and gives a list of workers.
pub(crate) struct PythonLauncher(pub(crate) Py<PyAny>);

/// An object with `name`, `send`, `receive` and `close`, as `crestline.ray.Worker`.
struct PythonWorker {
    name: String,
    object: Py<PyAny>,
}

impl Launcher for PythonLauncher {
    fn launch(
        &self,
        address: &str,
        workers: Option<NonZeroUsize>,
    ) -> Result<Vec<Arc<dyn Remote>>, LaunchError> {
        Python::attach(|python| {
            let workers = workers.map(NonZeroUsize::get);
            self.started(python, address, workers)
                .map_err(|error| LaunchError {
                    cause: in_words(python, &error),
                    hint: hint(python, &error),
                })
        })
    }
}

impl PythonLauncher {
    fn started(
        &self,
        python: Python<'_>,
        address: &str,
        workers: Option<usize>,
    ) -> PyResult<Vec<Arc<dyn Remote>>> {
        let started: Vec<Py<PyAny>> = self.0.call1(python, (address, workers))?.extract(python)?;
        let remotes = started.into_iter().map(|object| {
            let name = object.getattr(python, "name")?.extract(python)?;
            Ok(Arc::new(PythonWorker { name, object }) as Arc<dyn Remote>)
        });
        remotes.collect()
    }
}

impl Remote for PythonWorker {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn send(&self, frames: Vec<Vec<u8>>) -> Result<(), String> {
        ask(|python| {
            let frames = frames.iter().map(|frame| PyBytes::new(python, frame));
            let frames = PyList::new(python, frames)?;
            self.object
                .call_method1(python, "send", (frames,))
                .map(drop)
        })
    }

    fn receive(&self, wait: Duration) -> Result<Vec<Vec<u8>>, String> {
        ask(|python| {
            let given = self
                .object
                .call_method1(python, "receive", (wait.as_secs_f64(),))?;
            let frames: Vec<Bound<'_, PyBytes>> = given.extract(python)?;
            Ok(frames
                .iter()
                .map(|frame| frame.as_bytes().to_vec())
                .collect())
        })
    }

    fn close(&self) {
        // What cannot be ended is gone already.
        drop(ask(|python| {
            self.object.call_method0(python, "close").map(drop)
        }));
    }
}

/// Speaks with Python code, under the interpreter's lock.
fn ask<T>(what: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T, String> {
    Python::attach(|python| what(python).map_err(|error| in_words(python, &error)))
}

/// What an exception says, without its type and its place.
fn in_words(python: Python<'_>, error: &PyErr) -> String {
    let text = error.value(python).to_string();
    if text.is_empty() {
        error.to_string()
    } else {
        text
    }
}

fn hint(python: Python<'_>, error: &PyErr) -> Option<String> {
    let hint: String = error.value(python).getattr("hint").ok()?.extract().ok()?;
    (!hint.is_empty()).then_some(hint)
}
