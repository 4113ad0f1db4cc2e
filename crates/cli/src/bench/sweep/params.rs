//! Parameter files: what is varied, one combination after the other.
//!
//! Knows no command; what a parameter does to one is [`super::overrides`].

use std::path::Path;

use serde_json::{Map, Value};

use super::python;
use crate::problem::Problem;

/// The key that names a combination and is no parameter.
pub(crate) const NAME: &str = "_benchmark_name";

/// Parameters that are set together, in the order of their file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Combination(pub(crate) Map<String, Value>);

impl Combination {
    /// Its parameters, without its name.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.0.iter().map(|(key, value)| (key.as_str(), value));
        all.filter(|(key, _)| *key != NAME)
    }

    /// As it is shown and as folders are called: the name that its file gives it, or its parameters.
    pub(crate) fn name(&self) -> String {
        match self.0.get(NAME) {
            Some(name) => python::str(name),
            None => self.assignments(),
        }
    }

    /// `key=value` joined by dashes.
    pub(crate) fn assignments(&self) -> String {
        let pairs = self
            .parameters()
            .map(|(key, value)| format!("{key}={}", python::str(value)));
        pairs.collect::<Vec<_>>().join("-")
    }

    /// Whether it sets a parameter, however that is spelt.
    pub(crate) fn sets(&self, key: &str) -> bool {
        let plain = |key: &str| key.replace('-', "_");
        self.parameters().any(|(own, _)| plain(own) == plain(key))
    }
}

/// Reads a file; without one there is one combination that sets nothing.
pub(crate) fn read(flag: &str, path: Option<&Path>) -> Result<Vec<Combination>, Problem> {
    read_like(
        flag,
        path,
        "[{\"max_num_seqs\": 32}, {\"max_num_seqs\": 64}]",
    )
}

/// The same of a file that looks like `example`.
pub(crate) fn read_like(
    flag: &str,
    path: Option<&Path>,
    example: &str,
) -> Result<Vec<Combination>, Problem> {
    let Some(path) = path else {
        return Ok(vec![Combination::default()]);
    };
    let unreadable = |problem: Problem| {
        problem.hint(format!("the file is a list of objects, such as {example}"))
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::usage(format!("{flag} {}: cannot be read", path.display())).because(&error)
    })?;
    let value = serde_json::from_str(&text).map_err(|error| {
        unreadable(Problem::usage(format!("{flag} {}: not JSON", path.display())).because(&error))
    })?;
    of(value).map_err(|why| unreadable(Problem::usage(format!("{flag} {}: {why}", path.display()))))
}

fn of(value: Value) -> Result<Vec<Combination>, String> {
    let all = match value {
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(of_list)
            .collect::<Result<Vec<_>, _>>()?,
        Value::Object(named) => named.into_iter().map(of_name).collect::<Result<_, _>>()?,
        _ => return Err("it holds no list of objects".to_owned()),
    };
    if all.is_empty() {
        return Err("it holds no combination".to_owned());
    }
    for (place, one) in all.iter().enumerate() {
        if all[..place].iter().any(|other| other.name() == one.name()) {
            return Err(format!("two combinations are called {}", one.name()));
        }
    }
    Ok(all)
}

fn of_list((place, item): (usize, Value)) -> Result<Combination, String> {
    match item {
        Value::Object(fields) => Ok(Combination(fields)),
        other => Err(format!("entry {} is {other}, and no object", place + 1)),
    }
}

/// The name comes first, where the object does not name itself.
fn of_name((name, item): (String, Value)) -> Result<Combination, String> {
    let Value::Object(fields) = item else {
        return Err(format!("{name} is {item}, and no object"));
    };
    let mut named = Map::from_iter([(NAME.to_owned(), Value::String(name))]);
    named.extend(fields);
    Ok(Combination(named))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn names(value: Value) -> Vec<String> {
        of(value).unwrap().iter().map(Combination::name).collect()
    }

    #[test]
    fn combinations_are_named_by_the_file_or_by_their_parameters() {
        assert_eq!(
            names(json!([{"a": 1, "b": 0.5}, {"_benchmark_name": "x", "a": 1}, {}])),
            ["a=1-b=0.5", "x", ""]
        );
        assert_eq!(names(json!({"x": {"a": 1}, "y": {"a": 2}})), ["x", "y"]);
        let own = of(json!({"x": {"a": 1, "_benchmark_name": "z"}})).unwrap();
        assert_eq!(own[0].name(), "z");
        assert_eq!(own[0].parameters().count(), 1);
    }

    #[test]
    fn a_parameter_is_found_in_any_spelling() {
        let one = Combination(json!({"request-rate": 1}).as_object().unwrap().clone());
        assert!(one.sets("request_rate") && one.sets("request-rate") && !one.sets("rate"));
    }

    #[test]
    fn what_is_no_list_of_combinations_is_told() {
        let refused = |value: Value, expected: Expect| expected.assert_eq(&of(value).unwrap_err());
        refused(json!(5), expect!["it holds no list of objects"]);
        refused(json!([]), expect!["it holds no combination"]);
        refused(json!([{"a": 1}, 7]), expect!["entry 2 is 7, and no object"]);
        refused(json!({"x": []}), expect!["x is [], and no object"]);
        refused(
            json!([{"a": 1}, {"a": 1}]),
            expect!["two combinations are called a=1"],
        );
    }
}
