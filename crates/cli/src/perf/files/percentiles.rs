//! `benchmark_percentile.json`: one object a percentile.
//!
//! Interpolated between neighbours, where evalscope takes the value at `floor(n * p)`, which makes its p99 the maximum up
//! to a hundred requests.

use crestline_core::metrics::Metric;
use crestline_core::summary::RunSummary;
use serde_json::{Map, Value, json};

use super::{NOT_APPLICABLE, rounded};

const POINTS: [(&str, f64); 11] = [
    ("min", 0.0),
    ("1%", 0.01),
    ("5%", 0.05),
    ("10%", 0.10),
    ("25%", 0.25),
    ("50%", 0.50),
    ("75%", 0.75),
    ("90%", 0.90),
    ("95%", 0.95),
    ("99%", 0.99),
    ("max", 1.0),
];

/// Key, metric, and what its unit is multiplied by.
pub(super) const COLUMNS: [(&str, Metric, f64); 9] = [
    ("Latency (s)", Metric::Latency, 1.0),
    ("TTFT (ms)", Metric::Ttft, 1e3),
    ("ITL (ms)", Metric::Itl, 1e3),
    ("TPOT (ms)", Metric::Tpot, 1e3),
    ("Input tokens", Metric::InputTokens, 1.0),
    ("Output tokens", Metric::OutputTokens, 1.0),
    ("Output (tok/s)", Metric::OutputRate, 1.0),
    ("Total (tok/s)", Metric::TotalRate, 1.0),
    ("Decode (tok/s)", Metric::DecodeRate, 1.0),
];

/// The rows of one load.
pub(crate) fn percentiles(run: &RunSummary) -> Vec<Map<String, Value>> {
    POINTS
        .iter()
        .map(|(label, q)| {
            let mut row = Map::new();
            row.insert("Percentiles".to_owned(), json!(label));
            for (key, metric, scale) in COLUMNS {
                let value = run
                    .quantile(metric, *q)
                    .map_or(NOT_APPLICABLE, |value| rounded(value * scale, 4));
                row.insert(key.to_owned(), json!(value));
            }
            row
        })
        .collect()
}
