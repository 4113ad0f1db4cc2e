//! Runs that belong together: those with equal values of some keys, compared as text.
//!
//! Keeps the order in which groups are first seen.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::python;
use super::filters;
use super::records::{Record, unknown};
use crate::problem::Problem;
use crate::python_json::natural;

/// Keys with their values as text.
pub(super) type Group = Vec<(String, String)>;

/// Keys by which runs are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys(pub(super) Vec<String>);

impl Keys {
    /// Reads a flag. Every run must have all of its keys.
    pub(super) fn read(flag: &str, text: &str, records: &[Record]) -> Result<Self, Problem> {
        let keys = Self(filters::parts(text).map(str::to_owned).collect());
        for key in &keys.0 {
            let Some(lacking) = records.iter().find(|it| !it.fields.contains_key(key)) else {
                continue;
            };
            if !records.iter().any(|it| it.fields.contains_key(key)) {
                return Err(unknown(flag, key, records));
            }
            return Err(Problem::usage(format!(
                "{flag}: {} lacks the key {key}",
                lacking.file.display()
            ))
            .hint("every run needs it; draw a folder in which all runs have it"));
        }
        Ok(keys)
    }

    /// The group of a run.
    pub(super) fn of(&self, record: &Record) -> Group {
        let value = |key: &String| {
            record
                .text(key)
                .unwrap_or_else(|| python::str(&Value::Null))
        };
        self.0.iter().map(|key| (key.clone(), value(key))).collect()
    }

    /// Groups of runs, the one that is seen first at first.
    pub(super) fn parted<'a>(
        &self,
        records: impl Iterator<Item = &'a Record>,
    ) -> Vec<(Group, Vec<&'a Record>)> {
        let mut places: BTreeMap<Group, usize> = BTreeMap::new();
        let mut groups: Vec<(Group, Vec<&Record>)> = Vec::new();
        for record in records {
            let group = self.of(record);
            let place = *places.entry(group).or_insert_with_key(|group| {
                groups.push((group.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(record);
        }
        groups
    }
}

/// A key for sorting values of a group: numbers by their value, before texts.
pub(super) fn rank(text: &str) -> (u8, i64, Vec<(u8, u64, String)>) {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            // Total order of numbers as whole numbers.
            let bits = number.to_bits().cast_signed();
            let key = if bits < 0 { i64::MIN - bits } else { bits };
            (0, key, Vec::new())
        }
        _ => (1, 0, natural(text)),
    }
}

/// `a=1` in lines.
pub(super) fn lines(group: &Group) -> String {
    joined(group, "\n")
}

/// `a=1` with something between.
pub(super) fn joined(group: &Group, between: &str) -> String {
    let pairs = group.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(between)
}

/// As Python prints a dictionary.
pub(super) fn dictionary(group: &Group) -> String {
    let fields = group
        .iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())));
    python::repr(&Value::Object(fields.collect()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    fn records(all: &[Value]) -> Vec<Record> {
        let record = |(place, fields): (usize, &Value)| Record {
            file: PathBuf::from(format!("{place}/summary.json")),
            fields: fields.as_object().unwrap().clone(),
        };
        all.iter().enumerate().map(record).collect()
    }

    #[test]
    fn groups_keep_the_order_in_which_they_come_and_compare_as_text() {
        let all = records(&[
            json!({"a": 16, "b": true}),
            json!({"a": 2, "b": true}),
            json!({"a": "16", "b": true}),
        ]);
        let keys = Keys::read("--row-by", " a, b", &all).unwrap();
        let groups = keys.parted(all.iter());
        let found: Vec<_> = groups
            .iter()
            .map(|(group, runs)| (dictionary(group), runs.len()))
            .collect();
        assert_eq!(
            found,
            [
                ("{'a': '16', 'b': 'True'}".to_owned(), 2),
                ("{'a': '2', 'b': 'True'}".to_owned(), 1)
            ]
        );
        let none = Keys::read("--row-by", "", &all).unwrap().parted(all.iter());
        assert_eq!((none.len(), dictionary(&none[0].0).as_str()), (1, "{}"));
    }

    #[test]
    fn a_run_without_a_key_is_named_by_its_file() {
        let all = records(&[json!({"a": 1}), json!({"b": 1})]);
        let told = |text: &str| Keys::read("--row-by", text, &all).unwrap_err().to_string();
        assert!(
            told("a").starts_with("error: --row-by: 1/summary.json lacks the key a\n"),
            "{}",
            told("a")
        );
        assert!(told("c").contains("no run has c"));
    }

    #[test]
    fn values_are_ranked_by_number_and_then_by_text() {
        let mut all = ["b10", "16", "-2", "b9", "0.5", "None", "-10"];
        all.sort_by_key(|text| rank(text));
        assert_eq!(all, ["-10", "-2", "0.5", "16", "None", "b9", "b10"]);
    }
}
