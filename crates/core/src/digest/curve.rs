//! Quantiles of a metric on a grid that shows the tail.
//!
//! From the samples of a summary, so that nothing is kept twice.

use crate::metrics::Metric;
use crate::summary::RunSummary;

/// A point of a curve of quantiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantilePoint {
    /// Which quantile, in 0..=1.
    pub q: f64,
    /// In the unit of the metric.
    pub value: f64,
}

/// Points between one tenth and the next of what is above a quantile: 90 to 99 %, 99 to 99.9 %.
const POINTS: u32 = 25;
/// Points below the median.
const BELOW: u32 = 50;

/// Quantiles of a metric from the least value to the greatest, denser in the tail: as far as the sample has at least one value
/// above each, and the greatest value itself. Quick where [`RunSummary::sort`] was called. Empty where nothing was measured.
pub fn quantile_curve(summary: &RunSummary, metric: Metric) -> Vec<QuantilePoint> {
    let mut sample = summary.sample(metric).clone();
    sample.sort();
    let (ticks, count) = (metric.unit().ticks(), sample.len());
    let points = grid(count).into_iter().filter_map(|q| {
        Some(QuantilePoint {
            q,
            value: sample.quantile(q)? / ticks,
        })
    });
    points.collect()
}

/// Quantiles that a sample of so many values has: below the median evenly, above it so that what is left grows less by equal
/// ratios; then 1.
fn grid(count: u64) -> Vec<f64> {
    let below = (0..BELOW).map(|place| f64::from(place) / f64::from(2 * BELOW));
    let above = (0_u32..)
        .map(|place| 0.5 * libm::pow(10.0, -f64::from(place) / f64::from(POINTS)))
        .take_while(|rest| rest * count as f64 >= 1.0)
        .map(|rest| 1.0 - rest);
    below.chain(above).chain([1.0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::tests::{point, success};
    use crate::units::Nanos;

    #[test]
    fn a_curve_rises_from_the_least_to_the_greatest_value() {
        let mut summary = RunSummary::new(point());
        for index in 0..1000 {
            let mut record = success(index);
            record.first_token = Some(record.sent + Nanos::from_millis(1000 - index));
            summary.add(&record);
        }
        let curve = quantile_curve(&summary, Metric::Ttft);
        assert_eq!((curve[0].q, curve[0].value), (0.0, 0.001));
        let last = curve[curve.len() - 1];
        assert_eq!((last.q, last.value), (1.0, 1.0));
        for pair in curve.windows(2) {
            assert!(
                pair[0].q < pair[1].q && pair[0].value <= pair[1].value,
                "{pair:?}"
            );
        }
        // 1000 values have a 99.9th percentile, and no higher one but the greatest.
        let second = curve[curve.len() - 2].q;
        assert!((0.998..=0.999).contains(&second), "{second}");
        let median = curve.iter().find(|point| (point.q - 0.5).abs() < 1e-12);
        assert!((median.unwrap().value - 0.5005).abs() < 1e-9);
        assert!(quantile_curve(&summary, Metric::Duration).is_empty());
    }

    #[test]
    fn a_single_value_is_its_own_curve() {
        let mut summary = RunSummary::new(point());
        summary.add(&success(3));
        let curve = quantile_curve(&summary, Metric::Ttft);
        assert!(curve.iter().all(|point| (point.value - 0.1).abs() < 1e-12));
        assert_eq!(curve[curve.len() - 1].q.to_string(), "1");
    }
}
