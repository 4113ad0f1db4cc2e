//! What a front end can do for a command that the program cannot do alone: start workers on other machines.
//!
//! Says what such a front end has to be, and joins its workers to the links that a distributed load runs over. Knows nothing
//! of Ray or Python.

mod crew;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use crew::Crew;

use crate::console;
use crate::perf::plan::Machines;
use crate::problem::Problem;

/// Who runs a command, as far as that makes a difference.
#[derive(Clone, Copy, Default)]
pub struct Front<'a> {
    /// Starts workers on other machines; the program alone has none.
    pub launcher: Option<&'a dyn Launcher>,
}

/// Starts workers on other machines.
pub trait Launcher: Sync {
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

impl std::fmt::Debug for Front<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let launcher = self.launcher.map(|_| "a launcher");
        out.debug_struct("Front")
            .field("launcher", &launcher)
            .finish()
    }
}

impl Front<'_> {
    /// Starts the workers that the flags ask for.
    pub(crate) fn launch(self, machines: &Machines) -> Result<Crew, Problem> {
        let title = "cannot start workers on the Ray cluster";
        let Some(launcher) = self.launcher else {
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
}
