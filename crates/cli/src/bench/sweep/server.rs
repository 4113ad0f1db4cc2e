//! Servers of a sweep: from a command and its combination to a process that answers.
//!
//! Knows which flags say where a server listens; how a process is kept is for the experiment crate.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_experiment::server::{Address, KeeperCommand, Server, ServerError, ServerPlan};
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::{Certificates, Target};

use super::args::CommandArgs;
use super::course::{Halt, Kind};
use super::plan::ServerCells;
use crate::problem::Problem;
use crate::values;

/// Between two looks at a server while it is measured.
const LOOK: Duration = Duration::from_millis(50);

/// How the servers of a sweep are started and waited for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerSettings {
    health: String,
    ready_within: Nanos,
    grace: Nanos,
}

impl ServerSettings {
    pub(crate) fn of(args: &CommandArgs) -> Result<Self, Problem> {
        Ok(Self {
            health: args.server_health_path.clone(),
            ready_within: values::span("--server-ready-timeout", args.server_ready_timeout)?,
            grace: values::pause("--server-stop-timeout", args.server_stop_timeout)?,
        })
    }
}

/// A server that is up.
#[derive(Debug)]
pub(crate) struct Host {
    /// None in virtual time, where each benchmark has an engine of its own.
    server: Option<Server>,
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
            return Ok(Self { server: None });
        }
        let address = Address {
            host: value(&cells.command, &["--host"]).unwrap_or_else(|| "localhost".to_owned()),
            port: value(&cells.command, &["--port", "-p"])
                .and_then(|port| port.parse().ok())
                .unwrap_or(8000),
        };
        let target = Target {
            url: format!("http://{address}/"),
            headers: Vec::new(),
            api_key: None,
            connect_timeout: Some(Nanos::from_secs(5)),
            read_timeout: Some(Nanos::from_secs(5)),
            total_timeout: Nanos::from_secs(10),
            certificates: Certificates::Checked,
        };
        if let Some(folder) = cells.log.parent() {
            fs::create_dir_all(folder).map_err(|error| {
                Problem::failed(format!("{}: cannot be made", folder.display())).because(&error)
            })?;
        }
        let program = env::current_exe().map_err(|error| {
            Halt::Failed(
                Kind::Server,
                Problem::failed("this program cannot be found").because(&error),
            )
        })?;
        let mut command = cells.command.clone();
        if command[0] == "crestline" {
            command[0] = program.display().to_string();
        }
        let plan = ServerPlan {
            command,
            environment: vec![("VLLM_SERVER_DEV_MODE".to_owned(), "1".to_owned())],
            address,
            health: settings.health.clone(),
            ready_within: settings.ready_within,
            grace: settings.grace,
            log: cells.log.clone(),
        };
        let keeper = KeeperCommand {
            program,
            arguments: vec!["keep-server".to_owned()],
        };
        let mut server = Server::start(plan, &keeper).map_err(|error| halt(&error))?;
        server.ready(&target, stop).map_err(|error| halt(&error))?;
        Ok(Self {
            server: Some(server),
        })
    }

    /// Does something that ends early when the server does, or when the user asks to stop.
    pub(crate) fn during<T: Send>(
        &mut self,
        stop: &Stop,
        work: impl FnOnce(&Stop) -> T,
    ) -> Result<T, Halt> {
        let own = Stop::default();
        let is_done = AtomicBool::new(false);
        let Some(server) = &mut self.server else {
            return Ok(work(stop));
        };
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
        thread::scope(|scope| {
            let watcher = scope.spawn(watch);
            let done = work(&own);
            is_done.store(true, Ordering::Relaxed);
            let seen = watcher.join().expect("looking does not panic");
            seen.map_err(|error| halt(&error))?;
            Ok(done)
        })
    }

    /// Makes it forget the prompts of the run before.
    pub(crate) fn reset(&mut self, _stop: &Stop) -> Result<(), Halt> {
        Ok(())
    }

    /// Ends it and waits until nothing of it is left.
    pub(crate) fn stop(self) -> Result<(), Halt> {
        match self.server {
            Some(server) => server.stop().map_err(|error| halt(&error)),
            None => Ok(()),
        }
    }
}

fn halt(error: &ServerError) -> Halt {
    match error {
        ServerError::Interrupted => Halt::Interrupted,
        error => Halt::Failed(
            Kind::Server,
            Problem::failed("the server failed").because(error),
        ),
    }
}

fn value(command: &[String], flags: &[&str]) -> Option<String> {
    let at = command
        .iter()
        .rposition(|word| flags.contains(&word.as_str()))?;
    command.get(at + 1).cloned()
}
