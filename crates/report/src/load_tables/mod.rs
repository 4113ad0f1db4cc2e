//! The tables and lines of a load test: one load, several loads, and what to make of them.
//!
//! Chooses rows, columns and digits; every figure is the summary's. Does not decide whether a run is void.

mod advice;
mod lines;
mod one_load;
mod several_loads;

pub use advice::recommendations;
pub use lines::{
    due_line, failures_line, health_line, reconnects_line, run_lines, token_lines, void_line,
};
pub use one_load::{PERCENTILES, benchmarking_summary, percentile_results};
pub use several_loads::{best_configuration, detailed_performance};
pub(crate) use several_loads::{best_text, detailed_table};

use std::cmp::Ordering;

use crestline_core::request::Load;
use crestline_core::summary::RunSummary;

use crate::number::trimmed;

/// A load as readers say it: `Concurrency 8`, `Rate 2.5`, `Rate 10, concurrency 4`.
pub fn load_name(load: &Load) -> String {
    let rate = load
        .rate()
        .map(|rate| format!("Rate {}", trimmed(Some(rate.value()), 4)));
    match (rate, load.concurrency) {
        (Some(rate), Some(limit)) => format!("{rate}, concurrency {limit}"),
        (Some(rate), None) => rate,
        (None, Some(limit)) => format!("Concurrency {limit}"),
        (None, None) => "No limit".to_owned(),
    }
}

/// The concurrency limit, or `-`.
pub(crate) fn concurrency(load: &Load) -> String {
    load.concurrency
        .map_or_else(|| "-".to_owned(), |limit| limit.to_string())
}

/// The asked rate, or `-`.
pub(crate) fn rate(load: &Load) -> String {
    trimmed(load.rate().map(crestline_core::units::Rate::value), 4)
}

/// In increasing load: by concurrency limit, then by rate; no limit comes last.
fn by_load(runs: &[RunSummary]) -> Vec<&RunSummary> {
    let mut sorted: Vec<_> = runs.iter().collect();
    sorted.sort_by(|one, other| compare(&one.point().load, &other.point().load));
    sorted
}

pub(crate) fn compare(one: &Load, other: &Load) -> Ordering {
    let limit = |load: &Load| {
        load.concurrency
            .map_or(u64::MAX, |limit| u64::from(limit.get()))
    };
    let rate = |load: &Load| load.rate().map_or(f64::INFINITY, f64::from);
    let rates = rate(one).total_cmp(&rate(other));
    limit(one).cmp(&limit(other)).then(rates)
}

#[cfg(test)]
mod tests;
