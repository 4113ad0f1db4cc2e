//! What one response says and when: takes the pieces of a body with their arrival times, gives the facts of a record.
//!
//! Knows nothing of sockets: [`super::h1`] or an HTTP library says where the body is.

use crestline_core::record::{Failure, FailureKind, Gaps, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;

use super::delta::{self, Delta, Shape, Usage};
use super::h1::Head;
use super::sse::EventDecoder;

/// Most of an error body that is kept as the failure's text, in bytes.
const ERROR_TEXT_LIMIT: usize = 4 * 1024;
/// Longest answer that is not streamed, in bytes.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// The answer as far as it has been received.
#[derive(Debug, Default)]
pub struct Answer {
    events: EventDecoder,
    facts: Facts,
    /// A body that is not a stream of events.
    body: Vec<u8>,
}

/// What the events said.
#[derive(Debug, Default)]
struct Facts {
    shape: Option<Shape>,
    first_byte: Option<Nanos>,
    first_token: Option<Nanos>,
    first_reasoning: Option<Nanos>,
    first_answer: Option<Nanos>,
    last_token: Option<Nanos>,
    gaps: Gaps,
    chunks: u32,
    events: u64,
    usage: Usage,
    finished: bool,
    done: bool,
    answer: String,
    reasoning: String,
    tool_calls: String,
    failure: Option<Failure>,
}

/// The texts of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// The answer proper.
    pub answer: String,
    /// The reasoning.
    pub reasoning: String,
    /// Tool calls as JSON.
    pub tool_calls: String,
}

impl Answer {
    /// The first byte of the response has arrived.
    pub fn begin(&mut self, at: Nanos) {
        self.facts.first_byte.get_or_insert(at);
    }

    /// A byte of the response has arrived.
    pub fn has_begun(&self) -> bool {
        self.facts.first_byte.is_some()
    }

    /// A piece of the body, read at `at`.
    pub fn feed(&mut self, head: &Head, bytes: &[u8], at: Nanos) {
        if head.status == 200 && head.is_event_stream {
            let facts = &mut self.facts;
            self.events
                .feed(bytes, |event| facts.take_event(event.name, event.data, at));
        } else {
            let limit = if head.status == 200 {
                BODY_LIMIT
            } else {
                ERROR_TEXT_LIMIT
            };
            let room = limit.saturating_sub(self.body.len());
            self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// The body has ended by its own rules.
    pub fn finish(&mut self, head: &Head, at: Nanos) {
        if head.status != 200 {
            self.facts
                .fail(status_kind(head.status), &self.error_text(head));
        } else if head.is_event_stream {
            let facts = &mut self.facts;
            self.events
                .finish(|event| facts.take_event(event.name, event.data, at));
            facts.check_not_empty();
        } else {
            let body = std::mem::take(&mut self.body);
            self.facts.take_body(&body, at);
            self.facts.check_not_empty();
        }
    }

    /// A failure that was seen in what arrived.
    pub fn failure(&self) -> Option<&Failure> {
        self.facts.failure.as_ref()
    }

    /// The answer is whole, although the connection did not end it properly.
    pub fn is_complete_without_end(&self) -> bool {
        self.facts.done || (self.facts.finished && self.facts.usage.completion.is_some())
    }

    /// Events handled so far.
    pub fn events(&self) -> u64 {
        self.facts.events
    }

    /// Events with content so far, and when the first one came.
    pub fn progress(&self) -> (u32, Option<Nanos>) {
        (self.facts.chunks, self.facts.first_token)
    }

    /// Writes all facts into the record and gives the texts.
    pub fn settle(self, record: &mut RequestRecord, head: Option<&Head>) -> Texts {
        let facts = self.facts;
        record.status = head.map(|head| head.status);
        record.streamed = head.is_some_and(|head| head.is_event_stream);
        record.first_byte = facts.first_byte;
        record.first_token = facts.first_token;
        record.first_reasoning = facts.first_reasoning;
        record.first_answer = facts.first_answer;
        record.last_token = facts.last_token;
        record.gaps = facts.gaps;
        record.chunks = facts.chunks;
        let usage = |count| TokenCount {
            count,
            source: TokenSource::Usage,
        };
        record.prompt_tokens = facts.usage.prompt.map(usage);
        // Some servers send a usage of zero where they do not count.
        let counted = |&count: &u32| count > 0 || facts.chunks == 0;
        record.output_tokens = facts.usage.completion.filter(counted).map(usage);
        record.cached_tokens = facts.usage.cached;
        if record.failure.is_none() {
            record.failure = facts.failure;
        }
        Texts {
            answer: facts.answer,
            reasoning: facts.reasoning,
            tool_calls: facts.tool_calls,
        }
    }

    fn error_text(&self, head: &Head) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let mut text = format!("HTTP {}", head.status);
        if let Some(after) = &head.retry_after {
            text.extend([" (retry after ", after, ")"]);
        }
        if !body.trim().is_empty() {
            text.extend([": ", body.trim()]);
        }
        text
    }
}

impl Facts {
    fn take_event(&mut self, name: &[u8], data: &[u8], at: Nanos) {
        self.events += 1;
        if data == b"[DONE]" {
            self.done = true;
        } else if self.failure.is_none() && !data.is_empty() {
            if let Some(delta) = self.shape.as_ref().and_then(|shape| shape.read(data)) {
                return self.take_delta(&delta, at);
            }
            self.take_json(data, at);
            if name == b"error" {
                self.fail(FailureKind::ErrorInBody, &String::from_utf8_lossy(data));
            }
        }
    }

    fn take_json(&mut self, data: &[u8], at: Nanos) {
        match delta::read(data) {
            Ok(delta) => {
                if let Some(shape) = Shape::learn(data, &delta) {
                    self.shape = Some(shape);
                }
                self.take_delta(&delta, at);
            }
            Err(error) => {
                let text = format!("{error}: {}", String::from_utf8_lossy(data));
                self.fail(FailureKind::MalformedJson, &text);
            }
        }
    }

    fn take_delta(&mut self, delta: &Delta<'_>, at: Nanos) {
        if let Some(error) = &delta.error {
            self.fail(FailureKind::ErrorInBody, error);
        }
        if let Some(usage) = delta.usage {
            self.usage.prompt = usage.prompt.or(self.usage.prompt);
            self.usage.completion = usage.completion.or(self.usage.completion);
            self.usage.cached = usage.cached.or(self.usage.cached);
        }
        self.finished |= delta.finished;
        if delta.has_content() {
            self.take_content(delta, at);
        }
    }

    fn take_content(&mut self, delta: &Delta<'_>, at: Nanos) {
        if let Some(last) = self.last_token {
            self.gaps.push(at.saturating_sub(last));
        }
        self.chunks += 1;
        self.first_token.get_or_insert(at);
        self.last_token = Some(at);
        if !delta.answer.is_empty() {
            self.first_answer.get_or_insert(at);
            self.answer.push_str(&delta.answer);
        }
        if !delta.reasoning.is_empty() {
            self.first_reasoning.get_or_insert(at);
            self.reasoning.push_str(&delta.reasoning);
        }
        self.tool_calls.push_str(&delta.tool_calls);
    }

    /// A whole body: all its tokens arrive at its end.
    fn take_body(&mut self, body: &[u8], at: Nanos) {
        self.events += 1;
        if body.starts_with(b"data:") {
            let text =
                "the body is server-sent events, but its content type is not text/event-stream";
            self.fail(FailureKind::MalformedJson, text);
        } else {
            self.take_json(body, at);
        }
    }

    fn check_not_empty(&mut self) {
        let said_nothing =
            self.chunks == 0 && !self.finished && self.usage.completion.unwrap_or(0) == 0;
        if said_nothing && self.failure.is_none() {
            self.fail(
                FailureKind::EmptyAnswer,
                "the response has status 200 and no content",
            );
        }
    }

    /// The first failure is the one that is told.
    fn fail(&mut self, kind: FailureKind, text: &str) {
        let text = text.chars().take(ERROR_TEXT_LIMIT).collect();
        self.failure.get_or_insert(Failure { kind, text });
    }
}

fn status_kind(status: u16) -> FailureKind {
    match status {
        401 | 403 => FailureKind::Unauthorized,
        429 => FailureKind::RateLimited,
        400..=499 => FailureKind::ClientError,
        500..=599 => FailureKind::ServerError,
        _ => FailureKind::UnexpectedStatus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Head = Head {
        status: 200,
        is_event_stream: true,
        retry_after: None,
        keep_alive: true,
    };
    const PLAIN: Head = Head {
        is_event_stream: false,
        ..STREAM
    };

    fn content(text: &str) -> String {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
        )
    }

    /// Feeds one piece a millisecond and settles.
    fn record(head: &Head, pieces: &[&str]) -> (RequestRecord, Texts) {
        let mut answer = Answer::default();
        for (at, piece) in pieces.iter().enumerate() {
            answer.begin(Nanos::from_millis(at as u64));
            answer.feed(head, piece.as_bytes(), Nanos::from_millis(at as u64));
        }
        answer.finish(head, Nanos::from_millis(pieces.len() as u64));
        let mut record = RequestRecord::new(0, crestline_core::record::Phase::Measured);
        let texts = answer.settle(&mut record, Some(head));
        (record, texts)
    }

    #[test]
    fn the_first_token_is_the_first_event_with_content() {
        let role =
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";
        let (record, texts) = record(
            &STREAM,
            &[
                role,
                &content("a"),
                &content("b"),
                usage,
                "data: [DONE]\n\n",
            ],
        );
        assert_eq!(record.failure, None);
        assert_eq!(record.first_byte, Some(Nanos::ZERO));
        assert_eq!(
            (record.first_token, record.last_token),
            (Some(Nanos::from_millis(1)), Some(Nanos::from_millis(2)))
        );
        assert_eq!(
            record.gaps.iter().collect::<Vec<_>>(),
            [Nanos::from_millis(1)]
        );
        assert_eq!(
            record.output_tokens,
            Some(TokenCount {
                count: 2,
                source: TokenSource::Usage
            })
        );
        assert_eq!((record.chunks, texts.answer.as_str()), (2, "ab"));
    }

    #[test]
    fn reasoning_and_answer_have_their_own_first_times() {
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n";
        let (record, texts) = record(&STREAM, &[thought, thought, &content("a")]);
        assert_eq!(record.first_token, record.first_reasoning);
        assert_eq!(
            (record.first_reasoning, record.first_answer),
            (Some(Nanos::ZERO), Some(Nanos::from_millis(2)))
        );
        assert_eq!(
            (texts.reasoning.as_str(), texts.answer.as_str()),
            ("hmhm", "a")
        );
    }

    #[test]
    fn an_event_is_stamped_with_the_read_that_completes_it() {
        let event = content("a");
        let (first, second) = event.split_at(30);
        let (record, _) = record(&STREAM, &[first, second]);
        assert_eq!(record.first_token, Some(Nanos::from_millis(1)));
    }

    fn check_failure(head: &Head, pieces: &[&str], kind: FailureKind, text: &str) {
        let failure = record(head, pieces)
            .0
            .failure
            .unwrap_or_else(|| panic!("{pieces:?} should fail"));
        assert_eq!(failure.kind, kind, "{pieces:?}");
        assert!(failure.text.contains(text), "{failure:?}");
    }

    #[test]
    fn statuses_are_classified() {
        let status = |status| Head { status, ..PLAIN };
        let check = check_failure;
        check(
            &status(500),
            &["{\"error\":\"boom\"}"],
            FailureKind::ServerError,
            "boom",
        );
        check(&status(401), &[], FailureKind::Unauthorized, "401");
        check(
            &status(404),
            &["no such model"],
            FailureKind::ClientError,
            "no such model",
        );
        check(
            &Head {
                retry_after: Some("7".into()),
                ..status(429)
            },
            &[],
            FailureKind::RateLimited,
            "retry after 7",
        );
        check(&status(302), &[], FailureKind::UnexpectedStatus, "302");
    }

    #[test]
    fn failures_inside_a_good_status_are_classified() {
        let check = check_failure;
        let oom = "data: {\"error\":{\"message\":\"oom\"}}\n\n";
        check(
            &STREAM,
            &[&content("a"), oom],
            FailureKind::ErrorInBody,
            "oom",
        );
        check(
            &STREAM,
            &["event: error\ndata: {\"message\":\"oom\"}\n\n"],
            FailureKind::ErrorInBody,
            "oom",
        );
        check(
            &STREAM,
            &["data: {\"choices\":[{\"de\n\n"],
            FailureKind::MalformedJson,
            "choices",
        );
        check(
            &STREAM,
            &["data: [DONE]\n\n"],
            FailureKind::EmptyAnswer,
            "no content",
        );
        check(
            &PLAIN,
            &["{\"choices\":[{\"mess"],
            FailureKind::MalformedJson,
            "mess",
        );
        check(&PLAIN, &["{}"], FailureKind::EmptyAnswer, "no content");
        let kind = FailureKind::MalformedJson;
        check(
            &PLAIN,
            &[&content("a")],
            kind,
            "content type is not text/event-stream",
        );
    }

    #[test]
    fn an_answer_that_is_not_streamed_has_all_tokens_at_its_end() {
        let body = "{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":{\"completion_tokens\":4}}";
        let (record, texts) = record(&PLAIN, &[body]);
        assert_eq!(record.first_token, Some(Nanos::from_millis(1)));
        assert_eq!(
            (record.streamed, record.chunks, texts.answer.as_str()),
            (false, 1, "hi")
        );
        assert_eq!(record.tpot(), None);
    }

    #[test]
    fn a_usage_of_zero_beside_content_is_no_count() {
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0}}\n\n";
        let (record, _) = record(&STREAM, &[&content("a"), usage]);
        assert_eq!(record.output_tokens, None);
        assert_eq!(record.prompt_tokens.map(|tokens| tokens.count), Some(5));
    }

    #[test]
    fn an_answer_that_ends_at_once_is_an_answer() {
        let (record, _) = record(
            &STREAM,
            &["data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"],
        );
        assert_eq!(record.failure, None);
    }
}
