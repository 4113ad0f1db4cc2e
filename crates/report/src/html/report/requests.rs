//! Single requests of a run: their course as a waterfall, and a table of them.
//!
//! Where a run has too many, a sample is shown with the extremes and the failures in it, and the page says so.

use crestline_core::metrics::Metric;
use crestline_core::record::RequestRecord;
use crestline_core::serving::{Counting, RequestClock, Row, timeline};
use crestline_core::units::Nanos;

use super::against_load::spread;
use super::words::MS;
use crate::facts::{Detail, LoadFacts};
use crate::html::document::{Block, Cell, Code, Column, Details, Table, Text};
use crate::html::waterfall::{FirstWait, Waterfall};
use crate::number::{counted, grouped};

/// Waits of one waterfall that are drawn one by one.
const MOST_SEGMENTS: usize = 60_000;
/// A wait for a token is long from so many times the median on; very long from the second.
const LONG: [f64; 2] = [1.5, 4.0];
/// Thresholds where the median is not known, in milliseconds.
const THRESHOLDS_MS: [f64; 2] = [25.0, 50.0];
/// Letters of a failure in a row.
const FAILURE_LETTERS: usize = 160;

/// The blocks of a run.
pub(super) fn blocks(load: &LoadFacts, detail: &Detail) -> Vec<Block> {
    let requests = &detail.digest.requests;
    if requests.total() == 0 {
        return Vec::new();
    }
    let mut blocks = vec![Block::Subheading("Requests over time".to_owned())];
    blocks.extend(waterfall(load, detail));
    blocks.push(table(detail));
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

fn waterfall(load: &LoadFacts, detail: &Detail) -> Vec<Block> {
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
        most_segments: MOST_SEGMENTS,
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

fn table(detail: &Detail) -> Block {
    let requests = &detail.digest.requests;
    let rows = requests.rows();
    let shown = rows.len();
    let origin = rows.iter().map(|row| row.sent).min().unwrap_or_default();
    let ms = |span: Nanos| span.as_secs_f64() * MS;
    let has_turns = rows.iter().any(|row| row.turn.is_some());
    let mut columns = vec![
        Column::number("index", "Index", 0),
        Column::number("sent_s", "Sent", 3).unit("s"),
        Column::number("wait_ms", "Waited", 1)
            .unit("ms")
            .note("From when it was due to when it was sent"),
        Column::number("ttft_ms", "TTFT", 2).unit("ms"),
        Column::number("tpot_ms", "TPOT", 2).unit("ms"),
        Column::number("longest_gap_ms", "Longest gap", 2).unit("ms"),
        Column::number("e2el_ms", "E2EL", 1).unit("ms"),
        Column::number("input_tokens", "Input", 0).unit("tokens"),
        Column::number("output_tokens", "Output", 0).unit("tokens"),
        Column::number("status", "Status", 0),
        Column::text("failure", "Failure"),
    ];
    if has_turns {
        columns.push(Column::text("turn", "Turn").note("Conversation and turn in it"));
    }
    let rows = rows.into_iter().map(|row| {
        let mut cells: Vec<Cell> = vec![
            row.index.into(),
            row.sent.saturating_sub(origin).as_secs_f64().into(),
            ms(row.sent.saturating_sub(row.due)).into(),
            row.ttft().map(ms).into(),
            row.tpot.map(ms).into(),
            row.longest_gap.map(ms).into(),
            ms(row.latency()).into(),
            row.input_tokens.map(f64::from).into(),
            row.output_tokens.map(f64::from).into(),
            row.status.map(f64::from).into(),
            row.failure.map_or(Cell::None, |kind| kind.name().into()),
        ];
        if has_turns {
            let turn = row
                .turn
                .map(|turn| format!("{}.{}", turn.conversation, turn.turn));
            cells.push(turn.map_or(Cell::None, Into::into));
        }
        cells
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    Block::Details(Details {
        summary: Text::plain("Table of requests. ").quiet(sampled(
            shown,
            requests.total(),
            "are in it",
        )),
        blocks: vec![Block::Table(Table {
            name: "requests".to_owned(),
            caption: Text::default(),
            columns,
            rows,
        })],
    })
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
