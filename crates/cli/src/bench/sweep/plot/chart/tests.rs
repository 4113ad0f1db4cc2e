//! What a figure holds for any runs.

use std::path::PathBuf;

use crestline_report::figures::curves;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::bench::args::BenchCommand;
use crate::bench::sweep::args::SweepCommand;
use crate::command::{Parsed, Sub, parse};

fn settings(line: &str, records: &[Record]) -> Settings {
    let words = "crestline bench sweep plot e --var-x x --var-y y".split(' ');
    let words = words.chain(line.split_whitespace()).map(Into::into);
    let Ok(Parsed::Command(Sub::Bench(bench))) = parse(words.collect()) else {
        panic!("{line} is no command");
    };
    let BenchCommand::Sweep(sweep) = bench.command else {
        panic!("{line} is no sweep");
    };
    let SweepCommand::Plot(args) = sweep.command else {
        panic!("{line} is no plot");
    };
    Settings::of(&args, records).unwrap()
}

fn records(all: Vec<Value>) -> Vec<Record> {
    let record = |(place, fields): (usize, Value)| Record {
        file: PathBuf::from(format!("{}/summary.json", place / 3)),
        fields: fields.as_object().unwrap().clone(),
    };
    all.into_iter().enumerate().map(record).collect()
}

fn chart(line: &str, all: Vec<Value>) -> Result<Chart, Vec<String>> {
    let records = records(all);
    Chart::of(&settings(line, &records), &Vec::new(), &records)
}

#[test]
fn a_point_is_the_mean_of_its_runs_with_the_interval_of_student() {
    let run = |x: u32, y: f64| json!({"x": x, "y": y});
    let chart = chart("", vec![run(1, 4.0), run(1, 1.0), run(1, 7.0), run(2, 5.0)]).unwrap();
    let part = chart.curves.parts[0].as_ref().unwrap();
    let curve = &part.curves[0];
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-3, "{found}");
    assert_eq!(
        (curve.points.len(), curve.band.len(), curve.dots.len()),
        (2, 1, 3)
    );
    near(curve.points[0][1], 4.0);
    near(curve.points[1][1], 5.0);
    // 4 ∓ 4.30265 · 3 / √3; nothing below 0 is drawn, since no run is.
    near(curve.band[0][1], 4.0 - 7.4524);
    near(curve.band[0][2], 4.0 + 7.4524);
    assert!(part.y.possible[0] >= 0.0);
}

#[test]
fn runs_that_cannot_be_drawn_are_counted_with_the_reason() {
    let all = vec![
        json!({"x": 1, "y": 2}),
        json!({"x": null, "y": 2}),
        json!({"x": 1, "y": "inf"}),
        json!({"x": 2, "y": null}),
        json!({"x": 1, "y": 0, "completed": 0}),
    ];
    let warnings = chart("", all).unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "a run of 0/summary.json is not drawn, since it has no number x",
            "a run of 0/summary.json is not drawn, since it has no number y, and so is another",
            "a run of 1/summary.json is not drawn, since all of its requests failed",
        ]
    );
    let low = chart("--scale-y log", vec![json!({"x": 1, "y": 0})]).unwrap_err();
    assert!(
        low[0].contains("its y is not above 0, and the axis is logarithmic"),
        "{low:?}"
    );
}

#[test]
fn more_values_than_colours_have_a_look_of_their_own_for_each_curve() {
    let run = |a: usize, b: usize| json!({"x": 1, "y": 2, "a": a, "b": b});
    let few: Vec<Value> = (0..12).map(|place| run(place / 2, place % 2)).collect();
    let many: Vec<Value> = (0..16).map(|place| run(place / 2, place % 2)).collect();
    let groups = |all| match chart("--curve-by a,b", all).unwrap().curves.key {
        Key::Groups(groups) => groups,
        Key::Names => Vec::new(),
    };
    let shown = |groups: &[KeyGroup]| -> Vec<(String, usize)> {
        groups
            .iter()
            .map(|it| (it.title.clone(), it.entries.len()))
            .collect()
    };
    assert_eq!(
        shown(&groups(few))[..2],
        [("a".to_owned(), 6), ("b".to_owned(), 2)]
    );
    let short = groups((0..7).map(|place| run(place, 0)).collect());
    assert_eq!(shown(&short)[0], (String::new(), 7));
    assert_eq!(short[0].entries[1].words, "a=1\nb=0");
    let groups = groups(many);
    assert_eq!(shown(&groups)[0], ("a, b".to_owned(), 16));
    assert_eq!(groups[0].entries[1].words, "0, 1");
    let looks: Vec<Sign> = groups[0].entries.iter().map(|it| it.sign).collect();
    assert!(
        looks
            .iter()
            .enumerate()
            .all(|(place, look)| !looks[..place].contains(look))
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0..5_i32).prop_map(Value::from),
        4 => (-3.0..1e6_f64).prop_map(Value::from),
        1 => Just(json!(null)),
        1 => Just(json!("inf")),
        1 => Just(json!(true)),
        1 => "[a-z=é/]{0,6}".prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_runs_make_a_figure_or_reasons(
        values in proptest::collection::vec([any_value(), any_value(), any_value(), any_value()], 1..20),
        line in prop_oneof![
            Just("--row-by a --col-by b"), Just("--curve-by a,b --no-error-bars"), Just("--col-by a --bin-by x%2 --scale-y log"),
        ],
    ) {
        let all: Vec<Value> = values.into_iter().map(|[x, y, a, b]| json!({"x": x, "y": y, "a": a, "b": b})).collect();
        let count = all.len();
        match chart(line, all) {
            Err(reasons) => prop_assert!(!reasons.is_empty()),
            Ok(chart) => {
                let [rows, columns] = chart.grid;
                prop_assert_eq!(chart.curves.parts.len(), rows * columns);
                let drawn = || chart.curves.parts.iter().flatten().flat_map(|part| &part.curves);
                let points: usize = drawn().map(|curve| curve.points.len()).sum();
                prop_assert!((1..=count).contains(&points), "{points}");
                for curve in drawn() {
                    prop_assert!(curve.band.iter().all(|[_, low, high]| low <= high));
                }
                let svg = curves(&chart.curves).svg();
                prop_assert!(roxmltree::Document::parse(&svg).is_ok());
            }
        }
    }
}
