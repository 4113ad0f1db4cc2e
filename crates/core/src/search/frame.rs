//! What seekers of one search have in common: the bounds, the wanted confidence, and how loads are rounded.

use super::Abort;
use super::answer::{Answer, Interval, Knee, Outcome};
use super::belief::Belief;
use super::evidence::{Dwell, Evidence, Pace};
use super::fit::Fit;
use super::question::{Bounds, Question, Variable};
use super::race::Reach;
use super::seeker::{Plan, Stage};
use crate::sla::{Criterion, Group, Measure, Throughput};

/// Latencies over which users join anew: in one, the first are back before the last have come, and a crowd remains.
const ANEW: f64 = 3.0;
/// Loads whose ratio is between these count as the same where it is asked what was seen.
const ABOUT: (f64, f64) = (0.985, 1.03);
/// Requests without which nothing was seen, and that are always enough.
const ENOUGH_REQUESTS: (f64, f64) = (40.0, 300.0);
/// An answer lies below a load at which requests fail by this factor.
const BELOW_LIMIT: f64 = 0.97;
/// A load that is below the lower bound by less is taken to be there.
const BOUND_SLACK: f64 = 0.05;

/// The frame of a search.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) variable: Variable,
    pub(super) bounds: Bounds,
    pub(super) first: f64,
    pub(super) confidence: f64,
    pub(super) tolerance: f64,
    /// Places of the group's gauges in the evidence.
    pub(super) gauges: Vec<usize>,
    /// Throughputs that must be reached.
    pub(super) floors: Vec<Criterion>,
    /// A single failed request fails a load.
    pub(super) all_must_succeed: bool,
}

impl Frame {
    pub(super) fn new(question: &Question, group: &Group, evidence: &Evidence) -> Self {
        let place = |criterion: &Criterion| {
            evidence
                .gauges
                .iter()
                .position(|gauge| gauge.criterion == *criterion)
        };
        let is_floor = |criterion: &&Criterion| matches!(criterion.measure, Measure::Throughput(_));
        Self {
            variable: question.variable,
            bounds: question.bounds,
            first: question.first,
            confidence: question.confidence,
            tolerance: question.tolerance,
            gauges: group.criteria.iter().filter_map(place).collect(),
            floors: group.criteria.iter().filter(is_floor).copied().collect(),
            all_must_succeed: !group
                .criteria
                .iter()
                .any(|criterion| criterion.measure == Measure::SuccessRate),
        }
    }

    /// A load that can be applied: within the bounds, users whole.
    pub(super) fn load(&self, load: f64) -> f64 {
        let whole = match self.variable {
            Variable::Users => load.round().max(1.0),
            Variable::Rate => load,
        };
        whole.clamp(self.bounds.lowest, self.bounds.highest)
    }

    /// A load that is reported: users are rounded down.
    pub(super) fn reported(&self, load: f64) -> f64 {
        let whole = match self.variable {
            Variable::Users => (load + 1e-9).floor().max(1.0),
            Variable::Rate => load,
        };
        whole.clamp(self.bounds.lowest, self.bounds.highest)
    }

    /// The lowest load at which a request failed, as far as is known by now, where all must succeed.
    pub(super) fn lowest_failure(&self, evidence: &Evidence) -> Option<f64> {
        let failed = |dwell: &&Dwell| self.all_must_succeed && !dwell.void && dwell.failures() > 0;
        let loads = evidence.dwells.iter().filter(failed).map(Dwell::load);
        loads.reduce(f64::min)
    }

    /// Requests a second at a load.
    pub(super) fn rate(&self, load: f64, pace: &Pace) -> f64 {
        match self.variable {
            Variable::Users => load / pace.latency,
            Variable::Rate => load,
        }
    }

    /// A dwell after a change from `from`. Users join over one latency, and requests count once the service is steady.
    pub(super) fn plan(&self, stage: Stage, load: f64, from: f64, pace: &Pace) -> Plan {
        let latency = pace.latency;
        let up = load > from * 1.000_1;
        let ratio = if up { load / from } else { from / load };
        let (join, settle) = match self.variable {
            _ if (load - from).abs() < 1e-9 => (0.0, 0.0),
            Variable::Users if up => (
                latency,
                latency * (1.3 + if ratio > 1.2 { 0.25 } else { 0.0 }),
            ),
            Variable::Users => (0.0, latency * if ratio > 1.2 { 0.8 } else { 0.3 }),
            Variable::Rate => (0.0, latency),
        };
        Plan {
            stage,
            load,
            requests: 0,
            least: 0.0,
            most: f64::INFINITY,
            join,
            settle,
            abort: if load >= from || self.variable == Variable::Rate {
                Abort::Nothing
            } else {
                Abort::Surplus
            },
        }
    }

    /// The same after a load that was far too much: users who had to queue are in step, and stay so where answers are of
    /// equal length. They all join anew.
    pub(super) fn plan_anew(&self, stage: Stage, load: f64, pace: &Pace) -> Plan {
        Plan {
            abort: Abort::All,
            join: ANEW * pace.latency,
            settle: (ANEW + 0.6) * pace.latency,
            ..self.plan(stage, load, load, pace)
        }
    }

    /// The answer where the criteria are met at the highest load that may be tried: the upper bound, or what the client can
    /// drive where a load was forbidden.
    pub(super) fn at_the_top(joint: &Joint, top: f64, forbidden: Option<f64>) -> Answer {
        let (outcome, reason) = match forbidden {
            None => (
                Outcome::NotReached,
                "the criteria are met up to the upper bound",
            ),
            Some(_) => (Outcome::Void, "the client cannot drive a higher load"),
        };
        Answer {
            load: Some(top),
            estimate: Some(top),
            requests: joint.requests as u64,
            ..Answer::bare(outcome, reason)
        }
    }

    /// The answer where the budget is used up after `sent` requests.
    pub(super) fn unfinished(&self, joint: &Joint, why: &str, goal: Goal, sent: u64) -> Answer {
        let spread = joint.belief.spread();
        if spread <= goal.enough {
            return self.answer(Outcome::Value, joint, why.to_owned());
        }
        let factor = (spread / goal.spread).powi(2) - 1.0;
        Answer {
            requests_needed: Some((sent as f64 * factor.max(0.1)).ceil() as u64),
            ..self.answer(Outcome::Inconclusive, joint, why.to_owned())
        }
    }

    /// Bounds of the answer, each with a probability of `tail` that it is beyond; `limit` is a load at which requests fail
    /// or pile up. Where throughputs must be reached besides, it is only known at the end whether any load is an answer.
    pub(super) fn reach(&self, joint: &Joint, tail: f64, limit: Option<f64>) -> Reach {
        let known = joint.belief.reach(tail);
        let limit = limit.unwrap_or(f64::INFINITY);
        // A belief from far loads may point too high: what is relied on was seen.
        let low = known.low.min(BELOW_LIMIT * limit).min(joint.seen);
        let is_relied_on = self.floors.is_empty() && low >= self.bounds.lowest;
        Reach {
            low: if is_relied_on {
                self.reported(low)
            } else {
                0.0
            },
            high: known
                .high
                .map(|high| self.reported(high.max(joint.seen).min(limit))),
        }
    }

    /// The highest load at which all criteria were seen to be met, by enough requests at loads about there; 0 where none was.
    pub(super) fn highest_seen(&self, evidence: &Evidence) -> f64 {
        let loads = evidence.dwells.iter().map(Dwell::load);
        loads
            .filter(|&load| {
                self.gauges
                    .iter()
                    .all(|&gauge| is_met(evidence, gauge, load))
            })
            .fold(0.0, f64::max)
    }

    /// The answer that a fit gives.
    pub(super) fn answer(&self, outcome: Outcome, joint: &Joint, reason: String) -> Answer {
        let interval = joint.belief.interval();
        let sure = joint.belief.quantile(1.0 - self.confidence);
        // Where the criteria may well be missed even at the lower bound, no load can be relied on.
        // The same where the belief points below all loads that it was asked of.
        let is_held = joint.belief.reach(1.0 - self.confidence).low > 0.0;
        let is_known = is_held && sure >= self.bounds.lowest * (1.0 - BOUND_SLACK);
        let outcome = if is_known || outcome != Outcome::Value {
            outcome
        } else {
            Outcome::Inconclusive
        };
        Answer {
            load: is_known.then(|| self.reported(sure)),
            estimate: Some(self.reported(joint.belief.median())),
            interval: Some(Interval::likely(
                self.reported(interval.low),
                self.reported(interval.high),
            )),
            binding: Some(joint.binding),
            knee: joint.beta.is_finite().then_some(Knee { beta: joint.beta }),
            requests: joint.requests as u64,
            ..Answer::bare(outcome, reason)
        }
    }
}

/// The share of violations at loads about this one is within the limit, and there are enough requests for one to be seen.
fn is_met(evidence: &Evidence, gauge: usize, load: f64) -> bool {
    let is_near = |dwell: &&Dwell| (ABOUT.0..=ABOUT.1).contains(&(dwell.load() / load));
    let near = || evidence.dwells.iter().filter(is_near);
    let values = |of: &dyn Fn(&Dwell) -> Vec<f64>| near().flat_map(of).collect::<Vec<f64>>();
    let (all, limit, enough) = if let Some(share) = evidence.gauges[gauge].share {
        let enough = (1.0 / share).clamp(ENOUGH_REQUESTS.0, ENOUGH_REQUESTS.1);
        let all = values(&|dwell| evidence.violations(dwell, gauge));
        (all, share, enough)
    } else {
        let all = values(&|dwell| evidence.values(dwell, gauge));
        (all, 1.0, ENOUGH_REQUESTS.0)
    };
    let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
    all.len() as f64 >= enough && mean <= limit
}

/// How narrow a belief must be, as the standard deviation of the log load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// At which the search ends by itself.
    pub(super) spread: f64,
    /// That is still an answer where the budget is used up.
    pub(super) enough: f64,
}

/// What is known of a whole group: all its criteria together.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    pub(super) belief: Belief,
    pub(super) binding: Criterion,
    pub(super) beta: f64,
    pub(super) phi: f64,
    pub(super) requests: usize,
    /// The binding criterion is a mean near saturation: what was seen of it says little of the long run.
    pub(super) is_unsteady: bool,
    /// The highest load at which the criteria were seen to be met.
    pub(super) seen: f64,
}

impl Joint {
    /// From the fits of each gauge; the binding one is that with the lowest median.
    pub(super) fn of(frame: &Frame, evidence: &Evidence, fits: Vec<(usize, Fit)>) -> Option<Self> {
        let lowest = fits
            .iter()
            .min_by(|a, b| a.1.belief.median().total_cmp(&b.1.belief.median()))?;
        let (binding, beta, phi) = (
            evidence.gauges[lowest.0].criterion,
            lowest.1.beta,
            lowest.1.phi,
        );
        let (requests, is_unsteady) = (lowest.1.requests, lowest.1.is_unsteady);
        let belief = fits
            .into_iter()
            .map(|(_, fit)| fit.belief)
            .reduce(|all, one| all.and(&one))?;
        Some(Self {
            belief,
            binding,
            beta,
            phi,
            requests,
            is_unsteady,
            seen: frame.highest_seen(evidence),
        })
    }
}

/// A throughput of a dwell in its base unit.
pub(super) fn throughput(evidence: &Evidence, dwell: usize, of: Throughput) -> Option<f64> {
    let work = evidence.dwells[dwell].work()?;
    Some(match of {
        Throughput::Requests => work.requests,
        Throughput::OutputTokens => work.tokens,
        Throughput::TotalTokens => work.tokens * (1.0 + evidence.input_ratio()),
    })
}
