//! `crestline perf`: the dialect of `evalscope perf`.

pub(crate) mod args;
pub(crate) mod files;
pub(crate) mod plan;

use crate::exit::Exit;
use crate::problem::Problem;
use args::PerfArgs;

pub(crate) fn run(args: PerfArgs) -> Result<Exit, Problem> {
    let t = plan::translate(&args, &plan::Surroundings::default())?;
    crate::console::say(&format!("{t:#?}"));
    Err(Problem::failed("wip"))
}
