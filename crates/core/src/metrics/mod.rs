//! The metrics: what each is called, what it is measured in, from when, and how it is computed.
//!
//! The enum is the registry: names in files, columns of tables and criteria all come from here, and
//! `docs/metrics.md` has a section for each (a test compares the two). Knows single requests only; what a whole run
//! comes to is in [`crate::summary`].

mod definition;
mod measure;

pub use definition::{Definition, Over, Unit};
use serde::{Deserialize, Serialize};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Time to first token.
    Ttft,
    /// Inter-token latency: the gap between two events of an answer.
    Itl,
    /// Time per output token after the first.
    Tpot,
    /// Service time of a request.
    Latency,
    /// Time to first token as a user sees it, waiting included.
    TtftFromDue,
    /// Latency as a user sees it, waiting included.
    LatencyFromDue,
    /// Time to the first byte of the response.
    TimeToFirstByte,
    /// Time to the first reasoning text.
    TimeToFirstReasoning,
    /// Time to the first answer text.
    TimeToFirstAnswer,
    /// Time to make a connection, where one was made.
    Connect,
    /// Length of the prompt.
    InputTokens,
    /// Length of the answer.
    OutputTokens,
    /// Answer tokens a second of one request.
    OutputRate,
    /// Prompt and answer tokens a second of one request.
    TotalRate,
    /// Tokens a second of one request once it generates.
    DecodeRate,
    /// Events of one answer.
    ChunksPerRequest,
    /// Tokens that come with each event after the first.
    TokensPerGap,
    /// How long the run took.
    Duration,
    /// Successful requests a second.
    RequestThroughput,
    /// Answer tokens a second of all requests together.
    OutputThroughput,
    /// Prompt and answer tokens a second of all requests together.
    TotalThroughput,
    /// Share of requests that succeeded.
    SuccessRate,
}
