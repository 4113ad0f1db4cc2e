//! `crestline bench sweep`: servers started, parameters varied.
//!
//! `args` → `plan` → what is run. Folders, names and files are those of `vllm bench sweep`.

pub(crate) mod args;
mod layout;
mod overrides;
mod params;
mod plan;
mod python;
mod virtual_server;

use self::args::{SweepArgs, SweepCommand};
use crate::console;
use crate::exit::Exit;
use crate::problem::Problem;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &SweepArgs) -> Result<Exit, Problem> {
    match &args.command {
        SweepCommand::Serve(args) => {
            let sweep = plan::translate(args)?;
            console::say(&plan::shown(&sweep));
            Ok(Exit::Done)
        }
    }
}
