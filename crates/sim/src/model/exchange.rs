//! What goes into the engine and what comes out.
//!
//! Plain data; what it means is in the fields.

use std::sync::Arc;

/// What one sequence asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineRequest {
    /// Prompt length in tokens; 0 counts as 1.
    pub prompt_tokens: u32,
    /// Answer length in tokens, exactly; 0 counts as 1.
    pub output_tokens: u32,
    /// Names of the sequence's full blocks, as [`block_hashes`](super::prefix::block_hashes) gives them; may reach into the answer
    /// where the caller knows it. `None` shares nothing with others.
    pub hashes: Option<Arc<[u64]>>,
}

/// What became of a submitted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It waits for an iteration.
    Queued,
    /// As many are there as may run and wait together (HTTP 429).
    QueueFull,
    /// It can never fit: longer than the model's context or the whole cache (HTTP 400).
    TooLong,
}

/// What one sequence has to show at the end of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The id given at submission.
    pub id: u64,
    /// New tokens, at least 1.
    pub tokens: u32,
    /// The answer is complete; the sequence is gone.
    pub finished: bool,
    /// Prompt tokens that came from the prefix cache.
    pub cached_tokens: u32,
}

/// The engine's state at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Gauges {
    /// Sequences in the batch.
    pub running: u32,
    /// Sequences that wait.
    pub waiting: u32,
    /// Used share of the key-value cache, 0 to 1; 0 without a limit.
    pub kv_usage: f64,
}

/// Totals of speculative decoding since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftCounters {
    /// Drafts checked: one for each sequence and step.
    pub drafts: u64,
    /// Tokens in them.
    pub draft_tokens: u64,
    /// Tokens accepted, by their place in the draft.
    pub accepted: Vec<u64>,
}

/// Totals since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Iterations ended.
    pub iterations: u64,
    /// Sequences that lost their blocks and were computed again.
    pub preemptions: u64,
    /// Prompt tokens of sequences whose prefill is done, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub generation_tokens: u64,
    /// Prompt tokens looked up in the prefix cache.
    pub prefix_queries: u64,
    /// Of those, found.
    pub prefix_hits: u64,
}
