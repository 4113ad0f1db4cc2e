//! The columns that requests have: name, unit, meaning, and which fact of a record stands in them.
//!
//! Metrics come from the table in `core`, under their names there; the other columns are the facts themselves. Says nothing of
//! how values are put into memory: that is [`super::values`].

use crestline_core::metrics::{Metric, Over, Unit};
use crestline_core::record::{Exchange, FailureKind, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its numbers are measured in: `s`, `tokens`, `tok/s`; empty where they are counts or no numbers.
    pub unit: &'static str,
    /// What stands in it.
    pub meaning: &'static str,
    /// Whether it is read where no column is named.
    pub read: Read,
    pub(super) values: Values,
}

/// When a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Unless others are named.
    Always,
    /// Only when it is named: it is longer than all others together.
    WhenNamed,
}

/// Where a column's values come from, and of what type they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// Spans and offsets, as seconds.
    Seconds(fn(&RequestRecord) -> Option<Nanos>),
    /// A metric, in its unit.
    Metric(Metric),
    Wide(fn(&RequestRecord) -> Option<u64>),
    Count(fn(&RequestRecord) -> Option<u32>),
    Short(fn(&RequestRecord) -> Option<u16>),
    Truth(fn(&RequestRecord) -> bool),
    Text(fn(&RequestRecord) -> Option<&str>),
    /// One of few words: their places.
    Word(fn() -> Vec<&'static str>, fn(&RequestRecord) -> Option<i8>),
    /// Spans between events, as seconds.
    Gaps,
    Counts(fn(&RequestRecord) -> &[u32]),
    /// Offsets, as seconds.
    Moments(fn(&RequestRecord) -> &[Nanos]),
    /// A text of the exchange.
    Said(fn(&Exchange) -> &str),
}

/// Metrics that have a column under another name, or that are facts.
const FACTS: [Metric; 4] = [
    Metric::Connect,
    Metric::InputTokens,
    Metric::OutputTokens,
    Metric::ChunksPerRequest,
];

/// Every column, in the order in which they are read where none is named; those that must be named are the last.
pub fn columns() -> Vec<Column> {
    let metrics = Metric::all()
        .filter(|metric| metric.over() == Over::Request && !FACTS.contains(metric))
        .map(|metric| Column {
            name: metric.name(),
            unit: metric.unit().symbol(),
            meaning: metric.formula(),
            read: Read::Always,
            values: Values::Metric(metric),
        });
    let facts = TIMES.into_iter().chain(AMOUNTS).chain(OUTCOME);
    let long = LONG.map(|column| Column {
        read: Read::WhenNamed,
        ..column
    });
    facts.chain(metrics).chain(long).collect()
}

const S: &str = Unit::Seconds.symbol();
const TOKENS: &str = Unit::Tokens.symbol();

const fn fact(
    name: &'static str,
    unit: &'static str,
    values: Values,
    meaning: &'static str,
) -> Column {
    Column {
        name,
        unit,
        meaning,
        read: Read::Always,
        values,
    }
}

const TIMES: [Column; 13] = [
    fact(
        "index",
        "",
        Values::Wide(|it| Some(it.index)),
        "position in the workload, from 0",
    ),
    fact(
        "phase",
        "",
        Values::Word(|| vec!["warmup", "measured"], |it| Some(it.phase as i8)),
        "measured: warm-up is not stored",
    ),
    fact(
        "due",
        S,
        Values::Seconds(|it| Some(it.due)),
        "when it should have been sent, from the run's epoch",
    ),
    fact(
        "slot_wait",
        S,
        Values::Seconds(|it| Some(it.slot_wait)),
        "how long it waited for the concurrency limit after `due`",
    ),
    fact(
        "sent",
        S,
        Values::Seconds(|it| Some(it.sent)),
        "when its first byte was written, from the run's epoch",
    ),
    fact(
        "connect",
        S,
        Values::Seconds(|it| it.connect),
        "time to make a connection, where one was made for it",
    ),
    fact(
        "first_byte",
        S,
        Values::Seconds(|it| it.first_byte),
        "first byte of the response, from the run's epoch",
    ),
    fact(
        "first_token",
        S,
        Values::Seconds(|it| it.first_token),
        "first event with content, from the run's epoch",
    ),
    fact(
        "first_reasoning",
        S,
        Values::Seconds(|it| it.first_reasoning),
        "first event with reasoning, from the run's epoch",
    ),
    fact(
        "first_answer",
        S,
        Values::Seconds(|it| it.first_answer),
        "first event with answer text, from the run's epoch",
    ),
    fact(
        "last_token",
        S,
        Values::Seconds(|it| it.last_token),
        "last event with content, from the run's epoch",
    ),
    fact(
        "end",
        S,
        Values::Seconds(|it| Some(it.end)),
        "whole answer received, or the moment it failed, from the run's epoch",
    ),
    fact(
        "send_lag",
        S,
        Values::Seconds(|it| Some(it.send_lag())),
        "how late the client was: sent - due - slot_wait - connect",
    ),
];

const AMOUNTS: [Column; 11] = [
    fact(
        "chunks",
        "",
        Values::Count(|it| Some(it.chunks)),
        "events with content",
    ),
    fact(
        "streamed",
        "",
        Values::Truth(|it| it.streamed),
        "the answer came as server-sent events",
    ),
    fact(
        "input_tokens",
        TOKENS,
        Values::Count(|it| count(it.prompt_tokens)),
        "length of the prompt",
    ),
    fact(
        "input_tokens_source",
        "",
        Values::Word(sources, |it| source(it.prompt_tokens)),
        "who counted them: the server's usage, a tokenizer, or events",
    ),
    fact(
        "asked_output_tokens",
        TOKENS,
        Values::Count(|it| it.asked_output),
        "longest answer that was asked for, of each choice",
    ),
    fact(
        "output_tokens",
        TOKENS,
        Values::Count(|it| count(it.output_tokens)),
        "length of the answer, all choices together",
    ),
    fact(
        "output_tokens_source",
        "",
        Values::Word(sources, |it| source(it.output_tokens)),
        "who counted them",
    ),
    fact(
        "cached_tokens",
        TOKENS,
        Values::Count(|it| it.cached_tokens),
        "prompt tokens from the server's prefix cache",
    ),
    fact(
        "conversation",
        "",
        Values::Wide(|it| Some(it.turn?.conversation)),
        "position of its conversation in the workload",
    ),
    fact(
        "turn",
        "",
        Values::Count(|it| Some(it.turn?.turn)),
        "number of the turn in its conversation, from 1",
    ),
    fact(
        "turns",
        "",
        Values::Count(|it| Some(it.turn?.turns)),
        "turns that its conversation has where none fails",
    ),
];

const OUTCOME: [Column; 6] = [
    fact(
        "status",
        "",
        Values::Short(|it| it.status),
        "HTTP status, where a response head was received",
    ),
    fact(
        "succeeded",
        "",
        Values::Truth(RequestRecord::succeeded),
        "it ended well",
    ),
    fact(
        "failure_kind",
        "",
        Values::Word(kinds, |it| Some(it.failure.as_ref()?.kind as i8)),
        "why it failed",
    ),
    fact(
        "failure_text",
        "",
        Values::Text(|it| Some(&it.failure.as_ref()?.text)),
        "what was seen of the failure",
    ),
    fact(
        "reconnects",
        "",
        Values::Count(|it| Some(it.reconnects)),
        "times it was sent again on a fresh connection",
    ),
    fact(
        "request_id",
        "",
        Values::Text(|it| Some(&it.request_id)),
        "the id sent as `x-request-id`",
    ),
];

const LONG: [Column; 7] = [
    fact(
        "gaps",
        S,
        Values::Gaps,
        "spans between consecutive events with content, as 32-bit floats",
    ),
    fact(
        "chunk_tokens",
        TOKENS,
        Values::Counts(|it| &it.chunk_tokens),
        "tokens of each event with content, where the server says so",
    ),
    fact(
        "bare_events",
        S,
        Values::Moments(|it| &it.bare_events),
        "events that had a choice without content, from the run's epoch",
    ),
    fact(
        "request",
        "",
        Values::Said(|it| &it.request),
        "body that was sent, where texts were kept",
    ),
    fact(
        "answer",
        "",
        Values::Said(|it| &it.answer),
        "answer text, where texts were kept",
    ),
    fact(
        "reasoning",
        "",
        Values::Said(|it| &it.reasoning),
        "reasoning text, where texts were kept",
    ),
    fact(
        "tool_calls",
        "",
        Values::Said(|it| &it.tool_calls),
        "tool calls as JSON, where texts were kept",
    ),
];

fn count(tokens: Option<TokenCount>) -> Option<u32> {
    tokens.map(|tokens| tokens.count)
}

fn kinds() -> Vec<&'static str> {
    FailureKind::ALL.map(FailureKind::name).to_vec()
}

fn sources() -> Vec<&'static str> {
    vec!["usage", "tokenizer", "chunks"]
}

fn source(tokens: Option<TokenCount>) -> Option<i8> {
    Some(match tokens?.source {
        TokenSource::Usage => 0,
        TokenSource::Tokenizer => 1,
        TokenSource::Chunks => 2,
    })
}
