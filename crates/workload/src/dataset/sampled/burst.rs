//! Lengths of a trace of real requests (a CSV file); the prompts are random words.

use std::path::Path;

use crestline_core::units::Nanos;

use super::words::Words;
use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::existing;
use crate::dataset::random_text::Wanted;
use crate::draw::shuffle;
use crate::plan::{BurstSamples, TraceTimes};
use crate::presentation::Presentation;

const NAME: &str = "burstgpt";
/// The model whose requests are taken.
const MODEL: &str = "GPT-4";

/// A request of the trace.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    seconds: f64,
    input: u32,
    output: u32,
}

/// A source of prompts as long as those of a trace.
#[derive(Debug)]
pub(super) struct Burst {
    words: Words,
    rows: Vec<Row>,
}

impl Burst {
    /// The requests, and when they are due where that is kept.
    pub(super) fn open(
        opening: Opening<'_>,
        samples: &BurstSamples,
        notes: &mut Vec<String>,
    ) -> Result<(Self, Option<Vec<Nanos>>), WorkloadError> {
        let path = existing(NAME, &samples.path)?;
        let mut rows = read(&path)?;
        if rows.is_empty() {
            return Err(DatasetError::Unusable {
                name: NAME,
                reason: format!("{} has no answered request to {MODEL}", path.display()),
            }
            .into());
        }
        let found = rows.len();
        if let Some(longest) = opening.sampling.longest {
            rows.retain(|row| row.input.saturating_add(row.output) <= longest);
        }
        if rows.len() < found {
            notes.push(format!(
                "{} of {found} requests of {} are left out: their input and output together are above the limit",
                found - rows.len(),
                path.display()
            ));
        }
        if rows.is_empty() {
            return Err(DatasetError::NoneLeft {
                path,
                invalid: 0,
                too_long: found,
                longest: opening.sampling.longest,
            }
            .into());
        }
        let due_times = match samples.times {
            TraceTimes::Ignored => {
                shuffle(&mut rows, opening.plan.seed);
                None
            }
            TraceTimes::Kept => {
                rows.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
                Some(())
            }
        };
        rows.truncate(usize::try_from(opening.sampling.requests).unwrap_or(usize::MAX));
        let due_times = due_times.map(|()| {
            let first = rows.first().map_or(0.0, |row| row.seconds);
            let from_first = |row: &Row| Nanos::from_secs_f64(row.seconds - first);
            rows.iter().map(from_first).collect()
        });
        let words = Words::open(opening, notes)?;
        let least = words.around() + 1;
        let short = rows.iter().filter(|row| row.input < least).count();
        if short > 0 {
            notes.push(format!(
                "{short} requests of {} are shorter than {least} tokens and are raised to that",
                path.display()
            ));
        }
        Ok((Self { words, rows }, due_times))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn sample(&self, position: u64, row: usize, presentation: &Presentation) -> Sample {
        let Row { input, output, .. } = self.rows[row];
        let own = input.saturating_sub(self.words.around()).max(1);
        let (prompt, tokens) = self.words.prompt(Wanted::own(position, own), presentation);
        Sample::new(prompt, tokens, Some(output))
    }
}

fn read(path: &Path) -> Result<Vec<Row>, DatasetError> {
    let malformed = |line: Option<u64>, reason: String| DatasetError::Malformed {
        path: path.to_owned(),
        line: line.map(|line| line as usize),
        reason,
    };
    let of_csv = |error: csv::Error| {
        let line = error.position().map(csv::Position::line);
        malformed(line, error.to_string())
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(of_csv)?;
    let header = reader.headers().map_err(of_csv)?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|title| title == name)
            .ok_or_else(|| malformed(Some(1), format!("there is no column `{name}`")))
    };
    let (time, model) = (column("Timestamp")?, column("Model")?);
    let (input, output) = (column("Request tokens")?, column("Response tokens")?);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(of_csv)?;
        if record.get(model) != Some(MODEL) {
            continue;
        }
        let line = record.position().map(csv::Position::line);
        let number = |at: usize| {
            let text = record.get(at).unwrap_or_default();
            let number: Option<f64> = text.parse().ok();
            number
                .filter(|number| number.is_finite() && *number >= 0.0)
                .ok_or_else(|| malformed(line, format!("`{text}` is not a number of at least 0")))
        };
        let row = Row {
            seconds: number(time)?,
            input: number(input)? as u32,
            output: number(output)? as u32,
        };
        if row.output > 0 {
            rows.push(row);
        }
    }
    Ok(rows)
}
