//! A server under test as a process of its own: started, waited for until it is healthy, stopped until nothing of it is left.
//!
//! It is not started here but by its [keeper], a small process that ends it with all its children when this program ends,
//! however that happens. Knows no flags of any server: which command, which address and which page are told.

mod family;
pub mod keeper;
mod kept;
mod launch;
mod port;
mod processes;
mod tail;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::Target;

use keeper::{Ending, Task};
pub use kept::{KeeperCommand, Kept, StartError};
pub use port::Address;

/// Between two looks at a server that is not ready yet.
const LOOK: Duration = Duration::from_millis(100);
/// Longest time for one answer of its health page.
const HEALTH_PATIENCE: Nanos = Nanos::from_secs(5);
/// How long a port may stay taken after its server has gone.
const PORT_PATIENCE: Nanos = Nanos::from_secs(10);
/// Lines of the log that an error shows.
const TAIL: usize = 20;

/// A server that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlan {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables in addition to this program's own.
    pub environment: Vec<(String, String)>,
    /// Where it will listen.
    pub address: Address,
    /// The page that answers 200 when it is ready.
    pub health: String,
    /// Longest time until it is ready.
    pub ready_within: Nanos,
    /// Time between the request to end and the end by force.
    pub grace: Nanos,
    /// File that all that it prints is appended to; its folder is made.
    pub log: PathBuf,
    /// File that is locked while it lives: of the servers with the same, also those of other runs of this program, only one
    /// lives at a time.
    pub lock: PathBuf,
}

/// Why there is no server, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It does not run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no place for its log.
    #[error("{}: cannot be written", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its health page cannot be asked for.
    #[error("the server's health cannot be asked for")]
    Health(#[source] AsideError),
    /// It ended by itself.
    #[error("the server ended {ending}{}", shown(tail))]
    Ended {
        /// How.
        ending: Ending,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// It never answered as it should.
    #[error("the server was not ready within {within}: {why}{}", shown(tail))]
    NotReady {
        /// The limit.
        within: Nanos,
        /// What its health page said last.
        why: String,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// Someone asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The server has gone, and its port is still taken.
    #[error("{0} is still taken after the server has ended")]
    PortHeld(Address),
}

fn shown(tail: &[String]) -> String {
    if tail.is_empty() {
        return String::new();
    }
    format!("; it last printed:\n    {}", tail.join("\n    "))
}

/// A server that runs. Dropped, it is ended.
#[derive(Debug)]
pub struct Server {
    plan: ServerPlan,
    process: Kept,
    started: Nanos,
    /// Where in the log its own lines begin.
    log_from: u64,
}

impl Server {
    /// Starts it, where nobody has its port. `stop` is looked at from here on in all that waits.
    pub fn start(
        plan: ServerPlan,
        keeper: &KeeperCommand,
        stop: &Stop,
    ) -> Result<Self, ServerError> {
        let log_from = begin_log(&plan.log).map_err(|source| ServerError::Log {
            path: plan.log.clone(),
            source,
        })?;
        let task = Task {
            command: plan.command.clone(),
            environment: plan.environment.clone(),
            log: plan.log.clone(),
            grace: plan.grace,
            lock: Some(plan.lock.clone()),
            free: Some(plan.address.clone()),
        };
        let process = Kept::start(&task, keeper, stop).map_err(|error| match error {
            StartError::Interrupted => ServerError::Interrupted,
            other => other.into(),
        })?;
        Ok(Self {
            plan,
            process,
            started: clock::monotonic(),
            log_from,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until it is healthy, and tells how long that took from its start.
    pub fn ready(&mut self, target: &Target, stop: &Stop) -> Result<Nanos, ServerError> {
        let mut aside = None;
        loop {
            self.alive()?;
            let aside = match &mut aside {
                Some(aside) => aside,
                none => none.insert(asker(target)?),
            };
            let process = &mut self.process;
            let goes_on = || process.ending().is_none() && !stop.is_asked();
            let answer = aside.get_while(&self.plan.health, goes_on);
            let taken = clock::monotonic().saturating_sub(self.started);
            let Err(why) = answer else {
                // Whoever answers, it is not a server that has ended.
                return self.alive().map(|()| taken);
            };
            self.alive()?;
            if stop.is_asked() {
                return Err(ServerError::Interrupted);
            }
            if taken > self.plan.ready_within {
                return Err(ServerError::NotReady {
                    within: self.plan.ready_within,
                    why: why.to_string(),
                    tail: self.tail(),
                });
            }
            clock::sleep(LOOK);
        }
    }

    /// An error where it has ended by itself.
    pub fn alive(&mut self) -> Result<(), ServerError> {
        match self.process.ending() {
            None => Ok(()),
            Some(ending) => Err(ServerError::Ended {
                ending,
                tail: self.tail(),
            }),
        }
    }

    /// The last lines that it printed.
    pub fn tail(&self) -> Vec<String> {
        tail::lines(&self.plan.log, self.log_from, TAIL)
    }

    /// Where all that it prints goes, and how long the file was when it started.
    pub fn log(&self) -> (&Path, u64) {
        (&self.plan.log, self.log_from)
    }

    /// Ends it, and waits until none of its processes is left and its port is free. Where someone has asked to stop, its
    /// processes have less time, and the port is not waited for.
    pub fn stop(self, stop: &Stop) -> Result<(), ServerError> {
        self.process.end(stop);
        let began = clock::monotonic();
        while !stop.is_asked() && self.plan.address.is_taken() {
            if clock::monotonic().saturating_sub(began) > PORT_PATIENCE {
                return Err(ServerError::PortHeld(self.plan.address));
            }
            clock::sleep(LOOK);
        }
        Ok(())
    }
}

/// The length of the log after a line that says when this start was.
fn begin_log(path: &Path) -> io::Result<u64> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut log = File::options().create(true).append(true).open(path)?;
    let now = jiff::Timestamp::from_nanosecond(clock::wall().0.into()).unwrap_or_default();
    writeln!(log, "--- crestline: started at {now:.0} ---")?;
    Ok(log.metadata()?.len())
}

fn asker(target: &Target) -> Result<Aside, ServerError> {
    Aside::new(target, HEALTH_PATIENCE, &[], |_| None).map_err(ServerError::Health)
}
