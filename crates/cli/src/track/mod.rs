//! Trackers: programs and services of others that are told of a measurement while it goes on.
//!
//! [`told`] is what they are told, `tracker` the queue and the thread between the measurement and one of them, [`Trackers`]
//! all of a command, [`Pulse`] makes live points, [`args`] says who is told. A `Sink` is what a tracker is written against:
//! it takes its time on a thread of its own. Nothing here measures, and nothing that a tracker does slows a measurement or
//! changes its exit code: what does not fit is dropped and counted.

pub(crate) mod args;
mod mlflow;
mod pulse;
mod python;
pub(crate) mod told;
mod tracker;
mod trackers;

pub(crate) use pulse::{Flights, Pulse};
pub(crate) use trackers::Trackers;
