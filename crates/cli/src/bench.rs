//! `crestline bench`: the dialect of `vllm bench`.
//!
//! Reads flags, runs the plan, shows what comes of it and writes vLLM's files. Measures nothing itself.

mod alignment;
pub(crate) mod args;
mod beside;
mod closing;
mod conversations;
pub(crate) mod dotted;
#[cfg(test)]
mod golden;
mod measure;
mod pictures;
mod place;
mod plan;
mod probes;
mod profile;
pub(crate) mod read_back;
mod result_json;
mod run_figures;
mod runs;
mod serve;
mod startup;
mod sweep;
mod table;

use crestline_experiment::server::keeper;

use crate::exit::Exit;
use crate::own_program;
use crate::problem::Problem;
use args::{BenchArgs, BenchCommand};
pub(crate) use sweep::server_command::Program;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &BenchArgs) -> Result<Exit, Problem> {
    match &args.command {
        BenchCommand::Serve(args) => serve::run(args),
        BenchCommand::Startup(args) => startup::run(args),
        BenchCommand::Sweep(args) => sweep::run(args),
    }
}

/// Is the keeper of a server that a sweep has started.
pub(crate) fn keep_server() -> Result<Exit, Problem> {
    keeper::keep(
        std::io::stdin(),
        std::io::stdout(),
        &own_program::launcher(),
    )
    .map_err(|error| Problem::failed("the server cannot be kept").because(&error))?;
    Ok(Exit::Done)
}
