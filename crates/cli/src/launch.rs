//! Workers on other machines, which the program cannot start alone: a front end does it.
//!
//! Says what such a front end has to give, and joins its workers to the links that a distributed load runs over. Knows nothing
//! of Ray or Python.

mod crew;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use crew::Crew;

use crate::console;
use crate::perf::plan::Machines;
use crate::problem::Problem;

/// Starts workers on other machines.
pub trait Launcher: Send + Sync {
    /// Starts this many workers over the cluster at an address, or one on each of its nodes.
    fn launch(
        &self,
        address: &str,
        workers: Option<NonZeroUsize>,
    ) -> Result<Vec<Arc<dyn Remote>>, LaunchError>;
}

/// A worker on another machine. Frames go both ways at once: one thread sends while another receives.
pub trait Remote: Send + Sync {
    /// What the user knows the machine by.
    fn name(&self) -> String;

    /// Hands frames over, or says in one line why the worker is gone.
    fn send(&self, frames: Vec<Vec<u8>>) -> Result<(), String>;

    /// Waits for at least one frame and gives all that there are; none when the time is over.
    fn receive(&self, wait: Duration) -> Result<Vec<Vec<u8>>, String>;

    /// Ends the worker; a `receive` that waits comes back.
    fn close(&self);
}

/// Why no workers were started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct LaunchError {
    /// A fragment without a final stop.
    pub cause: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

/// Starts the workers that the flags ask for, and says which.
pub(crate) fn crew(machines: &Machines, launcher: Option<&dyn Launcher>) -> Result<Crew, Problem> {
    let title = "cannot start workers on the Ray cluster";
    let Some(launcher) = launcher else {
        return Err(Problem::usage(title).cause("this program has nobody to start them"));
    };
    let remotes = launcher
        .launch(&machines.address, machines.workers)
        .map_err(|error| Problem::usage(title).because(&error).maybe_hint(error.hint))?;
    let names: Vec<String> = remotes.iter().map(|remote| remote.name()).collect();
    console::tell(&format!(
        "load from {} worker{}: {}",
        names.len(),
        if names.len() == 1 { "" } else { "s" },
        names.join(", ")
    ));
    Ok(Crew::of(remotes))
}
