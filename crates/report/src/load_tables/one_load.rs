//! The two tables of one load: its summary and its percentiles.
//!
//! Rows and columns are those that readers of EvalScope's older documents know; nothing is added to them.

use crestline_core::metrics::{Metric, Unit};
use crestline_core::summary::RunSummary;

use super::concurrency;
use crate::number::{fixed, trimmed};
use crate::table::{Align, Style, Table};

/// Percentages of the rows of [`percentile_results`].
pub const PERCENTILES: [u32; 10] = [10, 25, 50, 66, 75, 80, 90, 95, 98, 99];

/// `Benchmarking summary:` in the grid style, a row each figure.
pub fn benchmarking_summary(run: &RunSummary) -> String {
    let mut table = Table::new(Style::Grid)
        .column("Key", Align::Left)
        .column("Value", Align::Decimal);
    let mean = |metric: Metric| fixed(run.mean(metric), 4);
    let count = |metric: Metric| trimmed(run.mean(metric), 4);
    let rows = [
        ("Time taken for tests (s)", mean(Metric::Duration)),
        ("Number of concurrency", concurrency(&run.point().load)),
        ("Total requests", run.total().to_string()),
        ("Succeed requests", run.succeeded().to_string()),
        ("Failed requests", run.failed().to_string()),
        (
            "Output token throughput (tok/s)",
            mean(Metric::OutputThroughput),
        ),
        (
            "Total token throughput (tok/s)",
            mean(Metric::TotalThroughput),
        ),
        (
            "Request throughput (req/s)",
            mean(Metric::RequestThroughput),
        ),
        ("Average latency (s)", mean(Metric::Latency)),
        ("Average time to first token (s)", mean(Metric::Ttft)),
        ("Average time per output token (s)", mean(Metric::Tpot)),
        (
            "Average input tokens per request",
            count(Metric::InputTokens),
        ),
        (
            "Average output tokens per request",
            count(Metric::OutputTokens),
        ),
        ("Average package latency (s)", mean(Metric::Itl)),
        (
            "Average package per request",
            count(Metric::ChunksPerRequest),
        ),
    ];
    for (key, value) in rows {
        table.row([key.to_owned(), value]);
    }
    format!("Benchmarking summary:\n{}", table.render())
}

/// `Percentile results:` in the compact style, a row each of [`PERCENTILES`].
pub fn percentile_results(run: &RunSummary) -> String {
    let columns = [
        ("TTFT (s)", Metric::Ttft),
        ("ITL (s)", Metric::Itl),
        ("TPOT (s)", Metric::Tpot),
        ("Latency (s)", Metric::Latency),
        ("Input tokens", Metric::InputTokens),
        ("Output tokens", Metric::OutputTokens),
        ("Output (tok/s)", Metric::OutputRate),
        ("Total (tok/s)", Metric::TotalRate),
    ];
    let mut table = Table::new(Style::Compact).column("Percentiles", Align::Centre);
    for (head, _) in columns {
        table = table.column(head, Align::Centre);
    }
    for percent in PERCENTILES {
        let cells = columns.map(|(_, metric)| {
            let value = run.quantile(metric, f64::from(percent) / 100.0);
            match metric.unit() {
                Unit::Tokens | Unit::Count => trimmed(value, 2),
                _ => fixed(value, 4),
            }
        });
        table.row([format!("{percent}%")].into_iter().chain(cells));
    }
    format!("Percentile results:\n{}", table.render())
}
