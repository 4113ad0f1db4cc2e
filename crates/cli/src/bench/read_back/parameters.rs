//! In which parameters the runs of an experiment differ: vLLM's sweeps put them into each result, without saying which keys are
//! parameters.
//!
//! What a sweep adds stands behind the number of the run; what is measured stands before it. The load itself is no parameter.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Document;
use crate::bench::sweep::python;

/// Which run of its combination one is.
const NUMBER: &str = "run_number";
/// What users call a combination, in place of its parameters.
const NAME: &str = "_benchmark_name";
/// The same as it is shown.
const SHOWN_NAME: &str = "name";
/// Settings that a result has in its beginning and that a sweep may vary.
const SETTINGS: [&str; 4] = ["backend", "tokenizer_id", "burstiness", "label"];
/// Keys that say how much and how fast, or which of several alike.
const OF_THE_LOAD: [&str; 6] = [
    "max_concurrency",
    "request_rate",
    "num_prompts",
    "seed",
    "run_number",
    "sla_variable",
];
/// A parameter that a run does not have.
const UNSET: &str = "unset";

/// Names in the order of the user, and the values of each run.
pub(crate) fn parameters(runs: &[&Document]) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let mut keys: Vec<&str> = Vec::new();
    for run in runs {
        let own = run.keys().skip_while(|key| *key != NUMBER);
        let own = own.map(String::as_str).chain(SETTINGS);
        for key in own.filter(|key| is_parameter(key)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    let columns = keys.into_iter().map(|key| Column::of(key, runs));
    let columns: Vec<Column<'_>> = columns.filter(Column::differs).collect();
    let columns = told(columns);
    let values = (0..runs.len()).map(|run| {
        let values = columns.iter();
        values
            .map(|column| (column.shown().to_owned(), column.values[run].clone()))
            .collect()
    });
    let names = columns.iter().map(|column| column.shown().to_owned());
    (names.collect(), values.collect())
}

fn is_parameter(key: &str) -> bool {
    !OF_THE_LOAD.contains(&key) && !key.starts_with("crestline_")
}

/// A key with its value in each run.
struct Column<'a> {
    key: &'a str,
    values: Vec<String>,
}

impl<'a> Column<'a> {
    fn of(key: &'a str, runs: &[&Document]) -> Self {
        let value = |run: &&Document| match run.get(key) {
            None | Some(Value::Null) => UNSET.to_owned(),
            Some(value) => python::str(value),
        };
        Self {
            key,
            values: runs.iter().map(value).collect(),
        }
    }

    fn differs(&self) -> bool {
        self.values.iter().any(|value| *value != self.values[0])
    }

    fn shown(&self) -> &str {
        match self.key {
            NAME => SHOWN_NAME,
            key => key,
        }
    }
}

/// Without what says the same twice: a name that stands for one parameter, or several parameters that a name stands for.
fn told(columns: Vec<Column<'_>>) -> Vec<Column<'_>> {
    let (names, others): (Vec<_>, Vec<_>) = columns.into_iter().partition(|it| it.key == NAME);
    let [name] = &names[..] else { return others };
    let runs = 0..name.values.len();
    let tells = |all: &[Column<'_>], of: &[Column<'_>]| {
        let row = |columns: &[Column<'_>], run: usize| -> Vec<String> {
            columns.iter().map(|it| it.values[run].clone()).collect()
        };
        let mut rows: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        runs.clone().all(|run| {
            let value = row(of, run);
            *rows.entry(row(all, run)).or_insert_with(|| value.clone()) == value
        })
    };
    if others.len() > 1 && tells(&names, &others) {
        names
    } else if !others.is_empty() && tells(&others, &names) {
        others
    } else {
        names.into_iter().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The names, and the values of each run in their order.
    fn check(runs: &Value, expected: &[&str], values: &[&[&str]]) {
        let runs: Vec<&Document> = runs
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_object)
            .collect();
        let (names, found) = parameters(&runs);
        assert_eq!(names, expected);
        let row = |run: &BTreeMap<String, String>| -> Vec<String> {
            names.iter().map(|name| run[name].clone()).collect()
        };
        let found: Vec<Vec<String>> = found.iter().map(row).collect();
        assert_eq!(found, values);
    }

    #[test]
    fn what_stands_behind_the_number_and_differs_is_a_parameter() {
        let runs = json!([
            {"mean": 1.0, "max_concurrency": 1, "run_number": 0, "a": 2, "b": "x", "crestline_fingerprint": "1"},
            {"mean": 2.0, "max_concurrency": 4, "run_number": 1, "a": 8, "b": "x", "crestline_fingerprint": "2"},
            {"mean": 3.0, "max_concurrency": 4, "run_number": 1, "b": "x", "c": true},
        ]);
        check(
            &runs,
            &["a", "c"],
            &[&["2", "unset"], &["8", "unset"], &["unset", "True"]],
        );
    }

    #[test]
    fn a_name_of_one_parameter_is_left_out() {
        let runs = json!([
            {"run_number": 0, "_benchmark_name": "two", "a": 2},
            {"run_number": 0, "_benchmark_name": "eight", "a": 8},
        ]);
        check(&runs, &["a"], &[&["2"], &["8"]]);
    }

    #[test]
    fn a_name_stands_for_several_parameters() {
        let runs = json!([
            {"run_number": 0, "_benchmark_name": "two", "a": 2, "b": 1},
            {"run_number": 0, "_benchmark_name": "eight", "a": 8, "b": 2},
        ]);
        check(&runs, &["name"], &[&["two"], &["eight"]]);
    }

    #[test]
    fn a_name_that_says_more_than_the_parameters_stays() {
        let runs = json!([
            {"run_number": 0, "_benchmark_name": "a", "backend": "x", "p": 1},
            {"run_number": 0, "_benchmark_name": "b", "backend": "x", "p": 1},
            {"run_number": 0, "_benchmark_name": "b", "backend": "x", "p": 2},
        ]);
        check(
            &runs,
            &["name", "p"],
            &[&["a", "1"], &["b", "1"], &["b", "2"]],
        );
    }

    #[test]
    fn runs_that_differ_in_their_load_alone_have_no_parameters() {
        let runs = json!([{"max_concurrency": 1, "run_number": 0}, {"max_concurrency": 2, "run_number": 0}]);
        check(&runs, &[], &[&[], &[]]);
        check(&json!([]), &[], &[]);
    }
}
