//! Amounts with a unit, as they are typed: `10m`, `20000req`, `5Mtok`, `90%`.

use crestline_core::units::Nanos;

/// Something to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Time of load.
    Time(Nanos),
    /// Requests.
    Requests(u64),
    /// Tokens of answers.
    Tokens(u64),
}

/// Reads an amount above zero.
pub(crate) fn amount(text: &str) -> Option<Amount> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "s" | "sec" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    if let Some(seconds) = seconds {
        let time = Nanos::from_secs_f64(number * seconds);
        return (time > Nanos::ZERO && time < Nanos::MAX).then_some(Amount::Time(time));
    }
    let (factor, unit) = match unit.split_at_checked(1)? {
        ("k" | "K", rest) => (1e3, rest),
        ("M", rest) => (1e6, rest),
        ("G", rest) => (1e9, rest),
        _ => (1.0, unit),
    };
    let count = (number * factor).round();
    if !(1.0..=1e15).contains(&count) {
        return None;
    }
    match unit {
        "req" | "requests" => Some(Amount::Requests(count as u64)),
        "tok" | "tokens" => Some(Amount::Tokens(count as u64)),
        _ => None,
    }
}

/// Reads a share: `0.9` or `90%`.
pub(crate) fn share(text: &str) -> Option<f64> {
    let text = text.trim();
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().ok()? / scale;
    share.is_finite().then_some(share)
}

/// A number and the letters behind it.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_time_requests_or_tokens() {
        let check =
            |text: &str, expected: Option<Amount>| assert_eq!(amount(text), expected, "{text}");
        check("90s", Some(Amount::Time(Nanos::from_secs(90))));
        check("10m", Some(Amount::Time(Nanos::from_secs(600))));
        check("1.5 h", Some(Amount::Time(Nanos::from_secs(5400))));
        check("20000req", Some(Amount::Requests(20_000)));
        check("20kreq", Some(Amount::Requests(20_000)));
        check("5Mtok", Some(Amount::Tokens(5_000_000)));
        for wrong in [
            "", "10", "m", "-1m", "0s", "0req", "5M", "5 é", "1e9req", "3 apples", "..s",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_share_may_be_a_percentage() {
        assert_eq!(share("0.9"), Some(0.9));
        assert_eq!(share("90%"), Some(0.9));
        assert_eq!(share(" 5 %"), Some(0.05));
        assert_eq!(share("nan"), None);
        assert_eq!(share("%"), None);
    }
}
