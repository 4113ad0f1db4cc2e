//! What a front end is told while an experiment runs. Shows nothing itself.

use std::path::PathBuf;

use crestline_core::health::ClientHealth;
use crestline_core::record::RequestRecord;
use crestline_core::request::LoadPoint;
use crestline_core::search::{Status, Variable};
use crestline_core::summary::RunSummary;
use crestline_core::tally::Tally;
use crestline_core::units::Nanos;

/// Something a front end may show.
#[derive(Debug)]
pub enum Event {
    /// Something the user should know; not an error.
    Note(String),
    /// All is checked and the service answers; nothing is sent yet, and whoever stops now leaves nothing behind. Told of loads
    /// that are given, not of searches.
    Ready,
    /// A load begins.
    PointStarted {
        /// Position in the plan, from 0.
        number: usize,
        /// Loads in the plan; `None` where a search chooses them.
        of: Option<usize>,
        /// What is applied.
        point: LoadPoint,
        /// Where its files go.
        folder: PathBuf,
    },
    /// The warm-up is over: what is sent from now on counts. Not told in virtual time.
    Counting,
    /// How far the load is; a few times a second at most, of the user's time.
    Progress(Progress),
    /// The same for a record of the load's course: once a second of the load's own clock, which in virtual time is not the
    /// user's. Its rates are those of that second.
    Pulse(Progress),
    /// What the load, or the search, has come to so far, before each report of progress and at its end; only where
    /// [`crate::plan::OutputPlan::tallies`] asks for it.
    Tally(Box<Tally>),
    /// A load has ended.
    PointDone(Box<PointResult>),
    /// Nothing is sent for a while, between two loads.
    Pause(Nanos),
    /// A search begins; its files go to this folder.
    SearchStarted(PathBuf),
    /// How far a search is; a few times a second at most, of the user's time.
    Search(Box<SearchProgress>),
    /// The same once a second of the search's own clock.
    SearchPulse(Box<SearchProgress>),
}

/// Parts of a search that are done, between which the pace so far tells its end.
const KNOWN_FROM: f64 = 0.2;
const NEARLY_DONE: f64 = 0.98;

/// How far a search is.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchProgress {
    /// Since the search began, pauses and earlier commands that it goes on from included.
    pub elapsed: Nanos,
    /// What the load is counted in.
    pub variable: Variable,
    /// Stage, load and what is known of the answer.
    pub status: Status,
    /// What the requests at this load say so far.
    pub verdict: Verdict,
    /// Requests that have ended.
    pub ended: u64,
    /// Of these, failures.
    pub failed: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// The share of the given budget that is spent, in 0..=1; 0 without one.
    pub budget_spent: f64,
}

/// What the requests at a load say so far of the first group that has no answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too little is known.
    Open,
    /// It is met.
    Meets,
    /// It is not met.
    Fails,
}

impl SearchProgress {
    /// Time left at the pace so far, of the work or of the budget, whichever ends first. `None` where it cannot be told:
    /// of a work that has hardly begun nothing is known but its budget, and one that is nearly done may end any moment.
    pub fn remaining(&self) -> Option<Nanos> {
        let work = self.status.progress;
        if work >= NEARLY_DONE {
            return None;
        }
        let by_work = Some(work).filter(|done| *done >= KNOWN_FROM);
        let by_budget = Some(self.budget_spent).filter(|spent| *spent > 0.0);
        let done = by_work.into_iter().chain(by_budget).reduce(f64::max)?;
        Some(Nanos::from_secs_f64(
            self.elapsed.as_secs_f64() * (1.0 - done.min(1.0)) / done,
        ))
    }
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Since the load began.
    pub elapsed: Nanos,
    /// Requests that the load has in all, warm-up included.
    pub total: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests that have ended.
    pub ended: u64,
    /// Of these, failures.
    pub failed: u64,
    /// Requests ended a second, since the last report.
    pub requests_per_s: f64,
    /// Chunks of answers received a second, since the last report: tokens, where each chunk is one.
    pub chunks_per_s: f64,
    /// Median time to first token of all requests that ended.
    pub ttft_p50: Option<Nanos>,
    /// 99th percentile of the same.
    pub ttft_p99: Option<Nanos>,
}

impl Progress {
    /// Requests in flight.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.ended)
    }

    /// Time left at the pace so far; `None` before anything has ended.
    pub fn remaining(&self) -> Option<Nanos> {
        let left = self.total.saturating_sub(self.ended);
        (self.ended > 0).then(|| {
            Nanos::from_secs_f64(self.elapsed.as_secs_f64() * left as f64 / self.ended as f64)
        })
    }
}

/// What came of one load.
#[derive(Debug, Clone)]
pub struct PointResult {
    /// What was measured.
    pub summary: RunSummary,
    /// How well the client kept up.
    pub health: ClientHealth,
    /// Where its files are.
    pub folder: PathBuf,
    /// The load was ended before all of its requests were sent and answered.
    pub interrupted: bool,
    /// The small requests beside it, in the order in which they ended; they are in no summary and no file.
    pub probes: Vec<RequestRecord>,
    /// What could not be written, in words: the measurement is whole, its database is not.
    pub loss: Option<String>,
}
