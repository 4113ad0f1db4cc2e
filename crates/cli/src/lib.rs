//! The `crestline` program as a library: arguments in, tables and files out.
//!
//! Measures nothing itself: it translates flags to plans, shows what the library crates report, and ends with an
//! exit code. The binary and the Python extension are its two front doors.

mod amounts;
mod argv;
mod bench;
mod client_health;
mod command;
mod compare;
mod console;
mod demo;
mod exit;
#[cfg(test)]
mod flag_tables;
mod headers;
mod moment;
pub mod own;
mod perf;
#[cfg(test)]
mod plan_lines;
mod problem;
mod problems;
mod progress;
mod python_json;
mod report;
mod search_flags;
mod secrets;
mod server_metrics;
mod signals;
mod sim;
mod telemetry;
mod values;
mod whole_file;

use std::ffi::OsString;

pub use exit::Exit;

/// Runs a command line; `args[0]` is the program. Takes over SIGINT and SIGTERM while a load goes on.
pub fn main(args: Vec<OsString>) -> Exit {
    command::run(args)
}
