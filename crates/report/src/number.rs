//! Numbers as text.
//!
//! Does not choose units: the caller says how many digits a quantity gets.

/// With exactly `digits` after the point; `-` where there is no value.
pub fn fixed(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// With at most `digits` after the point and no zeros at the end: `1024`, `1083.2`; `-` where there is no value.
pub fn trimmed(value: Option<f64>, digits: usize) -> String {
    let text = fixed(value, digits);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A share as a percentage with one digit: `99.9%`. Only a share of exactly 1 is `100%`, only exactly 0 is `0%`.
pub fn percent(share: f64) -> String {
    let rounded = (share * 1000.0).round() / 10.0;
    let shown = if share < 1.0 {
        rounded.min(99.9)
    } else {
        rounded
    };
    let shown = if share > 0.0 { shown.max(0.1) } else { shown };
    format!("{}%", trimmed(Some(shown), 1))
}

/// A count with its thousands apart: `4,210`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of things with regular plurals: `1 request`, `4,210 requests`.
pub fn counted(count: u64, thing: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {thing}{s}", grouped(count))
}

/// Rounded to so many significant digits, without zeros at the end: `0.0312`, `12.4`; all digits before the point stay.
pub fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return trimmed(Some(value), 0);
    }
    let magnitude = value.abs().log10().floor() as i32 + 1;
    let after = usize::try_from(digits - magnitude).unwrap_or_default();
    trimmed(Some(value), after)
}

#[cfg(test)]
mod tests {
    use super::{counted, fixed, grouped, percent, significant, trimmed};

    #[test]
    fn thousands_stand_apart() {
        let texts = [0, 999, 1000, 4210, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "4,210", "1,234,567"]);
    }

    #[test]
    fn one_is_no_plural() {
        let texts = [0, 1, 1200].map(|count| counted(count, "request"));
        assert_eq!(texts, ["0 requests", "1 request", "1,200 requests"]);
    }

    #[test]
    fn significant_digits_do_not_depend_on_the_size_of_a_number() {
        let texts = [0.031_24, 12.44, 1234.6, 0.5, 40.0, 0.0].map(|value| significant(value, 3));
        assert_eq!(texts, ["0.0312", "12.4", "1235", "0.5", "40", "0"]);
    }

    #[test]
    fn zeros_at_the_end_go_only_behind_the_point() {
        assert_eq!(trimmed(Some(1024.0), 4), "1024");
        assert_eq!(trimmed(Some(1083.25), 4), "1083.25");
        assert_eq!(trimmed(Some(100.0), 0), "100");
        assert_eq!(fixed(Some(0.0291), 3), "0.029");
        assert_eq!(
            (fixed(None, 4), trimmed(None, 4)),
            ("-".to_owned(), "-".to_owned())
        );
    }

    #[test]
    fn a_percentage_never_hides_a_failure_or_a_success() {
        let check = |share: f64, expected: &str| assert_eq!(percent(share), expected, "{share}");
        check(1.0, "100%");
        check(1999.0 / 2000.0 + 0.0004, "99.9%");
        check(0.5, "50%");
        check(0.000_01, "0.1%");
        check(0.0, "0%");
    }
}
