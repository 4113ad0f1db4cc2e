//! A histogram with fixed bounds, written as Prometheus text.
//!
//! Holds counts only: the server's exact times are in the truth file.

use std::fmt::Write as _;

use crestline_core::units::Nanos;

/// Counts of spans up to each bound.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum_s: f64,
}

/// Bounds in seconds for the time to a first token.
pub(super) const TTFT_BOUNDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0,
];
/// Bounds in seconds for the time between tokens.
pub(super) const TOKEN_BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
    5.0, 10.0, 20.0, 40.0, 80.0,
];
/// Bounds in seconds for whole requests.
pub(super) const REQUEST_BOUNDS: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0,
];
/// Bounds in seconds for how late an iteration's tokens are.
pub(super) const LATENESS_BOUNDS: &[f64] = &[
    0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0,
];

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum_s: 0.0,
        }
    }

    pub(super) fn record(&mut self, span: Nanos) {
        let seconds = span.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[bucket] += 1;
        self.sum_s += seconds;
    }

    /// Appends all lines of the metric; `labels` without braces.
    pub(super) fn write(&self, out: &mut String, name: &str, labels: &str) {
        let mut total = 0;
        let bounds = self.bounds.iter().map(f64::to_string);
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&self.counts) {
            total += count;
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}", self.sum_s);
        let _ = writeln!(out, "{name}_count{{{labels}}} {total}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_include_their_bound() {
        let mut histogram = Histogram::new(&[0.01, 0.1]);
        for millis in [10, 11, 100, 5000] {
            histogram.record(Nanos::from_millis(millis));
        }
        let mut text = String::new();
        histogram.write(&mut text, "x", "a=\"b\"");
        let expected = "x_bucket{a=\"b\",le=\"0.01\"} 1\nx_bucket{a=\"b\",le=\"0.1\"} 3\n\
            x_bucket{a=\"b\",le=\"+Inf\"} 4\nx_sum{a=\"b\"} 5.121\nx_count{a=\"b\"} 4\n";
        assert_eq!(text, expected);
    }
}
