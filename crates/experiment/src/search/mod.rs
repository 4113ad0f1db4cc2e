//! Searches for the loads that meet an SLA.

pub mod journal;
pub mod outcome;
