//! `crestline bench sweep`: servers started, parameters varied.
//!
//! `args` → `plan` → `serve`, on what `course` offers. Folders, names and files are those of `vllm bench sweep`.

pub(crate) mod args;
mod bench_command;
mod course;
mod fingerprint;
mod follow;
mod kept;
mod layout;
mod overrides;
mod overview;
mod params;
mod plan;
mod program;
mod python;
mod reset;
mod results;
mod serve;
mod server;
mod server_command;
mod shown;
mod sla;
mod table_csv;
mod virtual_server;
mod workload;

use self::args::{SweepArgs, SweepCommand};
use crate::exit::Exit;
use crate::problem::Problem;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &SweepArgs) -> Result<Exit, Problem> {
    match &args.command {
        SweepCommand::Serve(args) => serve::run(args),
        SweepCommand::ServeSla(args) => sla::run(args),
        SweepCommand::ServeWorkload(args) => workload::run(args),
    }
}
