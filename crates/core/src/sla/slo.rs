//! Limits for a single request: what a good one keeps to.
//!
//! Counts nothing over requests; a share of good requests is a matter of [`super::Probe`].

use super::condition::threshold;
use super::error::SloError;
use super::{Slo, Timed};
use crate::metrics::Unit;
use crate::nearest::nearest;
use crate::record::RequestRecord;
use crate::units::Nanos;

const NAMES: [(&str, Timed); 5] = [
    ("ttft", Timed::Ttft),
    ("tpot", Timed::Tpot),
    ("itl", Timed::Itl),
    ("latency", Timed::Latency),
    ("e2el", Timed::Latency),
];

/// Reads limits such as `ttft:500ms`, `tpot:50ms`, `e2el:2s`; one text may hold several with blanks or commas between.
///
/// A bare number is in seconds, as it is in criteria; in vLLM's flag of the same name it is in milliseconds.
pub fn parse_slo(texts: &[String]) -> Result<Slo, SloError> {
    let mut slo = Slo::default();
    let limits = texts
        .iter()
        .flat_map(|text| text.split([' ', '\t', '\n', ',']))
        .filter(|text| !text.is_empty());
    for text in limits {
        let (time, limit) = parse_limit(text)?;
        if slo.limits.iter().any(|(known, _)| *known == time) {
            return Err(SloError::Repeated(time.name()));
        }
        slo.limits.push((time, limit));
    }
    if slo.limits.is_empty() {
        return Err(SloError::Nothing);
    }
    Ok(slo)
}

fn parse_limit(text: &str) -> Result<(Timed, f64), SloError> {
    let (name, limit) = text
        .split_once(':')
        .ok_or_else(|| SloError::NoColon(text.to_owned()))?;
    let known = NAMES.iter().find(|(known, _)| *known == name);
    let Some((_, time)) = known else {
        let short: String = name.chars().take(40).collect();
        return Err(SloError::UnknownTime {
            nearest: nearest(&short, NAMES.map(|(known, _)| known)),
            name: short,
            text: text.to_owned(),
        });
    };
    let limit = threshold(Unit::Seconds, limit).map_err(|fault| SloError::Limit {
        text: text.to_owned(),
        fault,
    })?;
    Ok((*time, limit))
}

impl Slo {
    /// Whether a request ended well and kept to every limit; TTFT and latency count from when it was due.
    ///
    /// A limit on ITL holds for every gap. TPOT and ITL hold for an answer of one token, which has no time between
    /// tokens, and not for a longer one that was not streamed, of which they are unknown.
    pub fn met_by(&self, record: &RequestRecord) -> bool {
        record.succeeded()
            && self
                .limits
                .iter()
                .all(|(time, limit)| keeps(record, *time, *limit))
    }
}

fn keeps(record: &RequestRecord, time: Timed, limit: f64) -> bool {
    let within = |span: Nanos| span.as_secs_f64() <= limit;
    let one_token = || record.output_tokens.is_some_and(|tokens| tokens.count < 2);
    match time {
        Timed::Latency => within(record.latency_from_due()),
        Timed::Ttft => record.ttft_from_due().is_some_and(within),
        Timed::Tpot => record.tpot().map_or_else(one_token, within),
        Timed::Itl if record.streamed => record.gaps.iter().all(within),
        Timed::Itl => one_token(),
    }
}
