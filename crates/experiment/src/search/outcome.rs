//! What comes of a search, whichever way it went: plain data for tables and files.

use crestline_core::health::ClientHealth;
use crestline_core::search::{Answer, Budget, Outcome, Question};
use crestline_core::sla::Probe;
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;

/// What came of a search.
#[derive(Debug, Clone)]
pub struct SearchOutcome {
    /// One a group, in the question's order.
    pub answers: Vec<Answer>,
    /// One for each load that was tried, in increasing load.
    pub tried: Vec<Tried>,
    /// Every stretch of time at one load, in order of time.
    pub dwells: Vec<Dwell>,
    /// When the search began, on the clock of the records.
    pub began: Nanos,
    /// What it cost, earlier commands that it went on from included.
    pub spent: Spent,
    /// How well the client kept up.
    pub health: ClientHealth,
    /// It was ended by the user.
    pub interrupted: bool,
    /// What could not be written, in words. Without its journal a search ends early, without its database it is whole.
    pub loss: Option<String>,
}

/// A load that was tried, all of its dwells together.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Users, or requests a second.
    pub load: f64,
    /// Its runs. Figures of several are averaged; a session has one, of all requests that were sent at this load.
    pub runs: Vec<RunSummary>,
    /// Work done a second while the load was applied. Without it, each run's own.
    pub pace: Option<WorkRate>,
}

/// Work done a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkRate {
    /// Requests that succeeded.
    pub requests_per_s: f64,
    /// Tokens of answers.
    pub output_tokens_per_s: f64,
}

/// A stretch of time at one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Dwell {
    /// From 1, in order of time.
    pub number: u32,
    /// Users, or requests a second.
    pub load: f64,
    /// What the search was doing.
    pub stage: String,
    /// When the load was applied, since the search began.
    pub start: Nanos,
    /// When its requests began to count as evidence; `None` where that never came.
    pub counted_from: Option<Nanos>,
    /// When the next load was applied.
    pub end: Nanos,
    /// Why it ended, in a word or two.
    pub ending: String,
    /// It says nothing of the service.
    pub is_void: bool,
    /// Requests that count, and what each criterion and aim of the question measures over them.
    pub probe: Probe,
}

/// What a search cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Time of load.
    pub time: Nanos,
    /// Requests that ended.
    pub requests: u64,
    /// Of these, failures; those that the search itself gave up are none.
    pub failed: u64,
    /// Requests that the search gave up when it changed the load.
    pub given_up: u64,
    /// Tokens of prompts, of requests that succeeded.
    pub input_tokens: u64,
    /// Tokens of answers, of requests that succeeded.
    pub output_tokens: u64,
}

impl Spent {
    /// The share of a budget that is spent, of whatever is used up first, in 0..=1; 0 without a budget.
    pub(super) fn share_of(&self, budget: &Budget) -> f64 {
        let time = budget
            .time
            .map(|most| self.time.as_secs_f64() / most.as_secs_f64());
        let requests = budget
            .requests
            .map(|most| self.requests as f64 / most as f64);
        let tokens = budget
            .tokens
            .map(|most| self.output_tokens as f64 / most as f64);
        let shares = [time, requests, tokens].into_iter().flatten();
        shares.fold(0.0, f64::max).min(1.0)
    }
}

/// What was met up to the highest load that this machine can drive was not met up to the asked bound: how far it would be
/// met is not known.
pub(super) fn as_asked(answer: Answer, driven: &Question, asked: &Question) -> Answer {
    let highest = driven.bounds.highest;
    if answer.outcome != Outcome::NotReached || highest >= asked.bounds.highest {
        return answer;
    }
    Answer {
        outcome: Outcome::Void,
        reason: format!("the system lets a process have {highest} connections"),
        ..answer
    }
}

/// Of a group that the search did not get to.
pub(super) fn open_answer() -> Answer {
    Answer::bare(Outcome::Inconclusive, "interrupted")
}
