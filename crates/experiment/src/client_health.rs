//! What the client observed of itself, as files have it.

use crestline_core::health::{ClientHealth, HealthVerdict, NodeHealth};
use crestline_core::summary::RunSummary;
use serde_json::{Map, Value, json};

/// The verdict first, then the figures behind it.
pub fn health(health: &ClientHealth, run: &RunSummary) -> Value {
    let reasons: Vec<String> = match health.verdict(run) {
        HealthVerdict::Sound => Vec::new(),
        HealthVerdict::Void(reasons) => reasons.iter().map(ToString::to_string).collect(),
    };
    let lag = |q| {
        health
            .send_lag
            .quantile(q)
            .map(|nanos| rounded(nanos / 1e6, 4))
    };
    let read = |q| {
        health
            .read_lag
            .quantile(q)
            .map(|nanos| rounded(nanos / 1e6, 4))
    };
    let turn = |q| {
        health
            .loop_lag
            .quantile(q)
            .map(|nanos| rounded(nanos / 1e6, 4))
    };
    let paced = run.point().load.rate().is_some();
    let mut out = Map::new();
    for (key, value) in [
        ("void", json!(!reasons.is_empty())),
        ("reasons", json!(reasons)),
        ("send_lag_ms", spread(lag)),
        ("read_lag_ms", spread(read)),
        ("loop_lag_ms", spread(turn)),
        (
            "events_per_read",
            json!(health.events_per_read().map(|events| rounded(events, 4))),
        ),
        (
            "busiest_worker_share",
            json!(health.busiest().map(|worker| rounded(worker.share(), 4))),
        ),
        (
            "asked_rate",
            json!(paced.then(|| health.pace.asked().map(|rate| rounded(rate, 4)))),
        ),
        (
            "achieved_rate",
            json!(paced.then(|| health.pace.achieved().map(|rate| rounded(rate, 4)))),
        ),
        ("starved_sends", json!(health.starved.sends)),
    ] {
        if !value.is_null() {
            out.insert(key.to_owned(), value);
        }
    }
    if !health.nodes.is_empty() {
        let nodes = health.nodes.iter().map(|part| node(part, run));
        out.insert("nodes".to_owned(), nodes.collect());
    }
    out.into()
}

/// The part of one machine: its name and its clock, then the same as of the whole.
fn node(part: &NodeHealth, run: &RunSummary) -> Value {
    let clock = &part.clock;
    let mut out = json!({
        "name": part.name,
        "requests": part.requests,
        "clock": {
            "offset_s": clock.offset_ns as f64 / 1e9,
            "bound_ms": rounded(clock.bound.as_millis_f64(), 4),
            "drift_ms": rounded(clock.drift_ns as f64 / 1e6, 4),
        },
    });
    if let Some(loss) = &part.lost {
        out["lost"] = json!({"after_s": loss.after.as_secs_f64(), "why": loss.why});
    }
    if let (Value::Object(out), Value::Object(figures)) =
        (&mut out, self::health(&part.health, run))
    {
        out.extend(figures);
    }
    out
}

/// Median, p99 and maximum; null where nothing was observed.
fn spread(at: impl Fn(f64) -> Option<f64>) -> Value {
    match (at(0.5), at(0.99), at(1.0)) {
        (Some(p50), Some(p99), Some(max)) => json!({"p50": p50, "p99": p99, "max": max}),
        _ => Value::Null,
    }
}

/// A number with so many decimals.
fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}
