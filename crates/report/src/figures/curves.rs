//! Curves between two axes: means with their bands and single runs, curves of percentiles, courses over time.
//!
//! Draws what it is given: means, intervals and percentiles are computed elsewhere. Curves of one name have one colour in all
//! parts of a figure.

mod ends;
mod key;
mod limit;
mod part;
mod stroke;

use super::Picture;
use super::drawing::{Drawing, Frame, Point, point};
use super::plots::{Core, Part};
use super::scale::Kind;
use super::theme::STRONG;
use super::titles::{EDGE, LEAST_INCHES, Titles, UNITS};
use ends::Ends;
pub(super) use key::laid;
pub use key::{Key, KeyEntry, KeyGroup, Sign};
pub use stroke::Stroke;

/// A figure of one part or of several beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// What it shows.
    pub title: String,
    /// What was measured; may be empty.
    pub subject: String,
    /// Parts in a row at most.
    pub columns: usize,
    /// Width and height of a part, in inches; the usual ones are [`PART_INCHES`].
    pub part_inches: [f64; 2],
    /// From the left, row by row; nothing is drawn where there is none.
    pub parts: Vec<Option<CurvePart>>,
    /// Whether all parts have the same ends of their axes.
    pub range: Range,
    /// What stands beside the parts.
    pub key: Key,
}

/// Width and height of a part where nothing else is wanted, in inches.
pub const PART_INCHES: [f64; 2] = [460.0 / 96.0, 310.0 / 96.0];

/// What decides on the ends of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// What each part shows.
    #[default]
    Own,
    /// What all parts show together.
    Shared,
}

/// Curves with two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePart {
    /// What stands above it, in one line or several; may be empty.
    pub title: String,
    /// The lower axis.
    pub x: CurveAxis,
    /// The left axis.
    pub y: CurveAxis,
    /// In the order of the key.
    pub curves: Vec<Curve>,
    /// Values of the left axis that must not be passed, with what they are called.
    pub limits: Vec<(f64, String)>,
    /// The same of the lower axis.
    pub limits_x: Vec<(f64, String)>,
}

/// An axis as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveAxis {
    /// The quantity and its unit.
    pub label: String,
    /// How values are laid out.
    pub kind: Kind,
    /// Ends; without them, all that is drawn has room, and a linear left axis begins at 0.
    pub range: Option<[f64; 2]>,
    /// Values that can be: a band does not go beyond them.
    pub possible: [f64; 2],
    /// Marks are no closer than this; 1 where only whole numbers have a meaning.
    pub least_step: f64,
    /// Values with names of their own, rising, which are marked in place of round values.
    pub names: Vec<(f64, String)>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// In a key of names; curves without a name have the first colour and are not in it.
    pub name: String,
    /// How it is drawn; without one, as its name says.
    pub stroke: Option<Stroke>,
    /// Places that it goes through.
    pub points: Vec<[f64; 2]>,
    /// In which order it does.
    pub order: Order,
    /// Around it: where, from, to. It ends where a point has none; of a curve that may turn back it is an upright line at each.
    pub band: Vec<[f64; 3]>,
    /// Single observations, drawn lightly.
    pub dots: Vec<[f64; 2]>,
    /// Observations that do not count, drawn as crosses.
    pub voids: Vec<[f64; 2]>,
    /// Whether its points have marks.
    pub marks: Marks,
}

/// Whether the points of a curve have marks on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Marks {
    /// Where there are few.
    #[default]
    Few,
    /// None: its points are no observations of their own.
    None,
}

/// In which order a curve goes through its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Of their first value.
    #[default]
    Rising,
    /// As they are given: it may turn back.
    AsGiven,
}

const GAP: f64 = 24.0;
const LINE: f64 = 20.0;

impl Default for CurveAxis {
    /// Linear, of values from 0.
    fn default() -> Self {
        Self {
            label: String::new(),
            kind: Kind::Linear,
            range: None,
            possible: [0.0, f64::INFINITY],
            least_step: 0.0,
            names: Vec::new(),
        }
    }
}

/// The figure. Its size follows from its parts, and from the key beside them.
pub fn curves(it: &Curves) -> Picture {
    let names = names(it);
    let ends = Ends::of_all(it);
    let of_bands = if ends.iter().any(|ends| ends.cuts_a_band) {
        ", cut at the edge"
    } else {
        ""
    };
    let key = laid(&it.key, &signs(it, &names), of_bands);
    let [width, height] = it
        .part_inches
        .map(|inches| inches.max(LEAST_INCHES) * UNITS);
    let columns = it.columns.clamp(1, it.parts.len().max(1));
    let rows = it.parts.len().div_ceil(columns).max(1);
    let all = [
        columns as f64 * (width + GAP) - GAP,
        rows as f64 * (height + GAP) - GAP,
    ];
    let beside = if key.width() > 0.0 {
        GAP + key.width()
    } else {
        0.0
    };
    let room = all[0] + beside;
    let titles = Titles::of(&it.title, &it.subject, room);
    let head = titles.bottom();
    let size = point(2.0 * EDGE + room, head + all[1].max(key.height()) + EDGE);
    let mut drawing = Drawing::new(size, &it.title, &description(it));
    titles.draw(&mut drawing);
    drawing.marks.core = Some(Core {
        frame: core(point(EDGE, head), all),
        subject: it.subject.clone(),
    });
    let heading = heading_height(it, width);
    let grid = Grid {
        columns,
        part: point(width, height),
        top: head,
        heading,
    };
    grid.draw(&mut drawing, (it, &ends, &names));
    let from = drawing.shapes.len();
    key.draw(&mut drawing, point(EDGE + all[0] + GAP, head + heading));
    drawing.mark(Part::Words, from);
    Picture(drawing)
}

/// What pages show: parts from a place on, with some room around them.
pub(super) fn core(from: Point, [width, height]: [f64; 2]) -> Frame {
    Frame {
        left: from.x - 8.0,
        top: from.y - 4.0,
        right: from.x + width + 8.0,
        bottom: from.y + height + 6.0,
    }
}

/// Where parts are.
#[derive(Debug, Clone, Copy)]
struct Grid {
    columns: usize,
    /// Width and height of a part.
    part: Point,
    top: f64,
    /// Height that their titles have.
    heading: f64,
}

impl Grid {
    fn room(self, place: usize, texts: f64) -> part::Room {
        let Point {
            x: width,
            y: height,
        } = self.part;
        let left = EDGE + (place % self.columns) as f64 * (width + GAP);
        let top = self.top + (place / self.columns) as f64 * (height + GAP);
        part::Room {
            frame: Frame {
                left,
                top,
                right: left + width,
                bottom: top + height,
            },
            heading: self.heading,
            texts,
        }
    }

    fn draw(self, drawing: &mut Drawing, (it, ends, names): (&Curves, &[Ends], &[&str])) {
        let parts = || {
            let parts = it.parts.iter().zip(ends).enumerate();
            parts.filter_map(|(place, (part, ends))| Some((place, part.as_ref()?, ends)))
        };
        // Parts below each other have one lower axis in common.
        let texts = if self.columns == 1 {
            let own = |(place, part, ends)| part::left_texts(self.room(place, 0.0), part, ends);
            parts().map(own).fold(0.0, f64::max)
        } else {
            0.0
        };
        for (place, part, ends) in parts() {
            part::draw(drawing, self.room(place, texts), (part, ends), names);
        }
    }
}

/// Room for the titles of parts: that of the one with most lines.
fn heading_height(it: &Curves, width: f64) -> f64 {
    let parts = it.parts.iter().flatten();
    let lines = parts.map(|part| STRONG.broken(&part.title, width).len());
    match lines.max().unwrap_or(0) {
        0 => 0.0,
        lines => lines as f64 * part::TITLE_LINE + 2.0,
    }
}

/// All names, in the order in which they first come.
fn names(it: &Curves) -> Vec<&str> {
    let mut names = Vec::new();
    for curve in it.parts.iter().flatten().flat_map(|part| &part.curves) {
        if !curve.name.is_empty() && !names.contains(&curve.name.as_str()) {
            names.push(curve.name.as_str());
        }
    }
    names
}

/// Names with what they are drawn as.
fn signs<'a>(it: &Curves, names: &[&'a str]) -> Vec<(&'a str, Sign)> {
    let sign = |place: usize, name: &str| {
        let curves = || it.parts.iter().flatten().flat_map(|part| &part.curves);
        let own: Vec<&Curve> = curves().filter(|curve| curve.name == name).collect();
        let stroke = own.iter().find_map(|curve| curve.stroke);
        let stroke = stroke.unwrap_or_else(|| Stroke::nth(place));
        let has_none = |values: fn(&Curve) -> usize| own.iter().all(|curve| values(curve) == 0);
        if !has_none(|curve| curve.points.len()) || !has_none(|curve| curve.band.len()) {
            Sign::Curve(stroke)
        } else if !has_none(|curve| curve.dots.len()) {
            Sign::Run(stroke)
        } else if !has_none(|curve| curve.voids.len()) {
            Sign::Void
        } else {
            Sign::Curve(stroke)
        }
    };
    let names = names.iter().enumerate();
    names
        .map(|(place, name)| (*name, sign(place, name)))
        .collect()
}

fn description(it: &Curves) -> String {
    let parts = it.parts.iter().flatten().map(|part| {
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

#[cfg(test)]
mod tests;
