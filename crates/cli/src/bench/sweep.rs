//! `crestline bench sweep`: servers started, parameters varied.
//!
//! `args` → `plan` → `serve`, on what `course` offers. Folders, names and files are those of `vllm bench sweep`.

pub(crate) mod args;
mod bench_command;
mod course;
mod fingerprint;
pub(super) mod follow;
pub(super) mod kept;
pub(super) mod layout;
mod overrides;
mod overview;
mod params;
mod plan;
mod plot;
pub(super) mod program;
pub(super) mod python;
mod reset;
pub(super) mod results;
mod serve;
pub(super) mod served;
mod server;
pub(super) mod server_command;
mod shown;
pub(super) mod sla;
mod startup;
mod table_csv;
mod virtual_server;
mod workload;

use self::args::{SweepArgs, SweepCommand};
use crate::exit::Exit;
use crate::problem::Problem;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &SweepArgs) -> Result<Exit, Problem> {
    match &args.command {
        SweepCommand::Plot(args) => plot::run(args),
        SweepCommand::PlotPareto(args) => plot::run_pareto(args),
        SweepCommand::Serve(args) => serve::run(args),
        SweepCommand::ServeSla(args) => sla::run(args),
        SweepCommand::ServeWorkload(args) => workload::run(args),
        SweepCommand::Startup(args) => startup::run(args),
    }
}
