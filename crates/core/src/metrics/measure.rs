//! What one record contributes to each metric, in ticks.
//!
//! Asks nothing of the record but its facts; whether it counts is for the caller to decide.

use super::{Metric, Over};
use crate::record::RequestRecord;
use crate::units::Nanos;

const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// Ticks of a rate.
const MILLIONTHS: u128 = 1_000_000;

impl Metric {
    /// The value of a request in ticks of [`super::Unit::ticks`]; `None` where the record lacks a fact it needs, and
    /// for metrics over gaps or runs.
    pub fn of_request(self, record: &RequestRecord) -> Option<u64> {
        let since_sent = |time: Option<Nanos>| Some(time?.saturating_sub(record.sent).0);
        match self {
            Self::Ttft => record.ttft().map(|span| span.0),
            Self::Tpot => record.tpot().map(|span| span.0),
            Self::Latency => Some(record.latency().0),
            Self::TtftFromDue => record.ttft_from_due().map(|span| span.0),
            Self::LatencyFromDue => Some(record.latency_from_due().0),
            Self::TimeToFirstByte => since_sent(record.first_byte),
            Self::TimeToFirstReasoning => since_sent(record.first_reasoning),
            Self::TimeToFirstAnswer => since_sent(record.first_answer),
            Self::Connect => record.connect.map(|span| span.0),
            Self::InputTokens => input(record),
            Self::OutputTokens => output(record),
            Self::OutputRate => rate(output(record)?, record.latency()),
            Self::TotalRate => rate(input(record)? + output(record)?, record.latency()),
            Self::DecodeRate => decode_rate(record),
            Self::ChunksPerRequest => Some(u64::from(record.chunks)),
            Self::TokensPerGap => tokens_per_gap(record),
            Self::Itl
            | Self::Duration
            | Self::RequestThroughput
            | Self::OutputThroughput
            | Self::TotalThroughput
            | Self::SuccessRate => None,
        }
    }

    /// Metrics of which a run has a sample: over requests and over gaps.
    pub fn sampled() -> impl Iterator<Item = Self> {
        Self::all().filter(|metric| metric.over() != Over::Run)
    }
}

fn input(record: &RequestRecord) -> Option<u64> {
    record.prompt_tokens.map(|tokens| u64::from(tokens.count))
}

fn output(record: &RequestRecord) -> Option<u64> {
    record.output_tokens.map(|tokens| u64::from(tokens.count))
}

/// Millionths of a token a second, rounded; `None` for no time at all.
fn rate(tokens: u64, span: Nanos) -> Option<u64> {
    let span = u128::from(span.0);
    let scaled = u128::from(tokens) * NANOS_PER_SECOND * MILLIONTHS;
    (span > 0).then(|| u64::try_from((scaled + span / 2) / span).unwrap_or(u64::MAX))
}

/// Where [`RequestRecord::tpot`] is defined and not zero.
fn decode_rate(record: &RequestRecord) -> Option<u64> {
    record.tpot()?;
    let span = record.last_token?.saturating_sub(record.first_token?);
    rate(output(record)? - 1, span)
}

/// Millionths, rounded; `None` for an answer that was not streamed, or that came in one event.
fn tokens_per_gap(record: &RequestRecord) -> Option<u64> {
    let gaps = u128::try_from(record.gaps.len()).ok()?;
    if !record.streamed || gaps == 0 {
        return None;
    }
    let tokens = u128::from(output(record)?.saturating_sub(1));
    u64::try_from((tokens * MILLIONTHS + gaps / 2) / gaps).ok()
}
