//! A simulated LLM inference engine: continuous batching, key-value cache, prefill budget, faults.
//!
//! One state machine ([`model`]) and two drivers: [`virtual_time`] by an event queue, [`server`] in real time behind HTTP.
//! No tensor is ever computed: answers are words, speeds are those of a [`profile`].

pub mod fault;
pub mod model;
pub mod profile;
pub mod server;
pub mod virtual_time;
