//! The simulated engine in virtual time in the place of a live service: the same loads, the same records.
//!
//! [`VirtualSession`] is one uninterrupted session with the engine, whose load may be changed at any time.
//! [`EngineView`] says what the engine has to know of a workload's items, [`ConversationView`] of the turns of conversations.
//!
//! There is no network and no client in virtual time: a request is sent in the very moment in which it may be, and no
//! record has a connection, a reconnect or a send lag. Nothing here waits or reads a clock.

mod conversations;
mod engine_view;
mod flights;
mod session;

pub use conversations::{ConversationView, VirtualConversations, VirtualTurn};
pub use engine_view::EngineView;
pub use session::{Measured, SessionSettings, Source, Until, VirtualSession};

use std::sync::Arc;

use crestline_core::record::Exchange;

/// What the engine has to know of one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VirtualRequest {
    /// Prompt length.
    pub prompt_tokens: u32,
    /// Length of each answer, `n` of them, at least one.
    pub answers: Vec<u32>,
    /// Longest answer that it asks for, of each choice; `None` leaves it to the service.
    pub asked_output: Option<u32>,
    /// The request itself forces these lengths, so that a client knows them before.
    pub is_forced: bool,
    /// Names of the prompt's full blocks, for engines with a prefix cache.
    pub hashes: Option<Arc<[u64]>>,
    /// Texts for the record, where they are kept.
    pub exchange: Option<Box<Exchange>>,
}
