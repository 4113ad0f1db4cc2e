//! One short request before any load: is the service there, and does it answer as it should?

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use crestline_core::record::Failure;
use crestline_core::request::{Item, Message, Prompt};
use crestline_core::units::Nanos;

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
    let max_tokens = setup.workload.item(0).max_tokens;
    let item = Item {
        index: 0,
        prompt,
        prompt_tokens: None,
        max_tokens,
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
