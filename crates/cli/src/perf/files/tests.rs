//! Keys, order and figures of the files, against evalscope's own where it has them.

use std::num::NonZeroU32;

use crestline_core::health::ClientHealth;
use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::request::{Load, LoadPoint};
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;
use expect_test::expect;
use serde_json::Value;

use super::*;

fn record(sent_ms: u64, end_ms: u64) -> RequestRecord {
    let at = Nanos::from_millis;
    let tokens = |count| {
        Some(TokenCount {
            count,
            source: TokenSource::Usage,
        })
    };
    RequestRecord {
        index: 0,
        phase: Phase::Measured,
        due: at(sent_ms),
        slot_wait: Nanos::ZERO,
        sent: at(sent_ms),
        connect: None,
        first_byte: Some(at(sent_ms + 5)),
        first_token: Some(at(sent_ms + 10)),
        first_reasoning: None,
        first_answer: Some(at(sent_ms + 10)),
        last_token: Some(at(end_ms)),
        end: at(end_ms),
        gaps: vec![Nanos::from_millis(end_ms - sent_ms - 10)].into(),
        chunks: 2,
        chunk_tokens: Vec::new(),
        bare_events: Vec::new(),
        streamed: true,
        prompt_tokens: tokens(64),
        asked_output: None,
        output_tokens: tokens(24),
        cached_tokens: None,
        status: Some(200),
        failure: None,
        reconnects: 0,
        request_id: String::new(),
        turn: None,
        exchange: None,
    }
}

fn run(records: &[RequestRecord]) -> RunSummary {
    let mut run = RunSummary::new(LoadPoint {
        load: Load::closed(NonZeroU32::new(2).unwrap()),
        requests: 8,
        warmup: 0,
        duration: None,
    });
    for record in records {
        run.add(record);
    }
    run
}

fn observed(records: &[RequestRecord]) -> ClientHealth {
    let mut health = ClientHealth::default();
    for record in records {
        health.add(record);
    }
    health
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "the expected file, whole")]
fn a_summary_has_evalscopes_keys_in_order_and_then_its_own() {
    let failed = RequestRecord {
        failure: Some(Failure {
            kind: FailureKind::RateLimited,
            text: "slow down".to_owned(),
        }),
        ..record(0, 400)
    };
    let run = run(&[record(0, 1010), record(500, 2000), failed]);
    expect![[r#"
        {
          "Test Duration (s)": 2.0,
          "Concurrency": 2,
          "Request Rate (req/s)": -1.0,
          "Total Requests": 3,
          "Success Requests": 2,
          "Failed Requests": 1,
          "Stream Requests": 2,
          "Non-Stream Requests": 0,
          "Req Throughput (req/s)": 1.0,
          "Avg Latency (s)": 1.255,
          "Avg Input Tokens": 64.0,
          "Output Throughput (tok/s)": 24.0,
          "Total Throughput (tok/s)": 88.0,
          "Avg TTFT (ms)": 10.0,
          "Avg TPOT (ms)": 54.13,
          "Avg ITL (ms)": 1245.0,
          "Avg Output Tokens": 24.0,
          "Input Throughput (tok/s)": 0.0,
          "Avg Decoded Tok/Iter": 23.0,
          "Spec. Accept Rate": 0.9565,
          "crestline_format": 1,
          "crestline_latency_from_due_s": {
            "mean": 1.255,
            "p50": 1.255,
            "p99": 1.4951,
            "max": 1.5
          },
          "crestline_ttft_from_due_ms": {
            "mean": 10.0,
            "p50": 10.0,
            "p99": 10.0,
            "max": 10.0
          },
          "crestline_time_to_first_byte_ms": {
            "mean": 5.0,
            "p50": 5.0,
            "p99": 5.0,
            "max": 5.0
          },
          "crestline_time_to_first_answer_ms": {
            "mean": 10.0,
            "p50": 10.0,
            "p99": 10.0,
            "max": 10.0
          },
          "crestline_chunks_per_request": {
            "mean": 2.0,
            "p50": 2.0,
            "p99": 2.0,
            "max": 2.0
          },
          "crestline_failures": {
            "rate_limited": 1
          },
          "crestline_reconnects": 0,
          "crestline_input_token_sources": {
            "usage": 2
          },
          "crestline_output_token_sources": {
            "usage": 2
          },
          "crestline_client": {
            "void": false,
            "reasons": [],
            "send_lag_ms": {
              "p50": 0.0,
              "p99": 0.0,
              "max": 0.0
            },
            "starved_sends": 0
          }
        }"#]]
    .assert_eq(&json(&summary(
        &run,
        &observed(&[record(0, 1010), record(500, 2000)]),
    )));
}

#[test]
fn a_run_without_a_success_has_no_invented_figures() {
    expect![[r#"
        {
          "Test Duration (s)": -1.0,
          "Concurrency": 2,
          "Request Rate (req/s)": -1.0,
          "Total Requests": 0,
          "Success Requests": 0,
          "Failed Requests": 0,
          "Stream Requests": 0,
          "Non-Stream Requests": 0,
          "Req Throughput (req/s)": -1.0,
          "Avg Latency (s)": -1.0,
          "Avg Input Tokens": -1.0,
          "Output Throughput (tok/s)": -1.0,
          "Total Throughput (tok/s)": -1.0,
          "Avg TTFT (ms)": -1.0,
          "Avg TPOT (ms)": -1.0,
          "Avg ITL (ms)": -1.0,
          "Avg Output Tokens": -1.0,
          "Input Throughput (tok/s)": 0.0,
          "crestline_format": 1,
          "crestline_failures": {},
          "crestline_reconnects": 0,
          "crestline_input_token_sources": {},
          "crestline_output_token_sources": {},
          "crestline_client": {
            "void": false,
            "reasons": [],
            "starved_sends": 0
          }
        }"#]]
    .assert_eq(&json(&summary(&run(&[]), &ClientHealth::default())));
}

#[test]
fn percentiles_are_interpolated() {
    let rows = percentiles(&run(&[record(0, 1000), record(0, 2000)]));
    assert_eq!(rows.len(), 11);
    let labels: Vec<&str> = rows
        .iter()
        .map(|row| row["Percentiles"].as_str().unwrap())
        .collect();
    assert_eq!(
        labels,
        [
            "min", "1%", "5%", "10%", "25%", "50%", "75%", "90%", "95%", "99%", "max"
        ]
    );
    assert_eq!(rows[5]["Latency (s)"], 1.5);
    assert_eq!(rows[9]["Latency (s)"], 1.99);
    assert_eq!(
        keys(&Value::Object(rows[0].clone())),
        [
            "Percentiles",
            "Latency (s)",
            "TTFT (ms)",
            "ITL (ms)",
            "TPOT (ms)",
            "Input tokens",
            "Output tokens",
            "Output (tok/s)",
            "Total (tok/s)",
            "Decode (tok/s)"
        ]
    );
}

/// The eight completions of evalscope's own run, with the rates that it wrote for them.
#[test]
fn throughput_of_a_known_run_is_what_evalscope_wrote() {
    let ends = [2233, 2348, 4515, 4543, 5937, 5967, 8016, 8078];
    let timeline = Timeline::of(ends.iter().rev().map(|end| record(0, *end)));
    let value = serde_json::to_value(timeline.throughput(Nanos::from_millis(8078))).unwrap();
    let row = |metric: &str| {
        let rows = value["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["metric"] == metric).unwrap();
        ["overall", "last_window", "steady_state"]
            .map(|key| row[key].as_f64().unwrap().round() as i64)
    };
    assert_eq!(row("Total Prompt tok/s"), [63, 63, 77]);
    assert_eq!(row("New Prompt tok/s"), [63, 63, 77]);
    assert_eq!(row("Cached Prompt tok/s"), [0; 3]);
    assert_eq!(row("Completion tok/s"), [24, 24, 29]);
    assert_eq!(
        keys(&value),
        [
            "n_samples",
            "wall_time_s",
            "last_window_s",
            "warmup_frac",
            "rows"
        ]
    );
}

#[test]
fn the_last_window_holds_only_what_ended_in_it() {
    let timeline = Timeline::of([record(0, 10_000), record(0, 50_000), record(0, 60_000)]);
    let value = serde_json::to_value(timeline.throughput(Nanos::from_secs(60))).unwrap();
    assert_eq!(value["rows"][3]["last_window"].as_f64(), Some(48.0 / 30.0));
    assert_eq!(value["rows"][3]["steady_state"].as_f64(), Some(48.0 / 50.0));
}

#[test]
fn warm_up_and_failures_are_on_no_timeline() {
    let warmup = RequestRecord {
        phase: Phase::Warmup,
        ..record(0, 10)
    };
    let failed = RequestRecord {
        failure: Some(Failure {
            kind: FailureKind::Dns,
            text: String::new(),
        }),
        ..record(1000, 1010)
    };
    let value = serde_json::to_value(Timeline::of([warmup, failed, record(2000, 2500)])).unwrap();
    expect![[r#"
        {
          "wall_start": 1.0,
          "points": [
            {
              "t": 1.5,
              "cum_completion": 24,
              "cum_new_prompt": 64,
              "cum_cached_prompt": 0
            }
          ]
        }"#]]
    .assert_eq(&json(&value));
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    write_text(&path, b"old").unwrap();
    write_json(&path, &serde_json::json!({"a": 24.0})).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "{\n    \"a\": 24.0\n}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no draft stays behind"
    );
    let error = write_text(&folder.path().join("no/such/folder"), b"").unwrap_err();
    assert!(error.to_string().starts_with("cannot write"), "{error}");
}

#[test]
fn progress_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    Progress::new(folder.path(), 8)
        .write("running", 3, "2026-11-22T10:15:00Z")
        .unwrap();
    expect![[r#"
        {
            "status": "running",
            "pipeline": "perf",
            "total_count": 8,
            "processed_count": 3,
            "percent": 37.5,
            "updated_at": "2026-11-22T10:15:00Z"
        }"#]]
    .assert_eq(&std::fs::read_to_string(folder.path().join("progress.json")).unwrap());
}
