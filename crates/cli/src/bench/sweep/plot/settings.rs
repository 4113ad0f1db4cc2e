//! The whole meaning of the flags of `sweep plot`, held against the runs that there are.
//!
//! Draws nothing.

use std::path::PathBuf;

use crestline_core::sla::Relation;
use crestline_report::figures::Kind;

use super::super::sla::criteria::{self, Condition};
use super::args::PlotArgs;
use super::axis::{self, Places};
use super::filters::{self, Bin, Filter};
use super::groups::Keys;
use super::output::Output;
use super::records::{Record, has, unknown};
use crate::problem::Problem;

/// Sides of a panel that can be meant, in inches.
const INCHES: [f64; 2] = [1.5, 40.0];
/// Keys that differ from run to run and are not measured.
const GIVEN: [&str; 2] = ["run_number", "seed"];

/// What is drawn, and how.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) fig_by: Keys,
    pub(super) row_by: Keys,
    pub(super) col_by: Keys,
    pub(super) curve_by: Keys,
    pub(super) x: String,
    pub(super) y: String,
    filters: Vec<Filter>,
    /// As typed.
    pub(super) filter_by: String,
    pub(super) bins: Vec<Bin>,
    /// Of the lower and the left axis.
    pub(super) scales: [Kind; 2],
    pub(super) intervals: Intervals,
    /// A side of a panel.
    pub(super) inches: f64,
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) output: Output,
    conditions: Vec<Condition>,
}

/// Whether intervals of means are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intervals {
    Drawn,
    LeftOut,
}

/// Values that must not be passed, with their names.
pub(super) type Limits = Vec<(f64, String)>;

impl Settings {
    /// Translates the flags.
    pub(super) fn of(args: &PlotArgs, records: &[Record]) -> Result<Self, Problem> {
        let (data, figure) = (&args.data, &args.figure);
        for (flag, key) in [("--var-x", &data.var_x), ("--var-y", &data.var_y)] {
            if !has(records, key) {
                return Err(unknown(flag, key, records));
            }
        }
        let inches = figure.fig_height;
        if !(INCHES[0]..=INCHES[1]).contains(&inches) {
            return Err(Problem::usage(format!("--fig-height cannot be {inches}"))
                .hint(format!("{} to {} inches", INCHES[0], INCHES[1])));
        }
        let settings = Self {
            fig_by: Keys::read("--fig-by", &data.fig_by, records)?,
            row_by: Keys::read("--row-by", &data.row_by, records)?,
            col_by: Keys::read("--col-by", &data.col_by, records)?,
            curve_by: Keys::read("--curve-by", &data.curve_by, records)?,
            x: data.var_x.clone(),
            y: data.var_y.clone(),
            filters: filters::filters(&data.filter_by, records)?,
            filter_by: data.filter_by.clone(),
            bins: filters::bins(&data.bin_by, records)?,
            scales: [
                axis::kind("--scale-x", figure.scale_x.as_deref())?,
                axis::kind("--scale-y", figure.scale_y.as_deref())?,
            ],
            intervals: if figure.no_error_bars {
                Intervals::LeftOut
            } else {
                Intervals::Drawn
            },
            inches,
            name: figure.fig_name.clone(),
            folder: args.experiment.join(&figure.fig_dir),
            output: Output::of(&args.output)?,
            conditions: conditions(args)?,
        };
        settings.check(records)?;
        Ok(settings)
    }

    /// An axis of names has no scale.
    fn check(&self, records: &[Record]) -> Result<(), Problem> {
        let drawn: Vec<Record> = records
            .iter()
            .filter(|it| self.keeps(it))
            .cloned()
            .collect();
        let is_named = matches!(Places::of(&self.x, &drawn), Places::Names(_));
        if is_named && self.scales[0] != Kind::Linear {
            let other = drawn.iter().find(|it| {
                let number = it.number(&self.x);
                number.is_none_or(f64::is_infinite)
            });
            let value = other.and_then(|it| it.text(&self.x)).unwrap_or_default();
            return Err(Problem::usage(format!(
                "--scale-x: {} has values that are no finite numbers, such as {value}",
                self.x
            ))
            .hint(format!(
                "leave it out, or draw less with --filter-by '{}!={value}'",
                self.x
            )));
        }
        Ok(())
    }

    /// Whether a run passes all filters.
    pub(super) fn keeps(&self, record: &Record) -> bool {
        self.filters.iter().all(|filter| filter.keeps(record))
    }

    /// Whether runs of one combination may differ in the lower axis because it is measured.
    pub(super) fn measures_x(&self) -> bool {
        !GIVEN.contains(&self.x.as_str()) && self.bins.iter().all(|bin| !bin.is_of(&self.x))
    }

    /// Limits of the left and of the lower axis.
    pub(super) fn limits(&self, places: &Places) -> (Limits, Limits) {
        let of = |key: &str| -> Limits {
            let own = self.conditions.iter().filter(|it| it.key == key);
            own.map(|it| (it.threshold, words(it))).collect()
        };
        let lower = match places {
            Places::Numbers => of(&self.x),
            Places::Names(_) => Vec::new(),
        };
        (of(&self.y), lower)
    }
}

/// Conditions on one of the axes, each once.
fn conditions(args: &PlotArgs) -> Result<Vec<Condition>, Problem> {
    let Some(path) = &args.data.sla_params else {
        return Ok(Vec::new());
    };
    let all = criteria::read(path, criteria::Keys::Any)?;
    let axes = [&args.data.var_x, &args.data.var_y];
    let mut found: Vec<Condition> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for condition in all.into_iter().flat_map(|sla| sla.conditions) {
        if !axes.contains(&&condition.key) {
            others.push(condition.key);
        } else if !found.contains(&condition) {
            found.push(condition);
        }
    }
    if found.is_empty() {
        others.dedup();
        return Err(Problem::usage(format!(
            "--sla-params {}: no criterion is on {} or {}",
            path.display(),
            args.data.var_x,
            args.data.var_y
        ))
        .hint(format!(
            "it has criteria on {}; draw one with --var-y",
            others.join(", ")
        )));
    }
    Ok(found)
}

fn words(condition: &Condition) -> String {
    let sign = match condition.relation {
        Relation::AtMost => "≤",
        Relation::AtLeast => "≥",
        Relation::Below => "<",
        Relation::Above => ">",
    };
    let threshold = crestline_report::number::trimmed(Some(condition.threshold), 6);
    format!("{} {sign} {threshold}", condition.key)
}
