//! `crestline bench sweep serve_workload`: each benchmark on each server from one request at a time to all at once, and at loads
//! in between that these two ends suggest.
//!
//! Which loads those are is [`points`]; how runs are made, found and kept is as in `sweep serve`. Nothing is searched.

pub(crate) mod points;

use serde_json::Value;

use self::points::{Ends, Spacing, Variable};
use super::args::workload::SweepWorkloadArgs;
use super::course::{Course, Halt};
use super::layout;
use super::overrides;
use super::overview::CellRuns;
use super::params::Combination;
use super::plan::{self, Cell, ServerCells, Sweep};
use super::python;
use super::serve::{self, CellJobs};
use super::server::Host;
use super::shown;
use crate::console;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::values;

/// The flag that limits requests in flight, as it stands in parameters.
const CAP: &str = "max_concurrency";
/// Prompts of a benchmark that does not say how many.
const PROMPTS: u32 = 1000;
/// Prompts from which their number is worth a thought.
const LONG: u32 = 300;

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &SweepWorkloadArgs) -> Result<Exit, Problem> {
    let sweep = plan::translate(&args.sweep)?;
    let range = Range::of(args, &sweep)?;
    let servers: Vec<_> = sweep
        .servers
        .iter()
        .map(|server| ServerRange::of(&sweep, &range, server))
        .collect::<Result<_, _>>()?;
    if args.sweep.runs.dry_run {
        console::say(&shown_all(&sweep, &servers)?);
        return Ok(Exit::Done);
    }
    let mut course = Course::begin(&sweep)?;
    if let Some(note) = long_serial(range, &servers) {
        console::tell(&format!("note: {note}"));
    }
    let done = servers
        .iter()
        .try_for_each(|server| server.run(&mut course));
    let written = write(&sweep, &servers);
    let exit = course.finish(done);
    written?;
    exit
}

/// What the user should know of the lightest load, where it takes long.
fn long_serial(range: Range, servers: &[ServerRange<'_>]) -> Option<String> {
    let cells = servers.iter().flat_map(|server| &server.cells);
    let prompts = cells.map(|cell| cell.prompts).max()?;
    let is_long = range.variable == Variable::RequestRate && prompts >= LONG;
    is_long.then(|| {
        format!(
            "the lightest load sends {prompts} requests at 1 a second, which takes {} minutes at least; \
             --num-prompts in --bench-cmd says how many there are",
            prompts / 60
        )
    })
}

/// Writes and shows what is there of all loads, whichever command made it.
fn write(sweep: &Sweep, servers: &[ServerRange<'_>]) -> Result<(), Problem> {
    let mut runs = Vec::new();
    for cell in servers.iter().flat_map(|server| &server.cells) {
        runs.extend(cell.found(sweep)?);
    }
    serve::write(sweep, &runs)
}

/// What is varied, and how.
#[derive(Debug, Clone, Copy)]
struct Range {
    variable: Variable,
    spacing: Spacing,
    /// Loads in all, with both ends.
    count: u32,
}

impl Range {
    fn of(args: &SweepWorkloadArgs, sweep: &Sweep) -> Result<Self, Problem> {
        let typed = &args.workload;
        let count = values::count("--workload-iters", typed.iterations)?;
        if count < 2 {
            return Err(
                Problem::usage(format!("--workload-iters must be 2 or more, not {count}"))
                    .hint("one request at a time and all at once are always run"),
            );
        }
        let key = typed.variable.key();
        let mut cells = sweep.servers.iter().flat_map(|server| &server.cells);
        if let Some(cell) = cells.find(|cell| cell.parameters.sets(key)) {
            return Err(Problem::usage(format!(
                "--bench-params sets {key} ({}), which is what is varied",
                cell.parameters.name()
            ))
            .hint("take it out of the file, or vary the other one with --workload-var"));
        }
        Ok(Self {
            variable: typed.variable,
            spacing: typed.spacing,
            count,
        })
    }
}

/// All loads on one server.
struct ServerRange<'a> {
    server: &'a ServerCells,
    cells: Vec<CellRange<'a>>,
}

/// All loads of one benchmark on one server.
struct CellRange<'a> {
    range: &'a Range,
    server: &'a ServerCells,
    cell: &'a Cell,
    prompts: u32,
    /// One request at a time.
    serial: Cell,
    /// All of them at once.
    batch: Cell,
}

impl<'a> ServerRange<'a> {
    fn of(sweep: &Sweep, range: &'a Range, server: &'a ServerCells) -> Result<Self, Problem> {
        let cells = server.cells.iter();
        let cells = cells.map(|cell| CellRange::of(sweep, range, server, cell));
        Ok(Self {
            server,
            cells: cells.collect::<Result<_, _>>()?,
        })
    }

    /// Makes what is missing, on a server that is started only where something is.
    fn run(&self, course: &mut Course<'_>) -> Result<(), Halt> {
        let mut missing = Vec::new();
        for cell in &self.cells {
            if cell.is_complete(course.sweep)? {
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

impl<'a> CellRange<'a> {
    fn of(
        sweep: &Sweep,
        range: &'a Range,
        server: &'a ServerCells,
        cell: &'a Cell,
    ) -> Result<Self, Problem> {
        let prompts = prompts(&cell.command)?;
        let end = |load: u32| {
            let place = (sweep, server, cell);
            point(place, range.variable, Some(load), load.into())
        };
        let (serial, batch) = (end(1), end(prompts));
        let ends = [&serial, &batch].map(|end| end.command.as_slice());
        sweep.bench.check(ends.into_iter())?;
        Ok(Self {
            range,
            server,
            cell,
            prompts,
            serial,
            batch,
        })
    }

    /// The loads between the ends, once both have a run.
    fn between(&self, sweep: &Sweep) -> Result<Option<Vec<Cell>>, Problem> {
        let Range {
            variable,
            spacing,
            count,
        } = *self.range;
        let load = |cell: &Cell| -> Result<Option<f64>, Problem> {
            Ok(variable.load(&self.jobs(sweep, cell).found()?))
        };
        let (Some(serial), Some(batch)) = (load(&self.serial)?, load(&self.batch)?) else {
            return Ok(None);
        };
        let values = points::between(variable, spacing, Ends { serial, batch }, count);
        let cells = values.into_iter().map(|load| {
            let place = (sweep, self.server, self.cell);
            point(place, variable, None, points::value(load))
        });
        // Where a benchmark has a name of its own, an end may be called like a load between.
        let is_new =
            |cell: &Cell| ![&self.serial.folder, &self.batch.folder].contains(&&cell.folder);
        Ok(Some(cells.filter(is_new).collect()))
    }

    fn jobs<'b>(&'b self, sweep: &Sweep, cell: &'b Cell) -> CellJobs<'b> {
        CellJobs::of(sweep, self.server, cell)
    }

    /// All runs that are there, from the lightest load to the heaviest.
    fn found(&self, sweep: &Sweep) -> Result<Vec<CellRuns>, Problem> {
        let between = self.between(sweep)?.unwrap_or_default();
        let mut all = Vec::new();
        for cell in [&self.serial]
            .into_iter()
            .chain(&between)
            .chain([&self.batch])
        {
            let runs = self.jobs(sweep, cell).found()?;
            if !runs.is_empty() {
                all.push(CellRuns {
                    serve: self.server.parameters.name(),
                    // A name of its own would not say which load it is.
                    bench: cell.parameters.assignments(),
                    runs,
                });
            }
        }
        Ok(all)
    }

    /// Both ends, and all that follows from them, are there.
    fn is_complete(&self, sweep: &Sweep) -> Result<bool, Problem> {
        for end in [&self.serial, &self.batch] {
            if !self.jobs(sweep, end).is_complete()? {
                return Ok(false);
            }
        }
        for cell in self.between(sweep)?.unwrap_or_default() {
            if !self.jobs(sweep, &cell).is_complete()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tell_found(&self, sweep: &Sweep) -> Result<(), Problem> {
        console::say(&self.shown());
        let between = self.between(sweep)?.unwrap_or_default();
        for cell in [&self.serial, &self.batch].into_iter().chain(&between) {
            self.jobs(sweep, cell).tell_found(sweep)?;
        }
        console::say("[WL END]");
        Ok(())
    }

    /// Makes what is missing: the ends, then what lies between.
    fn run(&self, course: &mut Course<'_>, host: &mut Host) -> Result<(), Halt> {
        let sweep = course.sweep;
        console::say(&self.shown());
        for end in [&self.serial, &self.batch] {
            self.jobs(sweep, end).run(course, host)?;
        }
        match self.between(sweep)? {
            Some(cells) => {
                console::say(&self.shown_between(&cells));
                for cell in &cells {
                    self.jobs(sweep, cell).run(course, host)?;
                }
            }
            None => console::tell(
                "note: one of the ends has no result, so that no load between them is run",
            ),
        }
        console::say("[WL END]");
        Ok(())
    }

    fn shown(&self) -> String {
        let named = |parameters: &Combination| {
            let pairs = parameters
                .parameters()
                .map(|(key, value)| format!("{key}={}", python::str(value)));
            match pairs.collect::<Vec<_>>().join(", ") {
                pairs if pairs.is_empty() => "(None)".to_owned(),
                pairs => pairs,
            }
        };
        format!(
            "[WL START]\nServe parameters: {}\nBench parameters: {}\nNumber of workload iterations: {}\nDataset size: {}",
            named(&self.server.parameters),
            named(&self.cell.parameters),
            self.range.count,
            self.prompts
        )
    }

    fn shown_between(&self, cells: &[Cell]) -> String {
        let key = self.range.variable.key();
        let loads: Vec<String> = cells
            .iter()
            .filter_map(|cell| cell.parameters.0.get(key).map(python::str))
            .collect();
        if loads.is_empty() {
            return format!("No {key} lies between the two ends");
        }
        format!("Loads between the two ends: {key} {}", loads.join(", "))
    }

    /// All commands that are known before the ends are measured.
    fn shown_commands(&self, sweep: &Sweep) -> Result<Vec<String>, Problem> {
        let mut lines = vec![self.shown()];
        for end in [&self.serial, &self.batch] {
            lines.extend(self.jobs(sweep, end).shown(sweep));
        }
        match self.between(sweep)? {
            Some(cells) => {
                lines.push(self.shown_between(&cells));
                for cell in &cells {
                    lines.extend(self.jobs(sweep, cell).shown(sweep));
                }
            }
            None => lines.push(format!(
                "(up to {} more loads, which depend on what these come to)",
                self.range.count - 2
            )),
        }
        lines.push("[WL END]".to_owned());
        Ok(lines)
    }
}

fn shown_all(sweep: &Sweep, servers: &[ServerRange<'_>]) -> Result<String, Problem> {
    let mut lines = Vec::new();
    for server in servers {
        lines.push(shown::server_begins(server.server));
        for cell in &server.cells {
            lines.extend(cell.shown_commands(sweep)?);
        }
        lines.push("[END SERVER]".to_owned());
    }
    Ok(lines.join("\n"))
}

/// A benchmark at one load, with a limit of requests in flight where it has one of its own.
fn point(
    (sweep, server, cell): (&Sweep, &ServerCells, &Cell),
    variable: Variable,
    cap: Option<u32>,
    load: Value,
) -> Cell {
    let key = variable.key();
    let named = match cap {
        Some(cap) => with(&cell.parameters, CAP, cap.into()),
        None => cell.parameters.clone(),
    };
    let name = format!("{key}={}", python::str(&load));
    let folder = layout::workload(&sweep.experiment, &server.parameters, &named, &name);
    let parameters = with(&named, key, load);
    Cell {
        command: overrides::applied(&cell.command, &parameters, &[]),
        folder,
        parameters,
    }
}

/// The combination with one parameter more, in place of any spelling of it.
fn with(parameters: &Combination, key: &str, value: Value) -> Combination {
    let mut parameters = parameters.clone();
    let other = |own: &String| own != key && own.replace('-', "_") == key;
    parameters.0.retain(|own, _| !other(own));
    parameters.0.insert(key.to_owned(), value);
    parameters
}

/// How many prompts a benchmark sends.
fn prompts(command: &[String]) -> Result<u32, Problem> {
    let typed = command.iter().enumerate().rev().find_map(|(at, word)| {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word.as_str(), command.get(at + 1).map(String::as_str)),
        };
        (flag.replace('_', "-") == "--num-prompts").then_some(value)?
    });
    let Some(typed) = typed else {
        return Ok(PROMPTS);
    };
    match typed.parse() {
        Ok(prompts) if prompts > 0 => Ok(prompts),
        _ => Err(Problem::usage(format!(
            "--bench-cmd: --num-prompts must be 1 or more, not {typed}"
        ))
        .hint("all of them at once is the heaviest load")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan_lines::words;

    #[test]
    fn the_last_number_of_prompts_counts() {
        let of = |line: &str| {
            prompts(
                &words(line)
                    .into_iter()
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(of("b --num-prompts 5 --num_prompts=7 --x 1").unwrap(), 7);
        assert_eq!(of("b").unwrap(), 1000);
        assert!(of("b --num-prompts 0").is_err() && of("b --num-prompts many").is_err());
    }

    #[test]
    fn a_parameter_takes_the_place_of_its_other_spelling() {
        let own = Combination(
            json!({"max-concurrency": 3, "a": 1})
                .as_object()
                .unwrap()
                .clone(),
        );
        let changed = with(&own, "max_concurrency", 1.into());
        assert_eq!(
            Value::Object(changed.0),
            json!({"a": 1, "max_concurrency": 1})
        );
    }
}
