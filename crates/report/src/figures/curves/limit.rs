//! A value that must not be passed: a line across, with its name where no curve is.

use crate::figures::axes::Panel;
use crate::figures::drawing::{Anchor, Drawing, Follows, Frame, Point, point};
use crate::figures::theme::TEXT;

/// From the name to the edges and to the line.
const GAP: f64 = 6.0;
/// Places along a name at which curves are looked for.
const PROBES: u32 = 12;

/// Draws one of the left axis, where it is between the ends of the axis. `curves` are those lines that its name keeps away from,
/// `taken` is where names stand.
pub(super) fn draw(
    drawing: &mut Drawing,
    panel: &Panel,
    (value, words): (f64, &str),
    curves: &[Vec<Point>],
    taken: &mut Vec<Frame>,
) {
    if !panel.y.holds(value) {
        return;
    }
    let (frame, y) = (panel.frame, panel.y.at(value));
    drawing.line("limit", &[point(frame.left, y), point(frame.right, y)]);
    let words = TEXT.fitted(words, frame.width() - 2.0 * GAP);
    let boxes = rooms(frame, y, TEXT.width(&words)).into_iter();
    let free = boxes.filter(|room| taken.iter().all(|other| !room.meets(*other)));
    if let Some(room) = free.min_by_key(|room| touched(*room, curves)) {
        let place = point(room.left, room.bottom - 3.0);
        drawing.text("quiet", place, Anchor::Start, &words);
        drawing.last_follows(Follows::Up(y));
        taken.push(room);
    }
}

/// Draws one of the lower axis, with its name at the top.
pub(super) fn draw_upright(
    drawing: &mut Drawing,
    panel: &Panel,
    (value, words): (f64, &str),
    taken: &mut Vec<Frame>,
) {
    if !panel.x.holds(value) {
        return;
    }
    let (frame, x) = (panel.frame, panel.x.at(value));
    drawing.line("limit", &[point(x, frame.top), point(x, frame.bottom)]);
    let words = TEXT.fitted(words, frame.width() - 2.0 * GAP);
    let width = TEXT.width(&words);
    let height = TEXT.size + 4.0;
    let sides = [x - GAP - width, x + GAP];
    let rooms = (0..4).flat_map(|row| {
        let top = frame.top + 3.0 + f64::from(row) * (height + 2.0);
        sides.map(|left| Frame {
            left,
            top,
            right: left + width,
            bottom: top + height,
        })
    });
    let mut free = rooms.filter(|room| {
        room.left >= frame.left
            && room.right <= frame.right
            && taken.iter().all(|other| !room.meets(*other))
    });
    if let Some(room) = free.next() {
        let place = point(room.left, room.bottom - 3.0);
        drawing.text("quiet", place, Anchor::Start, &words);
        drawing.last_follows(Follows::Across(x));
        taken.push(room);
    }
}

/// What the line of a limit of the lower axis covers.
pub(super) fn upright(panel: &Panel, value: f64) -> Option<Frame> {
    let x = panel.x.at(value);
    panel.x.holds(value).then_some(Frame {
        left: x - 1.0,
        right: x + 1.0,
        ..panel.frame
    })
}

/// Where the name has room beside the line, best first.
fn rooms(frame: Frame, y: f64, width: f64) -> Vec<Frame> {
    let height = TEXT.size + 4.0;
    let (first, last) = (frame.left + GAP, frame.right - GAP - width);
    let lefts = [0.0, 1.0, 0.5, 0.25, 0.75].map(|share| first + share * (last - first));
    let tops = [y - height - 2.0, y + 2.0];
    let all = tops.into_iter().flat_map(|top| {
        lefts.map(|left| Frame {
            left,
            top,
            right: left + width,
            bottom: top + height,
        })
    });
    all.filter(|room| room.top >= frame.top && room.bottom <= frame.bottom)
        .collect()
}

/// How often curves lie in a room.
fn touched(room: Frame, curves: &[Vec<Point>]) -> usize {
    let probes = (0..=PROBES).map(|probe| {
        let x = room.left + room.width() * f64::from(probe) / f64::from(PROBES);
        curves
            .iter()
            .filter_map(|curve| height_at(curve, x))
            .filter(|y| (room.top..=room.bottom).contains(y))
            .count()
    });
    probes.sum()
}

/// How high a curve is at a place.
fn height_at(curve: &[Point], x: f64) -> Option<f64> {
    let pair = curve
        .windows(2)
        .find(|pair| pair[0].x <= x && x <= pair[1].x)?;
    let wide = pair[1].x - pair[0].x;
    let share = if wide > 0.0 {
        (x - pair[0].x) / wide
    } else {
        0.0
    };
    Some(pair[0].y + share * (pair[1].y - pair[0].y))
}
