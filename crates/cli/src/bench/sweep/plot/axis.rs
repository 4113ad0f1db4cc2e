//! The axes of a figure: how values are laid out, and what has no place on them.
//!
//! Values that are no numbers, such as names and `inf`, make an axis of names.

use crestline_report::figures::{CurveAxis, Kind};

use super::groups::rank;
use super::records::Record;
use crate::problem::Problem;

/// Runs with fewer different loads have no use for marks at powers of two.
const FEW: usize = 3;

/// Reads `--scale-x` and `--scale-y`.
pub(super) fn kind(flag: &str, typed: Option<&str>) -> Result<Kind, Problem> {
    match typed {
        None | Some("linear") => Ok(Kind::Linear),
        Some("log" | "log10" | "ln") => Ok(Kind::Log),
        Some("log2") => Ok(Kind::Log2),
        Some("sqrt") => Ok(Kind::Sqrt),
        Some(other) => Err(
            Problem::usage(format!("{flag} does not know the scale {other}"))
                .hint("one of linear, log, log2, sqrt"),
        ),
    }
}

/// Places of runs on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Places {
    /// Their numbers.
    Numbers,
    /// Places of values in this list.
    Names(Vec<String>),
}

impl Places {
    /// Names where a value of a run is no finite number.
    pub(super) fn of(key: &str, records: &[Record]) -> Self {
        let is_usable = |record: &&Record| record.fields.get(key).is_some_and(|it| !it.is_null());
        let is_number = |record: &Record| record.number(key).is_some_and(|it| !it.is_infinite());
        let usable = || records.iter().filter(is_usable);
        if usable().all(is_number) {
            return Self::Numbers;
        }
        let mut names: Vec<String> = usable().filter_map(|record| record.text(key)).collect();
        names.sort_by_cached_key(|name| rank(name));
        names.dedup();
        Self::Names(names)
    }

    /// Where a run is; `None` where it has no finite place.
    pub(super) fn at(&self, key: &str, record: &Record) -> Option<f64> {
        match self {
            Self::Numbers => record.number(key).filter(|value| value.is_finite()),
            Self::Names(names) => {
                let own = record.text(key)?;
                let place = names.iter().position(|name| *name == own)?;
                Some(place as f64)
            }
        }
    }
}

/// The lower axis for these values.
pub(super) fn lower(key: &str, kind: Kind, places: &Places, values: &[f64]) -> CurveAxis {
    let names = match places {
        Places::Numbers => Vec::new(),
        Places::Names(names) => {
            let in_order = names.iter().enumerate();
            in_order
                .map(|(place, name)| (place as f64, name.clone()))
                .collect()
        }
    };
    CurveAxis {
        label: key.to_owned(),
        kind: if kind == Kind::Log && are_doubled(values) {
            Kind::Log2
        } else {
            kind
        },
        least_step: whole(values),
        possible: [f64::NEG_INFINITY, f64::INFINITY],
        names,
        ..CurveAxis::default()
    }
}

/// The left axis. Where no run has a value below 0, none can be.
pub(super) fn left(key: &str, kind: Kind, values: &[f64]) -> CurveAxis {
    let least = if values.iter().any(|value| *value < 0.0) {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    CurveAxis {
        label: key.to_owned(),
        kind,
        least_step: whole(values),
        possible: [least, f64::INFINITY],
        ..CurveAxis::default()
    }
}

/// Marks between whole numbers have no meaning where all values are whole.
fn whole(values: &[f64]) -> f64 {
    if values.iter().all(|value| value.fract().abs() <= 0.0) {
        1.0
    } else {
        0.0
    }
}

fn are_doubled(values: &[f64]) -> bool {
    let mut all = values.to_vec();
    all.sort_by(f64::total_cmp);
    all.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let is_doubled = |value: &f64| *value > 0.0 && value.log2().fract().abs() <= 0.0;
    all.len() >= FEW && all.iter().all(is_doubled)
}
