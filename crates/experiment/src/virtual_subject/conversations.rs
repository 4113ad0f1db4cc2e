//! Conversations in virtual time: what the engine sees of each turn.
//!
//! The engine says nothing there; what a turn says again of the answers before it are made-up words, as many as tokens were
//! answered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::vec;

use crestline_core::request::{Conversation, History, Item, Message, Prompt, Turn};
use crestline_core::units::Nanos;
use crestline_workload::Workload;
use serde_json::{Map, Value};

use super::{EngineView, VirtualRequest};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualTurn {
    /// What the engine has to know of it.
    pub request: VirtualRequest,
    /// Turns of its conversation.
    pub turns: u32,
    /// Think time before it.
    pub pause: Nanos,
}

/// Conversations in place of single requests.
pub struct VirtualConversations {
    /// Turns of the longest one.
    pub most_turns: u32,
    /// Gives a turn by the number of its conversation, counted from 0 through all loads of the session, and its own, from 1.
    /// Turns of a conversation are asked for in order, a later one when the one before was answered.
    pub turn: Box<dyn FnMut(u64, u32) -> VirtualTurn + Send>,
}

impl fmt::Debug for VirtualConversations {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("VirtualConversations")
            .field("most_turns", &self.most_turns)
            .finish_non_exhaustive()
    }
}

/// Reads the conversations of a workload for the engine.
#[derive(Debug)]
pub struct ConversationView {
    view: EngineView,
    workload: Arc<Workload>,
    first_item: u64,
    most_turns: u32,
    /// Conversations of which more turns may be asked for.
    open: BTreeMap<u64, Course>,
}

/// A conversation as far as it came.
#[derive(Debug)]
struct Course {
    to_come: vec::IntoIter<Turn>,
    turns: u32,
    history: History,
    said: Vec<Message>,
}

impl ConversationView {
    /// Of a workload whose items are conversations, from this item on; `None` where they are not.
    pub fn of(view: EngineView, workload: &Arc<Workload>, first_item: u64) -> Option<Self> {
        Some(Self {
            view,
            workload: Arc::clone(workload),
            first_item,
            most_turns: workload.most_turns()?,
            open: BTreeMap::new(),
        })
    }

    /// Turns of the longest conversation.
    pub fn most_turns(&self) -> u32 {
        self.most_turns
    }

    /// The next turn of a conversation, the `number`-th from 1, and the item that a live service would be sent.
    pub fn turn(&mut self, conversation: u64, number: u32) -> (VirtualTurn, Item) {
        let index = self.first_item + conversation;
        let mut course = self
            .open
            .remove(&conversation)
            .unwrap_or_else(|| Course::of(&self.workload, index));
        let Turn { mut item, pause } = course.to_come.next().expect("a turn that is to come");
        // Each turn ends where its own draw says.
        item.index = index * u64::from(self.most_turns) + u64::from(number - 1);
        if course.history == History::Live {
            if let Prompt::Messages(own) = item.prompt {
                course.said.extend(own);
            }
            item.prompt = Prompt::Messages(course.said.clone());
        }
        let request = self.view.request(&item);
        let answer = request.answers.first().copied().unwrap_or(0);
        let text = self.view.words(item.index, answer);
        course.said.push(assistant(text));
        let turns = course.turns;
        if course.to_come.len() > 0 {
            self.open.insert(conversation, course);
        }
        let turn = VirtualTurn {
            request,
            turns,
            pause,
        };
        (turn, item)
    }
}

impl Course {
    fn of(workload: &Workload, index: u64) -> Self {
        let Conversation { turns, history } = workload
            .conversation(index)
            .expect("a workload of conversations has one at each index");
        Self {
            turns: turns.len() as u32,
            to_come: turns.into_iter(),
            history,
            said: Vec::new(),
        }
    }
}

fn assistant(text: String) -> Message {
    Message {
        role: "assistant".to_owned(),
        content: Value::String(text),
        rest: Map::new(),
    }
}
