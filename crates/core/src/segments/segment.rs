//! What happened in one stretch of a run: counts, and a histogram of each metric.
//!
//! Knows nothing of its neighbours, and not where it begins.

use crate::metrics::{Metric, Over};
use crate::record::RequestRecord;
use crate::stats::Histogram;

/// Parts that a request's success is divided into, to be shared out over the stretches that it lasted.
pub(super) const PARTS: u64 = 1_000_000;

/// Metrics of which a stretch keeps the values.
pub(super) const KEPT: [Metric; 6] = [
    Metric::Ttft,
    Metric::Tpot,
    Metric::Itl,
    Metric::Latency,
    Metric::TtftFromDue,
    Metric::LatencyFromDue,
];

/// Requests that were sent in a stretch, and the share of all work that was done in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Segment {
    /// Counted requests sent.
    pub(super) requests: u64,
    /// Those of them that ended well.
    pub(super) succeeded: u64,
    /// What was done here, whenever it was sent.
    pub(super) work: Work,
    /// Values of the successes sent here, one histogram for each of [`KEPT`].
    values: [Histogram; KEPT.len()],
}

/// Work in millionths: of a successful request, of a token of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Work {
    pub(super) requests: u128,
    pub(super) output_tokens: u128,
    pub(super) tokens: u128,
}

impl Work {
    /// `parts` millionths of a request.
    pub(super) fn of(record: &RequestRecord, parts: u64) -> Self {
        let count = |tokens: Option<crate::record::TokenCount>| {
            tokens.map_or(0, |tokens| u128::from(tokens.count))
        };
        let output = count(record.output_tokens);
        let parts = u128::from(parts);
        Self {
            requests: parts,
            output_tokens: parts * output,
            tokens: parts * (output + count(record.prompt_tokens)),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.output_tokens += other.output_tokens;
        self.tokens += other.tokens;
    }
}

impl Segment {
    /// Counts a request that was sent here.
    pub(super) fn add(&mut self, record: &RequestRecord) {
        self.requests += 1;
        if !record.succeeded() {
            return;
        }
        self.succeeded += 1;
        for (metric, values) in KEPT.into_iter().zip(&mut self.values) {
            if metric.over() == Over::Gap {
                if record.streamed {
                    record.gaps.iter().for_each(|gap| values.add(gap.0));
                }
            } else if let Some(ticks) = metric.of_request(record) {
                values.add(ticks);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.succeeded += other.succeeded;
        self.work.add(other.work);
        for (mine, theirs) in self.values.iter_mut().zip(&other.values) {
            mine.merge(theirs);
        }
    }

    /// The values of a metric; `None` for one that is not kept.
    pub(super) fn values(&self, metric: Metric) -> Option<&Histogram> {
        let place = KEPT.iter().position(|kept| *kept == metric)?;
        Some(&self.values[place])
    }
}
