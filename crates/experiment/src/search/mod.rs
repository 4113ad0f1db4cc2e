//! Searches for the loads that meet an SLA.

mod bisect_run;
mod client_watch;
mod crest_run;
pub mod drive;
pub mod journal;
mod ledger;
pub mod loads;
pub mod outcome;
mod past;
pub mod read_back;
pub mod replay;
mod sessions;
pub mod summary_json;

use std::ops::ControlFlow;

use crestline_core::search::Search;
use crestline_core::units::Nanos;
use crestline_load::engine::Stop;

use crate::error::RunError;
use crate::event::Event;
use crate::plan::{Method, Plan};
use outcome::SearchOutcome;

/// Watches a search while it runs, once before anything is sent, at each look, and at the end unless it was ended early. Is
/// handed the search and its time of load, that of earlier commands included. May stop groups of it; a break ends the search
/// for now, and says why.
pub type Watch<'a> = dyn FnMut(&mut Search, Nanos) -> ControlFlow<String> + 'a;

/// Runs the search of a plan. Nothing is sent before everything that can be checked is checked.
pub fn run_search(
    plan: &Plan,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<SearchOutcome, RunError> {
    run_watched(plan, stop, each, &mut |_, _| ControlFlow::Continue(()))
}

/// The same with someone who may end it early. Separate runs of a bisection are not watched.
pub fn run_watched(
    plan: &Plan,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
    watch: &mut Watch<'_>,
) -> Result<SearchOutcome, RunError> {
    let search = plan.search.as_ref().ok_or(RunError::NoSearch)?;
    match search.method {
        Method::Bisect(_) => bisect_run::run(plan, search, stop, each),
        Method::Crest => {
            let around = crest_run::Around {
                stop,
                each,
                onlooker: watch,
            };
            crest_run::run(plan, search, around)
        }
    }
}
