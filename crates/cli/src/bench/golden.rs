//! Every field of the JSON of three sets of records, counted as vLLM counts, beside values that a program of its own computed
//! (`fixtures/serving/make_golden.py`).
//!
//! How records come about is not checked here, and figures that are crestline's own are checked in `core::serving`.

use std::collections::BTreeMap;
use std::fs;

use crestline_core::record::{
    Failure, FailureKind, Gaps, Phase, RequestRecord, TokenCount, TokenSource,
};
use crestline_core::units::Nanos;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::args::BenchCommand;
use super::plan::{Surroundings, Translation, translate};
use super::result_json::document;
use super::run_figures::{Run, Sent, Stored};
use crate::command::{Parsed, Sub, parse};

const FLAGS: &str = "bench serve --model m --compat vllm --save-result --save-detailed --goodput ttft:260 tpot:260 e2el:1200 \
     --percentile-metrics ttft,tpot,itl,e2el,client_queue_time,e2el_including_client_queue --metric-percentiles 50,90,99,99.9";

/// One set: its records and the fields that they come to.
#[derive(Debug, Deserialize)]
struct Golden {
    name: String,
    records: Vec<Record>,
    report: Map<String, Value>,
}

/// One request; times in ns.
#[derive(Debug, Deserialize)]
struct Record {
    due: u64,
    connect: u64,
    sent: u64,
    first_token: Option<u64>,
    gaps: Vec<u64>,
    last_token: Option<u64>,
    end: u64,
    prompt_tokens: u32,
    output_tokens: u32,
    failed: bool,
}

impl Record {
    fn record(&self, index: u64) -> RequestRecord {
        let tokens = |count| {
            let source = TokenSource::Usage;
            Some(TokenCount { count, source })
        };
        let mut gaps = Gaps::default();
        for gap in &self.gaps {
            gaps.push(Nanos(*gap));
        }
        RequestRecord {
            due: Nanos(self.due),
            slot_wait: Nanos(self.sent - self.connect - self.due),
            sent: Nanos(self.sent),
            connect: Some(Nanos(self.connect)),
            first_token: self.first_token.map(Nanos),
            last_token: self.last_token.map(Nanos),
            end: Nanos(self.end),
            chunks: self.first_token.map_or(0, |_| gaps.len() as u32 + 1),
            gaps,
            streamed: true,
            prompt_tokens: tokens(self.prompt_tokens),
            output_tokens: tokens(self.output_tokens),
            failure: self.failed.then(|| Failure {
                kind: FailureKind::CutMidStream,
                text: String::new(),
            }),
            ..RequestRecord::new(index, Phase::Measured)
        }
    }
}

fn translation() -> Translation {
    let args = FLAGS.split_whitespace().map(Into::into);
    let args = std::iter::once("crestline".into()).chain(args).collect();
    let Ok(Parsed::Command(Sub::Bench(args))) = parse(args) else {
        panic!("not a bench command");
    };
    let BenchCommand::Serve(args) = args.command else {
        panic!("not `bench serve`");
    };
    translate(&args, &Surroundings::default()).unwrap()
}

/// Numbers within 1e-9, in lists and lists of lists too.
fn assert_near(what: &str, found: &Value, expected: &Value) {
    if let (Value::Array(found), Value::Array(expected)) = (found, expected) {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_near(&format!("{what}[{place}]"), found, expected);
        }
        return;
    }
    let (a, b) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!((a - b).abs() < 1e-9, "{what}: {a} and not {b}");
}

#[test]
fn every_figure_of_the_result_is_that_of_the_definitions() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/serving/golden.json"
    );
    let sets: Vec<Golden> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(sets.len(), 3);
    let Translation { plan, report, .. } = translation();
    for set in sets {
        let records = set
            .records
            .iter()
            .zip(0..)
            .map(|(record, index)| record.record(index));
        let stored = Stored {
            records: records.collect(),
            epoch: Nanos::ZERO,
            sent: Sent {
                by_adapter: Vec::new(),
                sequences: 1,
                audio_s: BTreeMap::new(),
            },
        };
        let run = Run::of(stored, &plan.points[0], 0, &report);
        let found = document(&run, &report, Value::Null, "20261122-101500");
        for (key, expected) in &set.report {
            let found = found.get(key).unwrap_or_else(|| panic!("no {key}"));
            assert_near(&format!("{}: {key}", set.name), found, expected);
        }
        // Whatever else has a number is a setting, or crestline's own.
        let settings = ["num_prompts", "burstiness"];
        let others = found.iter().filter(|(key, value)| {
            value.is_number() && !set.report.contains_key(*key) && !settings.contains(&key.as_str())
        });
        for (key, _) in others {
            assert!(key.starts_with("crestline_"), "{key} is not checked");
        }
    }
}
