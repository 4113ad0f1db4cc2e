//! One curve: where its runs lie, their means, and how sure these are.
//!
//! Runs at one place of the lower axis are repeats of each other. Where the lower axis is measured too, no two runs have the same
//! place, and repeats are those of one combination.

use crestline_core::serving::Across;
use crestline_report::figures::{Curve, Order, Stroke};

use super::super::axis::Places;
use super::super::records::Record;
use super::super::settings::{Intervals, Settings};

/// How sure intervals are.
const LEVEL: f64 = 0.95;

/// What repeats of a point have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// The place on the lower axis.
    Places,
    /// The file they stand in: the lower axis is measured.
    Files,
}

impl Course {
    /// Measured where runs of one file differ in it, in any of them.
    pub(super) fn of(settings: &Settings, places: &Places, records: &[Record]) -> Self {
        let differs = records.windows(2).any(|pair| {
            let [one, other] = [0, 1].map(|place| places.at(&settings.x, &pair[place]));
            pair[0].file == pair[1].file && one != other
        });
        if differs && settings.measures_x() {
            Self::Files
        } else {
            Self::Places
        }
    }
}

/// Runs of one curve.
pub(super) struct Measured<'a> {
    pub(super) settings: &'a Settings,
    pub(super) places: &'a Places,
    pub(super) course: Course,
    pub(super) runs: &'a [&'a Record],
}

/// Runs of one point.
#[derive(Default)]
struct Repeats {
    xs: Vec<f64>,
    ys: Vec<f64>,
}

impl Measured<'_> {
    pub(super) fn curve(&self, stroke: Stroke) -> Curve {
        let is_void = |run: &&&Record| run.is_void();
        let places = |runs: Vec<&&Record>| -> Vec<[f64; 2]> {
            runs.into_iter().filter_map(|run| self.place(run)).collect()
        };
        let mut curve = Curve {
            stroke: Some(stroke),
            voids: places(self.runs.iter().filter(is_void).collect()),
            order: match self.course {
                Course::Places => Order::Rising,
                Course::Files => Order::AsGiven,
            },
            ..Curve::default()
        };
        for repeats in self.repeats() {
            let (Some(x), Some(y)) = (Across::of(&repeats.xs), Across::of(&repeats.ys)) else {
                continue;
            };
            curve.points.push([x.mean, y.mean]);
            if repeats.ys.len() > 1 {
                let pairs = repeats.xs.iter().zip(&repeats.ys);
                curve.dots.extend(pairs.map(|(x, y)| [*x, *y]));
            }
            let interval = y.interval(LEVEL);
            if let (Intervals::Drawn, Some([low, high])) = (self.settings.intervals, interval) {
                curve.band.push([x.mean, low, high]);
            }
        }
        curve
    }

    fn place(&self, run: &Record) -> Option<[f64; 2]> {
        let x = self.places.at(&self.settings.x, run)?;
        Some([x, run.number(&self.settings.y)?])
    }

    /// Runs that count, those of one point together, in the order in which points first come.
    fn repeats(&self) -> Vec<Repeats> {
        let mut keys: Vec<(&Record, f64)> = Vec::new();
        let mut all: Vec<Repeats> = Vec::new();
        for run in self.runs.iter().filter(|run| !run.is_void()) {
            let Some([x, y]) = self.place(run) else {
                continue;
            };
            let is_same = |(other, at): &(&Record, f64)| match self.course {
                Course::Places => at.total_cmp(&x).is_eq(),
                Course::Files => other.file == run.file,
            };
            let place = keys.iter().position(is_same).unwrap_or_else(|| {
                keys.push((run, x));
                all.push(Repeats::default());
                all.len() - 1
            });
            all[place].xs.push(x);
            all[place].ys.push(y);
        }
        all
    }
}
