//! A search as it was left on disk: finished, killed or still going on.
//!
//! Needs its journal and its database; changes neither, and goes on with nothing.

use std::path::Path;

use crestline_core::health::ClientHealth;
use crestline_core::search::Answer;
use crestline_store::runs::{RunReader, StoreError};

use super::drive::Shape;
use super::journal::{Entry, Journal, JournalError};
use super::ledger::Ledger;
use super::outcome::{SearchOutcome, open_answer};
use super::past::Past;
use crate::error::RunError;
use crate::plan::{Method, Plan, SearchPlan};
use crate::run::DATABASE;

/// A search that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// Of what was done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Of the requests.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Both can be read, and do not fit each other.
    #[error(transparent)]
    Past(#[from] RunError),
    /// The plan in the database is of something else.
    #[error("its database has no plan of a search in one session")]
    NoPlan,
    /// It was ended before the first load had settled.
    #[error("nothing was measured before it ended")]
    NothingMeasured,
}

/// What was asked, and what came of it.
#[derive(Debug)]
pub struct ReadBack {
    /// What was measured with.
    pub plan: Plan,
    /// The search in it.
    pub search: SearchPlan,
    /// As far as it is on disk; what the client observed of itself is not.
    pub outcome: SearchOutcome,
}

/// Reads a search from its folder.
pub fn read(folder: &Path) -> Result<ReadBack, ReadBackError> {
    let (_, entries) = Journal::read(folder)?;
    let database = folder.join(DATABASE);
    let plan = RunReader::open(&database)?.meta().header.plan.clone();
    let plan: Plan = serde_json::from_value(plan).map_err(|_| ReadBackError::NoPlan)?;
    let search = plan.search.clone().ok_or(ReadBackError::NoPlan)?;
    if search.method != Method::Crest {
        return Err(ReadBackError::NoPlan);
    }
    let is_ended = matches!(entries.last(), Some(Entry::End { .. }));
    let past = Past::read(entries, &database)?;
    let question = &search.question;
    let shape = Shape {
        variable: question.variable,
        fixed_parallel: search.fixed_parallel,
    };
    let mut ledger = Ledger::new(question, shape);
    past.tell_ledger(&mut ledger);
    let now = past.from;
    let tried = ledger.tried(now);
    if tried.is_empty() {
        return Err(ReadBackError::NothingMeasured);
    }
    let outcome = SearchOutcome {
        answers: answers(question.groups.len(), &past),
        tried,
        dwells: ledger.dwells(now),
        began: ledger.began(),
        spent: ledger.spent(now),
        health: ClientHealth::default(),
        interrupted: !is_ended,
        loss: None,
    };
    Ok(ReadBack {
        plan,
        search,
        outcome,
    })
}

/// The answers that were put down; a group without one is open.
fn answers(groups: usize, past: &Past) -> Vec<Answer> {
    let known = |group: usize| {
        let mut all = past.answers.iter().rev();
        all.find(|answered| answered.group as usize == group)
    };
    let answers = (0..groups).map(|group| known(group).map(|answered| answered.answer.clone()));
    answers
        .map(|answer| answer.unwrap_or_else(open_answer))
        .collect()
}
