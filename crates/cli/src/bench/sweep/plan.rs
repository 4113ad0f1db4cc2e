//! The whole meaning of the flags of `crestline bench sweep serve`: which servers are started, and which benchmarks run on each.
//!
//! Starts nothing. Parameter files are read here, so that every refusal comes before the first start.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::SweepServeArgs;
use super::bench_command::{Bench, Output};
use super::layout;
use super::overrides::{self, Alias};
use super::params::{self, Combination};
use super::server::ServerSettings;
use super::virtual_server::{self, VirtualServer};
use crate::console;
use crate::moment;
use crate::problem::Problem;
use crate::report::Page;
use crate::secrets;
use crate::values;

/// A whole experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sweep {
    /// Its folder.
    pub(crate) experiment: PathBuf,
    /// What is there is used, as far as it fits.
    pub(crate) is_resumed: bool,
    pub(crate) servers: Vec<ServerCells>,
    pub(crate) bench: Bench,
    /// How servers are started and waited for.
    pub(crate) server: ServerSettings,
    pub(crate) runs: u32,
    /// Prompts of a run before the first, which is not counted.
    pub(crate) warmup_prompts: Option<u32>,
    pub(crate) on_error: OnError,
    pub(crate) output: Output,
    pub(crate) page: Page,
    /// What the user should know of how the flags were read.
    pub(crate) notes: Vec<String>,
}

impl Sweep {
    /// Says what the user should know before anything starts.
    pub(crate) fn tell_notes(&self) {
        for note in &self.notes {
            console::tell(&format!("note: {note}"));
        }
    }
}

/// What becomes of the rest when something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    Stop,
    GoOn,
}

/// One start of the server, and what is run on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerCells {
    pub(crate) parameters: Combination,
    pub(crate) command: Vec<String>,
    pub(crate) log: PathBuf,
    /// The simulated engine that stands for it in virtual time.
    pub(crate) simulated: Option<VirtualServer>,
    pub(crate) cells: Vec<Cell>,
}

/// One benchmark, which is run several times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) parameters: Combination,
    pub(crate) command: Vec<String>,
    pub(crate) folder: PathBuf,
}

/// How an experiment is called, and whether it is one that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming<'a> {
    pub(super) output_dir: &'a Path,
    pub(super) experiment_name: Option<&'a str>,
    pub(super) resume: Option<&'a str>,
    pub(super) dry_run: bool,
}

/// Two parameters that must be equal.
struct Link {
    serve: String,
    bench: String,
}

/// Translates the flags.
pub(crate) fn translate(args: &SweepServeArgs) -> Result<Sweep, Problem> {
    let (bench, note) = Bench::of(
        words("--bench-cmd", &args.commands.bench_cmd)?,
        args.commands.native(),
    )?;
    if args.commands.virtual_time {
        virtual_server::check_client(&bench)?;
    }
    let (experiment, is_resumed) = experiment(&args.runs.naming())?;
    let servers = servers(args, &experiment, &bench)?;
    let server = ServerSettings::of(&args.commands)?;
    let mut notes: Vec<String> = note.map(str::to_owned).into_iter().collect();
    let simulated = servers.iter().filter_map(|cells| cells.simulated.as_ref());
    for note in simulated.flat_map(|simulated| &simulated.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    let cells = servers.iter().flat_map(|server| &server.cells);
    notes.extend(bench.check(cells.map(|cell| &cell.command[..]))?);
    for cells in servers.iter().filter(|cells| cells.simulated.is_none()) {
        server.check(&cells.command)?;
    }
    notes.extend(elsewhere(&servers, &server, &bench));
    let warmup = values::count("--warmup-num-prompts", args.runs.warmup_num_prompts)?;
    Ok(Sweep {
        experiment,
        is_resumed,
        servers,
        runs: values::positive("--num-runs", args.runs.num_runs)?.get(),
        warmup_prompts: (warmup > 0).then_some(warmup),
        bench,
        server,
        on_error: args.runs.on_error(),
        output: args.commands.output(),
        page: args.runs.page.page(),
        notes,
    })
}

/// All combinations, by server. A server on which nothing is run is left out.
fn servers(
    args: &SweepServeArgs,
    experiment: &Path,
    bench: &Bench,
) -> Result<Vec<ServerCells>, Problem> {
    let command = words("--serve-cmd", &args.commands.serve_cmd)?;
    let parameters = &args.parameters;
    let serve = combinations("--serve-params", parameters.serve_params.as_deref())?;
    let benches = combinations("--bench-params", parameters.bench_params.as_deref())?;
    let links = links(&parameters.link_vars)?;
    let aliases = aliases(&parameters.serve_alias)?;
    let mut servers = Vec::new();
    for combination in serve {
        let linked = benches
            .iter()
            .filter(|bench| is_linked(&links, &combination, bench));
        let linked: Vec<&Combination> = linked.collect();
        if linked.is_empty() {
            continue;
        }
        let command = overrides::applied(&command, &combination, &aliases);
        let simulated = virtual_server::of(&args.commands, experiment, &combination, &command)?;
        let cells = linked.into_iter().map(|parameters| {
            let command = overrides::applied(&bench.command, parameters, &[]);
            Cell {
                command: match &simulated {
                    Some(simulated) => simulated.as_service_of(&command),
                    None => command,
                },
                folder: layout::folder(experiment, &combination, parameters),
                parameters: parameters.clone(),
            }
        });
        servers.push(ServerCells {
            cells: cells.collect(),
            log: layout::log(experiment, &combination),
            command,
            simulated,
            parameters: combination,
        });
    }
    if servers.is_empty() {
        return Err(Problem::usage("--link-vars leaves no combination")
            .hint("both files need the linked parameters, with values that are equal somewhere"));
    }
    let cells = servers.iter().flat_map(|server| &server.cells);
    apart(cells.map(|cell| &*cell.folder))?;
    apart(servers.iter().map(|server| &*server.log))?;
    Ok(servers)
}

/// A benchmark that asks another port than its server's measures something else, unless requests are passed on.
fn elsewhere(servers: &[ServerCells], settings: &ServerSettings, bench: &Bench) -> Option<String> {
    let mut ports = HashMap::new();
    let mut pairs = servers.iter().flat_map(|server| {
        let listens = settings.port(&server.command);
        server
            .cells
            .iter()
            .map(move |cell| (listens, &cell.command))
    });
    let (listens, asked) = pairs.find_map(|(listens, command)| {
        let asked = *ports.entry(command).or_insert_with(|| bench.port(command));
        let pair = (listens?, asked?);
        (pair.0 != pair.1).then_some(pair)
    })?;
    Some(format!(
        "the server listens at port {listens}, and the benchmark asks port {asked}: unless something between them passes requests on, another service is measured"
    ))
}

/// A command as a shell would part it.
pub(super) fn words(flag: &str, command: &str) -> Result<Vec<String>, Problem> {
    let words = shlex::split(command).ok_or_else(|| {
        Problem::usage(format!("{flag} has a quote without its end")).hint("close it")
    })?;
    if words.is_empty() {
        return Err(Problem::usage(format!("{flag} is empty")).hint("write the command in quotes"));
    }
    Ok(words)
}

/// Reads a parameter file. What stands in it stands in names of folders and in results, so that secrets are refused.
pub(super) fn combinations(flag: &str, path: Option<&Path>) -> Result<Vec<Combination>, Problem> {
    let all = params::read(flag, path)?;
    let has_secret = |key: &str, value: &Value| {
        let fields = [(key.to_owned(), value.clone())];
        let words = overrides::applied(&[], &Combination(fields.into_iter().collect()), &[]);
        secrets::masked(&words) != words
    };
    let secret = all
        .iter()
        .flat_map(Combination::parameters)
        .find(|(key, value)| has_secret(key, value));
    if let Some((key, _)) = secret {
        return Err(Problem::usage(format!(
            "{flag}: the secret in {key} would stand in names of folders and in results"
        ))
        .hint("write it into the command, where it is masked, or into the environment"));
    }
    Ok(all)
}

/// Refuses combinations with the same place: each would put aside what the other has measured.
pub(super) fn apart<'a>(places: impl IntoIterator<Item = &'a Path>) -> Result<(), Problem> {
    let mut known = HashSet::new();
    let same = places.into_iter().find(|place| !known.insert(*place));
    same.map_or(Ok(()), |place| {
        Err(Problem::usage(format!(
            "two combinations have the same place for results: {}",
            place.display()
        ))
        .cause("`/` is `_` in names of folders, and `..` is `__`")
        .hint("give one of them a name of its own, as in {\"_benchmark_name\": \"b\", …}"))
    })
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
        matches!(values, (Some(one), Some(other)) if is_equal(one, other))
    })
}

/// As Python compares: 8 and 8.0 are equal.
fn is_equal(one: &Value, other: &Value) -> bool {
    let numbers = one.as_f64().zip(other.as_f64());
    one == other || numbers.is_some_and(|(one, other)| one.total_cmp(&other).is_eq())
}

/// Reads `--serve-alias`.
pub(crate) fn aliases(typed: &[String]) -> Result<Vec<Alias>, Problem> {
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
pub(super) fn experiment(runs: &Naming<'_>) -> Result<(PathBuf, bool), Problem> {
    let resumed = runs.resume;
    let named = resumed
        .filter(|name| !name.is_empty())
        .or(runs.experiment_name);
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
