//! An estimate, how far it may be off, and the interval that comes of it.
//!
//! Draws nothing: the deviations come from `resample`.

use crate::stats::two_sided_t;

/// An estimate and the range that holds the truth with some probability, in the unit of the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Of the whole run.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// On which scale deviations of a figure are about symmetric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// That of its logarithm: a deviation is a factor. Figures above zero.
    Factor,
    /// That of a share in 0..=1, of which Wilson's interval is taken.
    Share {
        /// Independent requests that say as much as those that were sent.
        effective: f64,
    },
}

/// A figure and how it would vary if it were measured again.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Of all that was measured, in the metric's unit.
    pub estimate: f64,
    /// On which scale [`Uncertainty`] is.
    pub scale: Scale,
    /// How far it may be off, or why that cannot be said.
    pub uncertainty: Result<Uncertainty, Lack>,
}

/// How far an estimate may be off.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// Standard error, on the figure's scale.
    pub error: f64,
    /// Degrees of freedom that the error is known with.
    pub freedom: u32,
    /// Deviations that were drawn, on the figure's scale; the draws of all figures of a run belong together. Empty where
    /// only the figures of whole runs are known.
    pub deviations: Vec<f64>,
}

/// Why nothing can be said of how far an estimate may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// So many requests are needed in all.
    Requests(u64),
    /// The run has no parts that could be told apart: it takes three such runs at least.
    Repeats,
    /// The figure is zero.
    Zero,
}

impl Spread {
    /// Of figures of whole runs of which no more is known: their mean, by Student's t between runs, with three runs or more.
    /// `None` without figures.
    pub fn of_figures(figures: &[f64], scale: Scale) -> Option<Self> {
        let runs = figures.len() as f64;
        let estimate = figures.iter().sum::<f64>() / runs;
        let scaled: Vec<f64> = figures.iter().map(|&one| scale.from_unit(one)).collect();
        let uncertainty = if figures.len() < 3 {
            Err(Lack::Repeats)
        } else if scaled.iter().any(|one| !one.is_finite()) {
            Err(Lack::Zero)
        } else {
            Ok(Uncertainty {
                error: (variance(&scaled) / runs).sqrt(),
                freedom: figures.len() as u32 - 1,
                deviations: Vec::new(),
            })
        };
        (!figures.is_empty()).then_some(Self {
            estimate,
            scale,
            uncertainty,
        })
    }

    /// The interval that holds the truth with probability `confidence` (0 to below 1); `None` where there is none.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let uncertainty = self.uncertainty.as_ref().ok()?;
        let t = two_sided_t(confidence, uncertainty.freedom);
        let (low, high) = match self.scale {
            Scale::Factor => {
                let factor = (t * uncertainty.error).exp();
                (self.estimate / factor, self.estimate * factor)
            }
            Scale::Share { effective } => wilson(self.estimate, effective, t),
        };
        Some(Interval {
            estimate: self.estimate,
            low,
            high,
        })
    }
}

impl Scale {
    /// A figure in its unit on this scale; not finite where it has no place there.
    pub fn from_unit(self, figure: f64) -> f64 {
        match self {
            Self::Factor => figure.ln(),
            Self::Share { .. } => figure,
        }
    }
}

/// Variance of a few figures (divided by n - 1).
pub(super) fn variance(figures: &[f64]) -> f64 {
    let count = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / count;
    let squares: f64 = figures.iter().map(|one| (one - mean).powi(2)).sum();
    squares / (count - 1.0).max(1.0)
}

/// Wilson's score interval of a share of `count` independent requests (JASA 22, 1927), with `t` in the place of the normal
/// quantile.
fn wilson(share: f64, count: f64, t: f64) -> (f64, f64) {
    let square = t * t;
    let center = share + square / (2.0 * count);
    let half = t * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    let whole = 1.0 + square / count;
    let end = |value: f64| (value / whole).clamp(0.0, 1.0);
    (end(center - half).min(share), end(center + half).max(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_a_factor_is_symmetric_in_factors() {
        let spread = Spread::of_figures(&[1.0, 2.0, 4.0], Scale::Factor).unwrap();
        let found = spread.interval(0.95).unwrap();
        // Student's t of 2 degrees, 4.3027; deviation ln 2; three runs.
        let factor = (4.302_652_73 * std::f64::consts::LN_2 / 3.0_f64.sqrt()).exp();
        let mean = 7.0 / 3.0;
        assert!((found.high - mean * factor).abs() < 1e-6, "{found:?}");
        assert!((found.low - mean / factor).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn two_runs_of_which_only_figures_are_known_do_not_suffice() {
        let spread = Spread::of_figures(&[1.0, 1.0], Scale::Factor).unwrap();
        assert_eq!(spread.uncertainty, Err(Lack::Repeats));
        assert_eq!(Spread::of_figures(&[], Scale::Factor), None);
        let zero = Spread::of_figures(&[0.0, 1.0, 1.0], Scale::Factor).unwrap();
        assert_eq!(zero.uncertainty, Err(Lack::Zero));
    }

    #[test]
    fn a_share_of_all_may_still_be_less_than_all() {
        // Wilson, n = 100, none failed, z = 1.96: 1 / (1 + z²/n) = 0.96300.
        let (low, high) = wilson(1.0, 100.0, 1.96);
        assert!((low - 0.963_004).abs() < 1e-5, "{low}");
        assert!((high - 1.0).abs() < 1e-12);
        let (low, high) = wilson(0.0, 100.0, 1.96);
        assert!(low.abs() < 1e-12 && (high - 0.036_996).abs() < 1e-5);
    }
}
