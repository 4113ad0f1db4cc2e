//! One short request before any load: is the service there, and does it answer as it should?

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use crestline_core::record::Failure;
use crestline_core::request::{Generation, Item, Message, Prompt};
use crestline_core::units::Nanos;
use serde_json::Value;

use super::Engine;
use crate::client::answer::Answer;
use crate::client::endpoint::{self, Endpoint};
use crate::client::exchange::{Desk, End, Exchange, Limits, Outgoing, Parts};
use crate::client::http2::StreamExchange;
use crate::client::limits::Watch;

/// Sends it and waits for the first token, or for the whole answer where it is not streamed.
pub(super) async fn check(engine: &Engine) -> Result<(), Failure> {
    let setup = &engine.setup;
    let text = "hello".to_owned();
    let prompt = match setup.endpoint {
        Endpoint::OpenAiChat => Prompt::Messages(vec![Message::user(text)]),
        Endpoint::OpenAiCompletions => Prompt::Text(text),
    };
    let max_tokens = Some(fewest_tokens(&setup.generation));
    let item = Item {
        max_tokens,
        ..Item::new(0, prompt)
    };
    let body = endpoint::body(item, &setup.model, &setup.generation);
    let body: Bytes = serde_json::to_vec(&body)
        .expect("a JSON map has a text")
        .into();
    match first_token(engine, body).await? {
        End::Complete => Ok(()),
        End::Failed(failure) | End::ClosedUnanswered(failure) => Err(failure),
    }
}

/// The shortest answer that the settings allow: the service should not go on working after the test.
fn fewest_tokens(with: &Generation) -> u32 {
    let extra = with.extra.get("min_tokens").and_then(Value::as_u64);
    let extra = extra.and_then(|least| u32::try_from(least).ok());
    extra.or(with.min_tokens).unwrap_or(1).max(1)
}

/// Sends the request over a connection of its own.
async fn first_token(engine: &Engine, body: Bytes) -> Result<End, Failure> {
    let id = format!("{}-check", engine.run_id);
    let desk = Desk::new(engine.clock);
    let mut answer = Answer::default();
    let limits = Limits {
        read: engine.setup.target.read_timeout,
        total: engine.setup.target.total_timeout,
    };
    if engine.route.is_http2() {
        let link = engine.route.connect_http2(engine.clock).await?;
        let sent = Rc::new(link).send(engine.head.http2(&id, body.len()), body);
        let watch = Watch::new(desk.clock, desk.clock.now(), limits);
        let mut exchange = StreamExchange::new(&desk, sent, &mut answer, watch);
        return Ok(poll_fn(|cx| until_spoken(|heard| exchange.poll(cx, heard))).await);
    }
    let mut wire = engine.route.connect().await?;
    let mut out = Outgoing::new(engine.head.http1(&id, body.len()), body);
    let parts = Parts {
        desk: &desk,
        wire: &mut wire,
        out: &mut out,
        answer: &mut answer,
    };
    let mut exchange = Exchange::new(parts, desk.clock.now(), limits);
    Ok(poll_fn(|cx| until_spoken(|heard| exchange.poll(cx, heard))).await)
}

/// Goes on with an exchange; a first token is as good as its end.
fn until_spoken(poll: impl FnOnce(&mut dyn FnMut(Nanos, &Answer)) -> Poll<End>) -> Poll<End> {
    let mut spoke = false;
    match poll(&mut |_, answer| spoke |= answer.progress().1.is_some()) {
        Poll::Pending if spoke => Poll::Ready(End::Complete),
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
}
