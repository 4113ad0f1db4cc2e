//! What a serving run comes to.
//!
//! The duration is given: when a run begins and ends is known where it is driven.

use super::{Quantity, Row, Spread, peak};

/// What is counted where an event may bring several tokens, and where a moment is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Tokens and moments: what the names of the figures say.
    Tokens,
    /// Events and whole seconds, as tools do that know no better: for comparing with their figures only.
    Events,
}

/// Highest values of a request that counts as good, in milliseconds; `None` sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Time to first token.
    pub ttft_ms: Option<f64>,
    /// Time per output token after the first. An answer of one token has 0.
    pub tpot_ms: Option<f64>,
    /// Latency.
    pub latency_ms: Option<f64>,
}

impl Limits {
    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A failed request is never good.
    pub fn are_met_by(&self, row: &Row) -> bool {
        let meets = |limit_ms: Option<f64>, value_s: f64| {
            limit_ms.is_none_or(|limit_ms| value_s <= limit_ms / 1e3)
        };
        row.succeeded
            && meets(self.ttft_ms, row.ttft_s)
            && meets(self.tpot_ms, row.tpot_s().unwrap_or(0.0))
            && meets(self.latency_ms, row.latency_s)
    }
}

/// What the figures are computed by.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// From the first dispatch until all requests have ended.
    pub duration_s: f64,
    /// What is counted.
    pub counting: Counting,
    /// Percentiles that are asked for, 0 to 100.
    pub percentiles: Vec<f64>,
    /// What a good request is.
    pub limits: Limits,
}

/// The figures of one run. Totals, throughputs and spreads are of its successes.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Successes.
    pub completed: u64,
    /// The other requests.
    pub failed: u64,
    /// As given.
    pub duration_s: f64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Texts that were embedded, pooled or ranked.
    pub input_sequences: u64,
    /// `completed / duration`, a second.
    pub request_throughput: f64,
    /// Successes within all limits, a second; `None` without limits.
    pub goodput: Option<f64>,
    /// `input_sequences / duration`, a second.
    pub sequence_throughput: f64,
    /// `output_tokens / duration`, a second.
    pub output_throughput: f64,
    /// `(input_tokens + output_tokens) / duration`, a second.
    pub token_throughput: f64,
    /// Most output tokens (events, counted by events) in one of the seconds that begin at the earliest start.
    pub peak_output_per_s: f64,
    /// Most requests in flight at one moment, failed ones too; counted by events, most successes that were in flight
    /// at some moment of one second.
    pub peak_concurrency: u64,
    /// Seconds of speech heard a second: `audio / duration`.
    pub speech_rate: f64,
    /// In the order of [`Quantity::ALL`].
    spreads: Vec<Spread>,
}

impl Figures {
    /// Of the requests of a run, in the order in which they were sent.
    pub fn of(rows: &[Row], basis: &Basis) -> Self {
        let successes = || rows.iter().filter(|row| row.succeeded);
        let sum = |part: fn(&Row) -> u64| successes().map(part).sum::<u64>();
        let per_s = |amount: f64| {
            if basis.duration_s > 0.0 {
                amount / basis.duration_s
            } else {
                0.0
            }
        };
        let completed = successes().count() as u64;
        let good = || rows.iter().filter(|row| basis.limits.are_met_by(row));
        let input_tokens = sum(|row| row.prompt_tokens);
        let output_tokens = sum(|row| row.output_tokens);
        let input_sequences = sum(|row| row.input_sequences);
        let spread = |quantity: Quantity| quantity.spread(rows, basis.counting, &basis.percentiles);
        Self {
            completed,
            failed: rows.len() as u64 - completed,
            duration_s: basis.duration_s,
            input_tokens,
            output_tokens,
            input_sequences,
            request_throughput: per_s(completed as f64),
            goodput: (!basis.limits.is_empty()).then(|| per_s(good().count() as f64)),
            sequence_throughput: per_s(input_sequences as f64),
            output_throughput: per_s(output_tokens as f64),
            token_throughput: per_s((input_tokens + output_tokens) as f64),
            peak_output_per_s: peak::peak_output_per_s(rows, basis.counting),
            peak_concurrency: peak::peak_concurrency(rows, basis.counting),
            speech_rate: per_s(successes().map(|row| row.audio_s).sum()),
            spreads: Quantity::ALL.map(spread).into(),
        }
    }

    /// How the times of a quantity are spread.
    pub fn spread(&self, quantity: Quantity) -> &Spread {
        &self.spreads[quantity as usize]
    }
}
