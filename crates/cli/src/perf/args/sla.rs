//! The flags of a search for the highest load that meets an SLA.

use clap::{ArgAction, Args, ValueEnum};

/// What is sought, and how. A flag that is not given is `None`, so that one without meaning is told only where it is typed.
#[derive(Debug, Clone, Args)]
pub(crate) struct SlaArgs {
    /// Find the highest load that meets `--sla-params`, in place of measuring given loads.
    #[arg(long)]
    pub(crate) sla_auto_tune: bool,
    /// What is varied: `parallel`, users in flight; `rate`, requests a second whatever is in flight [default: parallel].
    #[arg(long, value_name = "VARIABLE", value_enum)]
    pub(crate) sla_variable: Option<Variable>,
    /// Criteria as JSON: `[{"p99_ttft": "<=500ms", "p99_tpot": "<50ms"}, {"tps": "max"}]`. All of an object must hold; each
    /// object has an answer of its own. A bare time is seconds.
    #[arg(long, value_name = "JSON")]
    pub(crate) sla_params: Option<String>,
    /// Limits that a request must keep to count for the metric `goodput`: `ttft:500ms tpot:50ms`.
    #[arg(long, value_name = "NAME:LIMIT", num_args = 1.., action = ArgAction::Set)]
    pub(crate) goodput: Vec<String>,
    /// How loads are chosen: `crest`, one session and a statistical answer; `bisect`, separate runs as evalscope makes
    /// them, to compare with its figures [default: crest].
    #[arg(long, value_name = "METHOD", value_enum)]
    pub(crate) sla_search: Option<SearchMethod>,
    /// Lowest load of the search; `parallel` and `bisect` take whole numbers [default: 1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) sla_lower_bound: Option<f64>,
    /// Highest load of the search [default: 65536].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) sla_upper_bound: Option<f64>,
    /// How sure the reported load must be to meet the criteria: `0.9` or `90%`; `crest` only [default: 0.9].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) sla_confidence: Option<String>,
    /// Relative precision at which the search may end: `0.05` or `5%`; `crest` only [default: 0.05].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) sla_tolerance: Option<String>,
    /// What the search may spend: time (`10m`), requests (`20000req`), tokens of answers (`5Mtok`), also several of them;
    /// whatever is used up first ends it; `crest` only [default: no limit of one's own].
    #[arg(
        long,
        value_name = "BUDGET",
        action = ArgAction::Append,
        allow_negative_numbers = true,
        value_delimiter = ','
    )]
    pub(crate) sla_budget: Vec<String>,
    /// Runs of each load, averaged; `bisect` only [default: 3].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) sla_num_runs: Option<i64>,
    /// Requests of one run, as a multiple of the load; `bisect` only [default: 2].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) sla_number_multiplier: Option<f64>,
    /// Most requests in flight while the rate is varied; the wait for a slot counts as latency [default: no limit in `crest`,
    /// the upper bound in `bisect`].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) sla_fixed_parallel: Option<i64>,
    /// Go on with a search that was ended early, from what it left in its folder; without a folder, the last one of the same
    /// name under `--outputs-dir`.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "")]
    pub(crate) resume: Option<String>,
}

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variable {
    /// Users in flight.
    Parallel,
    /// Requests a second.
    Rate,
}

/// How loads are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SearchMethod {
    /// One session, changed in place.
    Crest,
    /// Separate runs.
    Bisect,
}
