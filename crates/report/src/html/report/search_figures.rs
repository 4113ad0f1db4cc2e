//! Figures of a search: the load over time with the verdicts, violations against load with the answer, and what was measured
//! against its limits.
//!
//! The curve of violations is the one that the search fitted: log-odds that grow with the logarithm of the load.

use crestline_core::sla::{Group, parse_groups};

use crate::facts::{AnswerFacts, SearchFacts, TriedFacts, Violations};
use crate::figures::{
    Curve, CurveAxis, CurvePart, Curves, Key, Kind, Marks, Order, Range, Stroke, curves,
};
use crate::html::document::{Figure, Text};
use crate::number::significant;

/// Points of a fitted curve.
const STEPS: u32 = 60;
/// A 95 % interval of a share: `z` of the normal distribution.
const Z: f64 = 1.96;
/// Least share that a logarithmic axis shows.
const LEAST_SHARE: f64 = 1e-5;
/// Violations are shown from so many times less than the answer on.
const NEAR: f64 = 2.5;
/// Loads farther apart than this are laid out by ratio.
const WIDE: f64 = 16.0;

/// A line on which signs are seen.
const THIN: Stroke = Stroke {
    colour: 0,
    dashes: 0,
    weight: 2,
};

/// All figures that there are values for.
pub(super) fn all(search: &SearchFacts) -> Vec<Figure> {
    let course = course(search);
    let violations = violations(search);
    let limits = against_limits(search);
    [course, violations, limits].into_iter().flatten().collect()
}

fn drawn(name: &str, title: &str, part: CurvePart, caption: &str) -> Figure {
    let picture = curves(&Curves {
        title: title.to_owned(),
        subject: String::new(),
        columns: 1,
        part_inches: [6.2, 3.6],
        parts: vec![Some(part)],
        range: Range::Own,
        key: Key::Names,
    });
    Figure {
        name: name.to_owned(),
        picture,
        caption: Text::from(caption),
    }
}

fn kind_of(loads: impl Iterator<Item = f64>) -> Kind {
    let [low, high] = loads.fold([f64::INFINITY, 0.0], |[low, high]: [f64; 2], load| {
        [low.min(load), high.max(load)]
    });
    if low > 0.0 && high / low >= WIDE {
        Kind::Log2
    } else {
        Kind::Linear
    }
}

/// Marks of the answers on an axis of loads.
fn answers(search: &SearchFacts) -> Vec<(f64, String)> {
    let marks = search.answers.iter().filter_map(|answer| {
        let load = answer.load?;
        Some((load, format!("answer {}", significant(load, 4))))
    });
    marks.collect()
}

/// The load over time.
fn course(search: &SearchFacts) -> Option<Figure> {
    if search.dwells.is_empty() {
        return None;
    }
    let mut line = Vec::new();
    let mut meets = Vec::new();
    let mut misses = Vec::new();
    for dwell in &search.dwells {
        line.extend([[dwell.span_s[0], dwell.load], [dwell.span_s[1], dwell.load]]);
        if dwell.requests[0] == 0 || dwell.groups.is_empty() {
            continue;
        }
        let middle = [f64::midpoint(dwell.span_s[0], dwell.span_s[1]), dwell.load];
        if dwell.groups.iter().all(|(met, _)| *met) {
            meets.push(middle);
        } else {
            misses.push(middle);
        }
    }
    let part = CurvePart {
        title: String::new(),
        x: CurveAxis {
            label: "time since the search began".to_owned(),
            kind: Kind::Time,
            ..CurveAxis::default()
        },
        y: CurveAxis {
            label: search.unit.clone(),
            kind: kind_of(search.dwells.iter().map(|dwell| dwell.load)),
            ..CurveAxis::default()
        },
        curves: vec![
            Curve {
                name: "load".to_owned(),
                stroke: Some(THIN),
                points: line,
                order: Order::AsGiven,
                marks: Marks::None,
                ..Curve::default()
            },
            Curve {
                name: "stretch that meets the SLA".to_owned(),
                stroke: Some(Stroke::nth(2)),
                dots: meets,
                ..Curve::default()
            },
            Curve {
                name: "stretch that does not".to_owned(),
                voids: misses,
                ..Curve::default()
            },
        ],
        limits: answers(search),
        limits_x: Vec::new(),
    };
    Some(drawn(
        "search-course",
        "Load over time",
        part,
        "Each step is a stretch at one load; its sign says what its own requests say. The answer weighs all of them.",
    ))
}

/// Shares of violating requests against load, the fitted curve, and the answer with its interval.
fn violations(search: &SearchFacts) -> Option<Figure> {
    let mut criteria: Vec<&Violations> = Vec::new();
    for it in search.tried.iter().flat_map(|load| &load.violations) {
        if !criteria.iter().any(|known| known.criterion == it.criterion) {
            criteria.push(it);
        }
    }
    if criteria.is_empty() {
        return None;
    }
    let mut drawn_curves: Vec<Curve> = Vec::new();
    for criterion in &criteria {
        drawn_curves.push(shares(search, criterion));
    }
    drawn_curves.extend(search.answers.iter().filter_map(|answer| {
        let binding = answer.binding.as_deref()?;
        let criterion = criteria.iter().find(|it| it.criterion == binding)?;
        fitted(search, answer, criterion.allowed)
    }));
    let mut limits: Vec<(f64, String)> = Vec::new();
    for it in &criteria {
        if !limits
            .iter()
            .any(|(known, _)| (known - it.allowed).abs() < 1e-12)
        {
            let percent = significant(it.allowed * 100.0, 3);
            limits.push((it.allowed * 100.0, format!("{percent} % may")));
        }
    }
    let part = CurvePart {
        title: String::new(),
        x: CurveAxis {
            label: search.unit.clone(),
            kind: kind_of(near(search).map(|load| load.load)),
            ..CurveAxis::default()
        },
        y: CurveAxis {
            label: "requests that violate (%)".to_owned(),
            kind: Kind::Sqrt,
            possible: [0.0, 100.0],
            ..CurveAxis::default()
        },
        curves: drawn_curves,
        limits,
        limits_x: marks_of_load(search),
    };
    Some(drawn(
        "violations",
        "Violations against load",
        part,
        "Shares of requests that violate a criterion, with 95 % intervals (Wilson) that take them as independent; failures violate. \
         Upright lines: the answer, and the ends of its interval.",
    ))
}

fn marks_of_load(search: &SearchFacts) -> Vec<(f64, String)> {
    let mut marks = answers(search);
    for answer in &search.answers {
        if let Some(([low, high], _)) = answer.interval {
            marks.push((low, format!("from {}", significant(low, 4))));
            marks.push((high, format!("to {}", significant(high, 4))));
        }
    }
    marks
}

/// Loads around the answers, in a part of the range that they can be told apart in; all, where there is no answer.
fn near(search: &SearchFacts) -> impl Iterator<Item = &TriedFacts> {
    let known = search
        .answers
        .iter()
        .filter_map(|answer| answer.estimate.or(answer.load));
    let lowest = known.fold(f64::INFINITY, f64::min);
    let from = if lowest.is_finite() {
        lowest / NEAR
    } else {
        0.0
    };
    search.tried.iter().filter(move |load| load.load >= from)
}

fn shares(search: &SearchFacts, criterion: &Violations) -> Curve {
    let mut curve = Curve {
        name: criterion.criterion.clone(),
        ..Curve::default()
    };
    for load in near(search) {
        let mut all = load.violations.iter();
        let found = all.find(|it| it.criterion == criterion.criterion && it.counted > 0);
        if let Some(it) = found {
            let share = it.violating as f64 / it.counted as f64;
            let [low, high] = wilson(it.violating, it.counted);
            curve.points.push([load.load, share * 100.0]);
            curve.band.push([load.load, low * 100.0, high * 100.0]);
        }
    }
    curve
}

/// The 95 % interval of a share by Wilson's score.
fn wilson(hits: u64, count: u64) -> [f64; 2] {
    let (n, share) = (count as f64, hits as f64 / count as f64);
    let square = Z * Z;
    let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
    let reach =
        Z / (1.0 + square / n) * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    [(middle - reach).max(0.0), (middle + reach).min(1.0)]
}

/// The curve through the answer: where violations are just what is allowed, rising as steeply as was found.
fn fitted(search: &SearchFacts, answer: &AnswerFacts, allowed: f64) -> Option<Curve> {
    let (estimate, beta) = (answer.estimate?, answer.knee?);
    let loads = near(search).map(|load| load.load);
    let [low, high] = loads.fold([f64::INFINITY, 0.0], |[low, high]: [f64; 2], load| {
        [low.min(load), high.max(load)]
    });
    let is_usable = allowed > 0.0 && allowed < 1.0 && estimate > 0.0 && low > 0.0 && high > low;
    if !is_usable {
        return None;
    }
    let at_answer = (allowed / (1.0 - allowed)).ln();
    let points = (0..=STEPS).filter_map(|step| {
        let load = low * (high / low).powf(f64::from(step) / f64::from(STEPS));
        let odds = (at_answer + beta * (load / estimate).ln()).exp();
        let share = odds / (1.0 + odds);
        (share >= LEAST_SHARE).then_some([load, share * 100.0])
    });
    Some(Curve {
        name: format!("fitted: {}", answer.binding.as_deref().unwrap_or_default()),
        stroke: Some(Stroke {
            dashes: 1,
            ..Stroke::default()
        }),
        points: points.collect(),
        marks: Marks::None,
        ..Curve::default()
    })
}

/// What the criteria measure beside their limits: 1 is the limit.
fn against_limits(search: &SearchFacts) -> Option<Figure> {
    let limits = limits(search);
    let mut drawn_curves: Vec<Curve> = Vec::new();
    for (measure, words, limit) in &limits {
        let curve = drawn_curves.len();
        drawn_curves.push(Curve {
            name: words.clone(),
            ..Curve::default()
        });
        for dwell in &search.dwells {
            let mut all = dwell.measured.iter();
            let value = all
                .find(|(name, _)| name == measure)
                .and_then(|(_, it)| *it);
            if let Some(value) = value.filter(|_| dwell.requests[0] > 0) {
                drawn_curves[curve].dots.push([dwell.load, value / limit]);
            }
        }
    }
    drawn_curves.retain(|curve| !curve.dots.is_empty());
    if drawn_curves.is_empty() {
        return None;
    }
    let part = CurvePart {
        title: String::new(),
        x: CurveAxis {
            label: search.unit.clone(),
            kind: kind_of(search.dwells.iter().map(|dwell| dwell.load)),
            ..CurveAxis::default()
        },
        y: CurveAxis {
            label: "measured / limit".to_owned(),
            kind: Kind::Log,
            ..CurveAxis::default()
        },
        curves: drawn_curves,
        limits: vec![(1.0, "limit".to_owned())],
        limits_x: answers(search),
    };
    Some(drawn(
        "against-limits",
        "What was measured beside its limit",
        part,
        "A dot for each stretch of the search. Below 1 an upper limit is kept; of a throughput that must be reached, above.",
    ))
}

/// Measures with a limit: the name, the criterion in words, and the limit in base units.
fn limits(search: &SearchFacts) -> Vec<(String, String, f64)> {
    let groups: Vec<Group> = search
        .answers
        .iter()
        .flat_map(|answer| parse_groups(&as_json(&answer.criteria), None).unwrap_or_default())
        .collect();
    let mut all: Vec<(String, String, f64)> = Vec::new();
    for criterion in groups.iter().flat_map(|group| &group.criteria) {
        let words = criterion.to_string();
        if criterion.threshold > 0.0 && !all.iter().any(|(_, known, _)| *known == words) {
            all.push((criterion.measure.to_string(), words, criterion.threshold));
        }
    }
    all
}

/// `p99_ttft <= 0.2, rps >= 5` as the parser of criteria has it.
fn as_json(criteria: &str) -> String {
    let pairs = criteria.split(", ").filter_map(|criterion| {
        let (measure, condition) = criterion.split_once(' ')?;
        Some((measure.to_owned(), condition.replace(' ', "").into()))
    });
    serde_json::Value::Array(vec![serde_json::Value::Object(pairs.collect())]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_that_of_the_books() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 15 of 148 is 0.0624 to 0.1605, 0 of 20 is 0 to 0.1611.
        let near = |got: [f64; 2], wanted: [f64; 2]| {
            assert!(
                got.iter()
                    .zip(wanted)
                    .all(|(got, wanted)| (got - wanted).abs() < 5e-5),
                "{got:?}"
            );
        };
        near(wilson(15, 148), [0.0624, 0.1605]);
        near(wilson(0, 20), [0.0, 0.1611]);
    }

    #[test]
    fn criteria_in_words_are_read_back() {
        let search = SearchFacts {
            answers: vec![AnswerFacts {
                criteria: "p99_ttft <= 0.2, rps >= 5".to_owned(),
                outcome: None,
                load: None,
                estimate: None,
                interval: None,
                confidence: None,
                binding: None,
                knee: None,
                best: None,
                output_tps: None,
                requests: None,
                reason: String::new(),
            }],
            ..SearchFacts::default()
        };
        let found: Vec<_> = limits(&search)
            .into_iter()
            .map(|(measure, _, limit)| (measure, limit))
            .collect();
        assert_eq!(
            found,
            [("p99_ttft".to_owned(), 0.2), ("rps".to_owned(), 5.0)]
        );
    }

    #[test]
    fn the_fitted_curve_goes_through_the_answer() {
        let tried = [10.0, 40.0].map(|load| TriedFacts {
            load,
            ..TriedFacts::default()
        });
        let search = SearchFacts {
            tried: tried.into(),
            ..SearchFacts::default()
        };
        let answer = AnswerFacts {
            criteria: String::new(),
            outcome: None,
            load: Some(19.0),
            estimate: Some(20.0),
            interval: None,
            confidence: None,
            binding: None,
            knee: Some(10.0),
            best: None,
            output_tps: None,
            requests: None,
            reason: String::new(),
        };
        let curve = fitted(&search, &answer, 0.01).unwrap();
        let at_answer = curve
            .points
            .iter()
            .find(|point| (point[0] - 20.0).abs() < 1e-9);
        assert!((at_answer.unwrap()[1] - 1.0).abs() < 1e-9);
        assert!(curve.points.windows(2).all(|pair| pair[0][1] < pair[1][1]));
    }
}
