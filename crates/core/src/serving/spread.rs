//! Mean, median, deviation and percentiles of some times.
//!
//! In floating point, in the order of the values: for whole numbers that merge exactly there is [`crate::stats`].

use crate::stats::interpolate;

/// How some times are spread, in milliseconds. All is 0 without values.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Number of values.
    pub count: u64,
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

/// Values that are all the same. A server may claim billions of tokens for a few events; they take no room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Alike {
    pub(super) value_s: f64,
    pub(super) times: u64,
}

impl Alike {
    pub(super) fn once(value_s: f64) -> Self {
        Self { value_s, times: 1 }
    }
}

impl Spread {
    /// Of values in seconds. Percentile *p* lies at position `p / 100 * (n - 1)` of the values in order, linear between
    /// neighbours (NumPy's method `linear`).
    pub fn of_seconds(values_s: &[f64], percentiles: &[f64]) -> Self {
        Self::of(
            values_s.iter().copied().map(Alike::once).collect(),
            percentiles,
        )
    }

    pub(super) fn of(mut values: Vec<Alike>, percentiles: &[f64]) -> Self {
        let count: u64 = values.iter().map(|alike| alike.times).sum();
        let n = count.max(1) as f64;
        let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
            let terms = values
                .iter()
                .map(|alike| of(alike.value_s) * alike.times as f64);
            terms.sum()
        };
        let mean = sum(&|value| value) / n;
        let deviation = (sum(&|value| (value - mean) * (value - mean)) / n).sqrt();
        values.sort_by(|a, b| a.value_s.total_cmp(&b.value_s));
        let mut up_to = 0;
        for alike in &mut values {
            up_to += alike.times;
            alike.times = up_to;
        }
        // `times` now counts all values up to these.
        let kth = |k: u64| values[values.partition_point(|alike| alike.times <= k)].value_s;
        let at = |percent: f64| interpolate(count, percent / 100.0, kth).unwrap_or(0.0);
        Self {
            count,
            mean_ms: mean * 1e3,
            median_ms: at(50.0) * 1e3,
            deviation_ms: deviation * 1e3,
            percentiles_ms: percentiles
                .iter()
                .map(|&percent| (percent, at(percent) * 1e3))
                .collect(),
            max_ms: at(100.0) * 1e3,
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
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

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

    #[test]
    fn values_that_are_alike_take_no_room() {
        let alike = |value_s, times| Alike { value_s, times };
        let spread = Spread::of(
            vec![alike(0.003, 3_000_000_000), alike(0.001, 1_000_000_000)],
            &[25.0, 26.0],
        );
        assert_eq!(spread.count, 4_000_000_000);
        assert!((spread.mean_ms - 2.5).abs() < 1e-9);
        assert!((spread.percentile_ms(26.0).unwrap() - 3.0).abs() < 1e-9);
        assert!(spread.percentile_ms(25.0).unwrap() < 3.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn repeated_values_are_as_good_as_each_by_itself(
            values in proptest::collection::vec((0.0..10.0_f64, 0..5_u64), 0..40), percent in 0.0..100.0_f64,
        ) {
            let alike = values.iter().map(|&(value_s, times)| Alike { value_s, times });
            let single: Vec<f64> = values
                .iter()
                .flat_map(|&(value, times)| std::iter::repeat_n(value, times as usize))
                .collect();
            let together = Spread::of(alike.collect(), &[percent]);
            let apart = Spread::of_seconds(&single, &[percent]);
            prop_assert_eq!(together.count, apart.count);
            prop_assert!((together.mean_ms - apart.mean_ms).abs() < 1e-6);
            prop_assert!((together.deviation_ms - apart.deviation_ms).abs() < 1e-6);
            prop_assert!((together.median_ms - apart.median_ms).abs() < 1e-9);
            let percentiles = together.percentile_ms(percent).zip(apart.percentile_ms(percent));
            let (together, apart) = percentiles.unwrap();
            prop_assert!((together - apart).abs() < 1e-9);
        }

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
