//! Whole runs at one load after another: made, or found where an earlier command has made them.
//!
//! Decides no load and judges none.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::super::course::{Course, Halt, Task};
use super::super::fingerprint::Fingerprint;
use super::super::layout;
use super::super::overrides;
use super::super::params::Combination;
use super::super::plan::{Cell, ServerCells};
use super::super::results::{self, Found, Origin};
use super::super::server::Host;
use super::super::shown;
use super::documents;
use super::plan::{SlaSweep, value_of};
use crate::console;
use crate::problem::Problem;

/// The number of a warm-up.
const WARM_UP: i64 = -1;

/// The runs of one server with one benchmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadRuns<'a> {
    pub(crate) sla: &'a SlaSweep,
    pub(crate) server: &'a ServerCells,
    pub(crate) cell: &'a Cell,
}

/// The results of all runs at one load.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) load: f64,
    pub(crate) runs: Vec<Value>,
}

/// What one run is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) prompts: u64,
    /// Runs of the search before it: each has prompts of its own.
    pub(crate) turn: u64,
    /// Requests a second at which users join, and are sent where they are fewer than may be in flight.
    pub(crate) joining: Option<f64>,
}

/// One run of a search that sizes its runs itself.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    runs: LoadRuns<'a>,
    point: Point,
    number: i64,
    command: Vec<String>,
}

impl Job<'_> {
    /// Its result, where it is there.
    pub(crate) fn find(&self) -> Result<Option<Value>, Problem> {
        Ok(match self.task().find()? {
            Found::Done(run) => Some(run),
            Found::Missing | Found::Other(_) => None,
        })
    }

    /// Makes it; `None` where it failed and the rest goes on.
    pub(crate) fn make(
        &self,
        course: &mut Course<'_>,
        host: &mut Host,
    ) -> Result<Option<Value>, Halt> {
        course.measure(host, &self.task())
    }

    fn task(&self) -> Task<'_> {
        Task {
            command: &self.command,
            ..self.runs.task(&self.point, self.number)
        }
    }
}

/// One load.
#[derive(Debug)]
struct Point {
    /// The benchmark's parameters and the load.
    parameters: Combination,
    command: Vec<String>,
    fingerprint: Fingerprint,
    folder: PathBuf,
}

impl LoadRuns<'_> {
    /// Loads of which all runs are there, in increasing order.
    pub(crate) fn found(&self) -> Result<Vec<Measured>, Problem> {
        let mut all = Vec::new();
        for load in self.loads() {
            let point = self.point(load);
            let mut runs = Vec::new();
            for number in 0..i64::from(self.sla.sweep.runs) {
                if let Found::Done(run) = self.task(&point, number).find()? {
                    runs.push(run);
                }
            }
            if runs.len() == self.sla.sweep.runs as usize {
                all.push(Measured { load, runs });
            }
        }
        Ok(all)
    }

    /// Makes what is missing of a load's runs; `None` where one failed and the rest goes on.
    pub(crate) fn make(
        &self,
        course: &mut Course<'_>,
        host: &mut Host,
        load: f64,
    ) -> Result<Option<Measured>, Halt> {
        let point = self.point(load);
        let mut runs = Vec::new();
        for number in 0..i64::from(self.sla.sweep.runs) {
            let command = self.sla.sweep.bench.command_of_turn(&point.command, number);
            let task = Task {
                command: &command,
                ..self.task(&point, number)
            };
            if let Found::Done(run) = task.find()? {
                let command = task.command_of_run(course.sweep);
                console::say(&shown::run_found(&task, &command));
                runs.push(run);
            } else {
                match course.measure(host, &task)? {
                    Some(run) => runs.push(run),
                    None => return Ok(None),
                }
            }
        }
        results::write(&layout::summary(&point.folder), &Value::Array(runs.clone()))?;
        Ok(Some(Measured { load, runs }))
    }

    /// The run before the first, which is not counted, where one is asked for.
    pub(crate) fn warm_up(&self, course: &mut Course<'_>, host: &mut Host) -> Result<(), Halt> {
        let Some(prompts) = self.sla.sweep.warmup_prompts else {
            return Ok(());
        };
        let mut point = self.point(self.sla.bounds.lowest);
        point.parameters = set(&point.parameters, "num_prompts", prompts.into());
        // With prompts that none of the runs has.
        let turn = i64::from(self.sla.sweep.runs);
        let command = self.sla.sweep.bench.command_of_turn(&point.command, turn);
        let task = Task {
            command: &overrides::applied(&command, &point.parameters, &[]),
            folder: &self.cell.folder,
            ..self.task(&point, WARM_UP)
        };
        course.measure(host, &task).map(drop)
    }

    /// A run of its own size and prompts.
    pub(crate) fn job(&self, load: f64, number: i64, size: Size) -> Job<'_> {
        let mut point = self.point(load);
        let mut own = set(&Combination::default(), "num_prompts", size.prompts.into());
        if let Some(seed) = self.seed() {
            own = set(&own, "seed", seed.wrapping_add(size.turn).into());
        }
        if let Some(rate) = size.joining {
            own = set(&own, "request_rate", documents::number(rate));
        }
        point.command = overrides::applied(&point.command, &own, &[]);
        point.parameters.0.extend(own.0);
        let client = self.sla.sweep.bench.client;
        point.fingerprint = Fingerprint::of(&self.server.command, &point.command, client);
        Job {
            runs: *self,
            command: point.command.clone(),
            point,
            number,
        }
    }

    /// The seed of the benchmark's prompts, where it is known to have one.
    fn seed(&self) -> Option<u64> {
        let command = &self.cell.command;
        let is_serve = command
            .get(1..3)
            .is_some_and(|words| words == ["bench", "serve"]);
        match value_of(command, "seed") {
            Some(seed) => seed.parse().ok(),
            None => is_serve.then_some(0),
        }
    }

    /// Writes all runs of a load together.
    pub(crate) fn summarise(&self, measured: &Measured) -> Result<(), Problem> {
        let folder = load_folder(self.cell, self.sla.variable.name(), measured.load);
        results::write(
            &layout::summary(&folder),
            &Value::Array(measured.runs.clone()),
        )
    }

    /// The command of a load's first run, for `--dry-run`.
    pub(crate) fn shown(&self, load: f64) -> String {
        let point = self.point(load);
        let task = self.task(&point, 0);
        shown::run_begins(&task, &task.command_of_run(&self.sla.sweep))
    }

    fn point(&self, load: f64) -> Point {
        let name = self.sla.variable.name();
        let variable = set(&Combination::default(), name, documents::number(load));
        let command = self.sla.with_percentiles(&self.cell.command);
        let command = overrides::applied(&command, &variable, &[]);
        let client = self.sla.sweep.bench.client;
        Point {
            parameters: set(&self.cell.parameters, name, documents::number(load)),
            fingerprint: Fingerprint::of(&self.server.command, &command, client),
            folder: load_folder(self.cell, name, load),
            command,
        }
    }

    fn task<'b>(&'b self, point: &'b Point, number: i64) -> Task<'b> {
        Task {
            origin: Origin {
                number,
                serve: &self.server.parameters,
                bench: &point.parameters,
                fingerprint: &point.fingerprint,
            },
            command: &point.command,
            folder: &point.folder,
        }
    }

    /// Loads with a folder, in increasing order.
    fn loads(&self) -> Vec<f64> {
        let folders = load_folders(self.cell, self.sla.variable.name());
        let load = |folder: &PathBuf| {
            let name = folder.file_name()?.to_str()?;
            name.split_once('=')?.1.parse().ok()
        };
        let mut loads: Vec<f64> = folders.iter().filter_map(load).collect();
        loads.sort_by(f64::total_cmp);
        loads
    }
}

fn set(parameters: &Combination, key: &str, value: Value) -> Combination {
    let mut fields = parameters.0.clone();
    fields.insert(key.to_owned(), value);
    Combination(fields)
}

/// The folder of a load.
pub(crate) fn load_folder(cell: &Cell, variable: &str, load: f64) -> PathBuf {
    cell.folder
        .join(format!("{variable}={}", documents::text(load)))
}

/// The folders of all loads that were tried before.
pub(crate) fn load_folders(cell: &Cell, variable: &str) -> Vec<PathBuf> {
    let begin = format!("{variable}=");
    let entries = fs::read_dir(&cell.folder).into_iter().flatten();
    let of_loads = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(&begin)
    });
    let mut folders: Vec<PathBuf> = of_loads.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}
