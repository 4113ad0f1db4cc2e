//! How good one answer is, and what many come to.
//!
//! - *near*: the best estimate is within 5 % of the truth, or within one user of it. Of a best throughput: it is within 3 %
//!   of the true one, and the load is 15 % above to 10 % below the smallest with 98 % of it.
//! - *unsafe*, *bad*, *far*: the reported load is above the truth (by more than the 0.2 % to which a truth is known), by
//!   more than 5 %, by more than 10 %. Of a best throughput: by more than 15, 25 and 50 %.
//! - *covers*: the truth lies in the printed 90 % interval; of users, its whole part may too.
//! - *right*: the kind of answer is right. An inconclusive answer is right where there is something to find.

use crestline_core::search::{Interval, Outcome, Variable};

use crate::algorithm::{Cost, Found, Searched};
use crate::scenario::{Scenario, limits_a_mean};
use crate::truth::{Best, Truth};

/// How well the truths are known.
const SLACK: f64 = 0.002;

/// Scenarios that are summed up together, in the order of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Closed loop, beta of 10 or more.
    ClosedSharp,
    /// Closed loop, beta of 5 to 10.
    ClosedSmooth,
    /// Closed loop, limits on means.
    ClosedMeans,
    /// Open loop.
    Open,
    /// Open loop, limits on means.
    OpenMeans,
    /// Beta below 5, or rare stalls.
    IllPosed,
    /// Nothing to find within the bounds.
    Edges,
    /// Best throughput.
    Throughput,
}

impl Class {
    /// Of a scenario with this truth.
    pub(crate) fn of(scenario: &Scenario, truth: &Truth) -> Self {
        let is_open = scenario.variable == Variable::Rate;
        match truth {
            Truth::Infeasible | Truth::NotReached => Self::Edges,
            Truth::Best(_) => Self::Throughput,
            Truth::Crossing(crossing) if limits_a_mean(crossing.binding.measure) => {
                if is_open {
                    Self::OpenMeans
                } else {
                    Self::ClosedMeans
                }
            }
            Truth::Crossing(crossing) => {
                if crossing.beta < 5.0 || scenario.profile.stalls.is_some() {
                    Self::IllPosed
                } else if is_open {
                    Self::Open
                } else if crossing.beta < 10.0 {
                    Self::ClosedSmooth
                } else {
                    Self::ClosedSharp
                }
            }
        }
    }

    /// As in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClosedSharp => "closed, beta >= 10",
            Self::ClosedSmooth => "closed, beta 5 to 10",
            Self::ClosedMeans => "closed, means",
            Self::Open => "open",
            Self::OpenMeans => "open, means",
            Self::IllPosed => "beta < 5, or rare stalls",
            Self::Edges => "infeasible, not reached",
            Self::Throughput => "best throughput",
        }
    }
}

/// One answer beside the truth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Score {
    near: bool,
    above: [bool; 3],
    /// `None` where no interval is printed or none can be.
    covers: Option<bool>,
    right: bool,
    inconclusive: bool,
    /// Of the estimate, relative to the truth; of a best throughput, of that.
    error: Option<f64>,
}

impl Score {
    /// Of one answer.
    pub(crate) fn of(variable: Variable, truth: &Truth, found: &Found) -> Self {
        let inconclusive = found.outcome == Outcome::Inconclusive;
        let has_answer = inconclusive || found.outcome == Outcome::Value;
        let kind = |right: bool| Self {
            near: right,
            above: [!right && found.load.is_some(); 3],
            right,
            inconclusive,
            ..Self::default()
        };
        match truth {
            Truth::Infeasible => kind(found.outcome == Outcome::Infeasible),
            Truth::NotReached => Self {
                above: [false; 3],
                ..kind(found.outcome == Outcome::NotReached)
            },
            Truth::Crossing(crossing) => Self {
                right: has_answer,
                inconclusive,
                // "Met up to the upper bound" is a report too, of a load that is far too high.
                above: [found.outcome == Outcome::NotReached; 3],
                ..Self::beside_crossing(variable, crossing.load, found)
            }
            .or_above(crossing.load, found),
            Truth::Best(best) => Self {
                right: has_answer,
                inconclusive,
                ..Self::beside_best(best, found)
            },
        }
    }

    fn or_above(mut self, truth: f64, found: &Found) -> Self {
        let load = found.load.unwrap_or_default();
        let limits = [1.0 + SLACK, 1.05, 1.1];
        for (above, limit) in self.above.iter_mut().zip(limits) {
            *above |= load > truth * limit;
        }
        self
    }

    fn beside_crossing(variable: Variable, truth: f64, found: &Found) -> Self {
        let whole = match variable {
            Variable::Users => truth.floor(),
            Variable::Rate => truth,
        };
        let near = found.estimate.is_some_and(|estimate| {
            let within = (estimate / truth - 1.0).abs() <= 0.05;
            let is_neighbour = variable == Variable::Users && (estimate - whole).abs() <= 1.0;
            within || is_neighbour || (estimate / whole - 1.0).abs() <= 0.05
        });
        let covers = found
            .interval
            .map(|interval| holds(variable, interval, truth));
        Self {
            near,
            covers,
            error: found.estimate.map(|estimate| estimate / truth - 1.0),
            ..Self::default()
        }
    }

    fn beside_best(truth: &Best, found: &Found) -> Self {
        let load = found.load.unwrap_or_default();
        let lost = found.best.map(|best| best / truth.tokens_per_s - 1.0);
        Self {
            near: lost.is_some_and(|lost| lost.abs() <= 0.03)
                && (0.9..=1.15).contains(&(load / truth.load)),
            above: [1.15, 1.25, 1.5].map(|limit| load > truth.load * limit),
            error: lost,
            ..Self::default()
        }
    }
}

/// Many answers to the same question, or the mean of several such lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// Number of runs.
    pub(crate) runs: usize,
    /// Number of questions.
    pub(crate) questions: usize,
    /// Shares of runs.
    pub(crate) near: f64,
    /// Above the truth, 5 % above, 10 % above.
    pub(crate) above: [f64; 3],
    /// Of the runs with an interval; `None` where none has.
    pub(crate) covers: Option<f64>,
    /// Share of runs with the right kind of answer.
    pub(crate) right: f64,
    /// Share of inconclusive runs.
    pub(crate) inconclusive: f64,
    /// Quantiles of the error: 5 %, median, 95 %.
    pub(crate) error: Option<[f64; 3]>,
    /// Means.
    pub(crate) requests: f64,
    /// Mean seconds of load.
    pub(crate) seconds: f64,
    /// Mean logarithm of the seconds.
    pub(crate) log_seconds: f64,
    /// Mean tokens of answers.
    pub(crate) tokens: f64,
}

impl Line {
    /// Of all runs of one question, the n-th of its scenario.
    pub(crate) fn of_runs(
        scenario: &Scenario,
        truth: &Truth,
        group: usize,
        runs: &[Searched],
    ) -> Self {
        let score = |run: &Searched| Score::of(scenario.variable, truth, &run.found[group]);
        let scores: Vec<Score> = runs.iter().map(score).collect();
        let share =
            |of: &dyn Fn(&Score) -> bool| mean(scores.iter().map(|s| f64::from(u8::from(of(s)))));
        let covers: Vec<bool> = scores.iter().filter_map(|score| score.covers).collect();
        let cost = |of: &dyn Fn(&Cost) -> f64| mean(runs.iter().map(|run| of(&run.cost)));
        let mut errors: Vec<f64> = scores.iter().filter_map(|score| score.error).collect();
        errors.sort_unstable_by(f64::total_cmp);
        let quantile = |q: f64| errors[(q * (errors.len() - 1) as f64).round() as usize];
        Self {
            runs: runs.len(),
            questions: 1,
            near: share(&|score| score.near),
            above: [0, 1, 2].map(|at| share(&|score| score.above[at])),
            covers: (!covers.is_empty())
                .then(|| mean(covers.iter().map(|&yes| f64::from(u8::from(yes))))),
            right: share(&|score| score.right),
            inconclusive: share(&|score| score.inconclusive),
            error: (!errors.is_empty()).then(|| [0.05, 0.5, 0.95].map(quantile)),
            requests: cost(&|cost| cost.requests as f64),
            seconds: cost(&|cost| cost.seconds),
            log_seconds: cost(&|cost| cost.seconds.max(1e-3).ln()),
            tokens: cost(&|cost| cost.tokens as f64),
        }
    }

    /// The mean of several lines, each with the same weight.
    pub(crate) fn mean(lines: &[&Self]) -> Self {
        let of = |of: &dyn Fn(&Self) -> f64| mean(lines.iter().map(|line| of(line)));
        let covers: Vec<f64> = lines.iter().filter_map(|line| line.covers).collect();
        Self {
            runs: lines.iter().map(|line| line.runs).sum(),
            questions: lines.len(),
            near: of(&|line| line.near),
            above: [0, 1, 2].map(|at| of(&|line| line.above[at])),
            covers: (!covers.is_empty()).then(|| mean(covers.iter().copied())),
            right: of(&|line| line.right),
            inconclusive: of(&|line| line.inconclusive),
            error: None,
            requests: of(&|line| line.requests),
            seconds: of(&|line| line.seconds),
            log_seconds: of(&|line| line.log_seconds),
            tokens: of(&|line| line.tokens),
        }
    }
}

/// Whether an interval holds the truth, or of users its whole part.
pub(crate) fn holds(variable: Variable, interval: Interval, truth: f64) -> bool {
    let holds =
        |load: f64| (interval.low * (1.0 - SLACK)..=interval.high * (1.0 + SLACK)).contains(&load);
    holds(truth) || (variable == Variable::Users && holds(truth.floor()))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}
