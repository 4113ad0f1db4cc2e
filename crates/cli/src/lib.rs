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
mod flag_list;
#[cfg(test)]
mod flag_tables;
mod front_end;
mod headers;
mod interpreter;
pub mod launch;
mod moment;
pub mod own;
mod own_program;
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
mod track;
mod values;
mod wheel;
mod whole_file;

use std::ffi::OsString;

use launch::Launcher;

pub use exit::Exit;
pub use flag_list::{Flag, Kind, Values, flags, meant};
pub use front_end::{Call, Observer, Seen};
pub use own_program::started_by;
pub use problem::Problem;

/// Runs a command line; `args[0]` is the program. Takes over SIGINT and SIGTERM while a load goes on.
pub fn main(args: Vec<OsString>) -> Exit {
    main_with(args, None)
}

/// The same with someone who starts workers on other machines, where the command asks for such.
pub fn main_with(args: Vec<OsString>, launcher: Option<&dyn Launcher>) -> Exit {
    command::run(args, launcher)
}
