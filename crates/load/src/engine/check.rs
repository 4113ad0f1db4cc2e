//! One short request before any load: is the service there, and does it answer as it should?

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use crestline_core::record::Failure;
use crestline_core::request::{Item, Message, Prompt};

use super::Engine;
use super::head::request_head;
use crate::client::answer::Answer;
use crate::client::endpoint::{self, Endpoint};
use crate::client::exchange::{Desk, End, Exchange, Limits, Outgoing, Parts};

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
    let mut head = request_head(setup, &engine.route);
    head.extend_from_slice(
        format!(
            "{}-check\r\nContent-Length: {}\r\n\r\n",
            engine.run_id,
            body.len()
        )
        .as_bytes(),
    );

    let mut wire = engine.route.connect().await?;
    let desk = Desk::new(engine.clock);
    let (mut out, mut answer) = (Outgoing::new(head, body), Answer::default());
    let limits = Limits {
        read: setup.target.read_timeout,
        total: setup.target.total_timeout,
    };
    let parts = Parts {
        desk: &desk,
        wire: &mut wire,
        out: &mut out,
        answer: &mut answer,
    };
    let mut exchange = Exchange::new(parts, desk.clock.now(), limits);
    let spoke = Cell::new(false);
    let end = poll_fn(|cx| {
        match exchange.poll(cx, |_, answer| spoke.set(answer.progress().1.is_some())) {
            Poll::Pending if spoke.get() => Poll::Ready(End::Complete),
            other => other,
        }
    });
    match end.await {
        End::Complete => Ok(()),
        End::Failed(failure) | End::ClosedUnanswered(failure) => Err(failure),
    }
}
