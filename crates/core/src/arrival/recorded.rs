//! Arrivals as they once were: the due times of a trace.
//!
//! Reads no trace and moves no times: the workload does.

use std::sync::Arc;

use crate::units::Nanos;

/// The times of a trace in the order of its requests, each at least the one before; ends with the trace.
#[derive(Debug, Clone)]
pub struct Recorded {
    times: Arc<[Nanos]>,
    next: usize,
    latest: Nanos,
}

impl Recorded {
    /// From the first time on. The times are shared, not copied.
    pub fn new(times: Arc<[Nanos]>) -> Self {
        Self {
            times,
            next: 0,
            latest: Nanos::ZERO,
        }
    }
}

impl Iterator for Recorded {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let due = *self.times.get(self.next)?;
        self.next += 1;
        self.latest = self.latest.max(due);
        Some(self.latest)
    }
}
