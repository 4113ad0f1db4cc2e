//! Bootstrap over segments: each run is put together anew from its own segments, drawn with replacement.
//!
//! Where segments are many, neighbours are drawn together, as blocks that begin anywhere and go around the end (circular
//! block bootstrap, Politis and Romano 1992), so that what lasts longer than a segment is kept. The spread of the draws is
//! the standard error, widened for the few blocks that there are (Hesterberg, "What teachers should know about the
//! bootstrap", The American Statistician 69, 2015) and taken with Student's t.
//!
//! Of several runs, the runs vary too. The error of their common figure is the larger of that from within the runs and
//! that from run to run. It has the degrees of freedom of the runs, unless runs differ no more than segments explain.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cut::{Cut, FEWEST};
use super::interval::{Lack, Scale, Spread, Uncertainty, variance};
use super::statistic::Statistic;
use super::table::Table;
use crate::metrics::{Metric, Over};
use crate::stats::normal::normal_quantile;
use crate::stats::{RELATIVE_ERROR, quantile_of_sorted};

/// Share of draws beyond the end of a distribution.
const END: f64 = 0.005;
/// Values that must lie beyond a quantile, on average, for anything to be said of it.
const BEYOND: f64 = 10.0;
/// Degrees of freedom that blocks which overlap have for each block that would not (Meketon and Schmeiser, "Overlapping
/// batch means: something for nothing?", Winter Simulation Conference 1984).
const OVERLAP: f64 = 1.5;
/// How many times the variance within runs that from run to run may be to be taken for the same: about the upper quartile
/// of the F distribution, as is usual for pooling (Bancroft, Annals of Mathematical Statistics 15, 1944).
const SAME: f64 = 1.4;

/// How many times to draw, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Times that runs are put together anew, at least 2.
    pub count: usize,
    /// Same seed, same draws.
    pub seed: u64,
}

impl Default for Draws {
    fn default() -> Self {
        Self {
            count: 1000,
            seed: 0,
        }
    }
}

/// How figures of runs at the same load vary, in the order of `statistics`; `None` where nothing was measured.
///
/// One draw serves all statistics, so that their deviations belong together.
pub fn resample(runs: &[Cut], statistics: &[Statistic], draws: Draws) -> Vec<Option<Spread>> {
    let known: Vec<Statistic> = statistics
        .iter()
        .copied()
        .filter(|one| one.is_known())
        .collect();
    let mut found = Course::new(runs, &known).spreads(draws).into_iter();
    statistics
        .iter()
        .map(|one| one.is_known().then(|| found.next().flatten()).flatten())
        .collect()
}

/// Everything that is drawn from.
struct Course<'a> {
    runs: &'a [Cut],
    statistics: &'a [Statistic],
    table: Table,
    /// The figures of all runs together.
    figures: Vec<Option<f64>>,
    /// The same of each run.
    of_runs: Vec<Vec<Option<f64>>>,
    /// The same of all runs together, without one of the segments.
    without: Vec<Vec<Option<f64>>>,
}

impl<'a> Course<'a> {
    fn new(runs: &'a [Cut], statistics: &'a [Statistic]) -> Self {
        let whole = |runs: &[Cut]| {
            let table = Table::new(runs, statistics);
            let once = vec![1; runs.iter().map(Cut::count).sum()];
            let figures = table.figures(&once);
            (table, figures)
        };
        let (table, figures) = whole(runs);
        let columns = runs.iter().map(Cut::count).sum();
        let without = |column: usize| {
            let mut weights = vec![1; columns];
            weights[column] = 0;
            table.figures(&weights)
        };
        Self {
            without: (0..columns).map(without).collect(),
            of_runs: runs
                .iter()
                .map(|run| whole(std::slice::from_ref(run)).1)
                .collect(),
            runs,
            statistics,
            table,
            figures,
        }
    }

    fn spreads(&self, draws: Draws) -> Vec<Option<Spread>> {
        let is_long = !self.runs.is_empty() && self.runs.iter().all(Cut::is_long);
        let drawings = if is_long {
            self.draw(draws)
        } else {
            Vec::new()
        };
        (0..self.statistics.len())
            .map(|place| self.spread(place, &drawings))
            .collect()
    }

    fn draw(&self, draws: Draws) -> Vec<Vec<Option<f64>>> {
        let mut random = ChaCha8Rng::seed_from_u64(draws.seed);
        let columns = self.runs.iter().map(Cut::count).sum();
        (0..draws.count.max(2))
            .map(|_| {
                let mut weights = vec![0; columns];
                let mut rest = &mut weights[..];
                for run in self.runs {
                    let (own, others) = rest.split_at_mut(run.count());
                    draw_blocks(own, run.block(), &mut random);
                    rest = others;
                }
                self.table.figures(&weights)
            })
            .collect()
    }

    fn spread(&self, place: usize, drawn: &[Vec<Option<f64>>]) -> Option<Spread> {
        let estimate = self.figures[place]?;
        let mut scale = self.scale(place);
        let centre = scale.from_unit(estimate);
        let mut deviations: Vec<f64> = drawn
            .iter()
            .map(|figures| figures[place].map_or(0.0, |one| scale.from_unit(one) - centre))
            .collect();
        let uncertainty = match self.lack(place) {
            Some(lack) => Err(lack),
            None if deviations.iter().all(|one| one.is_finite()) => {
                let within = self.within(place, &mut deviations);
                let (error, freedom) = self.with_runs(place, scale, within);
                if let Some((own, _)) = within.filter(|within| within.0 > 0.0) {
                    for one in &mut deviations {
                        *one *= error / own;
                    }
                }
                Ok(Uncertainty {
                    error,
                    freedom,
                    deviations,
                })
            }
            None => Err(Lack::Zero),
        };
        if let (Scale::Share { effective }, Ok(found)) = (&mut scale, &uncertainty) {
            let independent = estimate * (1.0 - estimate);
            if independent > 0.0 && found.error > 0.0 {
                *effective = effective.min(independent / found.error.powi(2));
            }
        }
        Some(Spread {
            estimate,
            scale,
            uncertainty,
        })
    }

    fn scale(&self, place: usize) -> Scale {
        let statistic = self.statistics[place];
        if statistic.metric() == Metric::SuccessRate {
            Scale::Share {
                effective: self.table.count(statistic) as f64,
            }
        } else {
            Scale::Factor
        }
    }

    /// Why nothing can be said of a statistic.
    fn lack(&self, place: usize) -> Option<Lack> {
        let statistic = self.statistics[place];
        let repeats = self.runs.len() >= 3;
        if let Statistic::Quantile(metric, q) = statistic
            && metric.over() != Over::Run
        {
            let beyond = q.min(1.0 - q).max(1e-9);
            let needed = BEYOND / beyond;
            if (self.table.count(statistic) as f64) < needed * (1.0 - 1e-9) {
                return Some(Lack::Requests(self.requests_for(statistic, needed)));
            }
        }
        if self.figures[place] == Some(0.0) && statistic.metric() != Metric::SuccessRate {
            return Some(Lack::Zero);
        }
        if repeats {
            return None;
        }
        let is_long = self.runs.iter().all(Cut::is_long);
        if !is_long || self.table.occupied(statistic.metric()) < FEWEST {
            let needed = self.runs.iter().map(Cut::requests_for_length).max();
            let lack = needed.flatten().map_or(Lack::Repeats, Lack::Requests);
            return Some(lack);
        }
        None
    }

    /// Requests that give so many values.
    fn requests_for(&self, statistic: Statistic, values: f64) -> u64 {
        let sent: u64 = self.runs.iter().map(Cut::requests).sum();
        let a_value = sent as f64 / self.table.count(statistic).max(1) as f64;
        (values * a_value).ceil() as u64
    }

    /// Standard error from within the runs, with its degrees of freedom; brings the deviations to that size.
    fn within(&self, place: usize, deviations: &mut [f64]) -> Option<(f64, u32)> {
        if deviations.is_empty() {
            return None;
        }
        let blocks = |run: &Cut| run.count() as f64 / run.block() as f64;
        let blocks: f64 = self.runs.iter().map(blocks).sum();
        let runs = self.runs.len() as f64;
        let widened = (blocks / (blocks - runs) * self.beyond_blocks(place)).sqrt();
        let freedom = (OVERLAP * blocks - runs).max(1.0) as u32;
        for one in deviations.iter_mut() {
            *one *= widened;
        }
        let drawn = variance(deviations);
        // Quantiles come from histograms; means are exact.
        let error = match self.statistics[place] {
            Statistic::Quantile(..) => drawn.sqrt().max(furthest(deviations)).hypot(RELATIVE_ERROR),
            Statistic::Mean(_) => drawn.sqrt(),
        };
        Some((error, freedom))
    }

    /// By what the variance is to be multiplied for dependence that reaches from one block to the next: with `V(b)` the
    /// variance by blocks of `b`, `(2 V(b) - V(b / 2)) / V(b)`, in 1..=2 (the lugsail estimate of Vats and Flegal,
    /// Biometrika 109, 2022, with r = 2 and c = 1/2).
    fn beyond_blocks(&self, place: usize) -> f64 {
        let mut start = 0;
        let (mut half, mut whole) = (0.0, 0.0);
        for run in self.runs {
            let own = &self.without[start..start + run.count()];
            start += run.count();
            let effects: Vec<f64> = own.iter().map(|one| one[place].unwrap_or(0.0)).collect();
            half += variance_by_blocks(&effects, (run.block() / 2).max(1));
            whole += variance_by_blocks(&effects, run.block());
        }
        if whole > 0.0 {
            (2.0 - half / whole).clamp(1.0, 2.0)
        } else {
            1.0
        }
    }

    /// The error of the common figure of all runs.
    fn with_runs(&self, place: usize, scale: Scale, within: Option<(f64, u32)>) -> (f64, u32) {
        let figures: Vec<f64> = self
            .of_runs
            .iter()
            .filter_map(|run| Some(scale.from_unit(run[place]?)))
            .filter(|one| one.is_finite())
            .collect();
        let runs = figures.len();
        let between = (runs > 1).then(|| variance(&figures) / runs as f64);
        match (within, between) {
            (Some((error, freedom)), None) => (error, freedom),
            (None, between) => (between.unwrap_or_default().sqrt(), (runs.max(2) - 1) as u32),
            (Some((error, freedom)), Some(between)) => {
                let own = error * error;
                let freedom = if between <= SAME * own {
                    freedom + runs as u32 - 1
                } else {
                    runs as u32 - 1
                };
                (own.max(between).sqrt(), freedom)
            }
        }
    }
}

/// Mean square of sums over blocks that begin anywhere and go around the end, for each member; of values less their mean.
fn variance_by_blocks(values: &[f64], block: usize) -> f64 {
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count.max(1) as f64;
    let sum = |start: usize| -> f64 {
        let members = (start..start + block).map(|at| values[at % count] - mean);
        members.sum()
    };
    (0..count).map(|start| sum(start).powi(2)).sum::<f64>() / block as f64
}

/// The standard error of a normal distribution whose upper or lower end is where that of these deviations is, the further
/// one. Quantiles that lie at the edge of a gap between values jump in few of the draws, and then far.
fn furthest(deviations: &[f64]) -> f64 {
    let mut sorted = deviations.to_vec();
    sorted.sort_by(f64::total_cmp);
    let end = |q| quantile_of_sorted(&sorted, q).map_or(0.0, f64::abs);
    let z = normal_quantile(1.0 - END);
    end(END).max(end(1.0 - END)) / z
}

/// Draws as many segments as there are, in blocks of neighbours.
fn draw_blocks(weights: &mut [u32], block: usize, random: &mut ChaCha8Rng) {
    let count = weights.len();
    let mut left = count;
    while left > 0 {
        // A uniform number below `count`, by the high half of a product: off by 2^-58 at most.
        let start = ((u128::from(random.next_u64()) * count as u128) >> 64) as usize;
        for step in 0..block.min(left) {
            weights[(start + step) % count] += 1;
        }
        left -= block.min(left);
    }
}
