//! Conversations: what follows on an answer, and when.
//!
//! A conversation has one slot of the load from its first turn to the end of its last, its think times included; every loop
//! treats it as one long request. Later turns are written from what was prepared and from the answers that came, which takes
//! no more than putting texts together.

use std::vec;

use bytes::Bytes;
use crestline_core::record::{RequestRecord, TurnPlace};
use crestline_core::request::History;
use crestline_core::units::Nanos;
use serde_json::{Map, Value, json};

use super::Setup;
use super::prepare::Written;
use crate::client::endpoint::Endpoint;

/// Whether bodies have a list of messages of their own: those of chats, unless an extra field takes its place.
pub(super) fn fit(setup: &Setup) -> bool {
    let is_taken = setup.generation.extra.contains_key("messages");
    setup.endpoint == Endpoint::OpenAiChat && !is_taken
}

/// The turns of a conversation that are still to come, and what was said so far.
#[derive(Debug)]
pub(crate) struct Thread {
    /// Of the turn that was sent last; number 0 before the first.
    place: TurnPlace,
    /// Turns of the longest conversation of the workload.
    most: u32,
    /// What the service is told the conversation's name is.
    session: String,
    history: History,
    /// Messages of all turns so far and their answers, as they stand in a list in JSON.
    said: Vec<u8>,
    /// The next turn, complete.
    next: Option<Written>,
    to_come: vec::IntoIter<Later>,
}

/// A turn whose answers before are not there yet.
#[derive(Debug)]
pub(crate) struct Later {
    /// Body with the messages of this turn alone.
    pub(crate) written: Written,
    /// Where these are in it, without the brackets of their list.
    pub(crate) own: Own,
    /// Think time before it.
    pub(crate) pause: Nanos,
}

/// Where the messages of a body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Own {
    /// In a body that is written without blanks between its fields; `None` without a list of messages.
    pub(crate) fn find(fields: &Map<String, Value>) -> Option<Self> {
        let length = |value: &Value| value.to_string().len();
        let mut at = 1;
        for (name, value) in fields {
            // The name in quotes, and a colon.
            at += length(&json!(name)) + 1;
            let end = at + length(value);
            if name == "messages" && value.is_array() {
                return Some(Self {
                    from: at + 1,
                    to: end - 1,
                });
            }
            at = end + 1;
        }
        None
    }
}

impl Thread {
    /// A conversation whose first turn says `first`.
    pub(crate) fn new(
        conversation: (u64, u32),
        history: History,
        first: &[u8],
        later: Vec<Later>,
    ) -> Self {
        let (index, most) = conversation;
        Self {
            place: TurnPlace {
                conversation: index,
                turn: 0,
                turns: later.len() as u32 + 1,
            },
            most,
            session: String::new(),
            history,
            said: if history == History::Live {
                first.to_vec()
            } else {
                Vec::new()
            },
            next: None,
            to_come: later.into_iter(),
        }
    }

    /// The name of the conversation, as the service is told it.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// The conversation gets its name.
    pub(crate) fn call(&mut self, name: String) {
        self.session = name;
    }

    /// The next turn is about to be sent: its record gets its place and its own id.
    pub(crate) fn begin(&mut self, record: &mut RequestRecord) {
        let before = u64::from(self.place.turn);
        self.place.turn += 1;
        record.index = self.place.conversation * u64::from(self.most) + before;
        record.request_id = format!("{}-{}", self.session, self.place.turn);
        record.turn = Some(self.place);
    }

    /// The turn in flight was answered with this. Gives the think time before the next turn, which is ready then; `None`
    /// after the last one.
    pub(crate) fn hear(&mut self, answer: &str) -> Option<Nanos> {
        let Later {
            mut written,
            own,
            pause,
        } = self.to_come.next()?;
        if self.history == History::Live {
            written.body = self.with_history(&written.body, own, answer);
        }
        self.next = Some(written);
        Some(pause)
    }

    fn with_history(&mut self, body: &Bytes, own: Own, answer: &str) -> Bytes {
        let answered = json!({"role": "assistant", "content": answer});
        self.said.push(b',');
        serde_json::to_writer(&mut self.said, &answered).expect("a JSON map has a text");
        self.said.push(b',');
        let mut whole = Vec::with_capacity(self.said.len() + body.len());
        whole.extend_from_slice(&body[..own.from]);
        whole.extend_from_slice(&self.said);
        whole.extend_from_slice(&body[own.from..]);
        self.said.extend_from_slice(&body[own.from..own.to]);
        whole.into()
    }

    /// The turn that is ready.
    pub(crate) fn take_next(&mut self) -> Option<Written> {
        self.next.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(text: &str, pause: Nanos) -> Later {
        let fields = json!({"model": "ü", "messages": [{"role": "user", "content": text}], "n": 1});
        let fields = fields.as_object().unwrap();
        let own = Own::find(fields).unwrap();
        let body = serde_json::to_vec(fields).unwrap().into();
        let written = Written {
            body,
            prompt_tokens: None,
            asked_output: None,
            expected_tokens: None,
            fault: None,
        };
        Later {
            written,
            own,
            pause,
        }
    }

    #[test]
    fn each_turn_begins_with_all_that_was_said_and_answered() {
        let first = br#"{"role":"user","content":"one"}"#;
        let turns = vec![later("two", Nanos(7)), later("three", Nanos(9))];
        let mut thread = Thread::new((4, 5), History::Live, first, turns);
        thread.call("s".to_owned());
        assert_eq!(thread.hear("an \"answer\""), Some(Nanos(7)));
        let body = thread.take_next().unwrap().body;
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"model":"ü","messages":[{"role":"user","content":"one"},{"role":"assistant","content":"an \"answer\""},{"role":"user","content":"two"}],"n":1}"#
        );
        assert_eq!(thread.hear(""), Some(Nanos(9)));
        let body: Value = serde_json::from_slice(&thread.take_next().unwrap().body).unwrap();
        let said: Vec<&str> = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["content"].as_str().unwrap())
            .collect();
        assert_eq!(said, ["one", "an \"answer\"", "two", "", "three"]);
        assert_eq!(thread.hear("the end"), None);
    }

    #[test]
    fn turns_that_are_whole_by_themselves_stay_as_they_are() {
        let turns = vec![later("two", Nanos::ZERO)];
        let body = turns[0].written.body.clone();
        let mut thread = Thread::new((0, 2), History::Nothing, b"{}", turns);
        thread.hear("an answer");
        assert_eq!(thread.take_next().unwrap().body, body);
    }

    #[test]
    fn turns_have_names_and_indices_of_their_own() {
        let mut thread = Thread::new((3, 4), History::Live, b"{}", vec![later("b", Nanos::ZERO)]);
        thread.call("run-3".to_owned());
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut record = RequestRecord::new(0, crestline_core::record::Phase::Measured);
            thread.begin(&mut record);
            let place = record.turn.unwrap();
            seen.push((record.index, record.request_id, place.turn, place.turns));
        }
        assert_eq!(
            seen,
            [
                (12, "run-3-1".to_owned(), 1, 2),
                (13, "run-3-2".to_owned(), 2, 2)
            ]
        );
    }
}
