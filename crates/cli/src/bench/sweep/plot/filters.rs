//! Which runs are drawn, and values that are rounded: `--filter-by` and `--bin-by`.
//!
//! Reads no files.

use serde_json::Value;

use super::super::python;
use super::records::{self, Record};
use crate::problem::Problem;
use crate::python_json;

/// Tried in this order: the first that is in a text parts it.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];
/// How near a quotient is to a whole number that it was to be.
const WHOLE: f64 = 1e-9;
/// Digits of a value that is rounded.
const DIGITS: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Below,
    Above,
}

/// A condition on runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    key: String,
    operator: Operator,
    target: String,
}

/// A key whose values are rounded down to multiples of a size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bin {
    key: String,
    size: f64,
}

/// Parts between commas, without blanks around them.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Reads `--filter-by`.
pub(super) fn filters(text: &str, records: &[Record]) -> Result<Vec<Filter>, Problem> {
    parts(text)
        .map(|part| {
            let filter = Filter::of(part)?;
            if records::has(records, &filter.key) {
                Ok(filter)
            } else {
                Err(records::unknown("--filter-by", &filter.key, records))
            }
        })
        .collect()
}

/// Reads `--bin-by`.
pub(super) fn bins(text: &str, records: &[Record]) -> Result<Vec<Bin>, Problem> {
    parts(text)
        .map(|part| {
            let bin = Bin::of(part)?;
            if records::has(records, &bin.key) {
                Ok(bin)
            } else {
                Err(records::unknown("--bin-by", &bin.key, records))
            }
        })
        .collect()
}

impl Filter {
    fn of(text: &str) -> Result<Self, Problem> {
        let parted = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((text.split_once(sign)?, *operator)));
        let wrong = |why: &str| {
            Problem::usage(format!("--filter-by {text}: {why}"))
                .hint("write a key, ==, !=, <=, >=, < or >, and a value, as in max_concurrency<=64")
        };
        let ((key, target), operator) = parted.ok_or_else(|| wrong("it compares nothing"))?;
        let target = target.trim();
        let bare = ['\'', '"'].into_iter().fold(target, |target, mark| {
            let inner = target.strip_prefix(mark).unwrap_or(target);
            inner.strip_suffix(mark).unwrap_or(inner)
        });
        let filter = Self {
            key: key.trim().to_owned(),
            operator,
            target: bare.to_owned(),
        };
        if filter.key.is_empty() {
            return Err(wrong("there is no key"));
        }
        let is_ordered = !matches!(operator, Operator::Equal | Operator::Unequal);
        if is_ordered && filter.number().is_none() {
            return Err(wrong("its value is no number"));
        }
        Ok(filter)
    }

    fn number(&self) -> Option<f64> {
        self.target.parse().ok()
    }

    /// Whether a run stays. One without the key stays only where it is to be unequal.
    pub(super) fn keeps(&self, record: &Record) -> bool {
        let value = record.fields.get(&self.key).unwrap_or(&Value::Null);
        let numbers = python_json::number(value).zip(self.number());
        let ordered = |holds: fn(f64, f64) -> bool| {
            numbers.is_some_and(|(value, target)| holds(value, target))
        };
        match self.operator {
            Operator::Equal => self.is_equal(value, numbers),
            Operator::Unequal => !self.is_equal(value, numbers),
            Operator::AtMost => ordered(|value, target| value <= target),
            Operator::AtLeast => ordered(|value, target| value >= target),
            Operator::Below => ordered(|value, target| value < target),
            Operator::Above => ordered(|value, target| value > target),
        }
    }

    /// As numbers where both are; else as texts, those of Python and of JSON.
    fn is_equal(&self, value: &Value, numbers: Option<(f64, f64)>) -> bool {
        match numbers {
            Some((value, target)) => {
                value.total_cmp(&target).is_eq() || (value - target).abs() <= 0.0
            }
            None => [python::str(value), value.to_string()].contains(&self.target),
        }
    }
}

impl Bin {
    fn of(text: &str) -> Result<Self, Problem> {
        let parted = text.rsplit_once('%').map(|(key, size)| (key.trim(), size));
        let found = parted.and_then(|(key, size)| {
            let size: f64 = size.trim().parse().ok()?;
            let is_usable = !key.is_empty() && size > 0.0 && size.is_finite();
            is_usable.then(|| Self {
                key: key.to_owned(),
                size,
            })
        });
        found.ok_or_else(|| {
            Problem::usage(format!("--bin-by {text} is no key with a size above 0"))
                .hint("write both with % between, as in request_throughput%5")
        })
    }

    /// Whether it rounds the values of a key.
    pub(super) fn is_of(&self, key: &str) -> bool {
        self.key == key
    }

    /// Rounds the value of a run down; what is no number stays.
    pub(super) fn apply(&self, record: &mut Record) {
        if let Some(value) = record.number(&self.key).filter(|value| value.is_finite()) {
            let rounded = self.rounded(value);
            record.fields.insert(self.key.clone(), rounded.into());
        }
    }

    /// ⌊value / size⌋ · size. A quotient that is whole but for the last bits is taken as whole: 1.0 / 0.1 lies in the bin of 1.0.
    fn rounded(&self, value: f64) -> f64 {
        let quotient = value / self.size;
        let whole = quotient.round();
        let is_whole = (quotient - whole).abs() <= WHOLE * whole.abs().max(1.0);
        let multiple = if is_whole { whole } else { quotient.floor() };
        let product = multiple * self.size;
        format!("{product:.*e}", DIGITS - 1)
            .parse()
            .unwrap_or(product)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn record(fields: &Value) -> Record {
        Record {
            file: PathBuf::new(),
            fields: fields.as_object().unwrap().clone(),
        }
    }

    fn kept(filter: &str, value: &Value) -> bool {
        let one = record(&json!({ "a": value }));
        let filters = filters(filter, std::slice::from_ref(&one)).unwrap();
        filters.iter().all(|filter| filter.keeps(&one))
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_all_else_as_text() {
        for (filter, value, expected) in [
            ("a==2", json!(2.0), true),
            ("a=='2'", json!(2), true),
            ("a!=2", json!(2.5), true),
            ("a<=1024", json!(1024), true),
            ("a<1024", json!(1024), false),
            ("a > 1e2", json!(101), true),
            ("a>=3,a<5", json!(4), true),
            ("a>=3,a<5", json!(5), false),
            ("a==inf", json!("inf"), true),
            ("a<9", json!("inf"), false),
            ("a==vllm", json!("vllm"), true),
            ("a==\"vllm\"", json!("sglang"), false),
            ("a==True", json!(true), true),
            ("a==true", json!(true), true),
            ("a==None", json!(null), true),
            ("a<9", json!(null), false),
            ("a!=x", json!(null), true),
            ("", json!(1), true),
        ] {
            assert_eq!(kept(filter, &value), expected, "{filter} {value}");
        }
    }

    #[test]
    fn filters_that_say_nothing_are_refused() {
        let all = [record(&json!({"max_concurrency": 1}))];
        let refused = |text: &str| filters(text, &all).unwrap_err().to_string();
        assert!(refused("max_concurrency").contains("it compares nothing"));
        assert!(refused("==5").contains("there is no key"));
        assert!(refused("max_concurrency<x").contains("its value is no number"));
        assert!(refused("max_concurrncy<5").contains("did you mean max_concurrency?"));
    }

    #[test]
    fn values_are_rounded_down_to_multiples() {
        let rounded = |text: &str, value: f64| {
            let mut one = record(&json!({ "a": value }));
            bins(text, std::slice::from_ref(&one)).unwrap()[0].apply(&mut one);
            one.number("a").unwrap()
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        near(rounded("a%5", 14.9), 10.0);
        near(rounded("a % 5", 15.0), 15.0);
        near(rounded("a%5", -1.0), -5.0);
        near(rounded("a%0.1", 1.0), 1.0);
        near(rounded("a%0.1", 0.7), 0.7);
        for text in ["a", "a%0", "a%-1", "a%x", "%5"] {
            assert!(bins(text, &[record(&json!({"a": 1}))]).is_err(), "{text}");
        }
        assert!(bins("b%5", &[record(&json!({"a": 1}))]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_condition_and_its_opposite_part_all_runs(value in -9..9_i32, target in -9..9_i32) {
            let holds = |sign: &str| kept(&format!("a{sign}{target}"), &json!(value));
            prop_assert!(holds("==") != holds("!="));
            prop_assert!(holds("<=") != holds(">") && holds("<") != holds(">="));
            prop_assert_eq!(holds("<="), holds("<") || holds("=="));
        }

        #[test]
        fn a_rounded_value_is_below_and_within_a_size(value in -1e6..1e6_f64, size in 0.001..1e3_f64) {
            let bin = Bin { key: String::new(), size };
            let rounded = bin.rounded(value);
            let slack = 1e-6 * (1.0 + value.abs());
            prop_assert!(rounded <= value + slack && rounded > value - size - slack, "{rounded}");
            prop_assert!((bin.rounded(rounded) - rounded).abs() < slack);
        }
    }
}
