//! The `crestline` binary: arguments in, tables and files out.
//!
//! Measures nothing itself: it translates flags to plans, shows what the library crates report, and ends with an
//! exit code of [`exit::Exit`].

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
mod track;
mod values;
mod whole_file;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(std::env::args_os().collect()).into()
}
