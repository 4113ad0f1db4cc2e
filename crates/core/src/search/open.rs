//! The highest rate of an open loop that meets a group of criteria.
//!
//! Doubles, then halves the range, always long enough for a queue to build; then counts violations near the crossing until
//! the belief is narrow. An overload is drained by dropping its queue, and never counted in the next dwell.

use super::Abort;
use super::answer::{Answer, Interval, Outcome};
use super::belief::Grid;
use super::counts::{OPEN_EFFECT, View};
use super::evidence::{Dwell, Evidence, Pace};
use super::frame::{Frame, Goal, Joint};
use super::over::Test;
use super::race::Reach;
use super::seeker::{Next, Plan, Seeker, Stage};

/// A dwell of the ramp or the coarse stage that is too much.
const OVER: Test = Test {
    violations: 4.0,
    multiple: 4.0,
    certainty: 0.0,
    phi: 1.0,
    mean: 1.1,
};
/// Requests in flight that grow by more than this share of those sent, and by more standard deviations than this, grow
/// without end: the service falls behind.
const GROWTH: f64 = 0.1;
const DEVIATIONS: f64 = 5.0;
/// Where the search goes, and what is reported, below a load at which requests fail or pile up.
const BELOW: f64 = 0.97;
/// Certainties at which a dwell is left before its end.
const LEAVE: f64 = 5.0;
/// The range at which the coarse stage ends.
const RANGE: f64 = 1.2;
/// Next loads lie at this quantile of the belief, within a step of the present one.
const NEXT: f64 = 0.35;
const STEP: (f64, f64) = (0.85, 1.06);
const STAY: f64 = 0.012;
/// Queues are shorter in the dwells of a search than in the long run, because each begins with what the last one left:
/// crossings come out too high by this, in log load (median over the bench's tuning half).
const OPTIMISM: f64 = 0.008;
/// Furthest that the centre of a fit may be from the present load, as a ratio.
const REACH: f64 = 1.15;
/// A dwell lasts for so many design effects' worth of requests.
const DWELL_EFFECTS: f64 = 20.0;
const DWELL: (f64, f64) = (200.0, 3000.0);
/// Least standard deviation of the log load at which a search may end, as a multiple of the tolerance.
const PRECISION: f64 = 0.44;
/// The same where the budget is used up: the interval then reaches as far as the tolerance to both sides.
const ENOUGH: f64 = 0.61;
const LEAST_DWELLS: u32 = 4;
/// Dwells after which a mean near saturation is given up.
const UNSTEADY_DWELLS: u32 = 8;
/// How far below the interval it may lie then.
const UNSTEADY_LOW: f64 = 0.7;

/// The seeker.
#[derive(Debug)]
pub(super) struct Open {
    frame: Frame,
    stage: Stage,
    /// The highest load that passed and the lowest that did not.
    below: Option<f64>,
    above: Option<f64>,
    /// `below` has itself passed a coarse dwell.
    verified: bool,
    forbidden: Option<f64>,
    failed: Option<f64>,
    /// The lowest load at which requests in flight grew without end.
    unstable: Option<f64>,
    /// Loads near the answer, and whether requests piled up there.
    stability: Vec<(f64, bool)>,
    center: f64,
    phi: f64,
    dwells: u32,
    /// The last dwell was an overload: its queue is dropped.
    hot: bool,
    joint: Option<Joint>,
}

impl Open {
    pub(super) fn new(frame: Frame) -> Self {
        let center = frame.first;
        Self {
            frame,
            stage: Stage::Ramp,
            below: None,
            above: None,
            verified: false,
            forbidden: None,
            failed: None,
            unstable: None,
            stability: Vec::new(),
            center,
            phi: OPEN_EFFECT,
            dwells: 0,
            hot: false,
            joint: None,
        }
    }

    fn highest(&self) -> f64 {
        let limit = self.forbidden.map_or(f64::INFINITY, |at| at * 0.95);
        self.frame.bounds.highest.min(limit)
    }

    fn patience(&self, evidence: &Evidence, pace: &Pace) -> f64 {
        let waits = self
            .frame
            .gauges
            .iter()
            .map(|&gauge| evidence.gauges[gauge].longest_wait());
        waits.fold(pace.latency, f64::max)
    }

    fn is_over(&self, evidence: &Evidence, dwell: &Dwell, test: &Test) -> bool {
        self.failed_in(dwell)
            || is_unstable(dwell)
            || self
                .frame
                .gauges
                .iter()
                .any(|&gauge| test.is_over(evidence, dwell, gauge))
    }

    fn failed_in(&self, dwell: &Dwell) -> bool {
        self.frame.all_must_succeed && dwell.failures() > 0
    }

    /// A dwell after a change; requests count when the service is steady, and an overload is gone.
    fn plan(&self, stage: Stage, load: f64, from: f64, pace: &Pace) -> Plan {
        let mut plan = self.frame.plan(stage, load, from, pace);
        let moved = (load - from).abs() > 1e-9;
        let latency = pace.latency;
        plan.settle = if self.hot {
            latency.max(5.0 * self.phi / load).min(20.0 * latency) + latency
        } else if moved {
            let shift = if stage == Stage::Refine {
                5.0 * self.phi / load
            } else {
                0.0
            };
            latency.max(shift)
        } else {
            0.0
        };
        if self.hot {
            plan.abort = Abort::Queue;
        }
        plan
    }

    fn long_enough(plan: &mut Plan, pace: &Pace) {
        plan.most =
            (10.0 * pace.latency + 4.0 * plan.requests as f64 / plan.load).max(plan.least * 1.5);
    }

    fn ramp_to(&self, load: f64, from: f64, evidence: &Evidence, pace: &Pace) -> Next {
        let load = self.frame.load(load).min(self.highest());
        let mut plan = self.plan(Stage::Ramp, load, from, pace);
        plan.requests = (2.0 * load * pace.latency).clamp(10.0, 100.0) as usize;
        plan.least = 2.0 * self.patience(evidence, pace);
        Self::long_enough(&mut plan, pace);
        Next::Dwell(plan)
    }

    /// The load that is applied, after a dwell that may be one of an earlier group; notes whether it is too much, so that its
    /// queue must go.
    fn present(&mut self, evidence: &Evidence, dwell: usize) -> f64 {
        let mut both = [dwell, evidence.dwells.len() - 1].into_iter();
        self.hot = both.any(|place| self.is_over(evidence, &evidence.dwells[place], &OVER));
        let load = evidence.dwells[dwell].load();
        evidence.load().unwrap_or(load)
    }

    fn after_ramp(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let seen = &evidence.dwells[dwell];
        let load = seen.load();
        let from = self.present(evidence, dwell);
        let lowest = self.frame.bounds.lowest;
        if self.is_over(evidence, seen, &OVER) {
            self.above = Some(load);
            if self.below.is_none() && load > lowest {
                return self.ramp_to((load / 2.0).max(lowest), from, evidence, pace);
            }
        } else {
            self.below = Some(load);
            if self.above.is_none() && load < self.highest() {
                return self.ramp_to(2.0 * load, from, evidence, pace);
            }
        }
        self.stage = Stage::Coarse;
        self.coarse(evidence, from, pace)
    }

    fn coarse(&mut self, evidence: &Evidence, from: f64, pace: &Pace) -> Next {
        let lowest = self.frame.bounds.lowest;
        let Some(above) = self.above else {
            // Nothing was too much: the evidence at the upper bound decides.
            let top = self.highest();
            return self.refine_at(top, from, pace);
        };
        let below = self.below.unwrap_or(lowest);
        let load = if self.below.is_none() {
            lowest
        } else if above / below > RANGE {
            (above * below).sqrt()
        } else if self.verified {
            return self.refine_at(below, from, pace);
        } else {
            below
        };
        let mut plan = self.plan(Stage::Coarse, self.frame.load(load), from, pace);
        plan.requests = (4.0 * load * pace.latency).clamp(60.0, 400.0) as usize;
        plan.least = 3.0 * self.patience(evidence, pace);
        Self::long_enough(&mut plan, pace);
        Next::Dwell(plan)
    }

    fn after_coarse(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let seen = &evidence.dwells[dwell];
        let load = seen.load();
        let from = self.present(evidence, dwell);
        let lowest = self.frame.bounds.lowest;
        if !self.is_over(evidence, seen, &OVER) {
            self.below = Some(load);
            self.verified = true;
            return self.coarse(evidence, from, pace);
        }
        if load <= lowest * 1.000_1 {
            let reason = format!("the criteria are not met at the lower bound ({lowest})");
            return Next::settled(Answer::bare(Outcome::Infeasible, reason));
        }
        self.above = Some(load);
        if self.below.is_some_and(|below| below >= load * 0.999) {
            self.below = Some((0.75 * load).max(lowest));
            self.verified = false;
        }
        self.coarse(evidence, from, pace)
    }

    fn refine_at(&mut self, load: f64, from: f64, pace: &Pace) -> Next {
        if self.stage != Stage::Refine {
            self.stage = Stage::Refine;
            self.center = load;
        }
        let stay = (load / from - 1.0).abs() <= STAY && !self.hot;
        let load = if stay { from } else { load };
        let mut plan = self.plan(Stage::Refine, load, from, pace);
        plan.requests = (DWELL_EFFECTS * self.phi)
            .max(3.0 * load * pace.latency)
            .clamp(DWELL.0, DWELL.1) as usize;
        Self::long_enough(&mut plan, pace);
        self.dwells += 1;
        Next::Dwell(plan)
    }

    fn fit(&mut self, evidence: &Evidence) {
        let (Some(pace), Some(load)) = (evidence.pace(), evidence.load()) else {
            return;
        };
        // The first dwell is at the guess, or was never made.
        let load = if self.dwells == 1 { self.center } else { load };
        for _ in 0..3 {
            let grid = Grid::between(self.center / 2.2, self.center * 2.2);
            let apart = (self.center * pace.latency).clamp(8.0, 400.0) as usize;
            let fits = self
                .frame
                .gauges
                .iter()
                .filter_map(|&gauge| {
                    let view = View {
                        evidence,
                        gauge,
                        center: self.center,
                        apart,
                        prior: OPEN_EFFECT,
                    };
                    Some((gauge, view.fit(grid)?))
                })
                .collect();
            let Some(joint) = Joint::of(&self.frame, evidence, fits) else {
                return;
            };
            let before = self.center;
            self.center = joint.belief.median().clamp(load / REACH, load * REACH);
            self.phi = joint.phi;
            self.joint = Some(Joint {
                belief: joint.belief.moved(OPTIMISM),
                ..joint
            });
            if (self.center / before).ln().abs() < 0.01 {
                break;
            }
        }
    }

    fn after_refine(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let seen = &evidence.dwells[dwell];
        let load = seen.load();
        self.hot = self.is_over(evidence, seen, &self.leave());
        self.stability.push((load, is_unstable(seen)));
        self.unstable = self.piles_up_at();
        self.fit(evidence);
        let Some(joint) = self.joint.clone() else {
            let reason = "the answers have nothing that the criteria could be held against";
            return Next::Settled(Box::new(Answer::bare(
                Outcome::Inconclusive,
                reason.to_owned(),
            )));
        };
        if let Some(answer) = self.settled(&joint) {
            return Next::settled(answer);
        }
        let next = joint
            .belief
            .quantile(NEXT)
            .clamp(STEP.0 * load, STEP.1 * load);
        let next = self.capped(next);
        self.refine_at(next, load, pace)
    }

    /// The lowest load around which requests piled up in at least two dwells and in half of all: busy times come at any load.
    fn piles_up_at(&self) -> Option<f64> {
        let around = |at: f64| {
            let near = move |(load, _): &&(f64, bool)| (load / at - 1.0).abs() < 1.0 - BELOW;
            self.stability.iter().filter(near)
        };
        let piled_up = |at: f64| around(at).filter(|(_, unstable)| *unstable).count();
        let loads = self.stability.iter().filter(|(_, unstable)| *unstable);
        loads
            .map(|(load, _)| *load)
            .filter(|&at| piled_up(at) >= 2 && 2 * piled_up(at) >= around(at).count())
            .reduce(f64::min)
    }

    fn capped(&self, load: f64) -> f64 {
        let below = |at: Option<f64>| at.map_or(f64::INFINITY, |at| at * BELOW);
        let load = load.min(below(self.failed)).min(below(self.unstable));
        self.frame.load(load).min(self.highest())
    }

    fn settled(&self, joint: &Joint) -> Option<Answer> {
        let bounds = self.frame.bounds;
        let top = self.highest();
        let precise = joint.belief.spread() <= PRECISION * self.frame.tolerance;
        if self.failed.is_some_and(|failed| failed <= bounds.lowest)
            || joint.belief.quantile(0.95) < bounds.lowest
        {
            let reason = format!("{} is not met at the lower bound", joint.binding);
            return Some(Answer::bare(Outcome::Infeasible, reason));
        }
        if joint.belief.quantile(0.05) >= top && self.failed.is_none() {
            return Some(Frame::at_the_top(joint, top, self.forbidden));
        }
        if joint.is_unsteady && self.dwells >= UNSTEADY_DWELLS {
            let reason = format!(
                "{} lies near saturation, where a mean settles too slowly to be told: limit a percentile, or stay below the interval",
                joint.binding
            );
            return Some(self.untold(joint, reason));
        }
        (precise && self.dwells >= LEAST_DWELLS).then(|| {
            let reason = "the belief is as narrow as was asked".to_owned();
            self.below_failures(self.frame.answer(Outcome::Value, joint, reason))
        })
    }

    /// What can be said of a mean near saturation: within any search queues are shorter than in the long run, so that the
    /// true load may lie well below what was seen.
    fn untold(&self, joint: &Joint, reason: String) -> Answer {
        let mut answer = self.frame.answer(Outcome::Inconclusive, joint, reason);
        answer.load = None;
        if let Some(interval) = &mut answer.interval {
            interval.low = self.frame.reported(UNSTEADY_LOW * interval.low);
        }
        self.below_failures(answer)
    }

    /// No load at which requests fail or pile up is an answer.
    fn below_failures(&self, mut answer: Answer) -> Answer {
        let limits = [
            self.failed.map(|at| (at, "requests fail")),
            self.unstable
                .map(|at| (at, "requests in flight grow without end")),
        ];
        let lowest = limits
            .into_iter()
            .flatten()
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((at, what)) = lowest else {
            return answer;
        };
        if answer.estimate.is_none_or(|load| load <= at * BELOW) {
            return answer;
        }
        let below = |load: f64| self.frame.load(load.min(at * BELOW));
        answer.load = answer.load.map(below);
        answer.estimate = answer.estimate.map(below);
        answer.reason = format!("{what} at {at:.3}");
        if let Some(interval) = &mut answer.interval {
            interval.high = interval.high.min(at);
            interval.low = below(interval.low);
        }
        answer
    }

    fn leave(&self) -> Test {
        let phi = match self.stage {
            Stage::Ramp => 2.0,
            Stage::Coarse => 3.0,
            _ => self.phi.max(20.0),
        };
        Test {
            certainty: LEAVE,
            phi,
            ..OVER
        }
    }
}

/// The service falls behind: at a load that it sustains, as many requests end as are sent.
fn is_unstable(dwell: &Dwell) -> bool {
    let sent = dwell.requests.len() as f64;
    let growth = dwell.work().map_or(0.0, |work| work.backlog * work.seconds);
    growth > GROWTH * sent && growth > DEVIATIONS * sent.sqrt()
}

impl Seeker for Open {
    fn begin(&mut self, evidence: &Evidence) -> Next {
        let Some(pace) = evidence.pace() else {
            return Next::unanswered();
        };
        (self.stage, self.below, self.above) = (Stage::Ramp, None, None);
        let first = self.frame.first.max(0.5 / pace.latency);
        let from = evidence.load().unwrap_or(self.frame.bounds.lowest);
        self.ramp_to(first, from, evidence, &pace)
    }

    fn after(&mut self, evidence: &Evidence, dwell: usize) -> Next {
        let Some(pace) = evidence.pace() else {
            return Next::unanswered();
        };
        self.failed = self.frame.lowest_failure(evidence);
        match self.stage {
            Stage::Ramp => self.after_ramp(evidence, dwell, &pace),
            Stage::Coarse => self.after_coarse(evidence, dwell, &pace),
            _ => self.after_refine(evidence, dwell, &pace),
        }
    }

    fn has_seen_enough(&self, evidence: &Evidence, dwell: &Dwell) -> bool {
        self.is_over(evidence, dwell, &self.leave())
    }

    fn gauges(&self) -> &[usize] {
        &self.frame.gauges
    }

    fn give_up(&mut self, evidence: &Evidence, why: &str) -> Answer {
        self.failed = self.frame.lowest_failure(evidence);
        self.fit(evidence);
        let Some(joint) = &self.joint else {
            return Answer::bare(Outcome::Inconclusive, why.to_owned());
        };
        if joint.is_unsteady {
            return self.untold(joint, why.to_owned());
        }
        let tolerance = self.frame.tolerance;
        let enough = if self.dwells >= LEAST_DWELLS {
            ENOUGH * tolerance
        } else {
            0.0
        };
        let goal = Goal {
            spread: PRECISION * tolerance,
            enough,
        };
        let answer = self.frame.unfinished(joint, why, goal, evidence.sent);
        self.below_failures(answer)
    }

    fn forbid(&mut self, load: f64) {
        self.forbidden = Some(self.forbidden.map_or(load, |at| at.min(load)));
    }

    fn reach(&self, tail: f64) -> Reach {
        let Some(joint) = &self.joint else {
            return Reach::UNKNOWN;
        };
        let limits = [self.failed, self.unstable];
        let limit = limits.into_iter().flatten().reduce(f64::min);
        let reach = self.frame.reach(joint, tail, limit);
        Reach {
            // Of a mean near saturation, the long run may be far below what was seen.
            low: if joint.is_unsteady { 0.0 } else { reach.low },
            ..reach
        }
    }

    fn progress(&self) -> (Option<Interval>, f64) {
        let Some(joint) = &self.joint else {
            let range = self.below.zip(self.above);
            return (range.map(|(low, high)| Interval::tried(low, high)), 0.1);
        };
        let target = PRECISION * self.frame.tolerance;
        let done = (target / joint.belief.spread().max(1e-6)).powi(2).min(1.0);
        (Some(joint.belief.interval()), 0.2 + 0.8 * done)
    }
}

#[cfg(test)]
mod tests;
