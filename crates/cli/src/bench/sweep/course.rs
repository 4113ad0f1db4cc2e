//! What all kinds of sweeps have in common while they run: a server is started for a combination, work is done on it, runs are
//! made or found, failures are put down.
//!
//! Knows nothing of which loads are applied.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crestline_load::engine::Stop;
use serde_json::Value;

use super::bench_command::{self, Ran, Run};
use super::layout;
use super::overview;
use super::plan::{OnError, ServerCells, Sweep};
use super::results::{self, Found, Origin};
use super::served;
use super::server::{self, Host};
use super::shown;
use crate::console;
use crate::exit::Exit;
use crate::front_end::Seen;
use crate::problem::Problem;
use crate::report::{self, Page};
use crate::signals;

/// Why work ends early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The user asked to stop.
    Interrupted,
    /// Something failed.
    Failed(Kind, Problem),
}

/// What has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A server: nothing more can be run on it.
    Server,
    /// One benchmark.
    Benchmark,
    /// A file: nothing that follows would be kept.
    Result,
}

impl Kind {
    /// As files of failures say it.
    fn name(self) -> &'static str {
        match self {
            Self::Server => "ServerError",
            Self::Benchmark => "BenchmarkError",
            Self::Result => "ResultError",
        }
    }
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Failed(Kind::Result, problem)
    }
}

/// A sweep while it runs.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) sweep: &'a Sweep,
    pub(crate) stop: Stop,
    /// Locked as long as this program is at work in the experiment.
    _lock: File,
    /// What failed while the rest went on, one line each.
    failed: Vec<String>,
}

/// A benchmark with the parameters of its combination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) origin: Origin<'a>,
    /// Without where results go.
    pub(crate) command: &'a [String],
    /// Of its results.
    pub(crate) folder: &'a Path,
}

impl Task<'_> {
    /// The file of its result.
    pub(crate) fn file(&self) -> PathBuf {
        layout::run(self.folder, self.origin.number)
    }

    /// What an earlier command has left of it.
    pub(crate) fn find(&self) -> Result<Found, Problem> {
        results::find(&self.file(), &self.origin)
    }

    /// The command that makes it.
    pub(crate) fn command_of_run(&self, sweep: &Sweep) -> Vec<String> {
        let records = layout::records(&sweep.experiment, self.folder, self.origin.number);
        bench_command::command_of_run(self.command, &records)
    }

    /// It is to be made, and what is there is not to be used; says so.
    fn clear(&self, experiment: &Path) -> Result<(), Problem> {
        if let Found::Other(why) = self.find()? {
            let file = self.file();
            let aside = layout::replaced(experiment, self.folder);
            let aside = results::put_aside(&file, &aside)?;
            console::tell(&format!(
                "note: {} is not used, since {why}; it is now {}",
                file.display(),
                aside.display()
            ));
        }
        Ok(())
    }
}

impl<'a> Course<'a> {
    /// Makes the folder of the experiment, and listens to the user's wish to stop.
    pub(crate) fn begin(sweep: &'a Sweep) -> Result<Self, Problem> {
        sweep.tell_notes();
        // Where a command goes on, servers may all have been measured.
        let servers = sweep.servers.iter().filter(|_| !sweep.is_resumed);
        for server in servers {
            server::check_program(&server.command)?;
        }
        let stop = Stop::default();
        let asked = stop.clone();
        signals::on_interrupt(move || asked.ask())
            .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
        fs::create_dir_all(&sweep.experiment).map_err(|error| {
            Problem::usage(format!("{}: cannot be made", sweep.experiment.display()))
                .because(&error)
                .hint("choose another --output-dir")
        })?;
        console::show(|| Seen::Folder(sweep.experiment.clone()));
        Ok(Self {
            _lock: locked(&sweep.experiment)?,
            sweep,
            stop,
            failed: Vec::new(),
        })
    }

    /// Starts the server of a combination, does work on it, and ends it.
    pub(crate) fn on_server(
        &mut self,
        server: &ServerCells,
        work: &mut dyn FnMut(&mut Self, &mut Host) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        console::say(&shown::server_begins(server));
        served::write(&self.sweep.experiment, server)?;
        let done = self.with_host(server, work);
        let Err(Halt::Failed(Kind::Server, problem)) = done else {
            console::say("[END SERVER]");
            return done;
        };
        let file = layout::server_failure(&self.sweep.experiment, &server.parameters);
        let failure = results::failure(
            None,
            Kind::Server.name(),
            &problem,
            &server.parameters,
            None,
        );
        console::say("[FAILED SERVER COMBINATION]");
        put_down(&file, &failure, &problem)?;
        self.go_on(Kind::Server, problem, &file)
    }

    fn with_host(
        &mut self,
        server: &ServerCells,
        work: &mut dyn FnMut(&mut Self, &mut Host) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let mut host = Host::start(server, &self.sweep.server, &self.stop)?;
        let done = work(self, &mut host);
        let stopped = host.stop();
        done?;
        stopped?;
        let file = layout::server_failure(&self.sweep.experiment, &server.parameters);
        remove(&file)
    }

    /// Makes a run; `None` where it failed and the rest goes on.
    pub(crate) fn measure(
        &mut self,
        host: &mut Host,
        task: &Task<'_>,
    ) -> Result<Option<Value>, Halt> {
        let experiment = &self.sweep.experiment;
        task.clear(experiment)?;
        let number = task.origin.number;
        let records = layout::records(experiment, task.folder, number);
        if records.exists() {
            // Of a command that was broken off.
            results::put_aside(&records, records.parent().unwrap_or(experiment))?;
        }
        let command = task.command_of_run(self.sweep);
        console::say(&shown::run_begins(task, &command));
        let run = Run {
            command: &command,
            folder: &records,
            output: self.sweep.output,
        };
        let bench = &self.sweep.bench;
        let ran = host.during(&self.stop, |stop| bench.run(&run, stop));
        let ran = ran.and_then(|ran| ran.map_err(|problem| Halt::Failed(Kind::Benchmark, problem)));
        match ran {
            Ok(Ran::Interrupted) | Err(Halt::Interrupted) => Err(Halt::Interrupted),
            Ok(Ran::Measured(result)) => {
                let result = task.origin.stamp(result);
                results::write(&task.file(), &result)?;
                remove(&layout::run_failure(task.folder, number))?;
                console::tell(&overview::line(&result));
                host.reset(&self.stop)?;
                console::say("[END BENCHMARK]");
                Ok(Some(result))
            }
            Err(Halt::Failed(kind, problem)) => {
                self.run_failed(task, kind, problem)?;
                Ok(None)
            }
        }
    }

    /// Puts a failure down. One of a server is none of the run alone.
    pub(crate) fn run_failed(
        &mut self,
        task: &Task<'_>,
        kind: Kind,
        problem: Problem,
    ) -> Result<(), Halt> {
        let origin = &task.origin;
        let file = layout::run_failure(task.folder, origin.number);
        let failure = results::failure(
            Some(origin.number),
            kind.name(),
            &problem,
            origin.serve,
            Some(origin.bench),
        );
        console::say("[FAILED BENCHMARK]");
        put_down(&file, &failure, &problem)?;
        if kind == Kind::Server {
            return Err(Halt::Failed(kind, problem));
        }
        self.go_on(kind, problem, &file)
    }

    fn go_on(&mut self, kind: Kind, problem: Problem, file: &Path) -> Result<(), Halt> {
        if self.sweep.on_error == OnError::Stop || kind == Kind::Result {
            return Err(Halt::Failed(kind, problem));
        }
        console::tell(&problem.to_string());
        self.failed.push(file.display().to_string());
        Ok(())
    }

    /// Says how it ended.
    pub(crate) fn finish(self, done: Result<(), Halt>) -> Result<Exit, Problem> {
        page(&self.sweep.experiment, self.sweep.page);
        let experiment = self.sweep.experiment.display();
        let name = self.sweep.experiment.file_name().unwrap_or_default();
        let go_on = format!(
            "what was measured is in {experiment}; the same command with --resume {} goes on",
            name.display()
        );
        match done {
            Ok(()) if self.failed.is_empty() => {
                console::say(&format!("Experiment has been saved at: {experiment}"));
                Ok(Exit::Done)
            }
            Ok(()) => Err(
                Problem::failed(format!("{} of it failed", self.failed.len()))
                    .cause(self.failed.join("\n"))
                    .hint(go_on),
            ),
            Err(Halt::Interrupted) => {
                console::tell(&format!("interrupted: {go_on}"));
                Ok(Exit::Interrupted)
            }
            Err(Halt::Failed(_, problem)) => {
                console::tell(&format!("note: {go_on}"));
                Err(problem.after_a_load())
            }
        }
    }
}

/// Makes a page of what is there, where that is wanted. It can be made again from the same files, so that no experiment
/// fails for want of it.
pub(super) fn page(experiment: &Path, page: Page) {
    if page == Page::LeftOut {
        return;
    }
    let file = layout::page(experiment);
    match report::of_folder(experiment, &file) {
        Ok(_) => console::say(&format!("A page with figures is {}", file.display())),
        Err(problem) => console::tell(&format!("note: there is no page: {problem}")),
    }
}

/// Two programs at work in one experiment would make the same runs.
pub(super) fn locked(experiment: &Path) -> Result<File, Problem> {
    let path = layout::lock(experiment);
    let failed = |error: &io::Error| {
        Problem::usage(format!("{}: cannot be locked", path.display())).because(error)
    };
    let open = || -> io::Result<File> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        File::options().create(true).append(true).open(&path)
    };
    let file = open().map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Problem::usage(format!(
            "another program is at work in {}",
            experiment.display()
        ))
        .hint("wait for its end, or give this one another --experiment-name")),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

/// Writes a failure; where that cannot be, both are told.
fn put_down(file: &Path, failure: &Value, problem: &Problem) -> Result<(), Problem> {
    results::write(file, failure).inspect_err(|_| console::tell(&problem.to_string()))
}

/// Removes the record of a failure that is none any more.
pub(crate) fn remove(file: &Path) -> Result<(), Halt> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let problem = Problem::failed(format!("{}: cannot be removed", file.display()));
            Err(problem.because(&error).into())
        }
        _ => Ok(()),
    }
}
