//! From what was seen of one criterion to a belief on the highest load that meets it.
//!
//! Each request is shifted to its own critical load, the load at which it would have been just within the limit, and these
//! are pooled: `c = x (T / y)^(1/gamma)`, where `gamma` is the elasticity of the upper values with the load. A p99 at x is
//! within T exactly if at most 1 % of the critical loads are below x. The tail below a low quantile of the critical loads
//! is taken as exponential in log load. What cannot be shifted (shares of gaps, successes) is counted: [`super::counts`].

use super::belief::{Belief, Grid};
use super::counts::{CLOSED_EFFECT, View};
use super::design_effect::{Series, by_blocks};
use super::evidence::Evidence;
use super::gauge::Kind;
use super::normal::normal_cdf;

/// Half widths of the window of loads in log load, narrowest first.
const WINDOWS: [f64; 5] = [0.055, 0.08, 0.12, 0.18, 0.27];
/// Requests that make a window wide enough.
const ENOUGH: usize = 400;
/// The tail that is fitted, as a multiple of the share that may be over the limit.
const TAIL: f64 = 6.0;
/// The multiple of that share at which the design effect and the elasticity are measured.
const WORST: f64 = 2.5;
/// What the model itself may be wrong by, in log share.
const MODEL_ERROR: f64 = 0.2;
/// Elasticity where nothing is known, its log standard deviation there, and that of a local one around a wide one.
const PRIOR_SLOPE: f64 = 1.5;
const LOCAL_SPREAD: f64 = 0.35;
/// All standard deviations are multiplied by this: what the blocks do not see of the dependence.
const CAUTION: f64 = 1.15;
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
}

/// The values of a dwell.
struct Sample {
    log: f64,
    values: Vec<f64>,
}

/// Fits one criterion of a closed loop around a load. `None` where nothing is known yet.
pub(super) fn closed(evidence: &Evidence, gauge: usize, center: f64, grid: Grid) -> Option<Fit> {
    let of = &evidence.gauges[gauge];
    match (of.kind, of.share) {
        (Kind::Valued, Some(share)) => pooled(evidence, gauge, center, |samples, slope| {
            tail(samples, slope, share, grid)
        }),
        (Kind::Valued | Kind::Gaps, None) => pooled(evidence, gauge, center, |samples, slope| {
            Some(mean(samples, slope, grid))
        }),
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
    fit: impl Fn(&[Sample], Slope) -> Option<Fit>,
) -> Option<Fit> {
    let all: Vec<Sample> = evidence
        .dwells
        .iter()
        .map(|dwell| Sample {
            log: dwell.load().ln(),
            values: evidence.values(dwell, gauge),
        })
        .filter(|sample| !sample.values.is_empty())
        .collect();
    let near = |width: f64| {
        let inside = move |sample: &&Sample| (sample.log - center.ln()).abs() <= width;
        all.iter().filter(inside)
    };
    let count = |width: f64| near(width).map(|sample| sample.values.len()).sum::<usize>();
    let width = WINDOWS
        .into_iter()
        .find(|&width| count(width) >= ENOUGH)
        .or_else(|| {
            WINDOWS
                .into_iter()
                .next_back()
                .filter(|&width| count(width) > 0)
        })?;
    let level = evidence.gauges[gauge].share;
    let wide = Slope::of(near(0.56), level, Slope::unknown());
    let slope = Slope::of(near(width), level, wide.local());
    let samples: Vec<Sample> = near(width)
        .map(|sample| Sample {
            log: sample.log,
            values: sample.values.clone(),
        })
        .collect();
    fit(&samples, slope)
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
    fn of<'a>(samples: impl Iterator<Item = &'a Sample>, share: Option<f64>, prior: Self) -> Self {
        let points: Vec<(f64, f64, f64)> = samples
            .filter(|sample| sample.values.len() >= 8)
            .filter_map(|sample| {
                let n = sample.values.len() as f64;
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
fn tail(samples: &[Sample], slope: Slope, share: f64, grid: Grid) -> Option<Fit> {
    let n: usize = samples.iter().map(|sample| sample.values.len()).sum();
    let mut normals = Vec::new();
    let mut middle: Option<(f64, f64, f64)> = None;
    for (gamma, weight) in slope.nodes() {
        let critical = critical_loads(samples, gamma);
        let phi = phi_of(samples, &critical, share);
        let one = crossing(&critical, share, n, phi)?;
        if middle.is_none_or(|(best, ..)| weight > best) {
            middle = Some((weight, phi, one.2));
        }
        normals.push((weight, one.0, one.1));
    }
    let (_, phi, scale) = middle?;
    Some(Fit {
        belief: mixture(grid, &normals),
        beta: 1.0 / scale / (1.0 - share),
        phi,
        requests: n,
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
fn crossing(critical: &[Vec<f64>], share: f64, n: usize, phi: f64) -> Option<(f64, f64, f64)> {
    let mut sorted: Vec<f64> = critical.iter().flatten().copied().collect();
    let m = ((TAIL * share).min(0.5) * n as f64).round().max(3.0) as usize;
    if m >= sorted.len() {
        return None;
    }
    let (worst, &mut limit, _) = sorted.select_nth_unstable_by(m, f64::total_cmp);
    let excess = worst.iter().map(|log| limit - log).sum::<f64>() / m as f64;
    let excess = excess.max(1e-4);
    let z = (m as f64 / n as f64 / share).ln();
    let sd = (phi * (1.0 + z * z) / m as f64 + MODEL_ERROR.powi(2)).sqrt();
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
fn mean(samples: &[Sample], slope: Slope, grid: Grid) -> Fit {
    let n: usize = samples.iter().map(|sample| sample.values.len()).sum();
    let at = samples
        .iter()
        .map(|sample| sample.log * sample.values.len() as f64)
        .sum::<f64>()
        / n as f64;
    let mut normals = Vec::new();
    let mut phi = 1.0;
    for (gamma, weight) in slope.nodes() {
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
        let mean = series.iter().flat_map(|one| &one.values).sum::<f64>() / n as f64;
        let squares: f64 = series
            .iter()
            .flat_map(|one| &one.values)
            .map(|value| (value - mean).powi(2))
            .sum();
        phi = by_blocks(&series);
        let sd = (phi * squares / n as f64 / n as f64).sqrt() / mean.max(1e-12);
        let sd = CAUTION * (sd.powi(2) + 0.01_f64.powi(2)).sqrt();
        normals.push((weight, at - mean.max(1e-12).ln() / gamma, sd / gamma));
    }
    Fit {
        belief: mixture(grid, &normals),
        beta: f64::INFINITY,
        phi,
        requests: n,
    }
}
