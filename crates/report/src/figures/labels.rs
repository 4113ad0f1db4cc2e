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
const DISTANCES: [f64; 6] = [8.0, 18.0, 34.0, 56.0, 84.0, 120.0];
/// From here on a line leads from the label to its point.
const LEAD: f64 = 14.0;
/// What a crossing of the curve costs, in units of distance.
const CROSSING: f64 = 40.0;
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
    /// Labels lie within `room`, cover no point, and cross the curve only where there is no other place.
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
            DIRECTIONS.map(|direction| (distance, candidate(at, size, direction, distance)))
        });
        let free = tried.filter(|(_, placed)| self.is_free(placed));
        let cost = |(distance, placed): &(f64, Placed)| {
            distance + CROSSING * self.crossings(placed.frame) as f64
        };
        let best = free.min_by(|one, other| cost(one).total_cmp(&cost(other)));
        let (_, placed) = best?;
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
            && placed
                .lead
                .is_none_or(|lead| !self.taken.iter().any(|other| crosses(lead, *other)))
    }

    /// Pieces of the curve behind a label.
    fn crossings(&self, frame: Frame) -> usize {
        let pieces = self.curve.windows(2);
        pieces
            .filter(|piece| crosses([piece[0], piece[1]], frame))
            .count()
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
