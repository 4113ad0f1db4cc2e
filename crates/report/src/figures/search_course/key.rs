//! What each sign means.

use crestline_core::search::Answer;

use super::lanes::stage_class;
use super::layout::{EDGE, KEY_LINE, Layout, WIDTH};
use super::{Mark, SearchCourse, Stretch};
use crate::figures::drawing::{Anchor, Drawing, Frame, Point, point};
use crate::figures::theme::TEXT;

/// Of a sign.
const SIGN: f64 = 22.0;
/// Between a sign and its words, and after them.
const GAPS: [f64; 2] = [6.0, 14.0];
/// Letters of a stage's name at most.
const STAGE: f64 = 120.0;

/// Draws a sign.
type Sign = fn(&mut Drawing, Frame);

/// Draws it: the answer, the verdicts, the stages, as far as each is in the figure.
pub(super) fn draw(drawing: &mut Drawing, course: &SearchCourse<'_>, layout: &Layout) {
    let mut row = Row::at(layout.key_top);
    for (_, sign, words) in answers(course).iter().filter(|(there, ..)| *there) {
        if let Some(frame) = row.next(words) {
            sign(drawing, frame);
            row.words(drawing, words);
        }
    }
    let mut row = Row::at(layout.key_top + KEY_LINE);
    let which = match course.question.groups.len() {
        1 => "",
        _ => " (plots: of A)",
    };
    let marks = [
        (
            Mark::Meets,
            format!("its own requests meet the criteria{which}"),
        ),
        (Mark::Misses, "its own requests miss them".to_owned()),
        (Mark::Open, "too little counts to tell".to_owned()),
    ];
    for (mark, words) in marks.iter().filter(|(mark, _)| is_there(course, *mark)) {
        if let Some(frame) = row.next(words) {
            rule(drawing, mark.class(), frame);
            mark.draw(drawing, middle(frame));
            row.words(drawing, words);
        }
    }
    let mut row = Row::at(layout.key_top + 2.0 * KEY_LINE);
    for stage in course.stages() {
        let words = TEXT.fitted(stage, STAGE);
        if let Some(frame) = row.next(&words) {
            drawing.rect(&stage_class(course, stage), frame);
            row.words(drawing, &words);
        }
    }
}

/// Signs of the answers, each with whether it is in the figure.
fn answers(course: &SearchCourse<'_>) -> [(bool, Sign, &'static str); 4] {
    let any = |has: fn(&Answer) -> bool| course.shown().any(|(_, answer)| has(answer));
    let settling = |stretch: &Stretch<'_>| stretch.settled() > stretch.seconds()[0];
    [
        (
            course.stretches.iter().any(settling),
            |drawing, frame| drawing.rect("settle", frame),
            "settling, requests do not count",
        ),
        (
            any(|answer| answer.interval.is_some()),
            |drawing, frame| drawing.rect("band", frame),
            "90 % interval of the answer",
        ),
        (
            any(|answer| answer.load.is_some()),
            |drawing, frame| rule(drawing, "reported", frame),
            "reported load",
        ),
        (
            any(|answer| answer.estimate.is_some()),
            |drawing, frame| rule(drawing, "likely", frame),
            "most likely load",
        ),
    ]
}

fn is_there(course: &SearchCourse<'_>, mark: Mark) -> bool {
    let groups = || course.shown().map(|(group, _)| group);
    course
        .stretches
        .iter()
        .any(|stretch| groups().any(|group| stretch.mark(group) == mark))
}

fn middle(frame: Frame) -> Point {
    point(
        f64::midpoint(frame.left, frame.right),
        f64::midpoint(frame.top, frame.bottom),
    )
}

fn rule(drawing: &mut Drawing, class: &str, frame: Frame) {
    let Point { y, .. } = middle(frame);
    drawing.line(class, &[point(frame.left, y), point(frame.right, y)]);
}

/// Signs side by side, as many as there is room for.
struct Row {
    x: f64,
    top: f64,
}

impl Row {
    fn at(top: f64) -> Self {
        Self { x: EDGE, top }
    }

    /// The place of the next sign, where it and its words fit.
    fn next(&mut self, words: &str) -> Option<Frame> {
        let end = self.x + SIGN + GAPS[0] + TEXT.width(words);
        (end <= WIDTH - EDGE).then_some(Frame {
            left: self.x,
            top: self.top + 3.0,
            right: self.x + SIGN,
            bottom: self.top + KEY_LINE - 5.0,
        })
    }

    /// Writes the words of the sign, and goes on behind them.
    fn words(&mut self, drawing: &mut Drawing, words: &str) {
        let left = self.x + SIGN + GAPS[0];
        drawing.text("", point(left, self.top + 13.0), Anchor::Start, words);
        self.x = left + TEXT.width(words) + GAPS[1];
    }
}
