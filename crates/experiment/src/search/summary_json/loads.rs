//! What each load of a search came to: figures of all that was sent at it, and how many requests violate each criterion.
//!
//! Judges nothing: with few requests a load meets a criterion by chance.

use crestline_core::search::Question;
use crestline_core::sla::{Criterion, Group, Measure, Probe, Relation, Statistic, Throughput};
use crestline_core::summary::RunSummary;
use serde_json::{Map, Value, json};

use super::super::outcome::Tried;

/// A load, all of its dwells or runs together.
pub(super) fn load(question: &Question, tried: &Tried) -> Value {
    let sum = |of: fn(&RunSummary) -> u64| -> u64 { tried.runs.iter().map(of).sum() };
    json!({
        "load": tried.load,
        "runs": tried.runs.len(),
        "requests": sum(RunSummary::total),
        "failed": sum(RunSummary::failed),
        "figures": figures(tried),
        "violations": violations(question, tried),
    })
}

/// Throughputs, means and some percentiles, as criteria have them.
fn figures(tried: &Tried) -> Value {
    let shown = |measure: &Measure| match measure {
        Measure::Time(Statistic::Mean, _) | Measure::Throughput(_) | Measure::SuccessRate => true,
        Measure::Time(Statistic::Quantile(q), _) => [0.5, 0.99].contains(q),
        Measure::Goodput => false,
    };
    // A probe has what a group names; the limits play no part.
    let named = Measure::all().filter(shown).map(|measure| Criterion {
        measure,
        relation: Relation::AtMost,
        threshold: 1.0,
    });
    let group = Group {
        criteria: named.collect(),
        aim: None,
    };
    let probe = Probe::average(&tried.runs, None, &[group]);
    let figures = probe.figures.iter().map(|figure| {
        let value = match figure.measure {
            Measure::Throughput(work) => throughput(tried, work).or(figure.value),
            _ => figure.value,
        };
        (figure.measure.to_string(), json!(value))
    });
    figures.collect::<Map<_, _>>().into()
}

/// That of the session: its requests end long after a dwell has.
fn throughput(tried: &Tried, work: Throughput) -> Option<f64> {
    let pace = tried.pace?;
    let tokens = |of: fn(&RunSummary) -> u64| tried.runs.iter().map(of).sum::<u64>() as f64;
    let input = tokens(|run| run.input().tokens);
    let output = tokens(|run| run.output().tokens).max(1.0);
    Some(match work {
        Throughput::Requests => pace.requests_per_s,
        Throughput::OutputTokens => pace.output_tokens_per_s,
        Throughput::TotalTokens => pace.output_tokens_per_s * (1.0 + input / output),
    })
}

/// For each criterion on single requests, once.
fn violations(question: &Question, tried: &Tried) -> Value {
    let mut seen: Vec<Criterion> = Vec::new();
    for criterion in question.groups.iter().flat_map(|group| &group.criteria) {
        if !seen.contains(criterion) {
            seen.push(*criterion);
        }
    }
    let found = seen.iter().filter_map(|criterion| {
        let found = criterion.violations(&tried.runs)?;
        Some(json!({
            "criterion": criterion.to_string(),
            "violating": found.violating,
            "counted": found.counted,
            "allowed": found.allowed,
        }))
    });
    found.collect()
}
