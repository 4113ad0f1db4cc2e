//! The extension `crestline._native`: what Python asks of crestline, handed to the crates that do it.
//!
//! Measures and decides nothing. Whatever takes long is done without the interpreter's lock.

mod call;
mod flag_list;
mod launcher;
mod own;
mod run;
mod worker;

use std::ffi::OsString;

use crestline_cli::launch::Launcher;
use launcher::PythonLauncher;
use pyo3::prelude::*;

/// Runs a command line as the `crestline` program does and gives its exit code; `args[0]` is the program. Takes over SIGINT and
/// SIGTERM while a load goes on. The launcher starts workers on other machines, where the command asks for such.
#[pyfunction]
#[pyo3(signature = (args, launcher=None))]
fn main(python: Python<'_>, args: Vec<OsString>, launcher: Option<Py<PyAny>>) -> u8 {
    let launcher = launcher.map(PythonLauncher);
    let launcher = launcher.as_ref().map(|launcher| launcher as &dyn Launcher);
    python.detach(|| crestline_cli::main_with(args, launcher).code())
}

/// Says with which words crestline is started again, as the keeper of a server, and which Python this is. Said again, it has no
/// effect.
#[pyfunction]
#[pyo3(signature = (words, interpreter=None))]
fn started_by(words: Vec<String>, interpreter: Option<OsString>) {
    crestline_cli::started_by(words, interpreter);
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::call::run;
    #[pymodule_export]
    use super::flag_list::{flags, meant};
    #[pymodule_export]
    use super::own::{add_api, add_dataset, remove_api, remove_dataset};
    #[pymodule_export]
    use super::run::{RunFile, Stream, request_columns};
    #[pymodule_export]
    use super::worker::Worker;
    #[pymodule_export]
    use super::{main, started_by};

    /// The version of program, package and extension.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python has for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
