//! Finds the highest load that meets a group of criteria, or the load at which a measure is best.
//!
//! Decides only what to try next: ask [`Search::step`] what to do, tell it by [`Search::ended`] what was seen. Opens nothing,
//! reads no clock, and gives the same answers for the same observations. One session serves a whole search: loads are changed
//! in place, never restarted. Why it is built so is told in `docs/decisions/0007-search.md`.
//!
//! # How a search runs
//!
//! It begins with a few requests at the lowest load, which show how long an answer takes. Then each group has its turn: a
//! *seeker* asks for *dwells*, times at one load, and is told after each what was seen. All groups share the evidence. The
//! requests of a dwell count from when the service is steady; what is in flight when the load changes is judged by what it
//! had shown by then.
//!
//! **A closed loop** doubles the users until a criterion is clearly broken, or more users only wait longer. The upper values of
//! the last two loads give a first guess of the crossing. Then it dwells around the guess: after each dwell all requests near
//! the estimate are shifted to the load at which each would just have met the limit, and the tail of these loads becomes a
//! belief on where the crossing lies. When the belief is narrow, fresh requests at the load to be reported must be in keeping
//! with it. Failed requests end the doubling too, and the highest load without one is then the answer.
//!
//! **An open loop** doubles the rate until it is too much, then halves the range, each time long enough for a queue to build. A
//! load that was too much leaves a queue behind, which is dropped before the next dwell. Near the crossing it counts violations
//! in long dwells, and fits a curve through the counts; violations that follow each other are one episode and count about
//! once. It ends when the belief is narrow.
//!
//! **The best of a measure** needs no tail. A throughput is that of the tokens that arrive, in windows of a few latencies; the
//! load is doubled until that gains no more, a peak is refined between its neighbours, and on its left flank the smallest
//! load within 2 % of the best is the answer. Beside limits this happens below the highest load that meets them. A throughput
//! that must only be reached has its far end located instead.
//!
//! # Where to find what
//!
//! | file | what is in it |
//! | --- | --- |
//! | `question`, `answer` | what is asked, and what was found |
//! | `run` | [`Search`]: warm-up, groups in turn, dwells, the budget |
//! | `seeker`, `frame` | what looks for one group's answer, and what all such have in common |
//! | `closed` | the seeker of closed loops; its ramp and its failures in `closed/` |
//! | `open`, `peak`, `floor` | the seekers of open loops, of best measures, of throughputs to be reached |
//! | `evidence` | requests by the load at which they were sent, and what the service did meanwhile |
//! | `gauge` | what a request comes to under a criterion, ended or not |
//! | `over` | whether a dwell is clearly beyond a criterion |
//! | `fit`, `counts` | from values, or from counts, to a belief on the crossing |
//! | `design_effect` | how much less requests say than as many independent ones |
//! | `belief`, `normal` | probabilities over loads |
//! | `race` | which of several configurations need not be searched on, since another one serves more |
//! | `bisect`, `pchip` | other tools' searches, over separate runs; they share nothing with the rest |

mod answer;
mod belief;
pub mod bisect;
mod closed;
mod counts;
mod design_effect;
mod evidence;
mod fit;
mod floor;
mod frame;
mod gauge;
mod open;
mod over;
pub mod pchip;
mod peak;
mod question;
pub mod race;
mod run;
mod seeker;
#[cfg(test)]
mod synthetic;

pub use answer::{Answer, Interval, Knee, Outcome, Status};
pub use evidence::Span;
pub use question::{Bounds, Budget, Question, Variable};
pub use run::Search;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// What to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Leave the load as it is, and ask again at this moment at the latest.
    Wait(Nanos),
    /// Change the load now.
    Change(Change),
    /// Nothing more is needed.
    Done,
}

/// A change of load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Users in flight (a whole number), or requests a second.
    pub load: f64,
    /// Further users join evenly over this time: all at once they would stay in step for long.
    pub join_over: Nanos,
    /// Which requests in flight are given up.
    pub abort: Abort,
}

/// Which requests in flight a change gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abort {
    /// None.
    Nothing,
    /// Those above the new number of users, picked evenly over age so that the rest stay as mixed as they were.
    Surplus,
    /// All that have no first token yet: the queue of an overload.
    Queue,
    /// Those of all users, who join anew: where an overload brought answers of equal length into step, they would stay so.
    /// Nothing in an open loop without a limit.
    All,
}

#[cfg(test)]
mod tests;
