//! What the runs of a service say about where to look next.
//!
//! Compares throughputs with an allowance for noise; says nothing where runs differ in more than their load.

use crestline_core::metrics::Metric;
use crestline_core::segments::Statistic;

use super::against_load::{total, value};
use super::words::{applied, rounded};
use crate::facts::LoadFacts;

/// Throughputs that differ by less are not told apart.
const NOISE: f64 = 0.03;

/// A sentence on the loads of one configuration, void and failed ones left out; `None` where they say nothing.
pub(super) fn on_loads<'a>(runs: impl Iterator<Item = &'a LoadFacts>) -> Option<String> {
    let mut runs: Vec<(&LoadFacts, f64)> = runs
        .filter_map(|run| Some((run, total(run, Metric::RequestThroughput)?)))
        .collect();
    let (first, _) = runs.first()?;
    if runs
        .iter()
        .any(|(run, _)| run.parameters != first.parameters)
    {
        return None;
    }
    if runs.iter().all(|(run, _)| run.applied.rate.is_some()) {
        runs.sort_by(|one, other| {
            one.0
                .applied
                .rate
                .partial_cmp(&other.0.applied.rate)
                .expect("rates are numbers")
        });
        return on_rates(&runs);
    }
    if runs
        .iter()
        .any(|(run, _)| run.applied.rate.is_some() || run.applied.concurrency.is_none())
    {
        return None;
    }
    runs.sort_by(|one, other| {
        one.0
            .applied
            .concurrency
            .partial_cmp(&other.0.applied.concurrency)
            .expect("counts are numbers")
    });
    on_users(&runs)
}

/// Of closed loops: where more users no longer give more throughput.
fn on_users(runs: &[(&LoadFacts, f64)]) -> Option<String> {
    let ([.., before, last], [first, ..]) = (runs, runs) else {
        return None;
    };
    if first.0.applied == last.0.applied {
        return None;
    }
    let best = runs.iter().map(|(_, rps)| *rps).fold(0.0, f64::max);
    let (enough, _) = runs.iter().find(|(_, rps)| *rps >= best * (1.0 - NOISE))?;
    if enough.applied == last.0.applied {
        return Some(format!(
            "Throughput still grows at the highest load, {} ({:+.1} % over {}): the limit is not reached, try higher loads.",
            applied(last.0.applied),
            (last.1 / before.1 - 1.0) * 100.0,
            applied(before.0.applied),
        ));
    }
    if enough.applied == first.0.applied {
        return Some(format!(
            "Throughput at the lowest load, {}, is already that of the highest: more load only adds waiting, try lower loads.",
            applied(first.0.applied)
        ));
    }
    Some(format!(
        "Throughput levels off around {}: no higher load gives more than {} % more.",
        applied(enough.applied),
        NOISE * 100.0
    ))
}

/// Of rates: up to where requests were answered as fast as they came.
fn on_rates(runs: &[(&LoadFacts, f64)]) -> Option<String> {
    let (first, last) = (runs.first()?, runs.last()?);
    if first.0.applied.rate == last.0.applied.rate {
        return None;
    }
    let keeps_up = |(run, rps): &&(&LoadFacts, f64)| {
        expected(run).is_none_or(|expected| *rps >= expected * (1.0 - 2.0 * NOISE))
    };
    let Some(behind) = runs.iter().find(|run| !keeps_up(run)) else {
        return Some(format!(
            "The service kept up with every rate, up to {}: the limit is not reached, try higher rates.",
            applied(last.0.applied)
        ));
    };
    Some(format!(
        "The service did not keep up with {}: {} requests a second were answered.",
        applied(behind.0.applied),
        rounded(behind.1)
    ))
}

/// What a service that keeps up answers a second: the last request, too, takes its time after it was sent.
fn expected(run: &LoadFacts) -> Option<f64> {
    let requests = run.figures.requests as f64;
    let latency = value(run, Statistic::Mean(Metric::Latency)).unwrap_or_default();
    Some(requests / (requests / run.applied.rate? + latency))
}
