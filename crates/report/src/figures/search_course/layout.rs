//! Where everything is: the parts of the figure from top to bottom, and the scales they share.

use crestline_core::search::{Answer, Variable};

use super::SearchCourse;
use crate::figures::drawing::{Frame, Point, point};
use crate::figures::scale::Scale;
use crate::figures::theme::TEXT;

/// Of the whole figure.
pub(super) const WIDTH: f64 = 960.0;
/// Around everything.
pub(super) const EDGE: f64 = 16.0;
/// Between the left edge and the plots: the axis of loads.
const AXIS: f64 = 72.0;
/// Right of the plots: labels of a single answer.
const LABELS: f64 = 116.0;
/// A column of the answers.
pub(super) const COLUMN: f64 = 16.0;
const LINE: f64 = 18.0;
const PLOT: f64 = 210.0;
const PLOT_TITLE: f64 = 24.0;
/// A lane under the plots.
pub(super) const LANE: f64 = 16.0;
const LANE_GAP: f64 = 5.0;
const TIMES: f64 = 48.0;
/// Rows of the key.
pub(super) const KEY_LINE: f64 = 20.0;
const KEY_LINES: f64 = 3.0;
/// An answer's surroundings are shown apart where they are less than this part of all loads.
const ENLARGED: f64 = 0.5;
/// Most marks on an axis of loads.
pub(super) const LOAD_TICKS: u32 = 8;

/// The whole figure.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) size: Point,
    pub(super) panels: Vec<Panel>,
    /// From seconds to the shared horizontal axis.
    pub(super) times: Scale,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) lanes_top: f64,
    pub(super) key_top: f64,
}

/// A plot of loads over time.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) frame: Frame,
    pub(super) loads: Scale,
    pub(super) title: String,
    /// Answers are written out beside it.
    pub(super) labels: Labels,
}

/// Whether a panel says which line is which load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    Shown,
    Left,
}

impl Layout {
    pub(super) fn of(course: &SearchCourse<'_>, heading: usize) -> Self {
        let columns = course.shown().count() as f64 * COLUMN;
        let (left, right) = (AXIS, WIDTH - EDGE - LABELS.max(columns + 8.0));
        let mut top = EDGE + heading as f64 * LINE;
        let mut panels = Vec::new();
        let near = near(course);
        let mut add = |title: String, range: [f64; 2], labels| {
            let frame = Frame {
                left,
                top: top + PLOT_TITLE,
                right,
                bottom: top + PLOT_TITLE + PLOT,
            };
            top = frame.bottom;
            panels.push(Panel {
                frame,
                loads: Scale::new(range, [frame.bottom, frame.top]),
                title,
                labels,
            });
        };
        let labels = if near.is_some() {
            Labels::Left
        } else {
            Labels::Shown
        };
        add(
            "All loads".to_owned(),
            [0.0, highest(course) * 1.06],
            labels,
        );
        if let Some((title, range)) = near {
            add(title, range, Labels::Shown);
        }
        let lanes_top = top + 8.0;
        let lanes = 1.0 + course.shown().count() as f64;
        let key_top = lanes_top + lanes * (LANE + LANE_GAP) + TIMES;
        Self {
            size: point(WIDTH, key_top + KEY_LINES * KEY_LINE + EDGE / 2.0),
            panels,
            times: Scale::new(time_span(course), [left, right]),
            left,
            right,
            lanes_top,
            key_top,
        }
    }

    /// A lane under the plots, the first at the top.
    pub(super) fn lane(&self, place: usize) -> Frame {
        let top = self.lanes_top + place as f64 * (LANE + LANE_GAP);
        Frame {
            left: self.left,
            top,
            right: self.right,
            bottom: top + LANE,
        }
    }
}

/// Of a line of the heading.
pub(super) fn baseline(line: usize) -> f64 {
    EDGE + TEXT.size + line as f64 * LINE
}

/// From the first stretch to the end of the last, in seconds.
pub(super) fn time_span(course: &SearchCourse<'_>) -> [f64; 2] {
    let ends = course.stretches.iter().flat_map(super::Stretch::seconds);
    let (low, high) = ends.fold((f64::INFINITY, 0.0f64), |(low, high), second| {
        (low.min(second), high.max(second))
    });
    [low.min(high), high]
}

/// What times are counted in: its name, and how many seconds it has.
pub(super) fn time_unit(course: &SearchCourse<'_>) -> (&'static str, f64) {
    let span = time_span(course);
    match span[1] - span[0] {
        length if length > 3.0 * 3600.0 => ("hours", 3600.0),
        length if length > 10.0 * 60.0 => ("minutes", 60.0),
        _ => ("seconds", 1.0),
    }
}

/// The highest load that was applied, or an answer lies at.
fn highest(course: &SearchCourse<'_>) -> f64 {
    let applied = course.stretches.iter().map(|stretch| stretch.load);
    let answered = course.shown().filter_map(|(_, answer)| answer.load);
    let highest = applied.chain(answered).filter(|load| load.is_finite());
    match highest.fold(0.0, f64::max) {
        0.0 => 1.0,
        highest => highest,
    }
}

/// The loads around all answers, else around the first, where that is a small part of all loads; and what it is called.
fn near(course: &SearchCourse<'_>) -> Option<(String, [f64; 2])> {
    let ends: Vec<_> = course.shown().map(|(_, answer)| extent(answer)).collect();
    let all: Option<Vec<[f64; 2]>> = ends.iter().copied().collect();
    let (all, first) = (all.unwrap_or_default(), ends.first().copied().flatten());
    let several = ends.len() > 1;
    let around = |ends: &[[f64; 2]]| around(course, ends);
    if let Some(range) = around(&all) {
        let title = if several {
            "Near the answers"
        } else {
            "Near the answer"
        };
        return Some((title.to_owned(), range));
    }
    let range = around(first.filter(|_| several).as_slice())?;
    Some((format!("Near the answer to {}", super::letter(0)), range))
}

fn around(course: &SearchCourse<'_>, ends: &[[f64; 2]]) -> Option<[f64; 2]> {
    let low = ends.iter().map(|[low, _]| *low).reduce(f64::min)?;
    let high = ends.iter().map(|[_, high]| *high).reduce(f64::max)?;
    let least = match course.question.variable {
        Variable::Users => 1.5,
        Variable::Rate => 0.0,
    };
    let margin = (0.7 * (high - low)).max(0.06 * high).max(least);
    let range = [(low - margin).max(0.0), high + margin];
    (range[1] - range[0] < ENLARGED * highest(course)).then_some(range)
}

/// Where an answer lies, from its lowest to its highest load.
fn extent(answer: &Answer) -> Option<[f64; 2]> {
    let interval = answer.interval;
    let ends = [
        interval.map(|found| found.low),
        interval.map(|found| found.high),
    ];
    let loads = ends.into_iter().chain([answer.load, answer.estimate]);
    let loads: Vec<f64> = loads
        .flatten()
        .filter(|load| load.is_finite() && *load >= 0.0)
        .collect();
    let low = loads.iter().copied().reduce(f64::min)?;
    let high = loads.iter().copied().reduce(f64::max)?;
    Some([low, high])
}
