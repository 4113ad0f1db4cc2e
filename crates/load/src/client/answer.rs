//! What one response says and when: takes the pieces of a body with their arrival times, gives the facts of a record.
//!
//! Knows nothing of sockets: [`super::h1`] or an HTTP library says where the body is.

use crestline_core::record::{Failure, FailureKind, Gaps, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;

use super::delta::{self, Delta, DeltaError, Shape, Usage};
use super::h1::Head;
use super::sse::EventDecoder;

/// Most of an error body that is kept as the failure's text, in bytes.
const ERROR_TEXT_LIMIT: usize = 4 * 1024;
/// Longest answer that is not streamed, in bytes.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// How the events or the body of an answer are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerForm {
    /// Completions and chats.
    #[default]
    Completion,
    /// The responses API.
    Response,
    /// Speech that was written down: events as of a chat, or a body with the text.
    Transcript,
    /// One vector or score, without tokens: the answer is there when its body is.
    Pooled,
    /// Servers with an API of their own.
    Generated,
}

impl AnswerForm {
    fn read_event(self, data: &[u8]) -> Result<Delta<'_>, DeltaError> {
        match self {
            Self::Completion | Self::Transcript => delta::read(data),
            Self::Response => delta::response::read(data),
            Self::Generated => delta::generated::read(data),
            Self::Pooled => delta::pooled::read(data),
        }
    }

    fn read_body(self, data: &[u8]) -> Result<Delta<'_>, DeltaError> {
        match self {
            Self::Transcript => delta::generated::read(data),
            other => other.read_event(data),
        }
    }
}

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
    form: AnswerForm,
    shape: Option<Shape>,
    first_byte: Option<Nanos>,
    first_token: Option<Nanos>,
    first_reasoning: Option<Nanos>,
    first_answer: Option<Nanos>,
    last_token: Option<Nanos>,
    gaps: Gaps,
    chunks: u32,
    running: RunningCount,
    bare_events: Vec<Nanos>,
    events: u64,
    usage: Usage,
    finished: bool,
    done: bool,
    answer: String,
    reasoning: String,
    tool_calls: String,
    failure: Option<Failure>,
    /// All data as it came, where someone else reads it; then an event that says nothing in the endpoint's own form has content
    /// too.
    pieces: Option<Vec<String>>,
}

/// Tokens event by event, out of a count that the server keeps in every event.
#[derive(Debug, Default)]
struct RunningCount {
    tokens: Vec<u32>,
    counted: u32,
    /// An event had no count, or a smaller one than the event before.
    broken: bool,
}

impl RunningCount {
    /// An event with content has come.
    fn take(&mut self, count: Option<u32>) {
        let new = count.and_then(|count| count.checked_sub(self.counted));
        match new.filter(|_| !self.broken) {
            Some(new) => {
                self.tokens.push(new);
                self.counted += new;
            }
            None => self.broken = true,
        }
    }

    /// The tokens of each event, where they add up to all of them. A last token may have no text: the end of the answer.
    fn settle(self, all: Option<u32>) -> Vec<u32> {
        let missing = all.and_then(|all| all.checked_sub(self.counted));
        if self.broken || missing.is_none_or(|missing| missing > 1) {
            return Vec::new();
        }
        self.tokens
    }
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
    /// The data of each event, or the body, as it came: only where it was to be kept.
    pub pieces: Vec<String>,
}

impl Answer {
    /// Nothing received yet. All that comes is kept for someone else to read, whatever form it has.
    pub fn kept(form: AnswerForm) -> Self {
        let mut answer = Self::new(form);
        answer.facts.pieces = Some(Vec::new());
        answer
    }

    /// Nothing received yet.
    pub fn new(form: AnswerForm) -> Self {
        let mut answer = Self::default();
        answer.facts.form = form;
        answer
    }

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
            facts.check_ended();
            facts.check_not_empty();
        } else {
            let body = std::mem::take(&mut self.body);
            self.facts.take_body(head, &body, at);
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
        if record.streamed {
            record.chunk_tokens = facts.running.settle(facts.usage.completion);
            record.bare_events = facts.bare_events;
        }
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
            pieces: facts.pieces.unwrap_or_default(),
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
            self.keep(data);
            if let Some(delta) = self.shape.as_ref().and_then(|shape| shape.read(data)) {
                return self.take_delta(&delta, at);
            }
            self.take_event_json(data, at);
            if name == b"error" {
                self.fail(FailureKind::ErrorInBody, &String::from_utf8_lossy(data));
            }
        }
    }

    fn take_event_json(&mut self, data: &[u8], at: Nanos) {
        let read = self.form.read_event(data);
        if let (AnswerForm::Completion, Ok(delta)) = (self.form, &read)
            && let Some(shape) = Shape::learn(data, delta)
        {
            self.shape = Some(shape);
        }
        self.take_read(read, data, at);
    }

    fn take_read(&mut self, read: Result<Delta<'_>, DeltaError>, data: &[u8], at: Nanos) {
        match read {
            _ if self.is_strange(&read) => self.take_content(&Delta::default(), at),
            Ok(delta) => self.take_delta(&delta, at),
            Err(error) => {
                let text = format!("{error}: {}", String::from_utf8_lossy(data));
                self.fail(FailureKind::MalformedJson, &text);
            }
        }
    }

    fn keep(&mut self, data: &[u8]) {
        if let Some(pieces) = &mut self.pieces {
            pieces.push(String::from_utf8_lossy(data).into_owned());
        }
    }

    /// Someone else reads the answer, and the endpoint's own form finds nothing in this.
    fn is_strange(&self, read: &Result<Delta<'_>, DeltaError>) -> bool {
        self.pieces.is_some() && read.as_ref().is_ok_and(|delta| *delta == Delta::default())
            || self.pieces.is_some() && read.is_err()
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
        } else if delta.has_choice {
            self.bare_events.push(at);
        }
    }

    fn take_content(&mut self, delta: &Delta<'_>, at: Nanos) {
        if let Some(last) = self.last_token {
            self.gaps.push(at.saturating_sub(last));
        }
        self.chunks += 1;
        self.running
            .take(delta.usage.and_then(|usage| usage.completion));
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
    fn take_body(&mut self, head: &Head, body: &[u8], at: Nanos) {
        self.events += 1;
        self.keep(body);
        if body.starts_with(b"data:") {
            let text =
                "the body is server-sent events, but its content type is not text/event-stream";
            self.fail(FailureKind::MalformedJson, text);
        } else if self.form == AnswerForm::Pooled {
            self.take_pooled(head, body, at);
        } else {
            self.take_read(self.form.read_body(body), body, at);
        }
    }

    /// A vector or a score, as JSON or as raw bytes; what is said of those stands in a header, or nowhere.
    fn take_pooled(&mut self, head: &Head, body: &[u8], at: Nanos) {
        if let Some(said) = &head.metadata {
            let said = said.as_bytes();
            self.take_read(self.form.read_body(said), said, at);
        } else if head.is_binary {
            self.usage.completion = Some(0);
            self.finished = !body.is_empty();
        } else {
            self.take_read(self.form.read_body(body), body, at);
        }
        if self.failure.is_none() && self.finished {
            self.first_token = Some(at);
            self.last_token = Some(at);
        }
    }

    /// A response says that it is complete; events that only cease are none.
    fn check_ended(&mut self) {
        if self.form == AnswerForm::Response && !self.finished && self.events > 0 {
            self.fail(
                FailureKind::CutMidStream,
                "the events ended before the response was said to be complete",
            );
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
mod tests;
