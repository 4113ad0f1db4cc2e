//! Violations counted at each load, and a logistic curve through them: log-odds p(x) = log-odds(share) + beta log(x/x*).
//!
//! Needs no model of the values, and so serves what has none and what changes its shape with the load: open loops.

use super::belief::{Belief, Grid};
use super::design_effect::by_episodes;
use super::evidence::Evidence;
use super::fit::Fit;
use super::gauge::Kind;

/// Dwells further than this from the estimate, in log load, are left out.
const NEAR: f64 = 0.2;
/// Dwells within this distance give the design effect.
const NEAREST: f64 = 0.08;
/// Fewer requests than this make no dwell.
const LEAST: usize = 20;
/// Prior of the sharpness of the knee: its median and the standard deviation of its log.
const BETA: (f64, f64) = (25.0, 0.6);
/// The same of the elasticity of a mean.
const ELASTICITY: (f64, f64) = (5.0, 0.9);
/// Elasticity of a mean from which the service is near saturation: in the simplest queue that is at 80 % of its capacity.
const SATURATED: f64 = 4.0;
/// Design effect of an open loop before any episode was seen: long runs at the crossing have 28 to 150.
pub(super) const OPEN_EFFECT: f64 = 40.0;
/// The same of a closed loop: 2 to 6, up to 10 where memory is full.
pub(super) const CLOSED_EFFECT: f64 = 4.0;
/// Points of the grid of slopes, over ±2.5 standard deviations.
const SLOPES: usize = 12;
/// A batch for the variance of a mean, in latencies' worth of requests, and its bounds.
const BATCH_LATENCIES: f64 = 8.0;
const BATCH: (f64, f64) = (200.0, 1000.0);
/// Further lengths, as multiples.
const BATCHES: [f64; 3] = [1.0, 2.0, 4.0];
/// Batches that the prior of that variance counts for, and its design effect.
const PRIOR_BATCHES: f64 = 4.0;

/// Where a criterion is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) gauge: usize,
    /// The load around which dwells count.
    pub(super) center: f64,
    /// Requests that belong to one episode may be so far apart.
    pub(super) apart: usize,
    /// Design effect before anything was seen.
    pub(super) prior: f64,
}

/// A dwell as it enters the likelihood.
struct Trial {
    log: f64,
    requests: f64,
    /// Violations; or, of a mean, its multiple of the limit.
    seen: f64,
}

impl View<'_> {
    /// Fits the criterion; `None` where no dwell is near.
    pub(super) fn fit(&self, grid: Grid) -> Option<Fit> {
        match self.evidence.gauges[self.gauge].share {
            Some(share) => self.fit_share(share, grid),
            None => self.fit_mean(grid),
        }
    }

    /// The design effect of the violations near the centre.
    pub(super) fn effect(&self, share: f64) -> f64 {
        let is_valued = self.evidence.gauges[self.gauge].kind == Kind::Valued;
        let series: Vec<Vec<f64>> = self.series(NEAREST).map(|(_, values)| values).collect();
        let limit = if is_valued {
            upper_quantile(&series, 2.5 * share).min(1.0)
        } else {
            0.0
        };
        let over: Vec<Vec<f64>> = series
            .iter()
            .map(|values| {
                let over = |&value: &f64| {
                    if is_valued {
                        f64::from(u8::from(value > limit))
                    } else {
                        value
                    }
                };
                values.iter().map(over).collect()
            })
            .collect();
        by_episodes(&over, self.apart, self.prior)
    }

    /// Logs of loads within a distance, and the values (or the shares of violations) of the requests there.
    fn series(&self, within: f64) -> impl Iterator<Item = (f64, Vec<f64>)> {
        let Self {
            evidence,
            gauge,
            center,
            ..
        } = *self;
        let of = &evidence.gauges[gauge];
        let by_value = of.kind == Kind::Valued || of.share.is_none();
        evidence
            .dwells
            .iter()
            .filter(move |dwell| (dwell.load() / center).ln().abs() <= within)
            .map(move |dwell| {
                let values = if by_value {
                    evidence.values(dwell, gauge)
                } else {
                    evidence.violations(dwell, gauge)
                };
                (dwell.load().ln(), values)
            })
    }

    fn fit_share(&self, share: f64, grid: Grid) -> Option<Fit> {
        let is_valued = self.evidence.gauges[self.gauge].kind == Kind::Valued;
        let over = |value: f64| {
            if is_valued {
                f64::from(u8::from(value > 1.0))
            } else {
                value
            }
        };
        let trials: Vec<Trial> = self
            .series(NEAR)
            .filter(|(_, values)| values.len() >= LEAST)
            .map(|(log, values)| Trial {
                log,
                requests: values.len() as f64,
                seen: values.into_iter().map(over).sum(),
            })
            .collect();
        let phi = self.effect(share);
        let base = (share / (1.0 - share)).ln();
        let weigh = |at: f64, beta: f64| {
            let one = |trial: &Trial| {
                let odds = base + beta * (trial.log - at);
                // log p and log (1 - p), without loss at either end
                let (p, q) = (-(1.0 + (-odds).exp()).ln(), -(1.0 + odds.exp()).ln());
                trial.seen * p.max(-700.0) + (trial.requests - trial.seen) * q.max(-700.0)
            };
            trials.iter().map(one).sum::<f64>() / phi
        };
        posterior(grid, &trials, BETA, weigh).map(|(belief, beta)| Fit {
            belief,
            beta,
            phi,
            requests: requests(&trials),
            is_unsteady: false,
        })
    }

    fn fit_mean(&self, grid: Grid) -> Option<Fit> {
        let series: Vec<(f64, Vec<f64>)> = self
            .series(NEAR)
            .filter(|(_, values)| values.len() >= LEAST)
            .collect();
        let trials: Vec<Trial> = series
            .iter()
            .map(|(log, values)| Trial {
                log: *log,
                requests: values.len() as f64,
                seen: values.iter().sum::<f64>() / values.len() as f64,
            })
            .collect();
        let latency = self.evidence.pace()?.latency;
        let batch = (BATCH_LATENCIES * self.center * latency).clamp(BATCH.0, BATCH.1);
        let (variance, phi) = variance_of_means(&series, batch, self.prior);
        let weigh = |at: f64, slope: f64| {
            let one = |trial: &Trial| {
                let expected = slope * (trial.log - at);
                let sd2 = variance / trial.requests + 0.01_f64.powi(2);
                -0.5 * (trial.seen.max(1e-9).ln() - expected).powi(2) / sd2
            };
            trials.iter().map(one).sum()
        };
        posterior(grid, &trials, ELASTICITY, weigh).map(|(belief, slope)| Fit {
            belief,
            beta: f64::INFINITY,
            phi,
            requests: requests(&trials),
            is_unsteady: slope > SATURATED,
        })
    }
}

fn requests(trials: &[Trial]) -> usize {
    trials.iter().map(|trial| trial.requests as usize).sum()
}

/// The value that a share of all values is above.
fn upper_quantile(series: &[Vec<f64>], share: f64) -> f64 {
    let mut all: Vec<f64> = series.iter().flatten().copied().collect();
    let rank = (share * all.len() as f64).floor() as usize;
    if rank >= all.len() {
        return f64::INFINITY;
    }
    *all.select_nth_unstable_by(rank, |a, b| b.total_cmp(a)).1
}

/// The relative variance of a single request's worth of a mean, and its design effect, from the means of batches of the
/// length at which they vary most.
fn variance_of_means(series: &[(f64, Vec<f64>)], batch: f64, prior: f64) -> (f64, f64) {
    let (mut single, mut n) = (0.0, 0.0);
    let mut sums = [(0.0, 0.0); BATCHES.len()];
    for (_, values) in series {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        if mean <= 0.0 {
            continue;
        }
        let excess = |value: &f64| value / mean - 1.0;
        single += values
            .iter()
            .map(|value| excess(value).powi(2))
            .sum::<f64>();
        n += values.len() as f64;
        for ((squares, batches), times) in sums.iter_mut().zip(BATCHES) {
            let length = (batch * times) as usize;
            // A mean over the whole dwell would be zero.
            let length = length.min(values.len().max(2) / 2).max(1);
            for chunk in values.chunks_exact(length) {
                *squares += chunk.iter().map(excess).sum::<f64>().powi(2) / length as f64;
                *batches += 1.0;
            }
        }
    }
    let single = if n > 0.0 { single / n } else { 1.0 };
    let known = PRIOR_BATCHES * prior * single;
    let variance = sums
        .iter()
        .map(|(squares, batches)| (squares + known) / (batches + PRIOR_BATCHES))
        .fold(0.0, f64::max);
    (variance, variance / single.max(1e-12))
}

/// A belief from a log likelihood of the crossing and the slope, with a log-normal prior of the slope; and the mean slope.
fn posterior(
    grid: Grid,
    trials: &[Trial],
    prior: (f64, f64),
    weigh: impl Fn(f64, f64) -> f64,
) -> Option<(Belief, f64)> {
    if trials.is_empty() {
        return None;
    }
    let slopes: Vec<(f64, f64)> = (0..SLOPES)
        .map(|i| 5.0 * i as f64 / (SLOPES - 1) as f64 - 2.5)
        .map(|z| (prior.0 * (z * prior.1).exp(), -0.5 * z * z))
        .collect();
    let logs: Vec<Vec<f64>> = grid
        .logs()
        .map(|at| {
            slopes
                .iter()
                .map(|&(slope, p)| weigh(at, slope) + p)
                .collect()
        })
        .collect();
    let best = logs
        .iter()
        .flatten()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let (mut weights, mut slope, mut sum) = (Vec::new(), 0.0, 0.0);
    for row in &logs {
        let mut weight = 0.0;
        for (log, &(value, _)) in row.iter().zip(&slopes) {
            let one = (log - best).exp();
            weight += one;
            slope += one * value;
        }
        sum += weight;
        weights.push(weight);
    }
    Some((Belief::from_weights(grid, &weights), slope / sum))
}

#[cfg(test)]
mod tests;
