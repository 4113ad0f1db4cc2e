//! What looks for the answer to one group: told after each dwell what was seen, it says where to go next.

use super::Abort;
use super::answer::{Answer, Interval, Outcome};
use super::evidence::{Dwell, Evidence};
use super::race::Reach;

/// A dwell that is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    pub(super) stage: Stage,
    pub(super) load: f64,
    /// Requests that must be decided.
    pub(super) requests: usize,
    /// Seconds that it lasts at least, and at most.
    pub(super) least: f64,
    pub(super) most: f64,
    /// Seconds over which further users join, and after which requests begin to count.
    pub(super) join: f64,
    pub(super) settle: f64,
    pub(super) abort: Abort,
}

/// What a dwell is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// How fast the service is when it is idle.
    WarmUp,
    /// Doubling until it is too much.
    Ramp,
    /// Halving the range.
    Coarse,
    /// Gathering evidence near the answer.
    Refine,
    /// Fresh requests at the answer.
    Confirm,
    /// Throughput at one load.
    Measure,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Ramp => "ramp",
            Self::Coarse => "coarse",
            Self::Refine => "refine",
            Self::Confirm => "confirm",
            Self::Measure => "measure",
        }
    }

    /// An earlier dwell at the same load serves as well.
    pub(super) fn may_be_shared(self) -> bool {
        matches!(self, Self::Ramp | Self::Coarse | Self::Measure)
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    Dwell(Plan),
    Settled(Box<Answer>),
}

impl Next {
    /// The answer is known.
    pub(super) fn settled(answer: Answer) -> Self {
        Self::Settled(Box::new(answer))
    }

    /// The service has not answered a single request.
    pub(super) fn unanswered() -> Self {
        Self::settled(Answer::bare(Outcome::Infeasible, "no request was answered"))
    }
}

/// Looks for the answer to one group.
pub(super) trait Seeker: std::fmt::Debug + Send {
    /// Where to begin.
    fn begin(&mut self, evidence: &Evidence) -> Next;

    /// After a dwell, whose place among those of the evidence is given.
    fn after(&mut self, evidence: &Evidence, dwell: usize) -> Next;

    /// The present dwell shows enough, before its time.
    fn has_seen_enough(&self, evidence: &Evidence, dwell: &Dwell) -> bool;

    /// Gauges by which its dwells are judged.
    fn gauges(&self) -> &[usize];

    /// The budget is used up: what can be said now.
    fn give_up(&mut self, evidence: &Evidence, why: &str) -> Answer;

    /// The client cannot drive this load or a higher one.
    fn forbid(&mut self, load: f64);

    /// Between which loads the answer lies, with a probability of `tail` for each that it is beyond; nothing is known
    /// before there is a belief.
    fn reach(&self, _tail: f64) -> Reach {
        Reach::UNKNOWN
    }

    /// Where the answer lies, as far as that is known, and the share of the work that is done.
    fn progress(&self) -> (Option<Interval>, f64);
}
