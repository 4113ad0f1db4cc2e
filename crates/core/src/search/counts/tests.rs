//! Counts of violations drawn from a known curve.

use super::super::belief::Grid;
use super::super::synthetic::{Draws, dwells_of, log_normal};
use super::{Fit, OPEN_EFFECT, View, upper_quantile, variance_of_means};

const TRUTH: f64 = 30.0;
const BETA: f64 = 20.0;

/// TTFTs at a load, of which the share above 1 s follows the logistic curve through 1 % at [`TRUTH`], in episodes of so
/// many requests.
fn dwell(draws: &mut Draws, load: f64, n: usize, episode: usize) -> (f64, Vec<f64>) {
    let odds = (0.01_f64 / 0.99).ln() + BETA * (load / TRUTH).ln();
    let share = 1.0 / (1.0 + (-odds).exp());
    let mut values = Vec::new();
    while values.len() < n {
        let value = if draws.uniform() < share { 1.5 } else { 0.5 };
        values.extend(std::iter::repeat_n(value, episode));
    }
    (load, values)
}

fn fit(criterion: &str, dwells: &[(f64, Vec<f64>)], prior: f64) -> Option<Fit> {
    let evidence = dwells_of(criterion, dwells);
    View {
        evidence: &evidence,
        gauge: 0,
        center: TRUTH,
        apart: 8,
        prior,
    }
    .fit(Grid::between(TRUTH / 2.2, TRUTH * 2.2))
}

fn fits(episode: usize, prior: f64) -> Vec<Fit> {
    let one = |seed| {
        let mut draws = Draws::new(seed);
        let dwells =
            [0.9, 0.96, 1.0, 1.03].map(|part| dwell(&mut draws, part * TRUTH, 4000, episode));
        fit(r#""p99_ttft":"<=1""#, &dwells, prior).unwrap()
    };
    (0..30).map(one).collect()
}

fn covers(fits: &[Fit]) -> usize {
    let covers = |fit: &&Fit| {
        let interval = fit.belief.interval();
        interval.low <= TRUTH && TRUTH <= interval.high
    };
    fits.iter().filter(covers).count()
}

#[test]
fn the_crossing_of_independent_requests_is_recovered() {
    let fits = fits(1, 1.0);
    let error = |fit: &Fit| (fit.belief.median() / TRUTH).ln();
    let mean = fits.iter().map(error).sum::<f64>() / 30.0;
    assert!(mean.abs() < 0.01, "{mean}");
    assert!(covers(&fits) >= 25, "{}", covers(&fits));
    assert!(fits.iter().all(|fit| (8.0..45.0).contains(&fit.beta)));
    assert!(fits.iter().all(|fit| fit.requests == 16_000));
}

#[test]
fn violations_in_episodes_widen_the_belief_and_the_interval_still_holds() {
    let (alone, together) = (fits(1, 1.0), fits(20, 1.0));
    let spread = |fits: &[Fit]| fits.iter().map(|fit| fit.belief.spread()).sum::<f64>();
    assert!(spread(&together) > 2.0 * spread(&alone));
    assert!(together.iter().all(|fit| fit.phi > 15.0));
    assert!(covers(&together) >= 25, "{}", covers(&together));
}

#[test]
fn the_prior_of_the_effect_holds_until_episodes_were_seen() {
    let quiet = [(TRUTH, vec![0.5; 500])];
    let fit = fit(r#""p99_ttft":"<=1""#, &quiet, OPEN_EFFECT).unwrap();
    assert!((fit.phi - OPEN_EFFECT).abs() < 1e-9);
    // 500 requests without a violation, at an effect of 40, are hardly any evidence for what lies far above.
    assert!(fit.belief.at(TRUTH) > 0.5 && fit.belief.at(2.0 * TRUTH) < 0.3);
}

#[test]
fn dwells_that_are_far_or_short_say_nothing() {
    let far = [(2.0 * TRUTH, vec![0.5; 500]), (TRUTH, vec![0.5; 10])];
    assert!(fit(r#""p99_ttft":"<=1""#, &far, 1.0).is_none());
}

#[test]
fn a_mean_is_located_by_its_elasticity() {
    let mut draws = Draws::new(5);
    // The mean is 1 s at the truth and grows with the fifth power.
    let values = (0.98, TRUTH, 5.0, 0.2);
    let dwells = [0.95, 1.0, 1.02].map(|part| log_normal(&mut draws, part * TRUTH, 4000, values));
    let fit = fit(r#""avg_ttft":"<=1""#, &dwells, OPEN_EFFECT).unwrap();
    let interval = fit.belief.interval();
    assert!(
        interval.low < TRUTH && TRUTH < interval.high,
        "{interval:?}"
    );
    assert!((fit.belief.median() / TRUTH).ln().abs() < 0.02);
    assert!(fit.beta.is_infinite(), "a mean has no knee");
}

#[test]
fn means_of_long_waves_vary_more_than_their_requests_tell() {
    let mut draws = Draws::new(6);
    let independent: Vec<f64> = (0..8000).map(|_| 1.0 + 0.3 * draws.normal()).collect();
    let waves: Vec<f64> = (0..8000)
        .map(|i| 1.0 + 0.3 * (f64::from(i) / 400.0).sin())
        .collect();
    let (_, alone) = variance_of_means(&[(0.0, independent)], 200.0, 1.0);
    let (_, together) = variance_of_means(&[(0.0, waves)], 200.0, 1.0);
    assert!(alone < 2.0, "{alone}");
    assert!(together > 50.0, "{together}");
}

#[test]
fn an_upper_quantile_is_the_value_that_a_share_is_above() {
    let series = [vec![1.0, 5.0, 3.0], vec![2.0, 4.0]];
    assert!((upper_quantile(&series, 0.2) - 4.0).abs() < 1e-12);
    assert!((upper_quantile(&series, 0.0) - 5.0).abs() < 1e-12);
    assert!(upper_quantile(&series, 1.0).is_infinite());
    assert!(upper_quantile(&[], 0.5).is_infinite());
}
