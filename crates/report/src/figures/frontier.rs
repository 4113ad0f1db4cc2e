//! Points of which some are better in both directions: the frontier with a label at each of its points, and all others.
//!
//! Which points are on the frontier is computed elsewhere. A label for which there is no room beside its point stands in the
//! key, under a number.

use super::Picture;
use super::axes::{Axis, Heading, panel};
use super::curves::{Key, KeyEntry, KeyGroup, Sign, Stroke, core, laid};
use super::drawing::{Anchor, Drawing, Follows, Frame, Point, point};
use super::labels::{Obstacles, Placed};
use super::plots::{Core, Part, Role, Series};
use super::scale::Kind;
use super::theme::TEXT;
use super::titles::{EDGE, LEAST_INCHES, Titles, UNITS};

/// A figure of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// What it shows.
    pub title: String,
    /// What was measured; may be empty.
    pub subject: String,
    /// What the axes are: the lower, the left.
    pub labels: [String; 2],
    /// Width and height of the part with the points, in inches.
    pub inches: [f64; 2],
    /// All that was measured.
    pub points: Vec<[f64; 2]>,
    /// Points that do not count, drawn as crosses.
    pub voids: Vec<[f64; 2]>,
    /// The frontier, in order, each with its label in lines.
    pub frontier: Vec<([f64; 2], String)>,
}

/// All that was measured.
const ALL: &str = "All runs";
/// What does not count.
const VOID: &str = "Void runs";
/// What is best.
const BEST: &str = "Pareto frontier";
const GAP: f64 = 24.0;
/// Height of a line of a label.
const LABEL_LINE: f64 = 15.0;

/// The figure.
pub fn frontier(it: &Frontier) -> Picture {
    let inches = it.inches.map(|side| side.max(LEAST_INCHES) * UNITS);
    // Labels that find no room widen the key, and the key does not change the room: it stands beside.
    let titles = Titles::of(&it.title, &it.subject, inches[0]);
    let head = titles.bottom();
    let room = Frame {
        left: EDGE,
        top: head,
        right: EDGE + inches[0],
        bottom: head + inches[1],
    };
    let mut inside = Drawing::new(point(0.0, 0.0), "", "");
    let numbered = draw_points(&mut inside, room, it);
    let key = laid(&key(it, numbered), &[], "");
    let size = point(
        room.right + GAP + key.width() + EDGE,
        room.bottom.max(head + key.height()) + EDGE,
    );
    let description = format!(
        "{} against {}: {}, {} on the frontier",
        it.labels[1],
        it.labels[0],
        crate::number::counted(it.points.len() as u64, "point"),
        it.frontier.len()
    );
    let mut drawing = Drawing::new(size, &it.title, &description);
    titles.draw(&mut drawing);
    drawing.add_all(inside);
    drawing.marks.core = Some(Core {
        frame: core(point(room.left, room.top), [room.width(), room.height()]),
        subject: it.subject.clone(),
    });
    let from = drawing.shapes.len();
    key.draw(&mut drawing, point(room.right + GAP, head));
    drawing.mark(Part::Words, from);
    Picture(drawing)
}

/// Draws axes, points and labels; gives the labels for which there was no room, with their numbers.
fn draw_points(drawing: &mut Drawing, room: Frame, it: &Frontier) -> Vec<(usize, String)> {
    let everything = || {
        let best = it.frontier.iter().map(|(at, _)| at);
        it.points.iter().chain(&it.voids).chain(best)
    };
    let axis = |place: usize| Axis {
        label: &it.labels[place],
        kind: Kind::Linear,
        values: ends(everything().map(|at| at[place])),
        least_step: 0.0,
        names: &[],
    };
    let heading = Heading {
        title: "",
        note: "",
    };
    let panel = panel(drawing, room, heading, [&axis(0), &axis(1)]);
    let place = |[x, y]: &[f64; 2]| point(panel.x.at(*x), panel.y.at(*y));
    let from = drawing.shapes.len();
    for at in &it.points {
        drawing.disc("others", place(at), 3.4);
    }
    for at in &it.voids {
        drawing.cross("void", place(at), 3.0);
    }
    let curve: Vec<Point> = it.frontier.iter().map(|(at, _)| place(at)).collect();
    if curve.len() > 1 {
        drawing.line("line-0", &curve);
    }
    for at in &curve {
        drawing.disc("fill-0", *at, 4.2);
    }
    let points = everything().map(place).collect();
    let mut obstacles = Obstacles::new(panel.frame, points, curve.clone());
    let mut numbered = Vec::new();
    for (at, (_, label)) in curve.iter().zip(&it.frontier) {
        if label.is_empty() || write_label(drawing, &mut obstacles, *at, label) {
            continue;
        }
        let number = numbered.len() + 1;
        write_label(drawing, &mut obstacles, *at, &number.to_string());
        numbered.push((number, label.replace('\n', ", ")));
    }
    drawing.mark(Part::Inside(panel.plot), from);
    note_values(drawing, panel.plot, it);
    numbered
}

/// The values, for pages.
fn note_values(drawing: &mut Drawing, plot: usize, it: &Frontier) {
    let best = it.frontier.iter();
    let best = best.map(|(at, label)| (at.to_vec(), label.replace('\n', ", ")));
    let rows = |points: &[[f64; 2]]| points.iter().map(|at| at.to_vec()).collect::<Vec<_>>();
    for series in [
        Series::labelled(BEST, Role::Curve, best),
        Series::new(ALL, Role::Point, rows(&it.points).into_iter()),
        Series::new(VOID, Role::Void, rows(&it.voids).into_iter()),
    ] {
        drawing.add_series(plot, series);
    }
}

/// From 0, as far as nothing is below it.
fn ends(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let usable = values.filter(|value| value.is_finite());
    let [low, high] = usable.fold([0.0, 0.0], |[low, high]: [f64; 2], value: f64| {
        [low.min(value), high.max(value)]
    });
    let wide = if high > low { high - low } else { 1.0 };
    [
        if low < 0.0 { low - wide * 0.06 } else { low },
        high + wide * 0.06,
    ]
}

/// Writes a label beside a point, where there is room.
fn write_label(drawing: &mut Drawing, obstacles: &mut Obstacles, at: Point, label: &str) -> bool {
    let widths = label.lines().map(|line| TEXT.width(line));
    let size = point(
        widths.fold(0.0, f64::max),
        label.lines().count() as f64 * LABEL_LINE,
    );
    let Some(Placed { frame, lead }) = obstacles.place(at, size) else {
        return false;
    };
    if let Some(lead) = lead {
        drawing.line("axis", &lead);
        drawing.last_follows(Follows::Place(at));
    }
    for (line, words) in label.lines().enumerate() {
        let y = frame.top + (line as f64 + 1.0) * LABEL_LINE - 3.0;
        drawing.text("", point(frame.left, y), Anchor::Start, words);
        drawing.last_follows(Follows::Place(at));
    }
    true
}

fn key(it: &Frontier, numbered: Vec<(usize, String)>) -> Key {
    let entry = |sign, words: &str| KeyEntry {
        sign,
        words: words.to_owned(),
    };
    let signs = [
        (!it.points.is_empty(), entry(Sign::Other, ALL)),
        (!it.voids.is_empty(), entry(Sign::Void, VOID)),
        (
            !it.frontier.is_empty(),
            entry(Sign::Curve(Stroke::default()), BEST),
        ),
    ];
    let signs = signs.into_iter().filter(|(is_there, _)| *is_there);
    let numbers = numbered.into_iter().map(|(number, words)| KeyEntry {
        sign: Sign::Number(number),
        words,
    });
    Key::Groups(vec![
        KeyGroup {
            title: String::new(),
            entries: signs.map(|(_, entry)| entry).collect(),
        },
        KeyGroup {
            title: String::new(),
            entries: numbers.collect(),
        },
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::figures::within::{check, check_page};

    fn figure(points: Vec<[f64; 2]>, frontier: Vec<([f64; 2], String)>) -> Frontier {
        Frontier {
            title: "Throughput a GPU against speed a user".to_owned(),
            subject: "m".to_owned(),
            labels: ["Tokens/s/user".to_owned(), "Tokens/s/GPU".to_owned()],
            inches: [6.4, 4.8],
            points,
            voids: vec![[1.0, 1.0]],
            frontier,
        }
    }

    fn count(svg: &str, element: &str) -> usize {
        svg.matches(element).count()
    }

    #[test]
    fn every_point_is_drawn_and_those_of_the_frontier_have_labels() {
        let best = |x: f64, y: f64, label: &str| ([x, y], label.to_owned());
        let it = figure(
            vec![[1.0, 2.0], [3.0, 5.0], [60.0, 2.0], [2.0, 2.0]],
            vec![
                best(60.0, 2.0, "max_concurrency=1\ngpu_count=1"),
                best(3.0, 5.0, "max_concurrency=4\ngpu_count=1"),
            ],
        );
        let svg = frontier(&it).svg();
        check(&svg);
        // The key has a sign of each.
        assert_eq!(count(&svg, r#"<circle class="others""#), 4 + 1);
        assert_eq!(count(&svg, r#"<circle class="fill-0""#), 2 + 1);
        assert_eq!(count(&svg, r#"<polyline class="void""#), 2 + 2);
        assert_eq!(count(&svg, r#"<polyline class="line-0""#), 1 + 1);
        assert_eq!(count(&svg, ">gpu_count=1</text>"), 2);
        assert!(svg.contains(">max_concurrency=4</text>"));
    }

    #[test]
    fn labels_without_room_stand_in_the_key() {
        let best = |number: i32| {
            let x = 100.0 - f64::from(number) / 4.0;
            (
                [x, 100.0 + f64::from(number) / 4.0],
                format!("max_concurrency={number}\ntensor_parallel_size=1"),
            )
        };
        let all: Vec<_> = (0..60).map(best).collect();
        let svg = frontier(&figure(
            all.iter().map(|(at, _)| *at).collect(),
            all.clone(),
        ))
        .svg();
        check(&svg);
        for number in 0..60 {
            let found = count(&svg, &format!(">max_concurrency={number}<"))
                + count(&svg, &format!(">max_concurrency={number}, "));
            assert_eq!(found, 1, "{number}");
        }
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![6 => 0.0..1e5, 1 => any::<f64>(), 1 => -10.0..10.0]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_the_points_nothing_leaves_the_figure(
            points in proptest::collection::vec([any_value(), any_value()], 0..40),
            words in [".{0,60}", ".{0,200}", "[a-z=\n]{0,80}"],
        ) {
            let best = points.iter().take(9).map(|at| (*at, words[2].clone())).collect();
            let it = Frontier { title: words[1].clone(), subject: words[0].clone(), voids: points.clone(), ..figure(points, best) };
            check(&frontier(&it).svg());
            check_page(&frontier(&it));
        }
    }
}
