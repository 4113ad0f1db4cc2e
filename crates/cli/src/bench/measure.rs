//! One run: the load is applied, and what goes on is shown as it comes.
//!
//! Computes no figures and writes no results.

use std::cell::RefCell;
use std::ops::ControlFlow;

use crestline_experiment::event::{Event, PointResult};
use crestline_experiment::plan::SubjectPlan;
use crestline_experiment::run::run_when_ready;
use crestline_load::counters::ServerCounters;
use crestline_load::engine::Stop;
use crestline_report::load_tables as tables;
use crestline_workload::Workload;

use super::args::ServeArgs;
use super::beside::Beside;
use super::plan::{self, Translation};
use super::serve::FLAGS;
use super::{alignment, table};
use crate::console;
use crate::front_end::Seen;
use crate::problem::Problem;
use crate::problems::{self, Stage};
use crate::progress::{Answers, Screen, Watch};
use crate::telemetry::Telemetry;

/// What was measured, as it was stored.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) result: PointResult,
    /// What the service counted of itself meanwhile.
    pub(super) counted: Option<ServerCounters>,
}

/// Applies the load of a plan; `None` where it was stopped before the load began.
pub(super) fn measure(
    args: &ServeArgs,
    translation: &Translation,
    (telemetry, stop): (&Telemetry, &Stop),
) -> Result<Option<Measured>, Problem> {
    console::say(&table::before(&translation.report));
    let mut show = Show {
        watch: Watch::new(screen(), Answers::of(&translation.plan.generation)),
        is_quiet: args.load.disable_tqdm,
        stage: Stage::SetUp,
    };
    let prefix = plan::path_prefix(&args.connection);
    // Not before the service has answered: it may still have been starting.
    let beside = RefCell::new(None);
    let mut refused = None;
    let mut ready = |workload: &Workload| {
        alignment::correct(&translation.plan, prefix, workload, stop);
        let SubjectPlan::Live(target) = &translation.plan.subject else {
            return ControlFlow::Continue(());
        };
        match Beside::begin(target, &args.server, translation.profile) {
            Ok(begun) => {
                beside.replace(Some(begun));
                ControlFlow::Continue(())
            }
            Err(problem) => {
                refused = Some(problem);
                ControlFlow::Break(())
            }
        }
    };
    let outcome = run_when_ready(&translation.plan, stop, &mut ready, &mut |event| {
        telemetry.see(&event);
        match event {
            Event::Counting => {
                if let Some(beside) = &mut *beside.borrow_mut() {
                    beside.begin_counting();
                }
            }
            event => show.see(event),
        }
    });
    let counted = beside.take().and_then(Beside::end);
    if show.watch.screen() == Screen::Terminal {
        console::redraw("");
    }
    if let Some(problem) = refused {
        return Err(problem);
    }
    let outcome = outcome.map_err(|error| problems::problem(&error, show.stage, &FLAGS))?;
    let result = outcome.points.into_iter().next();
    Ok(result.map(|result| Measured { result, counted }))
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
                console::show(|| Seen::Progress(progress));
                if let Some(line) = self.watch.line(&progress) {
                    match self.watch.screen() {
                        Screen::Terminal => console::redraw(&line),
                        Screen::Log => console::pass(&line),
                    }
                }
            }
            _ => {}
        }
    }
}
