//! `crestline perf`: the dialect of `evalscope perf`.
//!
//! Reads flags, runs the plan, shows what comes of it and writes evalscope's files. Measures nothing itself.

pub(crate) mod args;
mod files;
pub(crate) mod plan;
mod problems;
mod session;

use crestline_experiment::run::run as run_plan;
use crestline_load::engine::Stop;

use crate::exit::Exit;
use crate::problem::Problem;
use crate::{moment, signals};
use args::PerfArgs;
use plan::Surroundings;
use session::Session;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &PerfArgs) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    measure(args, &stop)
}

/// The same, ended early by whoever holds `stop`.
pub(crate) fn measure(args: &PerfArgs, stop: &Stop) -> Result<Exit, Problem> {
    let translation = plan::translate(args, &surroundings())?;
    let mut session = Session::new(args, &translation);
    session.announce();
    let outcome = run_plan(&translation.plan, stop, &mut |event| session.see(event));
    session.close(outcome)
}

fn surroundings() -> Surroundings {
    Surroundings {
        api_key: std::env::var("OPENAI_API_KEY").ok(),
        timestamp: moment::folder_stamp(),
    }
}
