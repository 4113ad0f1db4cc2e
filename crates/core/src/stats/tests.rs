//! Tests of histogram, sample and quantiles: against hand-computed values, against each other, in any order.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};

use super::{CoarseHistogram, Histogram, RELATIVE_ERROR, Sample, quantile_of_sorted};

/// Values of all magnitudes.
fn values(most: usize) -> impl Strategy<Value = Vec<u64>> {
    vec(
        (0..=u64::MAX, 0..64_u32).prop_map(|(value, shift)| value >> shift),
        0..most,
    )
}

fn sample(limit: usize, values: &[u64]) -> Sample {
    let mut sample = Sample::new(limit);
    for &value in values {
        sample.add(value);
    }
    sample
}

fn histogram(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for &value in values {
        histogram.add(value);
    }
    histogram
}

fn exact_quantile(values: &[u64], q: f64) -> Option<f64> {
    let mut sorted: Vec<_> = values.iter().map(|&value| value as f64).collect();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn check_quantile(values: &[f64], q: f64, expected: f64) {
    let found = quantile_of_sorted(values, q).unwrap();
    assert_eq!(
        found.to_bits(),
        expected.to_bits(),
        "q {q}: {found} is not {expected}"
    );
}

#[test]
fn quantiles_are_those_of_numpy_linear() {
    // numpy.quantile([1, 2, 4, 8], q): positions 0.3, 1.5, 2.7, 2.97.
    let values = [1.0, 2.0, 4.0, 8.0];
    check_quantile(&values, 0.0, 1.0);
    check_quantile(&values, 0.1, 1.3);
    check_quantile(&values, 0.5, 3.0);
    check_quantile(&values, 0.9, 6.800_000_000_000_001);
    check_quantile(&values, 0.99, 7.879_999_999_999_999);
    check_quantile(&values, 1.0, 8.0);
    check_quantile(&[5.0], 0.99, 5.0);
    assert_eq!(quantile_of_sorted(&[], 0.5), None);
}

#[test]
fn the_p99_of_a_hundred_values_is_not_their_maximum() {
    let values: Vec<_> = (1..=100).collect();
    let p99 = sample(1000, &values).quantile(0.99).unwrap();
    assert!((p99 - 99.01).abs() < 1e-9, "{p99}");
}

#[test]
fn a_sample_is_exact_up_to_its_limit_and_counts_beyond() {
    let mut sample = sample(3, &[30, 10, 5_000_000_000]);
    assert!(sample.is_exact());
    assert_eq!(sample.quantile(0.5), Some(30.0));
    sample.add(20);
    assert!(!sample.is_exact());
    assert_eq!((sample.len(), sample.sum()), (4, 5_000_000_060));
    assert_eq!(
        (sample.min(), sample.max()),
        (Some(10), Some(5_000_000_000))
    );
    assert_eq!(sample.mean(), Some(1_250_000_015.0));
    assert_eq!(sample.quantile(1.0), Some(5e9));
}

#[test]
fn an_empty_sample_has_no_statistics() {
    let empty = Sample::new(10);
    assert!(empty.is_empty() && empty.is_exact());
    assert_eq!(
        (empty.mean(), empty.deviation(), empty.quantile(0.5)),
        (None, None, None)
    );
    assert_eq!((empty.min(), empty.max()), (None, None));
}

#[test]
fn the_deviation_keeps_small_differences_of_large_values() {
    // An hour in nanoseconds, give or take one.
    let hour = 3_600_000_000_000;
    let found = sample(10, &[hour - 1, hour + 1]).deviation().unwrap();
    assert!((found - 1.0).abs() < 1e-12, "{found}");
    let found = sample(10, &[2, 4, 4, 4, 5, 5, 7, 9]).deviation().unwrap();
    assert!((found - 2.0).abs() < 1e-12, "{found}");
}

#[test]
fn a_histogram_of_one_octave_takes_one_octave_of_memory() {
    let narrow = histogram(&(1_000_000..1_001_000).collect::<Vec<_>>());
    assert!(json(&narrow).len() < 4_000);
    assert_eq!(narrow.count(), 1000);
}

#[test]
fn a_written_histogram_that_contradicts_itself_is_refused() {
    let check = |text: &str, expected: &str| {
        let error = serde_json::from_str::<Histogram>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        r#"{"count":1,"sum":"1","min":1,"max":1,"buckets":[[99999,1]]}"#,
        "bucket 99999",
    );
    check(
        r#"{"count":2,"sum":"1","min":1,"max":1,"buckets":[[1,1]]}"#,
        "counts 2 values",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_above_a_limit_are_counted(values in values(200), limit in 0..=u64::MAX, shift in 0..64_u32) {
        let limit = limit >> shift;
        let above = |limit: f64| values.iter().filter(|value| **value as f64 > limit).count() as u64;
        let exact = sample(1000, &values).count_above(limit);
        prop_assert_eq!(exact, values.iter().filter(|value| **value > limit).count() as u64);
        let counted = sample(0, &values).count_above(limit);
        let [most, least] = [1.0 - 2.0 * RELATIVE_ERROR, 1.0 + 2.0 * RELATIVE_ERROR];
        let [most, least] = [most, least].map(|factor| above(limit as f64 * factor));
        prop_assert!((least..=most).contains(&counted), "{counted} is not in {least}..={most}");
    }

    #[test]
    fn every_value_is_read_back_within_the_error(value: u64, shift in 0..64_u32) {
        let value = value >> shift;
        // Between a lower and a higher one, so that the extremes do not make it exact.
        let all = [0, value, u64::MAX];
        let found = histogram(&all).quantile(0.5).unwrap();
        prop_assert!((found - value as f64).abs() <= RELATIVE_ERROR * value as f64, "{} {}", found, value);
        let mut coarse = CoarseHistogram::default();
        for value in all {
            coarse.add(value);
        }
        let found = coarse.quantile(0.5).unwrap();
        prop_assert!((found - value as f64).abs() <= value as f64 / 128.0, "{} {}", found, value);
        let spans: Vec<(u64, u64, u64)> = coarse.spans().collect();
        for value in all {
            prop_assert!(spans.iter().any(|(low, high, _)| (low..=high).contains(&&value)));
        }
    }

    #[test]
    fn quantiles_of_a_histogram_are_within_the_error(values in values(300), q in 0.0..=1.0) {
        let found = histogram(&values).quantile(q);
        let exact = exact_quantile(&values, q);
        prop_assert_eq!(found.is_some(), exact.is_some());
        if let (Some(found), Some(exact)) = (found, exact) {
            prop_assert!((found - exact).abs() <= RELATIVE_ERROR * exact * 1.000_001, "{} {}", found, exact);
        }
    }

    #[test]
    fn quantiles_of_an_exact_sample_are_exact(values in values(100), q in 0.0..=1.0) {
        let mut sample = sample(100, &values);
        let before = sample.quantile(q);
        sample.sort();
        prop_assert_eq!(before, exact_quantile(&values, q));
        prop_assert_eq!(before, sample.quantile(q));
    }

    #[test]
    fn extremes_number_and_sum_stay_exact(values in values(100), limit in 0..100_usize) {
        let sample = sample(limit, &values);
        prop_assert_eq!(sample.len(), values.len() as u64);
        prop_assert_eq!(sample.sum(), values.iter().map(|&value| u128::from(value)).sum());
        prop_assert_eq!(sample.min(), values.iter().min().copied());
        prop_assert_eq!(sample.max(), values.iter().max().copied());
        prop_assert_eq!(sample.is_exact(), values.len() <= limit);
    }

    #[test]
    fn merging_in_any_order_and_grouping_gives_the_same_bytes(
        a in values(40), b in values(40), c in values(40), limits in (0..100_usize, 0..100_usize, 0..100_usize)
    ) {
        let [a, b, c] = [sample(limits.0, &a), sample(limits.1, &b), sample(limits.2, &c)];
        let mut left = a.clone();
        left.merge(b.clone());
        left.merge(c.clone());
        let mut right = c;
        right.merge(b);
        let mut outer = a;
        outer.merge(right);
        prop_assert_eq!(&left, &outer);
        prop_assert_eq!(json(&left), json(&outer));
    }

    #[test]
    fn a_merged_sample_is_the_sample_of_all_values(a in values(60), b in values(60), limit in 0..100_usize) {
        let mut merged = sample(limit, &a);
        merged.merge(sample(limit, &b));
        let whole = sample(limit, &[a, b].concat());
        prop_assert_eq!(json(&merged), json(&whole));
        prop_assert_eq!(merged.deviation(), whole.deviation());
    }

    #[test]
    fn what_is_written_is_read_back(values in values(60), limit in 0..60_usize) {
        let sample = sample(limit, &values);
        let read: Sample = serde_json::from_str(&json(&sample)).unwrap();
        prop_assert_eq!(&sample, &read);
        prop_assert_eq!(json(&sample), json(&read));
        prop_assert_eq!(sample.mean(), read.mean());
        prop_assert_eq!(sample.deviation(), read.deviation());
    }
}
