//! One part: its title, its axes, and what stands between them.
//!
//! Where the part and the ends of its axes are is decided elsewhere.

use super::ends::Ends;
use super::limit;
use super::{Curve, CurveAxis, CurvePart, Marks, Order, Stroke};
use crate::figures::axes::{self, Axis, Heading, Panel, panel_beside};
use crate::figures::drawing::{Anchor, Drawing, Follows, Frame, Point, point};
use crate::figures::plots::{Part, Role, Series};
use crate::figures::theme::STRONG;

/// Height of a line of a title.
pub(super) const TITLE_LINE: f64 = 18.0;
/// Half of the width of the ends of an interval.
const CAP: f64 = 4.0;
/// Curves with more points have no marks on them.
const MARKED: usize = 40;

/// Where a part is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    pub(super) frame: Frame,
    /// Height that titles have.
    pub(super) heading: f64,
    /// Width that the texts of the left axis have at least.
    pub(super) texts: f64,
}

impl Room {
    /// What is below the titles.
    fn below(self) -> Frame {
        Frame {
            top: self.frame.top + self.heading,
            ..self.frame
        }
    }
}

const NO_HEADING: Heading<'_> = Heading {
    title: "",
    note: "",
};

/// Width that the texts of the left axis of a part take.
pub(super) fn left_texts(room: Room, part: &CurvePart, ends: &Ends) -> f64 {
    axes::left_texts(room.below(), NO_HEADING, &part.y.axis(ends.y))
}

impl CurveAxis {
    fn axis(&self, values: [f64; 2]) -> Axis<'_> {
        Axis {
            label: &self.label,
            kind: self.kind,
            values,
            least_step: self.least_step,
            names: &self.names,
        }
    }

    /// The nearest value that can be.
    pub(super) fn possible(&self, value: f64) -> f64 {
        value.max(self.possible[0]).min(self.possible[1])
    }
}

pub(super) fn draw(
    drawing: &mut Drawing,
    room: Room,
    (part, ends): (&CurvePart, &Ends),
    names: &[&str],
) {
    let (x, y) = (part.x.axis(ends.x), part.y.axis(ends.y));
    let panel = panel_beside(drawing, room.below(), NO_HEADING, ([&x, &y], room.texts));
    let left = panel.frame.left;
    let title = STRONG.broken(&part.title, room.frame.right - left);
    let title = if title.len() as f64 * TITLE_LINE > room.heading {
        STRONG.broken(&part.title, room.frame.width())
    } else {
        title
    };
    let left = if title
        .iter()
        .all(|line| left + STRONG.width(line) <= room.frame.right)
    {
        left
    } else {
        room.frame.left
    };
    for (place, line) in title.iter().enumerate() {
        let at = point(left, room.frame.top + 14.0 + place as f64 * TITLE_LINE);
        drawing.text("strong", at, Anchor::Start, line);
    }
    drawing.marks.plots[panel.plot]
        .title
        .clone_from(&part.title);
    let from = drawing.shapes.len();
    draw_inside(drawing, &panel, part, names);
    drawing.mark(Part::Inside(panel.plot), from);
    for curve in &part.curves {
        note_values(drawing, panel.plot, (&part.y, curve));
    }
}

/// The values, for pages.
fn note_values(drawing: &mut Drawing, plot: usize, (axis, curve): (&CurveAxis, &Curve)) {
    let points = match curve.order {
        Order::Rising => sorted(&curve.points),
        Order::AsGiven => known(&curve.points),
    };
    for (role, rows) in [
        (Role::Curve, &points),
        (Role::Run, &curve.dots),
        (Role::Void, &curve.voids),
    ] {
        let rows = rows.iter().map(|row| row.to_vec());
        drawing.add_series(plot, Series::new(&curve.name, role, rows));
    }
    let band = sorted(&curve.band).into_iter();
    let band = band.map(|[x, low, high]| vec![x, axis.possible(low), axis.possible(high)]);
    drawing.add_series(plot, Series::new(&curve.name, Role::Band, band));
}

fn draw_inside(drawing: &mut Drawing, panel: &Panel, part: &CurvePart, names: &[&str]) {
    let drawn_with = |curve: &Curve| {
        let place = || names.iter().position(|name| *name == curve.name);
        curve
            .stroke
            .unwrap_or_else(|| Stroke::nth(place().unwrap_or_default()))
    };
    for curve in &part.curves {
        let from = drawing.shapes.len();
        draw_band(drawing, panel, (&part.y, curve), drawn_with(curve));
        drawing.mark(Part::Series(curve.name.clone()), from);
    }
    for curve in &part.curves {
        let from = drawing.shapes.len();
        draw_curve(drawing, panel, curve, drawn_with(curve));
        drawing.mark(Part::Series(curve.name.clone()), from);
    }
    let own = part.curves.iter();
    let own = own.map(|curve| places(panel, &curve.points, curve.order));
    let limits = part.limits.iter().map(|(value, _)| {
        let y = panel.y.at(*value);
        vec![point(panel.frame.left, y), point(panel.frame.right, y)]
    });
    let lines: Vec<Vec<Point>> = own.chain(limits).collect();
    let mut taken = Vec::new();
    for (value, words) in &part.limits_x {
        taken.extend(limit::upright(panel, *value));
        limit::draw_upright(drawing, panel, (*value, words), &mut taken);
    }
    for (value, words) in &part.limits {
        limit::draw(drawing, panel, (*value, words), &lines, &mut taken);
    }
}

/// What can be drawn.
fn known<const N: usize>(values: &[[f64; N]]) -> Vec<[f64; N]> {
    let is_known = |value: &&[f64; N]| value.iter().all(|part| !part.is_nan());
    values.iter().filter(is_known).copied().collect()
}

/// The same in the order of the first value.
fn sorted<const N: usize>(values: &[[f64; N]]) -> Vec<[f64; N]> {
    let mut values = known(values);
    values.sort_by(|a, b| a[0].total_cmp(&b[0]));
    values
}

/// Where values lie, in the order of the first one or as they are given.
fn places(panel: &Panel, values: &[[f64; 2]], order: Order) -> Vec<Point> {
    let values = match order {
        Order::Rising => sorted(values),
        Order::AsGiven => known(values),
    };
    values
        .iter()
        .map(|[x, y]| point(panel.x.at(*x), panel.y.at(*y)))
        .collect()
}

/// The parts of a band that nothing parts: a point of the curve without a band ends one.
fn stretches(curve: &Curve) -> Vec<Vec<[f64; 3]>> {
    if curve.order == Order::AsGiven {
        return known(&curve.band)
            .into_iter()
            .map(|row| vec![row])
            .collect();
    }
    let points = sorted(&curve.points);
    let is_parted = |from: f64, to: f64| points.iter().any(|[x, _]| from < *x && *x < to);
    let mut stretches: Vec<Vec<[f64; 3]>> = Vec::new();
    for row in sorted(&curve.band) {
        match stretches.last_mut() {
            Some(stretch) if !is_parted(stretch[stretch.len() - 1][0], row[0]) => {
                stretch.push(row);
            }
            _ => stretches.push(vec![row]),
        }
    }
    stretches
}

fn draw_band(
    drawing: &mut Drawing,
    panel: &Panel,
    (axis, curve): (&CurveAxis, &Curve),
    stroke: Stroke,
) {
    let place = |x: f64, end: f64| point(panel.x.at(x), panel.y.at(axis.possible(end)));
    for stretch in stretches(curve) {
        if let [[x, low, high]] = stretch[..] {
            upright(drawing, &stroke.thin(), [place(x, low), place(x, high)]);
            continue;
        }
        let below = stretch.iter().map(|[x, low, _]| place(*x, *low));
        let above = stretch.iter().rev().map(|[x, _, high]| place(*x, *high));
        let class = format!("band-{}", stroke.colour());
        drawing.area(&class, below.chain(above).collect());
    }
}

/// An interval of one place, with a short line at each end.
pub(super) fn upright(drawing: &mut Drawing, class: &str, ends: [Point; 2]) {
    drawing.line(class, &ends);
    for Point { x, y } in ends {
        drawing.line(class, &[point(x - CAP, y), point(x + CAP, y)]);
        drawing.last_follows(Follows::Middle);
    }
}

fn draw_curve(drawing: &mut Drawing, panel: &Panel, curve: &Curve, stroke: Stroke) {
    let colour = stroke.colour();
    for dot in places(panel, &curve.dots, Order::AsGiven) {
        drawing.disc(&format!("dot-{colour}"), dot, 3.0);
    }
    for void in places(panel, &curve.voids, Order::AsGiven) {
        drawing.cross("void", void, 3.0);
    }
    let points = places(panel, &curve.points, curve.order);
    if points.len() > 1 {
        drawing.line(&stroke.class(), &points);
    }
    if curve.marks == Marks::Few && points.len() <= MARKED {
        for middle in points {
            drawing.disc(&format!("fill-{colour}"), middle, 3.4);
        }
    }
}
