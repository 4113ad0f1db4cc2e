//! Arrivals of a run of known length: gamma-distributed gaps, a ramp, a fixed total.
//!
//! Keeps no list of due times: a fitted run draws its gaps twice, once for their sum and once for the times.

use super::draws::Draws;
use crate::request::{Pace, Pacing};
use crate::units::Nanos;

/// Separates these draws from those that others make with the same seed.
const STREAM: u64 = 0x70_61_63_65_73; // "paces"

/// Due times of a [`Pacing`]: each is the sum of the gaps up to its own, so the first request is not due at once.
#[derive(Debug, Clone)]
pub struct Paced {
    pacing: Pacing,
    draws: Draws,
    /// Arrivals drawn so far.
    drawn: u64,
    elapsed_s: f64,
    /// Until the last request of a fitted run.
    fit: Option<Fit>,
}

/// How the times of a run are stretched.
#[derive(Debug, Clone, Copy)]
struct Fit {
    factor: f64,
    /// When the last request is due.
    end_s: f64,
}

impl Paced {
    /// The same times for the same seed, on every machine.
    pub fn new(pacing: Pacing, seed: u64) -> Self {
        let mut times = Self {
            pacing,
            draws: Draws::new(seed, STREAM),
            drawn: 0,
            elapsed_s: 0.0,
            fit: None,
        };
        times.fit = times.clone().fit();
        times
    }

    /// Where the gaps of a run are all zero, which a very bursty one may have, there is nothing to stretch.
    fn fit(mut self) -> Option<Fit> {
        let Pace::Fitted(rate) = self.pacing.pace else {
            return None;
        };
        let last_s = (0..self.pacing.requests)
            .map(|_| self.advance())
            .last()
            .filter(|last| last.is_finite() && *last > 0.0)?;
        let end_s = self.pacing.requests as f64 / rate.value();
        let factor = end_s / last_s;
        factor.is_finite().then_some(Fit { factor, end_s })
    }

    /// The next due time before it is stretched, in seconds.
    fn advance(&mut self) -> f64 {
        let relative = match self.pacing.burstiness.shape() {
            Some(shape) => self.draws.gamma_of_mean_one(shape),
            None => 1.0,
        };
        self.elapsed_s += relative / self.pacing.rate_at(self.drawn);
        self.drawn += 1;
        self.elapsed_s
    }
}

impl Iterator for Paced {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let drawn_s = self.advance();
        let due_s = match self.fit {
            None => drawn_s,
            Some(fit) if self.drawn < self.pacing.requests => (drawn_s * fit.factor).min(fit.end_s),
            Some(fit) => {
                self.fit = None;
                self.elapsed_s = fit.end_s;
                fit.end_s
            }
        };
        Some(Nanos::from_secs_f64(due_s))
    }
}

#[cfg(test)]
mod tests;
