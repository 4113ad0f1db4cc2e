//! What a report is made of: the values of runs, of searches and of sweeps, wherever they were read.
//!
//! Plain data. Whoever reads files fills it in, and leaves empty what a file does not say; [`crate::html`] makes a page of it.
//! Times are seconds, rates are a second, shares are in 0..=1.

use std::collections::BTreeMap;

use crestline_core::metrics::Metric;
use crestline_core::search::Outcome;
use serde_json::Value;

/// Everything of one report.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What was measured, in a few words: a model, or the name of an experiment.
    pub title: String,
    /// Where: a URL, a server, a folder.
    pub subject: String,
    /// Runs at one load each, in the order in which they are shown.
    pub loads: Vec<LoadFacts>,
    /// Searches for the highest load within an SLA.
    pub searches: Vec<SearchFacts>,
    /// What is shown as it stands, such as the times of starts.
    pub tables: Vec<PlainTable>,
    /// Parameters in which the runs differ, in the order of the user; empty where they differ in the load alone.
    pub parameters: Vec<String>,
    /// Files and runs that were left out, each with the reason.
    pub left_out: Vec<String>,
}

/// A run at one load.
#[derive(Debug, Clone, Default)]
pub struct LoadFacts {
    /// Values of the parameters in which runs differ, by name; empty where they differ in the load alone.
    pub parameters: BTreeMap<String, String>,
    /// What was applied.
    pub applied: Applied,
    /// Which repetition it is, from 0.
    pub repeat: usize,
    /// What it came to.
    pub figures: Figures,
    /// What is known where each request is: its course, its requests, its lengths.
    pub detail: Option<Box<Detail>>,
    /// Whether the client kept up.
    pub client: Client,
    /// Where it comes from, for whoever wants to do it again.
    pub origin: Origin,
}

/// The load that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Applied {
    /// Most requests in flight; `None` is no limit.
    pub concurrency: Option<f64>,
    /// Requests a second; `None` is a closed loop, or all at once.
    pub rate: Option<f64>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// From the first request to the end of the last.
    pub duration_s: Option<f64>,
    /// Requests that count.
    pub requests: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Figures of the whole run: throughputs.
    pub totals: BTreeMap<Metric, f64>,
    /// Spreads over requests, or over gaps.
    pub spreads: BTreeMap<Metric, Spread>,
    /// Failures by kind, as the file names them.
    pub failures: BTreeMap<String, u64>,
}

/// How a value is spread, in the base unit of its metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spread {
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation.
    pub deviation: Option<f64>,
    /// Smallest and largest.
    pub ends: Option<[f64; 2]>,
    /// Quantiles: which in 0..=1, and the value; rising.
    pub quantiles: Vec<(f64, f64)>,
}

/// What is known of a run whose requests are all known.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Over time, lengths, single requests, failures.
    pub digest: crestline_core::digest::Digest,
    /// For intervals of its figures.
    pub segments: Option<crestline_core::segments::Segments>,
    /// What the service said of itself meanwhile; empty where it was not asked.
    pub server: Vec<crestline_core::server_series::Course>,
    /// Prompts and answers of the requests of the digest, by index; empty unless they are wanted.
    pub texts: BTreeMap<u64, Texts>,
}

/// What was sent and answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// Body of the request.
    pub request: String,
    /// Answer, reasoning included.
    pub answer: String,
}

/// Whether the client was the bottleneck.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Client {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// There was none: the service was simulated in virtual time.
    Virtual,
    /// It kept up; what it observed of itself, by name.
    Sound(Vec<(String, String)>),
    /// It did not: the reasons, and what it observed.
    Void(Vec<String>, Vec<(String, String)>),
}

/// Where a run comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin {
    /// Program and version that measured.
    pub tool: String,
    /// When it began, as seconds since 1970-01-01 UTC.
    pub began_s: Option<f64>,
    /// The command that did it, secrets masked.
    pub command: Option<String>,
    /// Model that was asked for.
    pub model: Option<String>,
    /// Where requests went.
    pub url: Option<String>,
    /// Of what is drawn.
    pub seed: Option<u64>,
    /// Files it was read from.
    pub files: Vec<String>,
    /// All settings, as the file has them.
    pub settings: Option<Value>,
    /// What was sent, as far as it says what kind of work it is: the same whatever the seed, the load and the service.
    pub work: Option<Value>,
    /// It ended in good order, with all of its requests.
    pub is_complete: bool,
}

/// A search.
#[derive(Debug, Clone, Default)]
pub struct SearchFacts {
    /// Values of the parameters in which searches differ, by name.
    pub parameters: BTreeMap<String, String>,
    /// What the load is counted in: `users`, `requests a second`.
    pub unit: String,
    /// One for each group of criteria.
    pub answers: Vec<AnswerFacts>,
    /// Stretches of time at one load, in order of time; empty where they are not known.
    pub dwells: Vec<DwellFacts>,
    /// Loads that were tried, rising.
    pub tried: Vec<TriedFacts>,
    /// All of its requests as one run; its load is what was tried last.
    pub session: Option<Box<LoadFacts>>,
    /// What it cost, by name: requests, tokens, time.
    pub cost: Vec<(String, String)>,
    /// The file has no end: it was interrupted, or is still going on.
    pub is_interrupted: bool,
}

/// What was found for a group of criteria.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerFacts {
    /// The group, such as `p99_ttft <= 0.2, avg_tpot <= 0.01`.
    pub criteria: String,
    /// What kind of answer it is; `None` where another program says no more than a load.
    pub outcome: Option<Outcome>,
    /// The load to be reported.
    pub load: Option<f64>,
    /// The most likely load.
    pub estimate: Option<f64>,
    /// Where the true load lies, and with which probability.
    pub interval: Option<([f64; 2], Option<f64>)>,
    /// How sure `load` is, in 0..=1.
    pub confidence: Option<f64>,
    /// The criterion that limits.
    pub binding: Option<String>,
    /// Log-odds of a violation for each unit of log load, at the answer.
    pub knee: Option<f64>,
    /// Of a search for the best of a measure: that best.
    pub best: Option<f64>,
    /// Output tokens a second at the load, where that is known.
    pub output_tps: Option<f64>,
    /// Requests that count as evidence near it.
    pub requests: Option<u64>,
    /// Why it ended so, in words.
    pub reason: String,
}

/// A stretch of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DwellFacts {
    /// From when to when, since the search began.
    pub span_s: [f64; 2],
    /// When its requests began to count.
    pub counted_from_s: Option<f64>,
    /// Users, or requests a second.
    pub load: f64,
    /// What the search was doing.
    pub stage: String,
    /// Requests that counted, and failures among them.
    pub requests: [u64; 2],
    /// What the criteria measure, by name, in base units.
    pub measured: Vec<(String, Option<f64>)>,
    /// For each group, in the order of the answers: whether this stretch alone meets it, and what it misses.
    pub groups: Vec<(bool, Vec<String>)>,
}

/// A load of a search, all of its stretches together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TriedFacts {
    /// Users, or requests a second.
    pub load: f64,
    /// Requests that ended, and failures among them.
    pub requests: [u64; 2],
    /// Figures by name, in base units: throughputs, times.
    pub figures: Vec<(String, Option<f64>)>,
    /// For each criterion on single requests: its words, how many requests violate it, of how many, and the share that may.
    pub violations: Vec<Violations>,
}

/// Requests that violate a criterion.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Violations {
    /// The criterion, such as `p99_ttft <= 0.2`.
    pub criterion: String,
    /// Requests that violate it; failures do.
    pub violating: u64,
    /// Requests that count.
    pub counted: u64,
    /// Share of the requests that may violate it, such as 0.01 for a p99.
    pub allowed: f64,
}

/// A table that is shown as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlainTable {
    /// What it shows.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values: texts, numbers or null.
    pub rows: Vec<Vec<Value>>,
}
