//! `benchmark_summary.json`: evalscope's keys in evalscope's order, then crestline's own.

use crestline_core::health::ClientHealth;
use crestline_core::metrics::Metric;
use crestline_core::summary::{RunSummary, TokenTotal};
use crestline_core::units::Rate;
use serde_json::{Map, Value, json};

use super::{NOT_APPLICABLE, rounded};
use crestline_experiment::client_health::health;

/// Version of the keys that begin with `crestline_`.
const FORMAT: u32 = 1;

/// The object of one load.
pub(crate) fn summary(run: &RunSummary, client: &ClientHealth) -> Map<String, Value> {
    let mut out = figures(run);
    out.insert("crestline_client".to_owned(), health(client, run));
    out
}

/// The same without what the client observed of itself.
pub(crate) fn figures(run: &RunSummary) -> Map<String, Value> {
    let mut out = compatible(run);
    out.extend(own(run));
    out
}

fn compatible(run: &RunSummary) -> Map<String, Value> {
    let load = &run.point().load;
    let concurrency = load.concurrency.map_or(-1, |limit| i64::from(limit.get()));
    let rate = load.rate().map_or(NOT_APPLICABLE, Rate::value);
    let plain = |metric| rounded(run.mean(metric).unwrap_or(NOT_APPLICABLE), 4);
    let millis = |metric| millis(run.mean(metric));
    let streamed = run.streamed();
    let mut out = pairs([
        ("Test Duration (s)", json!(plain(Metric::Duration))),
        ("Concurrency", json!(concurrency)),
        ("Request Rate (req/s)", json!(rate)),
        ("Total Requests", json!(run.total())),
        ("Success Requests", json!(run.succeeded())),
        ("Failed Requests", json!(run.failed())),
        ("Stream Requests", json!(streamed)),
        ("Non-Stream Requests", json!(run.succeeded() - streamed)),
        (
            "Req Throughput (req/s)",
            json!(plain(Metric::RequestThroughput)),
        ),
        ("Avg Latency (s)", json!(plain(Metric::Latency))),
        ("Avg Input Tokens", json!(plain(Metric::InputTokens))),
        (
            "Output Throughput (tok/s)",
            json!(plain(Metric::OutputThroughput)),
        ),
        (
            "Total Throughput (tok/s)",
            json!(plain(Metric::TotalThroughput)),
        ),
        ("Avg TTFT (ms)", json!(millis(Metric::Ttft))),
        ("Avg TPOT (ms)", json!(millis(Metric::Tpot))),
        ("Avg ITL (ms)", json!(millis(Metric::Itl))),
        ("Avg Output Tokens", json!(plain(Metric::OutputTokens))),
        ("Input Throughput (tok/s)", json!(0.0)),
    ]);
    if let Some(share) = run.cached().share() {
        out.insert(
            "KV Cache Hit Rate (%)".to_owned(),
            json!(rounded(share * 100.0, 4)),
        );
    }
    if run.has_several_tokens_an_event() {
        out.extend(pairs([
            ("Avg Decoded Tok/Iter", json!(plain(Metric::TokensPerGap))),
            (
                "Spec. Accept Rate",
                json!(rounded(
                    run.share_without_step().unwrap_or(NOT_APPLICABLE),
                    4
                )),
            ),
        ]));
    }
    out
}

fn own(run: &RunSummary) -> Map<String, Value> {
    let mut out = pairs([
        ("crestline_format", json!(FORMAT)),
        (
            "crestline_latency_from_due_s",
            spread(run, Metric::LatencyFromDue, 1.0),
        ),
        (
            "crestline_ttft_from_due_ms",
            spread(run, Metric::TtftFromDue, 1e3),
        ),
        (
            "crestline_time_to_first_byte_ms",
            spread(run, Metric::TimeToFirstByte, 1e3),
        ),
        (
            "crestline_time_to_first_reasoning_ms",
            spread(run, Metric::TimeToFirstReasoning, 1e3),
        ),
        (
            "crestline_time_to_first_answer_ms",
            spread(run, Metric::TimeToFirstAnswer, 1e3),
        ),
        ("crestline_connect_ms", spread(run, Metric::Connect, 1e3)),
        (
            "crestline_chunks_per_request",
            spread(run, Metric::ChunksPerRequest, 1.0),
        ),
        ("crestline_failures", failures(run)),
        ("crestline_reconnects", json!(run.reconnects())),
        ("crestline_input_token_sources", sources(run.input())),
        ("crestline_output_token_sources", sources(run.output())),
    ]);
    out.retain(|_, value| !value.is_null());
    out
}

/// Milliseconds with two decimals.
fn millis(seconds: Option<f64>) -> f64 {
    seconds.map_or(NOT_APPLICABLE, |seconds| rounded(seconds * 1e3, 2))
}

/// Mean, median, p99 and maximum; null where nothing was measured.
fn spread(run: &RunSummary, metric: Metric, scale: f64) -> Value {
    let Some(mean) = run.mean(metric) else {
        return Value::Null;
    };
    let at = |q| rounded(run.quantile(metric, q).unwrap_or(f64::NAN) * scale, 4);
    json!({"mean": rounded(mean * scale, 4), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)})
}

fn failures(run: &RunSummary) -> Value {
    run.failures()
        .iter()
        .map(|(kind, count)| (kind.name().to_owned(), json!(count)))
        .collect::<Map<_, _>>()
        .into()
}

/// Requests by how their tokens were counted.
fn sources(total: &TokenTotal) -> Value {
    let mut out: Map<String, Value> = total
        .sources
        .iter()
        .filter_map(|(source, requests)| {
            Some((json!(source).as_str()?.to_owned(), json!(requests)))
        })
        .collect();
    if total.unknown > 0 {
        out.insert("unknown".to_owned(), json!(total.unknown));
    }
    out.into()
}

fn pairs<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
