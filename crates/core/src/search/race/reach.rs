//! Between which loads the answer of a search lies.

use serde::{Deserialize, Serialize};

use super::super::answer::{Answer, Outcome};
use crate::stats::normal::normal_quantile;

/// Between which loads the highest load within the criteria lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// It is at least this; 0 where nothing is known.
    pub low: f64,
    /// It is at most this; `None` where nothing is known.
    pub high: Option<f64>,
}

impl Reach {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        low: 0.0,
        high: None,
    };

    /// Of an answer; `tail` is the probability that the truth lies beyond a bound. Between the ends of its 90 % interval and
    /// beyond, the log of the load is taken to be normal.
    pub fn of(answer: &Answer, tail: f64) -> Self {
        match answer.outcome {
            Outcome::Infeasible => Self {
                low: 0.0,
                high: Some(0.0),
            },
            // The limit is not known, only that it lies above.
            Outcome::NotReached | Outcome::Void => Self {
                low: answer.load.unwrap_or_default(),
                high: None,
            },
            Outcome::Value | Outcome::Inconclusive | Outcome::Outpaced => by_interval(answer, tail),
        }
    }

    /// There is an upper bound.
    pub fn is_bounded(&self) -> bool {
        self.high.is_some()
    }

    /// Certainly less than another one.
    pub fn is_below(&self, other: &Self) -> bool {
        self.high.is_some_and(|high| high < other.low)
    }

    /// It may be more than another one can be: its upper bound is higher, or it has none.
    pub(super) fn promises_more_than(&self, other: &Self) -> bool {
        let high = |reach: &Self| reach.high.unwrap_or(f64::INFINITY);
        high(self) > high(other)
    }
}

fn by_interval(answer: &Answer, tail: f64) -> Reach {
    let Some(interval) = answer.interval else {
        return Reach::UNKNOWN;
    };
    let Some(probability) = interval.probability else {
        return Reach {
            low: interval.low,
            high: Some(interval.high),
        };
    };
    let wider = normal_quantile(tail) / normal_quantile((1.0 - probability) / 2.0);
    let middle = answer
        .estimate
        .unwrap_or((interval.low * interval.high).sqrt());
    let moved = |end: f64| middle * (end / middle).powf(wider);
    // Where no load can be relied on, none is a lower bound.
    let is_relied_on = answer.load.is_some() || answer.outcome == Outcome::Outpaced;
    Reach {
        low: if is_relied_on {
            moved(interval.low)
        } else {
            0.0
        },
        high: Some(moved(interval.high)),
    }
}
