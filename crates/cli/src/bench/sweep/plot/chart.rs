//! One figure: panels in rows and columns, curves with their means, intervals and single runs.
//!
//! Draws nothing itself and writes no file. Runs are filtered and rounded before they come here.

mod curve;
mod strokes;

use crestline_report::figures::{
    Curve, CurveAxis, CurvePart, Curves, Key, KeyEntry, KeyGroup, Kind, Order, Range, Sign,
};

use self::curve::{Course, Measured};
use self::strokes::Strokes;
use super::axis::{self, Places};
use super::groups::{Group, Keys, joined, lines};
use super::records::Record;
use super::settings::Settings;

/// One figure that is ready to be drawn.
#[derive(Debug)]
pub(super) struct Chart {
    /// Rows and columns of panels.
    pub(super) grid: [usize; 2],
    pub(super) curves: Curves,
    /// What is not in it, in sentences.
    pub(super) warnings: Vec<String>,
}

/// Runs of one panel.
struct Cell<'a> {
    row: usize,
    column: usize,
    title: String,
    records: Vec<&'a Record>,
}

impl Chart {
    /// The figure of these runs; the reasons where none of them can be drawn.
    pub(super) fn of(
        settings: &Settings,
        group: &Group,
        all: &[Record],
    ) -> Result<Self, Vec<String>> {
        let (records, warnings) = usable(settings, all);
        if records.is_empty() {
            return Err(warnings);
        }
        let places = Places::of(&settings.x, &records);
        let course = Course::of(settings, &places, &records);
        let strokes = Strokes::of(&settings.curve_by, &records);
        let (grid, cells) = cells(settings, &records);
        let axes = axes(settings, &places, &records);
        let mut parts: Vec<Option<CurvePart>> = vec![None; grid[0] * grid[1]];
        for cell in &cells {
            let curves = settings.curve_by.parted(cell.records.iter().copied());
            let mut curves: Vec<_> = curves
                .into_iter()
                .map(|(group, runs)| {
                    let of = Measured {
                        settings,
                        places: &places,
                        course,
                        runs: &runs,
                    };
                    (strokes.place(&group), of.curve(strokes.stroke(&group)))
                })
                .collect();
            curves.sort_by_key(|(place, _)| *place);
            let (limits, limits_x) = settings.limits(&places);
            parts[cell.row * grid[1] + cell.column] = Some(CurvePart {
                title: cell.title.clone(),
                x: axes[0].clone(),
                y: axes[1].clone(),
                curves: curves.into_iter().map(|(_, curve)| curve).collect(),
                limits,
                limits_x,
            });
        }
        let mut groups = strokes.key();
        groups.push(signs(&parts));
        let curves = Curves {
            title: format!("{} against {}", settings.y, settings.x),
            subject: subject(group, &records),
            columns: grid[1],
            part_inches: [settings.inches; 2],
            parts,
            range: Range::Shared,
            key: Key::Groups(groups),
        };
        Ok(Self {
            grid,
            curves,
            warnings,
        })
    }
}

/// Runs that can be drawn, and how many cannot, for each reason.
fn usable(settings: &Settings, all: &[Record]) -> (Vec<Record>, Vec<String>) {
    let places = Places::of(&settings.x, all);
    let x = |record: &Record| places.at(&settings.x, record);
    let y = |record: &Record| record.number(&settings.y).filter(|it| it.is_finite());
    let is_low = |kind, value: Option<f64>| {
        matches!(kind, Kind::Log | Kind::Log2) && value.is_some_and(|it| it <= 0.0)
    };
    let reason = |record: &Record| -> Option<String> {
        if record.has_failed() {
            Some("all of its requests failed".to_owned())
        } else if x(record).is_none() {
            Some(format!("it has no number {}", settings.x))
        } else if y(record).is_none() {
            Some(format!("it has no number {}", settings.y))
        } else if is_low(settings.scales[0], x(record)) {
            Some(format!(
                "its {} is not above 0, and the axis is logarithmic",
                settings.x
            ))
        } else if is_low(settings.scales[1], y(record)) {
            Some(format!(
                "its {} is not above 0, and the axis is logarithmic",
                settings.y
            ))
        } else {
            None
        }
    };
    let mut kept = Vec::new();
    let mut left: Vec<(String, usize, &Record)> = Vec::new();
    for record in all {
        match reason(record) {
            None => kept.push(record.clone()),
            Some(why) => match left.iter_mut().find(|(known, ..)| *known == why) {
                Some((_, count, _)) => *count += 1,
                None => left.push((why, 1, record)),
            },
        }
    }
    let warnings = left.into_iter().map(|(why, count, first)| {
        let others = match count {
            1 => String::new(),
            2 => ", and so is another".to_owned(),
            _ => format!(", and so are {} others", count - 1),
        };
        format!(
            "a run of {} is not drawn, since {why}{others}",
            first.file.display()
        )
    });
    (kept, warnings.collect())
}

/// Panels in their rows and columns. A column is the same in all rows.
fn cells<'a>(settings: &Settings, records: &'a [Record]) -> ([usize; 2], Vec<Cell<'a>>) {
    let columns: Vec<Group> = named(&settings.col_by, records);
    let rows = settings.row_by.parted(records.iter());
    let grid = [rows.len(), columns.len()];
    let mut cells = Vec::new();
    for (row, (row_group, runs)) in rows.into_iter().enumerate() {
        for (group, records) in settings.col_by.parted(runs.into_iter()) {
            let titles = [lines(&row_group), lines(&group)];
            let titles: Vec<String> = titles.into_iter().filter(|it| !it.is_empty()).collect();
            let column = columns.iter().position(|known| *known == group);
            cells.push(Cell {
                row,
                column: column.unwrap_or_default(),
                title: titles.join("\n"),
                records,
            });
        }
    }
    (grid, cells)
}

fn named(keys: &Keys, records: &[Record]) -> Vec<Group> {
    let groups = keys.parted(records.iter());
    groups.into_iter().map(|(group, _)| group).collect()
}

fn axes(settings: &Settings, places: &Places, records: &[Record]) -> [CurveAxis; 2] {
    let values = |value: &dyn Fn(&Record) -> Option<f64>| -> Vec<f64> {
        records.iter().filter_map(value).collect()
    };
    let xs = values(&|record| places.at(&settings.x, record));
    let ys = values(&|record| record.number(&settings.y));
    [
        axis::lower(&settings.x, settings.scales[0], places, &xs),
        axis::left(&settings.y, settings.scales[1], &ys),
    ]
}

/// What was measured: the values of the figure, how many runs, of which model.
fn subject(group: &Group, records: &[Record]) -> String {
    let mut models: Vec<String> = records
        .iter()
        .filter_map(|it| it.text("model_id"))
        .collect();
    models.dedup();
    let mut parts = vec![joined(group, ", ")];
    if let [model] = &models[..] {
        parts.push(model.clone());
    }
    let runs = records.len();
    parts.push(format!("{runs} run{}", if runs == 1 { "" } else { "s" }));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// What the signs mean that are in the figure.
fn signs(parts: &[Option<CurvePart>]) -> KeyGroup {
    let any = |has: fn(&Curve) -> bool| {
        parts
            .iter()
            .flatten()
            .flat_map(|part| &part.curves)
            .any(has)
    };
    let entry = |sign, words: &str| KeyEntry {
        sign,
        words: words.to_owned(),
    };
    let all = [
        (
            any(|it| !it.dots.is_empty()),
            entry(Sign::Dot, "single run; the curve is their mean"),
        ),
        (
            any(|it| !it.band.is_empty() && it.order == Order::AsGiven),
            entry(Sign::Interval, "95 % t-interval of the mean"),
        ),
        (
            any(|it| !it.band.is_empty() && it.order == Order::Rising),
            entry(Sign::Band, "95 % t-interval of the mean"),
        ),
        (
            any(|it| !it.voids.is_empty()),
            entry(
                Sign::Void,
                "void run: the client was the bottleneck; not in the mean",
            ),
        ),
    ];
    let there = all.into_iter().filter(|(is_there, _)| *is_there);
    KeyGroup {
        title: String::new(),
        entries: there.map(|(_, entry)| entry).collect(),
    }
}

#[cfg(test)]
mod tests;
