//! One search session on a running server, for one benchmark and all SLAs: `experiment::search` with what the benchmark's
//! command sends.
//!
//! Writes no vLLM files and shows no answers: its own journal and database only, in a folder of its own.

use std::path::{Path, PathBuf};

use crestline_core::search::{Question, Variable};
use crestline_core::sla::Slo;
use crestline_experiment::event::Event;
use crestline_experiment::plan::{Method, Resume, SearchPlan};
use crestline_experiment::run::DATABASE;
use crestline_experiment::search::journal::JOURNAL;
use crestline_experiment::search::outcome::SearchOutcome;
use crestline_experiment::search::{Watch as SearchWatch, run_watched};
use crestline_load::engine::Stop;
use crestline_store::runs::RunReader;

use super::super::super::args::ServeArgs;
use super::super::super::plan::{self as bench_plan, Surroundings, Translation};
use super::super::super::serve::{FLAGS, with_model};
use super::super::args::SlaVariable;
use super::super::bench_command::own_args;
use super::plan::{Method as SlaMethod, SlaSweep};
use crate::console;
use crate::problem::Problem;
use crate::problems::{self, Stage};
use crate::progress::{Answers, Screen, Watch};
use crate::values;

/// Letters of a failure that are shown.
const FAILURE_LETTERS: usize = 300;

/// A search that can be run as soon as its server answers.
#[derive(Debug, Clone)]
pub(crate) struct CrestSearch {
    args: ServeArgs,
    question: Question,
    /// For its journal and database.
    folder: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) translation: Translation,
    pub(crate) outcome: SearchOutcome,
}

impl CrestSearch {
    /// Checks everything that can be checked without a server. `command` is the benchmark's, with the parameters of its
    /// combination.
    pub(crate) fn prepare(
        command: &[String],
        sla: &SlaSweep,
        folder: PathBuf,
    ) -> Result<Self, Problem> {
        let args = own_args(command, &folder)?;
        refuse_misfits(&args, sla.variable)?;
        let args = cleaned(&args, sla);
        let search = Self {
            args,
            question: question(sla),
            folder,
        };
        search
            .check()
            .map_err(|problem| problem.within("--bench-cmd"))?;
        Ok(search)
    }

    /// The service says which model it has; all else can be known before.
    fn check(&self) -> Result<(), Problem> {
        let mut args = self.args.clone();
        args.connection.model.get_or_insert_with(String::new);
        bench_plan::translate(&args, &self.surroundings()).map(drop)
    }

    /// Where its journal and database are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is asked.
    pub(crate) fn question(&self) -> &Question {
        &self.question
    }

    /// Searches, going on from what an earlier command or turn has left in the folder; `watch` may end it early.
    pub(crate) fn run(
        &self,
        stop: &Stop,
        watch: &mut SearchWatch<'_>,
    ) -> Result<Searched, Problem> {
        let around = self.surroundings();
        let args = with_model(&self.args, &around)?;
        let mut translation = bench_plan::translate(&args, &around)?;
        let plan = &mut translation.plan;
        plan.points.clear();
        plan.probe_rate = None;
        plan.output.keep_text = false;
        plan.search = Some(SearchPlan {
            question: self.question.clone(),
            method: Method::Crest,
            fixed_parallel: limit(&args, self.question.variable)?,
            resume: if self.folder.join(JOURNAL).exists() {
                Resume::Yes
            } else {
                Resume::No
            },
        });
        let mut show = Show::new(&translation, &args);
        let plan = &translation.plan;
        let outcome = run_watched(plan, stop, &mut |event| show.see(event), watch);
        show.end();
        let outcome = outcome.map_err(|error| problems::problem(&error, show.stage, &FLAGS))?;
        let spent = &outcome.spent;
        if !outcome.interrupted && spent.requests > 0 && spent.failed == spent.requests {
            return Err(self.unanswered());
        }
        Ok(Searched {
            translation,
            outcome,
        })
    }

    /// A service that never answered has not been measured.
    fn unanswered(&self) -> Problem {
        let problem = Problem::failed("no request was answered");
        let reader = RunReader::open(&self.folder.join(DATABASE));
        let failure = reader.ok().and_then(|reader| {
            let mut records = reader.records().filter_map(Result::ok);
            records.find_map(|record| record.failure)
        });
        match failure {
            Some(failure) => {
                let text = console::brief(&failure.text, FAILURE_LETTERS);
                problem.cause(format!("{}: {text}", failure.kind.name()))
            }
            None => problem,
        }
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            api_key: std::env::var("OPENAI_API_KEY").ok(),
            folder: self.folder.clone(),
        }
    }
}

/// What is asked of a search.
pub(crate) fn question(sla: &SlaSweep) -> Question {
    let SlaMethod::Crest {
        confidence,
        tolerance,
        budget,
    } = sla.method
    else {
        unreachable!("a session is searched by its own method")
    };
    Question {
        variable: sla.counted_in(),
        bounds: sla.bounds,
        first: sla.first(),
        groups: sla.slas.iter().map(super::criteria::Sla::group).collect(),
        slo: Slo::default(),
        confidence,
        tolerance,
        budget,
    }
}

/// The flags without the load that they ask for.
fn cleaned(args: &ServeArgs, sla: &SlaSweep) -> ServeArgs {
    let mut args = args.clone();
    match sla.variable {
        SlaVariable::RequestRate => args.load.request_rate = f64::INFINITY,
        SlaVariable::MaxConcurrency => args.load.max_concurrency = None,
    }
    args
}

/// Most requests in flight while a rate is varied.
fn limit(args: &ServeArgs, variable: Variable) -> Result<Option<std::num::NonZeroU32>, Problem> {
    match (variable, args.load.max_concurrency) {
        (Variable::Rate, Some(limit)) => values::positive("--max-concurrency", limit).map(Some),
        _ => Ok(None),
    }
}

/// Loads that a session cannot apply while it varies them.
fn refuse_misfits(args: &ServeArgs, variable: SlaVariable) -> Result<(), Problem> {
    let load = &args.load;
    let refused = |flag: &str, why: &str| {
        Err(Problem::usage(format!(
            "{flag} in --bench-cmd does not fit --sla-search crest"
        ))
        .cause(why)
        .hint(format!("leave {flag} out, or choose --sla-search pchip")))
    };
    if load.burstiness.total_cmp(&1.0).is_ne() {
        return refused(
            "--burstiness",
            "it offers rates at random times, as independent users do",
        );
    }
    if load.ramp_up_strategy.is_some() {
        return refused("--ramp-up-strategy", "it changes the load by itself");
    }
    if args.conversations.multi_turn {
        return refused(
            "--multi-turn",
            "it counts single requests, which users of conversations do not send at will",
        );
    }
    if variable == SlaVariable::MaxConcurrency && load.request_rate.is_finite() {
        return refused(
            "--request-rate",
            "with --sla-variable max_concurrency users send when their last answer is there",
        );
    }
    Ok(())
}

/// What is shown while the search goes on.
struct Show {
    watch: Watch,
    is_quiet: bool,
    stage: Stage,
}

impl Show {
    fn new(translation: &Translation, args: &ServeArgs) -> Self {
        let screen = if console::is_watched() {
            Screen::Terminal
        } else {
            Screen::Log
        };
        Self {
            watch: Watch::new(screen, Answers::of(&translation.plan.generation)),
            is_quiet: args.load.disable_tqdm,
            stage: Stage::SetUp,
        }
    }

    fn see(&mut self, event: Event) {
        match event {
            Event::Note(note) => console::tell(&format!("note: {note}")),
            Event::SearchStarted(_) => self.stage = Stage::Load,
            Event::Search(progress) if !self.is_quiet => {
                if let Some(line) = self.watch.search_line(&progress) {
                    match self.watch.screen() {
                        Screen::Terminal => console::redraw(&line),
                        Screen::Log => console::pass(&line),
                    }
                }
            }
            _ => {}
        }
    }

    fn end(&self) {
        if self.watch.screen() == Screen::Terminal {
            console::redraw("");
        }
    }
}
