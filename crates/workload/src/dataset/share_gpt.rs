//! `share_gpt_zh` and `share_gpt_en`: conversations that end with what the user says last.

use std::path::Path;

use crestline_core::request::Message;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::DatasetError;
use super::file::{Wanted, for_each_record};
use crate::presentation::Content;

pub(super) const CHINESE: Wanted = Wanted {
    name: "share_gpt_zh",
    file: "common_zh_70k.jsonl",
    repository: "swift/sharegpt",
};
pub(super) const ENGLISH: Wanted = Wanted {
    name: "share_gpt_en",
    file: "common_en_70k.jsonl",
    repository: "swift/sharegpt",
};

#[derive(Deserialize)]
struct Record {
    conversation: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    human: String,
    #[serde(default)]
    assistant: String,
}

/// Conversations without a turn are left out.
pub(super) fn read(path: &Path) -> Result<Vec<Content>, DatasetError> {
    let mut prompts = Vec::new();
    for_each_record(path, |record: Record| {
        if !record.conversation.is_empty() {
            prompts.push(Content::Messages(history(record.conversation)));
        }
    })?;
    Ok(prompts)
}

/// All turns, without the last answer: that is what is asked for.
fn history(turns: Vec<Turn>) -> Vec<Message> {
    let mut messages = Vec::with_capacity(turns.len() * 2);
    for turn in turns {
        messages.push(Message::user(turn.human));
        messages.push(Message {
            role: "assistant".to_owned(),
            content: Value::String(turn.assistant),
            rest: Map::new(),
        });
    }
    messages.pop();
    messages
}
