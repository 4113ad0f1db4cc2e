//! The unit and the axis of times that a figure shows.
//!
//! Milliseconds below a second, so that people need not count zeros.

use super::CurveAxis;
use super::scale::Kind;

/// Greatest over typical values above which an axis is of ratios: otherwise the typical would be a flat line at its foot.
const WIDE: f64 = 10.0;

/// Seconds or milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TimeUnit {
    /// How many of it are in a second.
    pub(super) per_second: f64,
    /// As written behind a label.
    pub(super) symbol: &'static str,
}

const SECONDS: TimeUnit = TimeUnit {
    per_second: 1.0,
    symbol: "s",
};
const MILLISECONDS: TimeUnit = TimeUnit {
    per_second: 1000.0,
    symbol: "ms",
};

impl TimeUnit {
    /// For values like this one, in seconds.
    pub(super) fn for_values_like(seconds: f64) -> Self {
        if seconds < 1.0 { MILLISECONDS } else { SECONDS }
    }

    /// In this unit.
    pub(super) fn of(self, seconds: f64) -> f64 {
        seconds * self.per_second
    }

    /// A left axis of times from the least to the greatest, of which one is typical; all in seconds.
    pub(super) fn axis(self, label: &str, [least, typical, greatest]: [f64; 3]) -> CurveAxis {
        let is_wide = typical > 0.0 && least > 0.0 && greatest / typical > WIDE;
        let [least, greatest] = [least, greatest].map(|end| self.of(end));
        CurveAxis {
            label: format!("{label} ({})", self.symbol),
            kind: if is_wide { Kind::Log } else { Kind::Linear },
            range: Some(if is_wide {
                [least / 1.15, greatest * 1.15]
            } else {
                [0.0, greatest.max(1e-9) * 1.06]
            }),
            ..CurveAxis::default()
        }
    }
}

/// The middle of some values; `None` without any.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
