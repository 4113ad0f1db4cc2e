//! The extension `crestline._native`: what Python asks of crestline, handed to the crates that do it.
//!
//! Measures and decides nothing. Whatever takes long is done without the interpreter's lock.

mod own;
mod run;

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs a command line as the `crestline` program does and gives its exit code; `args[0]` is the program.
#[pyfunction]
fn main(python: Python<'_>, args: Vec<OsString>) -> u8 {
    python.detach(|| crestline_cli::main(args).code())
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::main;
    #[pymodule_export]
    use super::own::{add_api, add_dataset, remove_api, remove_dataset};
    #[pymodule_export]
    use super::run::{RunFile, Stream, request_columns};
}
