//! How the arrivals of a run of known length lie in time: its rate, a ramp, and how bursty it is.
//!
//! Draws nothing: that is [`crate::arrival::Paced`].

use serde::{Deserialize, Serialize};

use crate::units::Rate;

/// A run of known length. Request `i` (from 0) comes after a gap whose mean is `1 / rate_at(i)`, the first one too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pacing {
    /// Length of the run. Arrivals after these go on at the rate of the last one.
    pub requests: u64,
    /// How the rate goes.
    pub pace: Pace,
    /// How the gaps scatter.
    pub burstiness: Burstiness,
}

/// How the rate goes over a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// The same throughout. How long the run takes is left to the draws.
    Steady(Rate),
    /// The same throughout, and all due times of the run stretched by one factor, so that the last request is due at
    /// `requests / rate`. Counts in spans of the run then vary less than chance would have it.
    Fitted(Rate),
    /// In equal steps from request to request.
    Linear(Ramp),
    /// In equal ratios from request to request.
    Exponential(Ramp),
}

/// The ends of a ramp over the requests of a run, in either direction. A rate is above 0, so a ramp from nothing
/// cannot be asked for: its first request would never be due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// The rate of the first request.
    pub from: Rate,
    /// The rate of the last request.
    pub to: Rate,
}

impl Pacing {
    /// The rate of request `index`, with `p = index / max(requests - 1, 1)`, at most 1: `from + (to - from) * p` for a
    /// linear ramp, `from * (to / from)^p` for an exponential one.
    pub fn rate_at(&self, index: u64) -> f64 {
        let last = self.requests.saturating_sub(1).max(1);
        let index = index.min(last) as f64;
        let last = last as f64;
        match self.pace {
            Pace::Steady(rate) | Pace::Fitted(rate) => rate.value(),
            Pace::Linear(Ramp { from, to }) => {
                let (from, to) = (from.value(), to.value());
                // Rounding must not take a rate below both ends, where it might be 0.
                (from + (to - from) * index / last).clamp(from.min(to), from.max(to))
            }
            Pace::Exponential(Ramp { from, to }) => {
                from.value() * libm::pow(to.value() / from.value(), index / last)
            }
        }
    }

    /// The steps of a ramp that rises: each whole number of requests a second that it reaches above the one it starts
    /// with, and the first request that has that rate. Where a request jumps over several, all are its.
    pub fn whole_rates(&self) -> Vec<(u64, u64)> {
        let mut reached = self.rate_at(0).floor() as u64;
        let mut steps = Vec::new();
        for index in 0..self.requests {
            let whole = self.rate_at(index).floor() as u64;
            steps.extend((reached + 1..=whole).map(|rate| (rate, index)));
            reached = reached.max(whole);
        }
        steps
    }

    /// The highest rate of the run.
    pub fn highest_rate(&self) -> Rate {
        match self.pace {
            Pace::Steady(rate) | Pace::Fitted(rate) => rate,
            Pace::Linear(Ramp { from, to }) | Pace::Exponential(Ramp { from, to }) => {
                if from > to {
                    from
                } else {
                    to
                }
            }
        }
    }

    /// Whether the rate changes during the run.
    pub fn is_ramp(&self) -> bool {
        matches!(self.pace, Pace::Linear(_) | Pace::Exponential(_))
    }
}

/// How the gaps between arrivals scatter around their mean: the shape *b* of a gamma distribution, whose coefficient
/// of variation is `1 / sqrt(b)`. 1 is a Poisson process, less is burstier, more is more even.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Option<f64>", into = "Option<f64>")]
pub struct Burstiness(Option<f64>);

/// A number that cannot be a burstiness.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a burstiness must be a number above 0, not {0}")]
pub struct BurstinessError(pub f64);

impl Burstiness {
    /// All gaps are equal.
    pub const EVEN: Self = Self(None);
    /// Requests that do not know of each other.
    pub const POISSON: Self = Self(Some(1.0));

    /// Takes a shape above 0; infinity is [`Burstiness::EVEN`].
    pub fn of_shape(shape: f64) -> Result<Self, BurstinessError> {
        if shape.is_nan() || shape <= 0.0 {
            Err(BurstinessError(shape))
        } else {
            Ok(Self(shape.is_finite().then_some(shape)))
        }
    }

    /// The shape; `None` where all gaps are equal.
    pub fn shape(self) -> Option<f64> {
        self.0
    }
}

impl TryFrom<Option<f64>> for Burstiness {
    type Error = BurstinessError;
    fn try_from(shape: Option<f64>) -> Result<Self, BurstinessError> {
        shape.map_or(Ok(Self::EVEN), Self::of_shape)
    }
}

impl From<Burstiness> for Option<f64> {
    fn from(burstiness: Burstiness) -> Self {
        burstiness.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(requests: u64, pace: Pace) -> Pacing {
        Pacing {
            requests,
            pace,
            burstiness: Burstiness::POISSON,
        }
    }

    fn ramp(from: f64, to: f64) -> Ramp {
        Ramp {
            from: Rate::per_second(from).unwrap(),
            to: Rate::per_second(to).unwrap(),
        }
    }

    fn rates(pacing: Pacing) -> Vec<f64> {
        (0..7).map(|index| pacing.rate_at(index)).collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?} and not {expected:?}");
        }
    }

    #[test]
    fn a_ramp_reaches_its_end_with_the_last_request_and_stays_there() {
        let linear = pacing(5, Pace::Linear(ramp(2.0, 10.0)));
        assert_near(&rates(linear), &[2.0, 4.0, 6.0, 8.0, 10.0, 10.0, 10.0]);
        let exponential = pacing(5, Pace::Exponential(ramp(1.0, 16.0)));
        assert_near(&rates(exponential), &[1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]);
        let falling = pacing(5, Pace::Linear(ramp(10.0, 2.0)));
        assert_near(&rates(falling)[..5], &[10.0, 8.0, 6.0, 4.0, 2.0]);
        assert_eq!(falling.highest_rate(), Rate::per_second(10.0).unwrap());
        assert!(falling.is_ramp());
    }

    #[test]
    fn a_rising_ramp_has_a_step_for_each_whole_rate() {
        // Rates 0.5, 1.5, 2.5, 3.5 and 4.5.
        let rising = pacing(5, Pace::Linear(ramp(0.5, 4.5)));
        assert_eq!(rising.whole_rates(), [(1, 1), (2, 2), (3, 3), (4, 4)]);
        let thirds = pacing(4, Pace::Linear(ramp(1.0, 4.0)));
        assert_eq!(thirds.whole_rates(), [(2, 1), (3, 2), (4, 3)]);
        let steep = pacing(3, Pace::Linear(ramp(2.0, 6.5)));
        assert_eq!(steep.whole_rates(), [(3, 1), (4, 1), (5, 2), (6, 2)]);
        assert!(
            pacing(5, Pace::Linear(ramp(4.5, 0.5)))
                .whole_rates()
                .is_empty()
        );
        let steady = Pace::Steady(Rate::per_second(4.0).unwrap());
        assert!(pacing(5, steady).whole_rates().is_empty());
    }

    #[test]
    fn a_ramp_of_one_request_has_the_rate_it_starts_from() {
        assert_near(
            &[pacing(1, Pace::Linear(ramp(3.0, 9.0))).rate_at(0)],
            &[3.0],
        );
        let steady = Pace::Fitted(Rate::per_second(4.0).unwrap());
        assert_near(&[pacing(0, steady).rate_at(12)], &[4.0]);
    }

    #[test]
    fn a_burstiness_is_above_zero_and_infinity_is_even() {
        assert_eq!(Burstiness::of_shape(f64::INFINITY), Ok(Burstiness::EVEN));
        assert_eq!(Burstiness::of_shape(1.0), Ok(Burstiness::POISSON));
        for wrong in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            assert!(Burstiness::of_shape(wrong).is_err(), "{wrong}");
        }
        for (burstiness, json) in [(Burstiness::EVEN, "null"), (Burstiness::POISSON, "1.0")] {
            assert_eq!(serde_json::to_string(&burstiness).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<Burstiness>(json).unwrap(),
                burstiness
            );
        }
        assert!(serde_json::from_str::<Burstiness>("-2.0").is_err());
    }
}
