//! The highest load that still reaches asked throughputs, where nothing else limits it.
//!
//! Throughput grows with the load, stays, and may fall again: first the load where it is best, then the far end.

use super::answer::{Answer, Interval, Outcome};
use super::evidence::{Dwell, Evidence};
use super::frame::{Frame, throughput};
use super::peak::Peak;
use super::seeker::{Next, Seeker, Stage};
use crate::sla::{Aim, Criterion, Goal, Measure, Throughput};

/// The range at which the halving ends.
const RANGE: f64 = 1.04;

/// The seeker.
#[derive(Debug)]
pub(super) struct Floor {
    frame: Frame,
    floors: Vec<(Criterion, Throughput)>,
    peak: Option<Peak>,
    /// The highest load known to reach them, and the lowest beyond it known not to.
    good: f64,
    bad: Option<f64>,
}

impl Floor {
    /// `frame` must have floors.
    pub(super) fn new(frame: Frame) -> Self {
        let floors: Vec<(Criterion, Throughput)> = frame
            .floors
            .iter()
            .filter_map(|&criterion| match criterion.measure {
                Measure::Throughput(of) => Some((criterion, of)),
                _ => None,
            })
            .collect();
        let peak = floors.first().map(|&(criterion, _)| {
            let aim = Aim {
                measure: criterion.measure,
                goal: Goal::Max,
            };
            Peak::new(frame.clone(), aim, None)
        });
        Self {
            good: frame.bounds.lowest,
            frame,
            floors,
            peak,
            bad: None,
        }
    }

    /// A dwell reaches all floors, and no request of it failed where all must succeed.
    fn is_reached(&self, evidence: &Evidence, dwell: usize) -> bool {
        let failed = self.frame.all_must_succeed && evidence.dwells[dwell].failures() > 0;
        let reaches = |&(criterion, of): &(Criterion, Throughput)| {
            throughput(evidence, dwell, of).is_none_or(|value| value >= criterion.threshold)
        };
        !failed && self.floors.iter().all(reaches)
    }

    /// The highest load tried that reaches all floors.
    fn highest_good(&self, evidence: &Evidence) -> Option<f64> {
        (0..evidence.dwells.len())
            .filter(|&dwell| {
                evidence.dwells[dwell].work().is_some() && !evidence.dwells[dwell].void
            })
            .filter(|&dwell| self.is_reached(evidence, dwell))
            .map(|dwell| evidence.dwells[dwell].load())
            .reduce(f64::max)
    }

    fn next(&self, evidence: &Evidence, from: f64) -> Next {
        let Some(pace) = evidence.pace() else {
            return Next::unanswered();
        };
        let wanted = match self.bad {
            // Twice as much at most: more users than a service has room for only wait, each for longer.
            None => self.frame.load(2.0 * self.good),
            Some(bad) => self.frame.load((bad * self.good).sqrt()),
        };
        let known = wanted <= self.good * 1.000_1 || self.bad.is_some_and(|bad| wanted >= bad);
        if known || self.bad.is_some_and(|bad| bad / self.good <= RANGE) {
            return Next::settled(self.settle());
        }
        let mut plan = self.frame.plan(Stage::Measure, wanted, from, &pace);
        plan.least = 6.0 * pace.latency;
        plan.most = 20.0 * pace.latency;
        plan.settle = plan.settle.max(1.5 * pace.latency);
        Next::Dwell(plan)
    }

    fn settle(&self) -> Answer {
        let binding = self.floors.first().map(|floor| floor.0);
        match self.bad {
            None => Answer {
                load: Some(self.good),
                estimate: Some(self.good),
                ..Answer::bare(
                    Outcome::NotReached,
                    "the criteria are met up to the upper bound".to_owned(),
                )
            },
            Some(bad) => Answer {
                load: Some(self.good),
                estimate: Some(self.good),
                interval: Some(Interval::tried(self.good, bad)),
                binding,
                ..Answer::bare(
                    Outcome::Value,
                    "the highest load that reaches the throughput".to_owned(),
                )
            },
        }
    }
}

impl Seeker for Floor {
    fn begin(&mut self, evidence: &Evidence) -> Next {
        match &mut self.peak {
            Some(peak) => peak.begin(evidence),
            None => self.next(evidence, self.frame.bounds.lowest),
        }
    }

    fn after(&mut self, evidence: &Evidence, dwell: usize) -> Next {
        let load = evidence.dwells[dwell].load();
        if let Some(peak) = &mut self.peak {
            match peak.after(evidence, dwell) {
                Next::Dwell(plan) => return Next::Dwell(plan),
                Next::Settled(answer) => {
                    self.peak = None;
                    let Some(good) = self.highest_good(evidence) else {
                        let best = answer.best.unwrap_or_default();
                        let floor = self.floors[0].0;
                        let reason = format!("{floor} is not reached: the best is {best:.1}");
                        return Next::settled(Answer::bare(Outcome::Infeasible, reason));
                    };
                    self.good = good;
                    let beyond = evidence.dwells.iter().filter(|dwell| !dwell.void);
                    self.bad = beyond
                        .map(Dwell::load)
                        .filter(|&load| load > good * 1.000_1)
                        .reduce(f64::min);
                }
            }
        } else if self.is_reached(evidence, dwell) {
            self.good = self.good.max(load);
        } else {
            self.bad = Some(self.bad.map_or(load, |bad| bad.min(load)));
        }
        self.next(evidence, load)
    }

    fn has_seen_enough(&self, evidence: &Evidence, dwell: &Dwell) -> bool {
        self.peak
            .as_ref()
            .is_some_and(|peak| peak.has_seen_enough(evidence, dwell))
    }

    fn gauges(&self) -> &[usize] {
        &[]
    }

    fn give_up(&mut self, evidence: &Evidence, why: &str) -> Answer {
        let good = self.highest_good(evidence);
        Answer {
            load: good,
            estimate: good,
            ..Answer::bare(Outcome::Inconclusive, why)
        }
    }

    fn forbid(&mut self, load: f64) {
        self.frame.bounds.highest = self.frame.bounds.highest.min(load * 0.95);
        if let Some(peak) = &mut self.peak {
            peak.forbid(load);
        }
    }

    fn progress(&self) -> (Option<Interval>, f64) {
        (self.bad.map(|high| Interval::tried(self.good, high)), 0.5)
    }
}

#[cfg(test)]
mod tests;
