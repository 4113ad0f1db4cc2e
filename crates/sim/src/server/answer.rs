//! One answer on its way: event bytes, the socket they go to, and what a fault does to them.
//!
//! Called at the end of each iteration, so nothing here waits: bytes that the socket does not take are kept for the
//! connection's task. Nothing is allocated for a token once the buffers have grown.

use std::io;
use std::rc::Rc;

use crestline_core::units::Nanos;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::ask::{Delivery, Encoding, Kind};
use super::http::{self, Framing, Response};
use super::refusal::error_object;
use super::spelling::{Event, Identity, Last, Whole, head};
use super::tokens::{Tokens, Words};
use super::truth::Row;
use crate::fault::{Fault, FaultKind};

/// An answer from its admission to its last byte.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) row: Row,
    pub(super) choices: Vec<Choice>,
    pub(super) delivery: Delivery,
    pub(super) kind: Kind,
    /// From `{` up to the begin of the list of choices, the same in every event.
    head: Box<str>,
    framing: Framing,
    usage: Usage,
    encoding: Encoding,
    outlet: Outlet,
    fault: Option<Fault>,
    /// Tokens of the first choice at which a fault mid-stream strikes.
    strike_at: u32,
    /// Events that a hold keeps back.
    kept: u32,
    pub(super) stage: Stage,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// Tokens are still to come.
    Running,
    /// All is sent or waits to be sent.
    Done,
    /// A fault ends it here; the connection is reset where `reset` says so.
    Cut(Cut),
}

/// How a fault ends an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Reset,
    /// An error object and a regular end of the stream.
    Error,
}

/// One of the answers to a request.
#[derive(Debug)]
pub(super) struct Choice {
    /// Length in tokens.
    pub(super) tokens: u32,
    /// `length` or `stop`.
    pub(super) finish_reason: &'static str,
    words: Words,
    /// The first of the words.
    start: Words,
    pub(super) emitted: u32,
    unsent: u32,
    events: u32,
    last: Option<Nanos>,
}

/// What the usage object says beside the tokens of the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u32,
    /// `None` where there is no prefix cache.
    pub(super) cached_tokens: Option<u32>,
}

/// What an answer is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) row: Row,
    pub(super) kind: Kind,
    pub(super) delivery: Delivery,
    pub(super) framing: Framing,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Usage,
    pub(super) encoding: Encoding,
    pub(super) fault: Option<Fault>,
    pub(super) socket: Rc<TcpStream>,
    pub(super) wake: Rc<Notify>,
    /// `id`, `created` and `model`.
    pub(super) identity: Identity,
}

/// New tokens of one choice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick {
    pub(super) choice: usize,
    pub(super) tokens: u32,
    pub(super) cached_tokens: u32,
    pub(super) at: Nanos,
}

/// What a tick shows to the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Time since the choice's event before; `None` for its first.
    pub(super) gap: Option<Nanos>,
}

/// Buffers reused for all events.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    event: Vec<u8>,
    wire: Vec<u8>,
}

impl Choice {
    pub(super) fn new(tokens: u32, finish_reason: &'static str, words: Words) -> Self {
        Self {
            tokens,
            finish_reason,
            words,
            start: words,
            emitted: 0,
            unsent: 0,
            events: 0,
            last: None,
        }
    }

    pub(super) fn open(&self) -> bool {
        self.emitted < self.tokens
    }

    /// All its words.
    fn text(&self, tokens: &Tokens) -> String {
        let mut words = self.start;
        let mut text = Vec::new();
        for _ in 0..self.tokens {
            words.push_next(tokens, &mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Answer {
    pub(super) fn new(parts: Parts) -> Self {
        let head = head(parts.kind, parts.delivery, &parts.identity);
        let strike_at = (parts.choices[0].tokens / 2).max(1);
        Self {
            row: parts.row,
            choices: parts.choices,
            delivery: parts.delivery,
            kind: parts.kind,
            head,
            framing: parts.framing,
            usage: parts.usage,
            encoding: parts.encoding,
            outlet: Outlet::new(parts.socket, parts.wake),
            fault: parts.fault,
            strike_at,
            kept: 0,
            stage: Stage::Running,
        }
    }

    fn has(&self, kind: FaultKind) -> bool {
        self.fault.is_some_and(|fault| fault.kind == kind)
    }

    pub(super) fn outlet(&mut self) -> &mut Outlet {
        &mut self.outlet
    }

    /// Ends a hold: all that was kept back goes out now.
    pub(super) fn release(&mut self, now: Nanos) {
        for _ in 0..std::mem::take(&mut self.kept) {
            self.row.sent(now);
        }
        self.outlet.held = None;
        self.outlet.flush();
    }

    /// Takes what an iteration has brought for one choice, and sends it where the answer is a stream.
    pub(super) fn tick(&mut self, tick: Tick, tokens: &Tokens, scratch: &mut Scratch) -> Shown {
        let choice = &mut self.choices[tick.choice];
        let gap = choice.last.map(|last| tick.at.saturating_sub(last));
        choice.last = Some(tick.at);
        choice.emitted += tick.tokens;
        choice.unsent += tick.tokens;
        if !self.kind.only_reads() {
            self.row.output_tokens += tick.tokens;
        }
        if let Some(cached) = &mut self.usage.cached_tokens {
            *cached = tick.cached_tokens;
        }
        if self.delivery == Delivery::Whole {
            if !self.choices.iter().any(Choice::open) {
                self.finish();
            }
        } else {
            self.stream(tick, tokens, scratch);
        }
        Shown { gap }
    }

    fn stream(&mut self, tick: Tick, tokens: &Tokens, scratch: &mut Scratch) {
        let merged = match self.fault {
            Some(fault) if fault.kind == FaultKind::MergedChunks => {
                fault.parameter().unwrap_or(1.0)
            }
            _ => 1.0,
        };
        let choice = &self.choices[tick.choice];
        if choice.open() && f64::from(choice.unsent) < merged {
            return;
        }
        let struck = tick.choice == 0
            && choice.emitted >= self.strike_at
            && choice.emitted - tick.tokens < self.strike_at;
        self.render(tick.choice, tokens, scratch);
        if struck {
            self.damage(scratch);
        }
        if self.outlet.held.is_some() {
            self.kept += 1;
        } else {
            self.row.sent(tick.at);
        }
        self.pack(tick.at, scratch);
        if struck && self.strike(scratch) {
            return;
        }
        if !self.choices.iter().any(Choice::open) {
            self.push_ending(tokens, scratch);
            self.finish();
        }
        self.outlet.write(&scratch.wire);
    }

    fn finish(&mut self) {
        self.stage = Stage::Done;
        self.outlet.wake.notify_one();
    }

    /// Makes one event of all words that a choice has not sent.
    fn render(&mut self, index: usize, tokens: &Tokens, scratch: &mut Scratch) {
        let running = self.delivery == Delivery::EventsAndRunningUsage;
        let usage = (running && !self.has(FaultKind::MissingUsage)).then(|| self.usage_object());
        let choice = &mut self.choices[index];
        let last = (!choice.open()).then(|| Last {
            reason: choice.finish_reason,
            prompt_tokens: self.usage.prompt_tokens,
            tokens: choice.tokens,
            text: match self.kind {
                Kind::Tgi => choice.text(tokens),
                _ => String::new(),
            },
        });
        let event = Event {
            kind: self.kind,
            head: &self.head,
            choice: index as u32,
            number: choice.events,
            last,
            usage,
        };
        scratch.event.clear();
        event.open(&mut scratch.event);
        for _ in 0..choice.unsent {
            choice.words.push_next(tokens, &mut scratch.event);
        }
        event.close(&mut scratch.event);
        choice.unsent = 0;
        choice.events += 1;
    }

    /// Spoils the event at which a fault strikes.
    fn damage(&self, scratch: &mut Scratch) {
        let event = &mut scratch.event;
        if self.has(FaultKind::TruncatedJson) {
            event.truncate(event.len() / 2);
            event.extend_from_slice(b"\n\n");
        } else if self.has(FaultKind::MalformedSse) {
            event.pop();
            event.extend_from_slice(b"data: {\xff\xfe\n\n");
        }
    }

    /// Frames the event. Leaves it in `scratch.wire`, or all but its last piece sent where a fault cuts it.
    fn pack(&mut self, at: Nanos, scratch: &mut Scratch) {
        scratch.wire.clear();
        let mut from = 0;
        if self.has(FaultKind::OddCuts) {
            let length = scratch.event.len();
            for cut in odd_cuts(at.0, length) {
                http::push_chunk(&mut scratch.wire, self.framing, &scratch.event[from..cut]);
                self.outlet.write(&scratch.wire);
                scratch.wire.clear();
                from = cut;
            }
        }
        http::push_chunk(&mut scratch.wire, self.framing, &scratch.event[from..]);
    }

    /// Lets a fault mid-stream happen, after the event at which it strikes. Says whether the answer is at its end.
    fn strike(&mut self, scratch: &mut Scratch) -> bool {
        match self.fault.map(|fault| fault.kind) {
            Some(FaultKind::ResetMidStream) => self.stage = Stage::Cut(Cut::Reset),
            Some(FaultKind::ErrorInStream) => {
                self.push_error(scratch);
                self.stage = Stage::Cut(Cut::Error);
            }
            Some(FaultKind::Stall) => {
                self.outlet.write(&scratch.wire);
                scratch.wire.clear();
                self.outlet
                    .hold(self.fault.and_then(|fault| fault.parameter()));
                return false;
            }
            _ => return false,
        }
        self.outlet.write(&scratch.wire);
        self.outlet.wake.notify_one();
        true
    }

    fn push_error(&self, scratch: &mut Scratch) {
        let error = error_object(
            500,
            "InternalServerError",
            "the engine failed on this request",
            None,
        );
        for event in [format!("data: {error}\n\n"), "data: [DONE]\n\n".to_owned()] {
            http::push_chunk(&mut scratch.wire, self.framing, event.as_bytes());
        }
        http::push_end(&mut scratch.wire, self.framing);
    }

    /// What follows the last words, and the end of the body.
    fn push_ending(&self, tokens: &Tokens, scratch: &mut Scratch) {
        for event in self.as_whole(tokens).ending(self.delivery) {
            http::push_chunk(&mut scratch.wire, self.framing, event.as_bytes());
        }
        http::push_end(&mut scratch.wire, self.framing);
    }

    /// All that it says.
    fn as_whole(&self, tokens: &Tokens) -> Whole<'_> {
        // The events of most streams have said it already.
        let says_it = self.delivery == Delivery::Whole || self.kind == Kind::Response;
        let text = |choice: &Choice| {
            if says_it && !self.kind.only_reads() {
                choice.text(tokens)
            } else {
                String::new()
            }
        };
        Whole {
            kind: self.kind,
            head: &self.head,
            choices: self
                .choices
                .iter()
                .map(|choice| (text(choice), choice.finish_reason))
                .collect(),
            usage: if self.has(FaultKind::MissingUsage) {
                "null".to_owned()
            } else {
                self.usage_object()
            },
            prompt_tokens: self.usage.prompt_tokens,
            encoding: self.encoding,
        }
    }

    fn usage_object(&self) -> String {
        let prompt = self.usage.prompt_tokens;
        let emitted = self.choices.iter().map(|choice| choice.emitted).sum();
        let output: u32 = if self.kind.only_reads() { 0 } else { emitted };
        let [of_prompt, of_output, of_cache] = match self.kind {
            Kind::Response => ["input_tokens", "output_tokens", "input_tokens_details"],
            _ => [
                "prompt_tokens",
                "completion_tokens",
                "prompt_tokens_details",
            ],
        };
        let details = self
            .usage
            .cached_tokens
            .map_or("null".to_owned(), |cached| {
                format!("{{\"cached_tokens\":{cached}}}")
            });
        format!(
            "{{\"{of_prompt}\":{prompt},\"total_tokens\":{},\"{of_output}\":{output},\"{of_cache}\":{details}}}",
            prompt + output
        )
    }

    /// The answer that is not streamed.
    pub(super) fn whole(&self, tokens: &Tokens) -> Response {
        self.as_whole(tokens).http()
    }
}

/// Two places inside an event, ascending, that change from event to event.
fn odd_cuts(random: u64, length: usize) -> [usize; 2] {
    let mixed = random.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let first = 1 + (mixed >> 33) as usize % (length - 2);
    let second = first + 1 + (mixed & 0xffff) as usize % (length - 1 - first);
    [first, second]
}

/// The way to the client: the socket, and what it has not taken yet.
#[derive(Debug)]
pub(super) struct Outlet {
    socket: Rc<TcpStream>,
    /// Wakes the connection's task: bytes are left over, or the answer is at its end.
    pub(super) wake: Rc<Notify>,
    left: Vec<u8>,
    held: Option<Hold>,
    broken: bool,
}

/// Nothing is sent for the time being.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hold {
    /// `None` is for ever.
    pub(super) seconds: Option<f64>,
}

/// What the connection's task has to see to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Need {
    /// Nothing: tokens go out by themselves.
    Nothing,
    /// The socket must become writable.
    Flush,
    /// A hold must end some day.
    Release(Hold),
    /// The client is gone.
    GiveUp,
}

impl Outlet {
    fn new(socket: Rc<TcpStream>, wake: Rc<Notify>) -> Self {
        Self {
            socket,
            wake,
            left: Vec::new(),
            held: None,
            broken: false,
        }
    }

    pub(super) fn need(&self) -> Need {
        match self.held {
            _ if self.broken => Need::GiveUp,
            Some(hold) => Need::Release(hold),
            None if self.left.is_empty() => Need::Nothing,
            None => Need::Flush,
        }
    }

    /// Keeps everything back from now on.
    pub(super) fn hold(&mut self, seconds: Option<f64>) {
        self.held = Some(Hold { seconds });
        self.wake.notify_one();
    }

    /// Puts bytes at the end of what is to be sent by the next flush.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.left.extend_from_slice(bytes);
    }

    /// Sends bytes, or keeps those that the socket does not take.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.held.is_some() || !self.left.is_empty() {
            self.left.extend_from_slice(bytes);
            return;
        }
        let sent = self.try_write(bytes);
        if sent < bytes.len() && !self.broken {
            self.left.extend_from_slice(&bytes[sent..]);
            self.wake.notify_one();
        }
    }

    /// Sends what was kept, as far as the socket takes it.
    pub(super) fn flush(&mut self) {
        let left = std::mem::take(&mut self.left);
        let sent = self.try_write(&left);
        self.left = left;
        self.left.drain(..sent);
    }

    fn try_write(&mut self, bytes: &[u8]) -> usize {
        match self.socket.try_write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.broken = true;
                self.wake.notify_one();
                0
            }
        }
    }
}
