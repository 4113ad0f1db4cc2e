//! Fits of values whose crossing is known.

use super::super::belief::Grid;
use super::super::synthetic::{Draws, dwells_of, log_normal};
use super::{Fit, closed};

/// 99 % and 90 % of a standard normal distribution lie below.
const Z99: f64 = 2.326_348;
const Z90: f64 = 1.281_552;
/// A median of 0.2 s at 50 users, that grows with the load's power of 1.5, and a spread of 20 %.
const VALUES: (f64, f64, f64, f64) = (0.2, 50.0, 1.5, 0.2);

/// The load at which a quantile of [`VALUES`] is this many seconds.
fn truth(z: f64, limit: f64) -> f64 {
    let (median, at, elasticity, sd) = VALUES;
    at * (limit / (median * (sd * z).exp())).powf(1.0 / elasticity)
}

fn fit(criterion: &str, dwells: &[(f64, Vec<f64>)], center: f64) -> Option<Fit> {
    let evidence = dwells_of(criterion, dwells);
    closed(
        &evidence,
        0,
        center,
        Grid::between(center / 2.2, center * 2.2),
    )
}

/// Fits of 40 samples of so many requests at each load.
fn fits(criterion: &str, loads: &[f64], n: usize, center: f64) -> Vec<Fit> {
    let one = |seed| {
        let mut draws = Draws::new(seed);
        let dwells: Vec<(f64, Vec<f64>)> = loads
            .iter()
            .map(|&load| log_normal(&mut draws, load, n, VALUES))
            .collect();
        fit(criterion, &dwells, center).unwrap()
    };
    (0..40).map(one).collect()
}

/// The crossing is met on average within a share, and at least so many of the 40 intervals contain it.
#[track_caller]
fn check(fits: &[Fit], truth: f64, bias: f64, covered: usize) {
    let error = |fit: &Fit| (fit.belief.median() / truth).ln();
    let mean = fits.iter().map(error).sum::<f64>() / fits.len() as f64;
    assert!(mean.abs() < bias, "off by {mean}");
    let covers = |fit: &&Fit| {
        let interval = fit.belief.interval();
        interval.low <= truth && truth <= interval.high
    };
    let covers = fits.iter().filter(covers).count();
    assert!(covers >= covered, "{covers} of {} cover", fits.len());
}

#[test]
fn a_p99_crosses_where_it_does_and_the_interval_holds_nine_times_in_ten() {
    let truth = truth(Z99, 0.4);
    let loads = [0.92, 0.97, 1.0, 1.03].map(|part| (part * truth).round());
    let fits = fits(r#""p99_ttft":"<=0.4""#, &loads, 400, truth);
    check(&fits, truth, 0.02, 36);
    let spread = fits.iter().map(|fit| fit.belief.spread()).sum::<f64>() / 40.0;
    assert!((0.005..0.05).contains(&spread), "{spread}");
    assert!(fits.iter().all(|fit| (1000..=1600).contains(&fit.requests)));
}

#[test]
fn a_p90_needs_fewer_requests_for_the_same_precision() {
    let truth = truth(Z90, 0.4);
    let loads = [0.95, 1.0].map(|part| (part * truth).round());
    let fits = fits(r#""p90_ttft":"<=0.4""#, &loads, 300, truth);
    check(&fits, truth, 0.03, 36);
}

#[test]
fn more_requests_make_a_belief_narrower() {
    let truth = truth(Z99, 0.4);
    let loads = [truth.floor()];
    let criterion = r#""p99_ttft":"<=0.4""#;
    let spread = |n| {
        let fits = fits(criterion, &loads, n, truth);
        fits.iter().map(|fit| fit.belief.spread()).sum::<f64>()
    };
    assert!(spread(2000) < 0.75 * spread(200));
}

#[test]
fn a_mean_crosses_where_it_does() {
    let (median, at, elasticity, sd) = VALUES;
    let mean = median * (0.5 * sd * sd).exp();
    let truth = at * (0.3 / mean).powf(1.0 / elasticity);
    let loads = [0.95, 1.0, 1.05].map(|part| (part * truth).round());
    check(
        &fits(r#""avg_ttft":"<=0.3""#, &loads, 300, truth),
        truth,
        0.01,
        36,
    );
}

#[test]
fn failures_are_requests_beyond_the_limit_where_some_are_allowed() {
    let truth = truth(Z90, 0.4);
    let load = truth.round();
    let crossing = |failures: usize| {
        let mut draws = Draws::new(7);
        let (_, mut values) = log_normal(&mut draws, load, 1000, VALUES);
        values
            .iter_mut()
            .step_by(1000 / failures.max(1))
            .take(failures)
            .for_each(|value| {
                *value = f64::INFINITY;
            });
        let mut evidence = dwells_of(r#""p90_ttft":"<=0.4""#, &[(load, values)]);
        evidence.strict = false;
        let grid = Grid::between(load / 2.2, load * 2.2);
        closed(&evidence, 0, load, grid).unwrap().belief.median()
    };
    // A twentieth that fails leaves only half of the allowed violations to the others.
    assert!(crossing(50) < 0.97 * crossing(0));
}

#[test]
fn loads_far_away_say_nothing() {
    let mut draws = Draws::new(1);
    let far = log_normal(&mut draws, 20.0, 500, VALUES);
    assert!(fit(r#""p99_ttft":"<=0.4""#, &[far], 58.0).is_none());
    assert!(fit(r#""p99_ttft":"<=0.4""#, &[], 58.0).is_none());
}

#[test]
fn requests_in_step_say_less_than_independent_ones() {
    let truth = truth(Z99, 0.4).round();
    let mut draws = Draws::new(3);
    // The requests of a wave share a draw, all but a trace of it.
    let waves = (0..16).flat_map(|_| {
        let middle = 0.2 * (truth / 50.0).powf(1.5) * (0.2 * draws.normal()).exp();
        let value = |_| middle * (1.0 + 0.001 * draws.normal());
        (0..truth as usize).map(value).collect::<Vec<f64>>()
    });
    let waves = waves.collect();
    let shared = fit(r#""p99_ttft":"<=0.4""#, &[(truth, waves)], truth).unwrap();
    let alone = log_normal(&mut draws, truth, 16 * truth as usize, VALUES);
    let alone = fit(r#""p99_ttft":"<=0.4""#, &[alone], truth).unwrap();
    assert!(
        shared.phi > 2.0 * alone.phi,
        "{} and {}",
        shared.phi,
        alone.phi
    );
}
