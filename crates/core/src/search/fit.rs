//! From what was seen of one criterion to a belief on the highest load that meets it.
//!
//! Each request is shifted to its own critical load, the load at which it would have been just within the limit, and these
//! are pooled: `c = x (T / y)^(1/gamma)`, where `gamma` is the elasticity of the upper values with the load. A p99 at x is
//! within T exactly if at most 1 % of the critical loads are below x. The tail below a low quantile of the critical loads
//! is taken as exponential in log load. What cannot be shifted (shares of gaps, successes) is counted: [`super::counts`].

use super::belief::{Belief, Grid};
use super::counts::{CLOSED_EFFECT, View};
use super::design_effect::{Series, by_blocks};
use super::evidence::{Dwell, Evidence};
use super::gauge::Kind;
use crate::stats::normal::normal_cdf;

/// Width of the window of loads in log load: the weight of a dwell falls with its distance as a normal density does.
const WIDTH: f64 = 0.09;
/// Dwells further than this, three widths, weigh nothing and are left out; all others give the design effect.
const AROUND: f64 = 0.27;
/// The same for the first guess of the elasticity.
const WIDE: f64 = 0.56;
/// The tail that is fitted, as a multiple of the share that may be over the limit.
const TAIL: f64 = 6.0;
/// The multiple of that share at which the design effect and the elasticity are measured.
const WORST: f64 = 2.5;
/// What the model itself may be wrong by, in log share: tails are not exactly exponential.
const MODEL_ERROR: f64 = 0.2;
/// Elasticity where nothing is known.
const PRIOR_SLOPE: f64 = 1.5;
/// Standard deviation of the elasticity near the estimate about that over a wider range, as a multiple of the latter.
const LOCAL_SPREAD: f64 = 0.35;
/// All standard deviations are multiplied by this: what the blocks do not see of the dependence. With it, intervals of 90 %
/// hold in 85 to 90 % of the searches on the bench's tuning half.
const CAUTION: f64 = 1.35;
/// Nodes and weights for a normal distribution (Gauss and Hermite, five points).
const NODES: [(f64, f64); 5] = [
    (-2.856_970, 0.011_257_4),
    (-1.355_626, 0.222_076),
    (0.0, 0.533_333),
    (1.355_626, 0.222_076),
    (2.856_970, 0.011_257_4),
];

/// What a fit says of one criterion.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub(super) belief: Belief,
    /// `d log-odds / d log load` at the crossing.
    pub(super) beta: f64,
    pub(super) phi: f64,
    /// Requests in the window.
    pub(super) requests: usize,
    /// A mean near saturation: queues come and go more slowly than any dwell lasts.
    pub(super) is_unsteady: bool,
}

/// What a fit is made from.
struct Pool {
    near: Vec<Sample>,
    slope: Slope,
}

/// The values of a dwell.
#[derive(Debug, Clone)]
struct Sample {
    log: f64,
    weight: f64,
    values: Vec<f64>,
}

impl Pool {
    /// Requests, each counted by its weight.
    fn requests(&self) -> f64 {
        let weigh = |sample: &Sample| sample.weight * sample.values.len() as f64;
        self.near.iter().map(weigh).sum()
    }
}

/// Fits one criterion of a closed loop around a load. `None` where nothing is known yet.
pub(super) fn closed(evidence: &Evidence, gauge: usize, center: f64, grid: Grid) -> Option<Fit> {
    let of = &evidence.gauges[gauge];
    match (of.kind, of.share) {
        (Kind::Valued, Some(share)) => {
            pooled(evidence, gauge, center, |pool| tail(pool, share, grid))
        }
        (Kind::Valued | Kind::Gaps, None) => {
            pooled(evidence, gauge, center, |pool| Some(mean(pool, grid)))
        }
        (_, Some(_)) => View {
            evidence,
            gauge,
            center,
            apart: center.clamp(8.0, 400.0) as usize,
            prior: CLOSED_EFFECT,
        }
        .fit(grid),
        (Kind::Success, None) => None,
    }
}

fn pooled(
    evidence: &Evidence,
    gauge: usize,
    center: f64,
    fit: impl Fn(&Pool) -> Option<Fit>,
) -> Option<Fit> {
    let samples = |within: f64| -> Vec<Sample> {
        let near = |dwell: &&Dwell| (dwell.load() / center).ln().abs() <= within;
        let sample = |dwell: &Dwell| {
            let log = dwell.load().ln();
            Sample {
                log,
                weight: (-0.5 * ((log - center.ln()) / WIDTH).powi(2)).exp(),
                values: evidence.values(dwell, gauge),
            }
        };
        let dwells = evidence.dwells.iter().filter(near).map(sample);
        dwells.filter(|sample| !sample.values.is_empty()).collect()
    };
    let near = samples(AROUND);
    if near.is_empty() {
        return None;
    }
    let level = evidence.gauges[gauge].share;
    let mut wide = samples(WIDE);
    for sample in &mut wide {
        sample.weight = 1.0;
    }
    let wide = Slope::of(&wide, level, Slope::unknown());
    let slope = Slope::of(&near, level, wide.local());
    fit(&Pool { near, slope })
}

/// The elasticity of the upper values (or of the mean) with the load, and its standard deviation.
#[derive(Debug, Clone, Copy)]
struct Slope {
    value: f64,
    sd: f64,
    least: f64,
}

impl Slope {
    fn unknown() -> Self {
        Self {
            value: PRIOR_SLOPE,
            sd: 1.5,
            least: 0.25,
        }
    }

    /// The same as a prior for the slope in a narrower window.
    fn local(self) -> Self {
        Self {
            sd: self.sd.min(self.value) + LOCAL_SPREAD * self.value,
            least: (0.5 * self.value).max(0.25),
            ..self
        }
    }

    /// The regression of the log of each dwell's upper value on its log load, drawn towards the prior.
    fn of(samples: &[Sample], share: Option<f64>, prior: Self) -> Self {
        let points: Vec<(f64, f64, f64)> = samples
            .iter()
            .filter(|sample| sample.values.len() >= 8)
            .filter_map(|sample| {
                let n = sample.weight * sample.values.len() as f64;
                let level = upper(&sample.values, share)?;
                Some((sample.log, level, n))
            })
            .collect();
        let n: f64 = points.iter().map(|point| point.2).sum();
        if points.len() < 2 {
            return prior;
        }
        let mean = |of: fn(&(f64, f64, f64)) -> f64| {
            points.iter().map(|point| of(point) * point.2).sum::<f64>() / n
        };
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let xx: f64 = points.iter().map(|p| p.2 * (p.0 - x).powi(2)).sum();
        let xy: f64 = points.iter().map(|p| p.2 * (p.0 - x) * (p.1 - y)).sum();
        if xx <= 1e-9 {
            return prior;
        }
        let found = xy / xx;
        // Scatter of the dwells about the line, a request's worth; a prior of two dwells keeps it from zero.
        let scatter: f64 = points
            .iter()
            .map(|p| p.2 * (p.1 - y - found * (p.0 - x)).powi(2))
            .sum();
        let variance = (scatter + 2.0 * 4.0) / points.len() as f64 / xx;
        let weight = prior.sd.powi(2) / (prior.sd.powi(2) + variance);
        let value = (prior.value + weight * (found - prior.value)).max(prior.least);
        Self {
            value,
            sd: (weight.sqrt() * variance.sqrt()).min(prior.sd),
            least: prior.least,
        }
    }

    fn nodes(self) -> impl Iterator<Item = (f64, f64)> {
        NODES
            .into_iter()
            .map(move |(z, weight)| ((self.value + z * self.sd).max(self.least), weight))
    }
}

/// The log of the value that a share of the requests is above, or of the mean.
fn upper(values: &[f64], share: Option<f64>) -> Option<f64> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let Some(share) = share else {
        let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
        return (mean > 0.0).then(|| mean.ln());
    };
    let rank = ((WORST * 2.0 * share).min(0.5) * finite.len() as f64).floor() as usize;
    let mut sorted = finite;
    let (_, value, _) = (rank < sorted.len())
        .then(|| sorted.select_nth_unstable_by(rank, |a, b| b.total_cmp(a)))?;
    (*value > 0.0).then(|| value.ln())
}

/// Where the tail of the critical loads crosses the share that may be over the limit.
fn tail(pool: &Pool, share: f64, grid: Grid) -> Option<Fit> {
    let middle = critical_loads(&pool.near, pool.slope.value);
    let phi = phi_of(&pool.near, &middle, share);
    let (_, _, scale) = crossing(&pool.near, &middle, share, phi)?;
    let mut normals = Vec::new();
    for (gamma, weight) in pool.slope.nodes() {
        let critical = critical_loads(&pool.near, gamma);
        let (at, sd, _) = crossing(&pool.near, &critical, share, phi)?;
        normals.push((weight, at, sd));
    }
    Some(Fit {
        belief: mixture(grid, &normals),
        beta: 1.0 / scale / (1.0 - share),
        phi,
        requests: pool.requests() as usize,
        is_unsteady: false,
    })
}

/// Logs of the critical loads of each dwell, in the order of sending.
fn critical_loads(samples: &[Sample], gamma: f64) -> Vec<Vec<f64>> {
    let critical = |sample: &Sample| {
        let at = |value: &f64| {
            let shift = if *value > 0.0 {
                value.ln() / gamma
            } else {
                -3.0
            };
            sample.log - shift.clamp(-3.0, 1.0)
        };
        sample.values.iter().map(at).collect()
    };
    samples.iter().map(critical).collect()
}

fn phi_of(samples: &[Sample], critical: &[Vec<f64>], share: f64) -> f64 {
    let mut sorted: Vec<f64> = critical.iter().flatten().copied().collect();
    let rank = ((WORST * share).min(0.5) * sorted.len() as f64).floor() as usize;
    if rank == 0 || rank >= sorted.len() {
        return by_blocks(&[]);
    }
    let (_, &mut limit, _) = sorted.select_nth_unstable_by(rank, f64::total_cmp);
    let series: Vec<Series> = samples
        .iter()
        .zip(critical)
        .map(|(sample, logs)| Series {
            wave: sample.log.exp(),
            values: logs
                .iter()
                .map(|&log| f64::from(u8::from(log < limit)))
                .collect(),
        })
        .collect();
    by_blocks(&series)
}

/// The log load at which the fitted tail has the asked share, its standard deviation, and the tail's scale.
fn crossing(
    samples: &[Sample],
    critical: &[Vec<f64>],
    share: f64,
    phi: f64,
) -> Option<(f64, f64, f64)> {
    let mut all: Vec<(f64, f64)> = samples
        .iter()
        .zip(critical)
        .flat_map(|(sample, logs)| logs.iter().map(|&log| (log, sample.weight)))
        .collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = all.iter().map(|one| one.1).sum();
    let wanted = (TAIL * share).min(0.5) * total;
    let (mut inside, mut squares, mut moment, mut n) = (0.0, 0.0, 0.0, 0);
    for &(log, weight) in &all {
        if inside >= wanted && n >= 3 {
            break;
        }
        inside += weight;
        squares += weight * weight;
        moment += weight * log;
        n += 1;
    }
    let limit = all.get(n)?.0;
    let excess = (limit - moment / inside).max(1e-4);
    let z = (inside / total / share).ln();
    let effective = inside * inside / squares;
    let sd = (phi * (1.0 + z * z) / effective + MODEL_ERROR.powi(2)).sqrt();
    Some((limit - excess * z, CAUTION * excess * sd, excess))
}

fn mixture(grid: Grid, normals: &[(f64, f64, f64)]) -> Belief {
    let sum: f64 = normals.iter().map(|normal| normal.0).sum();
    Belief::new(grid, |log| {
        let above = |&(weight, at, sd): &(f64, f64, f64)| {
            weight / sum * normal_cdf((at - log) / sd.max(1e-6))
        };
        normals.iter().map(above).sum()
    })
}

/// Where the mean, shifted to one load, crosses its limit.
fn mean(pool: &Pool, grid: Grid) -> Fit {
    let samples = &pool.near;
    let total = pool.requests();
    let at = samples
        .iter()
        .map(|sample| sample.log * sample.weight * sample.values.len() as f64)
        .sum::<f64>()
        / total;
    let squared: f64 = samples
        .iter()
        .map(|sample| sample.weight.powi(2) * sample.values.len() as f64)
        .sum();
    let effective = total * total / squared;
    let mut normals = Vec::new();
    let mut phi = 1.0;
    for (gamma, weight) in pool.slope.nodes() {
        let series: Vec<Series> = samples
            .iter()
            .map(|sample| Series {
                wave: sample.log.exp(),
                values: sample
                    .values
                    .iter()
                    .map(|value| value * ((at - sample.log) * gamma).exp())
                    .collect(),
            })
            .collect();
        let weighted = samples.iter().zip(&series);
        let mean = weighted
            .map(|(sample, one)| sample.weight * one.values.iter().sum::<f64>())
            .sum::<f64>()
            / total;
        let n = series.iter().map(|one| one.values.len()).sum::<usize>() as f64;
        let spread: f64 = series
            .iter()
            .flat_map(|one| &one.values)
            .map(|value| (value - mean).powi(2))
            .sum();
        phi = by_blocks(&series);
        let sd = (phi * spread / n / effective).sqrt() / mean.max(1e-12);
        let sd = CAUTION * (sd.powi(2) + 0.01_f64.powi(2)).sqrt();
        normals.push((weight, at - mean.max(1e-12).ln() / gamma, sd / gamma));
    }
    Fit {
        belief: mixture(grid, &normals),
        beta: f64::INFINITY,
        phi,
        requests: total as usize,
        is_unsteady: false,
    }
}

#[cfg(test)]
mod tests;
