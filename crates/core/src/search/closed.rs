//! The highest number of users of a closed loop that meets a group of criteria.
//!
//! Doubles until it is too much, guesses the crossing from the two last loads, then gathers evidence around it until the
//! belief is narrow, and confirms the answer with fresh requests.

mod failures;
mod ramp;

use super::answer::{Answer, Interval, Outcome};
use super::belief::Grid;
use super::evidence::{Dwell, Evidence, Pace};
use super::fit;
use super::frame::{Frame, Goal, Joint};
use super::over::Test;
use super::race::Reach;
use super::seeker::{Next, Plan, Seeker, Stage};
use ramp::HOPELESS;

/// Next loads lie at this quantile of the belief: somewhat below the crossing, where the service is steady.
const NEXT: f64 = 0.35;
/// Each fourth dwell lies above the median by this: loads on one side only say little of the elasticity.
const ABOVE: f64 = 1.03;
/// Largest step between two dwells, down and up: a belief that points further is a guess.
const STEP: (f64, f64) = (0.8, 1.15);
/// A change costs a transient in which nothing counts: it is only made where the load differs by more.
const STAY: f64 = 0.02;
/// Waves of requests of a dwell: shorter ones were above the truth more often in the bench, at little less load.
const WAVES: f64 = 4.0;
/// Requests of a dwell where there are few users.
const LEAST_REQUESTS: usize = 24;
/// Waves of requests near the answer without which a search does not end: queues come and go over tens of them.
const EVIDENCE_WAVES: f64 = 25.0;
/// Standard deviation of the log load at which a search may end, as a multiple of the tolerance: two of them on each side, and
/// some room for what the belief does not know.
const PRECISION: f64 = 0.40;
/// The same where the budget is used up: the 90 % interval, 1.64 deviations to each side, then reaches as far as the tolerance.
const ENOUGH: f64 = 0.61;
/// The same for few users, in users: whole numbers cannot be told apart better.
const PRECISION_USERS: f64 = 0.35;
/// Dwells near the answer without which there is none.
const LEAST_DWELLS: u32 = 3;

/// The seeker.
#[derive(Debug)]
pub(super) struct Closed {
    frame: Frame,
    stage: Stage,
    /// The highest load of the ramp that passed, and the lowest that did not.
    below: Option<f64>,
    above: Option<f64>,
    /// A load at which a dwell was hopeless, and how often the belief went beyond it since.
    hopeless: Option<f64>,
    doubted: u32,
    /// The lowest load at which a request failed.
    failed: Option<f64>,
    forbidden: Option<f64>,
    /// The last dwell was hopeless.
    crowded: bool,
    center: f64,
    dwells: u32,
    joint: Option<Joint>,
}

impl Closed {
    pub(super) fn new(frame: Frame) -> Self {
        let center = frame.load(frame.first);
        Self {
            frame,
            stage: Stage::Ramp,
            below: None,
            above: None,
            hopeless: None,
            doubted: 0,
            failed: None,
            forbidden: None,
            crowded: false,
            center,
            dwells: 0,
            joint: None,
        }
    }

    fn highest(&self) -> f64 {
        let below = |load: f64| self.frame.load(load - 1.0);
        let limit = self.forbidden.map_or(f64::INFINITY, below);
        self.frame.bounds.highest.min(limit)
    }

    fn is_over(&self, evidence: &Evidence, dwell: &Dwell, test: &Test) -> bool {
        self.failed_in(dwell)
            || self
                .frame
                .gauges
                .iter()
                .any(|&gauge| test.is_over(evidence, dwell, gauge))
    }

    fn failed_in(&self, dwell: &Dwell) -> bool {
        self.frame.all_must_succeed && dwell.failures() > 0
    }

    fn refine_at(&mut self, load: f64, from: f64, pace: &Pace) -> Next {
        self.stage = Stage::Refine;
        self.dwells += 1;
        let fails = self.failed.is_some_and(|failed| from >= failed);
        let stay = (load / from - 1.0).abs() <= STAY && !fails;
        let load = if stay { from } else { load };
        Next::Dwell(self.dwell(Stage::Refine, load, from, pace))
    }

    fn plan(&self, stage: Stage, load: f64, from: f64, pace: &Pace) -> Plan {
        if self.crowded && load < from {
            return self.frame.plan_anew(stage, load, pace);
        }
        self.frame.plan(stage, load, from, pace)
    }

    fn dwell(&self, stage: Stage, load: f64, from: f64, pace: &Pace) -> Plan {
        let mut plan = self.plan(stage, load, from, pace);
        plan.requests = ((WAVES * load) as usize).max(LEAST_REQUESTS);
        if stage == Stage::Confirm {
            plan.requests = (10.0 * load).min(200.0).max(LEAST_REQUESTS as f64) as usize;
        }
        plan.most = 4.0 * plan.requests as f64 / load * pace.latency + 10.0 * pace.latency;
        plan
    }

    /// The belief on all criteria together, from the loads around the estimate, or around the present load where the
    /// estimate is still far: two groups of loads that contradict each other must not take turns.
    fn fit(&mut self, evidence: &Evidence) {
        let Some(load) = evidence.load() else { return };
        // The first dwell is at the guess, or was never made.
        let load = if self.dwells == 1 { self.center } else { load };
        for _ in 0..3 {
            let grid = Grid::between(self.center / 2.2, self.center * 2.2);
            let fits = self
                .frame
                .gauges
                .iter()
                .filter_map(|&gauge| {
                    Some((gauge, fit::closed(evidence, gauge, self.center, grid)?))
                })
                .collect();
            let Some(joint) = Joint::of(&self.frame, evidence, fits) else {
                return;
            };
            let before = self.center;
            self.center = joint.belief.median().clamp(load / STEP.1, load * STEP.1);
            self.joint = Some(joint);
            if (self.center / before).ln().abs() < 0.02 {
                break;
            }
        }
    }

    fn after_refine(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let load = evidence.dwells[dwell].load();
        let seen = &evidence.dwells[dwell];
        if !self.failed_in(seen) && self.is_over(evidence, seen, &self.hopeless_here()) {
            self.hopeless = Some(self.hopeless.map_or(load, |at| at.min(load)));
        }
        self.fit(evidence);
        let Some(joint) = self.joint.clone() else {
            return self.without_fit(evidence, dwell, pace);
        };
        if let Some(next) = self.at_failures(evidence, &joint, load, pace) {
            return next;
        }
        if let Some(settled) = self.settled(evidence, dwell, &joint) {
            return Next::settled(settled);
        }
        if self.is_precise(&joint) && self.dwells >= LEAST_DWELLS {
            let at = self.capped(
                self.frame
                    .reported(joint.belief.quantile(1.0 - self.frame.confidence)),
            );
            self.stage = Stage::Confirm;
            return Next::Dwell(self.dwell(Stage::Confirm, at, load, pace));
        }
        let next = self.next_load(&joint, load);
        self.refine_at(next, load, pace)
    }

    /// No dwell near the centre has a value: requests fail there, or have nothing to judge (outputs of one token have no
    /// TPOT).
    fn without_fit(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let load = evidence.dwells[dwell].load();
        if let Some(next) = self.among_failures(evidence, load, pace) {
            return next;
        }
        if self.dwells > 8 || self.frame.gauges.is_empty() {
            let reason =
                "the answers have nothing that the criteria could be held against".to_owned();
            return Next::settled(Answer::bare(Outcome::Inconclusive, reason));
        }
        self.refine_at(load, load, pace)
    }

    fn hopeless_here(&self) -> Test {
        Test {
            phi: self.joint.as_ref().map_or(2.0, |joint| joint.phi.max(2.0)),
            ..HOPELESS
        }
    }

    fn target(&self, median: f64) -> f64 {
        (PRECISION * self.frame.tolerance).max(PRECISION_USERS / median)
    }

    fn is_precise(&self, joint: &Joint) -> bool {
        let median = joint.belief.median();
        let enough = (EVIDENCE_WAVES * median).clamp(150.0, 3000.0) as usize;
        joint.belief.spread() <= self.target(median) && joint.requests >= enough
    }

    fn next_load(&mut self, joint: &Joint, load: f64) -> f64 {
        let median = joint.belief.median();
        let wanted = if self.dwells.is_multiple_of(4) {
            ABOVE * median
        } else {
            joint.belief.quantile(NEXT)
        };
        let mut next = wanted.clamp(STEP.0 * load, STEP.1 * load);
        if let Some(at) = self.hopeless {
            if median > 0.985 * at {
                self.doubted += 1;
            }
            if self.doubted >= 3 {
                self.hopeless = None;
                self.doubted = 0;
            } else {
                next = next.min(at - 1.0);
            }
        }
        self.capped(self.frame.load(next))
    }

    /// The answer, where the belief leaves no room for another one.
    fn settled(&self, evidence: &Evidence, dwell: usize, joint: &Joint) -> Option<Answer> {
        let Frame { bounds, .. } = self.frame;
        let n = joint.requests;
        if let Some(answer) = self.failed_everywhere() {
            return Some(answer);
        }
        if joint.belief.at(bounds.lowest) < 0.03 && n >= LEAST_REQUESTS {
            let reason = format!("{} is not met at the lower bound", joint.binding);
            return Some(Answer::bare(Outcome::Infeasible, reason));
        }
        let top = self.highest();
        let enough = (12.0 * top).min(150.0) as usize;
        let at_top = evidence.dwells[dwell].load() >= 0.9 * top;
        if at_top && joint.belief.at(top) > 0.95 && n >= enough && self.failed.is_none() {
            return Some(Frame::at_the_top(joint, top, self.forbidden));
        }
        None
    }

    fn after_confirm(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        self.fit(evidence);
        let seen = &evidence.dwells[dwell];
        let load = seen.load();
        let Some(joint) = self.joint.clone() else {
            return self.without_fit(evidence, dwell, pace);
        };
        let holds = self
            .frame
            .gauges
            .iter()
            .all(|&gauge| confirms(evidence, seen, gauge, joint.phi));
        let precise = joint.belief.spread() <= 1.2 * self.target(joint.belief.median());
        if holds && precise && !self.failed_in(seen) {
            return Next::settled(self.value(&joint));
        }
        self.stage = Stage::Refine;
        self.after_refine(evidence, dwell, pace).or_refine(|| {
            let next = self.frame.load(load * 0.97);
            self.dwell(Stage::Refine, next, load, pace)
        })
    }

    fn value(&self, joint: &Joint) -> Answer {
        let reason = "the belief is as narrow as was asked, and fresh requests confirm it";
        let answer = self.frame.answer(Outcome::Value, joint, reason.to_owned());
        self.below_failures(answer)
    }
}

impl Next {
    /// Itself, unless it asks for the confirmation that has just failed.
    fn or_refine(self, plan: impl FnOnce() -> Plan) -> Self {
        match self {
            Self::Dwell(Plan {
                stage: Stage::Confirm,
                ..
            }) => Self::Dwell(plan()),
            next => next,
        }
    }
}

impl Seeker for Closed {
    fn begin(&mut self, evidence: &Evidence) -> Next {
        match evidence.pace() {
            Some(pace) => {
                (self.stage, self.below, self.above) = (Stage::Ramp, None, None);
                let from = evidence.load().unwrap_or(self.frame.bounds.lowest);
                self.ramp_to(self.frame.first, from, &pace)
            }
            None => Next::unanswered(),
        }
    }

    fn after(&mut self, evidence: &Evidence, dwell: usize) -> Next {
        let Some(pace) = evidence.pace() else {
            return Next::unanswered();
        };
        self.failed = self.frame.lowest_failure(evidence);
        // The dwell may be one of an earlier group: where the service is now counts too.
        let mut both = [dwell, evidence.dwells.len() - 1].into_iter();
        self.crowded = both.any(|place| self.has_seen_enough(evidence, &evidence.dwells[place]));
        match self.stage {
            Stage::Ramp => self.after_ramp(evidence, dwell, &pace),
            Stage::Confirm => self.after_confirm(evidence, dwell, &pace),
            _ => self.after_refine(evidence, dwell, &pace),
        }
    }

    fn has_seen_enough(&self, evidence: &Evidence, dwell: &Dwell) -> bool {
        match self.stage {
            Stage::Ramp => self.is_over(evidence, dwell, &HOPELESS),
            _ => self.is_over(evidence, dwell, &self.hopeless_here()),
        }
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
        let goal = self.target(joint.belief.median());
        let enough = if self.dwells >= LEAST_DWELLS {
            goal * ENOUGH / PRECISION
        } else {
            0.0
        };
        let answer = self.frame.unfinished(
            joint,
            why,
            Goal {
                spread: goal,
                enough,
            },
            evidence.sent,
        );
        self.below_failures(answer)
    }

    fn forbid(&mut self, load: f64) {
        self.forbidden = Some(self.forbidden.map_or(load, |at| at.min(load)));
    }

    fn reach(&self, tail: f64) -> Reach {
        let Some(joint) = self.joint.as_ref().filter(|_| self.dwells > 0) else {
            return Reach::UNKNOWN;
        };
        self.frame.reach(joint, tail, self.failed)
    }

    fn progress(&self) -> (Option<Interval>, f64) {
        let Some(joint) = &self.joint else {
            let range = self.below.zip(self.above);
            return (range.map(|(low, high)| Interval::tried(low, high)), 0.1);
        };
        let target = self.target(joint.belief.median());
        let done = (target / joint.belief.spread().max(1e-6)).powi(2).min(1.0);
        (Some(joint.belief.interval()), 0.2 + 0.8 * done)
    }
}

/// Fresh requests are in keeping with the criterion.
fn confirms(evidence: &Evidence, dwell: &Dwell, gauge: usize, phi: f64) -> bool {
    let Some(share) = evidence.gauges[gauge].share else {
        let values = evidence.values(dwell, gauge);
        return values.iter().sum::<f64>() <= 1.02 * values.len() as f64;
    };
    let over = evidence.violations(dwell, gauge);
    let expected = over.len() as f64 * share;
    over.iter().sum::<f64>() <= expected + (expected * phi).sqrt() + 1.0
}

#[cfg(test)]
mod tests;
