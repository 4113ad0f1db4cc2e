//! What each measure is called in criteria, and what it is measured in.
//!
//! Decides nothing: which conditions a measure may have is for [`super::parse_groups`] to say.

use std::fmt;

use super::{Goal, Measure, Statistic, Throughput, Timed};
use crate::metrics::{Metric, Unit};

/// The statistics that a criterion may name.
const STATISTICS: [Statistic; 6] = [
    Statistic::Mean,
    Statistic::Quantile(0.5),
    Statistic::Quantile(0.9),
    Statistic::Quantile(0.95),
    Statistic::Quantile(0.99),
    Statistic::Quantile(0.999),
];

const TIMES: [Timed; 4] = [Timed::Latency, Timed::Ttft, Timed::Tpot, Timed::Itl];

const OTHERS: [Measure; 5] = [
    Measure::Throughput(Throughput::Requests),
    Measure::Throughput(Throughput::OutputTokens),
    Measure::Throughput(Throughput::TotalTokens),
    Measure::SuccessRate,
    Measure::Goodput,
];

/// All measures in a line, for hints.
pub(super) const KNOWN: &str = "avg_, p50_, p90_, p95_, p99_ or p99.9_ before latency, ttft, tpot or itl; rps, tps, \
     total_tps, success_rate, goodput";

impl Measure {
    /// Every measure that a criterion may name.
    pub fn all() -> impl Iterator<Item = Self> {
        STATISTICS
            .into_iter()
            .flat_map(|statistic| TIMES.map(|time| Self::Time(statistic, time)))
            .chain(OTHERS)
    }

    /// The measure of that name, such as `p99_ttft` or `rps`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|measure| measure.to_string() == name)
    }

    /// The direction in which it gets better for those who are served.
    pub fn better(self) -> Goal {
        match self {
            Self::Time(..) => Goal::Min,
            Self::Throughput(_) | Self::SuccessRate | Self::Goodput => Goal::Max,
        }
    }

    /// What it is measured in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Time(..) => Unit::Seconds,
            Self::Throughput(Throughput::Requests) => Unit::RequestsPerSecond,
            Self::Throughput(Throughput::OutputTokens | Throughput::TotalTokens) => {
                Unit::TokensPerSecond
            }
            Self::SuccessRate | Self::Goodput => Unit::Fraction,
        }
    }
}

impl Timed {
    /// The metric whose values count: from when the request was due, where that makes a difference.
    pub fn metric(self) -> Metric {
        match self {
            Self::Latency => Metric::LatencyFromDue,
            Self::Ttft => Metric::TtftFromDue,
            Self::Tpot => Metric::Tpot,
            Self::Itl => Metric::Itl,
        }
    }

    /// Name in criteria.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::Itl => "itl",
        }
    }
}

impl fmt::Display for Measure {
    /// Its name in criteria: `p99_ttft`, `avg_latency`, `rps`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(statistic, time) => write!(out, "{statistic}_{}", time.name()),
            Self::Throughput(Throughput::Requests) => out.write_str("rps"),
            Self::Throughput(Throughput::OutputTokens) => out.write_str("tps"),
            Self::Throughput(Throughput::TotalTokens) => out.write_str("total_tps"),
            Self::SuccessRate => out.write_str("success_rate"),
            Self::Goodput => out.write_str("goodput"),
        }
    }
}

impl fmt::Display for Statistic {
    /// `avg`, or `p` and the percentile: `p50`, `p99.9`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => out.write_str("avg"),
            Self::Quantile(q) => write!(out, "p{}", super::text::plain(q * 100.0)),
        }
    }
}
