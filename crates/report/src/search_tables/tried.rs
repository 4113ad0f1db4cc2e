//! The loads that were tried.
//!
//! Where the load is a rate, latency and TTFT count from when a request was due, as the criteria do.

use crestline_core::metrics::Metric;
use crestline_core::request::Load;
use crestline_core::summary::RunSummary;

use crate::load_tables::{best_text, compare, concurrency, detailed_table, rate};
use crate::number::{fixed, percent};

/// What a load came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TriedRow {
    /// What was applied.
    pub load: Load,
    /// Requests that succeeded, a second.
    pub requests_per_s: Option<f64>,
    /// Tokens of answers a second.
    pub output_tokens_per_s: Option<f64>,
    /// Mean and 99th percentile, in seconds.
    pub latency: [Option<f64>; 2],
    /// Mean and 99th percentile, in seconds.
    pub ttft: [Option<f64>; 2],
    /// Mean and 99th percentile, in seconds.
    pub tpot: [Option<f64>; 2],
    /// Requests that count.
    pub total: u64,
    /// Of these, failures.
    pub failed: u64,
    /// Relative standard error of the requests a second, roughly.
    pub relative_error: f64,
}

impl TriedRow {
    /// Of all runs at one load: counts are added, figures averaged over runs. `None` without runs.
    pub fn average(runs: &[RunSummary]) -> Option<Self> {
        let load = runs.first()?.point().load;
        let (latency, ttft) = match load.rate() {
            Some(_) => (Metric::LatencyFromDue, Metric::TtftFromDue),
            None => (Metric::Latency, Metric::Ttft),
        };
        let figures = |metric: Metric| {
            [
                mean(runs, |run| run.mean(metric)),
                mean(runs, |run| run.quantile(metric, 0.99)),
            ]
        };
        let succeeded: u64 = runs.iter().map(RunSummary::succeeded).sum();
        let variation = |run: &RunSummary| {
            let mean = run.mean(latency).filter(|mean| *mean > 0.0)?;
            Some(run.deviation(latency)? / mean)
        };
        Some(Self {
            load,
            requests_per_s: mean(runs, |run| run.mean(Metric::RequestThroughput)),
            output_tokens_per_s: mean(runs, |run| run.mean(Metric::OutputThroughput)),
            latency: figures(latency),
            ttft: figures(ttft),
            tpot: figures(Metric::Tpot),
            total: runs.iter().map(RunSummary::total).sum(),
            failed: runs.iter().map(RunSummary::failed).sum(),
            relative_error: mean(runs, variation).unwrap_or(1.0) / (succeeded.max(1) as f64).sqrt(),
        })
    }

    /// The same with work a second that was counted otherwise: while the load was applied, whichever requests it was for.
    #[must_use]
    pub fn at_pace(self, requests_per_s: f64, output_tokens_per_s: f64) -> Self {
        Self {
            requests_per_s: Some(requests_per_s),
            output_tokens_per_s: Some(output_tokens_per_s),
            ..self
        }
    }

    /// Requests that ended well.
    pub fn succeeded(&self) -> u64 {
        self.total - self.failed
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            concurrency(&self.load),
            rate(&self.load),
            fixed(self.requests_per_s, 2),
        ];
        for (figures, digits) in [(self.latency, 3), (self.ttft, 3), (self.tpot, 4)] {
            cells.extend(figures.map(|figure| fixed(figure, digits)));
        }
        cells.push(fixed(self.output_tokens_per_s, 2));
        cells.push(match self.total {
            0 => "-".to_owned(),
            total => percent(self.succeeded() as f64 / total as f64),
        });
        cells
    }
}

/// `Detailed Performance Metrics`: a row each load that was tried, in increasing load; nothing without rows.
pub fn detailed_performance(rows: &[TriedRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    detailed_table(by_load(rows).into_iter().map(TriedRow::cells))
}

/// `Best Performance Configuration`: the load with the most successes a second and the one with the lowest mean
/// latency. Of equal ones the lower load.
pub fn best_configuration(rows: &[TriedRow]) -> String {
    let usable = || by_load(rows).into_iter().filter(|row| row.succeeded() > 0);
    // `max_by` takes the last of equal ones, `min_by` the first.
    let fastest = usable()
        .rev()
        .filter_map(|row| Some((&row.load, row.requests_per_s?)))
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    let quickest = usable()
        .filter_map(|row| Some((&row.load, row.latency[0]?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other));
    best_text(fastest, quickest)
}

/// In increasing load.
pub(super) fn by_load(rows: &[TriedRow]) -> Vec<&TriedRow> {
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by(|one, other| compare(&one.load, &other.load));
    sorted
}

/// The mean over the runs that have a value.
fn mean(runs: &[RunSummary], of: impl Fn(&RunSummary) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter_map(of).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
