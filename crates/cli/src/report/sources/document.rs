//! `sla_summary.json` of crestline as facts. The file is explained in `docs/guide/sla.md`.
//!
//! Takes a value; opens no file. What an earlier version did not write is not known.

use crestline_core::search::Outcome;
use crestline_report::facts::{AnswerFacts, DwellFacts, SearchFacts, TriedFacts, Violations};
use crestline_report::number::{grouped, significant};
use serde_json::Value;

/// What the file says it is.
const FORMAT: &str = "crestline_sla_summary";

/// Whether a value is such a file.
pub(super) fn is_one(value: &Value) -> bool {
    value["format"] == FORMAT
}

/// The whole search, without its requests.
pub(super) fn search(document: &Value) -> SearchFacts {
    let tried: Vec<TriedFacts> = list(&document["loads"]).filter_map(tried).collect();
    let mut answers: Vec<AnswerFacts> = list(&document["selections"]).map(answer).collect();
    for answer in &mut answers {
        answer.output_tps = answer.load.and_then(|load| throughput(&tried, load));
    }
    SearchFacts {
        unit: unit(
            document["question"]["variable"]
                .as_str()
                .unwrap_or_default(),
        )
        .to_owned(),
        answers,
        dwells: list(&document["probes"]).filter_map(dwell).collect(),
        tried,
        cost: cost(&document["totals"]),
        is_interrupted: document["interrupted"] == true,
        ..SearchFacts::default()
    }
}

/// What a load is counted in.
pub(super) fn unit(variable: &str) -> &'static str {
    match variable {
        "rate" | "request_rate" => "requests a second",
        _ => "users",
    }
}

/// An answer; files of sweeps have the same fields, of which some have other names.
pub(super) fn answer(value: &Value) -> AnswerFacts {
    let number = |key: &str| value[key].as_f64();
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let interval = &value["interval"];
    let ends = interval["low"].as_f64().zip(interval["high"].as_f64());
    AnswerFacts {
        criteria: text("criteria").unwrap_or_default(),
        outcome: serde_json::from_value::<Outcome>(value["status"].clone()).ok(),
        load: number("max_satisfied").or_else(|| number("load")),
        estimate: number("estimate"),
        interval: ends.map(|(low, high)| ([low, high], interval["probability"].as_f64())),
        confidence: number("confidence"),
        binding: text("binding").or_else(|| text("limited_by")),
        knee: number("knee_beta"),
        best: number("best"),
        output_tps: number("output_throughput"),
        requests: value["requests"].as_u64(),
        reason: text("reason").unwrap_or_default(),
    }
}

fn dwell(value: &Value) -> Option<DwellFacts> {
    let number = |key: &str| value[key].as_f64();
    let count = |key: &str| value[key].as_u64().unwrap_or_default();
    let start = number("start_s")?;
    let measured = value["measured"].as_object().into_iter().flatten();
    let groups = list(&value["groups"]).map(|group| {
        let unmet = list(&group["unmet"]).filter_map(Value::as_str);
        (group["met"] == true, unmet.map(str::to_owned).collect())
    });
    Some(DwellFacts {
        span_s: [start, start + number("duration_s")?],
        counted_from_s: number("counted_from_s"),
        load: number("load")?,
        stage: value["stage"].as_str().unwrap_or_default().to_owned(),
        requests: [count("requests"), count("failed")],
        measured: measured
            .map(|(name, value)| (name.clone(), value.as_f64()))
            .collect(),
        groups: groups.collect(),
    })
}

fn tried(value: &Value) -> Option<TriedFacts> {
    let count = |value: &Value, key: &str| value[key].as_u64().unwrap_or_default();
    let figures = value["figures"].as_object().into_iter().flatten();
    let violations = list(&value["violations"]).filter_map(|found| {
        Some(Violations {
            criterion: found["criterion"].as_str()?.to_owned(),
            violating: count(found, "violating"),
            counted: count(found, "counted"),
            allowed: found["allowed"].as_f64()?,
        })
    });
    Some(TriedFacts {
        load: value["load"].as_f64()?,
        requests: [count(value, "requests"), count(value, "failed")],
        figures: figures
            .map(|(name, value)| (name.clone(), value.as_f64()))
            .collect(),
        violations: violations.collect(),
    })
}

/// Output tokens a second at a load that was tried.
fn throughput(tried: &[TriedFacts], load: f64) -> Option<f64> {
    let mut tried = tried.iter();
    let at = tried.find(|tried| tried.load.total_cmp(&load).is_eq())?;
    at.figures.iter().find(|(name, _)| name == "tps")?.1
}

fn cost(totals: &Value) -> Vec<(String, String)> {
    let counts = [
        ("requests", "requests"),
        ("failed", "failed requests"),
        ("given_up", "requests that it gave up itself"),
        ("input_tokens", "prompt tokens"),
        ("output_tokens", "answer tokens"),
    ];
    let counts = counts.into_iter().filter_map(|(key, name)| {
        let count = totals[key].as_u64()?;
        let is_usual = !matches!(key, "failed" | "given_up");
        (is_usual || count > 0).then(|| (name.to_owned(), grouped(count)))
    });
    let time = totals["time_s"].as_f64();
    let time = time.map(|time| {
        (
            "time of load".to_owned(),
            format!("{} s", significant(time, 4)),
        )
    });
    time.into_iter().chain(counts).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_is_read_field_by_field() {
        let search = search(&json!({
            "format": "crestline_sla_summary", "interrupted": true, "question": {"variable": "rate"},
            "selections": [{
                "criteria": "p99_ttft <= 0.2", "status": "not_reached", "max_satisfied": 8.0, "confidence": 0.9,
                "interval": {"low": 7.0, "high": 9.0, "probability": 0.8}, "binding": "x", "requests": 12, "reason": "why",
            }],
            "probes": [{
                "load": 2.0, "stage": "ramp", "start_s": 1.0, "duration_s": 2.0, "requests": 5, "failed": 1,
                "measured": {"p99_ttft": null}, "groups": [{"met": false, "unmet": ["late"]}],
            }],
            "loads": [{
                "load": 8.0, "requests": 5, "failed": 1, "figures": {"tps": 70.0},
                "violations": [{"criterion": "c", "violating": 2, "counted": 5, "allowed": 0.01}],
            }],
            "totals": {"time_s": 3.0, "requests": 12345, "failed": 0},
        }));
        assert_eq!(search.unit, "requests a second");
        let answer = &search.answers[0];
        assert_eq!(answer.outcome, Some(Outcome::NotReached));
        assert_eq!(answer.interval, Some(([7.0, 9.0], Some(0.8))));
        assert_eq!((answer.load, answer.output_tps), (Some(8.0), Some(70.0)));
        let dwell = &search.dwells[0];
        assert_eq!((dwell.span_s, dwell.requests), ([1.0, 3.0], [5, 1]));
        assert_eq!(dwell.groups, [(false, vec!["late".to_owned()])]);
        let violations = &search.tried[0].violations[0];
        assert_eq!((violations.violating, violations.counted), (2, 5));
        let expected = [("time of load", "3 s"), ("requests", "12,345")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(search.cost, expected);
        assert!(search.is_interrupted);
    }

    #[test]
    fn a_summary_of_other_fields_leaves_them_unknown() {
        let search = search(&json!({"selections": [{}], "probes": [{}], "loads": [{}, 7]}));
        assert_eq!(search.answers[0].outcome, None);
        assert!(search.dwells.is_empty() && search.tried.is_empty() && search.cost.is_empty());
    }
}
