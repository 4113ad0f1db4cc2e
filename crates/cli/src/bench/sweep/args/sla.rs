//! The flags of `crestline bench sweep serve_sla`: those of `sweep serve`, the criteria, and how the load is looked for.
//!
//! Names of what is looked for and how are those of `crestline perf`; `--sla-params` and `--sla-variable` are vLLM's.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::SweepServeArgs;

/// Finds the highest load that meets an SLA, for each combination of server, benchmark and SLA parameters.
///
/// The flags, folders and files are those that `vllm bench sweep serve_sla` had. One server is started for each combination
/// of server parameters; all SLAs share what is measured on it.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct SweepSlaArgs {
    #[command(flatten)]
    pub(crate) serve: SweepServeArgs,
    #[command(flatten, next_help_heading = "SLA")]
    pub(crate) sla: SlaArgs,
}

/// What is sought, and how. A flag that is not given is `None`, so that one without meaning is refused only where it is typed.
#[derive(Debug, Clone, Args)]
pub(crate) struct SlaArgs {
    /// JSON file with the SLAs: a list of objects such as `{"p99_e2el_ms": "<=200", "p99_tpot_ms": "<50"}`, or an object of
    /// names and such objects. All of an object must hold; each object has an answer of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) sla_params: PathBuf,
    /// What is varied.
    #[arg(
        long,
        value_name = "VARIABLE",
        value_enum,
        default_value = "request_rate"
    )]
    pub(crate) sla_variable: SlaVariable,
    /// How loads are chosen: `crest`, one session with each server and a statistical answer for all SLAs; `pchip`, separate
    /// runs and the search that vLLM had, to compare with its answers.
    #[arg(long, value_name = "METHOD", value_enum, default_value = "crest")]
    pub(crate) sla_search: SlaSearch,
    /// Lowest load of the search; whole for `max_concurrency` and `pchip`. Services of less than one request a second need
    /// less [default: 1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) sla_lower_bound: Option<f64>,
    /// Highest load of the search [default: 8192].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) sla_upper_bound: Option<f64>,
    /// How sure the reported load must be to meet the SLA: `0.9` or `90%`; `crest` only [default: 0.9].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) sla_confidence: Option<String>,
    /// Relative precision at which a search may end: `0.05` or `5%`; `crest` only [default: 0.05].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) sla_tolerance: Option<String>,
    /// What the search on one server and benchmark may spend: time (`10m`), requests (`20000req`), tokens of answers
    /// (`5Mtok`), also several of them; whatever is used up first ends it; `crest` only [default: no limit of one's own].
    #[arg(
        long,
        value_name = "BUDGET",
        action = ArgAction::Append,
        allow_negative_numbers = true,
        value_delimiter = ','
    )]
    pub(crate) sla_budget: Vec<String>,
    /// Race the server combinations: search them in turns, and stop one early when another one certainly serves more within
    /// the same SLA; `crest` only.
    #[arg(long)]
    pub(crate) prune: bool,
}

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SlaVariable {
    /// Requests a second.
    #[value(name = "request_rate", alias = "request-rate")]
    RequestRate,
    /// Requests in flight.
    #[value(name = "max_concurrency", alias = "max-concurrency")]
    MaxConcurrency,
}

/// How loads are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SlaSearch {
    /// One session, changed in place.
    Crest,
    /// Separate runs, as vLLM made them.
    Pchip,
}

impl SlaVariable {
    /// The parameter's name, in commands and files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RequestRate => "request_rate",
            Self::MaxConcurrency => "max_concurrency",
        }
    }
}
