//! A worker of a distributed load, as whoever carries its frames has it: `crestline._native.Worker`.
//!
//! Knows nothing of what carries them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crestline_experiment::distributed::link::{Carrier, Delivery, Link};
use crestline_experiment::distributed::serve;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// How a worker ended.
type Ended = Result<(), String>;

/// Runs this machine's part of loads, as frames from a coordinator say.
#[pyclass(frozen, module = "crestline._native")]
pub(crate) struct Worker {
    /// Frames to it; none once it is closed.
    incoming: Mutex<Option<SyncSender<Delivery>>>,
    /// Frames from it.
    outgoing: Mutex<Receiver<Vec<u8>>>,
    thread: Mutex<Option<JoinHandle<Ended>>>,
}

#[pymethods]
impl Worker {
    /// Begins to work under a name that the coordinator knows it by.
    #[new]
    fn new(name: &str) -> PyResult<Self> {
        let (link, Carrier { outgoing, incoming }) = Link::carried(name);
        let thread = thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || serve(link).map_err(|error| error.to_string()))?;
        Ok(Self {
            incoming: Mutex::new(Some(incoming)),
            outgoing: Mutex::new(outgoing),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands frames over. Raises `RuntimeError` when the worker has ended, with the reason.
    fn send(&self, python: Python<'_>, frames: Vec<Bound<'_, PyBytes>>) -> PyResult<()> {
        let frames: Vec<Vec<u8>> = frames
            .into_iter()
            .map(|frame| frame.as_bytes().to_vec())
            .collect();
        python.detach(|| {
            let incoming = lock(&self.incoming).clone();
            for frame in frames {
                let sent = incoming.as_ref().map(|incoming| incoming.send(Ok(frame)));
                if !matches!(sent, Some(Ok(()))) {
                    return Err(self.reason());
                }
            }
            Ok(())
        })
    }

    /// Waits up to `wait_s` seconds for a frame and gives all that there are. Raises `RuntimeError` when the worker has ended
    /// and all that it said was given.
    fn receive<'py>(&self, python: Python<'py>, wait_s: f64) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let wait = Duration::try_from_secs_f64(wait_s.max(0.0)).unwrap_or(Duration::MAX);
        let frames = python.detach(|| {
            let outgoing = lock(&self.outgoing);
            match outgoing.recv_timeout(wait) {
                Ok(first) => Ok(std::iter::once(first).chain(outgoing.try_iter()).collect()),
                Err(RecvTimeoutError::Timeout) => Ok(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => Err(self.reason()),
            }
        })?;
        let frames: Vec<Vec<u8>> = frames;
        Ok(frames
            .iter()
            .map(|frame| PyBytes::new(python, frame))
            .collect())
    }

    /// Tells the worker that nobody is there any more: what it does ends.
    fn close(&self) {
        lock(&self.incoming).take();
    }
}

impl Worker {
    /// Why it has ended, once it has.
    fn reason(&self) -> PyErr {
        let ended = lock(&self.thread).take().map(JoinHandle::join);
        PyRuntimeError::new_err(match ended {
            Some(Ok(Ok(()))) | None => "the worker has ended".to_owned(),
            Some(Ok(Err(why))) => why,
            Some(Err(_)) => "the worker has failed; its node's log says how".to_owned(),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
