//! Mean, median, deviation and percentiles of some times.
//!
//! In floating point, in the order of the values: for whole numbers that merge exactly there is [`crate::stats`].

use crate::stats::quantile_of_sorted;

/// How some times are spread, in milliseconds. All is 0 without values.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Number of values.
    pub count: usize,
    /// Sum divided by the number.
    pub mean_ms: f64,
    /// The 50th percentile.
    pub median_ms: f64,
    /// Standard deviation of these values (divided by n, not n - 1).
    pub deviation_ms: f64,
    /// The percentiles that were asked for (0 to 100), each with its value.
    pub percentiles_ms: Vec<(f64, f64)>,
    /// The largest value.
    pub max_ms: f64,
}

impl Spread {
    /// Of values in seconds. Percentile *p* lies at position `p / 100 * (n - 1)` of the values in order, linear between
    /// neighbours (NumPy's method `linear`).
    pub fn of_seconds(values_s: &[f64], percentiles: &[f64]) -> Self {
        let n = values_s.len().max(1) as f64;
        let mean = values_s.iter().sum::<f64>() / n;
        let squares = values_s.iter().map(|value| (value - mean) * (value - mean));
        let deviation = (squares.sum::<f64>() / n).sqrt();
        let mut sorted = values_s.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: f64| quantile_of_sorted(&sorted, percent / 100.0).unwrap_or(0.0);
        Self {
            count: values_s.len(),
            mean_ms: mean * 1e3,
            median_ms: at(50.0) * 1e3,
            deviation_ms: deviation * 1e3,
            percentiles_ms: percentiles
                .iter()
                .map(|&percent| (percent, at(percent) * 1e3))
                .collect(),
            max_ms: sorted.last().copied().unwrap_or(0.0) * 1e3,
        }
    }

    /// A percentile that was asked for.
    pub fn percentile_ms(&self, percent: f64) -> Option<f64> {
        self.percentiles_ms
            .iter()
            .find(|(asked, _)| asked.total_cmp(&percent).is_eq())
            .map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

    use super::*;

    #[test]
    fn four_values_have_the_figures_of_the_formulas() {
        let spread = Spread::of_seconds(&[0.004, 0.001, 0.003, 0.002], &[0.0, 25.0, 90.0, 100.0]);
        let near = |found: f64, expected: f64| {
            assert!(
                (found - expected).abs() < 1e-9,
                "{found} and not {expected}"
            );
        };
        near(spread.mean_ms, 2.5);
        near(spread.median_ms, 2.5);
        // Squares of -1.5, -0.5, 0.5, 1.5 sum to 5; 5 / 4 = 1.25.
        near(spread.deviation_ms, 1.25_f64.sqrt());
        // Positions 0, 0.75, 2.7 and 3.
        near(spread.percentile_ms(0.0).unwrap(), 1.0);
        near(spread.percentile_ms(25.0).unwrap(), 1.75);
        near(spread.percentile_ms(90.0).unwrap(), 3.7);
        near(spread.percentile_ms(100.0).unwrap(), 4.0);
        near(spread.max_ms, 4.0);
        assert_eq!((spread.count, spread.percentile_ms(99.0)), (4, None));
    }

    #[test]
    fn without_values_all_is_zero() {
        let spread = Spread::of_seconds(&[], &[99.0]);
        let expected = Spread {
            count: 0,
            mean_ms: 0.0,
            median_ms: 0.0,
            deviation_ms: 0.0,
            percentiles_ms: vec![(99.0, 0.0)],
            max_ms: 0.0,
        };
        assert_eq!(spread, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn percentiles_ascend_between_the_extremes(
            values in proptest::collection::vec(0.0..10.0_f64, 1..200), low in 0.0..100.0_f64, high in 0.0..100.0_f64,
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let spread = Spread::of_seconds(&values, &[0.0, low, high, 100.0]);
            let found: Vec<_> = spread.percentiles_ms.iter().map(|(_, value)| *value).collect();
            prop_assert!(found.is_sorted());
            prop_assert!(found[3] <= spread.max_ms && spread.mean_ms <= spread.max_ms + 1e-9);
            prop_assert!(spread.deviation_ms <= spread.max_ms);
        }
    }
}
