//! Tests of the curve against values computed by hand, and of the search against services of which the truth is known.

use proptest::collection::btree_map;
use proptest::num::f64::NORMAL;
use proptest::prelude::{
    ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::{Curve, Pchip, margin};
use crate::sla::parse_groups;

fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-12,
        "{found} is not {expected}"
    );
}

/// The loads tried, in order.
fn path(search: &mut Pchip, margin: impl Fn(u64) -> f64) -> Vec<u64> {
    let mut path = Vec::new();
    while let Some(load) = search.ask() {
        search.tell(load, margin(load));
        path.push(load);
    }
    path
}

#[test]
fn slopes_and_values_are_those_computed_by_hand() {
    // Chords 1, 3 and 2 over widths 1, 2 and 1. Inner slopes: (5 + 4) / (5 / 1 + 4 / 3) = 27 / 19 and
    // (4 + 5) / (4 / 3 + 5 / 2) = 54 / 23. Ends: ((1 + 3) 1 - 1 * 3) / 3 = 1 / 3 and ((1 + 3) 2 - 1 * 3) / 3 = 5 / 3.
    let points = [(0.0, 0.0), (1.0, 1.0), (3.0, 7.0), (4.0, 9.0)];
    let curve = Curve::through(&points);
    for (found, expected) in
        curve
            .slopes
            .iter()
            .zip([1.0 / 3.0, 27.0 / 19.0, 54.0 / 23.0, 5.0 / 3.0])
    {
        close(*found, expected);
    }
    // At the middle of a piece: (from + to) / 2 + width (slope - slope) / 8.
    close(curve.value(0, 0.5), 0.5 + (1.0 / 3.0 - 27.0 / 19.0) / 8.0);
    close(
        curve.value(1, 2.0),
        4.0 + 2.0 * (27.0 / 19.0 - 54.0 / 23.0) / 8.0,
    );
    close(curve.value(2, 3.0), 7.0);
    close(curve.value(2, 4.0), 9.0);
}

#[test]
fn the_curve_is_flat_at_a_turn_and_never_overshoots() {
    let points = [(0.0, 0.0), (1.0, 2.0), (2.0, 0.0), (3.0, 0.0)];
    let curve = Curve::through(&points);
    // The first end by three points is (3 * 2 + 2) / 2 = 4, within three times its chord; the last 1 is of the other
    // sign than its chord of zero.
    assert_eq!(curve.slopes, [4.0, 0.0, 0.0, 0.0]);
    let steep = [(0.0, 0.0), (1.0, 1.0), (2.0, -9.0)];
    assert_eq!(
        Curve::through(&steep).slopes[0].to_bits(),
        3.0_f64.to_bits()
    );
    for step in 0..=100 {
        let value = curve.value(0, f64::from(step) / 100.0);
        assert!((0.0..=2.0).contains(&value), "{value}");
    }
}

#[test]
fn two_points_are_joined_by_a_line() {
    let points = [(1.0, -1.0), (8192.0, 3.0)];
    close(Curve::through(&points).first_root().unwrap(), 2048.75);
}

#[test]
fn the_first_of_several_roots_is_found() {
    let points = [(0.0, -1.0), (2.0, 1.0), (4.0, -1.0), (6.0, 1.0)];
    // Slopes 2 and 0: with t = x / 2 the piece is -1 + 4 t - 2 t * t.
    let expected = 2.0 - std::f64::consts::SQRT_2;
    close(Curve::through(&points).first_root().unwrap(), expected);
    let touching = [(0.0, -1.0), (2.0, 0.0), (4.0, -1.0)];
    close(Curve::through(&touching).first_root().unwrap(), 2.0);
    let ending = [(0.0, -1.0), (2.0, 0.0)];
    close(Curve::through(&ending).first_root().unwrap(), 2.0);
    assert_eq!(Curve::through(&[(0.0, 1.0), (1.0, 2.0)]).first_root(), None);
    assert_eq!(Curve::through(&[]).first_root(), None);
}

#[test]
fn the_root_of_a_known_curve_is_reproduced() {
    // x * x - 2 at eighths: the interpolation errs by less than the fourth power of a step.
    let points: Vec<_> = (0..=16)
        .map(|k| f64::from(k) / 8.0)
        .map(|x| (x, x * x - 2.0))
        .collect();
    let root = Curve::through(&points).first_root().unwrap();
    assert!((root - std::f64::consts::SQRT_2).abs() < 1e-4, "{root}");
}

#[test]
fn a_margin_is_the_largest_of_all_and_strict_where_the_comparison_is() {
    let groups = parse_groups(
        r#"{"p99_ttft": "<=2", "p99_tpot": "<0.05", "rps": ">=3", "tps": ">10"}"#,
        None,
    );
    let criteria = groups.unwrap().remove(0).criteria;
    let check = |values: [f64; 4], expected: f64| close(margin(&criteria, &values), expected);
    check([1.0, 0.01, 9.0, 99.0], -0.04 + 1e-8);
    check([2.5, 0.01, 9.0, 99.0], 0.5);
    check([1.0, 0.05, 9.0, 99.0], 1e-8);
    check([1.0, 0.01, 2.0, 99.0], 1.0);
    check([1.0, 0.01, 9.0, 10.0], 1e-8);
    check([2.0, 0.01, 3.0, 99.0], 0.0);
    let unknown = margin(&criteria, &[1.0, f64::NAN, 9.0, 99.0]);
    assert!(unknown.is_infinite() && unknown > 0.0, "{unknown}");
}

#[test]
fn both_ends_come_first_then_roots_and_their_upper_neighbours() {
    let mut search = Pchip::new();
    let path = path(&mut search, |load| load as f64 - 100.5);
    assert_eq!(path, [8192, 1, 100, 101]);
    assert_eq!((search.max_passing(), search.passed()), (100, Some(100)));
}

#[test]
fn a_service_that_never_or_always_passes_ends_at_a_bound() {
    let mut search = Pchip::new();
    assert_eq!(path(&mut search, |_| -1.0), [8192]);
    assert_eq!(search.passed(), Some(8192));
    let mut search = Pchip::new();
    assert_eq!(path(&mut search, |_| 1.0), [8192, 1]);
    // As the original reports it, and as it is.
    assert_eq!((search.max_passing(), search.passed()), (1, None));
}

#[test]
fn a_stretch_of_exactly_zero_margin_does_not_stop_the_search() {
    let mut search = Pchip::within(1, 100);
    let path = path(&mut search, |load| if load <= 37 { 0.0 } else { 5.0 });
    assert_eq!(search.passed(), Some(37), "{path:?}");
}

#[test]
fn a_load_told_before_is_not_tried_again() {
    let mut search = Pchip::new();
    search.tell(8192, 10.0);
    search.tell(1, -10.0);
    search.tell(50, -1.0);
    search.tell(60, 1.0);
    // From 50 to 60 with slopes 0.193 and 0.0033 the curve is -0.02 at 54 and 0.11 at 54.5.
    assert_eq!(search.ask(), Some(54));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_edge_of_a_monotone_service_is_found(edge in 1..8191_u64, below in 1e-6..1e3_f64, above in 1e-6..1e3_f64, bend in 0.3..3.0_f64) {
        let mut search = Pchip::new();
        let path = path(&mut search, |load| {
            let distance = load as f64 - edge as f64 - 0.5;
            distance.abs().powf(bend).copysign(distance) * if distance > 0.0 { above } else { below }
        });
        prop_assert_eq!(search.passed(), Some(edge), "{:?}", path);
    }

    #[test]
    fn any_service_is_searched_to_an_end_within_the_bounds(
        margins in btree_map(1..400_u64, prop_oneof![NORMAL, -1.0..1.0_f64, (0..3_u8).prop_map(|place| [0.0, f64::NAN, f64::INFINITY][usize::from(place)])], 0..300),
        lowest in 1..50_u64, span in 0..350_u64
    ) {
        let mut search = Pchip::within(lowest, lowest + span);
        let path = path(&mut search, |load| margins.get(&load).copied().unwrap_or(-0.5));
        prop_assert!(path.len() as u64 <= span + 1, "{:?}", path);
        prop_assert!(path.iter().all(|load| (lowest..=lowest + span).contains(load)), "{:?}", path);
    }

    #[test]
    fn the_curve_goes_through_its_points_and_stays_between_neighbours(
        points in btree_map(1..1000_u64, -10.0..10.0_f64, 2..12), t in 0.0..=1.0_f64
    ) {
        let points: Vec<_> = points.into_iter().map(|(x, y)| (x as f64, y)).collect();
        let curve = Curve::through(&points);
        for (piece, pair) in points.windows(2).enumerate() {
            let value = curve.value(piece, pair[0].0 + t * (pair[1].0 - pair[0].0));
            let (low, high) = (pair[0].1.min(pair[1].1), pair[0].1.max(pair[1].1));
            prop_assert!((low - 1e-9..=high + 1e-9).contains(&value), "{}: {} {}", value, low, high);
            prop_assert!((curve.value(piece, pair[1].0) - pair[1].1).abs() < 1e-9);
        }
    }
}
