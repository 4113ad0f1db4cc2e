//! Spans as a JSON list of seconds, with so many decimals that each nanosecond comes back.
//!
//! Written digit by digit: a list has an entry for each chunk of an answer, and a float would round.

use crestline_core::record::Gaps;
use crestline_core::units::Nanos;

const NANOS_PER_SEC: u64 = 1_000_000_000;
const DECIMALS: usize = 9;
/// Letters of a span of milliseconds with what is between it and the next.
const USUAL_LENGTH: usize = 13;
/// Nanoseconds that the last of so many decimals stands for.
const SCALES: [u64; DECIMALS + 1] = [
    1_000_000_000,
    100_000_000,
    10_000_000,
    1_000_000,
    100_000,
    10_000,
    1_000,
    100,
    10,
    1,
];

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
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?.as_bytes();
    let mut gaps = Gaps::with_capacity(rest.len() / USUAL_LENGTH + 1);
    while !rest.is_empty() {
        let (span, after) = read_seconds(rest)?;
        gaps.push(span);
        rest = match after {
            [b',', b' ', next @ ..] if !next.is_empty() => next,
            [] => after,
            _ => return None,
        };
    }
    Some(gaps)
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

/// The span at the beginning of a text, and what follows it.
fn read_seconds(text: &[u8]) -> Option<(Nanos, &[u8])> {
    let (seconds, digits, rest) = read_digits(text)?;
    let [b'.', rest @ ..] = rest else {
        return None;
    };
    let (below, decimals, rest) = read_digits(rest)?;
    if digits == 0 || decimals == 0 || decimals > DECIMALS {
        return None;
    }
    let nanos = seconds
        .checked_mul(NANOS_PER_SEC)?
        .checked_add(below * SCALES[decimals])?;
    Some((Nanos(nanos), rest))
}

/// The digits at the beginning of a text as a number, how many they are, and what follows them.
fn read_digits(text: &[u8]) -> Option<(u64, usize, &[u8])> {
    let mut value = 0_u64;
    let mut count = 0;
    while let Some(digit) = text.get(count).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        // Twenty digits and more are a number that no span has; nineteen always fit.
        value = if count < 19 {
            value * 10 + u64::from(digit)
        } else {
            value.checked_mul(10)?.checked_add(u64::from(digit))?
        };
        count += 1;
    }
    Some((value, count, &text[count..]))
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
            "[99999999999999999999999.0]",
            "[0.1, ]",
            "[0.1,  0.2]",
            "[0.1, 0.2, ",
            "[+1.0]",
        ] {
            assert_eq!(from_json(text), None, "{text}");
        }
    }
}
