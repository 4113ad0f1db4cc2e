//! Plans as lines of text, for tests of what each flag changes.

use std::collections::BTreeMap;

use crestline_experiment::plan::Plan;
use serde_json::Value;

/// The plan's leaves by their path.
fn leaves(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                leaves(&format!("{path}.{key}"), value, out);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (place, value) in items.iter().enumerate() {
                leaves(&format!("{path}.{place}"), value, out);
            }
        }
        leaf => {
            out.insert(path.trim_start_matches('.').to_owned(), leaf.to_string());
        }
    }
}

pub(crate) fn lines_of(plan: &Plan) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    leaves("", &serde_json::to_value(plan).unwrap(), &mut out);
    out
}

/// The lines of a plan that another does not have so.
pub(crate) fn differences(base: &Plan, plan: &Plan) -> Vec<String> {
    let base = lines_of(base);
    lines_of(plan)
        .iter()
        .filter(|(path, value)| base.get(*path) != Some(value))
        .map(|(path, value)| format!("{path} = {value}"))
        .collect()
}

/// Words as a shell would part them, with single quotes.
pub(crate) fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("a closing quote"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}
