//! Checks of single values: each refusal names the flag, the value and what would do.

use std::num::NonZeroU32;

use crestline_core::units::Nanos;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// A whole number of 0 or more.
pub(crate) fn count(flag: &str, value: i64) -> Result<u32, Problem> {
    u32::try_from(value).map_err(|_| {
        Problem::usage(format!(
            "{flag} must be a number from 0 to {}, not {value}",
            u32::MAX
        ))
    })
}

/// A whole number of 1 or more.
pub(crate) fn positive(flag: &str, value: i64) -> Result<NonZeroU32, Problem> {
    u32::try_from(value)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| {
            Problem::usage(format!(
                "{flag} must be a number from 1 to {}, not {value}",
                u32::MAX
            ))
        })
}

/// A span of more than no time.
pub(crate) fn span(flag: &str, seconds: f64) -> Result<Nanos, Problem> {
    if seconds.is_finite() && seconds > 0.0 {
        Ok(Nanos::from_secs_f64(seconds))
    } else {
        Err(Problem::usage(format!(
            "{flag} must be above 0 seconds, not {seconds}"
        )))
    }
}

/// A span that may be zero.
pub(crate) fn pause(flag: &str, seconds: f64) -> Result<Nanos, Problem> {
    if seconds.is_finite() && seconds >= 0.0 {
        Ok(Nanos::from_secs_f64(seconds))
    } else {
        Err(Problem::usage(format!(
            "{flag} must be 0 or more seconds, not {seconds}"
        )))
    }
}

/// A finite number.
pub(crate) fn finite(flag: &str, value: f64) -> Result<f64, Problem> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Problem::usage(format!(
            "{flag} must be a finite number, not {value}"
        )))
    }
}

/// A JSON object.
pub(crate) fn object(flag: &str, text: &str) -> Result<Map<String, Value>, Problem> {
    let wrong = |problem: Problem| {
        problem.hint(format!(
            "write it as in {flag} '{{\"key\": \"value\"}}', in single quotes for the shell"
        ))
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(wrong(
            Problem::usage(format!("{flag} must be a JSON object")).cause(format!("it is {text}")),
        )),
        Err(error) => Err(wrong(
            Problem::usage(format!("{flag} is not JSON")).because(&error),
        )),
    }
}

/// Values as they were typed, for messages: `1 10 50`.
pub(crate) fn list<T: ToString>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(T::to_string).collect();
    texts.join(" ")
}

/// The text itself, or what the file behind `@FILE` holds.
pub(crate) fn text_or_file(flag: &str, text: &str) -> Result<String, Problem> {
    match text.strip_prefix('@') {
        None => Ok(text.to_owned()),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Problem::usage(format!("{flag}: cannot read the file {path}")).because(&error)
        }),
    }
}
