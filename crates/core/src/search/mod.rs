//! Finds the highest load that meets a group of criteria, or the load at which a measure is best.
//!
//! Decides only what to try next: ask [`Search::step`] what to do, tell it what was seen. Opens nothing, reads no clock,
//! and gives the same answers for the same observations. One session serves a whole search: loads are changed in place,
//! never restarted.

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
mod normal;
mod open;
mod over;
pub mod pchip;
mod peak;
mod question;
mod run;
mod seeker;
#[cfg(test)]
mod synthetic;

pub use answer::{Answer, Interval, Knee, Outcome, Status};
pub use evidence::Span;
pub use question::{Bounds, Budget, Question, Variable};
pub use run::Search;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// None.
    Nothing,
    /// Those above the new number of users, picked evenly over age so that the rest stay as mixed as they were.
    Surplus,
    /// All that have no first token yet: the queue of an overload.
    Queue,
}
