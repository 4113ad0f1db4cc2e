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

use crate::distributed::{Link, Senders};
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
    run_search_by(plan, Senders::Here, stop, each)
}

/// The same from several machines. One that is lost ends the search with what is known by then.
pub fn run_search_over(
    plan: &Plan,
    workers: Vec<Link>,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<SearchOutcome, RunError> {
    run_search_by(plan, Senders::Workers(workers), stop, each)
}

/// The same from whoever sends.
pub fn run_search_by(
    plan: &Plan,
    senders: Senders,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<SearchOutcome, RunError> {
    let around = crest_run::Around {
        stop,
        each,
        onlooker: &mut |_, _| ControlFlow::Continue(()),
    };
    search_by(plan, senders, around)
}

/// The same as [`run_search`] with someone who may end it early. Separate runs of a bisection are not watched.
pub fn run_watched(
    plan: &Plan,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
    watch: &mut Watch<'_>,
) -> Result<SearchOutcome, RunError> {
    let around = crest_run::Around {
        stop,
        each,
        onlooker: watch,
    };
    search_by(plan, Senders::Here, around)
}

fn search_by(
    plan: &Plan,
    senders: Senders,
    around: crest_run::Around<'_, '_>,
) -> Result<SearchOutcome, RunError> {
    let search = plan.search.as_ref().ok_or(RunError::NoSearch)?;
    match search.method {
        Method::Bisect(_) => bisect_run::run(plan, search, senders, (around.stop, around.each)),
        Method::Crest => crest_run::run(plan, search, senders, around),
    }
}
