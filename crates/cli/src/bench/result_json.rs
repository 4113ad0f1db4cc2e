//! The JSON of a run: vLLM's keys by name and in order, and behind them crestline's own.

use std::path::{self, Path};

use crestline_core::serving::{Quantity, Row, Spread};
use serde_json::{Map, Value, json};

use super::args::Compat;
use super::plan::ReportPlan;
use super::probes::Probes;
use super::run_figures::Run;
use super::{beside, conversations};
use crate::moment;

/// The key under which a result says where its records are, from its own folder.
pub(super) const RECORDS: &str = "crestline_records";

/// Fields that are only kept in detail. vLLM keeps the last two always, which makes long summaries.
const DETAILS: [&str; 7] = [
    "input_lens",
    "output_lens",
    "ttfts",
    "itls",
    "start_times",
    "generated_texts",
    "errors",
];
const MORE_DETAILS: [&str; 2] = ["latencies", "queue_times"];

/// The whole document of a run that ended at `stamp` (`YYYYmmdd-HHMMSS`). `client` is how well crestline itself kept up.
pub(super) fn document(
    run: &Run,
    report: &ReportPlan,
    client: Value,
    stamp: &str,
) -> Map<String, Value> {
    let mut out = header(report, stamp);
    for (name, value) in figures(run, report) {
        out.insert(name, value);
    }
    let keeps_more = report.compat == Compat::Vllm;
    if !report.saving.detailed {
        for name in DETAILS {
            out.shift_remove(name);
        }
        for name in MORE_DETAILS.iter().filter(|_| !keeps_more) {
            out.shift_remove(*name);
        }
    }
    out.extend(own(run, report, client));
    out.extend(adapters(run));
    out.extend(run.conversations.iter().flat_map(conversations::fields));
    out
}

/// What was asked for, at the beginning of a document that was made at `stamp`.
pub(super) fn header(report: &ReportPlan, stamp: &str) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("date", stamp.into());
    put("endpoint_type", report.backend.clone().into());
    put("backend", report.backend.clone().into());
    put("label", json!(report.label));
    put("model_id", report.model_id.clone().into());
    put("tokenizer_id", json!(report.tokenizer_id));
    put("num_prompts", report.num_prompts.into());
    for (name, value) in &report.metadata {
        put(name, value.clone().into());
    }
    let is_all_at_once = report.request_rate.is_infinite();
    put(
        "request_rate",
        if is_all_at_once {
            json!("inf")
        } else {
            json!(report.request_rate)
        },
    );
    put(
        "burstiness",
        if report.burstiness.is_finite() {
            json!(report.burstiness)
        } else {
            json!("inf")
        },
    );
    put("max_concurrency", json!(report.max_concurrency));
    if let Some(ramp) = report.ramp_up {
        put("ramp_up_strategy", ramp.strategy.name().into());
        put("ramp_up_start_rps", ramp.start.into());
        put("ramp_up_end_rps", ramp.end.into());
    }
    out
}

fn figures(run: &Run, report: &ReportPlan) -> Vec<(String, Value)> {
    let figures = &run.figures;
    let rows = |part: fn(&Row) -> Value| run.rows.iter().map(part).collect::<Value>();
    let exchange = |record: &crestline_core::record::RequestRecord| {
        record
            .exchange
            .as_ref()
            .map(|exchange| exchange.answer.clone())
            .unwrap_or_default()
    };
    let mut out: Vec<(String, Value)> = [
        ("duration", json!(figures.duration_s)),
        ("completed", figures.completed.into()),
        ("failed", figures.failed.into()),
        ("total_input_tokens", figures.input_tokens.into()),
        ("total_input_sequences", figures.input_sequences.into()),
        ("total_output_tokens", figures.output_tokens.into()),
        ("request_throughput", json!(figures.request_throughput)),
        ("request_goodput", json!(figures.goodput)),
        (
            "input_sequence_throughput",
            json!(figures.sequence_throughput),
        ),
        ("output_throughput", json!(figures.output_throughput)),
        ("total_token_throughput", json!(figures.token_throughput)),
        ("input_lens", rows(|row| row.prompt_tokens.into())),
        ("output_lens", rows(|row| row.output_tokens.into())),
        ("ttfts", rows(|row| row.ttft_s.into())),
        ("itls", rows(|row| json!(row.itls_s))),
        (
            "latencies",
            rows(|row| if row.succeeded { row.latency_s } else { 0.0 }.into()),
        ),
        ("start_times", rows(|row| row.start_s.into())),
        ("queue_times", rows(|row| row.queue_s.into())),
        (
            "generated_texts",
            run.records.iter().map(exchange).collect(),
        ),
        ("errors", run.records.iter().map(error).collect()),
        ("max_output_tokens_per_s", json!(figures.peak_output_per_s)),
        ("max_concurrent_requests", figures.peak_concurrency.into()),
        ("rtfx", json!(figures.speech_rate)),
    ]
    .into_iter()
    .filter(|(name, _)| belongs(name, report))
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    out.extend(further(run, report));
    out
}

/// Figures that some runs have, and the spread of each metric.
fn further(run: &Run, report: &ReportPlan) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    out.extend(run.probes.iter().flat_map(Probes::fields));
    if report.ramp_up.is_some() {
        out.push(("rps_change_events".to_owned(), rate_changes(run)));
    }
    out.extend(run.counted.iter().flat_map(beside::drafts));
    let duration_s = run.figures.duration_s;
    let diffusion = |counted| beside::diffusion(counted, duration_s);
    out.extend(run.counted.iter().flat_map(diffusion));
    for metric in &report.metrics {
        out.extend(spread(
            metric.key(),
            "",
            run.figures.spread(metric.quantity()),
            report,
        ));
    }
    out
}

pub(super) fn error(record: &crestline_core::record::RequestRecord) -> String {
    record.failure.as_ref().map_or_else(String::new, |failure| {
        format!("{}: {}", failure.kind.name(), failure.text)
    })
}

/// Vectors and scores have other fields than texts.
pub(super) fn belongs(name: &str, report: &ReportPlan) -> bool {
    const POOLED: [&str; 2] = ["total_input_sequences", "input_sequence_throughput"];
    const GENERATED: [&str; 11] = [
        "total_output_tokens",
        "output_throughput",
        "output_lens",
        "ttfts",
        "itls",
        "start_times",
        "queue_times",
        "generated_texts",
        "max_output_tokens_per_s",
        "max_concurrent_requests",
        "rtfx",
    ];
    if report.is_pooled {
        !GENERATED.contains(&name)
    } else {
        !POOLED.contains(&name)
    }
}

/// When a ramp came to each whole number of requests a second, in local time.
fn rate_changes(run: &Run) -> Value {
    let mut last = None;
    let mut events = Vec::new();
    for (rate, record) in run.rates.iter().zip(&run.records) {
        let whole = rate.floor() as i64;
        for rps in last.map_or(whole, |last: i64| last + 1)..=whole {
            let at = moment::iso(run.epoch + record.sent);
            events.push(json!({"rps": rps, "timestamp": at}));
        }
        last = last.max(Some(whole));
    }
    events.into()
}

/// `mean_X_ms`, `median_X_ms`, `std_X_ms` and a field for each percentile.
fn spread<'a>(
    key: &'a str,
    prefix: &'a str,
    spread: &'a Spread,
    report: &'a ReportPlan,
) -> impl Iterator<Item = (String, Value)> + 'a {
    let fixed = [
        ("mean", spread.mean_ms),
        ("median", spread.median_ms),
        ("std", spread.deviation_ms),
    ];
    let percentiles = report.percentiles.iter().zip(&spread.percentiles_ms);
    fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(
            percentiles.map(|(percentile, (_, value))| (format!("p{}", percentile.text), *value)),
        )
        .map(move |(name, value)| (format!("{prefix}{name}_{key}_ms"), json!(value)))
}

/// Where the records of a run are, for whoever reads its result in `file`.
pub(super) fn records(file: &Path, database: &Path) -> (String, Value) {
    let folder = file.parent().unwrap_or(Path::new(""));
    let inner = database.strip_prefix(folder);
    let shown = match inner {
        Ok(inner) => inner.to_owned(),
        Err(_) => path::absolute(database).unwrap_or_else(|_| database.to_owned()),
    };
    (RECORDS.to_owned(), shown.to_string_lossy().into())
}

/// What vLLM does not have.
fn own(run: &Run, report: &ReportPlan, client: Value) -> Vec<(String, Value)> {
    let reconnects: u32 = run.records.iter().map(|record| record.reconnects).sum();
    let mut out: Vec<(String, Value)> = [
        ("crestline_version", json!(env!("CARGO_PKG_VERSION"))),
        (
            "crestline_counting",
            json!(match report.compat {
                Compat::None => "tokens",
                Compat::Vllm => "events",
            }),
        ),
        ("crestline_client", client),
        ("crestline_reconnects", reconnects.into()),
        ("crestline_failures", json!(run.failures())),
        (
            "crestline_prefix_cache_hit_share",
            json!(
                run.counted
                    .as_ref()
                    .and_then(|counted| counted.prefix_cache?.hit_rate())
            ),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(steady) = &run.steady {
        let start = run
            .rows
            .iter()
            .map(Row::admitted_s)
            .fold(f64::INFINITY, f64::min);
        out.extend(
            [
                ("from_s", steady.window.from_s - start),
                ("to_s", steady.window.to_s - start),
                ("completed", steady.completed as f64),
                ("request_throughput", steady.request_throughput),
                ("output_throughput", steady.output_throughput),
                ("total_token_throughput", steady.token_throughput),
                ("mean_concurrency", steady.concurrency),
            ]
            .map(|(name, value)| (format!("crestline_steady_{name}"), json!(value))),
        );
        for metric in &report.metrics {
            let figures = steady.spread(metric.quantity());
            out.extend(spread(metric.key(), "crestline_steady_", figures, report));
        }
    }
    for (key, quantity) in [
        ("ttft_from_due", Quantity::Ttft),
        ("e2el_from_due", Quantity::Latency),
        ("itl_per_token", Quantity::Itl),
    ] {
        out.extend(spread(
            key,
            "crestline_",
            run.from_due.spread(quantity),
            report,
        ));
    }
    out
}

/// Requests of each adapter, where there are some.
fn adapters(run: &Run) -> Option<(String, Value)> {
    let counts = run.adapters.iter();
    let counts: Map<String, Value> = counts
        .map(|(name, count)| (name.clone(), json!(count)))
        .collect();
    (!counts.is_empty()).then(|| ("crestline_adapters".to_owned(), counts.into()))
}

/// The same as a list of single figures, as `PyTorch`'s dashboard takes them.
pub(super) fn pytorch(document: &Value, report: &ReportPlan) -> Value {
    let names = ["mean", "median", "std", "p99"];
    let metrics = ["ttft", "tpot", "itl"];
    let figures = metrics.iter().flat_map(|metric| {
        let key = move |name: &&str| format!("{name}_{metric}_ms");
        names.iter().map(key)
    });
    let args = json!({
        "backend": report.backend,
        "model": report.model_id,
        "num_prompts": report.num_prompts,
        "request_rate": document["request_rate"],
        "max_concurrency": report.max_concurrency,
    });
    figures
        .filter(|key| document.get(key).is_some())
        .map(|key| {
            json!({
                "benchmark": {"name": "vLLM benchmark", "extra_info": {"args": args}},
                "model": {"name": report.model_id},
                "metric": {"name": key, "benchmark_values": [document[&key]], "extra_info": {}},
            })
        })
        .collect()
}
