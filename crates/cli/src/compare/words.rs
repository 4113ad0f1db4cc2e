//! Differences and verdicts in words, the same in every output.
//!
//! Decides nothing.

use crestline_core::compare::{Difference, Need, Verdict};
use crestline_core::metrics::Metric;
use crestline_report::number::grouped;

use super::comparison::Compared;
use super::figures;

/// A change with its sign: `+5.1`.
pub(super) fn change(difference: &Difference) -> String {
    if difference.change.is_finite() {
        signed(difference.change)
    } else {
        "-".to_owned()
    }
}

/// The ends of the interval: `+4.2 to +6.0`.
pub(super) fn interval(difference: &Difference) -> String {
    difference.interval.map_or_else(
        || "-".to_owned(),
        |(low, high)| format!("{} to {}", signed(low), signed(high)),
    )
}

/// A share in percent with its sign and two digits after the point below 10, one above.
fn signed(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent.abs() < 10.0 { 2 } else { 1 };
    format!("{percent:+.digits$}")
}

/// What is said of a figure: `faster`, `undecided (needs about 400 requests more)`.
pub(super) fn verdict(load: &Compared, difference: &Difference) -> String {
    if load.void.is_some() {
        return "void".to_owned();
    }
    let is_share = difference.statistic.metric() == Metric::SuccessRate;
    let word = match difference.verdict {
        Verdict::Better if is_share => "better".to_owned(),
        Verdict::Worse if is_share => "worse".to_owned(),
        Verdict::Better => "faster".to_owned(),
        Verdict::Worse => "slower".to_owned(),
        Verdict::NoLarger(share) => {
            // Up, so that it stays true.
            let percent = (share * 1000.0).ceil() / 10.0;
            let unit = figures::change_unit(difference.statistic);
            format!("no difference larger than {percent} {unit}")
        }
        Verdict::Undecided(need) => format!("undecided ({})", needs(need)),
    };
    if difference.regressed {
        format!("{word}: regression")
    } else {
        word
    }
}

fn needs(need: Need) -> String {
    match need {
        Need::Requests(more) => format!("needs about {} requests more", grouped(more)),
        Need::Repeats => "needs three runs a side".to_owned(),
        Need::Values => "a value is 0".to_owned(),
    }
}

/// One word for programs.
pub(super) fn verdict_name(load: &Compared, difference: &Difference) -> &'static str {
    if load.void.is_some() {
        return "void";
    }
    match difference.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::NoLarger(_) => "no_difference",
        Verdict::Undecided(_) => "undecided",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_in_percent_with_their_sign() {
        assert_eq!(
            [0.05123, -0.1234, 0.0, 1.5].map(signed),
            ["+5.12", "-12.3", "+0.00", "+150.0"]
        );
    }
}
