//! Which machines send: this one, or workers of a Ray cluster.
//!
//! Starts none and looks for none.

use std::num::NonZeroUsize;

use crestline_experiment::plan::Plan;
use crestline_workload::plan::Dataset;

use crate::perf::args::PerfArgs;
use crate::problem::Problem;
use crate::values;

/// Workers of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machines {
    /// `auto`, `HOST:PORT` or `ray://HOST:PORT`.
    pub(crate) address: String,
    /// How many; one on each node where it is not said.
    pub(crate) workers: Option<NonZeroUsize>,
}

/// Refuses what several machines cannot do.
pub(super) fn check(args: &PerfArgs, plan: &Plan) -> Result<(), Problem> {
    let flags = &args.machines;
    if flags.ray.is_none() && flags.workers.is_some() {
        return Err(Problem::usage("--workers needs --ray").hint(
            "give --ray auto, or the HOST:PORT of a cluster; --threads is for the threads of this machine",
        ));
    }
    if flags
        .ray
        .as_deref()
        .is_some_and(|address| address.trim().is_empty())
    {
        return Err(
            Problem::usage("--ray is empty").hint("give auto, or the HOST:PORT of a cluster")
        );
    }
    if flags.ray.is_some() && args.connection.url.starts_with("sim:") {
        return Err(Problem::usage("--ray has no effect in virtual time")
            .cause("sim: is measured on this machine, without a connection")
            .hint("leave out --ray, or start `crestline sim` and give its --url"));
    }
    if let Some(workers) = flags.workers {
        values::positive("--workers", workers)?;
    }
    check_code(args, plan)
}

/// Refuses a plan whose code other machines do not have.
fn check_code(args: &PerfArgs, plan: &Plan) -> Result<(), Problem> {
    let is_own = matches!(plan.workload.dataset, Dataset::Own(_)) || plan.own_api.is_some();
    if args.machines.ray.is_none() || !is_own {
        return Ok(());
    }
    Err(
        Problem::usage("data sets and APIs that are code are not sent to other machines")
            .cause("the code is in this process, and --ray sends from others")
            .hint("leave out --ray, or write the items to a file: --dataset line_by_line takes whole bodies"),
    )
}

impl Machines {
    /// What the flags ask for, once they are checked; `None` is this machine.
    pub(crate) fn of(args: &PerfArgs) -> Option<Self> {
        let flags = &args.machines;
        let workers = flags
            .workers
            .and_then(|workers| usize::try_from(workers).ok());
        Some(Self {
            address: flags.ray.as_ref()?.trim().to_owned(),
            workers: workers.and_then(NonZeroUsize::new),
        })
    }
}
