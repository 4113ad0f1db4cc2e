//! The whole meaning of the flags of `crestline bench sweep serve`: which servers are started, and which benchmarks run on each.
//!
//! Starts nothing. Parameter files are read here, so that every refusal comes before the first start.

use std::path::{Path, PathBuf};

use super::args::SweepServeArgs;
use super::layout;
use super::overrides::{self, Alias};
use super::params::{self, Combination};
use super::python;
use super::virtual_server::{Host, VirtualServer};
use crate::moment;
use crate::problem::Problem;
use crate::values;

/// What is appended to each benchmark command: all metrics, and where the result goes.
const METRICS: &str = "ttft,tpot,itl,e2el";

/// A whole experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sweep {
    /// Its folder.
    pub(crate) experiment: PathBuf,
    /// What is there is used, as far as it fits.
    pub(crate) is_resumed: bool,
    pub(crate) servers: Vec<ServerCells>,
    pub(crate) runs: u32,
    /// Prompts of a run before the first, which is not counted.
    pub(crate) warmup_prompts: Option<u32>,
}

/// One start of the server, and what is run on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerCells {
    pub(crate) parameters: Combination,
    pub(crate) command: Vec<String>,
    pub(crate) log: PathBuf,
    /// Where the benchmarks find their service.
    pub(crate) host: Host,
    pub(crate) cells: Vec<Cell>,
}

/// One benchmark, which is run several times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) parameters: Combination,
    pub(crate) command: Vec<String>,
    pub(crate) folder: PathBuf,
}

impl Cell {
    /// The command of a run that writes its result into a file of the folder.
    pub(crate) fn command_for(&self, file: &str) -> Vec<String> {
        let folder = self.folder.display().to_string();
        let more = [
            "--percentile-metrics",
            METRICS,
            "--save-result",
            "--result-dir",
            &folder,
            "--result-filename",
            file,
        ];
        let own = self.command.iter().cloned();
        own.chain(more.map(str::to_owned)).collect()
    }
}

/// Two parameters that must be equal.
struct Link {
    serve: String,
    bench: String,
}

/// Translates the flags.
pub(crate) fn translate(args: &SweepServeArgs) -> Result<Sweep, Problem> {
    let serve_command = words("--serve-cmd", &args.commands.serve_cmd)?;
    let bench_command = words("--bench-cmd", &args.commands.bench_cmd)?;
    let parameters = &args.parameters;
    let serve = params::read("--serve-params", parameters.serve_params.as_deref())?;
    let bench = params::read("--bench-params", parameters.bench_params.as_deref())?;
    let links = links(&parameters.link_vars)?;
    let aliases = aliases(&parameters.serve_alias)?;
    let (experiment, is_resumed) = experiment(args)?;
    let server = |combination: Combination| {
        let linked = bench
            .iter()
            .filter(|bench| is_linked(&links, &combination, bench));
        let command = overrides::applied(&serve_command, &combination, &aliases);
        let host = host(args, &experiment, &combination, &command)?;
        let cells = linked.map(|bench| Cell {
            command: host.service_of(overrides::applied(&bench_command, bench, &[])),
            folder: layout::folder(&experiment, &combination, bench),
            parameters: bench.clone(),
        });
        Ok(ServerCells {
            cells: cells.collect(),
            command,
            log: layout::log(&experiment, &combination),
            host,
            parameters: combination,
        })
    };
    let servers: Vec<ServerCells> = serve
        .into_iter()
        .map(server)
        .collect::<Result<_, Problem>>()?;
    // A server on which nothing is run is not started.
    let servers: Vec<_> = servers
        .into_iter()
        .filter(|server| !server.cells.is_empty())
        .collect();
    if servers.is_empty() {
        return Err(Problem::usage("--link-vars leaves no combination")
            .hint("both files need the linked parameters, with values that are equal somewhere"));
    }
    let warmup = values::count("--warmup-num-prompts", args.runs.warmup_num_prompts)?;
    Ok(Sweep {
        experiment,
        is_resumed,
        servers,
        runs: values::positive("--num-runs", args.runs.num_runs)?.get(),
        warmup_prompts: (warmup > 0).then_some(warmup),
    })
}

/// Where the benchmarks of a combination find their service.
fn host(
    args: &SweepServeArgs,
    experiment: &Path,
    combination: &Combination,
    command: &[String],
) -> Result<Host, Problem> {
    if !args.commands.virtual_time {
        return Ok(Host::Process);
    }
    let server = VirtualServer::of(experiment, combination, command)?;
    Ok(Host::Virtual(Box::new(server)))
}

/// A command as a shell would part it.
fn words(flag: &str, command: &str) -> Result<Vec<String>, Problem> {
    let words = shlex::split(command).ok_or_else(|| {
        Problem::usage(format!("{flag} has a quote without its end")).hint("close it")
    })?;
    if words.is_empty() {
        return Err(Problem::usage(format!("{flag} is empty")).hint("write the command in quotes"));
    }
    Ok(words)
}

fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Problem> {
    let pair = text
        .split_once('=')
        .filter(|(left, right)| !left.is_empty() && !right.is_empty());
    pair.ok_or_else(|| Problem::usage(format!("{flag} {text} is not two names with `=` between")))
}

fn links(text: &str) -> Result<Vec<Link>, Problem> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (serve, bench) = pair("--link-vars", part)?;
            Ok(Link {
                serve: serve.to_owned(),
                bench: bench.to_owned(),
            })
        })
        .collect()
}

fn is_linked(links: &[Link], serve: &Combination, bench: &Combination) -> bool {
    links.iter().all(|link| {
        let values = (serve.0.get(&link.serve), bench.0.get(&link.bench));
        matches!(values, (Some(one), Some(other)) if one == other)
    })
}

fn aliases(typed: &[String]) -> Result<Vec<Alias>, Problem> {
    typed
        .iter()
        .map(|text| {
            let (short, key) = pair("--serve-alias", text)?;
            Ok(Alias {
                short: short.trim_start_matches('-').to_owned(),
                key: key.to_owned(),
            })
        })
        .collect()
}

/// The folder of the experiment, and whether it goes on.
fn experiment(args: &SweepServeArgs) -> Result<(PathBuf, bool), Problem> {
    let runs = &args.runs;
    let resumed = runs.resume.as_deref();
    let named = resumed
        .filter(|name| !name.is_empty())
        .or(runs.experiment_name.as_deref());
    let Some(name) = named else {
        if resumed.is_some() {
            return Err(Problem::usage("--resume does not say which experiment")
                .hint("add its name, as in --resume 20261122_101500, or give --experiment-name"));
        }
        return Ok((runs.output_dir.join(moment::folder_stamp()), false));
    };
    let folder = runs.output_dir.join(name);
    match (resumed.is_some(), folder.is_dir()) {
        (true, false) => Err(Problem::usage(format!(
            "there is no experiment {}",
            folder.display()
        ))
        .hint("check --output-dir and the name")),
        (false, true) if !runs.dry_run => Err(Problem::usage(format!(
            "{} is there already",
            folder.display()
        ))
        .hint("add --resume to go on with it, or give another --experiment-name")),
        (is_resumed, _) => Ok((folder, is_resumed)),
    }
}

/// All commands and folders, for `--dry-run`.
pub(crate) fn shown(sweep: &Sweep) -> String {
    let mut lines = Vec::new();
    for server in &sweep.servers {
        lines.push("[BEGIN SERVER]".to_owned());
        lines.push(format!(
            "Server overrides: {}",
            shown_parameters(&server.parameters)
        ));
        lines.push(format!(
            "Server command: {}",
            shown_command(&server.command)
        ));
        for cell in &server.cells {
            for number in 0..sweep.runs {
                let file = layout::run(&cell.folder, number);
                lines.push("[BEGIN BENCHMARK]".to_owned());
                lines.push(format!(
                    "Benchmark overrides: {}",
                    shown_parameters(&cell.parameters)
                ));
                lines.push(format!("Run Number: {number}"));
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                lines.push(format!(
                    "Benchmark command: {}",
                    shown_command(&cell.command_for(&name))
                ));
                lines.push(format!("Output file: {}", file.display()));
                lines.push("[END BENCHMARK]".to_owned());
            }
        }
        lines.push("[END SERVER]".to_owned());
    }
    lines.join("\n")
}

fn shown_parameters(parameters: &Combination) -> String {
    python::repr(&parameters.0.clone().into())
}

fn shown_command(command: &[String]) -> String {
    python::repr(&command.into())
}
