//! Figures of curves: what is drawn of what is given, and what holds for any.

use proptest::prelude::*;

use super::*;
use crate::figures::within::{check, check_page};

fn axis(label: &str, kind: Kind) -> CurveAxis {
    CurveAxis {
        label: label.to_owned(),
        kind,
        ..CurveAxis::default()
    }
}

fn part(title: &str, curves: Vec<Curve>) -> CurvePart {
    CurvePart {
        title: title.to_owned(),
        x: axis("Requests a second", Kind::Log),
        y: axis("TTFT p99 (ms)", Kind::Linear),
        curves,
        limits: vec![(200.0, "p99 TTFT ≤ 200 ms".to_owned())],
        limits_x: Vec::new(),
    }
}

fn curve(name: &str, height: f64) -> Curve {
    let xs = [1.0, 2.0, 4.0, 8.0, 16.0];
    Curve {
        name: name.to_owned(),
        points: xs.map(|x| [x, height * x]).into(),
        band: xs
            .map(|x| [x, height * (x - 5.0), height * (x + 5.0)])
            .into(),
        dots: xs.map(|x| [x, height * x * 1.1]).into(),
        ..Curve::default()
    }
}

fn figure(parts: Vec<CurvePart>) -> Curves {
    Curves {
        title: "Latency against load".to_owned(),
        subject: "m on sim".to_owned(),
        columns: 2,
        part_inches: PART_INCHES,
        parts: parts.into_iter().map(Some).collect(),
        range: Range::Own,
        key: Key::Names,
    }
}

fn count(svg: &str, element: &str) -> usize {
    svg.matches(element).count()
}

#[test]
fn the_key_has_the_signs_that_curves_are_drawn_with() {
    let place = vec![[2.0, 100.0]];
    let own = |name: &str, colour| Curve {
        name: name.to_owned(),
        stroke: Some(Stroke::nth(colour)),
        ..Curve::default()
    };
    let curves = vec![
        curve("line", 5.0),
        Curve {
            dots: place.clone(),
            ..own("met", 2)
        },
        Curve {
            voids: place,
            ..own("missed", 1)
        },
    ];
    let svg = super::curves(&figure(vec![part("", curves)])).svg();
    check(&svg);
    // One in the plot and one in the key; a cross is two strokes.
    assert_eq!(count(&svg, r#"<circle class="dot-2""#), 2);
    assert_eq!(count(&svg, r#"<polyline class="void""#), 4);
    assert_eq!(count(&svg, r#"class="line-1"#), 0);
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
                name: "TTFT".to_owned(),
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
    assert_eq!(count(&svg, r#"<polyline class="line-1 dashed-1""#), 2);
    assert!(svg.contains(".dashed-1{") && svg.contains("stroke-dasharray"));
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
    let width = 2.0 * EDGE / 96.0 + PART_INCHES[0];
    assert!((one.inches()[0] - width).abs() < 1e-9);
    let none = curves(&figure(Vec::new())).svg();
    check(&none);
}

fn left_edges(svg: &str, class: &str) -> Vec<f64> {
    let of_class = svg
        .lines()
        .filter(|line| line.contains(&format!("<rect class=\"{class}\"")));
    of_class
        .map(|line| {
            line.split_once("x=\"")
                .unwrap()
                .1
                .split_once('"')
                .unwrap()
                .0
                .parse()
                .unwrap()
        })
        .collect()
}

#[test]
fn a_grid_leaves_room_where_a_part_is_missing() {
    let mut it = figure(vec![
        part("a", vec![curve("one", 5.0)]),
        part("b", vec![curve("one", 50.0)]),
    ]);
    it.parts = vec![it.parts[0].take(), None, None, it.parts[1].take()];
    let svg = curves(&it).svg();
    check(&svg);
    let lefts = left_edges(&svg, "plot");
    assert!(lefts.len() == 2 && lefts[1] - lefts[0] > 400.0, "{lefts:?}");
}

#[test]
fn parts_with_shared_ranges_have_the_same_marks() {
    let parts = || {
        vec![
            part("a", vec![curve("one", 1.0)]),
            part("b", vec![curve("one", 500.0)]),
        ]
    };
    let marks = |range| {
        let it = Curves {
            range,
            ..figure(parts())
        };
        count(&curves(&it).svg(), ">2000</text>")
    };
    assert_eq!([marks(Range::Own), marks(Range::Shared)], [1, 2]);
}

#[test]
fn a_band_ends_where_a_point_has_none() {
    let mut it = curve("one", 5.0);
    it.band.remove(2);
    let svg = curves(&figure(vec![part("", vec![it.clone()])])).svg();
    assert_eq!(count(&svg, r#"<polygon class="band-0""#), 2);
    // One alone is an upright line with ends.
    it.band.remove(1);
    let svg = curves(&figure(vec![part("", vec![it])])).svg();
    assert_eq!(count(&svg, r#"<polygon class="band-0""#), 1);
    assert_eq!(count(&svg, r#"<polyline class="line-0 weight-2""#), 3);
}

#[test]
fn a_band_that_is_far_wider_than_all_that_was_measured_is_cut_and_says_so() {
    let wide = Curve {
        name: "one".to_owned(),
        points: vec![[1.0, 10.0], [2.0, 20.0]],
        band: vec![[1.0, -900.0, 1000.0], [2.0, 19.0, 21.0]],
        ..Curve::default()
    };
    let entry = KeyEntry {
        sign: Sign::Band,
        words: "interval".to_owned(),
    };
    let groups = vec![KeyGroup {
        title: String::new(),
        entries: vec![entry],
    }];
    let mut it = figure(vec![CurvePart {
        limits: Vec::new(),
        ..part("", vec![wide])
    }]);
    it.key = Key::Groups(groups);
    let svg = curves(&it).svg();
    check(&svg);
    assert!(
        svg.contains(">interval, cut at the edge<")
            && !svg.contains(">1000<")
            && svg.contains(">25<"),
        "{svg}"
    );
}

#[test]
fn all_words_of_a_key_and_of_titles_are_there() {
    let name = format!("model=org/{}, dtype=auto", "a-long-name-".repeat(12));
    let it = Curves {
        title: format!("{name} {name}"),
        ..figure(vec![part(&name, vec![curve(&name, 2.0)])])
    };
    let svg = curves(&it).svg();
    check(&svg);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: String = document
        .descendants()
        .filter(|it| it.has_tag_name("text"))
        .filter_map(|it| it.text())
        .collect();
    assert!(
        !texts.contains('…') && texts.matches("dtype=").count() == 4,
        "{texts}"
    );
}

#[test]
fn limits_of_the_lower_axis_are_upright_and_names_do_not_meet() {
    let mut it = part("", vec![curve("", 10.0)]);
    it.limits.push((205.0, "p99 TTFT ≤ 205 ms".to_owned()));
    it.limits_x = vec![
        (8.0, "at most 8".to_owned()),
        (8.5, "at most 8.5".to_owned()),
    ];
    let svg = curves(&figure(vec![it])).svg();
    check(&svg);
    assert_eq!(count(&svg, r#"<polyline class="limit""#), 4);
    for words in [
        ">p99 TTFT ≤ 200 ms<",
        ">p99 TTFT ≤ 205 ms<",
        ">at most 8<",
        ">at most 8.5<",
    ] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn named_values_are_marked_in_place_of_round_ones() {
    let mut it = part("", vec![curve("", 10.0)]);
    it.x = CurveAxis {
        names: vec![(1.0, "one".to_owned()), (16.0, "inf".to_owned())],
        ..axis("x", Kind::Linear)
    };
    let svg = curves(&figure(vec![it])).svg();
    check(&svg);
    assert!(
        svg.contains(">one<") && svg.contains(">inf<") && !svg.contains(">10<"),
        "{svg}"
    );
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.0..1e5, 1 => any::<f64>(), 1 => Just(0.0), 1 => -10.0..10.0]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Linear),
        Just(Kind::Log),
        Just(Kind::Log2),
        Just(Kind::Sqrt),
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
        let [subject, title, name] = words;
        let it = CurvePart {
            title: name.clone(),
            x: axis(&subject, kinds[0]),
            y: axis(&title, kinds[1]),
            curves: vec![Curve { name, points: points.clone(), band, dots: points.clone(), voids: points, stroke: None, order: if limit > 1.0 { Order::Rising } else { Order::AsGiven }, marks: Marks::Few }],
            limits: vec![(limit, title.clone())],
            limits_x: vec![(limit, title.clone())],
        };
        let range = if limit > 5.0 { Range::Shared } else { Range::Own };
        let it = Curves {
            title, subject, columns: 3, range, ..figure(vec![it])
        };
        check(&curves(&it).svg());
        check_page(&curves(&it));
    }
}
