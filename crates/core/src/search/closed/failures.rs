//! What failed requests mean in a closed loop: the highest load without one, where nothing else limits it.

use super::super::answer::{Answer, Interval, Outcome};
use super::super::evidence::{Dwell, Evidence, Pace};
use super::super::frame::Joint;
use super::super::seeker::{Next, Stage};
use super::{Closed, LEAST_REQUESTS};

/// Failures are located to within this ratio, or to one user.
const FAILURE_RANGE: f64 = 1.02;
/// So many requests must succeed at the load that is reported: a failure rate of 1 % would show with 95 % (rule of three).
const FAILURE_REQUESTS: usize = 300;

impl Closed {
    /// Where only failures limit the load: the middle between the highest load without one and the lowest with one.
    pub(super) fn at_failures(
        &mut self,
        evidence: &Evidence,
        joint: &Joint,
        load: f64,
        pace: &Pace,
    ) -> Option<Next> {
        let failed = self.failed?;
        let clean = Self::highest_clean(evidence, failed, LEAST_REQUESTS)?;
        if joint.belief.at(clean) < 0.9 {
            return None;
        }
        let middle = self.frame.load((clean * failed).sqrt().floor().max(clean));
        if middle > clean && failed / clean > FAILURE_RANGE {
            // However small the step: staying would never find the failure.
            self.stage = Stage::Refine;
            self.dwells += 1;
            return Some(Next::Dwell(self.dwell(Stage::Refine, middle, load, pace)));
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
            interval: Some(Interval::tried(clean, failed)),
            requests: seen as u64,
            ..Answer::bare(Outcome::Value, format!("requests fail at {failed}"))
        })))
    }

    /// Where every dwell near the centre has failures, and so no values: the same middle, down to the lowest load.
    pub(super) fn among_failures(
        &mut self,
        evidence: &Evidence,
        load: f64,
        pace: &Pace,
    ) -> Option<Next> {
        let failed = self.failed.filter(|&failed| failed <= load)?;
        if let Some(answer) = self.failed_everywhere() {
            return Some(Next::settled(answer));
        }
        let lowest = self.frame.bounds.lowest;
        let clean = Self::highest_clean(evidence, failed, 1).unwrap_or(lowest);
        self.center = self.capped((clean * failed).sqrt().floor());
        Some(self.refine_at(self.center, load, pace))
    }

    /// The highest load below a failure at which this many requests were sent.
    fn highest_clean(evidence: &Evidence, failed: f64, requests: usize) -> Option<f64> {
        evidence
            .dwells
            .iter()
            .filter(|dwell| dwell.load() < failed && dwell.requests.len() >= requests)
            .map(Dwell::load)
            .reduce(f64::max)
    }

    /// The answer where requests fail even at the lower bound.
    pub(super) fn failed_everywhere(&self) -> Option<Answer> {
        let lowest = self.frame.bounds.lowest;
        let failed = self.failed.filter(|&failed| failed <= lowest)?;
        let reason = format!("requests fail at the lower bound ({failed})");
        Some(Answer::bare(Outcome::Infeasible, reason))
    }

    /// Below every load at which a request failed or that the client cannot drive.
    pub(super) fn capped(&self, load: f64) -> f64 {
        let below = |at: Option<f64>| at.map_or(f64::INFINITY, |at| at - 1.0);
        self.frame
            .load(load.min(below(self.failed)).min(self.highest()))
    }

    /// No load at which a request failed is an answer.
    pub(super) fn below_failures(&self, mut answer: Answer) -> Answer {
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
