//! How a request is held against a criterion, also while it is still in flight.
//!
//! A value is a multiple of the limit: above 1 is a violation, infinite a failure.

use super::evidence::{Cut, Ending, Pace, Seen};
use crate::sla::{Criterion, Measure, Slo, Statistic, Timed};
use crate::units::Nanos;

/// In a mean, a failed request counts as so many times the limit: an infinite value would leave no mean at all.
const FAILED_IN_MEAN: f64 = 10.0;

/// A criterion that single requests meet or miss.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gauge {
    pub(super) criterion: Criterion,
    pub(super) kind: Kind,
    /// Times and their limits in seconds; one, except for goodput.
    limits: Vec<(Timed, f64)>,
    /// Share of the requests that may be over the limit; `None` for a mean.
    pub(super) share: Option<f64>,
}

/// What is known of a request under a gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value a request.
    Valued,
    /// Many gaps a request, each over the limit or not.
    Gaps,
    /// Ends well or not.
    Success,
}

impl Gauge {
    /// `None` for throughputs: no single request meets or misses those.
    pub(super) fn new(criterion: Criterion, slo: &Slo) -> Option<Self> {
        let (kind, limits, share) = match criterion.measure {
            Measure::Time(statistic, timed) => {
                let kind = if timed == Timed::Itl {
                    Kind::Gaps
                } else {
                    Kind::Valued
                };
                let share = match statistic {
                    Statistic::Mean => None,
                    Statistic::Quantile(q) => Some(1.0 - q),
                };
                (kind, vec![(timed, criterion.threshold)], share)
            }
            Measure::Goodput => (
                Kind::Valued,
                slo.limits.clone(),
                Some(1.0 - criterion.threshold),
            ),
            Measure::SuccessRate => (Kind::Success, Vec::new(), Some(1.0 - criterion.threshold)),
            Measure::Throughput(_) => return None,
        };
        let share = share.map(|share| share.max(1e-6));
        Some(Self {
            criterion,
            kind,
            limits,
            share,
        })
    }

    /// The longest TTFT or latency that it allows, in seconds: overload shows no earlier.
    pub(super) fn longest_wait(&self) -> f64 {
        let waits = |&&(timed, _): &&(Timed, f64)| matches!(timed, Timed::Ttft | Timed::Latency);
        self.limits
            .iter()
            .filter(waits)
            .map(|&(_, limit)| limit)
            .fold(0.0, f64::max)
    }

    /// Seconds after which a request can be judged, whether or not it has ended.
    pub(super) fn horizon(&self, pace: &Pace) -> f64 {
        let one = |timed, limit: f64| match timed {
            _ if self.share.is_none() => (2.0 * pace.latency).min(3.0 * limit),
            Timed::Ttft => limit,
            Timed::Tpot | Timed::Itl => pace.latency,
            Timed::Latency => pace.latency / 2.0,
        };
        match self.kind {
            Kind::Success => pace.latency,
            Kind::Valued | Kind::Gaps => self
                .limits
                .iter()
                .map(|&(timed, limit)| one(timed, limit))
                .fold(0.0, f64::max),
        }
    }

    /// The same for requests that were in flight when another load was applied: they are judged by then.
    pub(super) fn horizon_cut(&self, pace: &Pace) -> f64 {
        self.horizon(pace)
            .min(self.longest_first_token().max(pace.latency / 2.0))
    }

    fn longest_first_token(&self) -> f64 {
        let ttft = |&&(timed, _): &&(Timed, f64)| timed == Timed::Ttft;
        let limits = self.limits.iter().filter(ttft);
        limits.map(|&(_, limit)| limit).fold(0.0, f64::max)
    }

    /// The value of a request; `None` where it says nothing.
    pub(super) fn value(&self, seen: &Seen, now: Nanos, pace: &Pace) -> Option<f64> {
        if matches!(seen.ending, Ending::Failed) {
            return Some(if self.share.is_none() {
                FAILED_IN_MEAN
            } else {
                f64::INFINITY
            });
        }
        match self.kind {
            Kind::Success => matches!(seen.ending, Ending::Success(_)).then_some(0.0),
            Kind::Gaps => {
                let &(_, limit) = self.limits.first()?;
                let (sum, gaps) = seen.gap_sum()?;
                (gaps > 0).then(|| sum / f64::from(gaps) / limit)
            }
            Kind::Valued => {
                let each = self
                    .limits
                    .iter()
                    .map(|&(timed, limit)| time_of(timed, limit, seen, now, pace));
                // One limit that is broken breaks the whole; else all must be known.
                let values: Vec<Option<f64>> = each.collect();
                let highest = values.iter().flatten().copied().fold(0.0, f64::max);
                (highest > 1.0 || values.iter().all(Option::is_some)).then_some(highest)
            }
        }
    }

    /// Violations and trials of a request.
    pub(super) fn counts(&self, seen: &Seen, now: Nanos, pace: &Pace) -> Option<(f64, f64)> {
        if self.kind == Kind::Gaps && !matches!(seen.ending, Ending::Failed) {
            let Ending::Success(facts) = &seen.ending else {
                return None;
            };
            let &(_, limit) = self.limits.first()?;
            let over = facts
                .gaps_over
                .iter()
                .find(|(of, _)| (of - limit).abs() < 1e-12)?;
            return (facts.gaps > 0).then(|| (f64::from(over.1) / f64::from(facts.gaps), 1.0));
        }
        self.value(seen, now, pace)
            .map(|value| (f64::from(u8::from(value > 1.0)), 1.0))
    }

    /// The limit on gaps, where this is about gaps.
    pub(super) fn gap_limit(&self) -> Option<f64> {
        (self.kind == Kind::Gaps).then(|| self.limits.first().map(|&(_, limit)| limit))?
    }
}

/// A time of a request as a multiple of its limit, projected where the request is still in flight or was cut.
fn time_of(timed: Timed, limit: f64, seen: &Seen, now: Nanos, pace: &Pace) -> Option<f64> {
    // How long an answer of unknown length takes cannot be told before its end.
    let cut = seen
        .cut
        .filter(|_| timed != Timed::Latency || seen.expected.is_some());
    let seconds = match (&seen.ending, cut) {
        (_, Some(cut)) => projected(timed, limit, seen, &cut, pace),
        (Ending::Success(facts), None) => match timed {
            Timed::Latency => Some(facts.latency),
            Timed::Tpot => facts.tpot,
            Timed::Ttft => seen.first_token.map(|first| seconds(seen.due, first)),
            Timed::Itl => None,
        },
        (Ending::Dropped(at), None) => {
            let elapsed = seconds(seen.due, *at);
            match (timed, seen.first_token) {
                (Timed::Ttft, Some(first)) => Some(seconds(seen.due, first)),
                (Timed::Ttft | Timed::Latency, _) => (elapsed > limit).then_some(elapsed),
                _ => None,
            }
        }
        _ => {
            let present = Cut {
                at: now,
                first_token: seen.first_token,
                tokens: seen.tokens,
            };
            projected(timed, limit, seen, &present, pace)
        }
    };
    seconds.map(|seconds| seconds / limit)
}

/// What a time will come to, from what a request had shown at a moment.
fn projected(timed: Timed, limit: f64, seen: &Seen, cut: &Cut, pace: &Pace) -> Option<f64> {
    let elapsed = seconds(seen.due, cut.at);
    let left = seen.tokens_left(cut.tokens, pace);
    match (timed, cut.first_token) {
        (Timed::Ttft, Some(first)) => Some(seconds(seen.due, first)),
        // Not there yet and already late: it will be later still.
        (Timed::Ttft, None) => (elapsed >= limit).then_some(elapsed * 1.05),
        (Timed::Latency, _) => Some(elapsed + pace.tpot * left),
        (Timed::Tpot, Some(first)) => {
            let gaps = f64::from(cut.tokens) + left - 1.0;
            (gaps > 0.0).then(|| (seconds(first, cut.at) + pace.tpot * left) / gaps)
        }
        (Timed::Tpot, None) | (Timed::Itl, _) => None,
    }
}

fn seconds(from: Nanos, to: Nanos) -> f64 {
    to.saturating_sub(from).as_secs_f64()
}

#[cfg(test)]
mod tests;
