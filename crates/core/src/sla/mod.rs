//! What a service must keep to: criteria on a load, as they were asked for.
//!
//! Knows metrics and limits only. Which load to try next is [`crate::search`]'s part; what flags say is the front end's.

mod condition;
mod error;
mod json;
mod names;
mod parse;
mod slo;
mod text;
mod verdict;
mod violations;

pub use error::{CriteriaError, CriterionFault, SloError};
pub use parse::parse_groups;
pub use slo::parse_slo;
pub use verdict::{Figure, Finding, Missing, Probe, Verdict};
pub use violations::Violations;

use serde::{Deserialize, Serialize};

/// Criteria that must all be met by one load, and what is to be best among the loads that do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Group {
    /// All must hold.
    pub criteria: Vec<Criterion>,
    /// Sought among the loads that meet the criteria; without one, the highest such load is the answer.
    pub aim: Option<Aim>,
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// What is limited.
    pub measure: Measure,
    /// On which side of the threshold it must be.
    pub relation: Relation,
    /// In the measure's base unit: seconds, requests or tokens a second, or a share in 0..=1.
    pub threshold: f64,
}

/// Something to be made as large or as small as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// What.
    pub measure: Measure,
    /// In which direction.
    pub goal: Goal,
}

/// The direction of an [`Aim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// As high as possible.
    Max,
    /// As low as possible.
    Min,
}

/// What of a load can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A statistic of a time, over requests (ITL: over gaps).
    Time(Statistic, Timed),
    /// Work done a second.
    Throughput(Throughput),
    /// Share of requests that end well.
    SuccessRate,
    /// Share of requests that keep to every limit of the [`Slo`].
    Goodput,
}

/// A statistic of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The quantile, in 0..1.
    Quantile(f64),
}

/// A time of a request. TTFT and latency count from when the request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timed {
    /// Due to the whole answer.
    Latency,
    /// Due to the first token.
    Ttft,
    /// Time per output token after the first.
    Tpot,
    /// Gap between two events of an answer.
    Itl,
}

/// Work done a second by a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throughput {
    /// Successful requests.
    Requests,
    /// Tokens of answers.
    OutputTokens,
    /// Tokens of prompts and answers.
    TotalTokens,
}

/// How a measure must lie to its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// Limits for a single request, in seconds: goodput counts the requests that keep to all of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Slo {
    /// At most one for each time.
    pub limits: Vec<(Timed, f64)>,
}

#[cfg(test)]
mod tests;
