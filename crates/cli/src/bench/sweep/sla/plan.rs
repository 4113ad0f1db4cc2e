//! The whole meaning of the flags of `crestline bench sweep serve_sla`: a sweep, the SLAs, and how loads are looked for.
//!
//! Starts and sends nothing. Every refusal that does not need a server happens here.

use std::path::Path;

use crestline_core::search::{Bounds, Budget, Variable};
use serde_json::Map;

use super::super::args::{SlaArgs, SlaSearch, SlaVariable, SweepSlaArgs};
use super::super::bench_command::Client;
use super::super::overrides::{self, Alias};
use super::super::params::Combination;
use super::super::plan::{self, Sweep};
use super::criteria::{self, Condition, Keys, Sla};
use crate::problem::Problem;
use crate::search_flags;

/// The highest load of vLLM's search, which stands for all that is higher.
const HIGHEST: f64 = 8192.0;
/// The lowest load that is tried where none is given, also a rate: at a lower one the requests of a single dwell take minutes.
const LOWEST: f64 = 1.0;
/// Where a search begins, within its bounds.
const FIRST: f64 = 1.0;
/// The parameter that says which percentiles are in a result, and what it is without.
const PERCENTILES: &str = "metric_percentiles";
const DEFAULT_PERCENTILES: &str = "99";
/// Runs of each load, where that is not said.
const DEFAULT_RUNS: i64 = 3;
/// The parameter that puts single requests into a result.
const DETAILS: &str = "save_detailed";

/// A search for each combination of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlaSweep {
    pub(crate) sweep: Sweep,
    pub(crate) variable: SlaVariable,
    pub(crate) slas: Vec<Sla>,
    pub(crate) method: Method,
    pub(crate) bounds: Bounds,
    /// Whether all are searched to the end.
    pub(crate) field: Field,
    /// Short names in the server command.
    pub(crate) aliases: Vec<Alias>,
    /// What the user should know of how the flags were read.
    pub(crate) notes: Vec<String>,
}

/// How loads are chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Method {
    /// One session on each server for all SLAs.
    Crest {
        confidence: f64,
        tolerance: f64,
        budget: Budget,
    },
    /// Separate runs, each SLA after the other, as vLLM did.
    Pchip,
}

/// How server combinations are searched beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// One after the other, each to its end.
    Each,
    /// In turns, as long as none is certainly better.
    Race,
}

/// Translates the flags.
pub(crate) fn translate(args: &SweepSlaArgs) -> Result<SlaSweep, Problem> {
    let mut sweep = plan::translate(&args.serve)?;
    let typed = &args.sla;
    check_variable(&sweep, typed.sla_variable)?;
    let mut notes = notes(args, &sweep);
    let method = match method(typed)? {
        Method::Crest { .. } if sweep.bench.client == Client::Program => {
            match of_program(typed, &mut sweep, &mut notes)? {
                Judged::Requests => method(typed)?,
                Judged::Runs => Method::Pchip,
            }
        }
        method => method,
    };
    if method != Method::Pchip {
        notes.extend(idle(args, &sweep));
    }
    let keys = match typed.sla_search {
        SlaSearch::Crest => Keys::Judged,
        SlaSearch::Pchip => Keys::Known,
    };
    Ok(SlaSweep {
        slas: criteria::read(&typed.sla_params, keys)?,
        variable: typed.sla_variable,
        bounds: bounds(typed, &method)?,
        method,
        field: field(typed, sweep.bench.client)?,
        aliases: plan::aliases(&args.serve.parameters.serve_alias)?,
        notes,
        sweep,
    })
}

/// What a load is held against an SLA by.
enum Judged {
    Requests,
    Runs,
}

/// What can be judged of the runs of a program: single requests where it writes them down.
fn of_program(
    typed: &SlaArgs,
    sweep: &mut Sweep,
    notes: &mut Vec<String>,
) -> Result<Judged, Problem> {
    if typed.prune {
        return Err(Problem::usage("--prune needs a benchmark of crestline's own")
            .cause("a race goes on with sessions, and another program makes whole runs")
            .hint("use --bench-cmd 'crestline bench serve …', add --bench-native, or leave out --prune"));
    }
    let program = Path::new(&sweep.bench.command[0]).file_name();
    let is_vllm = program.is_some_and(|name| name == "vllm");
    let details = Combination(Map::from_iter([(DETAILS.to_owned(), true.into())]));
    let is_detailed =
        |command: &[String]| overrides::applied(command, &details, &[]).len() == command.len();
    let mut cells: Vec<_> = sweep
        .servers
        .iter_mut()
        .flat_map(|server| &mut server.cells)
        .collect();
    if !is_vllm && !cells.iter().all(|cell| is_detailed(&cell.command)) {
        notes.push(
            "--bench-cmd does not ask for single requests (--save-detailed): whole runs are judged, as with --sla-search pchip"
                .to_owned(),
        );
        return Ok(Judged::Runs);
    }
    for cell in &mut cells {
        cell.command = overrides::applied(&cell.command, &details, &[]);
    }
    notes.push(
        "--bench-cmd makes whole runs: each load is a run of its own, which begins and ends with an empty service"
            .to_owned(),
    );
    Ok(Judged::Requests)
}

/// What is typed and not done.
fn notes(args: &SweepSlaArgs, sweep: &Sweep) -> Vec<String> {
    let mut notes = Vec::new();
    let name = args.sla.sla_variable.name();
    let asks = |key: &str| {
        let mut cells = sweep.servers.iter().flat_map(|server| &server.cells);
        cells.any(|cell| value_of(&cell.command, key).is_some())
    };
    if asks(name) {
        notes.push(format!(
            "the --{} of --bench-cmd gives way to the loads that are tried",
            name.replace('_', "-")
        ));
    }
    notes
}

/// What a search that chooses its own runs has no use for.
fn idle(args: &SweepSlaArgs, sweep: &Sweep) -> Vec<String> {
    let runs = &args.serve.runs;
    let is_own = sweep.bench.client == Client::Own;
    let asks = |key: &str| {
        let mut cells = sweep.servers.iter().flat_map(|server| &server.cells);
        cells.any(|cell| value_of(&cell.command, key).is_some())
    };
    [
        (
            "--num-runs",
            runs.num_runs != DEFAULT_RUNS,
            "it measures near the answer until that is sure",
        ),
        (
            "--warmup-num-prompts",
            runs.warmup_num_prompts > 0,
            "it warms up by itself",
        ),
        (
            "the --num-prompts of --bench-cmd",
            is_own && asks("num_prompts"),
            "it chooses how many requests it sends; --sla-budget limits them",
        ),
        (
            "the --num-warmups of --bench-cmd",
            asks("num_warmups"),
            "it warms up by itself",
        ),
    ]
    .into_iter()
    .filter(|(_, is_typed, _)| *is_typed)
    .map(|(flag, _, why)| format!("{flag} has no effect in --sla-search crest: {why}"))
    .collect()
}

/// The value that a command gives a parameter, the last one.
pub(super) fn value_of<'a>(command: &'a [String], key: &str) -> Option<&'a str> {
    let key = key.replace('_', "-");
    let is_flag = |word: &str| {
        let name = word.strip_prefix("--");
        name.is_some_and(|name| name.replace('_', "-") == key)
    };
    let mut words = command.iter().enumerate().rev();
    words.find_map(|(place, word)| match word.split_once('=') {
        Some((flag, value)) if is_flag(flag) => Some(value),
        None if is_flag(word) => command.get(place + 1).map(String::as_str),
        _ => None,
    })
}

/// What is searched for cannot be given.
fn check_variable(sweep: &Sweep, variable: SlaVariable) -> Result<(), Problem> {
    let name = variable.name();
    let cells = sweep.servers.iter().flat_map(|server| &server.cells);
    let sets = |parameters: &&Combination| parameters.sets(name);
    match cells.map(|cell| &cell.parameters).find(sets) {
        None => Ok(()),
        Some(parameters) => Err(Problem::usage(format!(
            "--bench-params sets {name}, which --sla-variable searches for"
        ))
        .cause(format!("the combination is {}", parameters.name()))
        .hint(format!(
            "leave {name} out of the file, or choose the other --sla-variable"
        ))),
    }
}

fn field(typed: &SlaArgs, client: Client) -> Result<Field, Problem> {
    if typed.prune && client == Client::Program {
        return Err(
            Problem::usage("--prune needs a benchmark of crestline's own")
                .cause("a search is stopped while it goes on, which whole runs of another program are not")
                .hint("give --bench-cmd 'crestline bench serve ...', add --bench-native, or leave --prune out"),
        );
    }
    match (typed.prune, typed.sla_search) {
        (false, _) => Ok(Field::Each),
        (true, SlaSearch::Crest) => Ok(Field::Race),
        (true, SlaSearch::Pchip) => Err(Problem::usage(
            "--prune has no meaning in --sla-search pchip",
        )
        .cause("it compares what is known of loads while they are searched, and pchip only knows its last answer")
        .hint("leave one of them out")),
    }
}

fn method(typed: &SlaArgs) -> Result<Method, Problem> {
    match typed.sla_search {
        SlaSearch::Crest => Ok(Method::Crest {
            confidence: search_flags::confidence(typed.sla_confidence.as_deref())?,
            tolerance: search_flags::tolerance(typed.sla_tolerance.as_deref())?,
            budget: search_flags::budget(&typed.sla_budget)?,
        }),
        SlaSearch::Pchip => {
            let given = [
                ("--sla-confidence", typed.sla_confidence.is_some()),
                ("--sla-tolerance", typed.sla_tolerance.is_some()),
                ("--sla-budget", !typed.sla_budget.is_empty()),
            ];
            match given.into_iter().find(|(_, given)| *given) {
                None => Ok(Method::Pchip),
                Some((flag, _)) => Err(Problem::usage(format!(
                    "{flag} has no meaning in --sla-search pchip"
                ))
                .cause("it takes each comparison as final and ends at neighbouring loads")
                .hint(format!("leave out {flag}, or leave out --sla-search"))),
            }
        }
    }
}

fn bounds(typed: &SlaArgs, method: &Method) -> Result<Bounds, Problem> {
    let is_real = typed.sla_variable == SlaVariable::RequestRate && *method != Method::Pchip;
    let highest = typed.sla_upper_bound.unwrap_or(HIGHEST);
    let lowest = typed.sla_lower_bound.unwrap_or(LOWEST.min(highest));
    for (flag, value) in [
        ("--sla-lower-bound", lowest),
        ("--sla-upper-bound", highest),
    ] {
        if !value.is_finite() || value <= 0.0 || value > f64::from(u32::MAX) {
            return Err(Problem::usage(format!(
                "{flag} must be above 0 and at most {}, not {value}",
                u32::MAX
            )));
        }
        if !is_real && value.fract() != 0.0 {
            return Err(
                Problem::usage(format!("{flag} must be a whole number, not {value}")).cause(
                    match typed.sla_variable {
                        SlaVariable::MaxConcurrency => "requests in flight are counted",
                        SlaVariable::RequestRate => "whole runs are searched over whole rates only",
                    },
                ),
            );
        }
    }
    if lowest > highest {
        return Err(Problem::usage(format!(
            "--sla-lower-bound {lowest} is above --sla-upper-bound {highest}"
        ))
        .hint("give the lowest load that is of interest, and the highest"));
    }
    Ok(Bounds { lowest, highest })
}

impl Method {
    /// As it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Crest { .. } => "crest",
            Self::Pchip => "pchip",
        }
    }
}

impl SlaSweep {
    /// How sure an answer is, where the search says so.
    pub(crate) fn confidence(&self) -> Option<f64> {
        match self.method {
            Method::Crest { confidence, .. } => Some(confidence),
            Method::Pchip => None,
        }
    }

    /// What the load is counted in.
    pub(crate) fn counted_in(&self) -> Variable {
        match self.variable {
            SlaVariable::RequestRate => Variable::Rate,
            SlaVariable::MaxConcurrency => Variable::Users,
        }
    }

    /// A benchmark's command that asks for all percentiles that the SLAs name.
    pub(crate) fn with_percentiles(&self, command: &[String]) -> Vec<String> {
        let typed = value_of(command, PERCENTILES).unwrap_or(DEFAULT_PERCENTILES);
        let mut wanted: Vec<String> = typed.split(',').map(str::to_owned).collect();
        let known = wanted.len();
        let conditions = self.slas.iter().flat_map(|sla| &sla.conditions);
        for percentile in conditions.filter_map(Condition::percentile) {
            let same = |text: &String| text.trim().parse::<f64>() == Ok(percentile);
            if !wanted.iter().any(same) {
                wanted.push(format!("{percentile}"));
            }
        }
        if wanted.len() == known {
            return command.to_vec();
        }
        let all = Combination(Map::from_iter([(
            PERCENTILES.to_owned(),
            wanted.join(",").into(),
        )]));
        overrides::applied(command, &all, &[])
    }

    /// The load that is tried first.
    pub(crate) fn first(&self) -> f64 {
        FIRST.clamp(self.bounds.lowest, self.bounds.highest)
    }
}
