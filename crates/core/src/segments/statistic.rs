//! Which figure of a run is meant.
//!
//! Computes nothing: `table` does.

use crate::metrics::{Metric, Over};

/// A figure of a run that has an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// Mean over requests or gaps; for a metric of the run as a whole, the metric itself.
    Mean(Metric),
    /// Quantile in 0..=1 over requests or gaps.
    Quantile(Metric, f64),
}

impl Statistic {
    /// The metric that it is a figure of.
    pub fn metric(self) -> Metric {
        match self {
            Self::Mean(metric) | Self::Quantile(metric, _) => metric,
        }
    }

    /// Whether segments keep what it takes.
    pub fn is_known(self) -> bool {
        match self {
            Self::Mean(metric) if metric.over() == Over::Run => matches!(
                metric,
                Metric::RequestThroughput
                    | Metric::OutputThroughput
                    | Metric::TotalThroughput
                    | Metric::SuccessRate
            ),
            Self::Mean(metric) | Self::Quantile(metric, _) => {
                super::segment::KEPT.contains(&metric)
            }
        }
    }
}
