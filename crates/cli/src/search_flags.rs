//! Flags of a search that the dialects share: how sure, how precise, at what cost.
//!
//! Which loads are searched, and against which criteria, is each dialect's own.

use crestline_core::search::Budget;

use crate::problem::Problem;
use crate::{amounts, values};

const DEFAULT_CONFIDENCE: f64 = 0.9;
const DEFAULT_TOLERANCE: f64 = 0.05;

/// How sure a reported load must be, of `--sla-confidence`.
pub(crate) fn confidence(typed: Option<&str>) -> Result<f64, Problem> {
    let Some(text) = typed else {
        return Ok(DEFAULT_CONFIDENCE);
    };
    amounts::share(text)
        .filter(|share| (0.5..1.0).contains(share))
        .ok_or_else(|| {
            Problem::usage(format!(
                "--sla-confidence must be from 0.5 to below 1, not {text}"
            ))
            .hint("write 0.9 or 90%")
        })
}

/// The relative precision at which a search may end, of `--sla-tolerance`.
pub(crate) fn tolerance(typed: Option<&str>) -> Result<f64, Problem> {
    let Some(text) = typed else {
        return Ok(DEFAULT_TOLERANCE);
    };
    amounts::share(text)
        .filter(|share| *share > 0.0 && *share <= 0.5)
        .ok_or_else(|| {
            Problem::usage(format!(
                "--sla-tolerance must be above 0 and at most 0.5, not {text}"
            ))
            .hint("write 0.05 or 5%")
        })
}

/// What a search may spend, of `--sla-budget`.
pub(crate) fn budget(typed: &[String]) -> Result<Budget, Problem> {
    let mut budget = Budget::default();
    for text in typed {
        let amount = amounts::amount(text).ok_or_else(|| {
            Problem::usage(format!("--sla-budget cannot be {text}"))
                .hint("write a time (90s, 10m, 1h), requests (20000req, 20kreq) or tokens of answers (5Mtok), above 0")
        })?;
        let twice = match amount {
            amounts::Amount::Time(time) => budget.time.replace(time).is_some(),
            amounts::Amount::Requests(count) => budget.requests.replace(count).is_some(),
            amounts::Amount::Tokens(count) => budget.tokens.replace(count).is_some(),
        };
        if twice {
            return Err(Problem::usage(format!(
                "--sla-budget has two values of one kind: {}",
                values::list(typed)
            ))
            .hint("give at most one time, one number of requests and one number of tokens"));
        }
    }
    Ok(budget)
}
