//! Searches by separate runs: the engine is idle before each, and all requests are awaited.

use crestline_core::record::RequestRecord;
use crestline_core::request::LoadPoint;
use crestline_core::search::Outcome;
use crestline_core::search::bisect::{Bisect, BisectQuestion, Selection, requests_of};
use crestline_core::search::pchip::{Pchip, margin};
use crestline_core::sla::{Group, Measure, Probe, Statistic};
use crestline_core::summary::RunSummary;
use crestline_experiment::virtual_subject::VirtualSession;

use super::{Cost, Found, Searched};
use crate::plant::{load_of, session};
use crate::scenario::Scenario;

/// Runs of each load.
const RUNS: usize = 3;

/// Requests of one of bisect's runs, as a multiple of the load.
const MULTIPLIER: f64 = 2.0;

/// Requests of one of pchip's runs.
const PROMPTS: u64 = 1000;

/// EvalScope's search with its defaults; groups share their probes.
pub(crate) fn bisect(scenario: &Scenario, seed: u64) -> Searched {
    let bounds = scenario.bounds;
    let mut search = Bisect::new(BisectQuestion {
        groups: scenario.groups.clone(),
        start: scenario.first as u64,
        lower: bounds.lowest as u64,
        upper: bounds.highest as u64,
    });
    let mut bench = Bursts::new(scenario, seed);
    while let Some(value) = search.ask() {
        let runs = bench.runs(value, requests_of(value, MULTIPLIER));
        let good = runs.iter().map(|run| run.good).sum();
        let summaries: Vec<RunSummary> = runs.into_iter().map(|run| run.summary).collect();
        let probe = Probe::average(&summaries, Some(good), &scenario.groups);
        search.tell(value, probe);
    }
    let found = search
        .selections()
        .iter()
        .map(|selection| of_selection(selection, bounds.highest))
        .collect();
    Searched {
        found,
        cost: bench.cost,
    }
}

fn of_selection(selection: &Selection, highest: f64) -> Found {
    let load = selection.selected.map(|load| load as f64);
    let outcome = match load {
        None => Outcome::Infeasible,
        Some(load) if load >= highest && selection.best.is_none() => Outcome::NotReached,
        Some(_) => Outcome::Value,
    };
    let load = load.filter(|_| outcome == Outcome::Value);
    Found {
        outcome,
        load,
        estimate: load,
        interval: None,
        best: selection.best,
    }
}

/// vLLM's search with its defaults; each group is searched from the margins of all probes.
///
/// The upper bound is the tool's own unless the scenario's is lower, and stands for no limit there: no load of 8192 is
/// an answer. The margin of a goodput is of its share.
pub(crate) fn pchip(scenario: &Scenario, seed: u64) -> Searched {
    let mut bench = Bursts::new(scenario, seed);
    let mut probes: Vec<(u64, Vec<Run>)> = Vec::new();
    let highest = (scenario.bounds.highest as u64).min(8192);
    let found = scenario.groups.iter().map(|group| {
        let mut search = Pchip::within(1, highest);
        for (value, runs) in &probes {
            search.tell(*value, margin_of(group, runs));
        }
        while let Some(value) = search.ask() {
            let runs = bench.runs(value, PROMPTS);
            search.tell(value, margin_of(group, &runs));
            probes.push((value, runs));
        }
        of_passing(search.max_passing(), highest)
    });
    let found = found.collect();
    Searched {
        found,
        cost: bench.cost,
    }
}

/// It knows no load at which nothing passes: the lowest is reported then.
fn of_passing(load: u64, highest: u64) -> Found {
    let outcome = if load >= highest {
        Outcome::NotReached
    } else {
        Outcome::Value
    };
    let load = Some(load as f64).filter(|_| outcome == Outcome::Value);
    Found {
        outcome,
        load,
        estimate: load,
        interval: None,
        best: None,
    }
}

/// Failed requests count nowhere, as in the original.
fn margin_of(group: &Group, runs: &[Run]) -> f64 {
    let values: Vec<f64> = group
        .criteria
        .iter()
        .map(|criterion| {
            let of_run = |run: &Run| match criterion.measure {
                Measure::Time(Statistic::Mean, time) => run.summary.mean(time.metric()),
                Measure::Time(Statistic::Quantile(q), time) => {
                    run.summary.quantile(time.metric(), q)
                }
                Measure::Goodput => Some(run.good as f64 / run.summary.succeeded().max(1) as f64),
                Measure::Throughput(_) | Measure::SuccessRate => {
                    unreachable!("no scenario limits throughput or success")
                }
            };
            let values = runs.iter().map(|run| of_run(run).unwrap_or(f64::NAN));
            values.sum::<f64>() / runs.len() as f64
        })
        .collect();
    margin(&group.criteria, &values)
}

/// One burst.
struct Run {
    summary: RunSummary,
    good: u64,
}

/// Bursts on one engine, one after another.
struct Bursts<'a> {
    scenario: &'a Scenario,
    session: VirtualSession,
    cost: Cost,
}

impl<'a> Bursts<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        Self {
            scenario,
            session: session(scenario, &scenario.profile, seed),
            cost: Cost::default(),
        }
    }

    fn runs(&mut self, value: u64, requests: u64) -> Vec<Run> {
        (0..RUNS).map(|_| self.run(value, requests)).collect()
    }

    fn run(&mut self, value: u64, requests: u64) -> Run {
        let point = LoadPoint {
            load: load_of(self.scenario.variable, value as f64),
            requests,
            warmup: 0,
            duration: None,
        };
        let began = self.session.now();
        let records: Vec<RequestRecord> = self.session.measure(&point);
        self.cost.requests += requests;
        self.cost.seconds += self.session.now().saturating_sub(began).as_secs_f64();
        let mut run = Run {
            summary: RunSummary::new(point),
            good: 0,
        };
        for record in &records {
            run.summary.add(record);
            run.good += u64::from(self.scenario.slo.met_by(record));
        }
        run.summary.sort();
        self.cost.tokens += run.summary.output().tokens;
        run
    }
}
