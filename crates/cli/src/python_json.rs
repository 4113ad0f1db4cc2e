//! JSON as Python's tools write it: with `NaN` and `Infinity`, which no other reader takes; and names with numbers in their order.
//!
//! Knows no key of any tool.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The value that a file holds; why there is none, as a fragment.
pub(crate) fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err("it is empty".to_owned());
    }
    parse(&text)
}

/// As Python reads it: also with `NaN` and `Infinity`, which then are texts.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    let error = match serde_json::from_slice(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let told = || format!("it is no JSON ({error})");
    let text = std::str::from_utf8(text).map_err(|_| told())?;
    serde_json::from_str(&quoted(text)).map_err(|_| told())
}

/// With `NaN` and `Infinity` outside of texts put into quotes.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_text = false;
    while let Some(letter) = rest.chars().next() {
        let bare = ["-Infinity", "Infinity", "NaN"]
            .into_iter()
            .find(|word| !is_text && rest.starts_with(word));
        if let Some(word) = bare {
            out.push('"');
            out.push_str(word);
            out.push('"');
            rest = &rest[word.len()..];
            continue;
        }
        let escaped = is_text && letter == '\\';
        is_text ^= letter == '"';
        let length = letter.len_utf8()
            + if escaped {
                rest[1..].chars().next().map_or(0, char::len_utf8)
            } else {
                0
            };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// The number that a value is.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "inf" | "Infinity" => Some(f64::INFINITY),
            "-inf" | "-Infinity" => Some(f64::NEG_INFINITY),
            "nan" | "NaN" => Some(f64::NAN),
            _ => None,
        },
        _ => None,
    }
}

/// A key for sorting in which numbers go by their value.
pub(crate) fn natural(text: &str) -> Vec<(u8, u64, String)> {
    let mut parts: Vec<(u8, u64, String)> = Vec::new();
    let mut digits = String::new();
    let close = |digits: &mut String, parts: &mut Vec<_>| {
        if !digits.is_empty() {
            let value = digits.parse().unwrap_or(u64::MAX);
            parts.push((0, value, std::mem::take(digits)));
        }
    };
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
        } else {
            close(&mut digits, &mut parts);
            parts.push((1, u64::from(u32::from(letter)), String::new()));
        }
    }
    close(&mut digits, &mut parts);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_read_without_a_panic(text in "[\\[\\]{}\"\\\\:,a1é NaInfty-]{0,40}") {
            let _ = parse(text.as_bytes());
            prop_assert_eq!(quoted(&text).matches('"').count() % 2, text.matches('"').count() % 2);
        }
    }
}
