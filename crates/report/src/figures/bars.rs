//! Bars between two axes: histograms, and bars of several parts.

use super::axes::{Axis, Heading, Panel, panel};
use super::drawing::{Anchor, Drawing, Follows, Frame, point};
use super::plots::{Part, Role, Series};
use super::scale::Kind;
use super::theme::TEXT;
use crestline_core::serving::Bins;

/// A histogram of fewer bins has room for so many.
const FEW: usize = 9;
/// Bars below this width touch each other.
const NARROW: f64 = 3.0;

/// How often values lie in each of some bins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Histogram<'a> {
    pub(super) heading: Heading<'a>,
    /// What the values are.
    pub(super) label: &'a str,
    /// What is counted.
    pub(super) counted: &'a str,
    pub(super) bins: &'a Bins,
    /// Class of the bars.
    pub(super) class: &'a str,
}

/// Draws one, with a mark at the mean.
pub(super) fn histogram(drawing: &mut Drawing, room: Frame, it: &Histogram<'_>) {
    let bins = it.bins;
    let most = bins.counts.iter().max().copied().unwrap_or(0).max(1);
    let x = Axis {
        label: it.label,
        kind: Kind::Linear,
        values: ends(bins),
        least_step: 1.0,
        names: &[],
    };
    // Above the highest bar there is room for the words at the mean.
    let y = counts_axis(it.counted, most as f64 * 1.1);
    let panel = panel(drawing, room, it.heading, [&x, &y]);
    let from = drawing.shapes.len();
    for (bin, &count) in bins
        .counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
    {
        let (low, high) = bins.edges(bin);
        bar(
            drawing,
            it.class,
            &panel,
            ([low, high], [0.0, count as f64]),
        );
    }
    if bins.counts.iter().any(|count| *count > 0) {
        mark(drawing, &panel, bins.mean);
    }
    drawing.mark(Part::Inside(panel.plot), from);
    let counts = bins.counts.iter().enumerate();
    let rows = counts.map(|(bin, count)| {
        let (low, high) = bins.edges(bin);
        vec![low, high, *count as f64]
    });
    drawing.add_series(panel.plot, Series::new(it.counted, Role::Bar, rows));
}

/// Ends of the axis: a few bins do not fill it, and nothing is less than 0.
fn ends(bins: &Bins) -> [f64; 2] {
    let (low, high) = bins.edges(0);
    let missing = FEW.saturating_sub(bins.counts.len()) as f64 * (high - low);
    let left = (missing / 2.0).min((low + 0.5).max(0.0));
    [bins.low - left, bins.high + missing - left]
}

fn counts_axis(label: &str, most: f64) -> Axis<'_> {
    Axis {
        label,
        kind: Kind::Linear,
        values: [0.0, most * 1.06],
        least_step: 1.0,
        names: &[],
    }
}

/// A bar from one value to another on both axes. One with a height has at least a thin line.
fn bar(drawing: &mut Drawing, class: &str, panel: &Panel, (x, y): ([f64; 2], [f64; 2])) {
    let [left, right] = x.map(|value| panel.x.at(value));
    let [bottom, top] = y.map(|value| panel.y.at(value));
    if top >= bottom {
        return;
    }
    let gap = if right - left > NARROW { 1.0 } else { 0.0 };
    let frame = Frame {
        left: left + gap / 2.0,
        top: top.min(bottom - 0.75),
        right: right - gap / 2.0,
        bottom,
    };
    drawing.rect(class, frame);
}

/// A line at the mean, with its value on the side that has more room.
fn mark(drawing: &mut Drawing, panel: &Panel, mean: f64) {
    let (frame, x) = (panel.frame, panel.x.at(mean));
    drawing.line("mean", &[point(x, frame.top), point(x, frame.bottom)]);
    let words = format!("mean {}", crate::number::significant(mean, 4));
    let (anchor, side) = if x < f64::midpoint(frame.left, frame.right) {
        (Anchor::Start, 6.0)
    } else {
        (Anchor::End, -6.0)
    };
    let place = point(x + side, frame.top + TEXT.size + 3.0);
    let width = TEXT.width(&words);
    let left = match anchor {
        Anchor::End => place.x - width,
        Anchor::Start | Anchor::Middle => place.x,
    };
    let behind = Frame {
        left: left - 3.0,
        top: frame.top + 2.0,
        right: left + width + 3.0,
        bottom: frame.top + TEXT.size + 7.0,
    };
    drawing.rect("plot", behind);
    drawing.last_follows(Follows::Across(x));
    drawing.text("", place, anchor, &words);
    drawing.last_follows(Follows::Across(x));
}

/// Bars of several parts that stand on each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stack<'a> {
    pub(super) heading: Heading<'a>,
    /// What the bars stand for, in their order.
    pub(super) label: &'a str,
    /// What their height is.
    pub(super) amount: &'a str,
    /// From where to where each bar goes.
    pub(super) places: &'a [[f64; 2]],
    /// Names of the parts, lowest first; part `n` has the colour of series `n`.
    pub(super) parts: &'a [&'a str],
    /// Height of each part of each bar, in their order.
    pub(super) heights: &'a [Vec<f64>],
}

/// Draws them, with a key.
pub(super) fn stack(drawing: &mut Drawing, room: Frame, it: &Stack<'_>) {
    let sums = it.heights.iter().map(|parts| parts.iter().sum::<f64>());
    let most = sums.fold(1.0, f64::max);
    let ends = [
        it.places.first().map_or(0.0, |place| place[0]),
        it.places.last().map_or(1.0, |place| place[1]),
    ];
    let x = Axis {
        label: it.label,
        kind: Kind::Linear,
        values: ends,
        least_step: 1.0,
        names: &[],
    };
    // Above the highest bar there is room for the key.
    let y = counts_axis(it.amount, most * 1.12);
    let panel = panel(drawing, room, it.heading, [&x, &y]);
    let from = drawing.shapes.len();
    for (place, parts) in it.places.iter().zip(it.heights) {
        let mut from = 0.0;
        for (part, height) in parts.iter().enumerate() {
            let class = format!("fill-{part}");
            bar(drawing, &class, &panel, (*place, [from, from + height]));
            from += height;
        }
    }
    drawing.mark(Part::Inside(panel.plot), from);
    for (part, name) in it.parts.iter().enumerate() {
        let bars = it.places.iter().zip(it.heights);
        let rows = bars.map(|([low, high], parts)| {
            let height = parts.get(part).copied().unwrap_or_default();
            vec![*low, *high, height]
        });
        drawing.add_series(panel.plot, Series::new(name, Role::Bar, rows));
    }
    key(drawing, panel.frame, it.parts);
}

/// Names of the parts with their colours, at the top right.
fn key(drawing: &mut Drawing, frame: Frame, parts: &[&str]) {
    let widths = parts.iter().map(|part| TEXT.width(part) + 34.0);
    let mut left = frame.right - widths.sum::<f64>();
    for (place, part) in parts.iter().enumerate() {
        let sign = Frame {
            left,
            top: frame.top + 7.0,
            right: left + 14.0,
            bottom: frame.top + 17.0,
        };
        drawing.rect(&format!("fill-{place}"), sign);
        let words = point(left + 20.0, frame.top + 16.0);
        drawing.text("", words, Anchor::Start, part);
        left += TEXT.width(part) + 34.0;
    }
}
