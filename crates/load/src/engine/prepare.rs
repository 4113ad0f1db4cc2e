//! Makes request bodies ahead of time, on threads of their own, so that making one never delays a send.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::setup::{Setup, Share};

/// Bodies kept ready a worker: at least, and at most.
const AHEAD: (usize, usize) = (256, 1024);

/// A request ready to be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Position among the requests of its phase.
    pub(crate) number: u64,
    pub(crate) body: Bytes,
    /// Input length by the client's tokenizer.
    pub(crate) prompt_tokens: Option<u32>,
    /// Output length of all choices together, where the body forces it.
    pub(crate) expected_tokens: Option<u32>,
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
        let ahead = share
            .slots()
            .unwrap_or(0)
            .clamp(AHEAD.0, AHEAD.1)
            .div_ceil(threads.get());
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
    let mut text = Vec::new();
    for number in numbers {
        let item = setup.workload.item(share.first_item + number);
        let prompt_tokens = item.prompt_tokens;
        let model = setup.model_at(share.first_index + number);
        let body = setup.endpoint.request(item, model, &setup.generation);
        let expected_tokens = forced_tokens(&body.fields);
        text.clear();
        body.write(&mut text);
        // A copy of exactly its size: thousands of bodies are held at once.
        let body = Bytes::copy_from_slice(&text);
        if to
            .blocking_send(Prepared {
                number,
                body,
                prompt_tokens,
                expected_tokens,
            })
            .is_err()
        {
            break;
        }
    }
}

/// Output length of all choices together, where the body names one and forbids to end before it.
fn forced_tokens(body: &Map<String, Value>) -> Option<u32> {
    let number = |name| u32::try_from(body.get(name)?.as_u64()?).ok();
    let lengths = ["max_completion_tokens", "max_output_tokens", "max_tokens"];
    let most = lengths.into_iter().find_map(number)?;
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
