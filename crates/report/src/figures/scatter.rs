//! Single requests over time: each a dot, failed ones crosses at the top.
//!
//! Where there are more dots than can be seen, those that lie on each other are one. Chooses no requests.

use std::collections::BTreeSet;

use super::curves::{
    Curve, CurveAxis, CurvePart, Curves, Key, KeyEntry, KeyGroup, Range, Sign, curves,
};
use super::scale::Kind;
use super::time::{TimeUnit, median};
use super::{Picture, titles};
use crate::number::{counted, grouped};

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Scatter<'a> {
    /// What was measured, such as a model and its URL.
    pub subject: &'a str,
    /// The value, such as `Latency`.
    pub value: &'a str,
    /// Requests, in any order.
    pub dots: &'a [RequestDot],
    /// Requests of the run, of which the dots may be a sample.
    pub total: u64,
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestDot {
    /// When it was sent, in seconds since the first one.
    pub sent_s: f64,
    /// Its value in seconds; `None` where it failed.
    pub value_s: Option<f64>,
}

const PART_INCHES: [f64; 2] = [760.0 / titles::UNITS, 300.0 / titles::UNITS];
/// Places that can be told apart, across and upwards.
const CELLS: [f64; 2] = [240.0, 90.0];

/// The figure; `None` without requests.
pub fn scatter(it: &Scatter<'_>) -> Option<Picture> {
    let end = it.dots.iter().map(|dot| dot.sent_s).fold(0.0, f64::max);
    let values = || it.dots.iter().filter_map(|dot| dot.value_s);
    if it.dots.is_empty() {
        return None;
    }
    let typical = median(values()).unwrap_or(1.0);
    let least = values().fold(f64::INFINITY, f64::min).min(typical);
    let greatest = values().fold(typical, f64::max);
    let unit = TimeUnit::for_values_like(typical);
    let y = unit.axis(it.value, [least, typical, greatest]);
    let [bottom, top] = y.range.unwrap_or_default();
    let failed = it.dots.iter().filter(|dot| dot.value_s.is_none());
    let below_top = match y.kind {
        Kind::Log => bottom * (top / bottom).powf(0.98),
        _ => bottom + (top - bottom) * 0.98,
    };
    let voids: Vec<[f64; 2]> = failed.map(|dot| [dot.sent_s, below_top]).collect();
    let known = it.dots.iter();
    let dots = known.filter_map(|dot| Some([dot.sent_s, unit.of(dot.value_s?)]));
    let dots: Vec<[f64; 2]> = dots.collect();
    let key = key(voids.len());
    let frame = [[0.0, end], [bottom, top]];
    let curve = Curve {
        dots: seen(dots, frame, y.kind),
        voids: seen(voids, frame, y.kind),
        ..Curve::default()
    };
    let part = CurvePart {
        title: format!("{} of each request, by when it was sent", it.value),
        x: CurveAxis {
            label: "Time since the first request".to_owned(),
            kind: Kind::Time,
            range: Some([0.0, end.max(1e-6)]),
            ..CurveAxis::default()
        },
        y,
        curves: vec![curve],
        limits: Vec::new(),
        limits_x: Vec::new(),
    };
    Some(curves(&Curves {
        title: "Requests one by one".to_owned(),
        subject: words(it),
        columns: 1,
        part_inches: PART_INCHES,
        parts: vec![Some(part)],
        range: Range::Own,
        key,
    }))
}

/// The first of those that lie on each other.
fn seen(dots: Vec<[f64; 2]>, ends: [[f64; 2]; 2], kind: Kind) -> Vec<[f64; 2]> {
    let [[_, end], [bottom, top]] = ends;
    let height = |y: f64| match kind {
        Kind::Log => (y / bottom).ln() / (top / bottom).ln(),
        _ => (y - bottom) / (top - bottom),
    };
    let cell = |share: f64, cells: f64| (share * cells).round() as i64;
    let mut taken = BTreeSet::new();
    let mut dots = dots;
    dots.retain(|[x, y]| {
        let place = [
            cell(x / end.max(1e-9), CELLS[0]),
            cell(height(*y), CELLS[1]),
        ];
        taken.insert(place)
    });
    dots
}

fn words(it: &Scatter<'_>) -> String {
    let shown = it.dots.len() as u64;
    let requests = if shown < it.total {
        format!(
            "{} of {}, the extremes among them",
            grouped(shown),
            counted(it.total, "request")
        )
    } else {
        counted(shown, "request")
    };
    if it.subject.is_empty() {
        requests
    } else {
        format!("{} · {requests}", it.subject)
    }
}

fn key(failed: usize) -> Key {
    let entry = |(sign, words): (Sign, &str)| KeyEntry {
        sign,
        words: words.to_owned(),
    };
    let mut entries = vec![(Sign::Dot, "a request")];
    if failed > 0 {
        entries.push((Sign::Void, "failed, at the top"));
    }
    Key::Groups(vec![KeyGroup {
        title: String::new(),
        entries: entries.into_iter().map(entry).collect(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::within::check;

    fn figure(dots: &[RequestDot], total: u64) -> String {
        let it = Scatter {
            subject: "m",
            value: "Latency",
            dots,
            total,
        };
        scatter(&it).unwrap().svg()
    }

    fn dots(count: u32) -> Vec<RequestDot> {
        (0..count)
            .map(|place| RequestDot {
                sent_s: f64::from(place) / 10.0,
                value_s: (place % 10 != 9).then(|| 0.1 + f64::from(place % 7) / 10.0),
            })
            .collect()
    }

    #[test]
    fn requests_are_dots_and_failures_crosses() {
        let svg = figure(&dots(100), 100);
        check(&svg);
        // The key has one of each; a cross is two strokes.
        assert_eq!(svg.matches(r#"<circle class="dot-0""#).count(), 90 + 1);
        assert_eq!(
            svg.matches(r#"<polyline class="void""#).count(),
            2 * (10 + 1)
        );
        assert!(svg.contains("m · 100 requests<") && svg.contains(">Latency (ms)<"));
        assert!(
            figure(&dots(100), 5000).contains("100 of 5,000 requests, the extremes among them")
        );
    }

    #[test]
    fn the_file_is_bounded_however_many_requests_there_are() {
        let many: Vec<RequestDot> = (0..40_000)
            .map(|place| RequestDot {
                sent_s: f64::from(place) / 100.0,
                value_s: Some(0.1 + f64::from(place * 7919 % 1000) / 1000.0),
            })
            .collect();
        let svg = figure(&many, 40_000);
        let drawn = svg.matches(r#"<circle class="dot-0""#).count();
        assert!((5_000..25_000).contains(&drawn), "{drawn}");
    }

    #[test]
    fn nothing_but_failures_is_a_row_of_crosses() {
        let failed: Vec<RequestDot> = dots(20)
            .into_iter()
            .map(|dot| RequestDot {
                value_s: None,
                ..dot
            })
            .collect();
        let svg = figure(&failed, 20);
        check(&svg);
        assert_eq!(
            svg.matches(r#"<polyline class="void""#).count(),
            2 * (20 + 1)
        );
        let none = Scatter {
            subject: "",
            value: "Latency",
            dots: &[],
            total: 0,
        };
        assert_eq!(scatter(&none), None);
    }
}
