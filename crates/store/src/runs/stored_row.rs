//! A row of `result` as the record that it was made of.
//!
//! Cells are found by their place in one list of columns; what a file of an earlier version does not have is NULL in it. A list
//! that leaves texts out spares reading them: they are most of a file. Metric columns are never read.

use crestline_core::record::{
    Exchange, Failure, FailureKind, Gaps, Phase, RequestRecord, TokenCount, TokenSource, TurnPlace,
};
use crestline_core::units::Nanos;
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::de::DeserializeOwned;

use super::{exchange, spans};

/// Whether what was sent and answered is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    Read,
    LeftOut,
}

/// Columns that are read, in the order in which they are asked for; the number of the row is before them.
const READ: [&str; 32] = [
    "request_index",
    "due_ns",
    "slot_wait_ns",
    "sent_ns",
    "connect_ns",
    "first_byte_ns",
    "first_token_ns",
    "first_reasoning_ns",
    "first_answer_ns",
    "last_token_ns",
    "end_ns",
    "inter_token_latencies",
    "chunks",
    "chunk_tokens",
    "bare_events_ns",
    "is_stream",
    "input_tokens",
    "input_tokens_source",
    "asked_output_tokens",
    "output_tokens",
    "output_tokens_source",
    "cached_tokens",
    "status",
    "failure_kind",
    "failure_text",
    "reconnects",
    "request_id",
    "conversation",
    "turn",
    "turns",
    "request",
    "response_messages",
];

/// Columns of texts.
const TEXTS: [&str; 2] = ["request", "response_messages"];

/// What to select so that [`record`] understands it, of a table that may lack columns.
pub(super) fn select_list(is_there: impl Fn(&str) -> bool, texts: Texts) -> String {
    let wanted = |name: &str| texts == Texts::Read || !TEXTS.contains(&name);
    let columns = READ.iter().map(|name| {
        if wanted(name) && is_there(name) {
            (*name).to_owned()
        } else {
            format!("NULL AS {name}")
        }
    });
    let columns: Vec<String> = std::iter::once("rowid".to_owned()).chain(columns).collect();
    columns.join(", ")
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

/// The number of a row.
pub(super) fn number(row: &Row<'_>) -> rusqlite::Result<i64> {
    row.get(0)
}

/// The record of a row.
pub(super) fn record(row: &Row<'_>) -> Result<RequestRecord, RowError> {
    let cells = Cells(row);
    Ok(RequestRecord {
        index: cells
            .get::<i64>(const { column("request_index") })?
            .cast_unsigned(),
        phase: Phase::Measured,
        due: cells.moment(const { column("due_ns") })?,
        slot_wait: cells.moment(const { column("slot_wait_ns") })?,
        sent: cells.moment(const { column("sent_ns") })?,
        connect: cells.offset(const { column("connect_ns") })?,
        first_byte: cells.offset(const { column("first_byte_ns") })?,
        first_token: cells.offset(const { column("first_token_ns") })?,
        first_reasoning: cells.offset(const { column("first_reasoning_ns") })?,
        first_answer: cells.offset(const { column("first_answer_ns") })?,
        last_token: cells.offset(const { column("last_token_ns") })?,
        end: cells.moment(const { column("end_ns") })?,
        gaps: cells.gaps()?,
        chunks: cells.get(const { column("chunks") })?,
        chunk_tokens: cells.list(const { column("chunk_tokens") })?,
        bare_events: cells.list(const { column("bare_events_ns") })?,
        streamed: cells.get(const { column("is_stream") })?,
        prompt_tokens: cells
            .tokens(const { [column("input_tokens"), column("input_tokens_source")] })?,
        asked_output: cells.get(const { column("asked_output_tokens") })?,
        output_tokens: cells
            .tokens(const { [column("output_tokens"), column("output_tokens_source")] })?,
        cached_tokens: cells.get(const { column("cached_tokens") })?,
        status: cells.get(const { column("status") })?,
        failure: cells.failure()?,
        reconnects: cells.get(const { column("reconnects") })?,
        request_id: cells.get(const { column("request_id") })?,
        turn: cells.turn()?,
        exchange: cells.exchange()?,
    })
}

/// A column that is read.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    place: usize,
}

/// The column of that name; no other is ever read.
const fn column(name: &'static str) -> Column {
    let mut place = 0;
    while !is_same(READ[place], name) {
        place += 1;
    }
    Column {
        name,
        place: place + 1,
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut place = 0;
    while place < one.len() {
        if one[place] != other[place] {
            return false;
        }
        place += 1;
    }
    true
}

/// A row whose wrong cells are named in errors.
struct Cells<'a>(&'a Row<'a>);

impl Cells<'_> {
    fn get<T: FromSql>(&self, column: Column) -> Result<T, RowError> {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
        };
        self.0.get(column.place).map_err(|error| match error {
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => {
                RowError::Column(column.name)
            }
            other => RowError::Sql(other),
        })
    }

    /// A text where it stands.
    fn text(&self, column: Column) -> Result<Option<&str>, RowError> {
        let cell = self.0.get_ref(column.place)?;
        cell.as_str_or_null()
            .map_err(|_| RowError::Column(column.name))
    }

    fn offset(&self, column: Column) -> Result<Option<Nanos>, RowError> {
        let bits: Option<i64> = self.get(column)?;
        Ok(bits.map(|bits| Nanos(bits.cast_unsigned())))
    }

    fn moment(&self, column: Column) -> Result<Nanos, RowError> {
        self.offset(column)?.ok_or(RowError::Column(column.name))
    }

    fn gaps(&self) -> Result<Gaps, RowError> {
        let column = const { column("inter_token_latencies") };
        self.text(column)?
            .and_then(spans::from_json)
            .ok_or(RowError::Column(column.name))
    }

    fn tokens(&self, [count, source]: [Column; 2]) -> Result<Option<TokenCount>, RowError> {
        let Some(count) = self.get(count)? else {
            return Ok(None);
        };
        let source = match self.text(source)? {
            Some("usage") => TokenSource::Usage,
            Some("tokenizer") => TokenSource::Tokenizer,
            Some("chunks") => TokenSource::Chunks,
            _ => return Err(RowError::Column(source.name)),
        };
        Ok(Some(TokenCount { count, source }))
    }

    /// Empty where there is none.
    fn list<T: DeserializeOwned>(&self, column: Column) -> Result<Vec<T>, RowError> {
        self.text(column)?.map_or_else(
            || Ok(Vec::new()),
            |text| serde_json::from_str(text).map_err(|_| RowError::Column(column.name)),
        )
    }

    fn turn(&self) -> Result<Option<TurnPlace>, RowError> {
        let Some(conversation) = self.get::<Option<i64>>(const { column("conversation") })? else {
            return Ok(None);
        };
        Ok(Some(TurnPlace {
            conversation: conversation.cast_unsigned(),
            turn: self.get(const { column("turn") })?,
            turns: self.get(const { column("turns") })?,
        }))
    }

    fn failure(&self) -> Result<Option<Failure>, RowError> {
        let column_of_kind = const { column("failure_kind") };
        let Some(name) = self.text(column_of_kind)? else {
            return Ok(None);
        };
        let kind: Result<FailureKind, _> = serde_json::from_value(name.into());
        Ok(Some(Failure {
            kind: kind.map_err(|_| RowError::Column(column_of_kind.name))?,
            text: self.get(const { column("failure_text") })?,
        }))
    }

    fn exchange(&self) -> Result<Option<Box<Exchange>>, RowError> {
        let Some(request) = self.get::<Option<String>>(const { column("request") })? else {
            return Ok(None);
        };
        let column_of_answer = const { column("response_messages") };
        let answer = self.text(column_of_answer)?;
        exchange::from_json(request, answer)
            .map(|exchange| Some(Box::new(exchange)))
            .ok_or(RowError::Column(column_of_answer.name))
    }
}
