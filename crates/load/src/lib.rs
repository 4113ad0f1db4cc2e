//! Sends requests to an LLM service and times them.

pub mod alignment;
pub mod aside;
pub mod background;
pub mod client;
pub mod clock;
pub mod counters;
pub mod engine;
pub mod exposition;
pub mod files;
pub mod own;
pub mod server_metrics;
pub mod target;
