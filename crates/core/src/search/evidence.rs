//! What a search has seen: requests by the load at which they were sent.
//!
//! Keeps facts and says what they come to; what to try next is the seekers' part. The order in which requests end or are
//! reported makes no difference.

mod pace;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use pace::Pace;

use super::gauge::Gauge;
use crate::record::{FailureKind, InFlight, RequestRecord};
use crate::sla::{Measure, Slo, Timed};
use crate::units::Nanos;

/// Failures while a load settles from which they are no accident.
const FLOOD: u64 = 20;
/// Requests from which the service's pace is taken, the last ones.
const PACE_REQUESTS: usize = 40;

/// A time at one load, as a journal keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The load.
    pub load: f64,
    /// When the load was applied.
    pub applied: Nanos,
    /// From here on, requests that are sent count.
    pub counts_from: Nanos,
    /// When the next load was applied, if it was.
    pub ended: Option<Nanos>,
    /// Its requests are judged by what they had shown at that moment: what came later is another load's doing.
    pub cut: bool,
}

/// A dwell: a time at one load and the requests that were sent in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dwell {
    pub(super) span: Span,
    pub(super) requests: BTreeMap<u64, Seen>,
    /// Readings of the totals at the first and the last moment that counts.
    readings: Option<(Reading, Reading)>,
    failures: u64,
    early_failures: u64,
    /// It was not watched, only told of: what arrived in it is put together from the records.
    is_restored: bool,
    /// The client was the bottleneck: it says nothing of the service.
    pub(super) void: bool,
}

/// Totals at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Reading {
    at: Nanos,
    tokens: f64,
    ended: u64,
    in_flight: u64,
}

/// What is known of one request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    /// When it was due.
    pub(super) due: Nanos,
    pub(super) sent: Nanos,
    pub(super) first_token: Option<Nanos>,
    pub(super) tokens: u32,
    pub(super) expected: Option<u32>,
    pub(super) ending: Ending,
    /// What it had shown when another load was applied, where it was in flight then.
    pub(super) cut: Option<Cut>,
}

/// A request in flight at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    pub(super) at: Nanos,
    pub(super) first_token: Option<Nanos>,
    pub(super) tokens: u32,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    InFlight,
    Success(Facts),
    Failed,
    /// Given up by the search.
    Dropped(Nanos),
}

/// Of a request that ended well, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    pub(super) latency: f64,
    pub(super) tpot: Option<f64>,
    gap_sum: f64,
    pub(super) gaps: u32,
    /// For each limit on gaps, those above it.
    pub(super) gaps_over: Vec<(f64, u32)>,
}

/// Work done a second in a dwell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    pub(super) seconds: f64,
    /// Output tokens a second.
    pub(super) tokens: f64,
    /// Successful requests a second.
    pub(super) requests: f64,
    /// Growth of the number of requests in flight, a second.
    pub(super) backlog: f64,
}

/// All that was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    pub(super) gauges: Vec<Gauge>,
    pub(super) slo: Slo,
    /// A single failed request fails a load: a dwell with failures says nothing else.
    pub(super) strict: bool,
    pub(super) dwells: Vec<Dwell>,
    pub(super) now: Nanos,
    pub(super) started: Option<Nanos>,
    recent: Vec<(Nanos, u64, Recent)>,
    pub(super) sent: u64,
    pub(super) ended: u64,
    pub(super) tokens: u64,
    input_tokens: u64,
    successes: u64,
    failures: u64,
    in_flight: u64,
    tokens_in_flight: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Recent {
    latency: f64,
    tpot: Option<f64>,
    tokens: u32,
}

impl Seen {
    fn new(due: Nanos, sent: Nanos) -> Self {
        Self {
            due,
            sent,
            first_token: None,
            tokens: 0,
            expected: None,
            ending: Ending::InFlight,
            cut: None,
        }
    }

    /// As it was at a moment before its end, from its record: its tokens are taken to have come evenly.
    fn cut_by(record: &RequestRecord, tokens: u32, at: Nanos) -> Cut {
        let first_token = record.first_token.filter(|&first| first <= at);
        let span = |from: Nanos, to: Nanos| to.saturating_sub(from).as_secs_f64();
        let part = first_token
            .zip(record.last_token)
            .map_or(0.0, |(first, last)| {
                (span(first, at) / span(first, last).max(1e-9)).min(1.0)
            });
        Cut {
            at,
            first_token,
            tokens: (part * f64::from(tokens)) as u32,
        }
    }

    /// Tokens still to come, as far as that can be told.
    pub(super) fn tokens_left(&self, tokens: u32, pace: &Pace) -> f64 {
        let so_far = f64::from(tokens);
        match self.expected {
            Some(expected) => (f64::from(expected) - so_far).max(0.0),
            // Lengths vary about as much as their mean: what is left hardly depends on what there is.
            None => (pace.tokens - so_far).max(pace.tokens / 2.0),
        }
    }

    pub(super) fn gap_sum(&self) -> Option<(f64, u32)> {
        match &self.ending {
            Ending::Success(facts) => Some((facts.gap_sum, facts.gaps)),
            _ => None,
        }
    }
}

impl Dwell {
    fn new(span: Span) -> Self {
        Self {
            span,
            requests: BTreeMap::new(),
            readings: None,
            failures: 0,
            early_failures: 0,
            is_restored: false,
            void: false,
        }
    }

    /// Sent while the load was applied, whether or not it counts.
    fn covers(&self, sent: Nanos) -> bool {
        sent >= self.span.applied && self.span.ended.is_none_or(|ended| sent < ended)
    }

    pub(super) fn load(&self) -> f64 {
        self.span.load
    }

    /// Adds to a restored dwell what arrived in it of a request: tokens are taken to have come evenly.
    fn receive(&mut self, record: &RequestRecord, tokens: u32) {
        let Some((first, last)) = &mut self.readings else {
            return;
        };
        let (from, to) = (first.at, last.at);
        if record.succeeded() && record.end > from && record.end <= to {
            last.ended += 1;
        }
        if let (Some(begin), Some(end)) = (record.first_token, record.last_token) {
            // A whole answer comes in one moment, which has no length: one nanosecond gives it one.
            let (begin, end) = (begin.0, end.0.max(begin.0 + 1));
            let inside = end.min(to.0).saturating_sub(begin.max(from.0));
            last.tokens += f64::from(tokens) * inside as f64 / (end - begin) as f64;
        }
        let in_flight = |at: Nanos| u64::from(record.sent <= at && record.end > at);
        first.in_flight += in_flight(from);
        last.in_flight += in_flight(to);
    }

    /// What the service did in it; `None` before anything can be told.
    pub(super) fn work(&self) -> Option<Work> {
        let (first, last) = self.readings?;
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        (seconds > 0.0).then(|| Work {
            seconds,
            tokens: (last.tokens - first.tokens).max(0.0) / seconds,
            requests: (last.ended - first.ended) as f64 / seconds,
            backlog: (last.in_flight as f64 - first.in_flight as f64) / seconds,
        })
    }

    /// Requests that failed. A few that were sent while the load settled are the change's doing, a flood of them the load's.
    pub(super) fn failures(&self) -> u64 {
        let is_flood = self.early_failures >= FLOOD;
        self.failures + if is_flood { self.early_failures } else { 0 }
    }
}

impl Evidence {
    pub(super) fn new(gauges: Vec<Gauge>, slo: Slo) -> Self {
        let strict = !gauges
            .iter()
            .any(|gauge| gauge.criterion.measure == Measure::SuccessRate);
        Self {
            gauges,
            slo,
            strict,
            dwells: Vec::new(),
            now: Nanos::ZERO,
            started: None,
            recent: Vec::new(),
            sent: 0,
            ended: 0,
            tokens: 0,
            input_tokens: 0,
            successes: 0,
            failures: 0,
            in_flight: 0,
            tokens_in_flight: 0.0,
        }
    }

    /// A load is applied from now on.
    pub(super) fn begin(&mut self, load: f64, counts_from: Nanos) {
        self.dwells.push(Dwell::new(Span {
            load,
            applied: self.now,
            counts_from,
            ended: None,
            cut: false,
        }));
    }

    /// The present dwell ends now, and the load stays as it is or hardly changes.
    pub(super) fn end(&mut self) {
        let now = self.now;
        if let Some(last) = self.dwells.last_mut() {
            last.span.ended.get_or_insert(now);
        }
    }

    /// The present dwell ends now, and its requests in flight are judged by what they have shown.
    pub(super) fn cut(&mut self) {
        self.end();
        let now = self.now;
        if let Some(last) = self.dwells.last_mut() {
            last.span.cut = true;
            let in_flight = |seen: &&mut Seen| seen.ending == Ending::InFlight;
            for seen in last.requests.values_mut().filter(in_flight) {
                seen.cut = Some(Cut {
                    at: now,
                    first_token: seen.first_token,
                    tokens: seen.tokens,
                });
            }
        }
    }

    /// The present dwell ends now, if it goes on, and its requests in flight are judged by what they have shown.
    pub(super) fn close(&mut self) {
        let goes_on = |dwell: &Dwell| dwell.span.ended.is_none();
        if self.dwells.last().is_some_and(goes_on) {
            self.cut();
        }
    }

    /// Takes a dwell of an earlier session; its requests follow by [`Evidence::ended`].
    pub(super) fn restore(&mut self, span: Span) {
        self.now = self.now.max(span.ended.unwrap_or(span.counts_from));
        self.started = Some(self.started.unwrap_or(span.applied));
        let reading = |at| Reading {
            at,
            ..Reading::default()
        };
        let readings = span
            .ended
            .map(|ended| (reading(span.counts_from), reading(ended)));
        self.dwells.push(Dwell {
            readings,
            is_restored: true,
            ..Dwell::new(span)
        });
    }

    /// A request has ended.
    pub(super) fn take(&mut self, record: &RequestRecord) {
        self.ended += 1;
        let cancelled = record
            .failure
            .as_ref()
            .is_some_and(|failure| failure.kind == FailureKind::Cancelled);
        let tokens = record.output_tokens.map_or(0, |tokens| tokens.count);
        self.tokens += u64::from(tokens);
        let ending = if record.succeeded() {
            self.successes += 1;
            self.input_tokens += record
                .prompt_tokens
                .map_or(0, |tokens| u64::from(tokens.count));
            let facts = self.facts(record);
            self.remember(record, &facts, tokens);
            Ending::Success(facts)
        } else if cancelled {
            Ending::Dropped(record.end)
        } else {
            self.failures += 1;
            Ending::Failed
        };
        for dwell in self.dwells.iter_mut().filter(|dwell| dwell.is_restored) {
            dwell.receive(record, tokens);
        }
        if let Some(dwell) = self.dwell_at(record.sent) {
            let failed = u64::from(ending == Ending::Failed);
            if record.sent < dwell.span.counts_from {
                dwell.early_failures += failed;
                return;
            }
            dwell.failures += failed;
            let cut_at = dwell.span.ended.filter(|_| dwell.span.cut);
            let seen = dwell
                .requests
                .entry(record.index)
                .or_insert_with(|| Seen::new(record.due, record.sent));
            seen.first_token = record.first_token;
            seen.tokens = tokens.max(seen.tokens);
            seen.ending = ending;
            if let Some(at) = cut_at.filter(|&at| at < record.end && seen.cut.is_none()) {
                seen.cut = Some(Seen::cut_by(record, tokens, at));
                seen.expected = Some(tokens);
            }
        }
    }

    /// The time is `now`, and these requests are in flight.
    pub(super) fn look(&mut self, now: Nanos, in_flight: &[InFlight]) {
        self.now = self.now.max(now);
        self.started.get_or_insert(now);
        self.in_flight = in_flight.len() as u64;
        self.sent = self.ended + self.in_flight;
        self.tokens_in_flight = in_flight.iter().map(|f| f64::from(f.output_tokens)).sum();
        for flight in in_flight {
            let counts = |dwell: &&mut Dwell| flight.sent >= dwell.span.counts_from;
            if let Some(dwell) = self.dwell_at(flight.sent).filter(counts) {
                let seen = dwell
                    .requests
                    .entry(flight.index)
                    .or_insert_with(|| Seen::new(flight.due, flight.sent));
                seen.first_token = flight.first_token;
                seen.tokens = flight.output_tokens;
                seen.expected = flight.expected_tokens;
            }
        }
        let reading = Reading {
            at: self.now,
            tokens: self.tokens as f64 + self.tokens_in_flight,
            ended: self.successes,
            in_flight: self.in_flight,
        };
        if let Some(last) = self.dwells.last_mut()
            && last.span.ended.is_none()
            && now >= last.span.counts_from
        {
            last.readings = Some((last.readings.map_or(reading, |(first, _)| first), reading));
        }
    }

    fn dwell_at(&mut self, sent: Nanos) -> Option<&mut Dwell> {
        self.dwells
            .iter_mut()
            .rev()
            .find(|dwell| dwell.covers(sent))
    }

    fn facts(&self, record: &RequestRecord) -> Facts {
        let mut limits: Vec<f64> = self.gauges.iter().filter_map(Gauge::gap_limit).collect();
        let slo = self
            .slo
            .limits
            .iter()
            .filter(|(timed, _)| *timed == Timed::Itl);
        limits.extend(slo.map(|&(_, limit)| limit));
        let over = |limit: f64| {
            let above = |gap: &Nanos| gap.as_secs_f64() > limit;
            record.gaps.iter().filter(above).count() as u32
        };
        let gap_sum = if limits.is_empty() {
            0.0
        } else {
            record.gaps.iter().map(Nanos::as_secs_f64).sum()
        };
        Facts {
            latency: record.latency_from_due().as_secs_f64(),
            tpot: record.tpot().map(Nanos::as_secs_f64),
            gap_sum,
            gaps: record.gaps.len() as u32,
            gaps_over: limits
                .into_iter()
                .map(|limit| (limit, over(limit)))
                .collect(),
        }
    }

    /// Keeps what the pace is taken from, in the order of ends whatever the order of reports.
    fn remember(&mut self, record: &RequestRecord, facts: &Facts, tokens: u32) {
        let recent = Recent {
            latency: facts.latency,
            tpot: facts.tpot,
            tokens,
        };
        let key = (record.end, record.index);
        let place = self
            .recent
            .partition_point(|&(end, index, _)| (end, index) < key);
        self.recent
            .insert(place, (record.end, record.index, recent));
        if self.recent.len() > PACE_REQUESTS {
            self.recent.remove(0);
        }
    }

    /// The first requests of a cold service say little of its pace.
    pub(super) fn forget_slow_start(&mut self) {
        let last = self.recent.len().saturating_sub(1);
        self.recent.drain(..last);
    }

    /// The load that is applied.
    pub(super) fn load(&self) -> Option<f64> {
        self.dwells.last().map(Dwell::load)
    }

    /// Prompt tokens for each output token.
    pub(super) fn input_ratio(&self) -> f64 {
        self.input_tokens as f64 / (self.tokens as f64).max(1.0)
    }

    pub(super) fn successes(&self) -> u64 {
        self.successes
    }

    /// Requests of a dwell that can be judged by all gauges.
    pub(super) fn decided(&self, dwell: &Dwell, gauges: &[usize]) -> usize {
        let Some(pace) = self.pace_of(dwell) else {
            return 0;
        };
        let horizon = gauges
            .iter()
            .map(|&gauge| self.gauges[gauge].horizon(&pace))
            .fold(0.0, f64::max);
        let by = self.now.saturating_sub(Nanos::from_secs_f64(horizon));
        dwell
            .requests
            .values()
            .filter(|seen| seen.sent <= by)
            .count()
    }

    /// The last moment at which a request was sent that can be judged.
    fn judged_by(&self, dwell: &Dwell, gauge: &Gauge, pace: &Pace) -> Nanos {
        let (until, horizon) = match dwell.span.ended {
            Some(ended) if dwell.span.cut => (ended, gauge.horizon_cut(pace)),
            _ => (self.now, gauge.horizon(pace)),
        };
        until.saturating_sub(Nanos::from_secs_f64(horizon))
    }

    /// The values of all requests of a dwell that can be judged, in the order in which they were sent.
    pub(super) fn values(&self, dwell: &Dwell, gauge: usize) -> Vec<f64> {
        self.judge(dwell, gauge, |gauge, seen, pace| {
            gauge.value(seen, self.now, pace)
        })
    }

    /// The share of violations of each request of a dwell that can be judged, in the order in which they were sent.
    pub(super) fn violations(&self, dwell: &Dwell, gauge: usize) -> Vec<f64> {
        self.judge(dwell, gauge, |gauge, seen, pace| {
            gauge.counts(seen, self.now, pace).map(|(over, _)| over)
        })
    }

    fn judge(
        &self,
        dwell: &Dwell,
        gauge: usize,
        how: impl Fn(&Gauge, &Seen, &Pace) -> Option<f64>,
    ) -> Vec<f64> {
        let (Some(pace), false) = (self.pace_of(dwell), dwell.void) else {
            return Vec::new();
        };
        if self.strict && dwell.failures() > 0 {
            return Vec::new();
        }
        let gauge = &self.gauges[gauge];
        let by = self.judged_by(dwell, gauge, &pace);
        dwell
            .requests
            .values()
            .filter(|seen| seen.sent <= by)
            .filter_map(|seen| how(gauge, seen, &pace))
            .collect()
    }
}

#[cfg(test)]
mod tests;
