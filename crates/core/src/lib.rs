//! Plain data and mathematics of crestline.
//!
//! Depends on no async runtime, opens nothing, reads no clock, and takes every seed as an argument.

pub mod arrival;
pub mod compare;
pub mod digest;
pub mod follow_ups;
pub mod health;
pub mod metrics;
pub mod nearest;
pub mod pareto;
pub mod record;
pub mod request;
pub mod schedule;
pub mod search;
pub mod segments;
pub mod server_series;
pub mod serving;
pub mod sla;
pub mod stats;
pub mod summary;
pub mod tally;
pub mod units;
