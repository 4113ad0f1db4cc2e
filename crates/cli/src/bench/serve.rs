//! One `crestline bench serve` from its first line to its last: shows events as they come, prints the table and writes the
//! files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crestline_core::record::RequestRecord;
use crestline_experiment::event::{Event, PointResult};
use crestline_experiment::plan::{Plan, SubjectPlan};
use crestline_experiment::run::{DATABASE, run_when_ready};
use crestline_load::counters::ServerCounters;
use crestline_load::engine::Stop;
use crestline_report::load_tables as tables;
use crestline_store::runs::RunReader;
use serde_json::Value;

use super::args::ServeArgs;
use super::beside::{self, Beside};
use super::plan::{self, Surroundings, Translation};
use super::run_figures::{Run, Sent, Stored};
use super::{alignment, result_json, table};
use crate::client_health::health;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::problems::{self, Flags, Stage};
use crate::progress::{Screen, Watch};
use crate::{console, moment, signals};

/// Failures that are shown, one line each.
const FAILURES_SHOWN: usize = 10;
/// Letters of such a line at most.
const FAILURE_LETTERS: usize = 300;

/// The variable that asks for results in `PyTorch`'s form too.
const PYTORCH: &str = "SAVE_TO_PYTORCH_BENCHMARK_FORMAT";

/// Commands that may begin in one second beside each other.
const SAME_SECOND: u32 = 100;

/// What hints call the flags.
pub(super) const FLAGS: Flags = Flags {
    url: "--base-url, --host and --port",
    tokenizer: "--tokenizer",
    unverified: Some("--insecure"),
    fits: plan::backends_for,
    key: "in OPENAI_API_KEY or with --header Authorization='Bearer KEY'",
    read_timeout: "the server's speed",
    total_timeout: "the server's speed",
    concurrency: "--max-concurrency",
    extra: "--extra-body",
    unchecked: "--ready-check-timeout-sec 0",
    folder: "--result-dir",
    name: "--result-filename",
};

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &ServeArgs) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    let place = Place::choose(args)?;
    let done = run_in(&place.folder, args, &stop);
    // Where nothing was measured, its folder is still empty, and goes.
    drop(fs::remove_dir(&place.folder));
    done
}

fn run_in(folder: &Path, args: &ServeArgs, stop: &Stop) -> Result<Exit, Problem> {
    let around = Surroundings {
        api_key: std::env::var("OPENAI_API_KEY").ok(),
        folder: folder.to_owned(),
    };
    if let Some(warning) = plan::unproved(&args.connection) {
        console::tell(&format!("warning: {warning}"));
    }
    let args = &with_model(args, &around)?;
    let mut translation = plan::translate(args, &around)?;
    if plan::depends_on_samples(args) {
        plan::fit_to_samples(&mut translation, args)?;
    }
    for note in &translation.notes {
        console::tell(&format!("note: {note}"));
    }
    if args.load.dry_run {
        console::say(&dry_run(&translation));
        return Ok(Exit::Done);
    }
    measure(args, &translation, stop)
}

/// The flags with the service's own model where none is given.
fn with_model(args: &ServeArgs, around: &Surroundings) -> Result<ServeArgs, Problem> {
    let mut args = args.clone();
    if args.connection.model.is_none() {
        let target = plan::live_target(&args, around)?;
        let (name, root) = beside::first_model(&target)?;
        console::tell(&format!(
            "note: --model is read as {root}, which the service calls {name}"
        ));
        args.connection.model = Some(root);
        args.connection.served_model_name = Some(name);
    }
    Ok(args)
}

/// What would be done.
fn dry_run(translation: &Translation) -> String {
    let plan = &translation.plan;
    let point = &plan.points[0];
    let file = translation.report.file(&moment::result_stamp());
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    format!(
        "URL: {}\nModel: {}\nLoad: {}\nRequests: {}, {} before them\nResults: {file}\nPlan: {}",
        plan.shown_url(),
        plan.model,
        tables::load_name(&point.load),
        point.requests,
        point.warmup,
        serde_json::to_string(plan).expect("a plan has a JSON form"),
    )
}

fn measure(args: &ServeArgs, translation: &Translation, stop: &Stop) -> Result<Exit, Problem> {
    console::say(&table::before(&translation.report));
    let mut show = Show {
        watch: Watch::new(screen()),
        is_quiet: args.load.disable_tqdm,
        stage: Stage::SetUp,
    };
    let beside = match &translation.plan.subject {
        SubjectPlan::Live(target) => Some(Beside::begin(target, &args.server)?),
        SubjectPlan::Virtual(_) => None,
    };
    let prefix = plan::path_prefix(&args.connection);
    let outcome = run_when_ready(
        &translation.plan,
        stop,
        &mut |workload| alignment::correct(&translation.plan, prefix, workload, stop),
        &mut |event| show.see(event),
    );
    let counted = beside.and_then(Beside::end);
    if show.watch.screen() == Screen::Terminal {
        console::redraw("");
    }
    let outcome = outcome.map_err(|error| problems::problem(&error, show.stage, &FLAGS))?;
    let Some(result) = outcome.points.first() else {
        return Ok(Exit::Interrupted);
    };
    let run = close(translation, result, counted)?;
    Ok(if outcome.interrupted {
        Exit::Interrupted
    } else if run.figures.completed == 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn screen() -> Screen {
    if console::is_watched() {
        Screen::Terminal
    } else {
        Screen::Log
    }
}

/// What is shown while the run goes on.
struct Show {
    watch: Watch,
    is_quiet: bool,
    stage: Stage,
}

impl Show {
    fn see(&mut self, event: Event) {
        match event {
            Event::Note(note) => console::tell(&format!("note: {note}")),
            Event::PointStarted { point, .. } => {
                self.stage = Stage::Load;
                self.watch
                    .start(tables::load_name(&point.load), point.duration);
            }
            Event::Progress(progress) if !self.is_quiet => {
                if let Some(line) = self.watch.line(&progress) {
                    match self.watch.screen() {
                        Screen::Terminal => console::redraw(&line),
                        Screen::Log => console::tell(&line),
                    }
                }
            }
            _ => {}
        }
    }
}

/// Shows and writes what came of the run.
fn close(
    translation: &Translation,
    result: &PointResult,
    counted: Option<ServerCounters>,
) -> Result<Run, Problem> {
    let Translation { plan, report, .. } = translation;
    let point = result.summary.point();
    let run = Run {
        counted,
        ..Run::of(
            stored(&result.folder, plan)?,
            point,
            plan.workload.seed,
            report,
        )
    };
    let failed = run.records.iter().filter(|record| !record.succeeded());
    for (number, record) in failed.take(FAILURES_SHOWN).enumerate() {
        let line = console::brief(&result_json::error(record), FAILURE_LETTERS);
        console::say(&format!("Error {number}: {line}"));
    }
    console::say(&table::of_run(&run, report));
    let verdict = result.health.verdict(&result.summary);
    console::tell(&tables::health_line(
        &result.summary,
        &result.health,
        &verdict,
    ));
    if let Some(steady) = &run.steady {
        console::tell(&table::steady(steady, &run.figures));
    }
    if let Some(warning) = run.counted.as_ref().and_then(beside::warm_cache) {
        console::tell(&warning);
    }
    let stamp = moment::result_stamp();
    if let Some(file) = report.file(&stamp) {
        let client = health(&result.health, &result.summary);
        let document = Value::Object(result_json::document(&run, report, client, &stamp));
        let written = if report.saving.append {
            append(&file, &document)
        } else {
            write(&file, &document)
        };
        let written = written.and_then(|()| {
            let is_wanted = std::env::var_os(PYTORCH).is_some_and(|value| !value.is_empty());
            if !is_wanted {
                return Ok(());
            }
            write(
                &file.with_extension("pytorch.json"),
                &result_json::pytorch(&document, report),
            )
        });
        written.map_err(|error| {
            Problem::failed("the results cannot be written")
                .because(&error)
                .cause(format!("{}: {error}", file.display()))
                .hint(format!(
                    "the records of the run are in {}",
                    result.folder.join(DATABASE).display()
                ))
        })?;
    }
    Ok(run)
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
        sent: Sent::of(plan, records.iter().map(|record| record.index)),
        records,
    })
}

fn write(file: &Path, document: &Value) -> io::Result<()> {
    make_folder_of(file)?;
    fs::write(file, document.to_string())
}

/// Behind what is in the file, on a line of its own.
fn append(file: &Path, document: &Value) -> io::Result<()> {
    make_folder_of(file)?;
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    let begin = if out.metadata()?.len() > 0 { "\n" } else { "" };
    out.write_all(format!("{begin}{document}").as_bytes())
}

fn make_folder_of(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Where the database of the run is: beside the results, or where none are kept, in a folder that goes when the command
/// ends.
struct Place {
    folder: PathBuf,
    _passing: Option<tempfile::TempDir>,
}

impl Place {
    fn choose(args: &ServeArgs) -> Result<Self, Problem> {
        let results = &args.results;
        if results.save_result || results.append_result {
            let results = Path::new(results.result_dir.as_deref().unwrap_or("."));
            return Ok(Self {
                folder: unused(results, &moment::folder_stamp()),
                _passing: None,
            });
        }
        let passing = tempfile::tempdir().map_err(|error| {
            Problem::failed("there is no place for the run's records").because(&error)
        })?;
        Ok(Self {
            folder: passing.path().to_owned(),
            _passing: Some(passing),
        })
    }
}

/// A folder of this moment that no other command has; taken by making it. Where that fails, the run will say why.
fn unused(results: &Path, stamp: &str) -> PathBuf {
    let name = |turn: u32| match turn {
        1 => format!("crestline-{stamp}"),
        _ => format!("crestline-{stamp}_{turn}"),
    };
    (1..=SAME_SECOND)
        .map(|turn| results.join(name(turn)))
        .find(|folder| {
            let made = fs::create_dir_all(results).and_then(|()| fs::create_dir(folder));
            made.is_ok() || !folder.exists()
        })
        .unwrap_or_else(|| results.join(name(1)))
}
