//! Criteria as text: as tables print them, and as they were read, with units.
//!
//! The short form is that of the documented tables; [`super::parse_groups`] reads each of its parts back.

use std::fmt;

use super::{Aim, Criterion, Goal, Group, Measure, Relation, Slo};
use crate::metrics::Unit;

/// A number with at most ten significant digits, and no more than it needs.
pub(super) fn plain(value: f64) -> String {
    let rounded = format!("{value:.9e}").parse().unwrap_or(value);
    let text = format!("{rounded:?}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A value with its unit: `2 s`, `0.05 s (50 ms)`, `99.5 %`, `12 req/s`.
pub(super) fn with_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Fraction => format!("{} %", plain(value * 100.0)),
        Unit::Seconds if value > 0.0 && value < 1e-3 => {
            format!("{} s ({} us)", plain(value), plain(value * 1e6))
        }
        Unit::Seconds if value > 0.0 && value < 1.0 => {
            format!("{} s ({} ms)", plain(value), plain(value * 1e3))
        }
        _ => format!("{} {}", plain(value), unit.symbol()),
    }
}

impl Relation {
    /// As it is written: `<`, `<=`, `>` or `>=`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether `value` lies so to `threshold`; never where one of them is not a number.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
        }
    }

    /// Limits a value from above.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }
}

impl Goal {
    /// As it is written: `max` or `min`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Min => "min",
        }
    }
}

impl Measure {
    /// A value of it with its unit: `0.05 s (50 ms)`, `99.5 %`, `12 req/s`.
    pub fn with_unit(self, value: f64) -> String {
        with_unit(value, self.unit())
    }
}

impl Criterion {
    /// How it was read, with its unit: `p99_ttft <= 0.05 s (50 ms)`.
    pub fn reading(&self) -> String {
        let threshold = self.measure.with_unit(self.threshold);
        format!("{} {} {threshold}", self.measure, self.relation.symbol())
    }
}

impl Aim {
    /// How it was read, with its unit: `tps -> max (tok/s)`.
    pub fn reading(&self) -> String {
        let unit = match self.measure.unit() {
            Unit::Fraction => "%",
            unit => unit.symbol(),
        };
        format!("{self} ({unit})")
    }
}

impl Group {
    /// How it was read, with units: criteria in order, then the aim.
    pub fn reading(&self) -> String {
        let criteria = self.criteria.iter().map(Criterion::reading);
        let parts: Vec<_> = criteria
            .chain(self.aim.as_ref().map(Aim::reading))
            .collect();
        parts.join(", ")
    }
}

impl fmt::Display for Criterion {
    /// As in tables: `p99_latency <= 2.0`, in the measure's base unit.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = self.relation.symbol();
        write!(out, "{} {relation} {:?}", self.measure, self.threshold)
    }
}

impl fmt::Display for Aim {
    /// As in tables: `tps -> max`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} -> {}", self.measure, self.goal.name())
    }
}

impl fmt::Display for Group {
    /// As in tables: criteria in order, then the aim, with commas.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let criteria = self.criteria.iter().map(ToString::to_string);
        let parts: Vec<_> = criteria
            .chain(self.aim.as_ref().map(ToString::to_string))
            .collect();
        out.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Slo {
    /// How it was read, with units: `ttft <= 0.5 s (500 ms), latency <= 2 s`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.limits.iter().map(|(time, limit)| {
            let limit = with_unit(*limit, Unit::Seconds);
            format!("{} <= {limit}", time.name())
        });
        out.write_str(&limits.collect::<Vec<_>>().join(", "))
    }
}
