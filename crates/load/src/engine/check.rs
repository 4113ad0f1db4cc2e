//! Single requests before any load: is the service there, and does it answer as it should?

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use crestline_core::record::Failure;
use crestline_core::request::{Audio, Generation, Item, Message, Prompt};
use crestline_core::units::Nanos;
use serde_json::Value;

use super::Engine;
use super::head::Names;
use crate::client::answer::Answer;
use crate::client::endpoint::Endpoint;
use crate::client::exchange::{Desk, End, Exchange, Limits, Outgoing, Parts};
use crate::client::http2::StreamExchange;
use crate::client::limits::Watch;
use crate::own::Asked;

/// How much of an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    FirstToken,
    End,
}

/// Sends a short request and waits for the first token, or for the whole answer where it is not streamed.
pub(super) async fn check(engine: &Engine) -> Result<(), Failure> {
    let setup = &engine.setup;
    let item = Item {
        max_tokens: Some(fewest_tokens(&setup.generation)),
        ..Item::new(0, hello(setup.endpoint))
    };
    exchange(engine, item, Until::FirstToken).await
}

/// Sends an item and waits for the whole answer.
pub(super) async fn whole(engine: &Engine, item: Item) -> Result<(), Failure> {
    exchange(engine, item, Until::End).await
}

/// Something short that an endpoint takes.
fn hello(endpoint: Endpoint) -> Prompt {
    let text = "hello".to_owned();
    match endpoint {
        Endpoint::OpenAiChat => Prompt::Messages(vec![Message::user(text)]),
        Endpoint::Rerank => Prompt::Texts(vec![text.clone(), text]),
        Endpoint::OpenAiTranscription => Prompt::Audio(Arc::new(silence())),
        _ => Prompt::Text(text),
    }
}

/// A second of silence as a WAV file: 16-bit samples, 16,000 of them, one channel.
fn silence() -> Audio {
    const RATE: u32 = 16_000;
    let size = 2 * RATE;
    let mut bytes = Vec::with_capacity(44 + size as usize);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + size).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    // Length of this part; plain samples, one channel; samples and bytes a second; bytes a sample, bits a sample.
    for word in [16, 1 | 1 << 16, RATE, 2 * RATE, 2 | 16 << 16] {
        bytes.extend_from_slice(&u32::to_le_bytes(word));
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.resize(44 + size as usize, 0);
    Audio {
        file_name: "silence.wav".to_owned(),
        bytes,
        length: Nanos::from_secs(1),
    }
}

/// The shortest answer that the settings allow: the service should not go on working after the test.
fn fewest_tokens(with: &Generation) -> u32 {
    let extra = with.extra.get("min_tokens").and_then(Value::as_u64);
    let extra = extra.and_then(|least| u32::try_from(least).ok());
    extra.or(with.min_tokens).unwrap_or(1).max(1)
}

/// Sends an item over a connection of its own.
async fn exchange(engine: &Engine, item: Item, until: Until) -> Result<(), Failure> {
    let setup = &engine.setup;
    let asked = Asked {
        model: setup.model_at(item.index),
        generation: &setup.generation,
    };
    let request = setup.own.body(setup.endpoint, item, &asked, engine.clock)?;
    let mut body = Vec::new();
    request.write(&mut body);
    match answer(engine, body.into(), until).await? {
        End::Complete => Ok(()),
        End::Failed(failure) | End::ClosedUnanswered(failure) => Err(failure),
    }
}

async fn answer(engine: &Engine, body: Bytes, until: Until) -> Result<End, Failure> {
    let id = engine.ids.of_check();
    let desk = Desk::new(engine.clock);
    let mut answer = engine.setup.blank_answer();
    let limits = Limits {
        read: engine.setup.target.read_timeout,
        total: engine.setup.target.total_timeout,
    };
    if engine.route.is_http2() {
        let link = engine.route.connect_http2(engine.clock).await?;
        let sent = Rc::new(link).send(engine.head.http2(Names::alone(&id), body.len()), body);
        let watch = Watch::new(desk.clock, desk.clock.now(), limits);
        let mut exchange = StreamExchange::new(&desk, sent, &mut answer, watch);
        return Ok(poll_fn(|cx| goes_on(until, |heard| exchange.poll(cx, heard))).await);
    }
    let mut wire = engine.route.connect().await?;
    let mut out = Outgoing::new(engine.head.http1(Names::alone(&id), body.len()), body);
    let parts = Parts {
        desk: &desk,
        wire: &mut wire,
        out: &mut out,
        answer: &mut answer,
    };
    let mut exchange = Exchange::new(parts, desk.clock.now(), limits);
    Ok(poll_fn(|cx| goes_on(until, |heard| exchange.poll(cx, heard))).await)
}

/// Goes on with an exchange. Where only the first token is waited for, it is as good as the end.
fn goes_on(
    until: Until,
    poll: impl FnOnce(&mut dyn FnMut(Nanos, &Answer)) -> Poll<End>,
) -> Poll<End> {
    let mut spoke = false;
    match poll(&mut |_, answer| spoke |= answer.progress().1.is_some()) {
        Poll::Pending if spoke && until == Until::FirstToken => Poll::Ready(End::Complete),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_asks_for_the_shortest_answer_that_the_settings_allow() {
        let mut with = Generation::default();
        assert_eq!(fewest_tokens(&with), 1);
        with.min_tokens = Some(7);
        assert_eq!(fewest_tokens(&with), 7);
        with.extra.insert("min_tokens".to_owned(), Value::from(9));
        assert_eq!(fewest_tokens(&with), 9);
    }

    #[test]
    fn the_silence_is_a_wav_file_of_a_second() {
        let bytes = silence().bytes;
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(
            (&bytes[..4], &bytes[8..16], &bytes[36..40]),
            (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
        );
        assert_eq!(
            (word(4) as usize, word(40) as usize),
            (bytes.len() - 8, bytes.len() - 44)
        );
        assert_eq!((word(24), word(28)), (16_000, 32_000));
        assert_eq!((word(20), word(32)), (0x0001_0001, 0x0010_0002));
    }
}
