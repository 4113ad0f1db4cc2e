//! Sends requests to an LLM service and times them.

pub mod client;
pub mod clock;
pub mod engine;
pub mod files;
pub mod target;
