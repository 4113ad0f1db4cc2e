//! How a request is held against a criterion, also while it is still in flight.
//!
//! A value is a multiple of the limit: above 1 is a violation, infinite a failure.

use super::evidence::{Ending, Pace, Seen};
use crate::sla::{Criterion, Measure, Slo, Statistic, Timed};
use crate::units::Nanos;

/// In a mean, a failed request counts as so many times the limit.
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

/// A time of a request as a multiple of its limit, projected where the request is still in flight.
fn time_of(timed: Timed, limit: f64, seen: &Seen, now: Nanos, pace: &Pace) -> Option<f64> {
    let until = match seen.ending {
        Ending::Dropped(at) => at,
        _ => now,
    };
    let elapsed = until.saturating_sub(seen.due).as_secs_f64();
    let seconds = match (&seen.ending, timed) {
        (Ending::Success(facts), Timed::Latency) => Some(facts.latency),
        (Ending::Success(facts), Timed::Tpot) => facts.tpot,
        (_, Timed::Ttft) => match seen.first_token {
            Some(first) => Some(first.saturating_sub(seen.due).as_secs_f64()),
            // Not there yet and already late: it will be later still.
            None => (elapsed >= limit).then_some(elapsed * 1.05),
        },
        (Ending::Dropped(_), Timed::Latency) => (elapsed > limit).then_some(elapsed),
        (Ending::Dropped(_), _) | (_, Timed::Itl) => None,
        (_, Timed::Latency) => Some(elapsed + pace.tpot * seen.tokens_left(pace)),
        (_, Timed::Tpot) => seen.first_token.and_then(|first| {
            let since = until.saturating_sub(first).as_secs_f64();
            let left = seen.tokens_left(pace);
            let gaps = f64::from(seen.tokens) + left - 1.0;
            (gaps > 0.0).then(|| (since + pace.tpot * left) / gaps)
        }),
    };
    seconds.map(|seconds| seconds / limit)
}
