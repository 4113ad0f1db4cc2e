//! The text of a `/metrics` page, as Prometheus defines it: samples with a name, labels and a value.
//!
//! What the names mean is not known here. Comments and time stamps are passed over.

use std::collections::BTreeMap;

/// One line of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name of the metric, suffixes such as `_total` or `_bucket` included.
    pub name: String,
    /// Labels in the order of the page, escapes resolved.
    pub labels: Vec<(String, String)>,
    /// Value; may be infinite or not a number.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// All samples of a page, in its order. Lines that cannot be read are left out: a page is written by a server that goes
/// on, and one odd line is no reason to see nothing.
///
/// ```
/// use crestline_load::exposition::samples;
/// let page = "# TYPE hits_total counter\nhits_total{engine=\"0\"} 12 1700000000\n";
/// let all: Vec<_> = samples(page).collect();
/// assert_eq!((all[0].name.as_str(), all[0].label("engine"), all[0].value), ("hits_total", Some("0"), 12.0));
/// ```
pub fn samples(page: &str) -> impl Iterator<Item = Sample> + '_ {
    page.lines().filter_map(sample)
}

/// What the page says that its metrics are, by their names: `counter`, `gauge`, `histogram`, `summary`, ….
pub fn types(page: &str) -> BTreeMap<&str, &str> {
    let typed = page.lines().filter_map(|line| {
        let mut words = line.strip_prefix('#')?.split_whitespace();
        (words.next()? == "TYPE").then_some(())?;
        Some((words.next()?, words.next()?))
    });
    typed.collect()
}

/// Reads a line; `None` for comments, blank lines and what is no sample.
fn sample(line: &str) -> Option<Sample> {
    let line = line.trim();
    let end = line.find(|sign: char| sign == '{' || sign.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with('#') || !name.chars().all(is_name) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), rest),
    };
    let value = number(rest.split_whitespace().next()?)?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

fn is_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_' || sign == ':'
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.to_owned(), value));
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// A text up to its closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match signs.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                // Not an escape: both signs stand for themselves.
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

/// A number in the spelling of Go, which differs from Rust's in nothing but the infinities' sign and case.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Sample {
        let all: Vec<Sample> = samples(line).collect();
        assert_eq!(all.len(), 1, "{line}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn a_sample_has_a_name_labels_and_a_value() {
        let sample =
            one(r#"vllm:hits_total{engine="0", model_name="a \"b\"\\\n",} 3.5e2 1700000000"#);
        assert_eq!(sample.name, "vllm:hits_total");
        assert_eq!(sample.label("engine"), Some("0"));
        assert_eq!(sample.label("model_name"), Some("a \"b\"\\\n"));
        assert_eq!(sample.label("other"), None);
        assert!((sample.value - 350.0).abs() < 1e-9);
        assert_eq!(one("up 1").labels, []);
        assert_eq!(one("up{} 1").labels, []);
        assert_eq!(one("  up\t1  ").name, "up");
    }

    #[test]
    fn types_are_those_of_their_lines_and_nothing_else() {
        let page = "# TYPE a counter\n#TYPE b gauge\n# HELP c TYPE c gauge\n# TYPE d\n# TYPED e gauge\na 1\n";
        let found: Vec<_> = types(page).into_iter().collect();
        assert_eq!(found, [("a", "counter"), ("b", "gauge")]);
    }

    #[test]
    fn values_may_be_infinite_or_no_number() {
        assert!(one("a +Inf").value.is_infinite());
        assert!(one("a -Inf").value < 0.0);
        assert!(one("a NaN").value.is_nan());
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        let page = "# HELP a what it is\n# TYPE a counter\n\na\na{ 1\na{b} 1\na{b=\"c} 1\na{b=c} 1\na{b=\"c\"d=\"e\"} 1\na x\n{} 1\na-b 1\nb 2\n# EOF\n";
        let all: Vec<Sample> = samples(page).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].name, "b");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn labels_come_back_as_they_were_meant(
            name in "[a-z_:][a-z0-9_:]{0,8}",
            labels in prop::collection::vec(("[a-z_]{1,6}", "[ -~é\n]{0,8}"), 0..4),
            value in any::<i32>(),
        ) {
            let written: Vec<String> = labels
                .iter()
                .map(|(label, text)| {
                    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                    format!("{label}=\"{text}\"")
                })
                .collect();
            let line = format!("{name}{{{}}} {value}", written.join(","));
            let expected = Sample { name, labels, value: f64::from(value) };
            prop_assert_eq!(one(&line), expected);
        }

        #[test]
        fn no_text_makes_it_panic(page in "[a-z{}=\",\\\\# \n0-9é]{0,60}") {
            let _ = samples(&page).count();
        }
    }
}
