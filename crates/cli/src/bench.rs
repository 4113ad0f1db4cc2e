//! `crestline bench`: the dialect of `vllm bench`.
//!
//! Reads flags, runs the plan, shows what comes of it and writes vLLM's files. Measures nothing itself.

pub(crate) mod args;
mod beside;
mod closing;
pub(crate) mod dotted;
#[cfg(test)]
mod golden;
mod measure;
mod place;
mod plan;
mod probes;
mod profile;
mod result_json;
mod run_figures;
mod runs;
mod serve;
mod table;

use crate::exit::Exit;
use crate::problem::Problem;
use args::{BenchArgs, BenchCommand};

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &BenchArgs) -> Result<Exit, Problem> {
    match &args.command {
        BenchCommand::Serve(args) => serve::run(args),
    }
}
