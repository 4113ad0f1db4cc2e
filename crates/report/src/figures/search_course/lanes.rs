//! Under the plots: what the search was doing, what each group came to, and the axis of time.

use super::layout::{LANE, Layout};
use super::{SearchCourse, letter};
use crate::figures::drawing::{Anchor, Drawing, Frame, point};
use crate::figures::plots::Part;
use crate::figures::scale::Scale;
use crate::figures::theme::STAGES;
use crate::figures::theme::TEXT;

/// Most marks on the axis of time.
const TIME_TICKS: u32 = 11;
/// Between stretches, so that they can be told apart.
const GAP: f64 = 1.0;

/// Draws all lanes and the axis.
pub(super) fn draw(drawing: &mut Drawing, course: &SearchCourse<'_>, layout: &Layout) {
    stages(drawing, course, layout);
    for (place, (group, _)) in course.shown().enumerate() {
        let lane = layout.lane(place + 1);
        let name = match course.question.groups.len() {
            1 => "verdict".to_owned(),
            _ => letter(place).to_string(),
        };
        label(drawing, lane, &name);
        let from = drawing.shapes.len();
        for stretch in &course.stretches {
            let mark = stretch.mark(group);
            let [start, end] = stretch.seconds().map(|second| layout.times.at(second));
            let middle = f64::midpoint(start, end);
            let y = f64::midpoint(lane.top, lane.bottom);
            if end - start >= 2.0 * GAP {
                let ends = [
                    point(start + GAP, lane.bottom),
                    point(end - GAP, lane.bottom),
                ];
                drawing.line(mark.class(), &ends);
            }
            if end - start >= LANE / 2.0 {
                mark.draw(drawing, point(middle, y - 1.0));
            }
        }
        drawing.mark(Part::Below(0), from);
    }
    times(drawing, course, layout);
}

/// Which colour a stage has.
pub(super) fn stage_class(course: &SearchCourse<'_>, stage: &str) -> String {
    let place = course.stages().iter().position(|found| *found == stage);
    format!("stage-{}", place.unwrap_or_default() % STAGES)
}

fn label(drawing: &mut Drawing, lane: Frame, name: &str) {
    let place = point(lane.left - 6.0, lane.bottom - 4.0);
    drawing.text("quiet", place, Anchor::End, name);
}

/// Stages, with their names where there is room; neighbours of the same stage are one.
fn stages(drawing: &mut Drawing, course: &SearchCourse<'_>, layout: &Layout) {
    let lane = layout.lane(0);
    label(drawing, lane, "stage");
    let from = drawing.shapes.len();
    let same = |one: &super::Stretch<'_>, next: &super::Stretch<'_>| one.stage == next.stage;
    for run in course.stretches.chunk_by(same) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let [left, right] =
            [first.seconds()[0], last.seconds()[1]].map(|second| layout.times.at(second));
        drawing.rect(
            &stage_class(course, first.stage),
            Frame {
                left,
                right,
                ..lane
            },
        );
        if TEXT.width(first.stage) + 4.0 <= right - left {
            let place = point(f64::midpoint(left, right), lane.bottom - 4.0);
            drawing.text("", place, Anchor::Middle, first.stage);
        }
    }
    drawing.mark(Part::Below(0), from);
}

/// The axis, in seconds, minutes or hours.
fn times(drawing: &mut Drawing, course: &SearchCourse<'_>, layout: &Layout) {
    let span = super::layout::time_span(course);
    let (unit, seconds) = super::layout::time_unit(course);
    let scale = Scale::new(
        span.map(|second| second / seconds),
        [layout.left, layout.right],
    );
    let bottom = layout.lane(course.shown().count()).bottom;
    let from = drawing.shapes.len();
    for tick in scale.ticks(TIME_TICKS, 0.0) {
        let x = scale.at(tick.value);
        drawing.line("step", &[point(x, bottom + 4.0), point(x, bottom + 8.0)]);
        drawing.text("quiet", point(x, bottom + 21.0), Anchor::Middle, &tick.text);
    }
    drawing.mark(Part::TicksAcross(0), from);
    let middle = f64::midpoint(layout.left, layout.right);
    let words = format!("{unit} since the search began");
    drawing.text(
        "quiet",
        point(middle, bottom + 38.0),
        Anchor::Middle,
        &words,
    );
}
