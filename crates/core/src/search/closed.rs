//! The highest number of users of a closed loop that meets a group of criteria.
//!
//! Doubles until it is too much, guesses the crossing from the two last loads, then gathers evidence around it until the
//! belief is narrow, and confirms the answer with fresh requests.

use super::answer::{Answer, Interval, Outcome};
use super::belief::Grid;
use super::evidence::{Dwell, Evidence, Pace};
use super::fit;
use super::frame::{Frame, Joint};
use super::gauge::Gauge;
use super::over::Test;
use super::seeker::{Next, Plan, Seeker, Stage};

/// In the ramp: certainly too much, and suspicious.
const HOPELESS: Test = Test {
    violations: 3.0,
    multiple: 2.0,
    certainty: 9.2,
    phi: 2.0,
    mean: 1.5,
};
const SUSPICIOUS: Test = Test {
    violations: 2.0,
    multiple: 1.5,
    certainty: 0.0,
    phi: 1.0,
    mean: 1.1,
};
/// Values that are all below this allow a larger step.
const FAR_BELOW: f64 = 0.2;
/// Throughput that grows by less is flat, and values above this multiple of the limit are near it.
const FLAT: f64 = 1.1;
const NEAR_LIMIT: f64 = 0.7;
/// Failures are located to within this ratio, and so many requests must have none.
const FAILURE_RANGE: f64 = 1.02;
const FAILURE_REQUESTS: usize = 300;
/// Next loads lie at this quantile of the belief; each fourth one above the median.
const NEXT: f64 = 0.35;
const ABOVE: f64 = 1.03;
/// Largest step between two dwells.
const STEP: (f64, f64) = (0.8, 1.15);
/// A change costs a transient: it is only made where the load differs by more.
const STAY: f64 = 0.02;
/// Waves of requests of a dwell.
const WAVES: f64 = 4.0;
const LEAST_REQUESTS: usize = 24;
/// Least standard deviation of the log load at which a search may end, as a multiple of the tolerance.
const PRECISION: f64 = 0.40;
/// The same where the budget is used up: the interval then reaches as far as the tolerance to both sides.
const ENOUGH: f64 = 0.61;
/// The same for few users, in users.
const PRECISION_USERS: f64 = 0.35;

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

    fn ramp_to(&self, load: f64, from: f64, pace: &Pace) -> Next {
        let load = self.frame.load(load).min(self.highest());
        let mut plan = self.frame.plan(Stage::Ramp, load, from, pace);
        plan.requests = (1.25 * load).clamp(3.0, 40.0) as usize;
        plan.most = 20.0 * pace.latency;
        Next::Dwell(plan)
    }

    fn after_ramp(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let seen = &evidence.dwells[dwell];
        let load = seen.load();
        let lowest = self.frame.bounds.lowest;
        if self.is_over(evidence, seen, &SUSPICIOUS) {
            let hopeless = self.is_over(evidence, seen, &HOPELESS);
            self.above = Some(load);
            if load <= lowest && hopeless {
                let reason = self.broken_at(evidence, dwell);
                return Next::Settled(Box::new(Frame::bare(Outcome::Infeasible, reason)));
            }
            if self.below.is_none() && load > lowest && hopeless {
                return self.ramp_to((load / 2.0).max(lowest), load, pace);
            }
        } else if self.gains_nothing(evidence, dwell) {
            self.above = Some(load);
        } else {
            self.below = Some(load);
            if self.above.is_none() && load < self.highest() {
                let far = self.is_far_below(evidence, seen);
                return self.ramp_to(load * if far { 4.0 } else { 2.0 }, load, pace);
            }
        }
        self.center = self.first_guess(evidence);
        self.refine_at(self.center, load, pace)
    }

    /// More users only wait longer, and a limit is near: where the shares of violations no longer grow with the load, a few
    /// requests say nothing, and the crossing may lie far below.
    fn gains_nothing(&self, evidence: &Evidence, dwell: usize) -> bool {
        let tokens = |dwell: &Dwell| dwell.work().map(|work| work.tokens);
        let seen = &evidence.dwells[dwell];
        let before = evidence
            .dwells
            .iter()
            .rev()
            .find(|dwell| Some(dwell.load()) == self.below)
            .and_then(tokens);
        let flat = before
            .zip(tokens(seen))
            .is_some_and(|(before, now)| now < FLAT * before);
        flat && self.frame.gauges.iter().any(|&gauge| {
            upper_level(&evidence.gauges[gauge], evidence.values(seen, gauge))
                .is_some_and(|level| level > NEAR_LIMIT)
        })
    }

    fn is_far_below(&self, evidence: &Evidence, dwell: &Dwell) -> bool {
        self.frame.gauges.iter().all(|&gauge| {
            evidence
                .values(dwell, gauge)
                .iter()
                .all(|&value| value < FAR_BELOW)
        })
    }

    /// What a load breaks, in words.
    fn broken_at(&self, evidence: &Evidence, dwell: usize) -> String {
        let dwell = &evidence.dwells[dwell];
        let load = dwell.load();
        if self.failed_in(dwell) {
            return format!(
                "{} of {} requests failed at {load}",
                dwell.failures(),
                dwell.requests.len()
            );
        }
        let broken = self
            .frame
            .gauges
            .iter()
            .find(|&&gauge| SUSPICIOUS.is_over(evidence, dwell, gauge));
        let name = broken.map_or_else(String::new, |&gauge| {
            format!(" {}", evidence.gauges[gauge].criterion)
        });
        format!("{load} does not meet{name}")
    }

    /// Where the upper values of the last two loads of the ramp, as powers of the load, reach the limit.
    fn first_guess(&self, evidence: &Evidence) -> f64 {
        let (below, above) = (self.below, self.above);
        let level = |load: Option<f64>, gauge: usize| {
            let dwell = evidence
                .dwells
                .iter()
                .rev()
                .find(|dwell| Some(dwell.load()) == load)?;
            upper_level(&evidence.gauges[gauge], evidence.values(dwell, gauge))
        };
        let guess = |&gauge: &usize| {
            let (x1, x2) = (below?, above?);
            let (y1, y2) = (level(below, gauge)?, level(above, gauge)?);
            let slope = ((y2 / y1).ln() / (x2 / x1).ln()).max(0.3);
            Some(
                (x1.ln() - y1.ln() / slope)
                    .exp()
                    .clamp(x1, (0.95 * x2).max(x1)),
            )
        };
        let lowest = self.frame.gauges.iter().filter_map(guess);
        let guessed = lowest.fold(f64::INFINITY, f64::min);
        let fallback = match (below, above) {
            (Some(below), Some(above)) => (below * above).sqrt(),
            (Some(below), None) => below,
            (None, Some(above)) => above,
            (None, None) => self.frame.first,
        };
        self.frame.load(if guessed.is_finite() {
            guessed
        } else {
            fallback
        })
    }

    fn refine_at(&mut self, load: f64, from: f64, pace: &Pace) -> Next {
        self.stage = Stage::Refine;
        self.dwells += 1;
        let stay = (load / from - 1.0).abs() <= STAY;
        let load = if stay { from } else { load };
        Next::Dwell(self.dwell(Stage::Refine, load, from, pace))
    }

    fn dwell(&self, stage: Stage, load: f64, from: f64, pace: &Pace) -> Plan {
        let mut plan = self.frame.plan(stage, load, from, pace);
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
            let Some(joint) = Joint::of(evidence, fits) else {
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
        if self.failed_in(&evidence.dwells[dwell]) {
            self.failed = Some(self.failed.map_or(load, |failed| failed.min(load)));
        } else if self.is_over(evidence, &evidence.dwells[dwell], &self.hopeless_here()) {
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
            return Next::Settled(Box::new(settled));
        }
        if self.is_precise(&joint) && self.dwells >= 3 {
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

    /// Where only failures limit the load: the middle between the highest load without one and the lowest with one.
    fn at_failures(
        &mut self,
        evidence: &Evidence,
        joint: &Joint,
        load: f64,
        pace: &Pace,
    ) -> Option<Next> {
        let failed = self.failed?;
        let clean = evidence
            .dwells
            .iter()
            .filter(|dwell| dwell.load() < failed && dwell.requests.len() >= LEAST_REQUESTS)
            .map(Dwell::load)
            .reduce(f64::max)?;
        if joint.belief.at(clean) < 0.9 {
            return None;
        }
        let middle = self.frame.load((clean * failed).sqrt().floor().max(clean));
        if middle > clean && failed / clean > FAILURE_RANGE {
            return Some(self.refine_at(middle, load, pace));
        }
        let seen: usize = evidence
            .dwells
            .iter()
            .filter(|dwell| (dwell.load() - clean).abs() < 0.5)
            .map(|dwell| dwell.requests.len())
            .sum();
        if seen < FAILURE_REQUESTS {
            return Some(self.refine_at(clean, load, pace));
        }
        Some(Next::Settled(Box::new(Answer {
            load: Some(clean),
            estimate: Some(clean),
            interval: Some(Interval {
                low: clean,
                high: failed,
            }),
            requests: seen as u64,
            ..Frame::bare(Outcome::Value, format!("requests fail at {failed}"))
        })))
    }

    /// A dwell without any value (outputs of one token have no TPOT): one more step in the direction that is open.
    fn without_fit(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let load = evidence.dwells[dwell].load();
        if self.dwells > 8 || self.frame.gauges.is_empty() {
            let reason =
                "the answers have nothing that the criteria could be held against".to_owned();
            return Next::Settled(Box::new(Frame::bare(Outcome::Inconclusive, reason)));
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
        let enough = (12.0 * median).min(150.0) as usize;
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

    /// Below every load at which a request failed or that the client cannot drive.
    fn capped(&self, load: f64) -> f64 {
        let below = |at: Option<f64>| at.map_or(f64::INFINITY, |at| at - 1.0);
        self.frame
            .load(load.min(below(self.failed)).min(self.highest()))
    }

    /// The answer, where the belief leaves no room for another one.
    fn settled(&self, evidence: &Evidence, dwell: usize, joint: &Joint) -> Option<Answer> {
        let Frame { bounds, .. } = self.frame;
        let n = joint.requests;
        if let Some(failed) = self.failed.filter(|&failed| failed <= bounds.lowest) {
            let reason = format!("requests fail at the lower bound ({failed})");
            return Some(Frame::bare(Outcome::Infeasible, reason));
        }
        if joint.belief.at(bounds.lowest) < 0.03 && n >= LEAST_REQUESTS {
            let reason = format!("{} is not met at the lower bound", joint.binding);
            return Some(Frame::bare(Outcome::Infeasible, reason));
        }
        let top = self.highest();
        let enough = (12.0 * top).min(150.0) as usize;
        let at_top = evidence.dwells[dwell].load() >= 0.9 * top;
        if at_top && joint.belief.at(top) > 0.95 && n >= enough && self.failed.is_none() {
            return Some(self.at_the_top(joint, top));
        }
        None
    }

    fn at_the_top(&self, joint: &Joint, top: f64) -> Answer {
        let (outcome, reason) = if self.forbidden.is_some() {
            (Outcome::Void, "the client cannot drive a higher load")
        } else {
            (
                Outcome::NotReached,
                "the criteria are met up to the upper bound",
            )
        };
        Answer {
            load: Some(top),
            estimate: Some(top),
            interval: None,
            requests: joint.requests as u64,
            ..Frame::bare(outcome, reason.to_owned())
        }
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
            return Next::Settled(Box::new(self.value(&joint)));
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

    /// No load at which a request failed is an answer.
    fn below_failures(&self, mut answer: Answer) -> Answer {
        let cap = |load: Option<f64>| load.map(|load| self.capped(load));
        answer.load = cap(answer.load);
        answer.estimate = cap(answer.estimate);
        if let (Some(failed), Some(interval)) = (self.failed, &mut answer.interval) {
            interval.high = interval.high.min(failed);
            interval.low = interval.low.min(failed - 1.0);
            answer.reason = format!("requests fail at {failed}");
        }
        answer
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
            None => Next::Settled(Box::new(Frame::bare(
                Outcome::Infeasible,
                "no request was answered".to_owned(),
            ))),
        }
    }

    fn after(&mut self, evidence: &Evidence, dwell: usize) -> Next {
        let Some(pace) = evidence.pace() else {
            let reason = "no request was answered".to_owned();
            return Next::Settled(Box::new(Frame::bare(Outcome::Infeasible, reason)));
        };
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
        self.fit(evidence);
        let Some(joint) = &self.joint else {
            return Frame::bare(Outcome::Inconclusive, why.to_owned());
        };
        let target = self.target(joint.belief.median());
        let is_enough = joint.belief.spread() <= target * ENOUGH / PRECISION && self.dwells >= 3;
        let outcome = if is_enough {
            Outcome::Value
        } else {
            Outcome::Inconclusive
        };
        let mut answer = self.frame.answer(outcome, joint, why.to_owned());
        if is_enough {
            return self.below_failures(answer);
        }
        let factor = (joint.belief.spread() / target).powi(2) - 1.0;
        answer.requests_needed = Some((joint.requests as f64 * factor.max(0.1)).ceil() as u64);
        self.below_failures(answer)
    }

    fn forbid(&mut self, load: f64) {
        self.forbidden = Some(self.forbidden.map_or(load, |at| at.min(load)));
    }

    fn progress(&self) -> (Option<Interval>, f64) {
        let Some(joint) = &self.joint else {
            let range = self.below.zip(self.above);
            return (range.map(|(low, high)| Interval { low, high }), 0.1);
        };
        let target = self.target(joint.belief.median());
        let done = (target / joint.belief.spread().max(1e-6)).powi(2).min(1.0);
        (Some(joint.belief.interval()), 0.2 + 0.8 * done)
    }
}

/// The level that decides, somewhat below the quantile of the criterion: few values say little of a p99.
fn upper_level(gauge: &Gauge, mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    if values.is_empty() {
        return None;
    }
    let Some(share) = gauge.share else {
        return Some(values.iter().sum::<f64>() / values.len() as f64).filter(|&mean| mean > 0.0);
    };
    values.sort_unstable_by(f64::total_cmp);
    let rank = ((1.0 - (5.0 * share).min(0.5)) * values.len() as f64) as usize;
    values
        .get(rank.min(values.len() - 1))
        .copied()
        .filter(|&value| value > 0.0)
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
