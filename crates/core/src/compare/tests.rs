//! Intervals and levels on figures that are made up.

use super::{Need, Side, Standard, Verdict, differences, level_of_one, tests_of};
use crate::metrics::Metric;
use crate::segments::{Lack, Scale, Spread, Statistic, Uncertainty};

const MEAN: Statistic = Statistic::Mean(Metric::Ttft);
const RATE: Statistic = Statistic::Mean(Metric::SuccessRate);
const STANDARD: Standard = Standard {
    confidence: 0.95,
    loads: 1,
    threshold: 0.05,
};

fn factor(estimate: f64, error: f64) -> Spread {
    Spread {
        estimate,
        scale: Scale::Factor,
        uncertainty: Ok(Uncertainty {
            error,
            freedom: 1000,
            deviations: Vec::new(),
        }),
    }
}

fn compared(statistic: Statistic, a: Spread, b: Spread, standard: Standard) -> super::Difference {
    let (a, b) = ([Some(a)], [Some(b)]);
    let side = |spreads| Side {
        spreads,
        requests: 1000,
    };
    let found = differences(&[statistic], side(&a), side(&b), standard);
    found.into_iter().next().unwrap()
}

#[test]
fn a_difference_has_the_interval_of_the_normal_distribution_where_much_is_known() {
    let found = compared(MEAN, factor(0.1, 0.003), factor(0.11, 0.004), STANDARD);
    assert!((found.change - 0.1).abs() < 1e-9);
    // 1.96 standard errors of 0.005, and 0.05 % for the histograms.
    let reach = 1.959_964 * 0.005 + 1.0 / 2048.0;
    let (low, high) = found.interval.unwrap();
    assert!((low - (1.1 * f64::exp(-reach) - 1.0)).abs() < 1e-6);
    assert!((high - (1.1 * f64::exp(reach) - 1.0)).abs() < 1e-6);
    assert_eq!(found.verdict, Verdict::Worse);
    assert!(found.regressed, "8.9 % is more than 5 %");
}

#[test]
fn a_regression_is_one_for_certain() {
    let found = compared(MEAN, factor(0.1, 0.003), factor(0.106, 0.004), STANDARD);
    assert_eq!(found.verdict, Verdict::Worse);
    assert!(!found.regressed, "it may be 5 %");
    let faster = compared(MEAN, factor(0.1, 0.003), factor(0.08, 0.004), STANDARD);
    assert_eq!(faster.verdict, Verdict::Better);
    assert!(!faster.regressed);
    let throughput = Statistic::Mean(Metric::OutputThroughput);
    let slower = compared(
        throughput,
        factor(100.0, 0.003),
        factor(80.0, 0.004),
        STANDARD,
    );
    assert_eq!((slower.verdict, slower.regressed), (Verdict::Worse, true));
}

#[test]
fn figures_that_cannot_be_told_apart_are_so_within_a_share() {
    let found = compared(MEAN, factor(0.1, 0.003), factor(0.1, 0.004), STANDARD);
    let Verdict::NoLarger(share) = found.verdict else {
        panic!("{found:?}");
    };
    assert!((0.010..0.011).contains(&share), "{share}");
    let same = compared(MEAN, factor(0.1, 0.0), factor(0.1, 0.0), STANDARD);
    assert!(matches!(same.verdict, Verdict::NoLarger(share) if share < 0.001));
}

#[test]
fn shares_are_compared_in_points_also_where_none_failed() {
    let share = |estimate| Spread {
        estimate,
        scale: Scale::Share { effective: 1000.0 },
        uncertainty: factor(1.0, 0.0).uncertainty,
    };
    let none = compared(RATE, share(1.0), share(1.0), STANDARD);
    let Verdict::NoLarger(points) = none.verdict else {
        panic!("{none:?}");
    };
    // Newcombe's interval of 0 of 1000 against 0 of 1000: 3.84 / 1003.84.
    assert!((points - 0.003_827).abs() < 2e-5, "{points}");
    let some = compared(RATE, share(1.0), share(0.9), STANDARD);
    assert!((some.change + 0.1).abs() < 1e-12 && some.regressed);
}

#[test]
fn figures_of_which_too_little_is_known_say_what_they_need() {
    let lack = |lack| Spread {
        uncertainty: Err(lack),
        ..factor(0.1, 0.0)
    };
    let check = |a, b, expected| {
        let found = compared(MEAN, a, b, STANDARD);
        assert_eq!(found.verdict, Verdict::Undecided(expected));
        assert_eq!((found.interval, found.regressed), (None, false));
    };
    let known = factor(0.2, 0.01);
    check(
        lack(Lack::Requests(1500)),
        known.clone(),
        Need::Requests(500),
    );
    check(known.clone(), lack(Lack::Repeats), Need::Repeats);
    check(lack(Lack::Zero), known, Need::Values);
}

#[test]
fn many_figures_and_loads_make_each_interval_wider() {
    let width = |loads| {
        let standard = Standard { loads, ..STANDARD };
        let found = compared(MEAN, factor(0.1, 0.01), factor(0.1, 0.01), standard);
        found.interval.unwrap().1
    };
    assert!(width(1) < width(4) && width(4) < width(16));
}

#[test]
fn figures_that_move_together_count_as_one() {
    // A normal sample by its quantiles, and a second one in another order.
    let quantile = |k: usize| crate::stats::normal::normal_quantile((k as f64 + 0.5) / 1000.0);
    let one: Vec<f64> = (0..1000).map(quantile).collect();
    let other: Vec<f64> = (0..1000).map(|k| quantile(k * 387 % 1000)).collect();
    let together = tests_of(&[one.clone(), one.clone(), one.clone()], 0.95);
    let apart = tests_of(&[one, other], 0.95);
    assert!((together - 1.0).abs() < 0.1, "{together}");
    assert!((1.7..=2.0).contains(&apart), "{apart}");
    assert!(tests_of(&[], 0.95) < 1e-9);
}

#[test]
fn figures_without_draws_are_taken_as_independent() {
    let spreads = [factor(1.0, 0.1), factor(1.0, 0.1)];
    let pair = |spread| super::Pair {
        statistic: MEAN,
        a: spread,
        b: spread,
    };
    let level = level_of_one(&[pair(&spreads[0]), pair(&spreads[1])], STANDARD);
    assert!((level - 0.95_f64.sqrt()).abs() < 1e-9, "{level}");
}
