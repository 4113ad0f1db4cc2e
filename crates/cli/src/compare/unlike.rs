//! In what the runs of two loads differ beside what they are compared for: a reader has to know it.
//!
//! Compares no figure.

use crestline_core::metrics::Metric;
use crestline_report::facts::LoadFacts;
use crestline_report::number::significant;
use serde_json::Value;

use super::sides::Load;
use crate::console;

/// Lengths may differ by this share before it is told.
const SAME: f64 = 0.02;
/// The same of numbers of requests: begin and end of a run weigh more in a short one.
const ALIKE: f64 = 0.2;
/// Settings that are told where they differ.
const SETTINGS: usize = 4;
/// Letters of a setting that are shown.
const LONGEST: usize = 60;

/// Everything that two loads differ in, in sentences.
pub(super) fn unlike(a: &Load, b: &Load) -> Vec<String> {
    let title = a.key.title();
    let mut out = Vec::new();
    for (name, load) in [("A", a), ("B", b)] {
        out.extend(broken(&title, name, load));
    }
    out.extend(other_texts("the models differ", a, b, |run| {
        run.origin.model.clone()
    }));
    out.extend(other_work(&title, a, b));
    let seeds = format!("{title}: seeds differ, so other prompts of the same kind were sent");
    out.extend(other_texts(&seeds, a, b, |run| {
        Some(run.origin.seed?.to_string())
    }));
    out.extend(other_lengths(&title, a, b));
    out.extend(other_numbers(&title, a, b));
    out
}

/// Runs of a side that do not count, or not in whole.
fn broken(title: &str, name: &str, load: &Load) -> Vec<String> {
    let mut out = Vec::new();
    let sound = load.sound();
    let void = load.runs.len() - sound.len();
    if void > 0 {
        out.push(format!(
            "{title}: {void} of {} runs of {name} are left out: the client was the bottleneck",
            load.runs.len()
        ));
    }
    let broken = sound.iter().filter(|run| !run.origin.is_complete).count();
    if broken > 0 {
        out.push(format!(
            "{title}: {name} has {broken} interrupted or incomplete of {} runs",
            sound.len()
        ));
    }
    out
}

/// What runs say of themselves, where both sides say something and not the same.
fn other_texts(
    what: &str,
    a: &Load,
    b: &Load,
    of: fn(&LoadFacts) -> Option<String>,
) -> Option<String> {
    let [a, b] = [a, b].map(|load| {
        let mut all: Vec<String> = load.sound().into_iter().filter_map(of).collect();
        all.sort();
        all.dedup();
        all.join(", ")
    });
    (a != b && !a.is_empty() && !b.is_empty()).then(|| format!("{what}: {a} in A, {b} in B"))
}

/// Settings of the data set, the lengths or the generation.
fn other_work(title: &str, a: &Load, b: &Load) -> Option<String> {
    let work = |load: &Load| load.sound().first()?.origin.work.clone();
    let mut differ = Vec::new();
    unequal("", &work(a)?, &work(b)?, &mut differ);
    let more = differ.len().saturating_sub(SETTINGS);
    differ.truncate(SETTINGS);
    if more > 0 {
        differ.push(format!("and {more} more"));
    }
    (!differ.is_empty()).then(|| format!("{title}: what was sent differs: {}", differ.join("; ")))
}

/// Collects the places at which two values differ, with both.
fn unequal(place: &str, a: &Value, b: &Value, differ: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(one), Value::Object(other)) => {
            let missing = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(missing) {
                let inner = if place.is_empty() {
                    key.clone()
                } else {
                    format!("{place}.{key}")
                };
                unequal(&inner, &a[key], &b[key], differ);
            }
        }
        _ if a != b => {
            let shown = |value: &Value| console::brief(&value.to_string(), LONGEST);
            differ.push(format!("{place} is {} in A, {} in B", shown(a), shown(b)));
        }
        _ => {}
    }
}

fn other_lengths(title: &str, a: &Load, b: &Load) -> Vec<String> {
    let of = |(what, metric): (&str, Metric)| {
        let (a, b) = (a.mean(metric)?, b.mean(metric)?);
        ((a - b).abs() > SAME * a.max(b)).then(|| {
            format!(
                "{title}: {what} differ in length: {} tokens on average in A, {} in B",
                significant(a, 4),
                significant(b, 4)
            )
        })
    };
    let lengths = [
        ("prompts", Metric::InputTokens),
        ("answers", Metric::OutputTokens),
    ];
    lengths.into_iter().filter_map(of).collect()
}

fn other_numbers(title: &str, a: &Load, b: &Load) -> Option<String> {
    let of_a_run = |load: &Load| load.requests() as f64 / load.sound().len() as f64;
    let (one, other) = (of_a_run(a), of_a_run(b));
    ((one - other).abs() > ALIKE * one.max(other)).then(|| {
        format!(
            "{title}: runs differ in length: {} requests a run in A, {} in B",
            significant(one, 6),
            significant(other, 6)
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_at_which_settings_differ_is_found() {
        let mut differ = Vec::new();
        let a = json!({"x": {"y": 1, "z": [1]}, "only": true, "same": null});
        let b = json!({"x": {"y": 2, "z": [2]}, "new": "é", "same": null});
        unequal("", &a, &b, &mut differ);
        differ.sort();
        assert_eq!(
            differ,
            [
                "new is null in A, \"é\" in B",
                "only is true in A, null in B",
                "x.y is 1 in A, 2 in B",
                "x.z is [1] in A, [2] in B"
            ]
        );
    }
}
