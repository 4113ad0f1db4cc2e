//! Conversations: requests that follow on each other.
//!
//! Says what is sent, and knows neither bodies nor clocks: a later turn is complete only when the answer before it is there.

use super::Item;
use crate::units::Nanos;

/// Turns that are sent one after the other, each when the one before it has been answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// At least one. All have the index of the conversation.
    pub turns: Vec<Turn>,
    /// What each turn begins with.
    pub history: History,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What is new in it: its own messages, without those of the turns before.
    pub item: Item,
    /// Think time: from the end of the turn before until this one is due. Of the first turn it has no effect.
    pub pause: Nanos,
}

/// What a turn begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum History {
    /// The messages of all turns before it, with the answers that the service gave.
    #[default]
    Live,
    /// Nothing: a turn is whole by itself.
    Nothing,
}
