//! A plot of the load over time, with the answers as bands and lines.

use crestline_core::search::{Answer, Interval};

use super::layout::{COLUMN, LOAD_TICKS, Labels, Layout, Panel};
use super::{SearchCourse, Stretch, letter};
use crate::figures::drawing::{Anchor, Drawing, Frame, point};
use crate::figures::plots::{Part, Plot, PlotAxis, Role, Series};
use crate::figures::scale::Kind;
use crate::figures::theme::{STRONG, TEXT};
use crate::search_tables::load_text;

/// The least distance of two labels.
const LABEL_LINE: f64 = 14.0;
/// Stretches that are shorter than this have no mark.
const MARKED: f64 = 3.0;

/// Draws it, from the ground up.
pub(super) fn draw(
    drawing: &mut Drawing,
    course: &SearchCourse<'_>,
    layout: &Layout,
    panel: &Panel,
) {
    let frame = panel.frame;
    drawing.rect("plot", frame);
    drawing.text(
        "strong",
        point(frame.left, frame.top - 7.0),
        Anchor::Start,
        &panel.title,
    );
    let plot = note_plot(drawing, course, panel);
    let from = drawing.shapes.len();
    for stretch in &course.stretches {
        settling(drawing, layout, panel, stretch);
    }
    drawing.mark(Part::Inside(plot), from);
    axis(drawing, course, panel, plot);
    let from = drawing.shapes.len();
    if let Some((_, answer)) = course.shown().next() {
        band(drawing, panel, answer);
    }
    connections(drawing, course, layout, panel);
    for stretch in &course.stretches {
        level(drawing, course, layout, panel, stretch);
    }
    drawing.mark(Part::Inside(plot), from);
    let from = drawing.shapes.len();
    columns(drawing, course, panel);
    drawing.mark(Part::Beside(plot), from);
}

/// Axes and values, for pages; gives the plot's place.
fn note_plot(drawing: &mut Drawing, course: &SearchCourse<'_>, panel: &Panel) -> usize {
    let plot = drawing.marks.plots.len();
    let (unit, seconds) = super::layout::time_unit(course);
    let axis = |label: &str, ends, least_step| PlotAxis {
        label: label.to_owned(),
        kind: Kind::Linear,
        ends,
        least_step,
        names: Vec::new(),
    };
    let times = super::layout::time_span(course).map(|second| second / seconds);
    let row = |stretch: &Stretch<'_>| {
        let middle = f64::midpoint(stretch.settled(), stretch.seconds()[1]);
        (
            vec![middle / seconds, stretch.load],
            stretch.stage.to_owned(),
        )
    };
    let counted = course
        .stretches
        .iter()
        .filter(|it| it.counted_from.is_some());
    let stretches = Series::labelled("Stretches that count", Role::Point, counted.map(row));
    drawing.marks.plots.push(Plot {
        title: panel.title.clone(),
        frame: panel.frame,
        x: axis(&format!("{unit} since the search began"), times, 0.0),
        y: axis(course.unit(), panel.loads.ends(), course.least_step()),
        series: vec![stretches],
    });
    plot
}

fn settling(drawing: &mut Drawing, layout: &Layout, panel: &Panel, stretch: &Stretch<'_>) {
    let [start, _] = stretch.seconds();
    let settled = stretch.settled();
    if settled > start {
        let column = Frame {
            left: layout.times.at(start),
            right: layout.times.at(settled),
            ..panel.frame
        };
        drawing.rect("settle", column);
    }
}

fn axis(drawing: &mut Drawing, course: &SearchCourse<'_>, panel: &Panel, plot: usize) {
    let frame = panel.frame;
    let from = drawing.shapes.len();
    for tick in panel.loads.ticks(LOAD_TICKS, course.least_step()) {
        let y = panel.loads.at(tick.value);
        drawing.line("grid", &[point(frame.left, y), point(frame.right, y)]);
        let text = TEXT.fitted(&tick.text, 44.0);
        drawing.text(
            "quiet",
            point(frame.left - 6.0, y + 4.0),
            Anchor::End,
            &text,
        );
    }
    drawing.mark(Part::TicksUp(plot), from);
    let middle = point(20.0, f64::midpoint(frame.top, frame.bottom));
    drawing.upright_text("quiet", middle, course.unit());
}

/// The first answer across the plot.
fn band(drawing: &mut Drawing, panel: &Panel, answer: &Answer) {
    let frame = panel.frame;
    if let Some(Interval { low, high, .. }) = answer.interval {
        let band = Frame {
            top: panel.loads.at(high),
            bottom: panel.loads.at(low),
            ..frame
        };
        drawing.rect("band", band);
    }
    let lines = [("likely", answer.estimate), ("reported", answer.load)];
    for (class, load) in lines {
        if let Some(load) = load.filter(|load| panel.loads.holds(*load)) {
            let y = panel.loads.at(load);
            drawing.line(class, &[point(frame.left, y), point(frame.right, y)]);
        }
    }
}

/// From each load to the next, where the one follows the other at once.
fn connections(drawing: &mut Drawing, course: &SearchCourse<'_>, layout: &Layout, panel: &Panel) {
    for (one, next) in course.stretches.iter().zip(course.stretches.iter().skip(1)) {
        let x = layout.times.at(next.start.as_secs_f64());
        let [from, to] = [one, next].map(|stretch| panel.loads.at(stretch.load));
        let gap = x - layout.times.at(one.seconds()[1]);
        if gap < 1.0 && (from - to).abs() > 0.01 {
            drawing.line("step", &[point(x, from), point(x, to)]);
        }
    }
}

/// A stretch: thin while it settles, thick while it counts, with its verdict in the middle of that.
fn level(
    drawing: &mut Drawing,
    course: &SearchCourse<'_>,
    layout: &Layout,
    panel: &Panel,
    stretch: &Stretch<'_>,
) {
    if !panel.loads.holds(stretch.load) {
        return;
    }
    let y = panel.loads.at(stretch.load);
    let [start, end] = stretch.seconds().map(|second| layout.times.at(second));
    let settled = layout.times.at(stretch.settled());
    drawing.line("step", &[point(start, y), point(settled, y)]);
    let Some(group) = course.question.groups.first() else {
        return;
    };
    if stretch.counted_from.is_none() {
        return;
    }
    let mark = stretch.mark(group);
    drawing.line(mark.class(), &[point(settled, y), point(end, y)]);
    if end - settled >= MARKED {
        mark.draw(drawing, point(f64::midpoint(settled, end), y));
    }
}

/// Right of the plot: where each answer lies.
fn columns(drawing: &mut Drawing, course: &SearchCourse<'_>, panel: &Panel) {
    for (place, (_, answer)) in course.shown().enumerate() {
        let left = panel.frame.right + 6.0 + place as f64 * COLUMN;
        let shape = |top, bottom| Frame {
            left,
            top,
            right: left + COLUMN - 6.0,
            bottom,
        };
        if let Some(Interval { low, high, .. }) = answer.interval {
            drawing.rect("range", shape(panel.loads.at(high), panel.loads.at(low)));
        }
        if let Some(load) = answer.load.filter(|load| panel.loads.holds(*load)) {
            let y = panel.loads.at(load);
            drawing.line("reported", &[point(left, y), point(left + COLUMN - 6.0, y)]);
        }
        if course.question.groups.len() > 1 {
            let name = letter(place).to_string();
            let middle = point(left + (COLUMN - 6.0) / 2.0, panel.frame.top - 7.0);
            drawing.text("strong", middle, Anchor::Middle, &name);
        }
    }
    if let (Labels::Shown, [answer]) = (panel.labels, course.answers) {
        labels(drawing, course, panel, answer);
    }
}

/// The loads of a single answer in words, moved apart where they would touch.
fn labels(drawing: &mut Drawing, course: &SearchCourse<'_>, panel: &Panel, answer: &Answer) {
    let named = [
        (
            answer.interval.map(|interval| interval.high),
            "quiet",
            "high",
        ),
        (answer.estimate, "", "likely"),
        (answer.load, "strong", "reported"),
        (answer.interval.map(|interval| interval.low), "quiet", "low"),
    ];
    let mut shown: Vec<(f64, &str, String)> = named
        .into_iter()
        .filter_map(|(load, class, name)| {
            let load = load.filter(|load| panel.loads.holds(*load))?;
            let text = format!("{} {name}", load_text(course.question.variable, load));
            Some((panel.loads.at(load), class, text))
        })
        .collect();
    shown.sort_by(|one, other| one.0.total_cmp(&other.0));
    let left = panel.frame.right + 6.0 + COLUMN - 2.0;
    let mut free = panel.frame.top;
    let mut below = shown.len() as f64;
    for (y, class, text) in shown {
        let y = y
            .min(panel.frame.bottom - LABEL_LINE * (below - 1.0))
            .max(free);
        free = y + LABEL_LINE;
        below -= 1.0;
        let letters = if class == "strong" { STRONG } else { TEXT };
        let text = letters.fitted(&text, super::layout::WIDTH - left);
        drawing.text(class, point(left, y + 4.0), Anchor::Start, &text);
    }
}
