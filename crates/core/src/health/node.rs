//! The part of a load that one of several machines applied: how well its client kept up, and how far its clock is known.
//!
//! Measures nothing and knows nothing of how machines speak to each other.

use serde::{Deserialize, Serialize};

use super::ClientHealth;
use crate::units::Nanos;

/// One machine's part of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeHealth {
    /// What it is called.
    pub name: String,
    /// Requests that it handed over, warm-up included.
    pub requests: u64,
    /// How well its client kept up.
    pub health: ClientHealth,
    /// How its clock lies to that of the machine which collects.
    pub clock: ClockFit,
    /// Why its part is not whole, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Loss>,
}

/// How another machine's clock lies to one's own, found by messages back and forth: of many the one that took least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockFit {
    /// What the other clock shows more, in ns: `other - (sent + received) / 2`. Clocks count from when a machine was started,
    /// so that this may be days.
    pub offset_ns: i64,
    /// By how much that may be wrong: half the round trip.
    pub bound: Nanos,
    /// By how much the offset was another at the end, in ns; within the sum of both bounds it says nothing.
    pub drift_ns: i64,
}

/// A machine whose part ended before it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// From the start of the counted requests.
    pub after: Nanos,
    /// What is known of it, in words.
    pub why: String,
}
