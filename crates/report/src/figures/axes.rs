//! A part of a figure with two axes: its room, its ticks and its words, all measured before anything is drawn.
//!
//! What stands between the axes is drawn by others, with the scales that come back.

use super::drawing::{Anchor, Drawing, Frame, point};
use super::plots::{Part, Plot, PlotAxis};
use super::scale::{Kind, Scale, Tick};
use super::theme::{STRONG, TEXT};

/// Room of a line of text.
const LINE: f64 = 18.0;
/// Between a tick and its text, and between texts.
const GAP: f64 = 7.0;
/// Room that the text of a tick has at most on the left.
const WIDEST: f64 = 90.0;
/// Between ticks of the left axis at least.
const ROW: f64 = 34.0;

/// One axis as it is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis<'a> {
    pub(super) label: &'a str,
    pub(super) kind: Kind,
    pub(super) values: [f64; 2],
    /// Ticks are no closer than this.
    pub(super) least_step: f64,
    /// Values with names of their own, marked in place of round values; rising.
    pub(super) names: &'a [(f64, String)],
}

/// What stands above a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Heading<'a> {
    pub(super) title: &'a str,
    /// Behind the title, as far as there is room.
    pub(super) note: &'a str,
}

/// A part that is ready to be drawn in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Panel {
    pub(super) frame: Frame,
    pub(super) x: Scale,
    pub(super) y: Scale,
    /// Its place among the plots of the drawing.
    pub(super) plot: usize,
}

/// Draws everything around a part.
pub(super) fn panel(
    drawing: &mut Drawing,
    room: Frame,
    heading: Heading<'_>,
    axes: [&Axis<'_>; 2],
) -> Panel {
    panel_beside(drawing, room, heading, (axes, 0.0))
}

/// The same with at least so much room for the texts of the left axis, so that parts below each other begin at one place.
pub(super) fn panel_beside(
    drawing: &mut Drawing,
    room: Frame,
    heading: Heading<'_>,
    ([x, y], texts): ([&Axis<'_>; 2], f64),
) -> Panel {
    let (rows, ticks) = left_ticks(room, heading, y);
    let (bottom, top) = (bottom_of(room), top_of(room, heading));
    let left = room.left + LINE + 2.0 * GAP + widest(&ticks).max(texts);
    let panel = Panel {
        frame: Frame {
            left,
            top,
            right: (room.right - 16.0).max(left),
            bottom,
        },
        x: x.scale([left, (room.right - 16.0).max(left)]),
        y: rows,
        plot: drawing.marks.plots.len(),
    };
    drawing.marks.plots.push(Plot {
        title: heading.title.to_owned(),
        frame: panel.frame,
        x: x.plotted(panel.x),
        y: y.plotted(panel.y),
        series: Vec::new(),
    });
    drawing.rect("plot", panel.frame);
    write_heading(drawing, panel.frame, room, heading);
    left_axis(drawing, &panel, room, (y, &ticks));
    bottom_axis(drawing, &panel, room, x);
    panel
}

/// Room that the texts of the left axis take.
pub(super) fn left_texts(room: Frame, heading: Heading<'_>, y: &Axis<'_>) -> f64 {
    widest(&left_ticks(room, heading, y).1)
}

fn widest(ticks: &[Tick]) -> f64 {
    let widths = ticks.iter().map(|tick| TEXT.width(&tick.text));
    widths.fold(0.0, f64::max)
}

fn bottom_of(room: Frame) -> f64 {
    room.bottom - 2.0 * LINE - 6.0
}

fn top_of(room: Frame, heading: Heading<'_>) -> f64 {
    let head = if heading.title.is_empty() { 8.0 } else { 28.0 };
    (room.top + head).min(bottom_of(room))
}

/// The scale of the left axis, and what is marked on it.
fn left_ticks(room: Frame, heading: Heading<'_>, y: &Axis<'_>) -> (Scale, Vec<Tick>) {
    let (bottom, top) = (bottom_of(room), top_of(room, heading));
    let rows = y.scale([bottom, top]);
    let most = (((bottom - top) / ROW) as u32).clamp(2, 9);
    let fitted = |tick: Tick| Tick {
        text: TEXT.fitted(&tick.text, WIDEST),
        ..tick
    };
    (rows, y.ticks(rows, most).into_iter().map(fitted).collect())
}

impl Axis<'_> {
    fn scale(&self, places: [f64; 2]) -> Scale {
        Scale::of(self.kind, self.values, places)
    }

    /// As those know it who enlarge.
    fn plotted(&self, scale: Scale) -> PlotAxis {
        PlotAxis {
            label: self.words(scale),
            kind: scale.kind(),
            ends: scale.ends(),
            least_step: self.least_step,
            names: self.names.to_vec(),
        }
    }

    /// What is marked, no more than so many values.
    fn ticks(&self, scale: Scale, most: u32) -> Vec<Tick> {
        if self.names.is_empty() {
            return scale.ticks(most, self.least_step);
        }
        let every = self.names.len().div_ceil(most.max(1) as usize).max(1);
        let named = self.names.iter().filter(|(value, _)| scale.holds(*value));
        let tick = |(value, name): &(f64, String)| Tick {
            value: *value,
            text: name.clone(),
        };
        named.step_by(every).map(tick).collect()
    }

    /// The label with the form of the ticks, where that must be said.
    fn words(&self, scale: Scale) -> String {
        match scale.form() {
            "" => self.label.to_owned(),
            form => format!("{} ({form})", self.label),
        }
    }
}

fn write_heading(drawing: &mut Drawing, frame: Frame, room: Frame, heading: Heading<'_>) {
    let y = room.top + 16.0;
    let title = STRONG.fitted(heading.title, room.right - frame.left);
    if title.is_empty() {
        return;
    }
    drawing.text("strong", point(frame.left, y), Anchor::Start, &title);
    let from = frame.left + STRONG.width(&title) + 2.0 * GAP;
    if room.right - from > 60.0 && !heading.note.is_empty() {
        let note = TEXT.fitted(heading.note, room.right - from);
        drawing.text("quiet", point(from, y), Anchor::Start, &note);
    }
}

fn left_axis(
    drawing: &mut Drawing,
    panel: &Panel,
    room: Frame,
    (axis, ticks): (&Axis<'_>, &[Tick]),
) {
    let frame = panel.frame;
    let from = drawing.shapes.len();
    for tick in ticks {
        let y = panel.y.at(tick.value);
        drawing.line("grid", &[point(frame.left, y), point(frame.right, y)]);
        let place = point(frame.left - GAP, y + TEXT.size * 0.36);
        drawing.text("quiet", place, Anchor::End, &tick.text);
    }
    drawing.mark(Part::TicksUp(panel.plot), from);
    let words = TEXT.fitted(&axis.words(panel.y), room.height());
    let half = TEXT.width(&words) / 2.0;
    let middle = f64::midpoint(frame.top, frame.bottom)
        .min(room.bottom - half)
        .max(room.top + half);
    drawing.upright_text("quiet", point(room.left + TEXT.size, middle), &words);
}

fn bottom_axis(drawing: &mut Drawing, panel: &Panel, room: Frame, axis: &Axis<'_>) {
    let frame = panel.frame;
    drawing.line(
        "axis",
        &[
            point(frame.left, frame.bottom),
            point(frame.right, frame.bottom),
        ],
    );
    let from = drawing.shapes.len();
    for tick in apart(panel.x, frame.width(), axis) {
        let x = panel.x.at(tick.value);
        let mark = [point(x, frame.bottom), point(x, frame.bottom + 4.0)];
        drawing.line("axis", &mark);
        let half = TEXT.width(&tick.text) / 2.0;
        let middle = x.min(room.right - half).max(room.left + half);
        let place = point(middle, frame.bottom + LINE);
        drawing.text("quiet", place, Anchor::Middle, &tick.text);
    }
    drawing.mark(Part::TicksAcross(panel.plot), from);
    let words = TEXT.fitted(&axis.words(panel.x), room.width());
    let half = TEXT.width(&words) / 2.0;
    let middle = f64::midpoint(frame.left, frame.right)
        .min(room.right - half)
        .max(room.left + half);
    drawing.text(
        "quiet",
        point(middle, frame.bottom + 2.0 * LINE),
        Anchor::Middle,
        &words,
    );
}

/// As many ticks as have room beside each other.
fn apart(scale: Scale, room: f64, axis: &Axis<'_>) -> Vec<Tick> {
    let most = ((room / 46.0) as u32)
        .clamp(2, 12)
        .max(axis.names.len() as u32);
    let has_room = |ticks: &[Tick]| {
        ticks.windows(2).all(|pair| {
            let halves = pair.iter().map(|tick| TEXT.width(&tick.text) / 2.0);
            let distance = scale.at(pair[1].value) - scale.at(pair[0].value);
            halves.sum::<f64>() + 2.0 * GAP <= distance.abs()
        })
    };
    (1..=most)
        .rev()
        .map(|most| axis.ticks(scale, most))
        .find(|ticks| has_room(ticks))
        .unwrap_or_default()
}
