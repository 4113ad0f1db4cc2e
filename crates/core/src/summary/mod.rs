//! What a run comes to: counts, totals and a sample of each metric, from its records alone.
//!
//! Reads no clock and knows nothing of shards: summaries of any parts of a run merge to the summary of the whole, the
//! same to the last byte in any order. Says nothing of whether the client can be trusted: that is
//! [`crate::health`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::{Metric, Over};
use crate::record::{FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crate::request::LoadPoint;
use crate::stats::Sample;
use crate::units::Nanos;

/// Quantiles of values per request are exact up to this many successes, and within
/// [`crate::stats::RELATIVE_ERROR`] beyond.
pub const EXACT_REQUESTS: usize = 100_000;

/// Quantiles of gaps are exact up to this many gaps.
pub const EXACT_GAPS: usize = 4_000_000;

static NOTHING: Sample = Sample::new(0);

/// Everything a table or a criterion asks of one run at one load.
///
/// Metrics are over successes only; failures are counted by kind beside them. Requests of the warm-up count nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    point: LoadPoint,
    total: u64,
    streamed: u64,
    reconnects: u64,
    failures: BTreeMap<FailureKind, u64>,
    first_sent: Option<Nanos>,
    last_end: Option<Nanos>,
    input: TokenTotal,
    output: TokenTotal,
    cached: CachedTokens,
    samples: BTreeMap<Metric, Sample>,
}

/// Tokens of all successes, and how they were counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenTotal {
    /// Tokens.
    pub tokens: u64,
    /// Requests whose tokens were counted in each way.
    pub sources: BTreeMap<TokenSource, u64>,
    /// Requests of which no count is known.
    pub unknown: u64,
}

/// What the server said of its prefix cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CachedTokens {
    /// Successes of which the server says how many prompt tokens it had cached.
    pub requests: u64,
    /// Cached prompt tokens of these.
    pub cached: u64,
    /// All prompt tokens of these.
    pub prompt: u64,
}

impl CachedTokens {
    /// Cached share of the prompt tokens, in 0..=1; `None` where the server says nothing.
    pub fn share(&self) -> Option<f64> {
        (self.prompt > 0).then(|| self.cached as f64 / self.prompt as f64)
    }
}

impl RunSummary {
    /// Of no requests yet.
    pub fn new(point: LoadPoint) -> Self {
        Self {
            point,
            total: 0,
            streamed: 0,
            reconnects: 0,
            failures: BTreeMap::new(),
            first_sent: None,
            last_end: None,
            input: TokenTotal::default(),
            output: TokenTotal::default(),
            cached: CachedTokens::default(),
            samples: BTreeMap::new(),
        }
    }

    /// Counts a request that has ended; ignores one of the warm-up.
    pub fn add(&mut self, record: &RequestRecord) {
        if record.phase == Phase::Warmup {
            return;
        }
        self.total += 1;
        self.reconnects += u64::from(record.reconnects);
        self.first_sent = earliest(self.first_sent, Some(record.sent));
        self.last_end = self.last_end.max(Some(record.end));
        match &record.failure {
            Some(failure) => *self.failures.entry(failure.kind).or_default() += 1,
            None => self.add_success(record),
        }
    }

    fn add_success(&mut self, record: &RequestRecord) {
        self.streamed += u64::from(record.streamed);
        self.input.add(record.prompt_tokens);
        self.output.add(record.output_tokens);
        if let (Some(cached), Some(prompt)) = (record.cached_tokens, record.prompt_tokens) {
            self.cached.requests += 1;
            self.cached.cached += u64::from(cached);
            self.cached.prompt += u64::from(prompt.count);
        }
        for metric in Metric::sampled() {
            if let Some(ticks) = metric.of_request(record) {
                self.sample_mut(metric).add(ticks);
            }
        }
        if record.streamed && !record.gaps.is_empty() {
            let gaps = self.sample_mut(Metric::Itl);
            record.gaps.iter().for_each(|gap| gaps.add(gap.0));
        }
    }

    /// Takes over all requests of another part of the same run.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.streamed += other.streamed;
        self.reconnects += other.reconnects;
        for (kind, count) in other.failures {
            *self.failures.entry(kind).or_default() += count;
        }
        self.first_sent = earliest(self.first_sent, other.first_sent);
        self.last_end = self.last_end.max(other.last_end);
        self.input.merge(other.input);
        self.output.merge(other.output);
        self.cached.requests += other.cached.requests;
        self.cached.cached += other.cached.cached;
        self.cached.prompt += other.cached.prompt;
        for (metric, sample) in other.samples {
            self.sample_mut(metric).merge(sample);
        }
    }

    /// Puts the samples in order once, so that quantiles are quick; changes no answer.
    pub fn sort(&mut self) {
        self.samples.values_mut().for_each(Sample::sort);
    }

    fn sample_mut(&mut self, metric: Metric) -> &mut Sample {
        self.samples.entry(metric).or_insert_with(|| {
            Sample::new(match metric.over() {
                Over::Gap => EXACT_GAPS,
                Over::Request | Over::Run => EXACT_REQUESTS,
            })
        })
    }

    /// The load that was applied.
    pub fn point(&self) -> &LoadPoint {
        &self.point
    }

    /// Counted requests.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Counted requests that ended well.
    pub fn succeeded(&self) -> u64 {
        self.total - self.failed()
    }

    /// Counted requests that did not.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Failures of each kind that occurred.
    pub fn failures(&self) -> &BTreeMap<FailureKind, u64> {
        &self.failures
    }

    /// Successes whose answer came as a stream of events.
    pub fn streamed(&self) -> u64 {
        self.streamed
    }

    /// Times that a request was sent again because its kept-alive connection turned out to be closed.
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// First counted request written to last counted request ended, failures included; zero without requests.
    pub fn duration(&self) -> Nanos {
        match (self.first_sent, self.last_end) {
            (Some(first), Some(last)) => last.saturating_sub(first),
            _ => Nanos::ZERO,
        }
    }

    /// Successes a second; zero where no time passed.
    pub fn rps(&self) -> f64 {
        self.per_second(self.succeeded())
    }

    /// Answer tokens of successes a second.
    pub fn output_tps(&self) -> f64 {
        self.per_second(self.output.tokens)
    }

    /// Prompt and answer tokens of successes a second.
    pub fn total_tps(&self) -> f64 {
        self.per_second(self.input.tokens + self.output.tokens)
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.duration().as_secs_f64();
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    }

    /// Share of the counted requests that succeeded, in 0..=1; zero without requests. Exactly 1 only where none failed.
    pub fn success_rate(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        self.succeeded() as f64 / self.total as f64
    }

    /// Whether an event of any streamed success brought more than one token.
    pub fn has_several_tokens_an_event(&self) -> bool {
        let one = Metric::TokensPerGap.unit().ticks();
        let most = self.sample(Metric::TokensPerGap).max();
        most.is_some_and(|most| most as f64 > one)
    }

    /// Share of the tokens that came without a step of their own, in 0..=1: `1 - 1 / L`, where `L` is the mean of
    /// [`Metric::TokensPerGap`]. With speculative decoding that is about the share of draft tokens among all.
    pub fn share_without_step(&self) -> Option<f64> {
        let tokens = self
            .mean(Metric::TokensPerGap)
            .filter(|&tokens| tokens > 0.0)?;
        Some((1.0 - 1.0 / tokens).clamp(0.0, 1.0))
    }

    /// Prompt tokens of successes.
    pub fn input(&self) -> &TokenTotal {
        &self.input
    }

    /// Answer tokens of successes, all choices together.
    pub fn output(&self) -> &TokenTotal {
        &self.output
    }

    /// What the server said of its prefix cache.
    pub fn cached(&self) -> &CachedTokens {
        &self.cached
    }

    /// The values of a metric in ticks of [`crate::metrics::Unit::ticks`]; empty for metrics of the run as a whole.
    pub fn sample(&self, metric: Metric) -> &Sample {
        self.samples.get(&metric).unwrap_or(&NOTHING)
    }

    /// Mean over the successes (or gaps) that have a value, in the metric's unit; for a metric of the run its value.
    /// `None` where nothing was measured.
    pub fn mean(&self, metric: Metric) -> Option<f64> {
        let measured = self.total > 0;
        let run = |value: f64| measured.then_some(value);
        match metric {
            Metric::Duration => run(self.duration().as_secs_f64()),
            Metric::RequestThroughput => run(self.rps()),
            Metric::OutputThroughput => run(self.output_tps()),
            Metric::TotalThroughput => run(self.total_tps()),
            Metric::SuccessRate => run(self.success_rate()),
            _ => Some(self.sample(metric).mean()? / metric.unit().ticks()),
        }
    }

    /// Quantile `q` in 0..=1 in the metric's unit; `None` where nothing was measured, and for metrics of the run.
    pub fn quantile(&self, metric: Metric, q: f64) -> Option<f64> {
        Some(self.sample(metric).quantile(q)? / metric.unit().ticks())
    }

    /// Standard deviation in the metric's unit (divided by n); `None` as in [`Self::quantile`].
    pub fn deviation(&self, metric: Metric) -> Option<f64> {
        Some(self.sample(metric).deviation()? / metric.unit().ticks())
    }
}

impl TokenTotal {
    fn add(&mut self, count: Option<TokenCount>) {
        match count {
            Some(count) => {
                self.tokens += u64::from(count.count);
                *self.sources.entry(count.source).or_default() += 1;
            }
            None => self.unknown += 1,
        }
    }

    fn merge(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.unknown += other.unknown;
        for (source, requests) in other.sources {
            *self.sources.entry(source).or_default() += requests;
        }
    }

    /// Requests whose tokens were counted that way.
    pub fn counted_by(&self, source: TokenSource) -> u64 {
        self.sources.get(&source).copied().unwrap_or_default()
    }
}

/// The earlier of two times, where there are two.
fn earliest(one: Option<Nanos>, other: Option<Nanos>) -> Option<Nanos> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
