//! The load at which a measure is best, and the highest load that still reaches asked throughputs.
//!
//! Tokens are counted as they arrive, so a window of a few latencies is precise without waiting for completions. The load
//! is doubled until that gains no more, a peak is refined by the middles between loads, and the left flank is halved down
//! to the smallest load that comes within 2 % of the best.

use super::Abort;
use super::answer::{Answer, Interval, Outcome};
use super::evidence::{Dwell, Evidence, Pace};
use super::frame::{Frame, throughput};
use super::gauge::Gauge;
use super::question::Variable;
use super::seeker::{Next, Plan, Seeker, Stage};
use crate::sla::{Aim, Goal, Measure};

/// A gain by twice the load that is none.
const GAIN: f64 = 0.02;
/// What counts as the best.
const NEARLY: f64 = 0.98;
/// A load inside the flank is at least this share of its width from either end.
const INSIDE: f64 = 0.2;
/// The flank is known well enough when its range is this.
const FLANK: f64 = 1.04;
/// Latencies that a window lasts, at least and at most.
const WINDOW: (f64, f64) = (2.5, 8.0);
/// Latencies after a change until the service is steady.
const SETTLE: f64 = 1.5;
/// Tokens in a window, and requests where requests are counted.
const WINDOW_TOKENS: f64 = 100_000.0;
const WINDOW_REQUESTS: f64 = 400.0;

/// Requests that begin in a window at a rate: of fewer, chance says how many there are.
const WINDOW_BEGINS: f64 = 100.0;

/// The seeker.
#[derive(Debug)]
pub(super) struct Peak {
    frame: Frame,
    aim: Aim,
    /// The gauge of a time that is sought, among those of the evidence.
    gauge: Option<usize>,
    /// Loads and what was measured there; larger is better.
    seen: Vec<(f64, f64)>,
    phase: Phase,
    forbidden: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Doubling,
    Summit,
    /// The smallest load that is nearly the best lies between these.
    Flank {
        low: f64,
        high: f64,
    },
}

impl Peak {
    /// `gauge` is the place of the aim's own gauge, where it is a time.
    pub(super) fn new(frame: Frame, aim: Aim, gauge: Option<usize>) -> Self {
        Self {
            frame,
            aim,
            gauge,
            seen: Vec::new(),
            phase: Phase::Doubling,
            forbidden: None,
        }
    }

    fn highest(&self) -> f64 {
        let limit = self.forbidden.map_or(f64::INFINITY, |at| at * 0.95);
        self.frame.load(self.frame.bounds.highest.min(limit))
    }

    /// Any service works at the rate of requests that are sent one by one; lower ones would take long to measure.
    fn first(&self, pace: &Pace) -> f64 {
        match self.frame.variable {
            Variable::Users => self.frame.first,
            Variable::Rate => self.frame.first.max(1.0 / pace.latency),
        }
    }

    fn measure_at(&self, load: f64, from: f64, pace: &Pace) -> Next {
        let load = self.frame.load(load).min(self.highest());
        let mut plan: Plan = self.frame.plan(Stage::Measure, load, from, pace);
        let per_s = self.frame.rate(load, pace);
        let wanted = match self.aim.measure {
            Measure::Throughput(crate::sla::Throughput::Requests) => WINDOW_REQUESTS / per_s,
            Measure::Throughput(_) => WINDOW_TOKENS / (per_s * pace.tokens.max(1.0)),
            _ => WINDOW_REQUESTS / per_s,
        };
        plan.least = wanted.clamp(WINDOW.0 * pace.latency, WINDOW.1 * pace.latency);
        if self.frame.variable == Variable::Rate {
            // However long requests take, at a low rate few begin meanwhile.
            plan.least = plan.least.max(WINDOW_BEGINS / load);
        }
        // A time needs requests that can be judged; a throughput only its window.
        plan.requests = if self.gauge.is_some() { 24 } else { 0 };
        plan.most = plan.least + 10.0 * pace.latency;
        plan.settle = plan.settle.max(SETTLE * pace.latency);
        if load < from && self.frame.variable == Variable::Rate {
            plan.abort = Abort::Queue;
            plan.settle += pace.latency;
        }
        Next::Dwell(plan)
    }

    fn value(&self, evidence: &Evidence, dwell: usize) -> Option<f64> {
        let value = match self.aim.measure {
            Measure::Throughput(of) => throughput(evidence, dwell, of)?,
            _ => level(
                &evidence.gauges[self.gauge?],
                evidence.values(&evidence.dwells[dwell], self.gauge?),
            )?,
        };
        Some(match self.aim.goal {
            Goal::Max => value,
            Goal::Min => 1.0 / value.max(1e-12),
        })
    }

    fn best(&self) -> Option<(f64, f64)> {
        self.seen.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn after_doubling(&mut self, load: f64, value: f64, pace: &Pace) -> Next {
        let before = self.best_below(load);
        let gained = before.is_none_or(|best| value > best * (1.0 + GAIN));
        if !gained || load >= self.highest() {
            self.phase = Phase::Summit;
            return self.summit(load, pace);
        }
        self.measure_at(2.0 * load, load, pace)
    }

    /// A load whose requests failed after its window had ended is no candidate either.
    fn forget_failed(&mut self, evidence: &Evidence) {
        if !self.frame.all_must_succeed {
            return;
        }
        for dwell in evidence.dwells.iter().filter(|dwell| dwell.failures() > 0) {
            let before = self.seen.len();
            self.seen
                .retain(|seen| (seen.0 - dwell.load()).abs() > 1e-9);
            if self.seen.len() < before {
                self.forbid(dwell.load());
                self.phase = Phase::Summit;
            }
        }
    }

    fn best_below(&self, load: f64) -> Option<f64> {
        self.seen
            .iter()
            .filter(|seen| seen.0 < load)
            .map(|seen| seen.1)
            .reduce(f64::max)
    }

    /// Looks at the middles beside the best load while they may hold a real peak.
    fn summit(&mut self, from: f64, pace: &Pace) -> Next {
        let Some((at, best)) = self.best() else {
            let reason = "nothing could be measured".to_owned();
            return Next::settled(Answer::bare(Outcome::Inconclusive, reason));
        };
        let mut tried: Vec<(f64, f64)> = self.seen.clone();
        tried.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let summit = tried.iter().position(|seen| seen.0 >= at).unwrap_or(0);
        let is_peak = tried
            .get(summit + 1)
            .is_some_and(|next| next.1 < best * (1.0 - GAIN));
        if is_peak && self.seen.len() < 24 {
            let right = tried.get(summit + 1).map(|next| next.0);
            let left = (summit > 0).then(|| tried[summit - 1].0);
            for other in [left, right].into_iter().flatten() {
                let ratio = (other / at).max(at / other);
                let middle = self.frame.load((other * at).sqrt());
                let is_new = tried.iter().all(|seen| (seen.0 - middle).abs() > 1e-9);
                if ratio > 1.12 && is_new {
                    return self.measure_at(middle, from, pace);
                }
            }
        }
        let enough = |seen: &&(f64, f64)| seen.1 >= NEARLY * best;
        let high = tried.iter().find(enough).map_or(at, |seen| seen.0);
        let low = tried
            .iter()
            .filter(|seen| seen.0 < high)
            .map(|seen| seen.0)
            .fold(self.frame.bounds.lowest * 0.999, f64::max);
        self.phase = Phase::Flank { low, high };
        self.flank(low, high, from, pace)
    }

    fn flank(&mut self, low: f64, high: f64, from: f64, pace: &Pace) -> Next {
        let middle = self.frame.load(self.crossing(low, high));
        let known = self.seen.iter().any(|seen| (seen.0 - middle).abs() < 1e-9);
        if high / low <= FLANK || known || middle >= high {
            return Next::settled(self.settle(low, high));
        }
        self.measure_at(middle, from, pace)
    }

    /// Where the line between the two ends of the flank comes near enough to the best; well inside, lest one end stay.
    fn crossing(&self, low: f64, high: f64) -> f64 {
        let at = |load: f64| {
            let near = |seen: &&(f64, f64)| (seen.0 - load).abs() < 1e-9;
            self.seen.iter().rev().find(near).map(|seen| seen.1)
        };
        let wanted = self.best().map_or(0.0, |best| NEARLY * best.1);
        let part = at(low).zip(at(high)).map_or(0.5, |(below, above)| {
            (wanted - below) / (above - below).max(1e-12)
        });
        let (from, to) = (low.ln(), high.ln());
        (from + part.clamp(INSIDE, 1.0 - INSIDE) * (to - from)).exp()
    }

    fn settle(&self, low: f64, high: f64) -> Answer {
        let best = self.best().map_or(0.0, |best| best.1);
        let value = match self.aim.goal {
            Goal::Max => best,
            Goal::Min => 1.0 / best.max(1e-12),
        };
        Answer {
            load: Some(high),
            estimate: Some(high),
            interval: Some(Interval::tried(low, high)),
            best: Some(value),
            requests: 0,
            ..Answer::bare(
                Outcome::Value,
                "the smallest load within 2 % of the best".to_owned(),
            )
        }
    }
}

impl Seeker for Peak {
    fn begin(&mut self, evidence: &Evidence) -> Next {
        match evidence.pace() {
            Some(pace) => {
                self.phase = Phase::Doubling;
                self.seen.clear();
                let from = evidence.load().unwrap_or(self.frame.bounds.lowest);
                self.measure_at(self.first(&pace), from, &pace)
            }
            None => Next::unanswered(),
        }
    }

    fn after(&mut self, evidence: &Evidence, dwell: usize) -> Next {
        let (Some(pace), load) = (evidence.pace(), evidence.dwells[dwell].load()) else {
            return Next::unanswered();
        };
        self.forget_failed(evidence);
        let failed = self.frame.all_must_succeed && evidence.dwells[dwell].failures() > 0;
        let value = self.value(evidence, dwell).filter(|_| !failed);
        // A load that fails is no candidate, and neither is any above it.
        let Some(value) = value else {
            self.forbid(load);
            if self.seen.is_empty() {
                let reason = format!("requests fail at {load}, the first load that was tried");
                return Next::settled(Answer::bare(Outcome::Infeasible, reason));
            }
            self.phase = Phase::Summit;
            return self.summit(load, &pace);
        };
        self.seen.push((load, value));
        match self.phase {
            Phase::Doubling => self.after_doubling(load, value, &pace),
            Phase::Summit => self.summit(load, &pace),
            Phase::Flank { low, high } => {
                let best = self.best().map_or(value, |best| best.1);
                let (low, high) = if value >= NEARLY * best {
                    (low, load)
                } else {
                    (load, high)
                };
                self.phase = Phase::Flank { low, high };
                self.flank(low, high, load, &pace)
            }
        }
    }

    fn has_seen_enough(&self, _: &Evidence, dwell: &Dwell) -> bool {
        self.frame.all_must_succeed && dwell.failures() > 0
    }

    fn gauges(&self) -> &[usize] {
        self.gauge.as_slice()
    }

    fn give_up(&mut self, _: &Evidence, why: &str) -> Answer {
        let Some((load, _)) = self.best() else {
            return Answer::bare(Outcome::Inconclusive, why.to_owned());
        };
        Answer {
            outcome: Outcome::Inconclusive,
            reason: why.to_owned(),
            ..self.settle(self.frame.bounds.lowest, load)
        }
    }

    fn forbid(&mut self, load: f64) {
        self.forbidden = Some(self.forbidden.map_or(load, |at| at.min(load)));
    }

    fn progress(&self) -> (Option<Interval>, f64) {
        match self.phase {
            Phase::Doubling => (None, 0.3),
            Phase::Summit => (None, 0.6),
            Phase::Flank { low, high } => (Some(Interval::tried(low, high)), 0.8),
        }
    }
}

/// The statistic of a criterion, in its base unit.
fn level(gauge: &Gauge, mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let multiple = match gauge.share {
        None => values.iter().sum::<f64>() / values.len() as f64,
        Some(share) => {
            let rank = ((1.0 - share) * values.len() as f64) as usize;
            values[rank.min(values.len() - 1)]
        }
    };
    (multiple > 0.0 && multiple.is_finite()).then_some(multiple * gauge.criterion.threshold)
}

#[cfg(test)]
mod tests;
