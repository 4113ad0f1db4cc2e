//! `sla_summary.json`: a search as other programs read it. Its fields are explained in `docs/guide/sla.md`.
//!
//! Times are seconds since the search began, figures are in base units (seconds, a second, shares); what is not known or
//! not finite is null. Writes no file.

mod loads;

use crestline_core::search::{Answer, Outcome, Question, Variable};
use crestline_core::sla::{Group, Probe, Slo};
use crestline_core::units::Nanos;
use serde_json::{Map, Value, json};

use super::outcome::{Dwell, SearchOutcome, Spent};
use crate::plan::{Method, Plan, SearchPlan};

/// The name of the file in a search's folder.
pub const SUMMARY: &str = "sla_summary.json";

/// Version of the file's format. Fields may be added within a version; none changes its meaning.
pub const SUMMARY_VERSION: u32 = 1;

/// The whole file; `client` is what the client observed of itself, in the front end's form.
pub fn document(
    plan: &Plan,
    search: &SearchPlan,
    outcome: &SearchOutcome,
    client: &Value,
) -> Value {
    let question = &search.question;
    json!({
        "format": "crestline_sla_summary",
        "version": SUMMARY_VERSION,
        "crestline_version": env!("CARGO_PKG_VERSION"),
        "model": plan.model,
        "url": plan.shown_url(),
        "interrupted": outcome.interrupted,
        "question": asked(question, search.method),
        "selections": question
            .groups
            .iter()
            .zip(&outcome.answers)
            .map(|(group, answer)| selection(question, group, answer))
            .collect::<Vec<_>>(),
        "probes": outcome.dwells.iter().map(|dwell| probe(question, dwell)).collect::<Vec<_>>(),
        "loads": outcome.tried.iter().map(|tried| loads::load(question, tried)).collect::<Vec<_>>(),
        "totals": totals(&outcome.spent),
        "client": client,
    })
}

/// The name that flags and tables have for what is varied.
fn variable(variable: Variable) -> &'static str {
    match variable {
        Variable::Users => "parallel",
        Variable::Rate => "rate",
    }
}

fn asked(question: &Question, method: Method) -> Value {
    let budget = &question.budget;
    let (name, bisect) = match method {
        Method::Crest => ("crest", Value::Null),
        Method::Bisect(plan) => (
            "bisect",
            json!({ "num_runs": plan.runs, "number_multiplier": plan.multiplier }),
        ),
    };
    json!({
        "search": name,
        "bisect": bisect,
        "variable": variable(question.variable),
        "lower_bound": question.bounds.lowest,
        "upper_bound": question.bounds.highest,
        "first": question.first,
        "confidence": question.confidence,
        "tolerance": question.tolerance,
        "budget": {
            "time_s": budget.time.map(Nanos::as_secs_f64),
            "requests": budget.requests,
            "output_tokens": budget.tokens,
        },
        "goodput": slo(&question.slo),
        "groups": question.groups.iter().map(|group| json!({
            "criteria": group.to_string(),
            "reading": group.reading(),
        })).collect::<Vec<_>>(),
    })
}

/// Limits in seconds by the name of the time.
fn slo(slo: &Slo) -> Value {
    let limits = slo.limits.iter();
    limits
        .map(|(time, limit)| (time.name().to_owned(), json!(limit)))
        .collect::<Map<_, _>>()
        .into()
}

fn selection(question: &Question, group: &Group, answer: &Answer) -> Value {
    let sure = answer.outcome == Outcome::Value && answer.estimate.is_some();
    json!({
        "criteria": group.to_string(),
        "variable": variable(question.variable),
        "status": answer.outcome,
        "max_satisfied": answer.load,
        "confidence": sure.then_some(question.confidence),
        "estimate": answer.estimate,
        "interval": answer.interval.map(|interval| json!({
            "low": interval.low,
            "high": interval.high,
            "probability": interval.probability,
        })),
        "best": answer.best,
        "binding": answer.binding.map(|criterion| criterion.to_string()),
        "knee_beta": answer.knee.map(|knee| knee.beta),
        "requests": answer.requests,
        "requests_needed": answer.requests_needed,
        "reason": answer.reason,
    })
}

fn probe(question: &Question, dwell: &Dwell) -> Value {
    let met = |group: &Group| {
        let verdict = group.judge(&dwell.probe);
        let unmet: Vec<String> = verdict.unmet().map(ToString::to_string).collect();
        json!({ "met": verdict.met(), "unmet": unmet })
    };
    json!({
        "number": dwell.number,
        "load": dwell.load,
        "stage": dwell.stage,
        "start_s": dwell.start.as_secs_f64(),
        "counted_from_s": dwell.counted_from.map(Nanos::as_secs_f64),
        "duration_s": dwell.end.saturating_sub(dwell.start).as_secs_f64(),
        "ending": dwell.ending,
        "requests": dwell.probe.total,
        "failed": dwell.probe.total - dwell.probe.succeeded.min(dwell.probe.total),
        "measured": measured(&dwell.probe),
        "groups": question.groups.iter().map(met).collect::<Vec<_>>(),
    })
}

fn measured(probe: &Probe) -> Value {
    let figures = probe.figures.iter();
    figures
        .map(|figure| (figure.measure.to_string(), json!(figure.value)))
        .collect::<Map<_, _>>()
        .into()
}

fn totals(spent: &Spent) -> Value {
    json!({
        "time_s": spent.time.as_secs_f64(),
        "requests": spent.requests,
        "failed": spent.failed,
        "given_up": spent.given_up,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
    })
}

#[cfg(test)]
mod tests;
