//! Places for labels beside points, so that none covers another one, a point, or leaves its room.
//!
//! Knows boxes and lines only; what is written is drawn by others.

use super::drawing::{Frame, Point, point};

/// Directions from a point in which a label is tried: right, left and between.
const DIRECTIONS: [[f64; 2]; 12] = [
    [1.0, -1.0],
    [1.0, 0.0],
    [1.0, 1.0],
    [-1.0, -1.0],
    [-1.0, 0.0],
    [-1.0, 1.0],
    [0.0, -1.0],
    [0.0, 1.0],
    [1.0, -0.4],
    [1.0, 0.4],
    [-1.0, -0.4],
    [-1.0, 0.4],
];
/// How far from a point a label is tried.
const DISTANCES: [f64; 5] = [8.0, 16.0, 28.0, 44.0, 64.0];
/// From here on a line leads from the label to its point.
const LEAD: f64 = 14.0;
/// How near to a point of the curve no line to another one passes.
const APART: f64 = 6.0;
/// Around a label.
const MARGIN: f64 = 3.0;

/// What labels must not cover.
#[derive(Debug, Clone)]
pub(super) struct Obstacles {
    room: Frame,
    points: Vec<Point>,
    curve: Vec<Point>,
    taken: Vec<Frame>,
    leads: Vec<[Point; 2]>,
}

/// Where a label stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    pub(super) frame: Frame,
    /// From the point to the label, where it is far.
    pub(super) lead: Option<[Point; 2]>,
}

impl Obstacles {
    /// Labels lie within `room` and cover neither a point nor the curve.
    pub(super) fn new(room: Frame, points: Vec<Point>, curve: Vec<Point>) -> Self {
        Self {
            room,
            points,
            curve,
            taken: Vec::new(),
            leads: Vec::new(),
        }
    }

    /// The best place for a label of a size beside a point, which is then taken; `None` where there is none.
    pub(super) fn place(&mut self, at: Point, size: Point) -> Option<Placed> {
        let tried = DISTANCES.into_iter().flat_map(|distance| {
            DIRECTIONS.map(|direction| candidate(at, size, direction, distance))
        });
        let mut free = tried.filter(|placed| self.is_free(placed));
        let placed = free.next()?;
        self.taken.push(placed.frame);
        self.leads.extend(placed.lead);
        Some(placed)
    }

    fn is_free(&self, placed: &Placed) -> bool {
        let frame = placed.frame;
        let room = self.room;
        let is_within = frame.left >= room.left
            && frame.right <= room.right
            && frame.top >= room.top
            && frame.bottom <= room.bottom;
        let is_hidden = |place: &Point| {
            let around = widened(frame, MARGIN);
            (around.left..=around.right).contains(&place.x)
                && (around.top..=around.bottom).contains(&place.y)
        };
        is_within
            && !self.points.iter().any(is_hidden)
            && !self
                .taken
                .iter()
                .any(|other| frame.meets(widened(*other, MARGIN)))
            && !self.leads.iter().any(|lead| crosses(*lead, frame))
            && !self
                .curve
                .windows(2)
                .any(|piece| crosses([piece[0], piece[1]], frame))
            && placed.lead.is_none_or(|lead| self.is_clear(lead))
    }

    /// Whether a line from a point to its label goes through no other label and passes no other point of the curve.
    fn is_clear(&self, lead: [Point; 2]) -> bool {
        let [own, _] = lead;
        let others = self.curve.iter().filter(|other| **other != own);
        let mut around = others.map(|other| {
            let at = Frame {
                left: other.x,
                top: other.y,
                right: other.x,
                bottom: other.y,
            };
            widened(at, APART)
        });
        !self.taken.iter().any(|other| crosses(lead, *other))
            && !around.any(|around| crosses(lead, around))
            && !self.leads.iter().any(|other| meet(lead, *other))
    }
}

fn candidate(at: Point, size: Point, [across, down]: [f64; 2], distance: f64) -> Placed {
    let near = |direction: f64, at: f64, size: f64| {
        at + direction * distance + (direction - 1.0) / 2.0 * size
    };
    let left = near(across, at.x, size.x);
    let top = near(down, at.y, size.y);
    let frame = Frame {
        left,
        top,
        right: left + size.x,
        bottom: top + size.y,
    };
    let nearest = point(
        at.x.clamp(frame.left, frame.right),
        at.y.clamp(frame.top, frame.bottom),
    );
    Placed {
        frame,
        lead: (distance > LEAD).then_some([at, nearest]),
    }
}

fn widened(frame: Frame, by: f64) -> Frame {
    Frame {
        left: frame.left - by,
        top: frame.top - by,
        right: frame.right + by,
        bottom: frame.bottom + by,
    }
}

/// Whether a line goes through a box (Liang and Barsky: the stretch of the line within all four sides).
fn crosses([from, to]: [Point; 2], frame: Frame) -> bool {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let sides = [
        (-dx, from.x - frame.left),
        (dx, frame.right - from.x),
        (-dy, from.y - frame.top),
        (dy, frame.bottom - from.y),
    ];
    let mut within = [0.0_f64, 1.0_f64];
    for (step, room) in sides {
        if step.abs() < 1e-12 {
            if room < 0.0 {
                return false;
            }
        } else if step < 0.0 {
            within[0] = within[0].max(room / step);
        } else {
            within[1] = within[1].min(room / step);
        }
    }
    within[0] <= within[1]
}

/// Whether two lines cross: the ends of each lie on different sides of the other.
fn meet(one: [Point; 2], other: [Point; 2]) -> bool {
    let side = |[from, to]: [Point; 2], at: Point| {
        (to.x - from.x) * (at.y - from.y) - (to.y - from.y) * (at.x - from.x)
    };
    let parts =
        |line: [Point; 2], ends: [Point; 2]| side(line, ends[0]) * side(line, ends[1]) < 0.0;
    parts(one, other) && parts(other, one)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Frame = Frame {
        left: 0.0,
        top: 0.0,
        right: 400.0,
        bottom: 300.0,
    };

    #[test]
    fn a_line_through_a_box_is_seen() {
        let frame = Frame {
            left: 10.0,
            top: 10.0,
            right: 20.0,
            bottom: 20.0,
        };
        assert!(crosses([point(0.0, 0.0), point(30.0, 30.0)], frame));
        assert!(crosses([point(15.0, 0.0), point(15.0, 12.0)], frame));
        assert!(!crosses([point(0.0, 0.0), point(9.0, 9.0)], frame));
        assert!(!crosses([point(0.0, 15.0), point(15.0, 0.0)], frame));
    }

    #[test]
    fn lines_that_cross_are_seen() {
        let line = |x1, y1, x2, y2| [point(x1, y1), point(x2, y2)];
        assert!(meet(line(0.0, 0.0, 9.0, 9.0), line(0.0, 9.0, 9.0, 0.0)));
        assert!(!meet(line(0.0, 0.0, 9.0, 9.0), line(1.0, 0.0, 9.0, 8.0)));
        assert!(!meet(line(0.0, 0.0, 4.0, 4.0), line(0.0, 9.0, 9.0, 0.0)));
    }

    #[test]
    fn labels_leave_the_curve_free() {
        let curve = vec![point(100.0, 20.0), point(200.0, 150.0), point(300.0, 280.0)];
        let mut obstacles = Obstacles::new(ROOM, curve.clone(), curve.clone());
        for at in &curve {
            let placed = obstacles.place(*at, point(70.0, 30.0)).unwrap();
            let is_crossed = |piece: &[Point]| crosses([piece[0], piece[1]], placed.frame);
            assert!(!curve.windows(2).any(is_crossed), "{placed:?}");
        }
    }

    #[test]
    fn a_label_in_a_corner_turns_inwards() {
        let mut obstacles = Obstacles::new(ROOM, Vec::new(), Vec::new());
        let placed = obstacles
            .place(point(398.0, 2.0), point(80.0, 30.0))
            .unwrap();
        assert!(
            placed.frame.right <= 400.0 && placed.frame.top >= 0.0,
            "{placed:?}"
        );
        assert_eq!(
            obstacles.place(point(200.0, 150.0), point(500.0, 10.0)),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn labels_cover_neither_each_other_nor_points_nor_the_edge(
            points in proptest::collection::vec((0.0..400.0_f64, 0.0..300.0_f64), 1..40)
        ) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| point(x, y)).collect();
            let mut obstacles = Obstacles::new(ROOM, points.clone(), Vec::new());
            let placed: Vec<Placed> = points.iter().filter_map(|at| obstacles.place(*at, point(60.0, 28.0))).collect();
            prop_assert!(!placed.is_empty());
            for (place, one) in placed.iter().enumerate() {
                let frame = one.frame;
                prop_assert!(frame.left >= 0.0 && frame.top >= 0.0 && frame.right <= 400.0 && frame.bottom <= 300.0);
                prop_assert!(placed[place + 1..].iter().all(|other| !frame.meets(other.frame)));
                let dot = |at: &Point| Frame { left: at.x - 1.0, top: at.y - 1.0, right: at.x + 1.0, bottom: at.y + 1.0 };
                prop_assert!(points.iter().all(|at| !frame.meets(dot(at))));
            }
        }
    }
}
