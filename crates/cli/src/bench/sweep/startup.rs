//! `crestline bench sweep startup`: how long servers take to start, for each combination of server and start parameters.
//!
//! One run is one command of `bench startup`, which starts its server several times; crestline's own is run in this process.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use crestline_experiment::server::keeper::Ending;
use crestline_load::engine::Stop;
use serde_json::{Map, Value};

use super::args::startup::{SweepStartupArgs, Unknown};
use super::bench_command::{Client, Output};
use super::course;
use super::fingerprint::Fingerprint;
use super::follow::Follower;
use super::kept::{self, Done};
use super::layout;
use super::overrides::{self, Alias};
use super::params::{self, Combination};
use super::plan::{self, Naming};
use super::program;
use super::results::{self, Found, Origin};
use super::shown;
use crate::bench::args::{BenchCommand, StartupArgs};
use crate::bench::startup;
use crate::command::{Cli, Parsed, Sub, parse};
use crate::exit::Exit;
use crate::front_end::Seen;
use crate::problem::Problem;
use crate::secrets::{self, Redaction};
use crate::{console, signals, values};

/// The result of a run in the folder of its records.
const RESULT: &str = "result.json";
/// What a program or a server printed, beside it.
const LOG: &str = "output.log";
/// Words of the command before its flags.
const WORDS: usize = 3;

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &SweepStartupArgs) -> Result<Exit, Problem> {
    let sweep = Sweep::of(args)?;
    if args.runs.dry_run {
        let jobs = sweep.cells.iter().flat_map(|cell| sweep.shown(cell));
        console::say(&jobs.collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Done);
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
    let _lock = course::locked(&sweep.experiment)?;
    console::show(|| Seen::Folder(sweep.experiment.clone()));
    let done = sweep
        .cells
        .iter()
        .try_for_each(|cell| sweep.run(cell, &stop));
    let written = sweep.write();
    course::page(&sweep.experiment, args.runs.page.page());
    let experiment = sweep.experiment.display();
    match done {
        Ok(()) => console::say(&format!("Experiment has been saved at: {experiment}")),
        Err(halt) => {
            let name = sweep.experiment.file_name().unwrap_or_default().display();
            console::tell(&format!(
                "note: what was measured is in {experiment}; the same command with --resume {name} goes on"
            ));
            written?;
            return match halt {
                Halt::Interrupted => Ok(Exit::Interrupted),
                Halt::Failed(problem) => Err(problem.after_a_load()),
            };
        }
    }
    written.map(|()| Exit::Done)
}

/// Why no more runs follow.
enum Halt {
    Interrupted,
    Failed(Problem),
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

/// All combinations.
struct Sweep {
    experiment: PathBuf,
    client: Client,
    cells: Vec<Cell>,
    runs: i64,
    output: Output,
}

/// One combination.
struct Cell {
    serve: Combination,
    startup: Combination,
    /// Without where the result goes.
    command: Vec<String>,
    /// The same without secrets.
    shown: Vec<String>,
    folder: PathBuf,
    fingerprint: Fingerprint,
}

impl Sweep {
    fn of(args: &SweepStartupArgs) -> Result<Self, Problem> {
        let base = plan::words("--startup-cmd", &args.startup_cmd)?;
        let client = client(&base)?;
        let serve = plan::combinations("--serve-params", args.parameters.serve.as_deref())?;
        let startup = plan::combinations("--startup-params", args.parameters.startup.as_deref())?;
        let startup = match client {
            Client::Own => known_only(startup, args.parameters.unknown())?,
            Client::Program => startup,
        };
        let aliases = plan::aliases(&args.parameters.alias)?;
        let runs = &args.runs;
        let (experiment, _) = plan::experiment(&Naming {
            output_dir: &runs.output_dir,
            experiment_name: runs.experiment_name.as_deref(),
            resume: runs.resume.as_deref(),
            dry_run: runs.dry_run,
        })?;
        let mut cells = Vec::new();
        for serve in &serve {
            for startup in &startup {
                let command = command(&base, client, (serve, &aliases), startup)?;
                let (server, shown) = match client {
                    Client::Own => {
                        let own = own_args(&command)?;
                        startup::plan(&own)?;
                        let server = plan::words("--serve-cmd", &own.serve_cmd)?;
                        let shown = with_server(&command, &secrets::masked(&server))?;
                        (server, shown)
                    }
                    Client::Program => (command.clone(), secrets::masked(&command)),
                };
                cells.push(Cell {
                    folder: layout::startup(&experiment, serve, startup),
                    fingerprint: Fingerprint::of(&server, &shown, client),
                    serve: serve.clone(),
                    startup: startup.clone(),
                    command,
                    shown,
                });
            }
        }
        plan::apart(cells.iter().map(|cell| &*cell.folder))?;
        Ok(Self {
            experiment,
            client,
            cells,
            runs: values::positive("--num-runs", runs.num_runs)?.get().into(),
            output: if runs.show_stdout {
                Output::Shown
            } else {
                Output::Dropped
            },
        })
    }

    /// What is said of each run before it begins.
    fn shown(&self, cell: &Cell) -> Vec<String> {
        let runs = 0..self.runs;
        runs.map(|number| format!("{}\n[END BENCHMARK]", self.begins(cell, number)))
            .collect()
    }

    fn begins(&self, cell: &Cell, number: i64) -> String {
        format!(
            "[BEGIN BENCHMARK]\nServe overrides: {}\nStartup overrides: {}\nRun Number: {number}\nBenchmark command: {}\nOutput file: {}",
            shown::parameters(&cell.serve),
            shown::parameters(&cell.startup),
            shown::command(&with_output(
                &cell.shown,
                &self.records(cell, number).join(RESULT)
            )),
            layout::run(&cell.folder, number).display()
        )
    }

    fn records(&self, cell: &Cell, number: i64) -> PathBuf {
        layout::records(&self.experiment, &cell.folder, number)
    }

    /// Makes the runs of a combination that are missing.
    fn run(&self, cell: &Cell, stop: &Stop) -> Result<(), Halt> {
        for number in 0..self.runs {
            console::say(&self.begins(cell, number));
            let file = layout::run(&cell.folder, number);
            match results::find(&file, &cell.origin(number))? {
                Found::Done(_) => {
                    console::say("Found existing results.\n[SKIPPED BENCHMARK]");
                    continue;
                }
                Found::Missing => {}
                Found::Other(why) => {
                    let aside = layout::replaced(&self.experiment, &cell.folder);
                    let aside = results::put_aside(&file, &aside)?;
                    console::tell(&format!(
                        "note: {} is not used, since {why}; it is now {}",
                        file.display(),
                        aside.display()
                    ));
                }
            }
            self.make(cell, number, stop)?;
            console::say("[END BENCHMARK]");
        }
        Ok(())
    }

    fn make(&self, cell: &Cell, number: i64, stop: &Stop) -> Result<(), Halt> {
        let failed = layout::run_failure(&cell.folder, number);
        let measured = match self.measure(cell, &self.records(cell, number), stop) {
            Ok(measured) => measured,
            Err(problem) => {
                let (serve, startup) = (&cell.serve, &cell.startup);
                let failure =
                    results::failure(Some(number), "StartupError", &problem, serve, Some(startup));
                results::write(&failed, &failure)?;
                console::say("[FAILED BENCHMARK]");
                return Err(Halt::Failed(problem));
            }
        };
        let Some(document) = measured else {
            return Err(Halt::Interrupted);
        };
        results::write(
            &layout::run(&cell.folder, number),
            &cell.origin(number).stamp(document),
        )?;
        // It is none any more.
        drop(fs::remove_file(failed));
        let found = self.found(cell)?;
        results::write(&layout::summary(&cell.folder), &Value::Array(found))?;
        Ok(())
    }

    /// The result of one run; nothing where it was interrupted.
    fn measure(&self, cell: &Cell, records: &Path, stop: &Stop) -> Result<Option<Value>, Problem> {
        let (log, result) = (records.join(LOG), records.join(RESULT));
        match self.client {
            Client::Own => {
                let mut args = own_args(&cell.command)?;
                args.server.log = Some(log);
                args.server.show_stdout |= self.output == Output::Shown;
                startup::measure(&startup::plan(&args)?, stop)
            }
            Client::Program => {
                let command = with_output(&cell.command, &result);
                let redaction = Redaction::of(&command);
                let shown = (self.output == Output::Shown).then(|| {
                    let redaction = redaction.clone();
                    Follower::start(log.clone(), 0, move |line| redaction.redacted(line))
                });
                let done = kept::run(&command, &log, stop)?;
                drop(shown);
                match done {
                    Done::Interrupted => Ok(None),
                    Done::Ended(Ending::Code(0), _) => read(&result).map(Some),
                    Done::Ended(ending, printed) => {
                        let printed = redaction.redacted(&printed);
                        Err(Problem::failed(format!("the benchmark ended {ending}")).cause(printed))
                    }
                }
            }
        }
    }

    /// The runs of a combination that are there.
    fn found(&self, cell: &Cell) -> Result<Vec<Value>, Problem> {
        let mut rows = Vec::new();
        for number in 0..self.runs {
            let file = layout::run(&cell.folder, number);
            if let Found::Done(row) = results::find(&file, &cell.origin(number))? {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Writes all runs that are there, whichever command made them.
    fn write(&self) -> Result<(), Problem> {
        let mut rows = Vec::new();
        for cell in &self.cells {
            rows.extend(self.found(cell)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        results::write_table(&layout::table(&self.experiment), &rows)
    }
}

impl Cell {
    fn origin(&self, number: i64) -> Origin<'_> {
        Origin {
            number,
            serve: &self.serve,
            bench: &self.startup,
            fingerprint: &self.fingerprint,
        }
    }
}

/// Who measures.
fn client(command: &[String]) -> Result<Client, Problem> {
    let name = Path::new(&command[0]).file_name();
    let is_startup = command
        .get(1..WORDS)
        .is_some_and(|words| words == ["bench", "startup"]);
    if name.is_some_and(|name| name == "crestline") && is_startup {
        return Ok(Client::Own);
    }
    if program::find(&command[0]).is_some() {
        return Ok(Client::Program);
    }
    Err(Problem::usage(format!(
        "--startup-cmd: there is no program {}",
        command[0]
    ))
    .hint("`crestline bench startup --serve-cmd '…'` measures the starts of any server and needs no other program"))
}

/// The command with the parameters of both sides. Those of the server go into the command that crestline's own is told to
/// start it with; other programs take all of them themselves.
fn command(
    base: &[String],
    client: Client,
    (serve, aliases): (&Combination, &[Alias]),
    startup: &Combination,
) -> Result<Vec<String>, Problem> {
    let command = match client {
        Client::Program => overrides::applied(base, serve, aliases),
        Client::Own => {
            let server = plan::words("--serve-cmd", &own_args(base)?.serve_cmd)?;
            let server = overrides::applied(&server, serve, aliases);
            with_server(base, &server)?
        }
    };
    Ok(overrides::applied(&command, startup, &[]))
}

/// The command with another one of its server.
fn with_server(command: &[String], server: &[String]) -> Result<Vec<String>, Problem> {
    let joined = shlex::try_join(server.iter().map(String::as_str)).map_err(|error| {
        Problem::usage("--serve-cmd has a letter that no command can have").because(&error)
    })?;
    let fields = [("serve_cmd".to_owned(), Value::String(joined))];
    let joined = Combination(fields.into_iter().collect());
    Ok(overrides::applied(command, &joined, &[]))
}

fn with_output(command: &[String], result: &Path) -> Vec<String> {
    let more = ["--output-json".to_owned(), result.display().to_string()];
    command.iter().cloned().chain(more).collect()
}

/// The combinations without what `bench startup` does not know.
fn known_only(all: Vec<Combination>, unknown: Unknown) -> Result<Vec<Combination>, Problem> {
    let root = Cli::command();
    let startup = root
        .find_subcommand("bench")
        .and_then(|bench| bench.find_subcommand("startup"))
        .expect("there is such a sub-command");
    let known: Vec<&str> = startup
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .collect();
    let is_known = |key: &str| known.contains(&key.replace('_', "-").as_str());
    let mut dropped: Vec<String> = Vec::new();
    let kept = all.into_iter().map(|combination| {
        let (kept, other): (Map<_, _>, Map<_, _>) = combination
            .0
            .into_iter()
            .partition(|(key, _)| key == params::NAME || is_known(key));
        dropped.extend(other.into_iter().map(|(key, _)| key));
        Combination(kept)
    });
    let kept: Vec<Combination> = kept.collect();
    dropped.sort();
    dropped.dedup();
    if dropped.is_empty() {
        return Ok(kept);
    }
    let told = format!(
        "--startup-params: `bench startup` does not know {}",
        dropped.join(", ")
    );
    if unknown == Unknown::Refused {
        return Err(
            Problem::usage(told).hint("parameters of the server belong into --serve-params")
        );
    }
    console::tell(&format!("note: {told}: left out"));
    Ok(kept)
}

/// The flags of a command of crestline's own.
fn own_args(command: &[String]) -> Result<StartupArgs, Problem> {
    let words = ["crestline", "bench", "startup"].map(str::to_owned);
    let all = words.into_iter().chain(command.iter().skip(WORDS).cloned());
    let parsed =
        parse(all.map(Into::into).collect()).map_err(|problem| problem.within("--startup-cmd"))?;
    let args = match parsed {
        Parsed::Command(Sub::Bench(bench)) => match bench.command {
            BenchCommand::Startup(args) => *args,
            BenchCommand::Serve(_) | BenchCommand::Sweep(_) => {
                unreachable!("the words say `startup`")
            }
        },
        _ => {
            return Err(
                Problem::usage("--startup-cmd asks for help, and measures nothing")
                    .hint("leave out --help"),
            );
        }
    };
    for (flag, is_given) in [
        ("--output-json", args.output_json.is_some()),
        ("--server-log", args.server.log.is_some()),
    ] {
        if is_given {
            return Err(
                Problem::usage(format!("--startup-cmd: {flag} has no place in a sweep"))
                    .hint("each run has a file of its own in the folder of the experiment"),
            );
        }
    }
    Ok(args)
}

fn read(result: &Path) -> Result<Value, Problem> {
    let text = fs::read_to_string(result).map_err(|error| {
        Problem::failed(format!("the benchmark wrote no {}", result.display()))
            .because(&error)
            .hint("it must take --output-json as `vllm bench startup` does")
    })?;
    let document: Value = serde_json::from_str(&text).map_err(|error| {
        Problem::failed(format!("{} is no JSON", result.display())).because(&error)
    })?;
    match document {
        Value::Object(_) => Ok(document),
        _ => Err(Problem::failed(format!(
            "{} holds no result",
            result.display()
        ))),
    }
}
