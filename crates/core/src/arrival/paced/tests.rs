//! Tests of the paced arrivals: mean, shape, the end of a fitted run, ramps, a Poisson process.

use std::num::NonZeroUsize;

use expect_test::expect;
use proptest::prelude::{
    ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::super::tests::{gaps_s, ks_distance_from_exponential};
use crate::arrival::Arrival;
use crate::request::{Arrivals, Burstiness, Pace, Pacing, Ramp};
use crate::units::{Nanos, Rate};

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn burstiness(shape: f64) -> Burstiness {
    Burstiness::of_shape(shape).unwrap()
}

fn ramp(from: f64, to: f64) -> Ramp {
    Ramp {
        from: rate(from),
        to: rate(to),
    }
}

fn paced(requests: u64, pace: Pace, shape: f64, seed: u64) -> Arrival {
    let pacing = Pacing {
        requests,
        pace,
        burstiness: burstiness(shape),
    };
    Arrival::new(Arrivals::Paced(pacing), seed).unwrap()
}

/// Mean and coefficient of variation.
fn mean_and_cv(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt() / mean)
}

#[test]
fn even_arrivals_come_one_period_apart_and_the_first_after_one() {
    for pace in [Pace::Steady(rate(4.0)), Pace::Fitted(rate(4.0))] {
        let times: Vec<_> = paced(3, pace, f64::INFINITY, 1).take(5).collect();
        let expected = [250, 500, 750, 1000, 1250].map(Nanos::from_millis);
        assert_eq!(times, expected, "{pace:?}");
    }
}

#[test]
fn due_times_of_a_seed_are_pinned() {
    let nanos = |shape| {
        let times = paced(4, Pace::Fitted(rate(10.0)), shape, 42).take(5);
        times.map(|due| due.0).collect::<Vec<_>>()
    };
    let pinned = [0.3, 1.0, 5.0].map(nanos);
    expect!["[[55338215, 56706563, 107354484, 400000000, 414316948], [29300322, 112831226, 135327026, 400000000, 518378971], [117744478, 162089117, 264473127, 400000000, 479107360]]"].assert_eq(&format!("{pinned:?}"));
}

#[test]
fn a_run_that_is_not_fitted_ends_when_chance_will_have_it() {
    let ends: Vec<_> = (0..300)
        .map(|seed| {
            let last = paced(400, Pace::Steady(rate(10.0)), 4.0, seed).nth(399);
            last.unwrap().as_secs_f64()
        })
        .collect();
    let (mean, cv) = mean_and_cv(&ends);
    // The sum of 400 gaps with mean 0.1 s and cv 1/2: mean 40 s, cv 1/40.
    assert!((mean - 40.0).abs() < 0.4, "{mean}");
    assert!((cv - 0.025).abs() < 0.006, "{cv}");
}

#[test]
fn an_even_linear_ramp_has_the_gap_of_each_requests_own_rate() {
    let pace = Pace::Linear(ramp(1.0, 5.0));
    let gaps = gaps_s(paced(5, pace, f64::INFINITY, 1).take(7));
    // Rates 1, 2, 3, 4, 5, and then the last one for ever.
    let expected = [1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0, 0.2, 0.2, 0.2];
    for (gap, expected) in gaps.iter().zip(expected) {
        assert!((gap - expected).abs() < 2e-9, "{gaps:?}");
    }
}

#[test]
fn an_even_exponential_ramp_has_the_gap_of_each_requests_own_rate() {
    let pace = Pace::Exponential(ramp(1.0, 8.0));
    let gaps = gaps_s(paced(4, pace, f64::INFINITY, 1).take(6));
    let expected = [1.0, 0.5, 0.25, 0.125, 0.125, 0.125];
    for (gap, expected) in gaps.iter().zip(expected) {
        assert!((gap - expected).abs() < 2e-9, "{gaps:?}");
    }
}

#[test]
fn random_gaps_of_a_ramp_scatter_around_the_gaps_of_its_rates() {
    // Each gap times its rate has mean 1 and the variance 1/b of the shape, wherever on the ramp it is.
    let pacing = Pacing {
        requests: 30_000,
        pace: Pace::Linear(ramp(5.0, 50.0)),
        burstiness: burstiness(2.0),
    };
    let times = Arrival::new(Arrivals::Paced(pacing), 8).unwrap();
    let relative: Vec<_> = gaps_s(times.take(30_000))
        .into_iter()
        .zip(0..)
        .map(|(gap, index)| gap * pacing.rate_at(index))
        .collect();
    for third in relative.chunks(10_000) {
        let (mean, cv) = mean_and_cv(third);
        assert!((mean - 1.0).abs() < 0.04, "{mean}");
        assert!((cv - 0.5_f64.sqrt()).abs() < 0.04, "{cv}");
    }
}

#[test]
fn a_run_without_any_gap_is_not_stretched() {
    let times: Vec<_> = paced(4, Pace::Fitted(rate(3.0)), f64::MIN_POSITIVE, 1)
        .take(6)
        .collect();
    assert_eq!(times, [Nanos::ZERO; 6]);
}

#[test]
fn the_lowest_rates_saturate_instead_of_wrapping() {
    for pace in [
        Pace::Fitted(rate(f64::MIN_POSITIVE)),
        Pace::Exponential(ramp(f64::MIN_POSITIVE, 1.0)),
    ] {
        let times: Vec<_> = paced(3, pace, 1.0, 1).take(5).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times[4], Nanos::MAX);
    }
}

#[test]
fn a_pacing_is_written_and_read_back() {
    let paces = [
        Pace::Steady(rate(2.5)),
        Pace::Fitted(rate(8.0)),
        Pace::Linear(ramp(1.0, 9.0)),
        Pace::Exponential(ramp(0.5, 2.0)),
    ];
    for (pace, shape) in paces.into_iter().zip([0.5, 1.0, f64::INFINITY, 4.0]) {
        let arrivals = Arrivals::Paced(Pacing {
            requests: 12,
            pace,
            burstiness: burstiness(shape),
        });
        let written = serde_json::to_string(&arrivals).unwrap();
        assert_eq!(
            serde_json::from_str::<Arrivals>(&written).unwrap(),
            arrivals,
            "{written}"
        );
    }
}

#[test]
fn all_at_once_is_all_at_the_start() {
    let times = Arrival::new(Arrivals::AtOnce, 5).unwrap();
    assert_eq!(times.take(3).collect::<Vec<_>>(), [Nanos::ZERO; 3]);
}

fn paces() -> impl Strategy<Value = Pace> {
    let rates = || (-2.0..4.0_f64).prop_map(|exponent| rate(10_f64.powf(exponent)));
    let ramps = move || (rates(), rates()).prop_map(|(from, to)| Ramp { from, to });
    prop_oneof![
        rates().prop_map(Pace::Steady),
        rates().prop_map(Pace::Fitted),
        ramps().prop_map(Pace::Linear),
        ramps().prop_map(Pace::Exponential),
    ]
}

fn shapes() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-2.0..2.0_f64).prop_map(|exponent| 10_f64.powf(exponent)),
        proptest::strategy::Just(1.0),
        proptest::strategy::Just(f64::INFINITY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_last_request_of_a_fitted_run_is_due_at_its_number_over_the_rate(
        seed: u64, requests in 1..3000_u64, per_second in 0.1..5000.0_f64, shape in shapes(),
    ) {
        let times = paced(requests, Pace::Fitted(rate(per_second)), shape, seed);
        let last = times.clone().nth(requests as usize - 1);
        // Shapes near 0.01 may give a run of a few requests without any gap.
        if times.take(requests as usize).any(|due| due > Nanos::ZERO) {
            prop_assert_eq!(last, Some(Nanos::from_secs_f64(requests as f64 / per_second)));
        }
    }

    #[test]
    fn gaps_have_the_asked_mean_and_the_shapes_variation(
        seed: u64, exponent in -2.0..4.0_f64, shape in 0.25..50.0_f64, fitted: bool,
    ) {
        let per_second = rate(10_f64.powf(exponent));
        let pace = if fitted { Pace::Fitted(per_second) } else { Pace::Steady(per_second) };
        let gaps = gaps_s(paced(10_000, pace, shape, seed).take(10_000));
        let (mean, cv) = mean_and_cv(&gaps);
        // Five standard errors of the mean: 5 / sqrt(10^4 b) <= 0.1.
        prop_assert!((mean * per_second.value() - 1.0).abs() < 0.05 / shape.sqrt() + 1e-6);
        prop_assert!((cv * shape.sqrt() - 1.0).abs() < 0.15, "cv {cv} for shape {shape}");
    }

    #[test]
    fn a_burstiness_of_one_is_a_poisson_process(seed: u64, exponent in -3.0..4.5_f64, fitted: bool) {
        let per_second = rate(10_f64.powf(exponent));
        let pace = if fitted { Pace::Fitted(per_second) } else { Pace::Steady(per_second) };
        let gaps = gaps_s(paced(10_000, pace, 1.0, seed).take(10_000));
        // The critical distance at 1e-6 is 2.7 / sqrt(n).
        prop_assert!(ks_distance_from_exponential(gaps, per_second.value()) < 0.027);
    }

    #[test]
    fn times_never_decrease_and_the_first_is_not_at_the_start(
        seed: u64, requests in 0..200_u64, pace in paces(), shape in shapes(),
    ) {
        let times: Vec<_> = paced(requests, pace, shape, seed).take(400).collect();
        prop_assert_eq!(times.len(), 400);
        prop_assert!(times.is_sorted());
        prop_assert!(shape < 0.5 || times[0] > Nanos::ZERO);
    }

    #[test]
    fn after_a_fitted_run_arrivals_go_on_at_the_rate(
        seed: u64, requests in 1..100_u64, shape in 0.5..20.0_f64,
    ) {
        let end = requests as f64 / 20.0;
        let after = paced(requests, Pace::Fitted(rate(20.0)), shape, seed)
            .skip(requests as usize)
            .take(4000)
            .last()
            .unwrap();
        // 4000 gaps of 50 ms take 200 s; their sum varies by 200 s / sqrt(4000 b).
        let deviation = 200.0 / (4000.0 * shape).sqrt();
        prop_assert!((after.as_secs_f64() - end - 200.0).abs() < 6.0 * deviation);
    }

    #[test]
    fn the_shards_together_are_the_whole(
        seed: u64, shards in 1..9_usize, requests in 0..150_u64, pace in paces(), shape in shapes(),
    ) {
        let whole = paced(requests, pace, shape, seed);
        let shards = NonZeroUsize::new(shards).unwrap();
        let mut parts: Vec<_> = (0..shards.get())
            .map(|index| whole.clone().shard(index, shards))
            .collect();
        for (k, due) in whole.take(200).enumerate() {
            prop_assert_eq!(parts[k % shards.get()].next(), Some(due));
        }
    }

    #[test]
    fn a_seed_decides_the_times(seed: u64, pace in paces()) {
        let times = |seed| paced(40, pace, 0.7, seed).take(50).collect::<Vec<_>>();
        prop_assert_eq!(times(seed), times(seed));
        prop_assert!(times(seed) != times(seed.wrapping_add(1)));
    }

    #[test]
    fn recorded_times_come_as_they_are_and_never_go_back(
        times in proptest::collection::vec(0..1000_u64, 0..60), shards in 1..5_usize,
    ) {
        let times: Vec<_> = times.into_iter().map(Nanos).collect();
        let whole = Arrival::recorded(times.clone().into());
        let due: Vec<_> = whole.clone().collect();
        prop_assert_eq!(due.len(), times.len());
        for k in 0..times.len() {
            prop_assert_eq!(due[k], *times[..=k].iter().max().unwrap());
        }
        let shards = NonZeroUsize::new(shards).unwrap();
        for index in 0..shards.get() {
            let share: Vec<_> = whole.clone().shard(index, shards).collect();
            let expected: Vec<_> = due.iter().copied().skip(index).step_by(shards.get()).collect();
            prop_assert_eq!(share, expected);
        }
    }
}
