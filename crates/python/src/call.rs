//! A command that runs for Python: what is seen of it goes to a Python object, and Python's own signal handlers say when it
//! is to end early.
//!
//! The command has threads of its own, none of which ever waits for the interpreter. The thread that calls hands on what is
//! seen, holds the interpreter's lock only while it does, and lets Python look for signals in between: a handler that raises,
//! as that of Ctrl-C does, asks for the end. No handler and no mask of a signal is changed.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use crestline_cli::launch::Launcher;
use crestline_cli::{Call, Observer, Problem, Seen};
use crestline_core::units::Nanos;
use crestline_experiment::event::{Progress, SearchProgress, Verdict};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::launcher::PythonLauncher;

/// Between two looks for signals.
const LOOK: Duration = Duration::from_millis(50);
/// How often Ctrl-C asks the command to end; after that, the call just returns.
const ASKED_AT_MOST: u32 = 2;

/// Exit code, and what went wrong: title, cause, hint.
type Ended = (u8, Option<(String, Option<String>, Option<String>)>);

/// Runs a command line; `args[0]` is the program. `observer.see(kind, value)` is called in this thread with all that is seen,
/// and `observer.is_watched` says whether lines can be redrawn. What `see` or a signal handler raises asks the command to end,
/// and is raised when it has ended. The launcher starts workers on other machines, where the command asks for such.
#[pyfunction]
#[pyo3(signature = (args, observer, launcher=None))]
pub(crate) fn run(
    python: Python<'_>,
    args: Vec<OsString>,
    observer: &Bound<'_, PyAny>,
    launcher: Option<Py<PyAny>>,
) -> PyResult<Ended> {
    let (send, mut seen) = mpsc::channel();
    let sending = Arc::new(Sending {
        seen: send,
        is_watched: observer.getattr("is_watched")?.extract()?,
    });
    let launcher = launcher.map(|launcher| Box::new(PythonLauncher(launcher)) as Box<dyn Launcher>);
    let call = Call::start(args, sending, launcher)
        .map_err(|error| PyOSError::new_err(error.to_string()))?;
    follow(python, &call, &mut seen, observer)?;
    let ended = python.detach(|| call.wait());
    match ended {
        Some(Ok(exit)) => Ok((exit.code(), None)),
        Some(Err(problem)) => Ok((problem.exit().code(), Some(parts(&problem)))),
        None => Err(PyRuntimeError::new_err(
            "the command panicked: this is a fault in crestline",
        )),
    }
}

/// Hands on what is seen until the command has ended, and raises the first thing that was raised meanwhile.
fn follow(
    python: Python<'_>,
    call: &Call,
    seen: &mut Receiver<Seen>,
    observer: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let mut asked = 0;
    let mut first = None;
    loop {
        let waiting = &mut *seen;
        let handed = match python.detach(move || waiting.recv_timeout(LOOK)) {
            Ok(seen) => hand_on(observer, seen),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let Err(error) = handed.and_then(|()| python.check_signals()) else {
            continue;
        };
        // What cannot be shown is no second wish to end.
        if asked == 0 || error.is_instance_of::<PyKeyboardInterrupt>(python) {
            call.ask_to_end();
            asked += 1;
        }
        if asked > ASKED_AT_MOST {
            return Err(error);
        }
        first.get_or_insert(error);
    }
    first.map_or(Ok(()), Err)
}

fn parts(problem: &Problem) -> (String, Option<String>, Option<String>) {
    (
        problem.title().to_owned(),
        problem.cause_text().map(str::to_owned),
        problem.hint_text().map(str::to_owned),
    )
}

/// Sends on what is seen, and never waits.
struct Sending {
    seen: Sender<Seen>,
    is_watched: bool,
}

impl Observer for Sending {
    fn see(&self, seen: Seen) {
        // Nobody hears it where the call has returned already.
        drop(self.seen.send(seen));
    }

    fn is_watched(&self) -> bool {
        self.is_watched
    }
}

fn hand_on(observer: &Bound<'_, PyAny>, seen: Seen) -> PyResult<()> {
    let python = observer.py();
    let see =
        |kind: &str, value: Bound<'_, PyAny>| observer.call_method1("see", (kind, value)).map(drop);
    let text = |text: String| text.into_pyobject(python).map(Bound::into_any);
    match seen {
        Seen::Said(line) => see("said", text(line)?),
        Seen::Told(line) => see("told", text(line)?),
        Seen::Passing(line) => see("passing", text(line)?),
        Seen::Redrawn(line) => see("redrawn", text(line)?),
        Seen::Folder(path) => see("folder", path.into_pyobject(python)?.into_any()),
        Seen::Load(path) => see("load", path.into_pyobject(python)?.into_any()),
        Seen::Progress(progress) => see("progress", load_progress(python, &progress)?.into_any()),
        Seen::Search(progress) => see("search", search_progress(python, &progress)?.into_any()),
        Seen::Benchmark(document, folder) => {
            let pair = (document.to_string(), folder);
            see("benchmark", pair.into_pyobject(python)?.into_any())
        }
        Seen::Rows(rows) => see("rows", text(serde_json::Value::from(rows).to_string())?),
    }
}

fn load_progress<'py>(python: Python<'py>, progress: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let values = PyDict::new(python);
    values.set_item("elapsed", progress.elapsed.as_secs_f64())?;
    values.set_item("remaining", seconds(progress.remaining()))?;
    values.set_item("total", progress.total)?;
    values.set_item("sent", progress.sent)?;
    values.set_item("ended", progress.ended)?;
    values.set_item("failed", progress.failed)?;
    values.set_item("requests_per_s", progress.requests_per_s)?;
    values.set_item("chunks_per_s", progress.chunks_per_s)?;
    values.set_item("ttft_p50", seconds(progress.ttft_p50))?;
    values.set_item("ttft_p99", seconds(progress.ttft_p99))?;
    Ok(values)
}

fn search_progress<'py>(
    python: Python<'py>,
    progress: &SearchProgress,
) -> PyResult<Bound<'py, PyDict>> {
    let interval = progress.status.interval;
    let interval = interval.map(|interval| (interval.low, interval.high));
    let verdict = match progress.verdict {
        Verdict::Open => "open",
        Verdict::Meets => "meets",
        Verdict::Fails => "fails",
    };
    let values = PyDict::new(python);
    values.set_item("elapsed", progress.elapsed.as_secs_f64())?;
    values.set_item("remaining", seconds(progress.remaining()))?;
    values.set_item("stage", progress.status.stage)?;
    values.set_item("load", progress.status.load)?;
    values.set_item("interval", interval)?;
    values.set_item("verdict", verdict)?;
    values.set_item("ended", progress.ended)?;
    values.set_item("failed", progress.failed)?;
    values.set_item("in_flight", progress.in_flight)?;
    Ok(values)
}

fn seconds(span: Option<Nanos>) -> Option<f64> {
    span.map(Nanos::as_secs_f64)
}
