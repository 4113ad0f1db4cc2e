//! How figures and settings are called in MLflow, which takes few letters in names and sets limits on lengths.

use serde_json::{Map, Value};

/// Longest name of a metric, a parameter or a tag, in letters.
const LONGEST_NAME: usize = 250;
/// Longest value of a parameter, in letters.
const LONGEST_PARAM: usize = 6000;
/// Longest value of a tag, in letters.
const LONGEST_TAG: usize = 5000;

/// A key of the results' files as the name of a metric: small letters, `_` for blanks, no brackets, `per` for a stroke.
///
/// `Req Throughput (req/s)` is `req_throughput_req_per_s`, and `crestline_ttft_from_due_ms.p99` stays as it is.
pub(super) fn metric(key: &str) -> String {
    let spelled = key.trim().to_lowercase().replace('/', "_per_");
    let spelled = spelled.replace('%', "_percent");
    let mut name = String::new();
    for letter in spelled.chars() {
        match letter {
            '(' | ')' | '[' | ']' => {}
            letter if letter.is_ascii_alphanumeric() || "-.".contains(letter) => name.push(letter),
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    cut(name.trim_matches('_'), LONGEST_NAME)
}

/// Settings as names and texts: those of objects with a dot between the names, lists as JSON. What has no value is left out.
pub(super) fn params(config: &Map<String, Value>) -> Vec<(String, String)> {
    let mut params = Vec::new();
    flatten("", config, &mut params);
    params
}

fn flatten(prefix: &str, object: &Map<String, Value>, into: &mut Vec<(String, String)>) {
    for (key, value) in object {
        let name = format!("{prefix}{}", metric(key));
        match value {
            Value::Null => {}
            Value::Object(inner) if !inner.is_empty() => flatten(&format!("{name}."), inner, into),
            Value::String(text) => into.push((cut(&name, LONGEST_NAME), cut(text, LONGEST_PARAM))),
            value => into.push((
                cut(&name, LONGEST_NAME),
                cut(&value.to_string(), LONGEST_PARAM),
            )),
        }
    }
}

/// A value of a tag.
pub(super) fn tag(text: &str) -> String {
    cut(text, LONGEST_TAG)
}

/// The beginning of a text that is too long, with a sign that it is one.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut begin: String = text.chars().take(longest - 3).collect();
    begin.push_str("...");
    begin
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_the_files_become_names_without_brackets_and_blanks() {
        for (key, name) in [
            ("Avg TTFT (ms)", "avg_ttft_ms"),
            ("Req Throughput (req/s)", "req_throughput_req_per_s"),
            (
                "crestline_ttft_from_due_ms.p99",
                "crestline_ttft_from_due_ms.p99",
            ),
            ("p99% [x]", "p99_percent_x"),
            ("a / b", "a_per_b"),
        ] {
            assert_eq!(metric(key), name);
        }
    }

    #[test]
    fn settings_are_flat_texts_and_nothing_is_made_of_null() {
        let config = json!({
            "model": "m", "rate": null, "number": [10, 60], "extra": {"top k": 5, "deep": {"x": true}}, "headers": {},
        });
        let found = params(config.as_object().unwrap());
        let expected = [
            ("extra.deep.x", "true"),
            ("extra.top_k", "5"),
            ("headers", "{}"),
            ("model", "m"),
            ("number", "[10,60]"),
        ];
        let mut found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn long_texts_are_cut_to_what_is_taken() {
        let config = json!({"k".repeat(300): "v".repeat(7000)});
        let found = params(config.as_object().unwrap());
        assert_eq!((found[0].0.len(), found[0].1.len()), (250, 6000));
        assert!(found[0].1.ends_with("v..."));
        assert_eq!(tag(&"é".repeat(6000)).chars().count(), 5000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_key_becomes_a_name_that_is_taken(key in "\\PC{0,300}") {
            let name = metric(&key);
            prop_assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter)));
            prop_assert!(name.len() <= 250);
        }
    }
}
