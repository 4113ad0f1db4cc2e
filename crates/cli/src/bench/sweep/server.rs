//! Servers of a sweep: from a command and its combination to a process that answers.
//!
//! What a command says of its server is read by [`super::server_command`]; how a process is kept is for the experiment crate.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_experiment::server::keeper::Ending;
use crestline_experiment::server::{Server, ServerError, ServerPlan, StartError};
use crestline_load::aside::Aside;
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::Target;

use super::args::CommandArgs;
use super::bench_command::Output;
use super::course::{Halt, Kind};
use super::follow::Follower;
use super::kept;
use super::layout;
use super::plan::ServerCells;
use super::program;
use super::reset::Reset;
use super::server_command::Site;
use crate::console;
use crate::own_program;
use crate::problem::Problem;
use crate::values;

/// Between two looks at a server while it is measured.
const LOOK: Duration = Duration::from_millis(50);
/// How long the end of a server that does not answer after a run may take to be known.
const NEWS_PATIENCE: Nanos = Nanos::from_secs(2);
/// What `--after-bench-cmd` printed, beside the logs of servers.
const RESET_LOG: &str = "after-bench.log";

/// How the servers of a sweep are started, waited for, made to forget and stopped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerSettings {
    address: Option<String>,
    health: String,
    ready_within: Nanos,
    grace: Nanos,
    after_bench: Option<String>,
    output: Output,
}

impl ServerSettings {
    pub(crate) fn of(args: &CommandArgs) -> Result<Self, Problem> {
        let health = &args.server_health_path;
        if !health.starts_with('/') {
            return Err(
                Problem::usage(format!("--server-health-path {health} is no path"))
                    .hint("write it with a slash in front, as in /health"),
            );
        }
        Ok(Self {
            address: args.server_address.clone(),
            health: health.clone(),
            ready_within: values::span("--server-ready-timeout", args.server_ready_timeout)?,
            grace: values::pause("--server-stop-timeout", args.server_stop_timeout)?,
            after_bench: args.after_bench_cmd.clone(),
            output: args.output(),
        })
    }

    /// Refuses what can be refused of a server command wherever it is to be run.
    pub(crate) fn check(&self, command: &[String]) -> Result<(), Problem> {
        self.site(command)?;
        let reset = self.reset(command).map(drop);
        // A name that is mistyped is no server whose caches nobody knows.
        reset.map_err(|problem| check_program(command).err().unwrap_or(problem))
    }

    /// The port at which a command's server listens.
    pub(crate) fn port(&self, command: &[String]) -> Option<u16> {
        self.site(command).ok().map(|site| site.address.port)
    }

    fn site(&self, command: &[String]) -> Result<Site, Problem> {
        Site::of(command, self.address.as_deref())
    }

    fn reset(&self, command: &[String]) -> Result<Reset, Problem> {
        Reset::of(command, self.after_bench.as_deref())
    }
}

/// Refuses a server command whose program is not on this machine.
pub(crate) fn check_program(command: &[String]) -> Result<(), Problem> {
    let program = &command[0];
    if program == "crestline" || program::find(program).is_some() {
        return Ok(());
    }
    let problem = Problem::usage(format!("--serve-cmd: there is no program {program}"));
    Err(if program.contains('=') {
        problem.hint(format!("no shell runs it; write `env {program} …`"))
    } else {
        problem.hint("check its name and PATH; no shell runs it")
    })
}

/// What stands for a combination while it is measured.
#[derive(Debug)]
pub(crate) enum Host {
    /// A server that is up.
    Process(Box<Process>),
    /// Virtual time: each benchmark has an engine of its own, and nothing is up.
    Simulated,
}

impl Host {
    /// Starts the server of a combination and waits until it is ready.
    pub(crate) fn start(
        cells: &ServerCells,
        settings: &ServerSettings,
        stop: &Stop,
    ) -> Result<Self, Halt> {
        if let Some(simulated) = &cells.simulated {
            simulated.put_down()?;
            return Ok(Self::Simulated);
        }
        let process = Process::start(cells, settings, stop)?;
        Ok(Self::Process(Box::new(process)))
    }

    /// Does something that ends early when the server does, or when the user asks to stop.
    pub(crate) fn during<T: Send>(
        &mut self,
        stop: &Stop,
        work: impl FnOnce(&Stop) -> T,
    ) -> Result<T, Halt> {
        match self {
            Self::Process(process) => process.during(stop, work),
            Self::Simulated => Ok(work(stop)),
        }
    }

    /// Makes it forget the prompts of the run before.
    pub(crate) fn reset(&mut self, stop: &Stop) -> Result<(), Halt> {
        match self {
            Self::Process(process) => process.reset(stop),
            Self::Simulated => Ok(()),
        }
    }

    /// Ends it and waits until nothing of it is left.
    pub(crate) fn stop(self) -> Result<(), Halt> {
        match self {
            Self::Process(process) => process.stop(),
            Self::Simulated => Ok(()),
        }
    }
}

/// A process that serves.
#[derive(Debug)]
pub(crate) struct Process {
    server: Server,
    target: Target,
    reset: Reset,
    reset_log: PathBuf,
    stop: Stop,
    health: String,
    /// Shows what it prints.
    _shown: Option<Follower>,
}

impl Process {
    /// Starts the server of a combination and waits until it is ready.
    fn start(cells: &ServerCells, settings: &ServerSettings, stop: &Stop) -> Result<Self, Halt> {
        let failed = |problem| Halt::Failed(Kind::Server, problem);
        let Site { address, target } = settings.site(&cells.command).map_err(failed)?;
        let reset = settings.reset(&cells.command).map_err(failed)?;
        let plan = ServerPlan {
            command: kept::resolved(&cells.command),
            environment: vec![("VLLM_SERVER_DEV_MODE".to_owned(), "1".to_owned())],
            address,
            health: settings.health.clone(),
            ready_within: settings.ready_within,
            grace: settings.grace,
            log: cells.log.clone(),
            lock: layout::server_lock(&cells.log),
        };
        let mut server = Server::start(plan, &own_program::keeper(), stop)
            .map_err(|error| halt(&error, &target))?;
        console::say(&format!("Server log: {}", cells.log.display()));
        let shown = (settings.output == Output::Shown).then(|| {
            let (log, from) = server.log();
            let target = target.clone();
            Follower::start(log.to_owned(), from, move |line| {
                format!("(server) {}", target.redacted(line))
            })
        });
        let ready = server.ready(&target, stop);
        let ready = ready
            .map_err(|error| halt(&error, &target))
            .and_then(|after| {
                let tried = reset.try_out(&target, stop).map_err(failed);
                tried.map(|()| after)
            });
        match ready {
            Ok(after) => {
                console::say(&format!("Server ready after: {:.2} s", after.as_secs_f64()));
                Ok(Self {
                    reset_log: cells.log.with_file_name(RESET_LOG),
                    server,
                    target,
                    reset,
                    stop: stop.clone(),
                    health: settings.health.clone(),
                    _shown: shown,
                })
            }
            Err(halt) => {
                // Why it is not ready is the news; that its port is held besides would be its consequence.
                drop(server.stop(stop));
                Err(halt)
            }
        }
    }

    /// Does something that ends early when the server does, or when the user asks to stop.
    fn during<T: Send>(&mut self, stop: &Stop, work: impl FnOnce(&Stop) -> T) -> Result<T, Halt> {
        let own = Stop::default();
        let is_done = AtomicBool::new(false);
        let server = &mut self.server;
        let watch = || loop {
            if is_done.load(Ordering::Relaxed) {
                return Ok(());
            }
            if stop.is_urgent() && !own.is_urgent() || stop.is_asked() && !own.is_asked() {
                own.ask();
            }
            if let Err(error) = server.alive() {
                own.ask();
                own.ask();
                return Err(error);
            }
            clock::sleep(LOOK);
        };
        let (done, seen) = thread::scope(|scope| {
            let watcher = scope.spawn(watch);
            let done = work(&own);
            is_done.store(true, Ordering::Relaxed);
            (done, watcher.join().expect("looking does not panic"))
        });
        seen.map_err(|error| halt(&error, &self.target))?;
        self.check_alive()?;
        Ok(done)
    }

    /// Requests to a server that has just ended fail at once, and a run may be over before its end is known: a server that
    /// does not answer is waited for, to end or to be busy.
    fn check_alive(&mut self) -> Result<(), Halt> {
        let began = clock::monotonic();
        loop {
            if let Err(error) = self.server.alive() {
                return Err(halt(&error, &self.target));
            }
            let (server, stop) = (&mut self.server, &self.stop);
            let goes_on = || server.alive().is_ok() && !stop.is_asked();
            let pages = Aside::new(&self.target, self.target.total_timeout, &[], |_| None);
            let answer = pages.and_then(|mut pages| pages.get_while(&self.health, goes_on));
            let is_well = answer.is_ok();
            let is_late = clock::monotonic().saturating_sub(began) > NEWS_PATIENCE;
            if is_well || is_late || self.stop.is_asked() {
                return Ok(());
            }
            clock::sleep(LOOK);
        }
    }

    /// Makes it forget the prompts of the run before.
    fn reset(&mut self, stop: &Stop) -> Result<(), Halt> {
        let done = self.reset.run(&self.target, &self.reset_log, stop);
        done.map_err(|problem| {
            let ended = self.server.alive().err();
            ended.map_or(Halt::Failed(Kind::Server, problem), |error| {
                halt(&error, &self.target)
            })
        })
    }

    /// Ends it and waits until nothing of it is left.
    fn stop(self) -> Result<(), Halt> {
        let target = self.target;
        self.server
            .stop(&self.stop)
            .map_err(|error| halt(&error, &target))
    }
}

/// A failure as it is shown; servers may print the keys that they are started with.
fn halt(error: &ServerError, target: &Target) -> Halt {
    let hint = match error {
        ServerError::Interrupted => return Halt::Interrupted,
        ServerError::Start(StartError::PortTaken(_)) => {
            Some("stop what has the port, or give the server another one")
        }
        ServerError::Start(StartError::Locked(_)) => {
            Some("wait for the end of the server of an earlier sweep, which the file is locked for")
        }
        ServerError::NotReady { .. } => Some(
            "--server-address and --server-health-path say where it is asked, --server-ready-timeout how long",
        ),
        ServerError::Ended {
            ending: Ending::Code(0),
            ..
        } => Some("if it goes on in the background, start it so that it does not"),
        ServerError::PortHeld(_) => Some(
            "something outlives the server's command, such as a container; a longer --server-stop-timeout may help",
        ),
        _ => None,
    };
    let text = target.redacted(&error.to_string());
    let problem = Problem::failed("the server failed").cause(text);
    Halt::Failed(Kind::Server, problem.maybe_hint(hint.map(str::to_owned)))
}
