//! The extension `crestline._native`: what Python asks of crestline, handed to the crates that do it.
//!
//! Measures and decides nothing. Whatever takes long is done without the interpreter's lock.

mod call;
mod flag_list;
mod run;

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs a command line as the `crestline` program does and gives its exit code; `args[0]` is the program. Takes over SIGINT and
/// SIGTERM while a load goes on.
#[pyfunction]
fn main(python: Python<'_>, args: Vec<OsString>) -> u8 {
    python.detach(|| crestline_cli::main(args).code())
}

/// Says with which words crestline is started again, as the keeper of a server. Said again, it has no effect.
#[pyfunction]
fn started_by(words: Vec<String>) {
    crestline_cli::started_by(words);
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::call::run;
    #[pymodule_export]
    use super::flag_list::{flags, meant};
    #[pymodule_export]
    use super::run::{RunFile, Stream, request_columns};
    #[pymodule_export]
    use super::{main, started_by};
}
