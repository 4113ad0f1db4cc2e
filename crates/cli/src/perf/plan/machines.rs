//! Which machines send: this one, or workers of a Ray cluster.
//!
//! Starts none and looks for none.

use std::num::NonZeroUsize;

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
pub(super) fn check(args: &PerfArgs) -> Result<(), Problem> {
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
    Ok(())
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
