//! Makes request bodies ahead of time, on threads of their own, so that making one never delays a send.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use crestline_core::record::Failure;
use crestline_core::request::{Conversation, Item};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::conversation::{Later, Own, Thread};
use super::setup::{Setup, Share};
use crate::client::endpoint::asked_output;
use crate::clock::Clock;
use crate::own::Asked;

/// Bodies kept ready a worker: at least, and at most.
const AHEAD: (usize, usize) = (256, 1024);
/// The same where the user's own code makes them, which may pause: its interpreter does one thing at a time.
const OWN_AHEAD: usize = 4096;

/// Priority of the threads: a worker that shares a processor with them goes first. It waits for them only when it has used up
/// what they made, and then they have the processor.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// A request ready to be sent, or a conversation whose first turn is.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Position among the requests of its phase.
    pub(crate) number: u64,
    pub(crate) written: Written,
    /// What follows on the answer.
    pub(crate) thread: Option<Box<Thread>>,
}

/// What is sent, and what is known of it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) body: Bytes,
    /// Input length by the client's tokenizer.
    pub(crate) prompt_tokens: Option<u32>,
    /// Longest answer that the body asks for, of each choice.
    pub(crate) asked_output: Option<u32>,
    /// Output length of all choices together, where the body forces it.
    pub(crate) expected_tokens: Option<u32>,
    /// Why there is nothing to send.
    pub(crate) fault: Option<Failure>,
}

impl Written {
    /// A request that cannot be made.
    fn failed(fault: Failure) -> Self {
        Self {
            body: Bytes::new(),
            prompt_tokens: None,
            asked_output: None,
            expected_tokens: None,
            fault: Some(fault),
        }
    }
}

/// The requests of one worker, in order.
#[derive(Debug)]
pub(crate) struct Queue {
    /// One channel a preparing thread; they take turns.
    channels: Vec<mpsc::Receiver<Prepared>>,
    turn: usize,
}

impl Queue {
    /// Starts to prepare the requests of a worker's share; the threads end when they are done or the queue is dropped.
    pub(crate) fn start(setup: &Arc<Setup>, share: Share, threads: NonZeroUsize) -> Self {
        let ahead = if setup.own.makes(&setup.workload) {
            OWN_AHEAD
        } else {
            share.slots().unwrap_or(0).clamp(AHEAD.0, AHEAD.1)
        };
        let ahead = ahead.div_ceil(threads.get());
        setup.own.made_by(threads.get() * share.workers.get());
        let channels = (0..threads.get()).map(|turn| {
            let (sender, receiver) = mpsc::channel(ahead);
            let setup = Arc::clone(setup);
            let numbers = share.numbers().skip(turn).step_by(threads.get());
            thread::Builder::new()
                .name("prepare".to_owned())
                .spawn(move || prepare(&setup, share, numbers, &sender))
                .expect("the system can start a thread");
            receiver
        });
        Self {
            channels: channels.collect(),
            turn: 0,
        }
    }

    /// The next request, where it is ready.
    pub(crate) fn try_next(&mut self) -> Option<Prepared> {
        let next = self.channels[self.turn].try_recv().ok()?;
        self.turn = (self.turn + 1) % self.channels.len();
        Some(next)
    }

    /// Waits for the next request; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<Prepared> {
        let next = self.channels[self.turn].recv().await?;
        self.turn = (self.turn + 1) % self.channels.len();
        Some(next)
    }
}

fn prepare(
    setup: &Setup,
    share: Share,
    numbers: impl Iterator<Item = u64>,
    to: &mpsc::Sender<Prepared>,
) {
    // On Linux a priority is a thread's. Refused, all stays as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
    let mut writer = Writer {
        setup,
        clock: Clock::start(),
        text: Vec::new(),
    };
    let most = setup.workload.most_turns();
    for number in numbers {
        let index = share.first_item + number;
        let position = share.first_index + number;
        let spoken = most.and_then(|most| Some((most, setup.workload.conversation(index)?)));
        let (written, thread) = if let Some((most, conversation)) = spoken {
            let (written, thread) = writer.conversation((position, most), conversation);
            (written, Some(thread))
        } else {
            (writer.alone(index, position), None)
        };
        let prepared = Prepared {
            number,
            written,
            thread,
        };
        if to.blocking_send(prepared).is_err() {
            break;
        }
    }
}

/// Writes bodies.
struct Writer<'a> {
    setup: &'a Setup,
    /// For how long what is the user's own takes.
    clock: Clock,
    text: Vec<u8>,
}

impl Writer<'_> {
    /// A request that stands alone.
    fn alone(&mut self, index: u64, position: u64) -> Written {
        let item = self.setup.own.item(&self.setup.workload, index, self.clock);
        let written = item.and_then(|item| self.write(item, position));
        written.map_or_else(Written::failed, |(written, _)| written)
    }

    /// The request of an item at a position of the load, and its fields.
    fn write(
        &mut self,
        item: Item,
        position: u64,
    ) -> Result<(Written, Map<String, Value>), Failure> {
        let prompt_tokens = item.prompt_tokens;
        let setup = self.setup;
        let model = setup.model_at(position);
        let asked = Asked {
            model,
            generation: &setup.generation,
        };
        let body = setup.own.body(setup.endpoint, item, &asked, self.clock)?;
        let expected_tokens = forced_tokens(&body.fields);
        self.text.clear();
        body.write(&mut self.text);
        let written = Written {
            // A copy of exactly its size: thousands of bodies are held at once.
            body: Bytes::copy_from_slice(&self.text),
            prompt_tokens,
            asked_output: asked_output(&body.fields),
            expected_tokens,
            fault: None,
        };
        Ok((written, body.fields))
    }

    /// The first turn, and what follows on it.
    fn conversation(
        &mut self,
        place: (u64, u32),
        conversation: Conversation,
    ) -> (Written, Box<Thread>) {
        let mut turns = conversation.turns.into_iter().map(|turn| {
            let (written, fields) = self
                .write(turn.item, place.0)
                .expect("the engine has checked that the endpoint itself makes turns");
            let own = Own::find(&fields).expect("the engine has checked that turns have messages");
            Later {
                written,
                own,
                pause: turn.pause,
            }
        });
        let first = turns.next().expect("a conversation has a turn");
        let said = &first.written.body[first.own.from..first.own.to];
        let thread = Thread::new(place, conversation.history, said, turns.collect());
        (first.written, Box::new(thread))
    }
}

/// Output length of all choices together, where the body names one and forbids to end before it.
fn forced_tokens(body: &Map<String, Value>) -> Option<u32> {
    let number = |name| u32::try_from(body.get(name)?.as_u64()?).ok();
    let most = asked_output(body)?;
    let ignores_end = body.get("ignore_eos") == Some(&Value::Bool(true));
    let has_stops = body.contains_key("stop") || body.contains_key("stop_token_ids");
    let is_forced = !has_stops && (ignores_end || number("min_tokens") >= Some(most));
    is_forced.then(|| most.saturating_mul(number("n").unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_length_is_known_where_it_is_named_and_nothing_ends_it_before() {
        let check = |body: &str, expected| {
            assert_eq!(
                forced_tokens(&serde_json::from_str(body).unwrap()),
                expected,
                "{body}"
            );
        };
        check(r#"{"max_tokens":9}"#, None);
        check(r#"{"max_tokens":9,"ignore_eos":true}"#, Some(9));
        check(r#"{"max_tokens":9,"ignore_eos":false}"#, None);
        check(
            r#"{"max_completion_tokens":9,"max_tokens":5,"min_tokens":9,"n":3}"#,
            Some(27),
        );
        check(r#"{"max_tokens":9,"min_tokens":8}"#, None);
        check(r#"{"ignore_eos":true}"#, None);
        check(r#"{"max_tokens":9,"ignore_eos":true,"stop":"."}"#, None);
    }
}
