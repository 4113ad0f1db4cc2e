//! Single requests of a run: their course as a waterfall, and a table of them.
//!
//! Where a run has too many, a sample is shown with the extremes and the failures in it, and the page says so.

use std::collections::BTreeSet;

use crestline_core::digest::{Extreme, RequestRow};
use crestline_core::metrics::Metric;
use crestline_core::record::{FailureKind, RequestRecord};
use crestline_core::serving::{Counting, RequestClock, Row, timeline};
use crestline_core::units::Nanos;

use super::against_load::spread;
use super::words::MS;
use crate::facts::{Detail, LoadFacts};
use crate::html::document::{Block, Cell, Code, Column, Details, Download, Table, Text};
use crate::html::waterfall::{FirstWait, Waterfall};
use crate::number::{counted, grouped, trimmed};

/// Waits of all waterfalls together that are drawn one by one.
const MOST_SEGMENTS: usize = 60_000;
/// Rows of all tables' files together, and of one table.
const IN_FILES: usize = 10_000;
const IN_TABLE: usize = 500;
/// Failures that are all in a table; of more, a share is.
const FAILURES: usize = 200;
/// A wait for a token is long from so many times the median on; very long from the second.
const LONG: [f64; 2] = [1.5, 4.0];
/// Thresholds where the median is not known, in milliseconds.
const THRESHOLDS_MS: [f64; 2] = [25.0, 50.0];
/// Letters of a failure in a row.
const FAILURE_LETTERS: usize = 160;

/// The blocks of one of so many runs, which share the room of a page.
pub(super) fn blocks(load: &LoadFacts, detail: &Detail, share: usize) -> Vec<Block> {
    let requests = &detail.digest.requests;
    if requests.total() == 0 {
        return Vec::new();
    }
    let mut blocks = vec![Block::Subheading("Requests over time".to_owned())];
    blocks.extend(waterfall(load, detail, share));
    blocks.push(table(detail, share));
    blocks.extend(texts(detail));
    blocks
}

/// What is left out, where something is.
fn sampled(shown: usize, of: u64, what: &str) -> String {
    if shown as u64 >= of {
        return format!("All {}.", counted(of, "request"));
    }
    format!(
        "{} of {} {what}: a random sample, and in it the slowest first tokens and answers, the longest gaps, the quickest \
         answers and failures.",
        grouped(shown as u64),
        counted(of, "request"),
    )
}

fn waterfall(load: &LoadFacts, detail: &Detail, share: usize) -> Vec<Block> {
    let requests = &detail.digest.requests;
    let records = requests.waterfalls();
    let rows: Vec<Row> = records
        .iter()
        .map(|record| Row::of_record(record, RequestClock::Sent))
        .collect();
    let is_streamed = records.iter().any(|record| record.chunks > 1);
    let median = spread(load, Metric::Itl).and_then(|spread| spread.at(0.5));
    let thresholds_ms = median
        .filter(|median| *median > 0.0)
        .map_or(THRESHOLDS_MS, |median| {
            LONG.map(|times| two_digits(median * MS * times))
        });
    let failures: Vec<Option<String>> = records.iter().map(|record| failure(record)).collect();
    let part = Waterfall {
        subject: "",
        rows: &timeline(&rows, Counting::Tokens, thresholds_ms),
        failures: &failures,
        thresholds_ms,
        counting: Counting::Tokens,
        first: if is_streamed {
            FirstWait::Token
        } else {
            FirstWait::Answer
        },
        most_segments: MOST_SEGMENTS / share.max(1),
    }
    .part();
    vec![
        Block::Paragraph(sampled(records.len(), requests.total(), "are drawn").into()),
        Block::Part(part),
    ]
}

fn two_digits(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    (value / unit).round() * unit
}

fn failure(record: &RequestRecord) -> Option<String> {
    let failure = record.failure.as_ref()?;
    let text: String = failure.text.chars().take(FAILURE_LETTERS).collect();
    Some(format!("{}: {text}", failure.kind.name()))
}

/// Names, titles and units of the columns of requests.
const COLUMNS: [(&str, &str, &str, usize); 10] = [
    ("index", "Index", "", 0),
    ("sent_s", "Sent", "s", 3),
    ("wait_ms", "Waited", "ms", 1),
    ("ttft_ms", "TTFT", "ms", 2),
    ("tpot_ms", "TPOT", "ms", 2),
    ("longest_gap_ms", "Longest gap", "ms", 2),
    ("e2el_ms", "E2EL", "ms", 1),
    ("input_tokens", "Input", "tokens", 0),
    ("output_tokens", "Output", "tokens", 0),
    ("status", "Status", "", 0),
];

/// The values of [`COLUMNS`].
fn values(row: &RequestRow, origin: Nanos) -> [Option<f64>; COLUMNS.len()] {
    let ms = |span: Nanos| span.as_secs_f64() * MS;
    [
        Some(row.index as f64),
        Some(row.sent.saturating_sub(origin).as_secs_f64()),
        Some(ms(row.sent.saturating_sub(row.due))),
        row.ttft().map(ms),
        row.tpot.map(ms),
        row.longest_gap.map(ms),
        Some(ms(row.latency())),
        row.input_tokens.map(f64::from),
        row.output_tokens.map(f64::from),
        row.status.map(f64::from),
    ]
}

fn failure_name(row: &RequestRow) -> Option<&'static str> {
    row.failure.map(FailureKind::name)
}

fn turn_name(row: &RequestRow) -> Option<String> {
    let turn = row.turn?;
    Some(format!("{}.{}", turn.conversation, turn.turn))
}

/// A table of some requests, and a file of as many as there is room for.
fn table(detail: &Detail, share: usize) -> Block {
    let requests = &detail.digest.requests;
    let mut rows = requests.rows();
    let special: BTreeSet<u64> = Extreme::ALL
        .iter()
        .flat_map(|which| requests.extremes(*which))
        .map(|record| record.index)
        .collect();
    let failed = rows.iter().filter(|row| row.failure.is_some()).count();
    let is_needed = |row: &RequestRow| {
        special.contains(&row.index) || failed <= FAILURES && row.failure.is_some()
    };
    rows = thinned(rows, IN_FILES / share.max(1), is_needed);
    let origin = rows.iter().map(|row| row.sent).min().unwrap_or_default();
    let file = csv(&rows, origin);
    let in_file = rows.len();
    let rows = thinned(rows, IN_TABLE, is_needed);
    let has_turns = rows.iter().any(|row| row.turn.is_some());
    let mut columns: Vec<Column> = COLUMNS
        .iter()
        .map(|(key, title, unit, digits)| Column::number(*key, *title, *digits).unit(*unit))
        .collect();
    columns.push(Column::text("failure", "Failure"));
    if has_turns {
        columns.push(Column::text("turn", "Turn").note("Conversation and turn in it"));
    }
    let shown = rows.len();
    let rows = rows.iter().map(|row| {
        let mut cells: Vec<Cell> = values(row, origin).map(Cell::from).into();
        cells.push(failure_name(row).map_or(Cell::None, Cell::from));
        if has_turns {
            cells.push(turn_name(row).map_or(Cell::None, Cell::from));
        }
        cells
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let mut blocks = vec![Block::Table(Table {
        name: "requests".to_owned(),
        caption: Text::default(),
        columns,
        rows,
    })];
    if in_file > shown {
        blocks.push(Block::Downloads(vec![Download {
            label: format!("{} as CSV", counted(in_file as u64, "request")),
            file: "all-requests.csv".to_owned(),
            media_type: "text/csv".to_owned(),
            text: file,
        }]));
    }
    Block::Details(Details {
        summary: Text::plain("Table of requests. ").quiet(sampled(
            shown,
            requests.total(),
            "are in it",
        )),
        blocks,
    })
}

/// No more than so many rows: those that must be there, and of the others each so many-th.
fn thinned(
    rows: Vec<RequestRow>,
    most: usize,
    is_needed: impl Fn(&RequestRow) -> bool,
) -> Vec<RequestRow> {
    if rows.len() <= most {
        return rows;
    }
    let needed = rows.iter().filter(|row| is_needed(row)).count();
    let room = most.saturating_sub(needed).max(1);
    let every = (rows.len() - needed).div_ceil(room).max(1);
    let mut place = 0;
    let kept = rows.into_iter().filter(|row| {
        if is_needed(row) {
            return true;
        }
        place += 1;
        (place - 1) % every == 0
    });
    kept.collect()
}

/// Rows as text, empty where nothing is known.
fn csv(rows: &[RequestRow], origin: Nanos) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(key, ..)| *key).collect();
    let mut out = format!("{},failure,turn\n", names.join(","));
    for row in rows {
        for (value, (.., digits)) in values(row, origin).into_iter().zip(COLUMNS) {
            if let Some(value) = value {
                out.push_str(&trimmed(Some(value), digits.max(3)));
            }
            out.push(',');
        }
        out.push_str(failure_name(row).unwrap_or_default());
        out.push(',');
        out.push_str(&turn_name(row).unwrap_or_default());
        out.push('\n');
    }
    out
}

/// Prompts and answers, where they are wanted.
fn texts(detail: &Detail) -> Option<Block> {
    if detail.texts.is_empty() {
        return None;
    }
    let blocks = detail.texts.iter().flat_map(|(index, texts)| {
        let code = |title: String, text: &str| {
            Block::Code(Code {
                title,
                text: text.to_owned(),
            })
        };
        [
            code(format!("Request {index}"), &texts.request),
            code(format!("Answer to {index}"), &texts.answer),
        ]
    });
    Some(Block::Details(Details {
        summary: Text::plain(format!(
            "Prompts and answers of {}",
            counted(detail.texts.len() as u64, "request")
        )),
        blocks: blocks.collect(),
    }))
}
