//! What a search found: the loads that were tried, the answers as a table, and the evidence in words.
//!
//! Values in, text out. Does not decide what an answer is: that is `crestline_core::search`.

mod advice;
mod answers;
mod evidence;
mod tried;

pub use advice::recommendations;
pub use answers::{note, summary_table};
pub(crate) use evidence::knee;
pub use evidence::{evidence, failures_line};
pub use tried::{TriedRow, best_configuration, detailed_performance};

use crestline_core::search::{Interval, Outcome, Variable};

use crate::number::{grouped, significant, trimmed};

/// Significant digits of a rate.
const RATE_DIGITS: i32 = 4;

/// A load as it is shown: `37`, `2.125`. Fractions of users have one digit.
pub fn load_text(variable: Variable, load: f64) -> String {
    match variable {
        Variable::Users => trimmed(Some(load), 1),
        Variable::Rate => significant(load, RATE_DIGITS),
    }
}

/// A load with its unit: `1 user`, `37 users`, `2.125 req/s`.
pub fn load_name(variable: Variable, load: f64) -> String {
    let text = load_text(variable, load);
    match variable {
        Variable::Users if text == "1" => "1 user".to_owned(),
        Variable::Users => format!("{text} users"),
        Variable::Rate => format!("{text} req/s"),
    }
}

/// The ends of an interval. Whole users are rounded outwards, and are never less than one.
pub fn ends(variable: Variable, interval: Interval) -> [String; 2] {
    let Interval { low, high, .. } = interval;
    let (low, high) = match variable {
        Variable::Users => (low.floor().max(1.0), high.ceil()),
        Variable::Rate => (low, high),
    };
    [low, high].map(|load| load_text(variable, load))
}

/// So many requests more, as an estimate.
fn more_requests(count: u64) -> String {
    match count {
        0 | 1 => "about 1 more request".to_owned(),
        _ => format!("about {} more requests", grouped(count)),
    }
}

/// Whether a group has its answer: a load, or that the upper bound is not enough to find one.
pub fn is_answered(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Value | Outcome::NotReached)
}

#[cfg(test)]
mod tests;
