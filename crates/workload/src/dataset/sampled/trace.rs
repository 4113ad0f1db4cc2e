//! Traces with the blocks that prompts are made of: equal hashes become equal tokens, in every run and on every machine.

use std::path::Path;

use crestline_core::request::Prompt;
use crestline_core::units::Nanos;
use rand::RngExt as _;
use serde_json::Value;

use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::{existing, for_each_numbered};
use crate::draw::{Purpose, stream};
use crate::plan::{TraceFields, TraceSamples};

const NAME: &str = "timed_trace";

/// A request of the trace.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    time: f64,
    input: u32,
    output: u32,
    hashes: Vec<u64>,
}

/// A source of prompts as a trace had them.
#[derive(Debug)]
pub(super) struct Trace {
    rows: Vec<Row>,
    block_length: u32,
    seed: u64,
    /// Tokens that prompts are made of: no special ones.
    ids: Vec<u32>,
}

impl Trace {
    /// The requests and when they are due.
    pub(super) fn open(
        opening: Opening<'_>,
        samples: &TraceSamples,
        notes: &mut Vec<String>,
    ) -> Result<(Self, Vec<Nanos>), WorkloadError> {
        let presentation = opening.presentation;
        if presentation.is_chat() {
            return Err(DatasetError::TextOnly { name: NAME }.into());
        }
        let tokenizer = presentation.tokenizer.as_ref();
        let tokenizer = tokenizer.ok_or(WorkloadError::NeedsTokenizer {
            what: "the data set `timed_trace`",
        })?;
        check(samples)?;
        let path = existing(NAME, &samples.path)?;
        let mut rows = read(&path, samples)?;
        let found = rows.len();
        if found == 0 {
            return Err(DatasetError::Empty { path }.into());
        }
        if let Some(longest) = opening.sampling.longest {
            rows.retain(|row| row.input.saturating_add(row.output) <= longest);
        }
        let too_long = found - rows.len();
        if rows.is_empty() {
            return Err(DatasetError::NoneLeft {
                path,
                invalid: 0,
                too_long,
                longest: opening.sampling.longest,
            }
            .into());
        }
        let trace = Self {
            rows: in_time(rows, opening.sampling.requests, &path, notes),
            block_length: samples.block_length,
            seed: opening.plan.seed,
            ids: tokenizer.plain_ids(),
        };
        if too_long > 0 {
            notes.push(format!(
                "{too_long} of {found} requests of {} are left out: their input and output together are above the limit",
                path.display()
            ));
        }
        trace.note_filled(&path, notes);
        let first = trace.rows[0].time;
        let from_first = |row: &Row| Nanos::from_secs_f64((row.time - first) * samples.seconds);
        let due_times = trace.rows.iter().map(from_first).collect();
        Ok((trace, due_times))
    }

    fn note_filled(&self, path: &Path, notes: &mut Vec<String>) {
        let lacks = |row: &&Row| {
            (row.hashes.len() as u64) < u64::from(row.input.div_ceil(self.block_length))
        };
        let filled = self.rows.iter().filter(lacks).count();
        if filled > 0 {
            notes.push(format!(
                "{filled} requests of {} have fewer hashes than blocks of {} tokens: the rest of their prompts is new",
                path.display(),
                self.block_length
            ));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The tokens of its blocks, the last one cut; what has no hash is this position's own.
    pub(super) fn sample(&self, position: u64, row: usize) -> Sample {
        let Row {
            input,
            output,
            hashes,
            ..
        } = &self.rows[row];
        let wanted = *input as usize;
        let mut tokens = Vec::with_capacity(wanted);
        for hash in hashes {
            let room = (wanted - tokens.len()).min(self.block_length as usize);
            let mut random = stream(self.seed, *hash, Purpose::Block);
            tokens.extend((0..room).map(|_| self.ids[random.random_range(0..self.ids.len())]));
        }
        let mut random = stream(self.seed, position, Purpose::Words);
        while tokens.len() < wanted {
            tokens.push(self.ids[random.random_range(0..self.ids.len())]);
        }
        Sample::new(Prompt::TokenIds(tokens), Some(*input), Some(*output))
    }
}

fn check(samples: &TraceSamples) -> Result<(), DatasetError> {
    let refuse = |reason: String| DatasetError::Unusable { name: NAME, reason };
    if samples.block_length == 0 {
        return Err(refuse(
            "a hash must stand for at least one token".to_owned(),
        ));
    }
    if !(samples.seconds.is_finite() && samples.seconds > 0.0) {
        return Err(refuse(format!(
            "the factor from the trace's time to seconds must be above 0, not {}",
            samples.seconds
        )));
    }
    Ok(())
}

/// The first requests, in the order in which they are due.
fn in_time(mut rows: Vec<Row>, requests: u64, path: &Path, notes: &mut Vec<String>) -> Vec<Row> {
    let all = rows.len();
    if !rows.is_sorted_by(|one, other| one.time <= other.time) {
        notes.push(format!(
            "the requests of {} are not in the order of their times: they are sorted",
            path.display()
        ));
        rows.sort_by(|one, other| one.time.total_cmp(&other.time));
    }
    rows.truncate(usize::try_from(requests).unwrap_or(usize::MAX));
    if rows.len() < all {
        notes.push(format!(
            "only the first {} of {all} requests of {} are sent",
            rows.len(),
            path.display()
        ));
    }
    rows
}

fn read(path: &Path, samples: &TraceSamples) -> Result<Vec<Row>, DatasetError> {
    let mut rows = Vec::new();
    for_each_numbered(path, |line, record: Value| {
        let row = row(&record, &samples.fields).map_err(|reason| DatasetError::Malformed {
            path: path.to_owned(),
            line: Some(line),
            reason,
        })?;
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

fn row(record: &Value, fields: &TraceFields) -> Result<Row, String> {
    let field = |name: &str| {
        record
            .get(name)
            .ok_or_else(|| format!("it has no field `{name}`"))
    };
    let tokens = |name: &str| {
        let value = field(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("`{name}` must be a number of tokens above 0, not {value}"))
    };
    let time = field(&fields.time)?;
    let hashes = field(&fields.hashes)?;
    let wrong_hashes = || format!("`{}` must be a list of hashes, not {hashes}", fields.hashes);
    Ok(Row {
        time: time
            .as_f64()
            .ok_or_else(|| format!("`{}` must be a number, not {time}", fields.time))?,
        input: tokens(&fields.input)?,
        output: tokens(&fields.output)?,
        hashes: hashes
            .as_array()
            .ok_or_else(wrong_hashes)?
            .iter()
            .map(hash)
            .collect::<Option<_>>()
            .ok_or_else(wrong_hashes)?,
    })
}

/// A hash is a number or a text; a text is hashed by FNV-1a, which is the same everywhere.
fn hash(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::cast_unsigned)),
        Value::String(text) => Some(text.bytes().fold(0xCBF2_9CE4_8422_2325, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })),
        _ => None,
    }
}
