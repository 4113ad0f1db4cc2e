//! Evenly spaced arrivals.
//!
//! Does not add up periods: each time is computed from its index, so it never drifts.

use crate::units::{Nanos, Rate};

/// Arrival `k` (from 0) is due at `k / rate`, rounded to the nanosecond; the first one at once.
#[derive(Debug, Clone)]
pub struct Constant {
    rate: Rate,
    next: u64,
}

impl Constant {
    /// Evenly, `rate` a second.
    pub fn new(rate: Rate) -> Self {
        Self { rate, next: 0 }
    }
}

impl Iterator for Constant {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let due = self.next as f64 / self.rate.value();
        self.next += 1;
        Some(Nanos::from_secs_f64(due))
    }
}
