//! What is asked of a search.

use serde::{Deserialize, Serialize};

use crate::sla::{Group, Slo};
use crate::units::Nanos;

/// What the load is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// Users of a closed loop, each with one request in flight: whole numbers.
    Users,
    /// Requests a second of an open loop.
    Rate,
}

/// The loads that may be tried, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Above 0; at least 1 for users.
    pub lowest: f64,
    /// At least `lowest`.
    pub highest: f64,
}

/// How much a search may spend; whatever is used up first ends it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// Time of load.
    pub time: Option<Nanos>,
    /// Requests sent.
    pub requests: Option<u64>,
    /// Tokens of answers received.
    pub tokens: Option<u64>,
}

/// What is asked of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What is varied.
    pub variable: Variable,
    /// Where it may go.
    pub bounds: Bounds,
    /// The load that is tried first, within the bounds.
    pub first: f64,
    /// Each has an answer of its own; all share the evidence.
    pub groups: Vec<Group>,
    /// What goodput counts, where a group asks for it.
    pub slo: Slo,
    /// How sure the reported load must be to meet the criteria, in 0.5..1.
    pub confidence: f64,
    /// Relative precision at which a search may end.
    pub tolerance: f64,
    /// What may be spent.
    pub budget: Budget,
}
