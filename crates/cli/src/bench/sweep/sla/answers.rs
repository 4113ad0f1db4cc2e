//! The answers of a whole experiment: as files have them, and as the final tables show them, best first.
//!
//! Decides no answer; it puts them in order.

use std::fmt::Write as _;

use crestline_core::search::{Answer, Outcome, Variable};
use crestline_report::number::{counted, significant};
use crestline_report::search_tables::{ends, is_answered, load_name, load_text};
use crestline_report::table::{Align, Style, Table};
use serde_json::{Map, Value, json};

use super::criteria::{Condition, Sla};
use super::plan::{Method, SlaSweep};

/// The answer for one server, one benchmark and one SLA.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// What the server's parameters are called; empty where there are none.
    pub(crate) serve: String,
    /// The same of the benchmark.
    pub(crate) bench: String,
    pub(crate) sla: Sla,
    pub(crate) answer: Answer,
    /// Output tokens a second at the load of the answer, where that is known.
    pub(crate) tokens_per_s: Option<f64>,
    /// That the server runs on.
    pub(crate) gpus: u64,
}

impl Found {
    /// Output tokens a second and GPU.
    pub(crate) fn per_gpu(&self) -> Option<f64> {
        Some(self.tokens_per_s? / self.gpus as f64)
    }

    /// There is a load that meets the SLA.
    pub(crate) fn is_answered(&self) -> bool {
        is_answered(self.answer.outcome)
    }

    /// The condition that limits the load, as it is written in files.
    fn limited_by(&self) -> Option<String> {
        let binding = self.answer.binding?;
        let mut conditions = self.sla.conditions.iter();
        let binds = conditions.find(|condition| condition.criterion() == Some(binding));
        Some(binds.map_or_else(|| binding.to_string(), Condition::label))
    }

    /// Answers with a load come first.
    fn rank(&self) -> u8 {
        match self.answer.outcome {
            Outcome::Value | Outcome::NotReached => 0,
            Outcome::Inconclusive => 1,
            Outcome::Outpaced => 2,
            Outcome::Void => 3,
            Outcome::Infeasible => 4,
        }
    }

    /// As it is called beside others.
    fn configuration(&self) -> &str {
        if self.serve.is_empty() {
            "default"
        } else {
            &self.serve
        }
    }
}

/// A verdict in a word or two.
pub(crate) fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Value => "found",
        Outcome::Infeasible => "infeasible",
        Outcome::NotReached => "not reached",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Void => "void",
        Outcome::Outpaced => "stopped",
    }
}

/// A line of the ranking, as files have it.
pub(crate) fn row(found: &Found, sla: &SlaSweep) -> Value {
    let mut row = Map::from_iter([("serve".to_owned(), found.configuration().into())]);
    if let Value::Object(fields) = json(found, sla) {
        row.extend(fields);
    }
    Value::Object(row)
}

/// The answer as files have it, beside the records that it rests on.
pub(crate) fn json(found: &Found, sla: &SlaSweep) -> Value {
    let answer = &found.answer;
    let confidence = sla.confidence();
    json!({
        "criteria": found.sla.label(),
        "status": answer.outcome,
        "load": answer.load,
        "confidence": confidence.filter(|_| answer.outcome == Outcome::Value),
        "estimate": answer.estimate,
        "interval": answer.interval.map(|interval| json!({
            "low": interval.low,
            "high": interval.high,
            "probability": interval.probability,
        })),
        "limited_by": found.limited_by(),
        "requests": answer.requests,
        "requests_needed": answer.requests_needed,
        "reason": answer.reason,
        "output_throughput": found.tokens_per_s,
        "gpus": found.gpus,
        "output_throughput_per_gpu": found.per_gpu(),
    })
}

/// The answers that compete, best first: those of one benchmark and one SLA. A higher load is better; those without an
/// answer come after those with one, and the infeasible ones last.
pub(crate) fn ranked(all: &[Found]) -> Vec<Vec<&Found>> {
    let mut groups: Vec<Vec<&Found>> = Vec::new();
    for found in all {
        let same = |other: &&Found| other.bench == found.bench && other.sla == found.sla;
        match groups.iter_mut().find(|group| group.iter().all(same)) {
            Some(group) => group.push(found),
            None => groups.push(vec![found]),
        }
    }
    for group in &mut groups {
        group.sort_by(|one, other| {
            let load = |found: &Found| found.answer.load.unwrap_or(0.0);
            one.rank()
                .cmp(&other.rank())
                .then(load(other).total_cmp(&load(one)))
        });
    }
    groups
}

/// A table for each benchmark and SLA.
pub(crate) fn tables(all: &[Found], variable: Variable) -> String {
    let mut text = String::new();
    for group in ranked(all) {
        let Some(first) = group.first() else { continue };
        let bench = if first.bench.is_empty() {
            String::new()
        } else {
            format!(" with {}", first.bench)
        };
        let _ = writeln!(
            text,
            "Best configurations for {}{bench}:",
            first.sla.shown()
        );
        text.push_str(&table(&group, variable));
        text.push_str(&reasons(&group, variable));
        text.push_str(&best_per_gpu(&group));
        text.push('\n');
    }
    text
}

fn table(group: &[&Found], variable: Variable) -> String {
    let mut table = Table::new(Style::Grid);
    for (head, align) in [
        ("Configuration", Align::Left),
        ("Highest load", Align::Right),
        ("Range", Align::Left),
        ("Verdict", Align::Left),
        ("Limited by", Align::Left),
        ("tok/s per GPU", Align::Right),
        ("GPUs", Align::Right),
    ] {
        table = table.column(head, align);
    }
    for found in group {
        let answer = &found.answer;
        let range = answer.interval.map(|interval| {
            let [low, high] = ends(variable, interval);
            format!("{low} to {high}")
        });
        let per_gpu = found.per_gpu().map(|rate| significant(rate, 4));
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row([
            found.configuration().to_owned(),
            or_dash(answer.load.map(|load| load_name(variable, load))),
            or_dash(range),
            verdict(answer.outcome).to_owned(),
            or_dash(found.limited_by()),
            or_dash(per_gpu),
            found.gpus.to_string(),
        ]);
    }
    table.render()
}

/// Why there is no load, or why it is not to be relied on, a line each.
fn reasons(group: &[&Found], variable: Variable) -> String {
    let unsure = group
        .iter()
        .filter(|found| found.answer.outcome != Outcome::Value);
    let told = unsure.filter(|found| !found.answer.reason.is_empty());
    told.fold(String::new(), |text, found| {
        let hint = match (found.answer.outcome, variable) {
            (Outcome::Infeasible, Variable::Rate) => "; --sla-lower-bound takes fractions",
            (Outcome::NotReached, _) => "; --sla-upper-bound says how far to go",
            _ => "",
        };
        let (name, reason) = (found.configuration(), &found.answer.reason);
        format!("{text}{name}: {reason}{hint}\n")
    })
}

/// Which one makes most of its GPUs, where that is not the one with the highest load.
fn best_per_gpu(group: &[&Found]) -> String {
    let answered = || group.iter().filter(|found| found.is_answered());
    let per_gpu = |found: &&&Found| found.per_gpu();
    let best = answered()
        .filter(|found| per_gpu(found).is_some())
        .max_by(|one, other| {
            let rate = |found: &Found| found.per_gpu().unwrap_or(0.0);
            rate(one).total_cmp(&rate(other))
        });
    match (answered().next(), best) {
        (Some(first), Some(best)) if first.serve != best.serve => format!(
            "Most tokens per GPU: {} ({} tok/s on each of {})\n",
            best.configuration(),
            significant(best.per_gpu().unwrap_or(0.0), 4),
            counted(best.gpus, "GPU")
        ),
        _ => String::new(),
    }
}

/// A load with its unit.
pub(crate) fn load_in_words(sla: &SlaSweep, load: f64) -> String {
    let variable = sla.counted_in();
    let unit = match variable {
        Variable::Users => "concurrent requests",
        Variable::Rate => "req/s",
    };
    format!("{} {unit}", load_text(variable, load))
}

/// The line that vLLM's search ends with, and how sure it is.
pub(crate) fn conclusion(found: &Found, sla: &SlaSweep) -> String {
    let answer = &found.answer;
    let (name, variable) = (sla.variable.name(), sla.counted_in());
    // vLLM's search announces its lowest load where none passed.
    let reported = match sla.method {
        Method::Crest { .. } => answer.load,
        Method::Pchip => answer.load.or(Some(sla.bounds.lowest)),
    };
    let load = reported.map_or_else(|| "none".to_owned(), |load| load_in_words(sla, load));
    let mut facts = vec![verdict(answer.outcome).to_owned()];
    if let Some(interval) = answer.interval {
        let [low, high] = ends(variable, interval);
        let likely = interval
            .probability
            .map_or_else(String::new, |share| format!(" with {} %", share * 100.0));
        facts.push(format!("between {low} and {high}{likely}"));
    }
    facts.extend(
        found
            .limited_by()
            .map(|label| format!("limited by {label}")),
    );
    if !answer.reason.is_empty() {
        facts.push(answer.reason.clone());
    }
    if sla.method == Method::Pchip {
        facts.push("each load was judged once, so nothing is known of how sure it is".to_owned());
    }
    format!("Maximum {name} for SLA: {load}. ({})", facts.join("; "))
}

#[cfg(test)]
mod tests;
