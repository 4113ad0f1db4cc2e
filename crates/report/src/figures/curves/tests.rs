//! Figures of curves: what is drawn of what is given, and what holds for any.

use proptest::prelude::*;

use super::*;
use crate::figures::within::check;

fn axis(label: &str, kind: Kind) -> CurveAxis<'_> {
    CurveAxis {
        label,
        kind,
        range: None,
        possible: [0.0, f64::INFINITY],
    }
}

fn part<'a>(title: &'a str, curves: Vec<Curve<'a>>) -> CurvePart<'a> {
    CurvePart {
        title,
        x: axis("Requests a second", Kind::Log),
        y: axis("TTFT p99 (ms)", Kind::Linear),
        curves,
        limits: vec![(200.0, "p99 TTFT ≤ 200 ms")],
    }
}

fn curve(name: &str, height: f64) -> Curve<'_> {
    let xs = [1.0, 2.0, 4.0, 8.0, 16.0];
    Curve {
        name,
        points: xs.map(|x| [x, height * x]).into(),
        band: xs
            .map(|x| [x, height * (x - 5.0), height * (x + 5.0)])
            .into(),
        dots: xs.map(|x| [x, height * x * 1.1]).into(),
    }
}

fn figure(parts: Vec<CurvePart<'_>>) -> Curves<'_> {
    Curves {
        title: "Latency against load",
        subject: "m on sim",
        columns: 2,
        parts,
    }
}

fn count(svg: &str, element: &str) -> usize {
    svg.matches(element).count()
}

#[test]
fn every_curve_has_its_line_its_band_and_its_dots_in_one_colour() {
    let parts = vec![
        part("a", vec![curve("one", 5.0), curve("two", 10.0)]),
        part("b", vec![curve("two", 7.0)]),
    ];
    let svg = curves(&figure(parts)).svg();
    check(&svg);
    // Two parts and the key.
    assert_eq!(count(&svg, r#"<polyline class="line-1""#), 2 + 1);
    assert_eq!(count(&svg, r#"<polyline class="line-0""#), 1 + 1);
    assert_eq!(count(&svg, r#"<polygon class="band-1""#), 2);
    assert_eq!(count(&svg, r#"<circle class="dot-1""#), 2 * 5);
    assert_eq!(count(&svg, r#"<circle class="fill-0""#), 5 + 1);
    assert_eq!(count(&svg, r#"<polyline class="limit""#), 2);
    assert_eq!(count(&svg, ">two</text>"), 1);
    for tick in [">1<", ">2<", ">5<", ">10<"] {
        assert!(svg.contains(tick), "{tick} in {svg}");
    }
}

#[test]
fn a_band_does_not_go_where_nothing_can_be() {
    let svg = curves(&figure(vec![part("", vec![curve("one", 5.0)])])).svg();
    // The lower ends are -20, -15, -5, 15 and 55: the first three are at 0, which is where the axis begins.
    assert!(svg.contains(">0</text>") && !svg.contains(">-"), "{svg}");
    let (_, band) = svg
        .split_once(r#"<polygon class="band-0" points=""#)
        .unwrap();
    let (band, _) = band.split_once('"').unwrap();
    let heights: Vec<&str> = band
        .split(' ')
        .map(|it| it.split_once(',').unwrap().1)
        .collect();
    assert_eq!(heights.len(), 10);
    assert!(heights[0] == heights[1] && heights[1] == heights[2] && heights[2] != heights[3]);
}

#[test]
fn percentiles_are_laid_out_by_their_nines() {
    let latencies: Vec<[f64; 2]> = (0..=999)
        .map(|rank| [f64::from(rank) / 10.0, 10.0 + f64::from(rank) / 50.0])
        .collect();
    let it = CurvePart {
        x: axis("Percentile", Kind::Percentile),
        ..part(
            "",
            vec![Curve {
                name: "TTFT",
                points: latencies,
                ..Curve::default()
            }],
        )
    };
    let svg = curves(&figure(vec![it])).svg();
    check(&svg);
    for tick in [">0<", ">50<", ">90<", ">99<", ">99.9<"] {
        assert!(svg.contains(tick), "{tick} in {svg}");
    }
    // Many points have a line and no marks: what is left is the sign in the key.
    assert_eq!(count(&svg, "<circle"), 1);
}

#[test]
fn more_curves_than_colours_differ_by_dashes() {
    let names: Vec<String> = (0..8).map(|it| format!("c{it}")).collect();
    let all = names.iter().map(|name| curve(name, 3.0)).collect();
    let svg = curves(&figure(vec![part("", all)])).svg();
    check(&svg);
    assert_eq!(count(&svg, r#"<polyline class="dash-1""#), 2);
    assert!(svg.contains(".dash-1{") && svg.contains("stroke-dasharray"));
}

#[test]
fn the_name_of_a_limit_stands_where_no_curve_is() {
    // The curve crosses the limit on the right.
    let left_of_name = |height: f64| -> f64 {
        let svg = curves(&figure(vec![part("", vec![curve("", height)])])).svg();
        let (before, _) = svg.split_once(">p99 TTFT").unwrap();
        let (_, x) = before.rsplit_once(" x=\"").unwrap();
        x.split_once('"').unwrap().0.parse().unwrap()
    };
    assert!(left_of_name(14.0) < 200.0, "{}", left_of_name(14.0));
    // A curve that begins at the limit leaves room on the right only.
    let falling = Curve {
        points: vec![[1.0, 210.0], [4.0, 215.0], [16.0, 20.0]],
        ..Curve::default()
    };
    let low = Curve {
        points: vec![[1.0, 190.0], [4.0, 185.0], [16.0, 5.0]],
        ..Curve::default()
    };
    let svg = curves(&figure(vec![part("", vec![falling, low])])).svg();
    let (before, _) = svg.split_once(">p99 TTFT").unwrap();
    let (_, x) = before.rsplit_once(" x=\"").unwrap();
    let x: f64 = x.split_once('"').unwrap().0.parse().unwrap();
    assert!(x > 300.0, "{x}");
}

#[test]
fn a_curve_without_a_name_needs_no_key() {
    let one = curves(&figure(vec![part("", vec![curve("", 3.0)])]));
    let width = (2.0 * EDGE + PART[0]) / 96.0;
    assert!((one.inches()[0] - width).abs() < 1e-9);
    let none = curves(&figure(Vec::new())).svg();
    check(&none);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.0..1e5, 1 => any::<f64>(), 1 => Just(0.0), 1 => -10.0..10.0]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Linear),
        Just(Kind::Log),
        Just(Kind::Time),
        Just(Kind::Percentile)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_values_nothing_leaves_the_figure(
        kinds in [any_kind(), any_kind()],
        points in proptest::collection::vec([any_value(), any_value()], 0..60),
        band in proptest::collection::vec([any_value(), any_value(), any_value()], 0..10),
        limit in any_value(),
        words in [".{0,60}", ".{0,200}", ".{0,80}"],
    ) {
        let it = Curves {
            title: &words[1],
            subject: &words[0],
            columns: 3,
            parts: vec![CurvePart {
                title: &words[2],
                x: axis(&words[0], kinds[0]),
                y: axis(&words[1], kinds[1]),
                curves: vec![Curve { name: &words[2], points: points.clone(), band, dots: points }],
                limits: vec![(limit, &words[1])],
            }],
        };
        check(&curves(&it).svg());
    }
}
