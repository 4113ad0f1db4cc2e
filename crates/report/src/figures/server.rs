//! What a server said of itself over a run: its batch, its cache, its tokens.
//!
//! A value holds from the moment it was read until the next one, a rate since the one before; where the server could not be
//! read there is a gap. Of very many values a line of means is drawn, within a band from the least to the greatest.

use crestline_core::server_series::{Course, Point, Quantity, drawn};
use crestline_core::units::Nanos;

use super::curves::{
    Curve, CurveAxis, CurvePart, Curves, Key, KeyEntry, KeyGroup, Marks, Order, Range, Sign,
    Stroke, curves,
};
use super::scale::Kind;
use super::{Picture, titles};

const PART_INCHES: [f64; 2] = [760.0 / titles::UNITS, 242.0 / titles::UNITS];
/// More values than these are drawn by their means.
const MOST: usize = 480;

/// A part: its title, its left axis, what its values are multiplied by, and its lines with their names and colours.
type Group = (
    &'static str,
    &'static str,
    f64,
    &'static [(Quantity, &'static str, usize)],
);

const GROUPS: [Group; 5] = [
    (
        "Requests at the server",
        "Requests",
        1.0,
        &[
            (Quantity::Running, "running", 0),
            (Quantity::Waiting, "waiting", 3),
        ],
    ),
    (
        "Caches",
        "%",
        100.0,
        &[
            (Quantity::CacheUse, "key-value cache in use", 4),
            (
                Quantity::PrefixHitShare,
                "prompt tokens found in the prefix cache",
                5,
            ),
        ],
    ),
    (
        "Tokens generated a second",
        "Tokens/s",
        1.0,
        &[(Quantity::GeneratedTokensPerS, "tokens generated", 2)],
    ),
    (
        "Prompt tokens read a second",
        "Tokens/s",
        1.0,
        &[(Quantity::PromptTokensPerS, "prompt tokens read", 1)],
    ),
    (
        "Preemptions since the beginning",
        "Preemptions",
        1.0,
        &[(Quantity::Preemptions, "preemptions", 3)],
    ),
];

/// Axes of things that are counted.
const WHOLE: [&str; 2] = ["Requests", "Preemptions"];

/// The figure of a run from its first request to its last end. `None` where the server said nothing in this time.
pub fn server_courses(
    subject: &str,
    courses: &[Course],
    [from, to]: [Nanos; 2],
) -> Option<Picture> {
    let shown = drawn(courses);
    let mut entries = Vec::new();
    let mut parts = Vec::new();
    let mut is_summed = false;
    for (title, label, factor, lines) in GROUPS {
        let mut drawn = Vec::new();
        for (quantity, name, colour) in lines {
            let course = shown.iter().find(|course| course.quantity == *quantity);
            let Some(course) = course.filter(|course| is_told(course)) else {
                continue;
            };
            let stroke = Stroke {
                colour: *colour,
                ..Stroke::default()
            };
            let holds = Holds::of(*quantity);
            let values = values(&course.points, [from, to], holds);
            if values.is_empty() {
                continue;
            }
            is_summed |= values.len() > MOST;
            drawn.extend(lines_of(&values, factor, (name, stroke)));
            entries.push(KeyEntry {
                sign: Sign::Line(stroke),
                words: (*name).to_owned(),
            });
        }
        if !drawn.is_empty() {
            parts.push(Some(part((title, label), drawn, to.saturating_sub(from))));
        }
    }
    if is_summed {
        entries.push(KeyEntry {
            sign: Sign::Band,
            words: "least to greatest, around the mean".to_owned(),
        });
    }
    if parts.is_empty() {
        return None;
    }
    Some(curves(&Curves {
        title: "The server over the run".to_owned(),
        subject: subject.to_owned(),
        columns: 1,
        part_inches: PART_INCHES,
        parts,
        range: Range::Own,
        key: Key::Groups(vec![KeyGroup {
            title: String::new(),
            entries,
        }]),
    }))
}

/// Whether there is something to be seen: no preemption is the usual, and no picture.
fn is_told(course: &Course) -> bool {
    let mut values = course.points.iter().filter_map(|point| point.value);
    course.quantity != Quantity::Preemptions || values.any(|value| value > 0.0)
}

/// Which time a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// From when it was read to when the next one was.
    Onwards,
    /// Since the one before was read.
    Since,
}

impl Holds {
    fn of(quantity: Quantity) -> Self {
        match quantity {
            Quantity::PromptTokensPerS
            | Quantity::GeneratedTokensPerS
            | Quantity::PrefixHitShare => Self::Since,
            _ => Self::Onwards,
        }
    }
}

/// A value and its time, in seconds since the run's first request.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Value {
    span_s: [f64; 2],
    value: f64,
}

/// The values that hold at some time of the run.
fn values(points: &[Point], [from, to]: [Nanos; 2], holds: Holds) -> Vec<Value> {
    let seconds = |at: Nanos| at.clamp(from, to).saturating_sub(from).as_secs_f64();
    let value = |span: [Nanos; 2], value: Option<f64>| {
        Some(Value {
            span_s: span.map(seconds),
            value: value.filter(|value| value.is_finite())?,
        })
    };
    let pairs = points.windows(2).filter_map(|pair| {
        let of = match holds {
            Holds::Onwards => pair[0].value,
            Holds::Since => pair[1].value,
        };
        value([pair[0].at, pair[1].at], of)
    });
    // Of the last reading it is not known how long it holds.
    let last = points.last().filter(|_| holds == Holds::Onwards);
    let last = last.and_then(|last| value([last.at, last.at], last.value));
    let only = points.len() == 1;
    pairs
        .chain(last)
        .filter(|it| only || it.span_s[1] > it.span_s[0])
        .collect()
}

/// A curve for each stretch without a gap: in steps, or through means where there are too many.
fn lines_of(values: &[Value], factor: f64, (name, stroke): (&str, Stroke)) -> Vec<Curve> {
    let curve = |points: Vec<[f64; 2]>, band: Vec<[f64; 3]>| Curve {
        name: name.to_owned(),
        stroke: Some(stroke),
        points,
        order: Order::AsGiven,
        band,
        marks: Marks::None,
        ..Curve::default()
    };
    let is_joined = |a: &Value, b: &Value| (b.span_s[0] - a.span_s[1]).abs() < 1e-9;
    let together = values.len().div_ceil(MOST);
    let stretches = values.chunk_by(is_joined);
    if together == 1 {
        let steps = |stretch: &[Value]| -> Vec<[f64; 2]> {
            let ends = |it: &Value| it.span_s.map(|x| [x, it.value * factor]);
            stretch.iter().flat_map(ends).collect()
        };
        return stretches
            .map(|stretch| curve(steps(stretch), Vec::new()))
            .collect();
    }
    let summed = stretches.flat_map(|stretch| {
        let groups: Vec<[f64; 4]> = stretch
            .chunks(together)
            .map(|group| summed(group, factor))
            .collect();
        let line = groups.iter().map(|[x, mean, ..]| [*x, *mean]).collect();
        let band = groups.iter().map(|[x, _, low, high]| [*x, *low, *high]);
        // A band belongs to a curve whose points rise.
        [Curve {
            order: Order::Rising,
            ..curve(line, band.collect())
        }]
    });
    summed.collect()
}

/// The middle of the time of some values, their mean over it, the least and the greatest.
fn summed(group: &[Value], factor: f64) -> [f64; 4] {
    let long = |it: &Value| it.span_s[1] - it.span_s[0];
    let time: f64 = group.iter().map(long).sum();
    let sum: f64 = group.iter().map(|it| it.value * long(it)).sum();
    let ends = group.iter().map(|it| it.value * factor);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let mean = if time > 0.0 { sum / time * factor } else { low };
    let middle = f64::midpoint(group[0].span_s[0], group[group.len() - 1].span_s[1]);
    [middle, mean, low, high]
}

fn part((title, label): (&str, &str), drawn: Vec<Curve>, long: Nanos) -> CurvePart {
    let of_lines = drawn.iter().flat_map(|curve| &curve.points).map(|it| it[1]);
    let of_bands = drawn.iter().flat_map(|curve| &curve.band).map(|it| it[2]);
    let most = of_lines.chain(of_bands).fold(0.0, f64::max);
    CurvePart {
        title: title.to_owned(),
        x: CurveAxis {
            label: "Time since the first request".to_owned(),
            kind: Kind::Time,
            range: Some([0.0, long.as_secs_f64().max(1e-6)]),
            ..CurveAxis::default()
        },
        y: CurveAxis {
            label: label.to_owned(),
            range: Some([0.0, if most > 0.0 { most * 1.06 } else { 1.0 }]),
            // There are no parts of a request.
            least_step: if WHOLE.contains(&label) { 1.0 } else { 0.0 },
            ..CurveAxis::default()
        },
        curves: drawn,
        limits: Vec::new(),
        limits_x: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::within::check;

    fn points(count: u64, value: impl Fn(u64) -> Option<f64>) -> Vec<Point> {
        let at = |second: u64| Point {
            at: Nanos::from_secs(100 + second),
            value: value(second),
        };
        (0..count).map(at).collect()
    }

    fn course(quantity: Quantity, points: Vec<Point>) -> Course {
        Course { quantity, points }
    }

    const RUN: [Nanos; 2] = [Nanos::from_secs(100), Nanos::from_secs(160)];

    fn figure(courses: &[Course]) -> String {
        let svg = server_courses("vllm", courses, RUN).unwrap().svg();
        check(&svg);
        svg
    }

    fn count(svg: &str, class: &str) -> usize {
        let line = format!(r#"<polyline class="{class}""#);
        svg.matches(&line).count()
    }

    #[test]
    fn levels_are_steps_and_totals_rates() {
        let svg = figure(&[
            course(Quantity::Running, points(61, |at| Some((at / 10) as f64))),
            course(Quantity::Waiting, points(61, |_| Some(0.0))),
            course(Quantity::CacheUse, points(61, |_| Some(0.25))),
            course(
                Quantity::GeneratedTokens,
                points(61, |at| Some(500.0 + 1000.0 * at as f64)),
            ),
        ]);
        // Once in the part, once in the key.
        for line in ["line-0", "line-3", "line-4", "line-2"] {
            assert_eq!(count(&svg, line), 2, "{line}");
        }
        for words in [">running<", ">Tokens/s<", ">1000<", ">20<", ">vllm<"] {
            assert!(svg.contains(words), "{words} in {svg}");
        }
        assert!(!svg.contains("Prompt tokens read"));
        let (_, line) = svg
            .split_once(r#"<polyline class="line-0" points=""#)
            .unwrap();
        let (line, _) = line.split_once('"').unwrap();
        let places: Vec<(&str, &str)> = line
            .split(' ')
            .filter_map(|it| it.split_once(','))
            .collect();
        // Each step is level, and the next begins where it ends.
        for step in places.chunks(2) {
            assert_eq!(step[0].1, step[1].1);
        }
        assert_eq!(places[19].0, places[20].0);
    }

    #[test]
    fn a_reading_that_failed_is_a_gap() {
        let svg = figure(&[course(
            Quantity::Running,
            points(61, |at| (at != 30).then_some(4.0)),
        )]);
        assert_eq!(count(&svg, "line-0"), 2 + 1);
    }

    #[test]
    fn no_preemptions_are_no_part_and_some_are() {
        let never = [
            course(Quantity::Running, points(61, |_| Some(1.0))),
            course(Quantity::Preemptions, points(61, |_| Some(7.0))),
        ];
        assert!(!figure(&never).contains("reemption"));
        let often = [course(
            Quantity::Preemptions,
            points(61, |at| Some(7.0 + (at / 20) as f64)),
        )];
        let svg = figure(&often);
        assert!(
            svg.contains("Preemptions since the beginning") && svg.contains(">2<"),
            "{svg}"
        );
    }

    #[test]
    fn many_values_are_means_within_their_extremes() {
        let fine: Vec<Point> = (0..6000)
            .map(|place| Point {
                at: RUN[0] + Nanos::from_millis(place * 10),
                value: Some(if place == 3333 { 90.0 } else { 3.0 }),
            })
            .collect();
        let svg = figure(&[course(Quantity::Running, fine)]);
        assert_eq!(svg.matches(r#"<polygon class="band-0""#).count(), 1);
        assert!(
            svg.contains("least to greatest") && svg.contains(">50<"),
            "{svg}"
        );
        assert!(svg.len() < 60_000, "{}", svg.len());
    }

    #[test]
    fn what_was_read_before_and_after_the_run_is_left_out() {
        let before = course(
            Quantity::Running,
            vec![
                Point {
                    at: Nanos::from_secs(50),
                    value: Some(900.0),
                },
                Point {
                    at: Nanos::from_secs(90),
                    value: Some(5.0),
                },
                Point {
                    at: Nanos::from_secs(120),
                    value: Some(6.0),
                },
                Point {
                    at: Nanos::from_secs(200),
                    value: Some(800.0),
                },
            ],
        );
        let svg = figure(std::slice::from_ref(&before));
        assert!(
            svg.contains(">6<")
                && !svg.contains("00</text>\n<text class=\"quiet\" text-anchor=\"end\"")
        );
        assert_eq!(server_courses("", &[], RUN), None);
        let later = [Nanos::from_secs(300), Nanos::from_secs(400)];
        assert_eq!(server_courses("", &[before], later), None);
    }
}
