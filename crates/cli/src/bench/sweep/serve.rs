//! `crestline bench sweep serve`: each benchmark on each server, several times.

use serde_json::Value;

use super::args::SweepServeArgs;
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
        console::say(&all.shown(&sweep));
        return Ok(Exit::Done);
    }
    let mut course = Course::begin(&sweep)?;
    let mut table = Table::default();
    let done = all
        .servers
        .iter()
        .try_for_each(|jobs| jobs.run(&mut course, &mut table));
    let written = table.write(&sweep);
    if !table.rows.is_empty() {
        console::say(&overview::table(&table.cells));
    }
    let exit = course.finish(done);
    written?;
    exit
}

/// The rows of all runs that are there.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<Value>,
    cells: Vec<CellRuns>,
}

impl Table {
    fn write(&self, sweep: &Sweep) -> Result<(), Problem> {
        if self.rows.is_empty() {
            return Ok(());
        }
        results::write_table(&layout::table(&sweep.experiment), &self.rows)
    }
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
struct CellJobs<'a> {
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
        let servers = sweep.servers.iter().map(|server| ServerJobs {
            server,
            cells: server
                .cells
                .iter()
                .map(|cell| CellJobs::of(sweep, server, cell))
                .collect(),
        });
        Self {
            servers: servers.collect(),
        }
    }

    /// All commands and files.
    fn shown(&self, sweep: &Sweep) -> String {
        let mut lines = Vec::new();
        for jobs in &self.servers {
            lines.push(shown::server_begins(jobs.server));
            for cell in &jobs.cells {
                for job in cell.warm_up.iter().chain(&cell.runs) {
                    let task = cell.task(job);
                    lines.push(shown::run_begins(&task, &task.command_of_run(sweep)));
                    lines.push("[END BENCHMARK]".to_owned());
                }
            }
            lines.push("[END SERVER]".to_owned());
        }
        lines.join("\n")
    }
}

impl ServerJobs<'_> {
    /// Makes what is missing, on a server that is started only where something is.
    fn run(&self, course: &mut Course<'_>, table: &mut Table) -> Result<(), Halt> {
        let mut is_complete = true;
        for cell in &self.cells {
            is_complete &= cell.is_complete()?;
        }
        if is_complete {
            return self
                .cells
                .iter()
                .try_for_each(|cell| cell.run(course, None, table));
        }
        course.on_server(self.server, &mut |course, host| {
            self.cells
                .iter()
                .try_for_each(|cell| cell.run(course, Some(&mut *host), table))
        })
    }
}

impl<'a> CellJobs<'a> {
    fn of(sweep: &Sweep, server: &'a ServerCells, cell: &'a Cell) -> Self {
        let runs = i64::from(sweep.runs);
        let job = |number| Job {
            number,
            command: sweep.bench.command_of_turn(&cell.command, number),
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

    fn is_complete(&self) -> Result<bool, Problem> {
        for job in &self.runs {
            if !matches!(self.task(job).find()?, Found::Done(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes what is missing, and puts all runs together.
    fn run(
        &self,
        course: &mut Course<'_>,
        mut host: Option<&mut Host>,
        table: &mut Table,
    ) -> Result<(), Halt> {
        let mut rows = Vec::new();
        let done = self.rows(course, host.as_deref_mut(), &mut rows);
        let written = if rows.is_empty() {
            Ok(())
        } else {
            let summary = layout::summary(&self.cell.folder);
            results::write(&summary, &Value::Array(rows.clone()))
        };
        if !rows.is_empty() {
            table.cells.push(CellRuns {
                serve: self.serve.name(),
                bench: self.cell.parameters.name(),
                runs: rows.clone(),
            });
        }
        table.rows.extend(rows);
        done?;
        Ok(written?)
    }

    fn rows(
        &self,
        course: &mut Course<'_>,
        mut host: Option<&mut Host>,
        rows: &mut Vec<Value>,
    ) -> Result<(), Halt> {
        if let (Some(host), Some(job)) = (host.as_deref_mut(), &self.warm_up)
            && !self.is_complete()?
        {
            course.measure(host, &self.task(job))?;
        }
        for job in &self.runs {
            let task = self.task(job);
            match (task.find()?, host.as_deref_mut()) {
                (Found::Done(row), _) => {
                    console::say(&shown::run_found(&task, &task.command_of_run(course.sweep)));
                    rows.push(row);
                }
                (_, Some(host)) => rows.extend(course.measure(host, &task)?),
                (_, None) => {}
            }
        }
        Ok(())
    }
}
