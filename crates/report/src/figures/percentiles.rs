//! Percentiles of times: a curve for each load, laid out so that the tail has room.
//!
//! Draws what it is given; a curve may be of a few percentiles.

use crestline_core::digest::QuantilePoint;
use crestline_core::metrics::{Metric, Unit};

use super::Picture;
use super::curves::{Curve, CurveAxis, CurvePart, Curves, Key, Marks, PART_INCHES, Range, curves};
use super::scale::Kind;
use super::theme::TEXT;
use super::time::{TimeUnit, median};
use crate::number::significant;

/// A curve of a metric.
#[derive(Debug, Clone, Copy)]
pub struct PercentileCurve<'a> {
    /// Which load it is of; empty where there is but one.
    pub name: &'a str,
    /// What was measured.
    pub metric: Metric,
    /// By rising quantile.
    pub points: &'a [QuantilePoint],
}

/// What is marked below the greatest value, the most wanted first.
const MARKED: [f64; 9] = [
    99.0, 50.0, 99.9, 90.0, 99.99, 99.999, 99.9999, 0.0, 99.99999,
];
/// Room between the left axis and the right end, about.
const WIDTH: f64 = 370.0;
/// Between the words of two marks at least.
const APART: f64 = 15.0;
/// Higher quantiles are not told apart, so that the greatest value still has a place beside them.
const HIGHEST: f64 = 1.0 - 2.5e-7;
/// Parts in a row.
const COLUMNS: usize = 2;

/// What is at the right end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The greatest value.
    Greatest,
    /// The highest percentile that is known.
    Percentile,
}

/// A part for each metric, in the order in which they first come. `None` where no curve has a point.
pub fn percentiles(subject: &str, all: &[PercentileCurve<'_>]) -> Option<Picture> {
    let mut metrics: Vec<Metric> = Vec::new();
    for curve in all.iter().filter(|curve| !curve.points.is_empty()) {
        if !metrics.contains(&curve.metric) {
            metrics.push(curve.metric);
        }
    }
    if metrics.is_empty() {
        return None;
    }
    let part = |metric: &Metric| {
        let of_metric = all.iter().filter(|curve| curve.metric == *metric);
        Some(part(*metric, &of_metric.collect::<Vec<_>>()))
    };
    Some(curves(&Curves {
        title: "Percentiles".to_owned(),
        subject: subject.to_owned(),
        columns: COLUMNS.min(metrics.len()),
        part_inches: PART_INCHES,
        parts: metrics.iter().map(part).collect(),
        range: Range::Own,
        key: Key::Names,
    }))
}

fn part(metric: Metric, all: &[&PercentileCurve<'_>]) -> CurvePart {
    let points = || all.iter().flat_map(|curve| curve.points);
    let below_all = points().map(|point| point.q).filter(|q| *q < 1.0);
    let highest = below_all.fold(0.5, f64::max).min(HIGHEST);
    // The greatest value has no place among percentiles: it is where another half of a nine would be.
    let (end, last) = if points().any(|point| point.q >= 1.0) {
        (End::Greatest, 1.0 - (1.0 - highest) * 0.4)
    } else {
        (End::Percentile, highest)
    };
    let last = 100.0 * last;
    let (y, scale) = value_axis(metric, all);
    let place = |q: f64| {
        if q < 1.0 {
            q.min(highest) * 100.0
        } else {
            last
        }
    };
    let curve = |it: &&PercentileCurve<'_>| Curve {
        name: it.name.to_owned(),
        points: it
            .points
            .iter()
            .map(|point| [place(point.q), point.value * scale])
            .collect(),
        marks: if it.points.len() > 12 {
            Marks::None
        } else {
            Marks::Few
        },
        ..Curve::default()
    };
    CurvePart {
        title: metric.title().to_owned(),
        x: CurveAxis {
            label: "Percentile".to_owned(),
            kind: Kind::Percentile,
            range: Some([0.0, last]),
            names: marks(last, end),
            ..CurveAxis::default()
        },
        y,
        curves: all.iter().map(curve).collect(),
        limits: Vec::new(),
        limits_x: Vec::new(),
    }
}

/// What is marked, the most wanted first, as far as there is room.
fn marks(last: f64, end: End) -> Vec<(f64, String)> {
    let nines = |percent: f64| -(1.0 - percent / 100.0).max(1e-12).log10();
    let place = |percent: f64| nines(percent) / nines(last) * WIDTH;
    let mut marks: Vec<(f64, String)> = Vec::new();
    if end == End::Greatest {
        marks.push((last, "max".to_owned()));
    }
    for value in MARKED.into_iter().filter(|value| *value <= last) {
        let text = significant(value, 7);
        let is_apart = |(other, words): &(f64, String)| {
            let halves = f64::midpoint(TEXT.width(words), TEXT.width(&text));
            (place(*other) - place(value)).abs() >= halves + APART
        };
        if marks.iter().all(is_apart) {
            marks.push((value, text));
        }
    }
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    marks
}

/// The axis of values, and how many of its units are in the metric's.
fn value_axis(metric: Metric, all: &[&PercentileCurve<'_>]) -> (CurveAxis, f64) {
    let values = || {
        let points = all.iter().flat_map(|curve| curve.points);
        points.map(|point| point.value)
    };
    let typical = median(values()).unwrap_or(0.0);
    let least = values().fold(f64::INFINITY, f64::min);
    let greatest = values().fold(0.0, f64::max);
    if metric.unit() == Unit::Seconds {
        let unit = TimeUnit::for_values_like(typical);
        let axis = unit.axis(metric.title(), [least, typical, greatest]);
        return (axis, unit.per_second);
    }
    let label = match metric.unit().symbol() {
        "" => metric.title().to_owned(),
        symbol => format!("{} ({symbol})", metric.title()),
    };
    let axis = CurveAxis {
        label,
        ..CurveAxis::default()
    };
    (axis, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::within::check;

    fn rising(count: u32, scale: f64) -> Vec<QuantilePoint> {
        let grid = (0..count).map(|place| 1.0 - 10_f64.powf(-f64::from(place) / 10.0));
        grid.chain([1.0])
            .map(|q| QuantilePoint {
                q,
                value: scale * (1.0 + 4.0 * q * q),
            })
            .collect()
    }

    fn of(name: &str, metric: Metric, points: &[QuantilePoint]) -> String {
        let curve = PercentileCurve {
            name,
            metric,
            points,
        };
        percentiles("m", &[curve]).unwrap().svg()
    }

    #[test]
    fn every_metric_has_a_part_and_every_load_a_curve_in_it() {
        let (low, high) = (rising(35, 0.02), rising(35, 0.05));
        let curve = |name, metric, points| PercentileCurve {
            name,
            metric,
            points,
        };
        let all = [
            curve("1 user", Metric::Ttft, &*low),
            curve("1 user", Metric::Latency, &*low),
            curve("8 users", Metric::Ttft, &*high),
            curve("8 users", Metric::Latency, &*high),
        ];
        let svg = percentiles("m on sim", &all).unwrap().svg();
        check(&svg);
        for line in ["line-0", "line-1"] {
            let lines = svg.matches(&format!(r#"<polyline class="{line}""#)).count();
            assert_eq!(lines, 2 + 1, "{line}");
        }
        for words in [
            ">Time to first token (ms)<",
            ">Latency (ms)<",
            ">8 users<",
            ">max<",
            ">99<",
        ] {
            assert!(svg.contains(words), "{words}");
        }
        assert_eq!(percentiles("", &[curve("", Metric::Ttft, &[])]), None);
    }

    #[test]
    fn the_tail_is_marked_as_far_as_it_is_known() {
        let marked = |last, end| -> Vec<String> {
            let marks = marks(last, end);
            marks.into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(
            marked(99.96, End::Greatest),
            ["0", "50", "90", "99", "99.9", "max"]
        );
        assert_eq!(marked(95.0, End::Greatest), ["0", "50", "90", "max"]);
        assert_eq!(marked(99.0, End::Percentile), ["0", "50", "90", "99"]);
        let of_many = marked(99.999_99, End::Greatest);
        assert!(
            of_many.contains(&"50".to_owned()) && of_many.contains(&"99.99".to_owned()),
            "{of_many:?}"
        );
    }

    #[test]
    fn the_greatest_of_very_many_values_has_its_mark() {
        let svg = of("", Metric::Itl, &rising(95, 0.01));
        check(&svg);
        for mark in [">50<", ">90<", ">99.9<", ">max<"] {
            assert!(svg.contains(mark), "{mark} in {svg}");
        }
    }

    #[test]
    fn a_few_percentiles_of_another_program_are_points() {
        let few =
            [(0.5, 0.02), (0.9, 0.03), (0.99, 0.2)].map(|(q, value)| QuantilePoint { q, value });
        let svg = of("", Metric::Ttft, &few);
        check(&svg);
        assert_eq!(svg.matches(r#"<circle class="fill-0""#).count(), 3);
        assert!(!svg.contains(">max<"));
    }

    #[test]
    fn a_greatest_value_of_hundreds_of_medians_is_on_an_axis_of_ratios() {
        let mut points = rising(30, 0.01);
        points.last_mut().unwrap().value = 7.0;
        let svg = of("", Metric::Itl, &points);
        check(&svg);
        assert!(
            svg.contains(">100<")
                && svg.contains(">1000<")
                && !svg.contains(">0</text>\n<text class=\"quiet\" text-anchor=\"end\""),
            "{svg}"
        );
    }
}
