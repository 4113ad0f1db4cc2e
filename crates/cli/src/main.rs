//! The `crestline` binary: all that it does is in the library of the same crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    crestline_cli::main(std::env::args_os().collect()).into()
}
