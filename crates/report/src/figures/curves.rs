//! Curves between two axes: means with their bands and single runs, curves of percentiles, courses over time.
//!
//! Draws what it is given: means, intervals and percentiles are computed elsewhere. Curves of one name have one colour in all
//! parts of a figure.

mod limit;

use super::Picture;
use super::axes::{Axis, Heading, Panel, panel};
use super::drawing::{Anchor, Drawing, Frame, Point, point};
use super::scale::Kind;
use super::theme::{SERIES, TEXT, TITLE};

/// A figure of one part or of several beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What was measured; may be empty.
    pub subject: &'a str,
    /// Parts in a row at most.
    pub columns: usize,
    /// From the left, row by row.
    pub parts: Vec<CurvePart<'a>>,
}

/// Curves with two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePart<'a> {
    /// What stands above it; may be empty.
    pub title: &'a str,
    /// The lower axis.
    pub x: CurveAxis<'a>,
    /// The left axis.
    pub y: CurveAxis<'a>,
    /// In the order of the key.
    pub curves: Vec<Curve<'a>>,
    /// Values of the left axis that must not be passed, with what they are called.
    pub limits: Vec<(f64, &'a str)>,
}

/// An axis as it is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveAxis<'a> {
    /// The quantity and its unit.
    pub label: &'a str,
    /// How values are laid out.
    pub kind: Kind,
    /// Ends; without them, all that is drawn has room, and a linear left axis begins at 0.
    pub range: Option<[f64; 2]>,
    /// Values that can be: a band does not go beyond them.
    pub possible: [f64; 2],
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve<'a> {
    /// In the key; curves without a name have the first colour and are not in it.
    pub name: &'a str,
    /// Places that it goes through; drawn in the order of their first value.
    pub points: Vec<[f64; 2]>,
    /// Around it: where, from, to.
    pub band: Vec<[f64; 3]>,
    /// Single observations, drawn lightly.
    pub dots: Vec<[f64; 2]>,
}

const PART: [f64; 2] = [460.0, 310.0];
const EDGE: f64 = 20.0;
const GAP: f64 = 24.0;
const LINE: f64 = 20.0;
/// Widest name in the key.
const WIDEST: f64 = 260.0;
/// Between the parts and the key, and the sign of a curve.
const SIGN: f64 = 34.0;
/// Curves with more points have no marks on them.
const MARKED: usize = 40;

impl CurveAxis<'_> {
    /// Ends of the axis for these values.
    fn ends(&self, values: impl Iterator<Item = f64>, base: Option<f64>) -> [f64; 2] {
        if let Some(range) = self.range {
            return range;
        }
        let usable =
            values.filter(|value| value.is_finite() && (self.kind != Kind::Log || *value > 0.0));
        let [low, high] = usable.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
            [low.min(value), high.max(value)]
        });
        if low > high {
            return if self.kind == Kind::Log {
                [1.0, 10.0]
            } else {
                [0.0, 1.0]
            };
        }
        match (self.kind, base) {
            (Kind::Log, _) => [low / 1.08, high * 1.08],
            (Kind::Percentile, _) => [low, high],
            (_, Some(base)) if low >= base => [base, base + (high - base).max(1e-9) * 1.06],
            _ => {
                let edge = if high > low {
                    (high - low) * 0.04
                } else {
                    low.abs().max(1.0) * 0.5
                };
                [low - edge, high + edge]
            }
        }
    }

    fn axis(&self, values: [f64; 2]) -> Axis<'_> {
        Axis {
            label: self.label,
            kind: self.kind,
            values,
            least_step: 0.0,
        }
    }

    /// The nearest value that can be.
    fn possible(&self, value: f64) -> f64 {
        value.max(self.possible[0]).min(self.possible[1])
    }
}

/// The figure. Its size follows from its parts: 460 by 310 units of a 96th of an inch each, and the key beside them.
pub fn curves(it: &Curves<'_>) -> Picture {
    let names = names(it);
    let columns = it.columns.clamp(1, it.parts.len().max(1));
    let rows = it.parts.len().div_ceil(columns).max(1);
    let head = EDGE
        + TITLE.size
        + if it.subject.is_empty() {
            12.0
        } else {
            12.0 + LINE
        };
    let grid = [
        columns as f64 * (PART[0] + GAP) - GAP,
        rows as f64 * (PART[1] + GAP) - GAP,
    ];
    let widest = names.iter().map(|name| TEXT.width(name).min(WIDEST));
    let key = match names.len() {
        0 => 0.0,
        _ => GAP + SIGN + widest.fold(0.0, f64::max),
    };
    let key_height = names.len() as f64 * LINE + GAP;
    let size = point(
        2.0 * EDGE + grid[0] + key,
        head + grid[1].max(key_height) + EDGE,
    );
    let mut drawing = Drawing::new(size, it.title, &description(it));
    let room = size.x - 2.0 * EDGE;
    let title = TITLE.fitted(it.title, room);
    drawing.text(
        "title",
        point(EDGE, EDGE + TITLE.size),
        Anchor::Start,
        &title,
    );
    if !it.subject.is_empty() {
        let subject = TEXT.fitted(it.subject, room);
        let place = point(EDGE, EDGE + TITLE.size + LINE);
        drawing.text("quiet", place, Anchor::Start, &subject);
    }
    for (place, part) in it.parts.iter().enumerate() {
        let left = EDGE + (place % columns) as f64 * (PART[0] + GAP);
        let top = head + (place / columns) as f64 * (PART[1] + GAP);
        let frame = Frame {
            left,
            top,
            right: left + PART[0],
            bottom: top + PART[1],
        };
        draw_part(&mut drawing, frame, part, &names);
    }
    key_beside(
        &mut drawing,
        point(EDGE + grid[0] + GAP, head + GAP),
        &names,
    );
    Picture(drawing)
}

/// Names with their colours, one below the other.
fn key_beside(drawing: &mut Drawing, from: Point, names: &[&str]) {
    for (place, name) in names.iter().enumerate() {
        let y = from.y + place as f64 * LINE;
        let sign = [point(from.x, y), point(from.x + SIGN - 10.0, y)];
        drawing.line(&line_class(place), &sign);
        let middle = point(from.x + (SIGN - 10.0) / 2.0, y);
        drawing.disc(&format!("fill-{}", place % SERIES.len()), middle, 3.0);
        let words = TEXT.fitted(name, WIDEST);
        let words_at = point(from.x + SIGN, y + TEXT.size * 0.36);
        drawing.text("", words_at, Anchor::Start, &words);
    }
}

/// Colours begin anew after the last one, with dashes.
fn line_class(series: usize) -> String {
    let colour = series % SERIES.len();
    if series < SERIES.len() {
        format!("line-{colour}")
    } else {
        format!("dash-{colour}")
    }
}

/// All names, in the order in which they first come.
fn names<'a>(it: &Curves<'a>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for curve in it.parts.iter().flat_map(|part| &part.curves) {
        if !curve.name.is_empty() && !names.contains(&curve.name) {
            names.push(curve.name);
        }
    }
    names
}

fn description(it: &Curves<'_>) -> String {
    let parts = it.parts.iter().map(|part| {
        let points: usize = part.curves.iter().map(|curve| curve.points.len()).sum();
        format!(
            "{} against {}: {} of {}",
            part.y.label,
            part.x.label,
            crate::number::counted(part.curves.len() as u64, "curve"),
            crate::number::counted(points as u64, "point")
        )
    });
    parts.collect::<Vec<_>>().join("; ")
}

fn draw_part(drawing: &mut Drawing, room: Frame, part: &CurvePart<'_>, names: &[&str]) {
    let all = || part.curves.iter();
    let xs = all().flat_map(|curve| {
        let band = curve.band.iter().map(|[x, ..]| *x);
        curve
            .points
            .iter()
            .chain(&curve.dots)
            .map(|[x, _]| *x)
            .chain(band)
    });
    let bands = all().flat_map(|curve| &curve.band);
    let ys = all()
        .flat_map(|curve| curve.points.iter().chain(&curve.dots).map(|[_, y]| *y))
        .chain(bands.flat_map(|[_, low, high]| [*low, *high].map(|end| part.y.possible(end))))
        .chain(part.limits.iter().map(|(value, _)| *value));
    let x = part.x.axis(part.x.ends(xs, None));
    let y = part.y.axis(part.y.ends(ys, Some(0.0)));
    let heading = Heading {
        title: part.title,
        note: "",
    };
    let panel = panel(drawing, room, heading, [&x, &y]);
    let series = |curve: &Curve<'_>| {
        let place = names.iter().position(|name| *name == curve.name);
        place.unwrap_or_default()
    };
    for curve in &part.curves {
        draw_band(drawing, &panel, (part.y, curve), series(curve));
    }
    for curve in &part.curves {
        draw_curve(drawing, &panel, curve, series(curve));
    }
    let lines: Vec<Vec<Point>> = part
        .curves
        .iter()
        .map(|curve| places(&panel, &curve.points))
        .collect();
    for (value, words) in &part.limits {
        limit::draw(drawing, &panel, (*value, words), &lines);
    }
}

/// Places of what can be drawn, in the order of the first value.
fn sorted<const N: usize>(values: &[[f64; N]]) -> Vec<[f64; N]> {
    let mut values: Vec<[f64; N]> = values
        .iter()
        .copied()
        .filter(|value| value.iter().all(|part| !part.is_nan()))
        .collect();
    values.sort_by(|a, b| a[0].total_cmp(&b[0]));
    values
}

/// Where values lie, in the order of the first one.
fn places(panel: &Panel, values: &[[f64; 2]]) -> Vec<Point> {
    let values = sorted(values);
    values
        .iter()
        .map(|[x, y]| point(panel.x.at(*x), panel.y.at(*y)))
        .collect()
}

fn draw_band(
    drawing: &mut Drawing,
    panel: &Panel,
    (axis, curve): (CurveAxis<'_>, &Curve<'_>),
    series: usize,
) {
    let band = sorted(&curve.band);
    if band.len() < 2 {
        for [x, low, high] in band {
            let ends = [low, high].map(|end| point(panel.x.at(x), panel.y.at(axis.possible(end))));
            drawing.line(&line_class(series), &ends);
        }
        return;
    }
    let edge = |end: usize| {
        let axis = &axis;
        move |row: &[f64; 3]| point(panel.x.at(row[0]), panel.y.at(axis.possible(row[end])))
    };
    let below = band.iter().map(edge(1));
    let above = band.iter().rev().map(edge(2));
    let class = format!("band-{}", series % SERIES.len());
    drawing.area(&class, below.chain(above).collect());
}

fn draw_curve(drawing: &mut Drawing, panel: &Panel, curve: &Curve<'_>, series: usize) {
    let colour = series % SERIES.len();
    for dot in places(panel, &curve.dots) {
        drawing.disc(&format!("dot-{colour}"), dot, 2.6);
    }
    let points = places(panel, &curve.points);
    if points.len() > 1 {
        drawing.line(&line_class(series), &points);
    }
    if points.len() <= MARKED {
        for middle in points {
            drawing.disc(&format!("fill-{colour}"), middle, 3.0);
        }
    }
}

#[cfg(test)]
mod tests;
