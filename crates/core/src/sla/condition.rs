//! Reads one condition, such as `<= 2s`, `>99.5%` or `max`.
//!
//! Knows which units a measure has; whether the condition makes sense for a search is for [`super::parse_groups`].

use super::error::CriterionFault;
use super::{Goal, Measure, Relation};
use crate::metrics::Unit;

/// What is asked of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Condition {
    Limit(Relation, f64),
    Aim(Goal),
}

/// Longest first, so that `<=` is not read as `<`.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("≤", Relation::AtMost),
    ("≥", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
];

/// Reads a condition on `measure`; blanks anywhere are ignored.
pub(super) fn parse(measure: Measure, text: &str) -> Result<Condition, CriterionFault> {
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    for goal in [Goal::Max, Goal::Min] {
        if dense.eq_ignore_ascii_case(goal.name()) {
            return Ok(Condition::Aim(goal));
        }
    }
    let found = RELATIONS
        .iter()
        .find_map(|(symbol, relation)| Some((*relation, dense.strip_prefix(symbol)?)));
    let Some((relation, rest)) = found else {
        return Err(CriterionFault::NoRelation {
            text: text.trim().to_owned(),
            measure,
        });
    };
    Ok(Condition::Limit(relation, threshold(measure.unit(), rest)?))
}

/// A condition that suits the measure.
pub(super) fn example(measure: Measure) -> &'static str {
    match measure.unit() {
        Unit::Seconds => "<=2s",
        Unit::Fraction => ">=99.5%",
        Unit::RequestsPerSecond => ">=10 req/s",
        _ => ">=500 tok/s",
    }
}

/// Reads a number with a unit of a quantity, into its base unit: finite and above zero.
pub(super) fn threshold(quantity: Unit, text: &str) -> Result<f64, CriterionFault> {
    if text.is_empty() {
        return Err(CriterionFault::NoNumber);
    }
    let (digits, unit) = text.split_at(end_of_number(text));
    let number: f64 = digits
        .parse()
        .map_err(|_| CriterionFault::NotANumber(text.to_owned()))?;
    let value = number / divisor(quantity, unit, number)?;
    if !value.is_finite() {
        return Err(CriterionFault::NotFinite(text.to_owned()));
    }
    if value <= 0.0 {
        return Err(CriterionFault::NotPositive(text.to_owned()));
    }
    if quantity == Unit::Fraction && value > 1.0 {
        return Err(CriterionFault::MoreThanAll(text.to_owned()));
    }
    Ok(value)
}

/// Where the unit begins: an `e` belongs to the number only before digits.
fn end_of_number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let exponent = |at: usize| {
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        let first = at + 1 + usize::from(sign);
        at > 0 && bytes.get(first).is_some_and(u8::is_ascii_digit)
    };
    bytes
        .iter()
        .enumerate()
        .position(|(at, byte)| match byte {
            b'0'..=b'9' | b'.' | b',' | b'+' | b'-' => false,
            b'e' | b'E' => !exponent(at),
            _ => true,
        })
        .unwrap_or(text.len())
}

/// How many of the unit make the base unit. A bare share above 1 is a percentage.
fn divisor(quantity: Unit, unit: &str, number: f64) -> Result<f64, CriterionFault> {
    let lower = unit.to_lowercase();
    let (divisor, expected) = match quantity {
        Unit::Seconds => {
            let divisor = match lower.as_str() {
                "" | "s" => Some(1.0),
                "ms" => Some(1e3),
                "us" | "µs" | "μs" => Some(1e6),
                _ => None,
            };
            (divisor, "s, ms or us, or nothing for seconds")
        }
        Unit::Fraction => {
            let divisor = match lower.as_str() {
                "" if number <= 1.0 => Some(1.0),
                "" | "%" => Some(100.0),
                _ => None,
            };
            (
                divisor,
                "%, or nothing for a share up to 1 or a percentage above 1",
            )
        }
        Unit::RequestsPerSecond => (
            matches!(lower.as_str(), "" | "req/s").then_some(1.0),
            "req/s, or nothing for the same",
        ),
        _ => (
            matches!(lower.as_str(), "" | "tok/s").then_some(1.0),
            "tok/s, or nothing for the same",
        ),
    };
    divisor.ok_or_else(|| CriterionFault::Unit {
        unit: unit.to_owned(),
        expected,
    })
}
