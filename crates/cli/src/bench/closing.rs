//! The end of a run: its figures are computed, its table is printed, its files are written.
//!
//! Measures nothing: it reads what the run has stored.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crestline_core::record::RequestRecord;
use crestline_core::serving::Figures;
use crestline_experiment::event::PointResult;
use crestline_experiment::plan::Plan;
use crestline_experiment::run::DATABASE;
use crestline_report::load_tables as tables;
use crestline_store::runs::RunReader;
use serde_json::Value;

use super::measure::Measured;
use super::plan::{ReportPlan, Translation};
use super::probes::Probes;
use super::run_figures::{Run, Sent, Stored};
use super::runs::Turn;
use super::{beside, pictures, result_json, table};
use crate::problem::Problem;
use crate::{console, moment};
use crestline_experiment::client_health::health;

/// Failures that are shown, one line each.
const FAILURES_SHOWN: usize = 10;
/// Letters of such a line at most.
const FAILURE_LETTERS: usize = 300;

/// The variable that asks for results in `PyTorch`'s form too.
const PYTORCH: &str = "SAVE_TO_PYTORCH_BENCHMARK_FORMAT";

/// A run that has ended, shown and written.
#[derive(Debug)]
pub(crate) struct Closed {
    /// The result as it is written.
    pub(crate) document: Value,
    /// Of its records.
    pub(crate) folder: PathBuf,
    /// Where it was written, where that was asked for.
    pub(crate) file: Option<PathBuf>,
    /// Its figures.
    pub(crate) figures: Figures,
    /// Output tokens are known, from the service or by a tokenizer.
    pub(crate) has_tokens: bool,
    /// What went wrong with the first request that failed.
    pub(crate) first_failure: Option<String>,
    /// It was not stopped before all of its requests had ended.
    pub(crate) is_complete: bool,
}

impl Closed {
    /// Nothing was answered.
    pub(crate) fn has_failed(&self) -> bool {
        self.figures.completed == 0
    }
}

/// Shows and writes what came of a run. `stamp` stands in names of files; of a single run it is the moment of its end.
pub(super) fn close(
    translation: &Translation,
    measured: Measured,
    turn: Turn,
    stamp: Option<&str>,
) -> Result<Closed, Problem> {
    let Translation { plan, report, .. } = translation;
    let Measured { result, counted } = measured;
    let stored = stored(&result.folder, plan)?;
    let probed = plan.probe_rate.is_some();
    let run = Run {
        counted,
        probes: probed.then(|| Probes::of(&result.probes, report.compat)),
        ..Run::of(stored, result.summary.point(), plan.workload.seed, report)
    };
    show(&run, report, &result);
    let ended = moment::result_stamp();
    let client = health(&result.health, &result.summary);
    let mut document = result_json::document(&run, report, client, &ended);
    document.extend(turn.fields(plan.workload.seed));
    let file = report
        .file(stamp.unwrap_or(&ended))
        .map(|file| turn.file(file, &report.saving));
    if let Some(file) = &file {
        let database = result.folder.join(DATABASE);
        document.extend([result_json::records(file, &database)]);
    }
    let document = Value::Object(document);
    // Whatever cannot be written, the other files are.
    let drawn = pictures::write(
        &run,
        translation,
        &turn.own(&report.place(stamp.unwrap_or(&ended))),
    );
    if let Some(file) = &file {
        let saved = save(file, &document, report);
        saved.map_err(|error| {
            if let Err(other) = &drawn {
                console::tell(&other.to_string());
            }
            unwritten(file, &error, &result.folder)
        })?;
    }
    drawn?;
    let first_failure = run.records.iter().find(|record| !record.succeeded());
    Ok(Closed {
        document,
        file,
        folder: result.folder,
        first_failure: first_failure
            .map(|record| console::brief(&result_json::error(record), FAILURE_LETTERS)),
        figures: run.figures,
        has_tokens: run.has_tokens,
        is_complete: !result.interrupted,
    })
}

/// Prints failures, the table, and what is worth a line of its own.
fn show(run: &Run, report: &ReportPlan, result: &PointResult) {
    let failed = run.records.iter().filter(|record| !record.succeeded());
    for (number, record) in failed.take(FAILURES_SHOWN).enumerate() {
        let line = console::brief(&result_json::error(record), FAILURE_LETTERS);
        console::say(&format!("Error {number}: {line}"));
    }
    console::say(&table::of_run(run, report));
    let verdict = result.health.verdict(&result.summary);
    console::tell(&tables::health_line(
        &result.summary,
        &result.health,
        &verdict,
    ));
    if let Some(steady) = &run.steady {
        console::tell(&table::steady(steady, &run.figures));
    }
    if let Some(warning) = beside::warm_cache(run) {
        console::tell(&warning);
    }
}

fn stored(folder: &Path, plan: &Plan) -> Result<Stored, Problem> {
    let unreadable = |error| Problem::failed("the database cannot be read back").because(&error);
    let reader = RunReader::open(&folder.join(DATABASE)).map_err(unreadable)?;
    let records: Vec<RequestRecord> = reader
        .records()
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    Ok(Stored {
        epoch: reader.meta().header.start,
        sent: Sent::of(plan, &records),
        records,
    })
}

fn save(file: &Path, document: &Value, report: &ReportPlan) -> io::Result<()> {
    write(file, document, report)?;
    if std::env::var_os(PYTORCH).is_none_or(|value| value.is_empty()) {
        return Ok(());
    }
    let records = result_json::pytorch(document, report);
    fs::write(file.with_extension("pytorch.json"), records.to_string())
}

/// The results as the only thing in a file, or behind what is in it on a line of their own.
pub(super) fn write(file: &Path, document: &Value, report: &ReportPlan) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    if !report.saving.append {
        return fs::write(file, document.to_string());
    }
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    let begin = if out.metadata()?.len() > 0 { "\n" } else { "" };
    out.write_all(format!("{begin}{document}").as_bytes())
}

/// Results that could not be written; the records are there.
pub(super) fn unwritten(file: &Path, error: &io::Error, folder: &Path) -> Problem {
    Problem::failed("the results cannot be written")
        .cause(format!("{}: {error}", file.display()))
        .hint(format!(
            "the records of the run are in {}",
            folder.join(DATABASE).display()
        ))
}
