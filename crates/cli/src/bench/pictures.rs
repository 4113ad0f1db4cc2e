//! The pictures of a run: the course of each request, and the lengths of prompts and answers.
//!
//! Draws nothing itself: figures and pages are those of `crestline_report`.

use std::fs;
use std::io;
use std::path::Path;

use crestline_core::record::RequestRecord;
use crestline_core::serving::{Counting, LengthStatistics, timeline};
use crestline_report::figures::{DatasetStatistics, Theme, dataset_statistics};
use crestline_report::html::{FirstWait, MOST_SEGMENTS, Waterfall};

use super::args::Compat;
use super::plan::{Pictures, ReportPlan, Translation};
use super::result_json;
use super::run_figures::Run;
use super::runs::Turn;
use crate::console;
use crate::problem::Problem;

/// Bins of each histogram of lengths.
const BINS: usize = 30;
/// Pixels an inch.
const DPI: f64 = 150.0;
/// Letters of what a failed request says.
const FAILURE_LETTERS: usize = 200;

/// Writes all that are asked for beside where the JSON of the run is or would be. One that cannot be written keeps no other
/// from being so.
pub(super) fn write(run: &Run, translation: &Translation, results: &Path) -> Result<(), Problem> {
    let pictures = &translation.report.pictures;
    let mut failures = Vec::new();
    let mut put = |file: &Path, bytes: Vec<u8>| {
        if let Err(error) = write_one(file, &bytes) {
            failures.push((file.to_owned(), error));
        }
    };
    if let Some(thresholds_ms) = pictures.timeline {
        let page = course(run, translation, thresholds_ms);
        put(&Pictures::timeline_file(results), page.into_bytes());
    }
    if pictures.dataset_stats {
        match lengths(run, translation) {
            Some(picture) => put(&Pictures::dataset_file(results), picture),
            None => console::tell(&format!("warning: {}", without_lengths(run))),
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    let causes: Vec<String> = failures
        .iter()
        .map(|(file, error)| format!("{}: {error}", file.display()))
        .collect();
    Err(Problem::failed("the pictures cannot be written")
        .cause(causes.join("\n"))
        .hint("--result-dir says where they go"))
}

/// The files that a command would write, a line each.
pub(super) fn files(report: &ReportPlan, stamp: &str) -> String {
    let of_run = |number| {
        let turn = Turn {
            number,
            of: report.turns,
        };
        report.pictures.files(&turn.own(&report.place(stamp)))
    };
    let (first, last) = (of_run(1), of_run(report.turns));
    let lines = first.iter().zip(&last).map(|(first, last)| {
        if first == last {
            format!("Picture: {}\n", first.display())
        } else {
            format!("Pictures: {} to {}\n", first.display(), last.display())
        }
    });
    lines.collect()
}

fn write_one(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, bytes)
}

fn subject(translation: &Translation) -> String {
    let plan = &translation.plan;
    format!("{} on {}", plan.model, plan.shown_url())
}

/// The timeline of a run, as a page.
fn course(run: &Run, translation: &Translation, thresholds_ms: [f64; 2]) -> String {
    let report = &translation.report;
    let counting = match report.compat {
        Compat::None => Counting::Tokens,
        Compat::Vllm => Counting::Events,
    };
    let failure = |record: &RequestRecord| {
        (!record.succeeded()).then(|| console::brief(&result_json::error(record), FAILURE_LETTERS))
    };
    let failures: Vec<Option<String>> = run.records.iter().map(failure).collect();
    let waterfall = Waterfall {
        subject: &subject(translation),
        rows: &timeline(&run.rows, counting, thresholds_ms),
        failures: &failures,
        thresholds_ms,
        counting,
        first: if report.is_pooled {
            FirstWait::Answer
        } else {
            FirstWait::Token
        },
        most_segments: MOST_SEGMENTS,
    };
    waterfall.page()
}

/// The lengths of the successes whose prompts were counted, as a PNG; `None` where there are none.
fn lengths(run: &Run, translation: &Translation) -> Option<Vec<u8>> {
    let counted: Vec<(u64, u64)> = run
        .records
        .iter()
        .zip(&run.rows)
        .filter(|(record, _)| record.succeeded() && record.prompt_tokens.is_some())
        .map(|(_, row)| (row.prompt_tokens, row.output_tokens))
        .collect();
    if counted.is_empty() {
        return None;
    }
    let left_out = (run.rows.len() - counted.len()) as u64;
    let picture = dataset_statistics(&DatasetStatistics {
        subject: &subject(translation),
        lengths: &LengthStatistics::of(counted, BINS),
        left_out,
    });
    Some(picture.png(DPI, Theme::Light))
}

fn without_lengths(run: &Run) -> &'static str {
    if run.figures.completed == 0 {
        "there is no picture of the lengths: no request succeeded"
    } else {
        "there is no picture of the lengths: the service does not say how many tokens it read, and no tokenizer can count them here"
    }
}
