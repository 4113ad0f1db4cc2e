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
pub mod replay;
mod sessions;
pub mod summary_json;

use crestline_load::engine::Stop;

use crate::error::RunError;
use crate::event::Event;
use crate::plan::{Method, Plan};
use outcome::SearchOutcome;

/// Runs the search of a plan. Nothing is sent before everything that can be checked is checked.
pub fn run_search(
    plan: &Plan,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<SearchOutcome, RunError> {
    let search = plan.search.as_ref().ok_or(RunError::NoSearch)?;
    match search.method {
        Method::Bisect(_) => bisect_run::run(plan, search, stop, each),
        Method::Crest => crest_run::run(plan, search, stop, each),
    }
}
