//! Arrivals of many users who do not know of each other: a Poisson process.
//!
//! Is not rescaled to a fixed total as other tools do: the number of arrivals in a span is itself random, and
//! bursts and lulls stay as long as they are.

use super::draws::Draws;
use crate::units::{Nanos, Rate};

/// Separates these draws from those that others make with the same seed.
const STREAM: u64 = 0x61_72_72_69_76_61_6c; // "arrival"

/// Gaps are independent and exponential with mean `1 / rate`, the one before the first arrival too.
#[derive(Debug, Clone)]
pub struct Poisson {
    mean_gap_s: f64,
    elapsed_s: f64,
    draws: Draws,
}

impl Poisson {
    /// `rate` a second on average, the same times for the same seed.
    pub fn new(rate: Rate, seed: u64) -> Self {
        Self {
            mean_gap_s: 1.0 / rate.value(),
            elapsed_s: 0.0,
            draws: Draws::new(seed, STREAM),
        }
    }
}

impl Iterator for Poisson {
    type Item = Nanos;

    /// The next gap is `-ln(u) / rate`, the inverse of the exponential distribution function at `1 - u`.
    fn next(&mut self) -> Option<Nanos> {
        self.elapsed_s += -self.draws.unit().ln() * self.mean_gap_s;
        Some(Nanos::from_secs_f64(self.elapsed_s))
    }
}
