//! A run over time: how its times were spread, and what came in and went out.
//!
//! Draws a point for each part of the run's window; which requests count in it is the digest's to say. A part without a value
//! is a gap in the line.

use crestline_core::digest::{Course, CoursePoint, PointSpread};
use crestline_core::metrics::Metric;

use super::curves::{
    Curve, CurveAxis, CurvePart, Curves, Key, KeyEntry, KeyGroup, Marks, Order, Range, Sign,
    Stroke, curves,
};
use super::scale::Kind;
use super::time::{TimeUnit, median};
use super::{Picture, titles};
use crate::number::significant;

/// A part is ten inches wide: a pixel or more for each point.
const PART_INCHES: [f64; 2] = [760.0 / titles::UNITS, 252.0 / titles::UNITS];

const fn stroke(colour: usize, weight: usize) -> Stroke {
    Stroke {
        colour,
        dashes: 0,
        weight,
    }
}

/// Quantiles as they are drawn: the median on top.
const QUANTILES: [(&str, Stroke, Quantile); 4] = [
    ("greatest", stroke(5, 2), |it| it.max_s),
    ("99th percentile", stroke(3, 2), |it| it.p99_s),
    ("90th percentile", stroke(1, 2), |it| it.p90_s),
    ("median", stroke(0, 0), |it| it.p50_s),
];
type Quantile = fn(&PointSpread) -> f64;

/// Times that have a part of their own, where they were measured.
const TIMES: [(Metric, &str, &str); 5] = [
    (
        Metric::Ttft,
        "Time to first token, by when a request was sent",
        "TTFT",
    ),
    (
        Metric::TtftFromDue,
        "Time to first token from when a request was due, by when it was sent",
        "TTFT from due",
    ),
    (
        Metric::Itl,
        "Gaps between events of an answer, by when they ended",
        "ITL",
    ),
    (
        Metric::Latency,
        "Latency, by when a request was sent",
        "Latency",
    ),
    (
        Metric::LatencyFromDue,
        "Latency from when a request was due, by when it was sent",
        "Latency from due",
    ),
];

/// How much later than sent the worst median of times from due must be for them to have a part of their own.
const WAITED: f64 = 1.02;

/// Times over a run: a part each for TTFT, gaps and latency, with quantiles and extremes. Times from when requests were due are
/// there where they differ. `None` where no request succeeded.
pub fn course_times(subject: &str, course: &Course) -> Option<Picture> {
    let points = course.points();
    let shown = TIMES
        .iter()
        .filter(|(metric, ..)| is_told(*metric, &points));
    let parts: Vec<Option<CurvePart>> = shown
        .filter_map(|it| times(it, &points).map(Some))
        .collect();
    if parts.is_empty() {
        return None;
    }
    let entry = |sign, words: &str| KeyEntry {
        sign,
        words: words.to_owned(),
    };
    let lines = QUANTILES.iter().rev();
    let entries = lines.map(|(name, stroke, _)| entry(Sign::Line(*stroke), name));
    let key = entries.chain([entry(Sign::Band, "least to greatest")]);
    Some(curves(&Curves {
        title: "Times over the run".to_owned(),
        subject: subject_words(subject, course),
        columns: 1,
        part_inches: PART_INCHES,
        parts,
        range: Range::Own,
        key: Key::Groups(vec![KeyGroup {
            title: String::new(),
            entries: key.collect(),
        }]),
    }))
}

/// Whether a metric says something that no other one says.
fn is_told(metric: Metric, points: &[CoursePoint]) -> bool {
    let of_service = match metric {
        Metric::TtftFromDue => Metric::Ttft,
        Metric::LatencyFromDue => Metric::Latency,
        _ => return true,
    };
    points.iter().any(|point| {
        let both = point.spread(metric).zip(point.spread(of_service));
        both.is_some_and(|(due, sent)| due.p50_s > sent.p50_s * WAITED)
    })
}

fn times(
    (metric, title, short): &(Metric, &str, &str),
    points: &[CoursePoint],
) -> Option<CurvePart> {
    let spreads = || points.iter().filter_map(|point| point.spread(*metric));
    let typical = median(spreads().map(|it| it.p50_s))?;
    let least = spreads().map(|it| it.min_s).fold(f64::INFINITY, f64::min);
    let greatest = spreads().map(|it| it.max_s).fold(0.0, f64::max);
    let unit = TimeUnit::for_values_like(typical);
    let mut drawn = bands(*metric, points, unit);
    for (name, stroke, quantile) in QUANTILES {
        let value = |point: &CoursePoint| Some(unit.of(quantile(&point.spread(*metric)?)));
        drawn.extend(lines(name, stroke, points, value));
    }
    Some(CurvePart {
        title: (*title).to_owned(),
        x: time_axis(points),
        y: unit.axis(short, [least, typical, greatest]),
        curves: drawn,
        limits: Vec::new(),
        limits_x: Vec::new(),
    })
}

/// From the least to the greatest value of each stretch with values.
fn bands(metric: Metric, points: &[CoursePoint], unit: TimeUnit) -> Vec<Curve> {
    let band = |point: &CoursePoint| {
        let it = point.spread(metric)?;
        Some([unit.of(it.min_s), unit.of(it.max_s)])
    };
    let stretches = stretches(points, band);
    let curve = |stretch: Vec<(f64, [f64; 2])>| Curve {
        stroke: Some(stroke(0, 0)),
        band: stretch
            .into_iter()
            .map(|(x, [low, high])| [x, low, high])
            .collect(),
        marks: Marks::None,
        ..Curve::default()
    };
    stretches.into_iter().map(curve).collect()
}

/// A curve for each stretch of points with a value.
fn lines(
    name: &str,
    stroke: Stroke,
    points: &[CoursePoint],
    value: impl Fn(&CoursePoint) -> Option<f64>,
) -> Vec<Curve> {
    let curve = |stretch: Vec<(f64, f64)>| Curve {
        name: name.to_owned(),
        stroke: Some(stroke),
        points: stretch.into_iter().map(|(x, y)| [x, y]).collect(),
        order: Order::AsGiven,
        marks: Marks::None,
        ..Curve::default()
    };
    stretches(points, value).into_iter().map(curve).collect()
}

/// Neighbours that have a value, each at the middle of its part; one that has no neighbour is as long as its part.
fn stretches<T: Copy>(
    points: &[CoursePoint],
    value: impl Fn(&CoursePoint) -> Option<T>,
) -> Vec<Vec<(f64, T)>> {
    let valued: Vec<(&CoursePoint, Option<T>)> =
        points.iter().map(|point| (point, value(point))).collect();
    valued
        .split(|(_, value)| value.is_none())
        .filter(|stretch| !stretch.is_empty())
        .map(|stretch| {
            if let [(point, Some(value))] = stretch {
                return point.span_s.map(|x| (x, *value)).to_vec();
            }
            let middle = |point: &CoursePoint| f64::midpoint(point.span_s[0], point.span_s[1]);
            let places = stretch.iter();
            places
                .filter_map(|(point, value)| Some((middle(point), (*value)?)))
                .collect()
        })
        .collect()
}

/// What came in and went out over a run: requests sent, answered and failed, output tokens, requests in flight.
pub fn course_rates(subject: &str, course: &Course) -> Picture {
    let points = course.points();
    let failed = points.iter().any(|point| point.failed > 0);
    let mut requests = lines("sent", stroke(0, 0), &points, |point| {
        Some(point.per_second(point.sent))
    });
    requests.extend(lines("answered", stroke(2, 0), &points, |point| {
        Some(point.per_second(point.succeeded))
    }));
    if failed {
        requests.extend(lines("failed", stroke(3, 0), &points, |point| {
            Some(point.per_second(point.failed))
        }));
    }
    let tokens = lines("output tokens", stroke(4, 0), &points, |point| {
        Some(point.per_second(point.output_tokens))
    });
    let in_flight = lines("in flight", stroke(1, 0), &points, |point| {
        Some(point.in_flight)
    });
    let part = |(title, label, curves): (&str, &str, Vec<Curve>)| CurvePart {
        title: title.to_owned(),
        x: time_axis(&points),
        y: amount_axis(label, &curves),
        curves,
        limits: Vec::new(),
        limits_x: Vec::new(),
    };
    let parts = [
        ("Requests a second", "Requests/s", requests),
        (
            "Output tokens a second, by when they came",
            "Tokens/s",
            tokens,
        ),
        ("Requests in flight, mean", "Requests", in_flight),
    ];
    let mut entries = vec![("sent", 0), ("answered", 2)];
    if failed {
        entries.push(("failed", 3));
    }
    entries.extend([("output tokens", 4), ("in flight", 1)]);
    let entry = |(words, colour): (&str, usize)| KeyEntry {
        sign: Sign::Line(stroke(colour, 0)),
        words: words.to_owned(),
    };
    curves(&Curves {
        title: "Requests and tokens over the run".to_owned(),
        subject: subject_words(subject, course),
        columns: 1,
        part_inches: PART_INCHES,
        parts: parts.into_iter().map(|it| Some(part(it))).collect(),
        range: Range::Own,
        key: Key::Groups(vec![KeyGroup {
            title: String::new(),
            entries: entries.into_iter().map(entry).collect(),
        }]),
    })
}

fn time_axis(points: &[CoursePoint]) -> CurveAxis {
    let end = points.last().map_or(1.0, |point| point.span_s[1]);
    CurveAxis {
        label: "Time since the first request".to_owned(),
        kind: Kind::Time,
        range: Some([0.0, end]),
        ..CurveAxis::default()
    }
}

fn amount_axis(label: &str, curves: &[Curve]) -> CurveAxis {
    let values = curves.iter().flat_map(|curve| &curve.points);
    let most = values.map(|[_, y]| *y).fold(0.0, f64::max);
    CurveAxis {
        label: label.to_owned(),
        range: Some([0.0, most.max(1e-9) * 1.06]),
        ..CurveAxis::default()
    }
}

/// With the time that each point is of.
fn subject_words(subject: &str, course: &Course) -> String {
    let width_s = course.window().width().as_secs_f64();
    let width = if width_s < 1.0 {
        format!("{} ms", significant(width_s * 1e3, 3))
    } else {
        format!("{} s", significant(width_s, 3))
    };
    let words = format!("each point is of {width}");
    if subject.is_empty() {
        words
    } else {
        format!("{subject} · {words}")
    }
}

#[cfg(test)]
mod tests;
