//! Conversations of several turns: where they come from, how long they are and how long a user thinks.
//!
//! Says what is meant and checks nothing: opening a workload does.

use crestline_core::units::Nanos;
use serde::{Deserialize, Serialize};

use super::{AroundLength, PromptSamples, ShareGptSamples};

/// Conversations. They are for chats: a turn is a list of messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationSamples {
    /// Where the turns come from.
    pub source: ConversationSource,
    /// How many of them a conversation has.
    pub turns: TurnCounts,
    /// Think time between the end of an answer and the next turn.
    pub pause: Nanos,
}

/// Where turns come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationSource {
    /// Random words of exact token length.
    Random(RandomTurns),
    /// What people said in stored conversations: a JSON array of objects with `conversations`.
    ShareGpt(ShareGptSamples),
    /// The same from lines with `messages` or `conversations`.
    Messages(PromptSamples),
}

/// How many turns a conversation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnCounts {
    /// Least, at least 1. Stored conversations that are shorter are left out.
    pub least: u32,
    /// Most, inclusive: stored conversations are cut there, and `None` leaves them whole. Conversations that are made have a
    /// number of turns drawn uniformly from `least` to here; `None` is `least`.
    pub most: Option<u32>,
}

/// Turns of random words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandomTurns {
    /// Input of a turn, without what was said before.
    pub input: AroundLength,
    /// Output, at least 1.
    pub output: AroundLength,
    /// What turns begin with. They have no history then: each is whole by itself.
    pub shared: Option<SharedTurns>,
}

/// Shares of a turn's input that others have too; each at least 0, together below 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharedTurns {
    /// That all turns of all conversations begin with.
    pub by_all: f64,
    /// That follows it in all turns of the same conversation.
    pub by_conversation: f64,
}
