//! The JSON of a run read back, whoever wrote it: figures, the load that was applied, and each request where all are listed.
//!
//! Takes values; opens no file. What does not stand in a document stays unknown.

pub(crate) mod experiment;
mod parameters;

use std::collections::BTreeMap;

use crestline_core::metrics::Metric;
use crestline_core::record::RequestRecord;
use crestline_report::facts::{Applied, Figures, LoadFacts, Origin, Spread};
use serde_json::{Map, Value};

use super::result_json;
use super::sweep::sla::detailed;
use crate::client_health;
use crate::python_json::number;

pub(crate) use super::sweep::served::command as server_command;
pub(crate) use parameters::parameters;

/// Of these a result has all.
const OF_A_RESULT: [&str; 2] = ["duration", "completed"];
/// Of these one at least.
const THROUGHPUTS: [&str; 3] = [
    "request_throughput",
    "output_throughput",
    "total_token_throughput",
];
/// Times in milliseconds: how they are called, and what they are.
const TIMES: [(&str, &str, Metric); 6] = [
    ("", "ttft", Metric::Ttft),
    ("", "tpot", Metric::Tpot),
    ("", "itl", Metric::Itl),
    ("", "e2el", Metric::Latency),
    ("crestline_", "ttft_from_due", Metric::TtftFromDue),
    ("crestline_", "e2el_from_due", Metric::LatencyFromDue),
];
/// Lists of single requests, which are no settings.
const LISTS: [&str; 9] = [
    "input_lens",
    "output_lens",
    "ttfts",
    "itls",
    "start_times",
    "generated_texts",
    "errors",
    "latencies",
    "queue_times",
];

/// A result of a run.
pub(crate) type Document = Map<String, Value>;

/// Whether it is one.
pub(crate) fn is_result(document: &Document) -> bool {
    let has = |key: &&str| document.get(*key).and_then(number).is_some();
    OF_A_RESULT.iter().all(has) && THROUGHPUTS.iter().any(has)
}

/// Everything that it says of the run as a whole.
pub(crate) fn load(document: &Document) -> LoadFacts {
    let finite = |key: &str| finite(document, key);
    let failed = finite("failed").unwrap_or(0.0);
    let requests = finite("completed").unwrap_or(0.0) + failed;
    LoadFacts {
        applied: Applied {
            concurrency: finite("max_concurrency"),
            rate: finite("request_rate"),
        },
        figures: figures(document, requests, failed),
        client: client_health::read_back(document.get("crestline_client").unwrap_or(&Value::Null)),
        origin: origin(document, requests),
        ..LoadFacts::default()
    }
}

/// Each request, where all are listed: of such a run more is known than its figures.
pub(crate) fn requests(document: &Document) -> Option<Vec<RequestRecord>> {
    let has_lists = ["start_times", "ttfts", "itls", "output_lens"]
        .iter()
        .all(|key| document.contains_key(*key));
    let records = has_lists.then(|| detailed::records(&Value::Object(document.clone())).ok())??;
    (!records.is_empty()).then_some(records)
}

/// Where the database of a run is, from the folder of its result; nothing where another tool measured it.
pub(crate) fn database(document: &Document) -> Option<&str> {
    document.get(result_json::RECORDS)?.as_str()
}

fn origin(document: &Document, requests: f64) -> Origin {
    let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut settings = document.clone();
    settings.retain(|key, _| !LISTS.contains(&key.as_str()));
    Origin {
        tool: match text("crestline_version") {
            Some(version) => format!("crestline {version}"),
            None => "vllm bench serve".to_owned(),
        },
        model: text("model_id"),
        seed: document.get("seed").and_then(Value::as_u64),
        settings: Some(settings.into()),
        is_complete: finite(document, "num_prompts").is_none_or(|asked| requests >= asked),
        ..Origin::default()
    }
}

fn figures(document: &Document, requests: f64, failed: f64) -> Figures {
    let finite = |key: &str| finite(document, key);
    let mut out = Figures {
        duration_s: finite("duration"),
        requests: requests as u64,
        failed: failed as u64,
        failures: failures(document),
        ..Figures::default()
    };
    let totals = [
        (Metric::Duration, finite("duration")),
        (Metric::RequestThroughput, finite("request_throughput")),
        (Metric::OutputThroughput, finite("output_throughput")),
        (Metric::TotalThroughput, finite("total_token_throughput")),
        (
            Metric::SuccessRate,
            (requests > 0.0).then(|| (requests - failed) / requests),
        ),
    ];
    let known = totals
        .into_iter()
        .filter_map(|(metric, value)| Some((metric, value?)));
    out.totals.extend(known);
    // Where nothing was answered, all times are 0 and mean nothing.
    if requests > failed {
        out.spreads = spreads(document, requests - failed);
    }
    out
}

/// Failures by kind, where they are told apart.
fn failures(document: &Document) -> BTreeMap<String, u64> {
    let kinds = document
        .get("crestline_failures")
        .and_then(Value::as_object);
    let kinds = kinds.into_iter().flatten();
    kinds
        .filter_map(|(kind, count)| Some((kind.clone(), count.as_u64()?)))
        .collect()
}

fn spreads(document: &Document, answered: f64) -> BTreeMap<Metric, Spread> {
    let times = TIMES.iter().filter_map(|(prefix, key, metric)| {
        let spread = spread(document, prefix, key);
        (spread != Spread::default()).then_some((*metric, spread))
    });
    let lengths = [
        ("total_input_tokens", Metric::InputTokens),
        ("total_output_tokens", Metric::OutputTokens),
    ];
    let lengths = lengths.into_iter().filter_map(|(total, metric)| {
        let spread = Spread {
            mean: Some(finite(document, total)? / answered),
            ..Spread::default()
        };
        Some((metric, spread))
    });
    times.chain(lengths).collect()
}

/// `mean_KEY_ms`, `std_KEY_ms`, `median_KEY_ms` and `pN_KEY_ms`, in seconds.
fn spread(document: &Document, prefix: &str, key: &str) -> Spread {
    let of = |name: &str| Some(finite(document, &format!("{prefix}{name}_{key}_ms"))? / 1e3);
    let end = format!("_{key}_ms");
    let percentiles = document.iter().filter_map(|(name, value)| {
        let percent = name
            .strip_prefix(prefix)?
            .strip_prefix('p')?
            .strip_suffix(&end)?;
        let percent: f64 = percent.parse().ok()?;
        let value = number(value).filter(|value| value.is_finite())?;
        (0.0..=100.0)
            .contains(&percent)
            .then_some((percent / 100.0, value / 1e3))
    });
    let mut quantiles: Vec<(f64, f64)> = of("median")
        .map(|median| (0.5, median))
        .into_iter()
        .collect();
    for (share, value) in percentiles {
        if quantiles
            .iter()
            .all(|(known, _)| (known - share).abs() > 1e-9)
        {
            quantiles.push((share, value));
        }
    }
    quantiles.sort_by(|one, other| one.0.total_cmp(&other.0));
    Spread {
        mean: of("mean"),
        deviation: of("std"),
        ends: None,
        quantiles,
    }
}

/// A number that is one.
fn finite(document: &Document, key: &str) -> Option<f64> {
    document
        .get(key)
        .and_then(number)
        .filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use crestline_core::units::Nanos;
    use serde_json::json;

    use super::*;

    fn document(value: Value) -> Document {
        match value {
            Value::Object(document) => document,
            _ => panic!("{value}"),
        }
    }

    fn result() -> Document {
        document(json!({
            "model_id": "m", "num_prompts": 4, "request_rate": "inf", "max_concurrency": 2, "duration": 2.0,
            "completed": 3, "failed": 1, "total_input_tokens": 30, "total_output_tokens": 15,
            "request_throughput": 1.5, "output_throughput": 7.5, "total_token_throughput": 22.5,
            "mean_ttft_ms": 20.0, "median_ttft_ms": 18.0, "std_ttft_ms": 2.0, "p50_ttft_ms": 18.0, "p99_ttft_ms": 30.0,
            "p99.9_ttft_ms": 31.0, "p90_tpot_ms": "NaN", "crestline_p99_ttft_from_due_ms": 40.0,
            "ttfts": [0.02],
        }))
    }

    #[test]
    fn figures_are_in_base_units() {
        let figures = load(&result()).figures;
        assert_eq!((figures.requests, figures.failed), (4, 1));
        assert_eq!(figures.totals.get(&Metric::OutputThroughput), Some(&7.5));
        assert_eq!(figures.totals.get(&Metric::SuccessRate), Some(&0.75));
        let ttft = &figures.spreads[&Metric::Ttft];
        assert_eq!((ttft.mean, ttft.deviation), (Some(0.02), Some(0.002)));
        let expected = [(0.5, 0.018), (0.99, 0.03), (0.999, 0.031)];
        let are_near = |one: &(f64, f64), other: &(f64, f64)| {
            (one.0 - other.0).abs() < 1e-12 && (one.1 - other.1).abs() < 1e-12
        };
        let pairs = ttft.quantiles.iter().zip(&expected);
        assert_eq!(ttft.quantiles.len(), 3, "the median is there once");
        assert!(
            pairs.into_iter().all(|(one, other)| are_near(one, other)),
            "{ttft:?}"
        );
        let due = &figures.spreads[&Metric::TtftFromDue];
        assert_eq!(due.quantiles, [(0.99, 0.04)]);
        assert_eq!(figures.spreads[&Metric::InputTokens].mean, Some(10.0));
    }

    #[test]
    fn what_a_result_does_not_say_is_unknown() {
        let run = load(&result());
        assert_eq!(run.applied.concurrency, Some(2.0));
        assert_eq!(run.applied.rate, None, "inf is no rate");
        let spreads = &run.figures.spreads;
        assert!(!spreads.contains_key(&Metric::Tpot), "NaN is no value");
        assert!(!spreads.contains_key(&Metric::Latency));
        assert_eq!(run.origin.tool, "vllm bench serve");
        assert!(run.origin.is_complete);
        assert!(run.origin.settings.unwrap().get("ttfts").is_none());
    }

    #[test]
    fn a_run_without_answers_has_no_times() {
        let mut document = result();
        document.insert("completed".to_owned(), 0.into());
        let run = load(&document);
        assert_eq!((run.figures.requests, run.figures.failed), (1, 1));
        assert!(run.figures.spreads.is_empty());
        assert!(!run.origin.is_complete, "3 of 4 requests are missing");
    }

    #[test]
    fn a_result_has_a_duration_answers_and_a_throughput() {
        assert!(is_result(&result()));
        for key in ["duration", "completed"] {
            let mut other = result();
            other.remove(key);
            assert!(!is_result(&other), "{key}");
        }
        assert!(!is_result(&document(
            json!({"duration": 1, "completed": 1})
        )));
    }

    #[test]
    fn requests_are_known_where_all_are_listed() {
        assert_eq!(requests(&result()), None);
        let mut document = result();
        for (key, list) in [
            ("ttfts", json!([0.5])),
            ("start_times", json!([7.0])),
            ("output_lens", json!([2])),
        ] {
            document.insert(key.to_owned(), list);
        }
        document.insert("itls".to_owned(), json!([[0.25]]));
        let requests = requests(&document).unwrap();
        assert_eq!(requests[0].latency(), Nanos::from_millis(750));
    }
}
