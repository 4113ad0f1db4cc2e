//! The `crestline` binary: arguments in, tables and files out.
//!
//! Measures nothing itself: it translates flags to plans, shows what the library crates report, and ends with an
//! exit code of [`exit::Exit`].

mod argv;
mod command;
mod console;
mod demo;
mod exit;
mod moment;
mod perf;
mod problem;
mod progress;
mod signals;
mod sim;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(std::env::args_os().collect()).into()
}
