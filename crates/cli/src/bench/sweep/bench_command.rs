//! The benchmark of a sweep: crestline's own, run in this process, or a program that writes vLLM's JSON.
//!
//! Says what a run comes to; where its result belongs is for [`super::results`].

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crestline_load::engine::Stop;
use serde_json::Value;

use super::overrides;
use super::params::Combination;
use super::program;
use crate::bench::args::{BenchCommand, Compat, ServeArgs};
use crate::bench::serve;
use crate::command::{Parsed, Sub, parse};
use crate::console;
use crate::problem::Problem;

/// The result of a run in the folder of its records.
const RESULT: &str = "result.json";
/// Words of `crestline bench serve` before its flags.
const WORDS: usize = 3;
/// Metrics that are always asked for.
const METRICS: [&str; 4] = ["ttft", "tpot", "itl", "e2el"];

/// Who measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// `crestline bench serve`, in this process.
    Own,
    /// A program of its own.
    Program,
}

/// Whether `vllm bench serve` is for crestline to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Native {
    /// Where vLLM is not installed.
    WhereNeeded,
    /// In any case.
    Always,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) enum Ran {
    /// Its result.
    Measured(Value),
    /// The user asked to stop.
    Interrupted,
}

/// A benchmark command and who runs it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bench {
    pub(crate) client: Client,
    /// The command without the parameters of a combination.
    pub(crate) command: Vec<String>,
}

impl Bench {
    /// Finds out who runs a command. `note` is what the user should know of it.
    pub(crate) fn of(
        command: Vec<String>,
        native: Native,
    ) -> Result<(Self, Option<&'static str>), Problem> {
        let name = |word: &String| Path::new(word).file_name().map(ToOwned::to_owned);
        let program = command.first().and_then(name).unwrap_or_default();
        let is_serve = command
            .get(1..WORDS)
            .is_some_and(|words| words == ["bench", "serve"]);
        let is_vllm = program == "vllm" && is_serve;
        let is_own = program == "crestline" && is_serve;
        let (client, note) = if is_own || is_vllm && native == Native::Always {
            (Client::Own, None)
        } else if program::find(&command[0]).is_some() {
            (Client::Program, None)
        } else if is_vllm {
            let note = "vllm is not installed: crestline itself runs the benchmarks";
            (Client::Own, Some(note))
        } else {
            return Err(
                Problem::usage(format!("--bench-cmd: there is no program {}", command[0])).hint(
                    "check its name and PATH; `crestline bench serve` needs no other program",
                ),
            );
        };
        Ok((Self { client, command }, note))
    }

    /// Refuses what can be refused of runs before anything is started, and gives what the user should know of them.
    pub(crate) fn check<'a>(
        &self,
        commands: impl Iterator<Item = &'a [String]>,
    ) -> Result<Vec<String>, Problem> {
        let mut notes = Vec::new();
        if self.client == Client::Program {
            return Ok(notes);
        }
        let mut known = Vec::new();
        let mut seen = HashSet::new();
        for command in commands.filter(|command| seen.insert(*command)) {
            let args = own_args(command, Path::new(""))?;
            let told = serve::check(&args, &mut known);
            for note in told.map_err(|problem| problem.within("--bench-cmd"))? {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        Ok(notes)
    }

    /// The port that a command of crestline's own asks.
    pub(crate) fn port(&self, command: &[String]) -> Option<u16> {
        if self.client == Client::Program {
            return None;
        }
        let connection = own_args(command, Path::new("")).ok()?.connection;
        let Some(url) = connection.base_url else {
            return Some(connection.port);
        };
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.split('/').next().unwrap_or_default();
        let typed = host.rsplit_once(':').map(|(_, port)| port);
        match typed.filter(|port| !port.ends_with(']')) {
            Some(port) => port.parse().ok(),
            None if scheme == "https" => Some(443),
            None => Some(80),
        }
    }

    /// The command of a run of this number. A prompt that was sent before may be answered from the service's prefix cache, so
    /// that each run of crestline's own has a seed of its own; other programs send the same again.
    pub(crate) fn command_of_turn(&self, command: &[String], number: i64) -> Vec<String> {
        with_seed(command, self.seed(command), number)
    }

    /// The seed of the first run of a command, where each run has one of its own.
    pub(crate) fn seed(&self, command: &[String]) -> Option<u64> {
        if self.client == Client::Program {
            return None;
        }
        let args = own_args(command, Path::new("")).ok()?;
        (args.results.compat == Compat::None).then_some(args.load.seed)
    }

    /// Runs such a command.
    pub(crate) fn run(&self, run: &Run<'_>, stop: &Stop) -> Result<Ran, Problem> {
        fs::create_dir_all(run.folder).map_err(|error| {
            Problem::failed(format!("{}: cannot be made", run.folder.display())).because(&error)
        })?;
        match self.client {
            Client::Own => own(run, stop),
            Client::Program => program::run(run, &run.folder.join(RESULT), stop),
        }
    }
}

/// The command of a run, whose records and result go into a folder.
pub(crate) fn command_of_run(command: &[String], folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let metrics = metrics(command);
    let more = [
        "--percentile-metrics",
        &metrics,
        "--save-result",
        "--result-dir",
        &folder,
        "--result-filename",
        RESULT,
    ];
    let own = command.iter().cloned();
    own.chain(more.map(str::to_owned)).collect()
}

/// The command of a run of this number, where the first has this seed.
pub(crate) fn with_seed(command: &[String], first: Option<u64>, number: i64) -> Vec<String> {
    let Some(first) = first.filter(|_| number != 0) else {
        return command.to_vec();
    };
    let seed = first.wrapping_add_signed(number);
    let seed = Combination([("seed".to_owned(), seed.into())].into_iter().collect());
    overrides::applied(command, &seed, &[])
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// As [`command_of_run`] has it.
    pub(crate) command: &'a [String],
    /// For its records; not there yet, or empty.
    pub(crate) folder: &'a Path,
    /// Whether what it prints is shown.
    pub(crate) output: Output,
}

/// What becomes of what a benchmark prints on its standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Shown,
    Dropped,
}

/// All metrics that the results are used for, and those that the command asks for itself.
fn metrics(command: &[String]) -> String {
    let mut names: Vec<&str> = METRICS.to_vec();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        let typed = match word.replace('_', "-").as_str() {
            "--percentile-metrics" => words.next().map(String::as_str),
            other if other.starts_with("--percentile-metrics=") => {
                word.split_once('=').map(|pair| pair.1)
            }
            _ => None,
        };
        for name in typed.into_iter().flat_map(|typed| typed.split(',')) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.join(",")
}

/// The flags of a command of crestline's own, with records in `folder`.
pub(crate) fn own_args(command: &[String], folder: &Path) -> Result<ServeArgs, Problem> {
    let words = ["crestline", "bench", "serve"]
        .into_iter()
        .map(str::to_owned);
    let all = words.chain(command.iter().skip(WORDS).cloned());
    let parsed =
        parse(all.map(Into::into).collect()).map_err(|problem| problem.within("--bench-cmd"))?;
    let mut args = match parsed {
        Parsed::Command(Sub::Bench(bench)) => match bench.command {
            BenchCommand::Serve(args) => *args,
            BenchCommand::Startup(_) | BenchCommand::Sweep(_) => {
                unreachable!("the words say `serve`")
            }
        },
        _ => {
            return Err(
                Problem::usage("--bench-cmd asks for help, and measures nothing")
                    .hint("leave out --help"),
            );
        }
    };
    for (flag, is_given, hint) in [
        (
            "--dry-run",
            args.load.dry_run,
            "the sweep has a --dry-run of its own",
        ),
        (
            "--num-runs",
            args.load.num_runs != 1,
            "the sweep has a --num-runs of its own",
        ),
        (
            "--append-result",
            args.results.append_result,
            "each run of a sweep has a file of its own",
        ),
    ] {
        if is_given {
            return Err(
                Problem::usage(format!("--bench-cmd: {flag} has no place in a sweep")).hint(hint),
            );
        }
    }
    args.results.save_result = true;
    args.results.result_dir = Some(folder.display().to_string());
    args.results.result_filename = Some(RESULT.to_owned());
    Ok(args)
}

fn own(run: &Run<'_>, stop: &Stop) -> Result<Ran, Problem> {
    let args = own_args(run.command, run.folder)?;
    let served = match run.output {
        Output::Shown => serve::serve(&args, run.folder, stop),
        Output::Dropped => console::silently(|| serve::serve(&args, run.folder, stop)),
    }?;
    if served.is_interrupted {
        return Ok(Ran::Interrupted);
    }
    let closed = served.runs.into_iter().next();
    let closed = closed.expect("a command that was not interrupted has a run");
    measured(closed.document, closed.first_failure.as_deref())
}

/// A run in which nothing was answered measured nothing.
pub(super) fn measured(document: Value, why: Option<&str>) -> Result<Ran, Problem> {
    if document["completed"].as_u64() != Some(0) {
        return Ok(Ran::Measured(document));
    }
    let failed = Problem::failed("all requests of the run failed").hint(
        "check the address, --endpoint and --model of --bench-cmd; the server's log may say more",
    );
    Err(match why {
        Some(why) => failed.cause(why),
        None => failed,
    })
}
