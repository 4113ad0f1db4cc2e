//! vLLM's search over whole runs, one SLA after the other: `core::search::pchip`, with what it cannot know said beside its
//! answer.
//!
//! Points of earlier SLAs and commands are used again. Nothing is judged by single requests.

use crestline_core::search::pchip::{Pchip, margin_of};
use crestline_core::search::{Answer, Interval, Outcome, Variable};
use crestline_core::sla::Criterion;
use serde_json::Value;

use super::super::course::{Course, Halt};
use super::super::server::Host;
use super::answers;
use super::criteria::{Condition, Sla};
use super::plan::value_of;
use super::runs::{LoadRuns, Measured};
use crate::console;
use crate::problem::Problem;

/// What one SLA came to.
#[derive(Debug)]
pub(crate) struct Concluded {
    pub(crate) answer: Answer,
    /// Output tokens a second at the answer.
    pub(crate) tokens_per_s: Option<f64>,
}

/// The points that all SLAs of a combination share.
#[derive(Debug)]
pub(crate) struct Points<'a> {
    runs: LoadRuns<'a>,
    measured: Vec<Measured>,
}

impl<'a> Points<'a> {
    /// With what is there already.
    pub(crate) fn of(runs: LoadRuns<'a>) -> Result<Self, Problem> {
        Ok(Self {
            measured: runs.found()?,
            runs,
        })
    }

    /// The answer to an SLA, where the points that are there suffice.
    pub(crate) fn concluded(&self, sla: &Sla) -> Result<Option<Concluded>, Problem> {
        let search = self.search(sla)?;
        Ok(search.ask().is_none().then(|| self.conclude(sla, &search)))
    }

    /// Makes the runs that an SLA still needs; `None` where one failed and the rest goes on.
    pub(crate) fn look_for(
        &mut self,
        sla: &Sla,
        course: &mut Course<'_>,
        host: &mut Host,
    ) -> Result<Option<Concluded>, Halt> {
        let name = self.runs.sla.variable.name();
        let mut search = self.search(sla)?;
        while let Some(load) = search.ask() {
            let words = answers::load_in_words(self.runs.sla, load as f64);
            console::say(&format!("Testing {name}: {words}"));
            let Some(measured) = self.runs.make(course, host, load as f64)? else {
                return Ok(None);
            };
            let margin = validate(sla, &measured.runs)?;
            search.tell(load, margin);
            let not = if margin <= 0.0 { "" } else { "not " };
            console::say(&format!("SLA criteria are {not}met. (margin={margin:.2})"));
            self.measured
                .retain(|other| other.load.total_cmp(&measured.load).is_ne());
            self.measured.push(measured);
            self.measured
                .sort_by(|one, other| one.load.total_cmp(&other.load));
        }
        Ok(Some(self.conclude(sla, &search)))
    }

    /// The rows of all points, in increasing load.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let all = self.measured.iter().flat_map(|measured| &measured.runs);
        all.cloned().collect()
    }

    /// The search with all points that are there.
    fn search(&self, sla: &Sla) -> Result<Pchip, Problem> {
        let bounds = self.runs.sla.bounds;
        let mut search = Pchip::within(bounds.lowest as u64, bounds.highest as u64);
        for measured in &self.measured {
            if measured.load.fract() == 0.0 {
                search.tell(measured.load as u64, margin(sla, &measured.runs)?);
            }
        }
        Ok(search)
    }

    fn conclude(&self, sla: &Sla, search: &Pchip) -> Concluded {
        let bounds = self.runs.sla.bounds;
        let passed = search.passed().map(|load| load as f64);
        let failed = search.margins().iter().find(|(load, margin)| {
            **margin > 0.0 && passed.is_none_or(|passed| **load as f64 > passed)
        });
        let failed = failed.map(|(load, _)| *load as f64);
        let (outcome, mut facts) = match passed {
            None => (
                Outcome::Infeasible,
                vec![none_passed(search, bounds.lowest)],
            ),
            Some(load) if load >= bounds.highest => (
                Outcome::NotReached,
                vec!["met at the highest load that is tried".to_owned()],
            ),
            Some(_) => (Outcome::Value, Vec::new()),
        };
        let at = passed.and_then(|load| self.at(load));
        facts.extend(at.and_then(failures));
        facts.extend(passed.and_then(|load| self.without_effect(load)));
        Concluded {
            answer: Answer {
                load: passed,
                interval: passed
                    .zip(failed)
                    .map(|(low, high)| Interval::tried(low, high)),
                requests: at.map_or(0, |at| sum(at, "completed")),
                binding: failed.and_then(|load| self.binding(sla, load)),
                ..Answer::bare(outcome, facts.join("; "))
            },
            tokens_per_s: at.and_then(|at| mean(&at.runs, "output_throughput").ok()),
        }
    }

    /// The criterion that is furthest from being met at a load.
    fn binding(&self, sla: &Sla, load: f64) -> Option<Criterion> {
        let at = self.at(load)?;
        let margin =
            |condition: &Condition| Some(of_one(condition, mean(&at.runs, &condition.key).ok()?));
        let margins = sla
            .conditions
            .iter()
            .filter_map(|one| Some((one, margin(one)?)));
        let largest = margins.max_by(|one, other| one.1.total_cmp(&other.1));
        largest.and_then(|(condition, _)| condition.criterion())
    }

    fn at(&self, load: f64) -> Option<&Measured> {
        let mut all = self.measured.iter();
        all.find(|one| one.load.total_cmp(&load).is_eq())
    }

    /// A load that no run could have come to.
    fn without_effect(&self, load: f64) -> Option<String> {
        let prompts = value_of(&self.runs.cell.command, "num_prompts").unwrap_or("1000");
        let prompts: f64 = prompts.parse().ok()?;
        let is_users = self.runs.sla.counted_in() == Variable::Users;
        (is_users && load >= prompts).then(|| {
            format!("from {prompts} on it makes no difference, because a run has no more requests")
        })
    }
}

fn none_passed(search: &Pchip, lowest: f64) -> String {
    let lowest = lowest as u64;
    if search.margins().contains_key(&lowest) {
        format!("{lowest} itself failed")
    } else {
        format!("no load passed, and {lowest} was not tried")
    }
}

/// Failures at the answer, which the percentiles of a result leave out.
fn failures(at: &Measured) -> Option<String> {
    let (failed, completed) = (sum(at, "failed"), sum(at, "completed"));
    (failed > 0).then(|| {
        format!(
            "{failed} of {} requests failed at it, and are in none of its figures",
            failed + completed
        )
    })
}

fn sum(at: &Measured, key: &str) -> u64 {
    at.runs.iter().filter_map(|run| run[key].as_u64()).sum()
}

/// Tells how each criterion lies, and gives the largest margin.
fn validate(sla: &Sla, runs: &[Value]) -> Result<f64, Problem> {
    for condition in &sla.conditions {
        let value = mean(runs, &condition.key)?;
        let margin = of_one(condition, value);
        let verdict = if margin <= 0.0 { "PASSED" } else { "FAILED" };
        console::say(&format!(
            "Validating SLA: {} = {value:.2}{}{:.2} | {verdict}",
            condition.key,
            condition.relation.symbol(),
            condition.threshold
        ));
    }
    margin(sla, runs)
}

/// The largest margin over all criteria: 0 or less is met.
fn margin(sla: &Sla, runs: &[Value]) -> Result<f64, Problem> {
    let mut largest = f64::NEG_INFINITY;
    for condition in &sla.conditions {
        largest = largest.max(of_one(condition, mean(runs, &condition.key)?));
    }
    Ok(largest)
}

fn of_one(condition: &Condition, value: f64) -> f64 {
    margin_of(condition.relation, condition.threshold, value)
}

/// The mean over runs.
fn mean(runs: &[Value], key: &str) -> Result<f64, Problem> {
    let mut sum = 0.0;
    for run in runs {
        sum += run[key].as_f64().ok_or_else(|| missing(run, key))?;
    }
    Ok(sum / runs.len() as f64)
}

fn missing(run: &Value, key: &str) -> Problem {
    let numbers = run.as_object().into_iter().flatten();
    let numbers = numbers.filter(|(_, value)| value.is_number());
    let known: Vec<&str> = numbers.map(|(key, _)| key.as_str()).collect();
    Problem::failed(format!("the benchmark's result has no number {key}, which --sla-params limits"))
        .cause(format!("it has {}", known.join(", ")))
        .hint("limit one of these, or have the benchmark compute it: --metric-percentiles, --percentile-metrics")
}
