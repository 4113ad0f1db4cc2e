//! Tests of the bisection: its path against services of which the truth is known.

use expect_test::expect;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use super::{Bisect, BisectQuestion, Selection, requests_of};
use crate::sla::{Figure, Group, Measure, Probe, Slo, Timed, parse_groups};

fn groups(text: &str) -> Vec<Group> {
    let slo = Slo {
        limits: vec![(Timed::Ttft, 1.0)],
    };
    parse_groups(text, Some(&slo)).unwrap()
}

fn bisect(text: &str, start: u64, (lower, upper): (u64, u64)) -> Bisect {
    Bisect::new(BisectQuestion {
        groups: groups(text),
        start,
        lower,
        upper,
    })
}

/// A probe of 100 requests in which every time is `seconds` and throughput `tps`.
fn probe(seconds: f64, tps: f64) -> Probe {
    let figures = Measure::all().map(|measure| Figure {
        measure,
        value: Some(match measure {
            Measure::Time(..) => seconds,
            Measure::Throughput(_) => tps,
            Measure::SuccessRate | Measure::Goodput => 1.0,
        }),
    });
    Probe {
        total: 100,
        succeeded: 100,
        figures: figures.collect(),
    }
}

/// The loads probed, in order.
fn path(search: &mut Bisect, service: impl Fn(u64) -> Probe) -> Vec<u64> {
    let mut path = Vec::new();
    while let Some(load) = search.ask() {
        search.tell(load, service(load));
        path.push(load);
    }
    path
}

fn row(search: &Bisect) -> (Option<u64>, String) {
    let Selection { selected, note, .. } = search.selections().remove(0);
    (selected, note)
}

#[test]
fn a_run_has_a_multiple_of_its_load_in_requests_and_at_least_one() {
    assert_eq!(
        [(1, 2.0), (7, 2.0), (5, 0.5), (7, 0.5), (1, 0.1), (3, 1e30)]
            .map(|(v, m)| requests_of(v, m)),
        [2, 14, 2, 4, 1, u64::MAX]
    );
}

#[test]
fn a_start_that_passes_is_doubled_then_bisected() {
    let mut search = bisect(r#"{"p99_latency": "<=2"}"#, 2, (1, 64));
    let path = path(&mut search, |load| probe(load as f64 * 0.3, 1.0));
    assert_eq!(path, [2, 4, 8, 6, 7]);
    assert_eq!(row(&search), (Some(6), "Satisfied".to_owned()));
}

#[test]
fn a_start_that_fails_is_halved_then_bisected() {
    let mut search = bisect(r#"{"p99_latency": "<=2"}"#, 50, (1, 64));
    let path = path(&mut search, |load| probe(load as f64 * 0.3, 1.0));
    assert_eq!(path, [50, 25, 12, 6, 9, 7]);
    assert_eq!(row(&search).0, Some(6));
}

#[test]
fn the_bounds_end_the_search() {
    let mut search = bisect(r#"{"p99_latency": "<=2"}"#, 3, (1, 20));
    assert_eq!(path(&mut search, |_| probe(1.0, 1.0)), [3, 6, 12, 20]);
    assert_eq!(row(&search), (Some(20), "Satisfied".to_owned()));
    let mut search = bisect(r#"{"p99_latency": "<=2"}"#, 45, (10, 50));
    assert_eq!(path(&mut search, |_| probe(3.0, 1.0)), [45, 22, 11, 10]);
    assert_eq!(
        row(&search),
        (None, "Failed at lower bound (10)".to_owned())
    );
    // A start outside the bounds is taken into them.
    let mut search = bisect(r#"{"p99_latency": "<=2"}"#, 2, (10, 40));
    assert_eq!(path(&mut search, |_| probe(1.0, 1.0)), [10, 20, 40]);
}

#[test]
fn groups_are_searched_one_after_another_and_share_their_probes() {
    // The third documented example: 19 requests a second, and none.
    let mut search = bisect(
        r#"[{"p99_ttft": "<0.05"}, {"p99_ttft": "<0.01"}]"#,
        2,
        (10, 40),
    );
    let service = |load: u64| probe(0.0025 * load as f64, 1.0);
    assert_eq!(path(&mut search, service), [10, 20, 15, 17, 18, 19]);
    let rows = search.selections();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.group, row.selected, row.note.as_str()))
        .collect();
    expect![[r#"
        [
            (
                0,
                Some(
                    19,
                ),
                "Satisfied",
            ),
            (
                1,
                None,
                "Failed at lower bound (10)",
            ),
        ]
    "#]]
    .assert_debug_eq(&rows);
}

#[test]
fn rows_appear_as_soon_as_their_group_has_ended() {
    let mut search = bisect(r#"[{"p99_ttft": "<=1"}, {"p99_ttft": "<=2"}]"#, 1, (1, 64));
    search.tell(1, probe(0.5, 1.0));
    search.tell(2, probe(1.5, 1.0));
    assert_eq!(search.selections().len(), 1);
    assert_eq!(search.ask(), Some(4));
}

#[test]
fn a_failed_request_fails_the_probe_unless_the_group_allows_it() {
    let service = |load: u64| Probe {
        succeeded: if load > 10 { 99 } else { 100 },
        ..probe(1.0, load as f64)
    };
    for (text, expected) in [
        (r#"{"p99_latency": "<=2"}"#, 10),
        (r#"{"p99_latency": "<=2", "success_rate": ">=99%"}"#, 64),
        (r#"{"tps": "max"}"#, 10),
    ] {
        let mut search = bisect(text, 4, (1, 64));
        path(&mut search, service);
        assert_eq!(row(&search).0, Some(expected), "{text}");
    }
}

/// Published figures of the documented example, linear between them.
fn published(load: u64) -> f64 {
    let points = [
        (32, 5813.67),
        (64, 5902.57),
        (128, 7124.25),
        (256, 8000.89),
        (384, 8057.1438),
        (512, 7941.28),
    ];
    let above = points.iter().position(|(at, _)| *at >= load).unwrap_or(5);
    if above == 0 {
        return points[0].1 * load as f64 / 32.0;
    }
    let ((left, from), (right, to)) = (points[above - 1], points[above]);
    from + (to - from) * (load - left) as f64 / (right - left) as f64
}

#[test]
fn the_documented_maximum_is_found_on_the_published_figures() {
    let mut search = bisect(r#"[{"tps": "max"}]"#, 4, (1, 65_536));
    let path = path(&mut search, |load| probe(1.0, published(load)));
    assert_eq!(
        path,
        [
            4, 8, 16, 32, 64, 128, 256, 512, 384, 448, 416, 400, 392, 388, 386, 385
        ]
    );
    assert_eq!(row(&search), (Some(384), "Best tps: 8057.1438".to_owned()));
    assert_eq!(search.selections()[0].best, Some(8057.1438));
}

#[test]
fn a_minimum_ends_at_the_start_where_the_next_load_is_no_better() {
    let mut search = bisect(r#"{"avg_latency": "min"}"#, 4, (1, 64));
    let path = path(&mut search, |load| probe(load as f64, 1.0));
    assert_eq!(path, [4, 8, 6, 5]);
    assert_eq!(
        row(&search),
        (Some(4), "Best avg_latency: 4.0000".to_owned())
    );
}

#[test]
fn a_maximum_under_a_limit_is_sought_among_the_loads_that_keep_it() {
    let service = |load: u64| probe(load as f64 * 0.1, load as f64);
    let text = r#"{"tps": "max", "p99_ttft": "<=2.5"}"#;
    let mut up = bisect(text, 4, (1, 100));
    assert_eq!(path(&mut up, service), [4, 8, 16, 32, 24, 28, 26, 25]);
    assert_eq!(row(&up), (Some(25), "Best tps: 25.0000".to_owned()));
    let mut down = bisect(text, 80, (1, 100));
    assert_eq!(path(&mut down, service), [80, 40, 20, 30, 25, 27, 26]);
    assert_eq!(row(&down).0, Some(25));
    let mut never = bisect(r#"{"tps": "max", "p99_ttft": "<=1ms"}"#, 8, (2, 100));
    assert_eq!(path(&mut never, service), [8, 4, 2]);
    assert_eq!(row(&never), (None, "Failed at lower bound (2)".to_owned()));
}

const TWO_LIMITS: &str = r#"[{"p99_ttft": "<=1"}, {"p50_ttft": "<0.5"}]"#;
const TWO_AIMS: &str = r#"[{"tps": "max"}, {"p99_ttft": "min", "tps": ">=0.2"}]"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_edge_of_a_monotone_service_is_found_within_the_bounds(
        edge in 0..5000_u64, start in 0..6000_u64, lower in 0..100_u64, span in 0..5000_u64
    ) {
        let bounds = (lower.max(1), lower.max(1) + span);
        let mut search = bisect(r#"{"p99_ttft": "<=1"}"#, start, (lower, bounds.1));
        let path = path(&mut search, |load| probe(if load <= edge { 1.0 } else { 2.0 }, 1.0));
        prop_assert!(path.iter().all(|load| (bounds.0..=bounds.1).contains(load)), "{:?}", path);
        prop_assert!(path.len() <= 30, "{:?}", path);
        let expected = (edge >= bounds.0).then(|| edge.min(bounds.1));
        prop_assert_eq!(row(&search).0, expected);
    }

    #[test]
    fn any_service_is_searched_to_an_end_without_a_probe_twice(
        seed: u64, start in 1..3000_u64, text in select(&[TWO_LIMITS, TWO_AIMS])
    ) {
        let mut search = bisect(text, start, (1, 2048));
        let noise = |load: u64, salt: u64| {
            let mixed = (load ^ seed).wrapping_add(salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed >> 40) as f64 / f64::from(1 << 24)
        };
        let mut path = path(&mut search, |load| probe(2.0 * noise(load, 1), noise(load, 2)));
        let asked = path.len();
        path.sort_unstable();
        path.dedup();
        prop_assert_eq!(path.len(), asked);
        prop_assert!(path.iter().all(|load| (1..=2048).contains(load)));
        prop_assert_eq!(search.selections().len(), 2);
        // Told in another order, as when a search goes on from a file, it has ended alike.
        let mut again = bisect(text, start, (1, 2048));
        for (&load, probe) in search.probes().iter().rev() {
            again.tell(load, probe.clone());
        }
        prop_assert_eq!(again.ask(), None);
        prop_assert_eq!(again.selections(), search.selections());
    }
}
