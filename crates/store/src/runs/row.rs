//! A record as a row of `result`; the way back is [`super::stored_row`].
//!
//! Offsets are kept as 64-bit patterns: a value above `i64::MAX` shows as a negative number and still comes back.
//! Metric columns are written for other readers and never read here.

use crestline_core::record::{RequestRecord, TokenCount, TokenSource, TurnPlace};
use crestline_core::units::Nanos;
use rusqlite::types::Value;
use serde::Serialize;

use super::{exchange, spans};
use crate::schema::RESULT_COLUMNS;

/// What a row needs besides its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowContext {
    /// The run's epoch, since 1970-01-01 UTC.
    pub(super) start: Nanos,
    /// Write prompts and answers.
    pub(super) keep_text: bool,
}

/// The values of a row, a value for each of [`RESULT_COLUMNS`].
pub(super) fn values(record: &RequestRecord, context: RowContext) -> Vec<Value> {
    let mut values = Vec::with_capacity(RESULT_COLUMNS.len());
    push_reference(&mut values, record, context);
    push_facts(&mut values, record, context);
    values
}

/// The columns that `EvalScope` has.
fn push_reference(values: &mut Vec<Value>, record: &RequestRecord, context: RowContext) {
    let exchange = record.exchange.as_deref().filter(|_| context.keep_text);
    let good = record.succeeded();
    let metric = |span: Option<Nanos>| real(span.filter(|_| good));
    values.extend([
        text(exchange.map(|texts| texts.request.clone())),
        real(Some(record.sent)),
        Value::Text(spans::to_json(&record.gaps)),
        Value::Integer(i64::from(good)),
        text(exchange.map(exchange::to_json)),
        real(Some(record.end)),
        metric(Some(record.latency())),
        metric(record.ttft()),
        count(record.prompt_tokens.filter(|_| good)),
        count(record.output_tokens.filter(|_| good)),
        Value::Null,
        metric(record.tpot()),
        Value::Text(record.request_id.clone()),
        Value::Integer(i64::from(record.streamed)),
    ]);
}

/// The columns of our own: everything that the record knows.
fn push_facts(values: &mut Vec<Value>, record: &RequestRecord, context: RowContext) {
    let failure = record.failure.as_ref();
    values.extend([
        Value::Integer(record.index.cast_signed()),
        real(Some(context.start.saturating_add(record.sent))),
        offset(Some(record.due)),
        offset(Some(record.slot_wait)),
        offset(Some(record.sent)),
        offset(record.connect),
        offset(record.first_byte),
        offset(record.first_token),
        offset(record.first_reasoning),
        offset(record.first_answer),
        offset(record.last_token),
        offset(Some(record.end)),
        Value::Integer(i64::from(record.chunks)),
        count(record.prompt_tokens),
        source(record.prompt_tokens),
        count(record.output_tokens),
        source(record.output_tokens),
        integer(record.cached_tokens),
        integer(record.status),
        text(failure.map(|failure| failure.kind.name().to_owned())),
        text(failure.map(|failure| failure.text.clone())),
        Value::Integer(i64::from(record.reconnects)),
        text(list(&record.chunk_tokens)),
        text(list(&record.bare_events)),
    ]);
    push_turn(values, record.turn);
    push_asked(values, record);
}

/// The columns of conversations.
fn push_turn(values: &mut Vec<Value>, turn: Option<TurnPlace>) {
    let conversation = turn.map(|turn| turn.conversation.cast_signed());
    values.extend([
        integer(conversation),
        integer(turn.map(|turn| turn.turn)),
        integer(turn.map(|turn| turn.turns)),
    ]);
}

/// The columns of what was asked for.
fn push_asked(values: &mut Vec<Value>, record: &RequestRecord) {
    values.push(integer(record.asked_output));
}

fn text(value: Option<String>) -> Value {
    value.map_or(Value::Null, Value::Text)
}

fn real(span: Option<Nanos>) -> Value {
    span.map_or(Value::Null, |span| Value::Real(span.as_secs_f64()))
}

fn offset(span: Option<Nanos>) -> Value {
    span.map_or(Value::Null, |span| Value::Integer(span.0.cast_signed()))
}

/// Nothing where there is none.
fn list<T: Serialize>(numbers: &[T]) -> Option<String> {
    let is_known = !numbers.is_empty();
    is_known.then(|| serde_json::to_string(numbers).expect("numbers have a text"))
}

fn integer<T: Into<i64>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, |value| Value::Integer(value.into()))
}

fn count(tokens: Option<TokenCount>) -> Value {
    integer(tokens.map(|tokens| tokens.count))
}

fn source(tokens: Option<TokenCount>) -> Value {
    let name = |tokens: TokenCount| match tokens.source {
        TokenSource::Usage => "usage",
        TokenSource::Tokenizer => "tokenizer",
        TokenSource::Chunks => "chunks",
    };
    text(tokens.map(|tokens| name(tokens).to_owned()))
}

#[cfg(test)]
pub(super) mod samples;

#[cfg(test)]
mod tests;
