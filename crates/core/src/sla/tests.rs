//! Tests of criteria: what is read, what is refused and how, what is printed, what a run is worth.

mod errors;
mod reading;
mod verdicts;

use super::{Slo, Timed};

/// Limits for goodput, where a test only needs some.
fn slo() -> Slo {
    Slo {
        limits: vec![(Timed::Ttft, 0.5)],
    }
}
