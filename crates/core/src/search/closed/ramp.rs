//! The first stage in a closed loop: doubles the users until a criterion is broken, and guesses the crossing.

use super::super::answer::Answer;
use super::super::answer::Outcome;
use super::super::evidence::{Dwell, Evidence, Pace};
use super::super::gauge::Gauge;
use super::super::over::Test;
use super::super::seeker::{Next, Stage};
use super::Closed;

/// Certainly too much: a load at the limit looks so bad once in ten thousand times (`exp(-9.2)`).
pub(super) const HOPELESS: Test = Test {
    violations: 3.0,
    multiple: 2.0,
    certainty: 9.2,
    phi: 2.0,
    mean: 1.5,
};
/// Enough to end the ramp: what is true is found out by the dwells that follow.
const SUSPICIOUS: Test = Test {
    violations: 2.0,
    multiple: 1.5,
    certainty: 0.0,
    phi: 1.0,
    mean: 1.1,
};
/// Values that are all below this allow a larger step.
const FAR_BELOW: f64 = 0.2;
/// Throughput that grows by less than this while the users double is flat.
const FLAT: f64 = 1.1;
/// Upper values above this multiple of the limit are near it.
const NEAR_LIMIT: f64 = 0.7;

impl Closed {
    pub(super) fn ramp_to(&self, load: f64, from: f64, pace: &Pace) -> Next {
        let load = self.frame.load(load).min(self.highest());
        let mut plan = self.plan(Stage::Ramp, load, from, pace);
        plan.requests = (1.25 * load).clamp(3.0, 40.0) as usize;
        plan.most = 20.0 * pace.latency;
        Next::Dwell(plan)
    }

    pub(super) fn after_ramp(&mut self, evidence: &Evidence, dwell: usize, pace: &Pace) -> Next {
        let seen = &evidence.dwells[dwell];
        let load = seen.load();
        // A dwell of an earlier group is not where the service is.
        let from = evidence.load().unwrap_or(load);
        let lowest = self.frame.bounds.lowest;
        if self.is_over(evidence, seen, &SUSPICIOUS) {
            let hopeless = self.is_over(evidence, seen, &HOPELESS);
            self.above = Some(load);
            if load <= lowest && hopeless {
                let reason = self.broken_at(evidence, dwell);
                return Next::settled(Answer::bare(Outcome::Infeasible, reason));
            }
            if self.below.is_none() && load > lowest && hopeless {
                return self.ramp_to((load / 2.0).max(lowest), from, pace);
            }
        } else if self.gains_nothing(evidence, dwell) {
            self.above = Some(load);
        } else {
            self.below = Some(load);
            if self.above.is_none() && load < self.highest() {
                let far = self.is_far_below(evidence, seen);
                return self.ramp_to(load * if far { 4.0 } else { 2.0 }, from, pace);
            }
        }
        self.center = self.first_guess(evidence);
        self.refine_at(self.center, from, pace)
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
