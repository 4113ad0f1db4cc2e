//! `crestline bench serve`: from the flags to what came of the runs.
//!
//! [`run`] is the command; [`serve`] is the same for whoever runs it in process, such as a sweep. How a run is measured is in
//! [`super::measure`], what is shown and written of it in [`super::closing`], and what several come to in [`super::runs`].

use std::fs;
use std::path::{Path, PathBuf};

use crestline_experiment::error::RunError;
use crestline_experiment::plan::{Plan, SubjectPlan};
use crestline_experiment::run::check_prompts;
use crestline_load::engine::Stop;
use crestline_report::load_tables as tables;
use crestline_workload::Workload;
use crestline_workload::plan::WorkloadPlan;

use super::args::ServeArgs;
use super::beside;
use super::closing::{self, Closed};
use super::conversations;
use super::measure::measure;
use super::pictures;
use super::place::Place;
use super::plan::{self, Pictures, Surroundings, Translation};
use super::runs::{self, Turn};
use crate::exit::Exit;
use crate::front_end::Seen;
use crate::problem::Problem;
use crate::problems::{self, Flags, Stage};
use crate::report::{self, Page};
use crate::telemetry::Telemetry;
use crate::{console, moment, signals};

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

/// What came of a command.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Of each run that was begun, in order.
    pub(crate) runs: Vec<Closed>,
    /// It was stopped before all runs were done.
    pub(crate) is_interrupted: bool,
    /// Where the page of all runs belongs.
    page: PathBuf,
}

impl Served {
    /// A run in which nothing was answered measured nothing.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_interrupted {
            Exit::Interrupted
        } else if self.runs.iter().any(Closed::has_failed) {
            Exit::Failed
        } else {
            Exit::Done
        }
    }
}

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &ServeArgs) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    let place = Place::choose(args)?;
    let served = serve(args, &place.folder, &stop);
    for run in served.iter().flat_map(|served| &served.runs) {
        console::show(|| Seen::Benchmark(run.document.clone(), run.folder.clone()));
    }
    let page = match &served {
        Ok(served) if !served.runs.is_empty() && args.results.page.page() == Page::Written => {
            write_page(&place.folder, &served.page)
        }
        _ => Ok(()),
    };
    // Where nothing was measured, its folder is still empty, and goes.
    drop(fs::remove_dir(&place.folder));
    let exit = served?.exit();
    page.map(|()| exit).map_err(Problem::after_a_load)
}

/// Makes a page of the databases of all runs, as long as they are there.
fn write_page(databases: &Path, page: &Path) -> Result<(), Problem> {
    if let Some(folder) = page.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            Problem::failed(format!("{}: cannot be made", folder.display())).because(&error)
        })?;
    }
    report::of_folder(databases, page)?;
    console::tell(&format!("A page with figures is {}", page.display()));
    Ok(())
}

/// Refuses what can be refused of the flags before the service is there, and gives what the user should know of them.
/// Prompts that are `known` are not made again.
pub(crate) fn check(
    args: &ServeArgs,
    known: &mut Vec<WorkloadPlan>,
) -> Result<Vec<String>, Problem> {
    let is_named = args.connection.model.is_some();
    let mut args = args.clone();
    args.connection.model.get_or_insert_with(String::new);
    let translation = plan::translate(&args, &Surroundings::default())?;
    let prompts = &translation.plan.workload;
    // Without a model, the service is asked for one, and that says which tokenizer.
    if is_named && !known.contains(prompts) {
        Workload::open(prompts)
            .map_err(RunError::from)
            .and_then(|workload| check_prompts(&translation.plan, &workload))
            .map_err(|error| problems::problem(&error, Stage::SetUp, &FLAGS))?;
        known.push(prompts.clone());
    }
    Ok(notes(&translation))
}

/// What the user should know of how the flags are read.
fn notes(translation: &Translation) -> Vec<String> {
    let temperature = leaves_temperature(&translation.plan).then(|| {
        "no --temperature is given, so that the service's own default holds; --temperature 0 is greedy"
            .to_owned()
    });
    translation
        .notes
        .iter()
        .cloned()
        .chain(temperature)
        .collect()
}

/// Does what the flags ask for, with the databases of the runs in `folder`, until it is done or `stop` is asked. Waits for no
/// signals and ends no process.
pub(crate) fn serve(args: &ServeArgs, folder: &Path, stop: &Stop) -> Result<Served, Problem> {
    let around = Surroundings {
        api_key: std::env::var("OPENAI_API_KEY").ok(),
        folder: folder.to_owned(),
    };
    if let Some(warning) = plan::unproved(&args.connection) {
        console::tell(&format!("warning: {warning}"));
    }
    let args = &with_model(args, &around)?;
    let mut turns = Turn::all(args);
    let turn = turns.next().expect("there is a first run");
    let mut first = translated(args, &around, turn)?;
    for note in notes(&first) {
        console::tell(&format!("note: {note}"));
    }
    if args.load.dry_run {
        console::say(&dry_run(&first));
        return Ok(Served::default());
    }
    let runs = Runs {
        args,
        telemetry: Telemetry::start(&args.telemetry, &first.plan)?,
        stop,
        begun: moment::result_stamp(),
    };
    first.plan.output.tallies = runs.telemetry.tallies();
    let mut served = Served {
        page: Pictures::page_file(&first.report.place(&runs.begun)),
        ..Served::default()
    };
    let mut ended = runs.add(turn, &first, &mut served);
    for turn in turns {
        if ended.is_err() || served.is_interrupted {
            break;
        }
        ended = translated(args, &around, turn)
            .and_then(|mut translation| {
                translation.plan.output.tallies = runs.telemetry.tallies();
                runs.add(turn, &translation, &mut served)
            })
            .map_err(Problem::after_a_load);
    }
    if let [
        Closed {
            file: Some(file), ..
        },
    ] = &served.runs[..]
    {
        served.page = Pictures::page_file(file);
    }
    if turn.of > 1 && !served.runs.is_empty() {
        runs::conclude(&served.runs, &first.report, &runs.begun)?;
    }
    runs.telemetry.end(stop);
    // What the runs before came to is kept where one cannot be carried through.
    ended.map(|()| served)
}

/// What the runs of a command share.
struct Runs<'a> {
    args: &'a ServeArgs,
    telemetry: Telemetry,
    stop: &'a Stop,
    /// The moment in names of files, where there are several runs.
    begun: String,
}

impl Runs<'_> {
    /// One run, from its first line to its files.
    fn add(
        &self,
        turn: Turn,
        translation: &Translation,
        served: &mut Served,
    ) -> Result<(), Problem> {
        if turn.of > 1 {
            console::say(&turn.title());
        }
        let Some(measured) = measure(self.args, translation, (&self.telemetry, self.stop))? else {
            served.is_interrupted = true;
            return Ok(());
        };
        served.is_interrupted = measured.result.interrupted;
        let stamp = (turn.of > 1).then_some(self.begun.as_str());
        let closed = closing::close(translation, measured, turn, stamp)?;
        served.runs.push(closed);
        Ok(())
    }
}

/// The flags of one run as they are meant; where that is for the data set to say, it is read.
fn translated(args: &ServeArgs, around: &Surroundings, turn: Turn) -> Result<Translation, Problem> {
    let (args, around) = (turn.args(args), turn.surroundings(around));
    let mut translation = plan::translate(&args, &around)?;
    if plan::depends_on_samples(&args) {
        plan::fit_to_samples(&mut translation, &args)?;
    }
    Ok(translation)
}

/// A service draws tokens with a temperature that nobody named.
fn leaves_temperature(plan: &Plan) -> bool {
    let settings = &plan.generation;
    let is_named = settings.temperature.is_some() || settings.extra.contains_key("temperature");
    let is_live = matches!(plan.subject, SubjectPlan::Live(_));
    is_live && plan::is_openai(plan.endpoint) && !is_named
}

/// The flags with the service's own model where none is given.
pub(super) fn with_model(args: &ServeArgs, around: &Surroundings) -> Result<ServeArgs, Problem> {
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
    let Translation { plan, report, .. } = translation;
    let point = &plan.points[0];
    let stamp = moment::result_stamp();
    let files = runs::files(report, &stamp);
    let pictures = pictures::files(report, &stamp);
    let runs = match report.turns {
        1 => String::new(),
        turns => format!("Runs: {turns}\n"),
    };
    format!(
        "URL: {}\nModel: {}\nLoad: {}\n{}: {}, {} before them\n{runs}Results: {files}\n{pictures}Plan: {}",
        plan.shown_url(),
        plan.model,
        tables::load_name(&point.load),
        conversations::items(plan),
        point.requests,
        point.warmup,
        serde_json::to_string(plan).expect("a plan has a JSON form"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::args::BenchCommand;
    use super::*;
    use crate::command::{Parsed, Sub, parse};
    use crate::plan_lines::words;

    fn flags(line: &str) -> ServeArgs {
        let args = ["crestline", "bench", "serve"]
            .into_iter()
            .chain(words(line));
        match parse(args.map(Into::into).collect()).unwrap() {
            Parsed::Command(Sub::Bench(args)) => match args.command {
                BenchCommand::Serve(args) => *args,
                BenchCommand::Startup(_) | BenchCommand::Sweep(_) => panic!("not `bench serve`"),
            },
            other => panic!("not a bench command: {other:?}"),
        }
    }

    const RUN: &str = "--model m --tokenizer builtin --random-input-len 8 --random-output-len 4 --base-url sim:constant-20ms --num-prompts 3";

    #[test]
    fn a_command_in_process_gives_back_its_documents_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results");
        let line = format!(
            "{RUN} --num-runs 2 --save-result --result-filename r.json --result-dir {}",
            results.display()
        );
        let served = serve(&flags(&line), folder.path(), &Stop::default()).unwrap();
        assert_eq!(served.exit(), Exit::Done);
        let files = served.runs.iter().map(|run| run.file.clone().unwrap());
        let files: Vec<_> = files.collect();
        assert_eq!(
            files,
            [results.join("r-run1.json"), results.join("r-run2.json")]
        );
        for (run, file) in served.runs.iter().zip(files) {
            assert_eq!(run.document["completed"], 3);
            assert!(run.is_complete && !run.has_failed());
            assert_eq!(fs::read_to_string(file).unwrap(), run.document.to_string());
        }
    }

    #[test]
    fn a_document_is_there_without_a_file_and_a_stop_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let served = serve(&flags(RUN), folder.path(), &Stop::default()).unwrap();
        assert_eq!(served.runs.len(), 1);
        assert_eq!(served.runs[0].file, None);
        assert_eq!(served.runs[0].document["num_prompts"], 3);
        let stop = Stop::default();
        stop.ask();
        let other = tempfile::tempdir().unwrap();
        let served = serve(&flags(RUN), other.path(), &stop).unwrap();
        assert_eq!(served.exit(), Exit::Interrupted);
        assert!(served.runs.is_empty());
    }
}
