//! Tests of the arrival processes: moments, distribution, sharing out, pinned values.

use std::num::NonZeroUsize;

use expect_test::expect;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::Arrival;
use crate::request::Arrivals;
use crate::units::{Nanos, Rate};

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn poisson(per_second: f64, seed: u64) -> Arrival {
    Arrival::new(Arrivals::Poisson(rate(per_second)), seed).unwrap()
}

fn constant(per_second: f64) -> Arrival {
    Arrival::new(Arrivals::Constant(rate(per_second)), 0).unwrap()
}

pub(super) fn gaps_s(times: impl Iterator<Item = Nanos>) -> Vec<f64> {
    let mut before = Nanos::ZERO;
    times
        .map(|due| (due - std::mem::replace(&mut before, due)).as_secs_f64())
        .collect()
}

/// Largest distance between the distribution of `gaps` and the exponential one.
pub(super) fn ks_distance_from_exponential(mut gaps: Vec<f64>, rate: f64) -> f64 {
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    gaps.iter()
        .enumerate()
        .map(|(k, gap)| {
            let expected = 1.0 - (-gap * rate).exp();
            (expected - k as f64 / n)
                .abs()
                .max(((k + 1) as f64 / n - expected).abs())
        })
        .fold(0.0, f64::max)
}

#[test]
fn a_closed_loop_has_no_due_times_and_those_of_a_trace_are_not_known_here() {
    assert!(Arrival::new(Arrivals::Immediate, 1).is_none());
    assert!(Arrival::new(Arrivals::Recorded(rate(2.0)), 1).is_none());
}

#[test]
fn constant_arrivals_start_at_once_and_never_drift() {
    let times: Vec<_> = constant(3.0).take(4).collect();
    assert_eq!(
        times,
        [0, 333_333_333, 666_666_667, 1_000_000_000].map(Nanos)
    );
    assert_eq!(
        constant(3.0).nth(3_000_000),
        Some(Nanos::from_secs(1_000_000))
    );
    assert_eq!(constant(20_000.0).nth(1), Some(Nanos::from_micros(50)));
}

#[test]
fn rates_far_below_one_a_second_work() {
    assert_eq!(constant(0.01).nth(2), Some(Nanos::from_secs(200)));
    let gaps = gaps_s(poisson(0.01, 5).take(20_000));
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((mean / 100.0 - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn the_lowest_rates_saturate_instead_of_wrapping() {
    let times: Vec<_> = poisson(f64::MIN_POSITIVE, 1).take(3).collect();
    assert_eq!(times, [Nanos::MAX; 3]);
}

#[test]
fn poisson_times_of_a_seed_are_pinned() {
    let times: Vec<_> = poisson(10.0, 42).take(5).map(|due| due.0).collect();
    expect!["[6870163, 60760356, 172179939, 261852571, 317496181]"]
        .assert_eq(&format!("{times:?}"));
}

#[test]
fn poisson_counts_vary_as_a_poisson_process_does() {
    // A process rescaled to a fixed total would put the 1000th arrival at exactly 100 s for each seed.
    let ends: Vec<_> = (0..400)
        .map(|seed| poisson(10.0, seed).nth(999).unwrap().as_secs_f64())
        .collect();
    let mean = ends.iter().sum::<f64>() / 400.0;
    let variance = ends.iter().map(|end| (end - mean).powi(2)).sum::<f64>() / 399.0;
    // The sum of 1000 gaps: mean 100 s, standard deviation sqrt(1000) / 10 = 3.16 s.
    assert!((mean - 100.0).abs() < 0.6, "{mean}");
    assert!((variance.sqrt() - 3.162).abs() < 0.45, "{variance}");
}

#[test]
fn neighbouring_poisson_gaps_are_not_correlated() {
    let gaps = gaps_s(poisson(1.0, 9).take(50_000));
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let covariance = gaps
        .windows(2)
        .map(|pair| (pair[0] - mean) * (pair[1] - mean))
        .sum::<f64>()
        / gaps.len() as f64;
    assert!(covariance.abs() < 0.02, "{covariance}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn poisson_gaps_are_exponential_with_the_asked_mean(seed: u64, exponent in -3.0..4.5_f64) {
        let per_second = 10_f64.powf(exponent);
        let gaps = gaps_s(poisson(per_second, seed).take(10_000));
        let mean = gaps.iter().sum::<f64>() / 10_000.0;
        // Five standard errors of the mean; the critical KS distance at 1e-6 is 2.7 / sqrt(n).
        prop_assert!((mean * per_second - 1.0).abs() < 0.05, "mean {}", mean * per_second);
        prop_assert!(ks_distance_from_exponential(gaps, per_second) < 0.027);
    }

    #[test]
    fn times_never_decrease(seed: u64, exponent in -300.0..6.0_f64, even: bool) {
        let per_second = 10_f64.powf(exponent);
        let arrival = if even { constant(per_second) } else { poisson(per_second, seed) };
        let times: Vec<_> = arrival.take(500).collect();
        prop_assert!(times.is_sorted());
    }

    #[test]
    fn the_shards_together_are_the_whole(seed: u64, shards in 1..9_usize, even: bool) {
        let whole = if even { constant(50.0) } else { poisson(50.0, seed) };
        let mut parts: Vec<_> = (0..shards)
            .map(|index| whole.clone().shard(index, NonZeroUsize::new(shards).unwrap()))
            .collect();
        for (k, due) in whole.take(200).enumerate() {
            prop_assert_eq!(parts[k % shards].next(), Some(due));
        }
    }

    #[test]
    fn a_seed_decides_the_times(seed: u64) {
        let times: Vec<_> = poisson(7.0, seed).take(50).collect();
        prop_assert_eq!(&times, &poisson(7.0, seed).take(50).collect::<Vec<_>>());
        prop_assert!(times != poisson(7.0, seed.wrapping_add(1)).take(50).collect::<Vec<_>>());
    }
}
