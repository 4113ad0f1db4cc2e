//! What a search found, and how sure it is.

use serde::{Deserialize, Serialize};

use crate::sla::Criterion;

/// The answer to one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What kind of answer it is.
    pub outcome: Outcome,
    /// The load that is reported: at the asked confidence, the service meets the criteria there. For an aim, the
    /// smallest load that comes within 2 % of the best.
    pub load: Option<f64>,
    /// The most likely load; may be above `load`.
    pub estimate: Option<f64>,
    /// Where the true load lies.
    pub interval: Option<Interval>,
    /// Of an aim: the best value of its measure, in the measure's base unit.
    pub best: Option<f64>,
    /// The criterion that limits the load.
    pub binding: Option<Criterion>,
    /// How fast the service leaves the criteria behind as the load grows.
    pub knee: Option<Knee>,
    /// Requests that count as evidence near the answer.
    pub requests: u64,
    /// Requests that would still be needed, where the outcome is inconclusive.
    pub requests_needed: Option<u64>,
    /// Why it ended so, in words.
    pub reason: String,
}

/// The kinds of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A load was found.
    Value,
    /// The criteria are not even met at the lower bound.
    Infeasible,
    /// The criteria are met up to the upper bound.
    NotReached,
    /// The budget was used up first.
    Inconclusive,
    /// The client was the bottleneck.
    Void,
    /// Stopped early, because another configuration serves more: how much this one serves was not found out.
    Outpaced,
}

/// A range of loads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How likely the true load lies in it, in 0..=1; `None` where it is the range between two loads that were tried.
    pub probability: Option<f64>,
}

impl Interval {
    /// It holds the true load with a probability of 90 %.
    pub fn likely(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            probability: Some(0.9),
        }
    }

    /// The range between two loads that were tried.
    pub fn tried(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            probability: None,
        }
    }
}

impl Answer {
    /// Of which nothing but the kind and the reason is known.
    pub fn bare(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            load: None,
            estimate: None,
            interval: None,
            best: None,
            binding: None,
            knee: None,
            requests: 0,
            requests_needed: None,
            reason: reason.into(),
        }
    }
}

impl Answer {
    /// The same, of a configuration that was stopped because another one is better: no load is its answer.
    pub fn outpaced(self, why: &str) -> Self {
        Self {
            outcome: Outcome::Outpaced,
            load: None,
            requests_needed: None,
            reason: why.to_owned(),
            ..self
        }
    }
}

/// How fast the share of violations grows with the load: its log-odds for each unit of log load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// `d log-odds(p) / d log(load)` at the answer.
    pub beta: f64,
}

/// How far a search is, for whoever watches it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// What it is doing, in a word or two.
    pub stage: &'static str,
    /// The load that is applied.
    pub load: f64,
    /// Where the answer to the first open group lies, as far as that is known.
    pub interval: Option<Interval>,
    /// Share of the work that is done, in 0..=1, as far as that can be told.
    pub progress: f64,
}
