//! Records as bytes: each time as what it is more than the one before it, each gap as what it is more than the last gap, each
//! request id as what is new in it. Exact to the nanosecond, a few bytes a token.

use crestline_core::record::{
    Exchange, Failure, FailureKind, Gaps, Phase, RequestRecord, TokenCount, TokenSource, TurnPlace,
};
use crestline_core::units::Nanos;
use serde_json::Value;

use super::FrameError;
use super::bytes::{Reader, Writer};

/// What a frame of records is called in errors.
const WHAT: &str = "records";

const SOURCES: [TokenSource; 3] = [
    TokenSource::Usage,
    TokenSource::Tokenizer,
    TokenSource::Chunks,
];

/// Puts records behind each other until a frame is taken.
#[derive(Debug, Default)]
pub struct RecordWriter {
    body: Writer,
    records: u64,
    before: Before,
}

/// Of the record before in the same frame: the next one is told as a difference to it.
#[derive(Debug, Default)]
struct Before {
    index: u64,
    due: u64,
    request_id: String,
}

impl RecordWriter {
    /// Adds a record.
    pub fn add(&mut self, record: &RequestRecord) {
        let to = &mut self.body;
        to.step(self.before.index, record.index);
        to.number(known(record));
        to.step(self.before.due, record.due.0);
        write_times(to, record);
        write_gaps(to, record);
        write_tokens(to, record);
        write_answer(to, record, &self.before.request_id);
        self.records += 1;
        self.before.index = record.index;
        self.before.due = record.due.0;
        self.before.request_id.clone_from(&record.request_id);
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.body.0.len()
    }

    /// Holds no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The records of the frame, and how many they are; the writer begins anew.
    pub fn take(&mut self) -> (Vec<u8>, u64) {
        let whole = std::mem::take(self);
        let mut frame = Writer(Vec::with_capacity(whole.body.0.len() + 4));
        frame.number(whole.records);
        frame.0.extend_from_slice(&whole.body.0);
        (frame.0, whole.records)
    }
}

/// The records of a frame.
pub fn read_records(frame: &[u8]) -> Result<Vec<RequestRecord>, FrameError> {
    let mut from = Reader::new(frame, WHAT);
    let count = from.count()?;
    let mut before = Before::default();
    // A record has more bytes than this; a count that lies makes no room for itself.
    let mut records = Vec::with_capacity(count.min(frame.len() / 16 + 1));
    for _ in 0..count {
        let record = read_record(&mut from, &before)?;
        before.index = record.index;
        before.due = record.due.0;
        before.request_id.clone_from(&record.request_id);
        records.push(record);
    }
    from.end()?;
    Ok(records)
}

/// One bit for each thing that may be there or not, lowest first.
fn known(record: &RequestRecord) -> u64 {
    [
        record.phase == Phase::Warmup,
        record.connect.is_some(),
        record.first_byte.is_some(),
        record.first_token.is_some(),
        record.first_reasoning.is_some(),
        record.first_answer.is_some(),
        record.last_token.is_some(),
        record.streamed,
        record.prompt_tokens.is_some(),
        record.asked_output.is_some(),
        record.output_tokens.is_some(),
        record.cached_tokens.is_some(),
        record.status.is_some(),
        record.failure.is_some(),
        record.turn.is_some(),
        record.exchange.is_some(),
    ]
    .into_iter()
    .enumerate()
    .fold(0, |bits, (place, is)| bits | u64::from(is) << place)
}

/// The same bits, taken one after another.
struct Known(u64);

impl Known {
    fn next(&mut self) -> bool {
        let is = self.0 & 1 == 1;
        self.0 >>= 1;
        is
    }

    fn read<T>(
        &mut self,
        read: impl FnOnce() -> Result<T, FrameError>,
    ) -> Result<Option<T>, FrameError> {
        self.next().then(read).transpose()
    }
}

fn write_times(to: &mut Writer, record: &RequestRecord) {
    let due = record.due.0;
    to.number(record.slot_wait.0);
    to.step(due.wrapping_add(record.slot_wait.0), record.sent.0);
    if let Some(connect) = record.connect {
        to.number(connect.0);
    }
    let mut last = record.sent.0;
    let marks = [
        record.first_byte,
        record.first_token,
        record.first_reasoning,
        record.first_answer,
    ];
    for mark in marks.into_iter().flatten() {
        to.step(last, mark.0);
        last = mark.0;
    }
    if let Some(at) = record.last_token {
        let guess = guessed_last(record.first_token, &record.gaps);
        to.step(guess, at.0);
        last = at.0;
    }
    to.step(last, record.end.0);
    to.number(record.bare_events.len() as u64);
    let mut last = record.sent.0;
    for at in &record.bare_events {
        to.step(last, at.0);
        last = at.0;
    }
}

/// Where the last token is, if all events with content are in the gaps.
fn guessed_last(first: Option<Nanos>, gaps: &Gaps) -> u64 {
    let first = first.unwrap_or_default().0;
    gaps.iter().fold(first, |at, gap| at.wrapping_add(gap.0))
}

fn write_gaps(to: &mut Writer, record: &RequestRecord) {
    to.number(record.gaps.len() as u64);
    let mut last = 0;
    for gap in record.gaps.iter() {
        to.step(last, gap.0);
        last = gap.0;
    }
}

fn write_tokens(to: &mut Writer, record: &RequestRecord) {
    to.step(record.gaps.len() as u64 + 1, record.chunks.into());
    to.number(record.chunk_tokens.len() as u64);
    for tokens in &record.chunk_tokens {
        to.number((*tokens).into());
    }
    let count = |to: &mut Writer, count: TokenCount| {
        let source = SOURCES.iter().position(|source| *source == count.source);
        to.number(source.unwrap_or_default() as u64);
        to.number(count.count.into());
    };
    if let Some(tokens) = record.prompt_tokens {
        count(to, tokens);
    }
    if let Some(tokens) = record.asked_output {
        to.number(tokens.into());
    }
    if let Some(tokens) = record.output_tokens {
        count(to, tokens);
    }
    if let Some(tokens) = record.cached_tokens {
        to.number(tokens.into());
    }
}

fn write_answer(to: &mut Writer, record: &RequestRecord, id_before: &str) {
    if let Some(status) = record.status {
        to.number(status.into());
    }
    if let Some(failure) = &record.failure {
        to.text(failure.kind.name());
        to.text(&failure.text);
    }
    to.number(record.reconnects.into());
    let same = same_bytes(id_before, &record.request_id);
    to.number(same as u64);
    to.text(&record.request_id[same..]);
    if let Some(place) = record.turn {
        to.number(place.conversation);
        to.number(place.turn.into());
        to.number(place.turns.into());
    }
    if let Some(texts) = record.exchange.as_deref() {
        for text in [
            &texts.request,
            &texts.answer,
            &texts.reasoning,
            &texts.tool_calls,
        ] {
            to.text(text);
        }
    }
}

/// Length of the longest text that both begin with.
fn same_bytes(one: &str, other: &str) -> usize {
    let pairs = one.char_indices().zip(other.chars());
    let differ = pairs.clone().find(|((_, a), b)| a != b);
    differ.map_or(one.len().min(other.len()), |((at, _), _)| at)
}

fn read_record(from: &mut Reader<'_>, before: &Before) -> Result<RequestRecord, FrameError> {
    let index = from.step(before.index)?;
    let mut known = Known(from.number()?);
    let phase = if known.next() {
        Phase::Warmup
    } else {
        Phase::Measured
    };
    let mut record = RequestRecord::new(index, phase);
    record.due = Nanos(from.step(before.due)?);
    let has_last = read_times(from, &mut record, &mut known)?;
    let after_last = record.end;
    read_bare_events(from, &mut record)?;
    read_gaps(from, &mut record)?;
    if has_last {
        // Both were told as what they are more than what the gaps let expect, which is known only now.
        let guess = guessed_last(record.first_token, &record.gaps);
        let last = record.last_token.unwrap_or_default().0.wrapping_add(guess);
        record.last_token = Some(Nanos(last));
        record.end = Nanos(after_last.0.wrapping_add(last));
    }
    read_tokens(from, &mut record, &mut known)?;
    read_answer(from, &mut record, &mut known, before)?;
    Ok(record)
}

/// True where the last token, and the end after it, are still differences.
fn read_times(
    from: &mut Reader<'_>,
    record: &mut RequestRecord,
    known: &mut Known,
) -> Result<bool, FrameError> {
    record.slot_wait = Nanos(from.number()?);
    let free = record.due.0.wrapping_add(record.slot_wait.0);
    record.sent = Nanos(from.step(free)?);
    record.connect = known.read(|| Ok(Nanos(from.number()?)))?;
    let mut last = record.sent.0;
    for mark in [
        &mut record.first_byte,
        &mut record.first_token,
        &mut record.first_reasoning,
        &mut record.first_answer,
    ] {
        *mark = known.read(|| Ok(Nanos(from.step(last)?)))?;
        last = mark.map_or(last, |mark| mark.0);
    }
    let has_last = known.next();
    if has_last {
        record.last_token = Some(Nanos(from.step(0)?));
        last = 0;
    }
    record.end = Nanos(from.step(last)?);
    record.streamed = known.next();
    Ok(has_last)
}

fn read_bare_events(from: &mut Reader<'_>, record: &mut RequestRecord) -> Result<(), FrameError> {
    let mut last = record.sent.0;
    for _ in 0..from.count()? {
        last = from.step(last)?;
        record.bare_events.push(Nanos(last));
    }
    Ok(())
}

fn read_gaps(from: &mut Reader<'_>, record: &mut RequestRecord) -> Result<(), FrameError> {
    let gaps = from.count()?;
    record.gaps = Gaps::with_capacity(gaps);
    let mut last = 0;
    for _ in 0..gaps {
        last = from.step(last)?;
        record.gaps.push(Nanos(last));
    }
    Ok(())
}

fn read_tokens(
    from: &mut Reader<'_>,
    record: &mut RequestRecord,
    known: &mut Known,
) -> Result<(), FrameError> {
    let chunks = from.step(record.gaps.len() as u64 + 1)?;
    record.chunks = u32::try_from(chunks).map_err(|_| from.damaged())?;
    for _ in 0..from.count()? {
        record.chunk_tokens.push(from.small()?);
    }
    let read_count = |from: &mut Reader<'_>| {
        let source = from.number()?;
        let source = usize::try_from(source).ok().and_then(|at| SOURCES.get(at));
        Ok(TokenCount {
            source: *source.ok_or_else(|| from.damaged())?,
            count: from.small()?,
        })
    };
    record.prompt_tokens = known.read(|| read_count(from))?;
    record.asked_output = known.read(|| from.small())?;
    record.output_tokens = known.read(|| read_count(from))?;
    record.cached_tokens = known.read(|| from.small())?;
    Ok(())
}

fn read_answer(
    from: &mut Reader<'_>,
    record: &mut RequestRecord,
    known: &mut Known,
    before: &Before,
) -> Result<(), FrameError> {
    record.status = known.read(|| u16::try_from(from.number()?).map_err(|_| from.damaged()))?;
    record.failure = known.read(|| {
        Ok(Failure {
            kind: read_kind(from)?,
            text: from.text()?.to_owned(),
        })
    })?;
    record.reconnects = from.small()?;
    let same = usize::try_from(from.number()?).map_err(|_| from.damaged())?;
    let begin = before.request_id.get(..same);
    let begin = begin.ok_or_else(|| from.damaged())?;
    record.request_id = format!("{begin}{}", from.text()?);
    record.turn = known.read(|| {
        Ok(TurnPlace {
            conversation: from.number()?,
            turn: from.small()?,
            turns: from.small()?,
        })
    })?;
    record.exchange = known.read(|| {
        let mut text = || from.text().map(str::to_owned);
        Ok(Box::new(Exchange {
            request: text()?,
            answer: text()?,
            reasoning: text()?,
            tool_calls: text()?,
            pieces: Vec::new(),
        }))
    })?;
    Ok(())
}

/// A failure is rare: its kind has its name.
fn read_kind(from: &mut Reader<'_>) -> Result<FailureKind, FrameError> {
    let name = Value::String(from.text()?.to_owned());
    serde_json::from_value(name).map_err(|_| from.damaged())
}

#[cfg(test)]
#[path = "record_frame/tests.rs"]
mod tests;
