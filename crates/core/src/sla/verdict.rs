//! Whether what was measured at a load meets a group.
//!
//! Judges finished runs by their figures; how sure that is, and which load to try next, is [`crate::search`]'s part.
//! Whether the client can be trusted is [`crate::health`]'s.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Criterion, Group, Measure, Relation, Statistic, Throughput, Timed};
use crate::metrics::Metric;
use crate::summary::RunSummary;

/// A failed request counts in a mean as this many times the limit, and as no less than the mean of the successes.
const FAILURE_IN_MEAN: f64 = 10.0;

/// What one load came to, as far as groups ask: a run, or several of the same load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Probe {
    /// Counted requests, all runs together.
    pub total: u64,
    /// Those that ended well.
    pub succeeded: u64,
    /// One for each measure that the groups name.
    pub figures: Vec<Figure>,
}

/// The value of one measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub measure: Measure,
    /// In its base unit; `None` where it cannot be known. A quantile counts each failed request as infinite, a mean is
    /// over successes only: what a failure counts there depends on the limit.
    pub value: Option<f64>,
}

/// How a load lies to a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One for each criterion, in order.
    pub findings: Vec<Finding>,
    /// The rule that no request fails, where the group has no criterion on the success rate.
    pub success: Option<Finding>,
    /// The value of the aim's measure, where it has one that is finite.
    pub aim: Option<f64>,
}

/// How a load lies to one criterion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Which.
    pub criterion: Criterion,
    /// What was measured, failures included; infinite where the failures alone decide.
    pub value: Option<f64>,
    /// Whether the criterion holds; never without a value.
    pub met: bool,
    /// Why there is no value.
    pub missing: Option<Missing>,
}

/// Why a measure has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing was sent.
    NoRequests,
    /// No answer (of one of the runs) has it: those of one token, and those that were not streamed, have no time between tokens.
    NotInAnswers,
    /// Good requests were not counted.
    NotCounted,
    /// The measure was not asked for when the load was measured.
    NotAsked,
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoRequests => "no request was counted",
            Self::NotInAnswers => {
                "a run has no answer with it; times between tokens need streamed answers of several tokens"
            }
            Self::NotCounted => "good requests were not counted",
            Self::NotAsked => "it was not asked for when the load was measured",
        })
    }
}

impl Probe {
    /// Of a single run; `good` is how many of its counted requests [`super::Slo::met_by`] holds for.
    pub fn of(run: &RunSummary, good: Option<u64>, groups: &[Group]) -> Self {
        Self::average(std::slice::from_ref(run), good, groups)
    }

    /// Of several runs at one load: counts are added, figures averaged over runs (percentiles too: the mean of the
    /// runs' p99, which is not the p99 of all). A figure that one run lacks is not known.
    ///
    /// `good` is how many counted requests of all runs [`super::Slo::met_by`] holds for.
    pub fn average(runs: &[RunSummary], good: Option<u64>, groups: &[Group]) -> Self {
        let total = runs.iter().map(RunSummary::total).sum();
        let succeeded = runs.iter().map(RunSummary::succeeded).sum();
        let share = |count: u64| (total > 0).then(|| count as f64 / total as f64);
        let mut figures: Vec<Figure> = Vec::new();
        for measure in groups.iter().flat_map(Group::measures) {
            if figures.iter().any(|figure| figure.measure == measure) {
                continue;
            }
            let value = match measure {
                Measure::SuccessRate => share(succeeded),
                Measure::Goodput => good.and_then(share),
                Measure::Time(statistic, time) => mean(runs, |run| time_of(run, statistic, time)),
                Measure::Throughput(work) => mean(runs, |run| throughput_of(run, work)),
            };
            figures.push(Figure { measure, value });
        }
        Self {
            total,
            succeeded,
            figures,
        }
    }

    /// The figure of a measure, `None` where it cannot be known or was not asked for.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        self.figure(measure)?.value
    }

    /// Share of the counted requests that ended well; `None` without requests.
    pub fn success_rate(&self) -> Option<f64> {
        (self.total > 0).then(|| self.succeeded as f64 / self.total as f64)
    }

    fn figure(&self, measure: Measure) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.measure == measure)
    }

    fn find(&self, criterion: &Criterion) -> Finding {
        let value = match criterion.measure {
            Measure::SuccessRate => self.success_rate(),
            Measure::Time(Statistic::Mean, _) => self.mean_with_failures(criterion),
            measure => self.value(measure),
        };
        // A sum of infinite figures of opposite signs cannot arise, but a file may hold anything.
        let value = value.filter(|value| !value.is_nan());
        Finding {
            criterion: *criterion,
            value,
            met: value.is_some_and(|value| criterion.relation.holds(value, criterion.threshold)),
            missing: value.is_none().then(|| self.missing(criterion.measure)),
        }
    }

    /// `(succeeded * mean + failed * max(10 * limit, mean)) / total`
    fn mean_with_failures(&self, criterion: &Criterion) -> Option<f64> {
        let failed = (self.total - self.succeeded.min(self.total)) as f64;
        let least = FAILURE_IN_MEAN * criterion.threshold;
        if self.succeeded == 0 {
            return (failed > 0.0).then_some(least);
        }
        let mean = self.value(criterion.measure)?;
        if failed > 0.0 {
            let sum = self.succeeded as f64 * mean + failed * least.max(mean);
            return Some(sum / self.total as f64);
        }
        Some(mean)
    }

    fn missing(&self, measure: Measure) -> Missing {
        if self.total == 0 {
            return Missing::NoRequests;
        }
        match (self.figure(measure), measure) {
            (None, _) => Missing::NotAsked,
            (Some(_), Measure::Goodput) => Missing::NotCounted,
            (Some(_), _) => Missing::NotInAnswers,
        }
    }
}

impl Group {
    /// What it limits, and what it seeks.
    pub fn measures(&self) -> impl Iterator<Item = Measure> + '_ {
        let limited = self.criteria.iter().map(|criterion| criterion.measure);
        limited.chain(self.aim.map(|aim| aim.measure))
    }

    /// Whether a load meets it. Every request must succeed, unless a criterion says what share is enough.
    pub fn judge(&self, probe: &Probe) -> Verdict {
        let own_rule = self
            .criteria
            .iter()
            .any(|criterion| criterion.measure == Measure::SuccessRate);
        let all_succeed = Criterion {
            measure: Measure::SuccessRate,
            relation: Relation::AtLeast,
            threshold: 1.0,
        };
        Verdict {
            findings: self.criteria.iter().map(|each| probe.find(each)).collect(),
            success: (!own_rule).then(|| probe.find(&all_succeed)),
            aim: self
                .aim
                .and_then(|aim| probe.value(aim.measure))
                .filter(|value| value.is_finite()),
        }
    }
}

impl Verdict {
    /// Whether all criteria hold.
    pub fn met(&self) -> bool {
        self.unmet().next().is_none()
    }

    /// The criteria that do not hold, that on success last.
    pub fn unmet(&self) -> impl Iterator<Item = &Finding> {
        let all = self.findings.iter().chain(&self.success);
        all.filter(|finding| !finding.met)
    }
}

impl fmt::Display for Finding {
    /// What was found and what is asked: `p99_ttft = 1.3 s, asked <= 1 s`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Criterion {
            measure,
            relation,
            threshold,
        } = self.criterion;
        let asked = format!("{} {}", relation.symbol(), measure.with_unit(threshold));
        match (self.value, self.missing) {
            (Some(value), _) if value.is_infinite() => {
                write!(out, "{measure} = infinite (failed requests), asked {asked}")
            }
            (Some(value), _) => write!(
                out,
                "{measure} = {}, asked {asked}",
                measure.with_unit(value)
            ),
            (None, Some(missing)) => {
                write!(out, "{measure} is not known ({missing}), asked {asked}")
            }
            (None, None) => write!(out, "{measure} is not known, asked {asked}"),
        }
    }
}

/// The mean over runs; `None` where one has no value.
fn mean(runs: &[RunSummary], of: impl Fn(&RunSummary) -> Option<f64>) -> Option<f64> {
    let values: Option<Vec<f64>> = runs.iter().map(of).collect();
    let values = values.filter(|values| !values.is_empty())?;
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

fn throughput_of(run: &RunSummary, work: Throughput) -> Option<f64> {
    run.mean(match work {
        Throughput::Requests => Metric::RequestThroughput,
        Throughput::OutputTokens => Metric::OutputThroughput,
        Throughput::TotalTokens => Metric::TotalThroughput,
    })
}

fn time_of(run: &RunSummary, statistic: Statistic, time: Timed) -> Option<f64> {
    match statistic {
        Statistic::Mean => run.mean(time.metric()),
        Statistic::Quantile(q) => quantile_with_failures(run, time, q),
    }
}

/// Quantile `q` over successes and failures, each failure infinite. Where gaps are counted, a failure counts as many
/// as a success has in the mean, and at least one.
fn quantile_with_failures(run: &RunSummary, time: Timed, q: f64) -> Option<f64> {
    let metric = time.metric();
    let sample = run.sample(metric);
    let failed = run.failed();
    if failed == 0 || (sample.is_empty() && run.succeeded() > 0) {
        return run.quantile(metric, q);
    }
    if sample.is_empty() {
        return Some(f64::INFINITY);
    }
    let finite = sample.len() as f64;
    let infinite = match time {
        Timed::Itl => (finite * failed as f64 / run.succeeded() as f64).max(failed as f64),
        Timed::Latency | Timed::Ttft | Timed::Tpot => failed as f64,
    };
    let last = finite - 1.0;
    let position = q.clamp(0.0, 1.0) * (last + infinite);
    if position > last {
        return Some(f64::INFINITY);
    }
    let within = if last > 0.0 { position / last } else { 0.0 };
    run.quantile(metric, within)
}
