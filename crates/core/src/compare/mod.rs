//! Whether one set of runs is better than another, figure by figure.
//!
//! A and B are runs at the same load. Of each figure there is the difference of B from A, its interval and a verdict. All
//! intervals of a comparison hold together with the confidence asked for, however many figures and loads there are: the
//! largest deviation over all figures of a load is taken from the same draws (max-T; Westfall and Young, "Resampling-based
//! multiple testing", 1993), so that figures which move together, such as mean and median of a latency, are not paid for
//! twice; loads are independent and share the confidence by Šidák's formula. Where A and B are the same, at least that
//! share of comparisons reports nothing at all.
//!
//! Reads no file and knows no run: what it needs of one is a [`Spread`].

mod verdict;

pub use verdict::{Direction, Need, Verdict};

use crate::metrics::Metric;
use crate::segments::{Lack, Scale, Spread, Statistic};
use crate::stats::normal::{normal_cdf, normal_quantile};
use crate::stats::{RELATIVE_ERROR, quantile_of_sorted, two_sided_t};

/// Degrees of freedom beyond which Student's t is the normal distribution for all that matters here.
const MANY: u32 = 500;

/// Times and totals that two runs are compared by, where nothing else is asked for: of each time its mean, median and p99.
pub fn usual() -> Vec<Statistic> {
    let times = [Metric::Ttft, Metric::Tpot, Metric::Itl, Metric::Latency];
    let totals = [
        Metric::RequestThroughput,
        Metric::OutputThroughput,
        Metric::SuccessRate,
    ];
    let of_time = |metric| {
        [
            Statistic::Mean(metric),
            Statistic::Quantile(metric, 0.5),
            Statistic::Quantile(metric, 0.99),
        ]
    };
    let times = times.into_iter().flat_map(of_time);
    times.chain(totals.map(Statistic::Mean)).collect()
}

/// How sure to be, and of how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standard {
    /// Probability that all intervals of all loads hold the truth, 0 to below 1.
    pub confidence: f64,
    /// Loads that are compared, at least 1.
    pub loads: usize,
    /// A difference up to this share is none that matters, above 0.
    pub threshold: f64,
}

/// One side of a comparison at one load.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Each figure, in the order of the statistics; `None` where it was not measured.
    pub spreads: &'a [Option<Spread>],
    /// Requests of all runs together.
    pub requests: u64,
}

/// What a figure of B is against that of A.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Which figure.
    pub statistic: Statistic,
    /// Its value in A, in the metric's unit.
    pub a: f64,
    /// Its value in B.
    pub b: f64,
    /// How much more B is, as a share of A; of a share such as the success rate, the plain difference. Not finite where A is 0.
    pub change: f64,
    /// The ends of its interval, which holds together with all others; `None` where there is none.
    pub interval: Option<(f64, f64)>,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// B is worse than A by more than the threshold, for certain.
    pub regressed: bool,
}

/// Compares all figures of a load; leaves out those that were not measured on both sides.
pub fn differences(
    statistics: &[Statistic],
    a: Side<'_>,
    b: Side<'_>,
    standard: Standard,
) -> Vec<Difference> {
    let pairs: Vec<Pair<'_>> = statistics
        .iter()
        .zip(a.spreads.iter().zip(b.spreads))
        .filter_map(|(&statistic, (a, b))| {
            Some(Pair {
                statistic,
                a: a.as_ref()?,
                b: b.as_ref()?,
            })
        })
        .collect();
    let level = level_of_one(&pairs, standard);
    pairs
        .iter()
        .map(|pair| pair.difference(level, [a.requests, b.requests], standard.threshold))
        .collect()
}

/// A figure of both sides.
struct Pair<'a> {
    statistic: Statistic,
    a: &'a Spread,
    b: &'a Spread,
}

/// The confidence of each interval with which all of them hold together.
fn level_of_one(pairs: &[Pair<'_>], standard: Standard) -> f64 {
    let loads = standard.loads.max(1) as f64;
    let of_load = standard.confidence.powf(1.0 / loads);
    let drawn: Vec<Vec<f64>> = pairs.iter().filter_map(Pair::standardised).collect();
    let others = pairs.iter().filter(|pair| pair.is_known()).count() - drawn.len();
    let alone = tests_of(&drawn, of_load) + others as f64;
    of_load.powf(1.0 / alone.max(1.0))
}

/// Independent tests that deviate as far as the largest of these do: with `c` the quantile `confidence` of the largest, and
/// `p` the probability that one of them stays within `c`, `ln(confidence) / ln(p)`.
fn tests_of(deviations: &[Vec<f64>], confidence: f64) -> f64 {
    let count = deviations.iter().map(Vec::len).min().unwrap_or_default();
    let largest = |draw: usize| {
        let all = deviations.iter().map(|one| one[draw].abs());
        all.fold(0.0, f64::max)
    };
    let mut largest: Vec<f64> = (0..count).map(largest).collect();
    largest.sort_by(f64::total_cmp);
    let Some(far) = quantile_of_sorted(&largest, confidence) else {
        return 0.0;
    };
    let within = 2.0 * normal_cdf(far) - 1.0;
    // More than each on its own cannot be: what is beyond comes of few count.
    (confidence.ln() / within.clamp(1e-9, 1.0 - 1e-9).ln()).clamp(1.0, deviations.len() as f64)
}

impl Pair<'_> {
    fn is_known(&self) -> bool {
        self.a.uncertainty.is_ok() && self.b.uncertainty.is_ok()
    }

    /// Deviations of the difference in standard errors, draw by draw.
    fn standardised(&self) -> Option<Vec<f64>> {
        let (a, b) = (
            self.a.uncertainty.as_ref().ok()?,
            self.b.uncertainty.as_ref().ok()?,
        );
        let error = a.error.hypot(b.error);
        if a.deviations.is_empty() || b.deviations.is_empty() || error <= 0.0 {
            return None;
        }
        let both = a.deviations.iter().zip(&b.deviations);
        Some(both.map(|(a, b)| (b - a) / error).collect())
    }

    fn difference(&self, level: f64, requests: [u64; 2], threshold: f64) -> Difference {
        let interval = self.interval(level);
        let change = match self.a.scale {
            Scale::Factor => self.b.estimate / self.a.estimate - 1.0,
            Scale::Share { .. } => self.b.estimate - self.a.estimate,
        };
        let direction = Direction::of(self.statistic.metric());
        let verdict = match interval {
            Some(interval) => Verdict::of(change, interval, direction, threshold, requests),
            None => Verdict::Undecided(self.need(requests)),
        };
        let worst_for_certain = interval.map(|(low, high)| match direction {
            Direction::LowerIsBetter => low,
            Direction::HigherIsBetter => -high,
        });
        Difference {
            statistic: self.statistic,
            a: self.a.estimate,
            b: self.b.estimate,
            change,
            interval,
            regressed: worst_for_certain.is_some_and(|worse| worse > threshold),
            verdict,
        }
    }

    fn interval(&self, level: f64) -> Option<(f64, f64)> {
        match self.a.scale {
            Scale::Factor => self.factor(level),
            Scale::Share { .. } => self.points(level),
        }
    }

    /// By Student's t on the scale of logarithms, with the degrees of freedom of Welch and Satterthwaite; wider by what
    /// figures from histograms may be off.
    fn factor(&self, level: f64) -> Option<(f64, f64)> {
        let a = self.a.uncertainty.as_ref().ok()?;
        let b = self.b.uncertainty.as_ref().ok()?;
        let [of_a, of_b] = [a.error.powi(2), b.error.powi(2)];
        let spent = of_a.powi(2) / f64::from(a.freedom) + of_b.powi(2) / f64::from(b.freedom);
        let freedom = if spent > 0.0 {
            ((of_a + of_b).powi(2) / spent) as u32
        } else {
            MANY
        };
        let reach = t(level, freedom) * (of_a + of_b).sqrt() + RELATIVE_ERROR;
        let log = (self.b.estimate / self.a.estimate).ln();
        log.is_finite()
            .then(|| ((log - reach).exp_m1(), (log + reach).exp_m1()))
    }

    /// The hybrid score interval of two shares (Newcombe, Statistics in Medicine 17, 1998, method 10).
    fn points(&self, level: f64) -> Option<(f64, f64)> {
        let (a, b) = (self.a.interval(level)?, self.b.interval(level)?);
        let change = b.estimate - a.estimate;
        let below = (b.estimate - b.low).hypot(a.high - a.estimate);
        let above = (b.high - b.estimate).hypot(a.estimate - a.low);
        Some((change - below, change + above))
    }

    /// What it takes where nothing can be said.
    fn need(&self, requests: [u64; 2]) -> Need {
        let lacks = [self.a, self.b].map(|side| side.uncertainty.as_ref().err().copied());
        let more = lacks
            .iter()
            .zip(requests)
            .filter_map(|(lack, sent)| match lack {
                Some(Lack::Requests(needed)) => Some(needed.saturating_sub(sent).max(1)),
                _ => None,
            });
        let more = more.max();
        if lacks.contains(&Some(Lack::Repeats)) {
            return Need::Repeats;
        }
        more.map_or(Need::Values, Need::Requests)
    }
}

fn t(level: f64, freedom: u32) -> f64 {
    if freedom >= MANY {
        normal_quantile(f64::midpoint(level, 1.0))
    } else {
        two_sided_t(level, freedom.max(1))
    }
}

impl Direction {
    /// Times and failures are better low, throughputs and successes high.
    pub fn of(metric: Metric) -> Self {
        match metric {
            Metric::RequestThroughput
            | Metric::OutputThroughput
            | Metric::TotalThroughput
            | Metric::SuccessRate
            | Metric::OutputRate
            | Metric::TotalRate
            | Metric::DecodeRate => Self::HigherIsBetter,
            _ => Self::LowerIsBetter,
        }
    }
}

#[cfg(test)]
mod tests;
