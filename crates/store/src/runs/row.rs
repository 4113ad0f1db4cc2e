//! A record as a row of `result`, and back without loss.
//!
//! Offsets are kept as 64-bit patterns: a value above `i64::MAX` shows as a negative number and still comes back.
//! Metric columns are written for other readers and never read here.

use crestline_core::record::{
    Exchange, Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource, TurnPlace,
};
use crestline_core::units::Nanos;
use rusqlite::Row;
use rusqlite::types::{FromSql, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

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

/// Why a row is not a record.
#[derive(Debug)]
pub(super) enum RowError {
    /// SQLite cannot read the row.
    Sql(rusqlite::Error),
    /// This column holds something that is never written.
    Column(&'static str),
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// The record of a row.
pub(super) fn record(row: &Row<'_>) -> Result<RequestRecord, RowError> {
    let cells = Cells(row);
    Ok(RequestRecord {
        index: cells.get::<i64>("request_index")?.cast_unsigned(),
        phase: Phase::Measured,
        due: cells.moment("due_ns")?,
        slot_wait: cells.moment("slot_wait_ns")?,
        sent: cells.moment("sent_ns")?,
        connect: cells.offset("connect_ns")?,
        first_byte: cells.offset("first_byte_ns")?,
        first_token: cells.offset("first_token_ns")?,
        first_reasoning: cells.offset("first_reasoning_ns")?,
        first_answer: cells.offset("first_answer_ns")?,
        last_token: cells.offset("last_token_ns")?,
        end: cells.moment("end_ns")?,
        gaps: spans::from_json(&cells.get::<String>("inter_token_latencies")?)
            .ok_or(RowError::Column("inter_token_latencies"))?,
        chunks: cells.get("chunks")?,
        chunk_tokens: cells.list("chunk_tokens")?,
        bare_events: cells.list("bare_events_ns")?,
        streamed: cells.get("is_stream")?,
        prompt_tokens: cells.tokens("input_tokens", "input_tokens_source")?,
        asked_output: cells.known("asked_output_tokens")?,
        output_tokens: cells.tokens("output_tokens", "output_tokens_source")?,
        cached_tokens: cells.get("cached_tokens")?,
        status: cells.get("status")?,
        failure: cells.failure()?,
        reconnects: cells.get("reconnects")?,
        request_id: cells.get("request_id")?,
        turn: cells.turn()?,
        exchange: cells.exchange()?,
    })
}

/// A row whose wrong cells are named in errors.
struct Cells<'a>(&'a Row<'a>);

impl Cells<'_> {
    fn get<T: FromSql>(&self, column: &'static str) -> Result<T, RowError> {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
        };
        self.0.get(column).map_err(|error| match error {
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => {
                RowError::Column(column)
            }
            other => RowError::Sql(other),
        })
    }

    fn offset(&self, column: &'static str) -> Result<Option<Nanos>, RowError> {
        let bits: Option<i64> = self.get(column)?;
        Ok(bits.map(|bits| Nanos(bits.cast_unsigned())))
    }

    fn moment(&self, column: &'static str) -> Result<Nanos, RowError> {
        self.offset(column)?.ok_or(RowError::Column(column))
    }

    fn named<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, RowError> {
        let name: Option<String> = self.get(column)?;
        name.map(|name| serde_json::from_value(name.into()).map_err(|_| RowError::Column(column)))
            .transpose()
    }

    fn tokens(
        &self,
        count: &'static str,
        source: &'static str,
    ) -> Result<Option<TokenCount>, RowError> {
        let Some(count) = self.get(count)? else {
            return Ok(None);
        };
        let source = self.named(source)?.ok_or(RowError::Column(source))?;
        Ok(Some(TokenCount { count, source }))
    }

    /// None also in a file of an earlier version, which has no such column.
    fn known<T: FromSql>(&self, column: &'static str) -> Result<Option<T>, RowError> {
        if self.0.as_ref().column_index(column).is_err() {
            return Ok(None);
        }
        self.get(column)
    }

    /// Empty in a file of an earlier version, which has no such column.
    fn list<T: DeserializeOwned>(&self, column: &'static str) -> Result<Vec<T>, RowError> {
        if self.0.as_ref().column_index(column).is_err() {
            return Ok(Vec::new());
        }
        let text: Option<String> = self.get(column)?;
        text.map_or_else(
            || Ok(Vec::new()),
            |text| serde_json::from_str(&text).map_err(|_| RowError::Column(column)),
        )
    }

    /// None in a file of version 2 or before, which has no such columns.
    fn turn(&self) -> Result<Option<TurnPlace>, RowError> {
        if self.0.as_ref().column_index("conversation").is_err() {
            return Ok(None);
        }
        let Some(conversation) = self.get::<Option<i64>>("conversation")? else {
            return Ok(None);
        };
        Ok(Some(TurnPlace {
            conversation: conversation.cast_unsigned(),
            turn: self.get("turn")?,
            turns: self.get("turns")?,
        }))
    }

    fn failure(&self) -> Result<Option<Failure>, RowError> {
        let Some(kind) = self.named::<FailureKind>("failure_kind")? else {
            return Ok(None);
        };
        Ok(Some(Failure {
            kind,
            text: self.get("failure_text")?,
        }))
    }

    fn exchange(&self) -> Result<Option<Box<Exchange>>, RowError> {
        let Some(request) = self.get::<Option<String>>("request")? else {
            return Ok(None);
        };
        let answer: Option<String> = self.get("response_messages")?;
        exchange::from_json(request, answer.as_deref())
            .map(|exchange| Some(Box::new(exchange)))
            .ok_or(RowError::Column("response_messages"))
    }
}

#[cfg(test)]
pub(super) mod samples;

#[cfg(test)]
mod tests;
