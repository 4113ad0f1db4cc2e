//! Parts of JSON values given one by one: `--extra-body.a.b 1` is `--extra-body '{"a": {"b": 1}}'`.
//!
//! Works on the argument list before it is read, and knows no flag.

use std::ffi::OsString;

use serde_json::{Map, Value};

/// The argument list with one JSON value in place of all parts of each flag, at the end of the list. What is given for the
/// flag as a whole is a part too.
pub(crate) fn merged(args: Vec<OsString>) -> Vec<OsString> {
    let roots = roots(&args);
    if roots.is_empty() {
        return args;
    }
    let mut out = Vec::new();
    let mut values: Vec<Map<String, Value>> = vec![Map::new(); roots.len()];
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let Some(part) = arg.to_str().and_then(|text| Part::of(text, &roots)) else {
            out.push(arg);
            continue;
        };
        let is_value = |next: &OsString| next.to_str().is_none_or(|text| !text.starts_with("--"));
        let value = match part.value {
            Some(value) => value.to_owned(),
            None => args.next_if(is_value).map_or_else(
                || "true".to_owned(),
                |value| value.to_string_lossy().into_owned(),
            ),
        };
        part.put(&value, &mut values[part.root]);
    }
    for (root, value) in roots.iter().zip(values) {
        out.push(format!("--{root}={}", Value::Object(value)).into());
    }
    out
}

/// Names before the first dot, each once, in order.
fn roots(args: &[OsString]) -> Vec<String> {
    let mut roots: Vec<String> = Vec::new();
    for text in args.iter().filter_map(|arg| arg.to_str()) {
        let name = text.split('=').next().unwrap_or_default();
        if let Some((root, _)) = name
            .strip_prefix("--")
            .and_then(|name| name.split_once('.'))
            && !root.is_empty()
            && !root.contains(char::is_whitespace)
            && !roots.iter().any(|known| known == root)
        {
            roots.push(root.to_owned());
        }
    }
    roots
}

/// One argument that belongs to a flag with parts.
struct Part<'a> {
    root: usize,
    /// What is behind the name, such as `a.b`; empty for the whole.
    path: &'a str,
    value: Option<&'a str>,
}

impl<'a> Part<'a> {
    fn of(text: &'a str, roots: &[String]) -> Option<Self> {
        let (name, value) = match text.strip_prefix("--")?.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&text[2..], None),
        };
        let (root, path) = name.split_once('.').unwrap_or((name, ""));
        let root = roots.iter().position(|known| known == root)?;
        Some(Self { root, path, value })
    }

    fn put(&self, value: &str, whole: &mut Map<String, Value>) {
        if self.path.is_empty() {
            if let Ok(Value::Object(given)) = serde_json::from_str(value) {
                merge(whole, given);
            }
            return;
        }
        let (path, value) = match self.path.strip_suffix('+') {
            Some(path) => (path, value.split(',').map(read).collect()),
            None => (self.path, read(value)),
        };
        let tree = path.rsplit('.').fold(value, |inner, key| {
            Value::Object(Map::from_iter([(key.to_owned(), inner)]))
        });
        if let Value::Object(tree) = tree {
            merge(whole, tree);
        }
    }
}

/// Objects are merged part by part, lists are appended to, all else is replaced.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, new) in from {
        match (into.get_mut(&key), new) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
            (_, new) => drop(into.insert(key, new)),
        }
    }
}

/// JSON, or a whole number with a unit, or a text.
fn read(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .or_else(|| with_unit(text).map(Value::from))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// `1k` is 1000, `1K` is 1024; so are `m`, `g` and `t` powers of these.
fn with_unit(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let power = "kmgt".find(unit.to_ascii_lowercase())? as u32 + 1;
    let digits = &text[..text.len() - 1];
    if unit.is_ascii_lowercase() {
        let scaled = digits.parse::<f64>().ok()? * 1000_f64.powi(power.cast_signed());
        (scaled.fract() == 0.0 && (0.0..9e15).contains(&scaled)).then_some(scaled as u64)
    } else {
        digits.parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(args: &[&str], expected: &Expect) {
        let merged = merged(args.iter().map(OsString::from).collect());
        let text: Vec<_> = merged.iter().map(|arg| arg.to_str().unwrap()).collect();
        expected.assert_eq(&text.join(" "));
    }

    #[test]
    fn parts_make_one_value() {
        check(
            &[
                "bench",
                "serve",
                "--extra-body.a.b",
                "1",
                "--seed",
                "3",
                "--extra-body.a.c=x",
                "--extra-body.d",
            ],
            &expect![[r#"bench serve --seed 3 --extra-body={"a":{"b":1,"c":"x"},"d":true}"#]],
        );
    }

    #[test]
    fn a_whole_value_is_a_part_too_and_lists_are_appended_to() {
        check(
            &[
                "--x.l+",
                "1,b",
                "--x",
                r#"{"l":[0],"m":{"n":2}}"#,
                "--x.m.o",
                "80g",
                "--x.l+=1K",
            ],
            &expect![[r#"--x={"l":[1,"b",0,1024],"m":{"n":2,"o":80000000000}}"#]],
        );
    }

    #[test]
    fn numbers_have_units_and_all_else_is_text() {
        for (text, expected) in [
            ("25.6k", Value::from(25600_u64)),
            ("2M", Value::from(2_097_152_u64)),
            ("1.5K", Value::from("1.5K")),
            ("k", Value::from("k")),
            ("-3", Value::from(-3)),
            ("null", Value::Null),
            ("\u{e9}", Value::from("\u{e9}")),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn without_dots_nothing_changes(args in prop::collection::vec("(--)?[a-z =0-9]{0,8}", 0..8)) {
            let args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
            prop_assert_eq!(merged(args.clone()), args);
        }

        #[test]
        fn whatever_is_given_there_is_one_value_a_flag(args in prop::collection::vec("(--)?[ab.=+]{0,6}", 0..8)) {
            let merged = merged(args.into_iter().map(OsString::from).collect());
            prop_assert!(roots(&merged).is_empty() || merged.iter().all(|arg| !arg.is_empty()));
        }
    }
}
