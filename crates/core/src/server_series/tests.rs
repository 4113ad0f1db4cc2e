//! Courses hold, break and add up as series do; totals become differences.

use super::*;

fn at(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

fn points(values: &[(u64, Option<f64>)]) -> Vec<Point> {
    let point = |&(seconds, value): &(u64, Option<f64>)| Point {
        at: at(seconds),
        value,
    };
    values.iter().map(point).collect()
}

fn series(changes: &[(u64, Option<f64>)]) -> Series {
    Series {
        name: "s".to_owned(),
        labels: vec![("engine".to_owned(), "0".to_owned())],
        kind: SeriesKind::Gauge,
        changes: points(changes),
    }
}

fn all(series: Vec<Series>) -> ServerSeries {
    ServerSeries {
        read_at: [1, 2, 4, 5].map(at).to_vec(),
        missed: vec![Missed {
            at: at(3),
            why: "slow".to_owned(),
        }],
        series,
    }
}

#[test]
fn a_course_holds_each_value_until_the_next_and_has_gaps_where_nothing_was_read() {
    let one = series(&[(1, Some(2.0)), (4, Some(3.0))]);
    let course = all(vec![]).course_of(&one);
    let expected = [
        (1, Some(2.0)),
        (2, Some(2.0)),
        (3, None),
        (4, Some(3.0)),
        (5, Some(3.0)),
    ];
    assert_eq!(course, points(&expected));
    assert_eq!(one.label("engine"), Some("0"));
}

#[test]
fn several_engines_are_summed_or_averaged_over_those_that_are_there() {
    let first = series(&[(1, Some(2.0)), (5, None)]);
    let second = series(&[(2, Some(4.0))]);
    let whole = all(vec![]);
    let both = [&first, &second];
    let values = |combination| -> Vec<Option<f64>> {
        let course = whole.combined(&both, combination);
        course.iter().map(|point| point.value).collect()
    };
    assert_eq!(
        values(Combination::Sum),
        [Some(2.0), Some(6.0), None, Some(6.0), Some(4.0)]
    );
    assert_eq!(
        values(Combination::Mean),
        [Some(2.0), Some(3.0), None, Some(3.0), Some(4.0)]
    );
}

/// Seconds and values.
type Values<'a> = &'a [(u64, Option<f64>)];

fn drawn_of(given: &[(Quantity, Values<'_>)]) -> Vec<(Quantity, Vec<Point>)> {
    let courses: Vec<Course> = given
        .iter()
        .map(|(quantity, values)| Course {
            quantity: *quantity,
            points: points(values),
        })
        .collect();
    let drawn = drawn(&courses).into_iter();
    drawn
        .map(|course| (course.quantity, course.points))
        .collect()
}

#[test]
fn totals_become_rates_that_bridge_no_gap_and_survive_a_restart() {
    let total = [
        (1, Some(100.0)),
        (3, Some(140.0)),
        (4, None),
        (5, Some(200.0)),
        (6, Some(30.0)),
    ];
    let rate = [
        (1, None),
        (3, Some(20.0)),
        (4, None),
        (5, None),
        (6, Some(30.0)),
    ];
    let found = drawn_of(&[
        (Quantity::GeneratedTokensPerS, &[(1, Some(7.0))]),
        (Quantity::GeneratedTokens, &total),
    ]);
    assert_eq!(found, [(Quantity::GeneratedTokensPerS, points(&rate))]);
    let given = drawn_of(&[(Quantity::PromptTokensPerS, &[(1, Some(7.0))])]);
    assert_eq!(
        given,
        [(Quantity::PromptTokensPerS, points(&[(1, Some(7.0))]))]
    );
}

#[test]
fn hits_are_a_share_of_what_was_looked_up_meanwhile() {
    let found = drawn_of(&[
        (
            Quantity::PrefixHits,
            &[(1, Some(50.0)), (2, Some(55.0)), (3, Some(55.0))],
        ),
        (
            Quantity::PrefixQueries,
            &[(1, Some(60.0)), (2, Some(80.0)), (3, Some(80.0))],
        ),
    ]);
    let share = points(&[(1, None), (2, Some(0.25)), (3, None)]);
    assert_eq!(found, [(Quantity::PrefixHitShare, share)]);
}

#[test]
fn preemptions_are_counted_from_the_first_point_and_levels_stay() {
    let found = drawn_of(&[
        (Quantity::Waiting, &[(1, Some(4.0)), (2, None)]),
        (
            Quantity::Preemptions,
            &[(1, Some(9.0)), (2, None), (3, Some(11.0)), (4, Some(1.0))],
        ),
    ]);
    let counted = [(1, Some(0.0)), (2, None), (3, Some(2.0)), (4, Some(3.0))];
    assert_eq!(
        found,
        [
            (Quantity::Waiting, points(&[(1, Some(4.0)), (2, None)])),
            (Quantity::Preemptions, points(&counted)),
        ]
    );
}

#[test]
fn kinds_are_named_as_in_their_json_form() {
    for kind in [SeriesKind::Counter, SeriesKind::Gauge, SeriesKind::Unknown] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
}
