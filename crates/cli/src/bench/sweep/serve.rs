//! `crestline bench sweep serve`: each benchmark on each server, several times.

use std::collections::HashMap;

use serde_json::Value;

use super::args::SweepServeArgs;
use super::bench_command::with_seed;
use super::course::{Course, Halt, Task};
use super::fingerprint::Fingerprint;
use super::layout;
use super::overrides;
use super::overview::{self, CellRuns};
use super::params::Combination;
use super::plan::{self, Cell, ServerCells, Sweep};
use super::results::{self, Found, Origin};
use super::server::Host;
use super::shown;
use crate::console;
use crate::exit::Exit;
use crate::problem::Problem;

/// The number of a warm-up.
const WARM_UP: i64 = -1;

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &SweepServeArgs) -> Result<Exit, Problem> {
    let sweep = plan::translate(args)?;
    let all = Jobs::of(&sweep);
    if args.runs.dry_run {
        sweep.tell_notes();
        console::say(&all.shown(&sweep));
        return Ok(Exit::Done);
    }
    let mut course = Course::begin(&sweep)?;
    let done = all
        .servers
        .iter()
        .try_for_each(|jobs| jobs.run(&mut course));
    let written = all.write(&sweep);
    let exit = course.finish(done);
    written?;
    exit
}

/// All runs of a sweep, in order.
struct Jobs<'a> {
    servers: Vec<ServerJobs<'a>>,
}

/// What is run on one server.
struct ServerJobs<'a> {
    server: &'a ServerCells,
    cells: Vec<CellJobs<'a>>,
}

/// The runs of one combination.
pub(super) struct CellJobs<'a> {
    serve: &'a Combination,
    cell: &'a Cell,
    fingerprint: Fingerprint,
    warm_up: Option<Job>,
    runs: Vec<Job>,
}

/// One of them.
struct Job {
    number: i64,
    command: Vec<String>,
}

impl<'a> Jobs<'a> {
    fn of(sweep: &'a Sweep) -> Self {
        // The same benchmark is run on each server.
        let mut seeds = HashMap::new();
        let mut servers = Vec::new();
        for server in &sweep.servers {
            let cells = server.cells.iter().map(|cell| {
                let seed = seeds.entry(&cell.command);
                let seed = *seed.or_insert_with(|| sweep.bench.seed(&cell.command));
                CellJobs::seeded(sweep, server, cell, seed)
            });
            servers.push(ServerJobs {
                server,
                cells: cells.collect(),
            });
        }
        Self { servers }
    }

    /// Writes and shows what is there of all runs, whichever command made them.
    fn write(&self, sweep: &Sweep) -> Result<(), Problem> {
        let mut cells = Vec::new();
        for cell in self.servers.iter().flat_map(|jobs| &jobs.cells) {
            let runs = cell.found()?;
            if !runs.is_empty() {
                cells.push(CellRuns {
                    serve: cell.serve.name(),
                    bench: cell.cell.parameters.name(),
                    runs,
                });
            }
        }
        write(sweep, &cells)
    }

    /// All commands and files.
    fn shown(&self, sweep: &Sweep) -> String {
        let mut lines = Vec::new();
        for jobs in &self.servers {
            lines.push(shown::server_begins(jobs.server));
            for cell in &jobs.cells {
                lines.extend(cell.shown(sweep));
            }
            lines.push("[END SERVER]".to_owned());
        }
        lines.join("\n")
    }
}

/// Writes and shows all runs of an experiment.
pub(super) fn write(sweep: &Sweep, cells: &[CellRuns]) -> Result<(), Problem> {
    if cells.is_empty() {
        return Ok(());
    }
    console::say(&overview::table(cells));
    let rows: Vec<Value> = cells.iter().flat_map(|cell| cell.runs.clone()).collect();
    results::write_table(&layout::table(&sweep.experiment), &rows)
}

impl ServerJobs<'_> {
    /// Makes what is missing, on a server that is started only where something is.
    fn run(&self, course: &mut Course<'_>) -> Result<(), Halt> {
        let mut missing = Vec::new();
        for cell in &self.cells {
            if cell.is_complete()? {
                cell.tell_found(course.sweep)?;
            } else {
                missing.push(cell);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        course.on_server(self.server, &mut |course, host| {
            missing.iter().try_for_each(|cell| cell.run(course, host))
        })
    }
}

impl<'a> CellJobs<'a> {
    pub(super) fn of(sweep: &Sweep, server: &'a ServerCells, cell: &'a Cell) -> Self {
        Self::seeded(sweep, server, cell, sweep.bench.seed(&cell.command))
    }

    fn seeded(sweep: &Sweep, server: &'a ServerCells, cell: &'a Cell, seed: Option<u64>) -> Self {
        let runs = i64::from(sweep.runs);
        let job = |number| Job {
            number,
            command: with_seed(&cell.command, seed, number),
        };
        let warm_up = sweep.warmup_prompts.map(|prompts| {
            let prompts = Combination(
                [("num_prompts".to_owned(), prompts.into())]
                    .into_iter()
                    .collect(),
            );
            Job {
                // With prompts that none of the runs has.
                command: overrides::applied(&job(runs).command, &prompts, &[]),
                number: WARM_UP,
            }
        });
        Self {
            serve: &server.parameters,
            cell,
            fingerprint: Fingerprint::of(&server.command, &cell.command, sweep.bench.client),
            warm_up,
            runs: (0..runs).map(job).collect(),
        }
    }

    fn task<'b>(&'b self, job: &'b Job) -> Task<'b> {
        Task {
            origin: Origin {
                number: job.number,
                serve: self.serve,
                bench: &self.cell.parameters,
                fingerprint: &self.fingerprint,
            },
            command: &job.command,
            folder: &self.cell.folder,
        }
    }

    /// All commands and files.
    pub(super) fn shown(&self, sweep: &Sweep) -> Vec<String> {
        let mut lines = Vec::new();
        for job in self.warm_up.iter().chain(&self.runs) {
            let task = self.task(job);
            lines.push(shown::run_begins(&task, &task.command_of_run(sweep)));
            lines.push("[END BENCHMARK]".to_owned());
        }
        lines
    }

    pub(super) fn is_complete(&self) -> Result<bool, Problem> {
        Ok(self.found()?.len() == self.runs.len())
    }

    /// Its runs that are there.
    pub(super) fn found(&self) -> Result<Vec<Value>, Problem> {
        let mut rows = Vec::new();
        for job in &self.runs {
            if let Found::Done(row) = self.task(job).find()? {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Says that nothing of it is missing.
    pub(super) fn tell_found(&self, sweep: &Sweep) -> Result<(), Problem> {
        for job in &self.runs {
            let task = self.task(job);
            console::say(&shown::run_found(&task, &task.command_of_run(sweep)));
        }
        self.sum_up()
    }

    /// Makes what is missing, and puts all runs together.
    pub(super) fn run(&self, course: &mut Course<'_>, host: &mut Host) -> Result<(), Halt> {
        let done = self.make(course, host);
        self.sum_up()?;
        done
    }

    fn make(&self, course: &mut Course<'_>, host: &mut Host) -> Result<(), Halt> {
        if let Some(job) = &self.warm_up {
            course.measure(host, &self.task(job))?;
        }
        for job in &self.runs {
            let task = self.task(job);
            if let Found::Done(_) = task.find()? {
                console::say(&shown::run_found(&task, &task.command_of_run(course.sweep)));
            } else {
                course.measure(host, &task)?;
            }
        }
        Ok(())
    }

    fn sum_up(&self) -> Result<(), Problem> {
        let rows = self.found()?;
        if rows.is_empty() {
            return Ok(());
        }
        results::write(&layout::summary(&self.cell.folder), &Value::Array(rows))
    }
}
