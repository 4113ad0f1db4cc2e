//! Spans as a JSON list of seconds, with so many decimals that each nanosecond comes back.
//!
//! Written digit by digit: a list has an entry for each chunk of an answer, and a float would round.

use crestline_core::record::Gaps;
use crestline_core::units::Nanos;

const NANOS_PER_SEC: u64 = 1_000_000_000;
const DECIMALS: usize = 9;

/// `[0.02, 1.000000001]`.
pub(super) fn to_json(gaps: &Gaps) -> String {
    let mut text = String::with_capacity(2 + gaps.len() * 13);
    text.push('[');
    for (position, gap) in gaps.iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        push_seconds(&mut text, gap);
    }
    text.push(']');
    text
}

/// The spans of a list that [`to_json`] wrote; `None` for anything else.
pub(super) fn from_json(text: &str) -> Option<Gaps> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() {
        return Some(Gaps::default());
    }
    inner.split(", ").map(parse_seconds).collect()
}

/// Adds whole seconds, a point, and at least one decimal.
fn push_seconds(text: &mut String, span: Nanos) {
    let mut decimals = [b'0'; DECIMALS];
    let mut rest = span.0 % NANOS_PER_SEC;
    for digit in decimals.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let kept = decimals
        .iter()
        .rposition(|&digit| digit != b'0')
        .unwrap_or(0)
        + 1;
    match span.0 / NANOS_PER_SEC {
        0 => text.push('0'),
        seconds => text.push_str(&seconds.to_string()),
    }
    text.push('.');
    text.extend(decimals[..kept].iter().map(|&digit| char::from(digit)));
}

fn parse_seconds(text: &str) -> Option<Nanos> {
    let (whole, decimals) = text.split_once('.')?;
    if decimals.is_empty()
        || decimals.len() > DECIMALS
        || !decimals.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let scale = 10_u64.pow((DECIMALS - decimals.len()) as u32);
    let seconds: u64 = whole.parse().ok()?;
    let below: u64 = decimals.parse().ok()?;
    seconds
        .checked_mul(NANOS_PER_SEC)?
        .checked_add(below * scale)
        .map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nanos: &[u64], text: &str) {
        let gaps: Gaps = nanos.iter().copied().map(Nanos).collect();
        assert_eq!(to_json(&gaps), text);
        assert_eq!(from_json(text), Some(gaps));
    }

    #[test]
    fn seconds_are_written_to_the_nanosecond_and_read_back() {
        check(&[], "[]");
        check(&[0], "[0.0]");
        check(
            &[20_000_000, 1_000_000_001, 1],
            "[0.02, 1.000000001, 0.000000001]",
        );
        check(&[5_000_000_000, 999_999_999], "[5.0, 0.999999999]");
        check(&[u64::MAX], "[18446744073.709551615]");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "[",
            "[1]",
            "[1.]",
            "[.5.5]",
            "[1.0,2.0]",
            "[-1.0]",
            "[1.0000000001]",
            "[18446744073.709551616]",
        ] {
            assert_eq!(from_json(text), None, "{text}");
        }
    }
}
