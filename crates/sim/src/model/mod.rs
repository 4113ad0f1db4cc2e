//! The engine as a state machine: requests go in, iterations come out.
//!
//! Knows no clock, no socket and no task. A driver says when an iteration begins and is told how long it takes.
//! Within an iteration decodes come first, then waiting prompts are prefilled in chunks, as far as the token budget,
//! the number of sequences and the key-value cache allow. The iteration that completes a prompt emits the first token.

mod blocks;
mod engine;
mod exchange;
mod pace;
pub mod prefix;

pub use engine::Engine;
pub use exchange::{Admission, Counters, DraftCounters, EngineRequest, Gauges, Progress};
