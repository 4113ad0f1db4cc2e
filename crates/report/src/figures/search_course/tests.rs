//! The figure of a search: one as it is written, and what holds for any.

use crestline_core::search::{Answer, Bounds, Budget, Interval, Outcome, Question, Variable};
use crestline_core::sla::{Figure, Group, Probe, Slo, parse_groups};
use crestline_core::units::Nanos;
use expect_test::expect_file;
use proptest::prelude::*;

use super::{SearchCourse, Stretch, search_course};
use crate::figures::within::{check, check_page};

fn question(params: &str) -> Question {
    Question {
        variable: Variable::Users,
        bounds: Bounds {
            lowest: 1.0,
            highest: 64.0,
        },
        first: 1.0,
        groups: parse_groups(params, None).unwrap(),
        slo: Slo::default(),
        confidence: 0.9,
        tolerance: 0.05,
        budget: Budget::default(),
    }
}

fn answer(load: Option<f64>, estimate: Option<f64>, interval: Option<[f64; 2]>) -> Answer {
    Answer {
        outcome: Outcome::Value,
        load,
        estimate,
        interval: interval.map(|[low, high]| Interval::likely(low, high)),
        best: None,
        binding: None,
        knee: None,
        requests: 1234,
        requests_needed: None,
        reason: "fresh requests confirm it".to_owned(),
    }
}

/// What requests came to, of which one in a hundred waited so long for its first token.
fn probe(question: &Question, total: u64, seconds: Option<f64>) -> Probe {
    let measures = question.groups.iter().flat_map(Group::measures);
    Probe {
        total,
        succeeded: total,
        figures: measures
            .map(|measure| Figure {
                measure,
                value: seconds,
            })
            .collect(),
    }
}

fn stretch<'a>(seconds: [u64; 3], load: f64, stage: &'a str, probe: &'a Probe) -> Stretch<'a> {
    let [start, counted, end] = seconds.map(Nanos::from_secs);
    Stretch {
        start,
        counted_from: (counted < end).then_some(counted),
        end,
        load,
        stage,
        probe,
    }
}

#[test]
fn a_search_is_drawn_with_its_loads_its_verdicts_and_its_answer() {
    let question = question(r#"[{"p99_ttft": "<=200ms"}]"#);
    let [good, bad, none] = [(40, Some(0.1)), (40, Some(0.3)), (0, None)]
        .map(|(total, seconds)| probe(&question, total, seconds));
    let svg = search_course(&SearchCourse {
        subject: "a model on sim:demo",
        question: &question,
        answers: &[answer(Some(27.0), Some(28.0), Some([26.0, 29.0]))],
        stretches: vec![
            stretch([0, 4, 4], 1.0, "warm-up", &none),
            stretch([4, 6, 10], 16.0, "ramp", &good),
            stretch([10, 14, 20], 64.0, "ramp", &bad),
            stretch([20, 24, 40], 27.0, "confirm", &good),
        ],
    })
    .svg();
    check(&svg);
    expect_file!["tests/one.svg"].assert_eq(&svg);
}

#[test]
fn each_group_has_a_lane_and_a_column_of_its_own() {
    let question = question(r#"[{"p99_ttft": "<=200ms"}, {"p50_ttft": "<=50ms"}]"#);
    let probe = probe(&question, 40, Some(0.1));
    let svg = search_course(&SearchCourse {
        subject: "",
        question: &question,
        answers: &[
            answer(Some(27.0), None, Some([26.0, 29.0])),
            answer(Some(2.0), None, Some([1.0, 3.0])),
        ],
        stretches: vec![stretch([0, 1, 40], 64.0, "ramp", &probe)],
    })
    .svg();
    check(&svg);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let count = |class: &str| {
        let of_class = |node: &roxmltree::Node<'_, '_>| node.attribute("class") == Some(class);
        document.descendants().filter(of_class).count()
    };
    // Two plots with a column for each; in the second, the far answer is at the edge.
    assert_eq!(count("range"), 4);
    // Of each the line and the sign, a disc or two strokes, in the key and in its lane. The plots are of the first group, and the
    // load lies in one of them only.
    assert_eq!((count("meets"), count("misses")), (6, 6));
    assert!(svg.contains("Near the answer to A"), "{svg}");
}

#[test]
fn a_search_that_tried_nothing_is_drawn_too() {
    let question = question(r#"[{"p99_ttft": "<=200ms"}]"#);
    check(
        &search_course(&SearchCourse {
            subject: "<&>",
            question: &question,
            answers: &[],
            stretches: Vec::new(),
        })
        .svg(),
    );
}

#[test]
fn it_needs_no_other_file_and_runs_nothing() {
    let question = question(r#"[{"p99_ttft": "<=200ms"}]"#);
    let probe = probe(&question, 40, Some(0.1));
    let svg = search_course(&SearchCourse {
        subject: "javascript:alert(1)\"><script>",
        question: &question,
        answers: &[answer(Some(2.0), None, None)],
        stretches: vec![stretch([0, 1, 2], 2.0, "\"><script>", &probe)],
    })
    .svg();
    check(&svg);
    for text in ["<script", "href", "url(", "@import", "<image"] {
        assert!(!svg.contains(text), "`{text}` in {svg}");
    }
}

/// A number of any kind, the odd ones too.
fn any_load() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..2000.0,
        1 => any::<f64>(),
        1 => Just(f64::INFINITY),
        1 => Just(0.0)
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let optional = || proptest::option::of(any_load());
    let interval = proptest::option::of([any_load(), any_load()]);
    (optional(), optional(), interval, ".{0,200}").prop_map(|(load, estimate, interval, reason)| {
        Answer {
            reason,
            ..answer(load, estimate, interval)
        }
    })
}

type AnyStretch = (u64, Option<u64>, u64, f64, String, u64, Option<f64>);

fn any_stretch() -> impl Strategy<Value = AnyStretch> {
    let time = || prop_oneof![9 => 0..10_000_000_000_000u64, 1 => any::<u64>()];
    (
        time(),
        proptest::option::of(time()),
        time(),
        any_load(),
        ".{0,20}",
        0..50u64,
        proptest::option::of(0.0..1.0),
    )
}

const PARAMS: [&str; 4] = [
    r#"[{"p99_ttft": "<=200ms"}]"#,
    r#"[{"p99_ttft": "<=200ms"}, {"tps": "max"}]"#,
    r#"[{"p99_ttft": "<=1s"}, {"p50_ttft": "<=50ms", "p99_tpot": "<=20ms"}, {"rps": ">=3"}]"#,
    r#"[{"p50_ttft": "<=1s"}, {"p50_ttft": "<=2s"}, {"p50_ttft": "<=3s"}, {"p50_ttft": "<=4s"}, {"p50_ttft": "<=5s"},
        {"p50_ttft": "<=6s"}, {"p50_ttft": "<=7s"}, {"p50_ttft": "<=8s"}, {"p50_ttft": "<=9s"}, {"p50_ttft": "<=10s"}]"#,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_search_did_the_figure_is_whole(
        params in 0..PARAMS.len(),
        rate in any::<bool>(),
        answers in proptest::collection::vec(any_answer(), 0..11),
        stretches in proptest::collection::vec(any_stretch(), 0..60),
        subject in ".{0,300}",
    ) {
        let mut question = question(PARAMS[params]);
        if rate {
            question.variable = Variable::Rate;
        }
        let probes: Vec<Probe> = stretches.iter().map(|found| probe(&question, found.5, found.6)).collect();
        let stretches = stretches.iter().zip(&probes).map(|(found, probe)| Stretch {
            start: Nanos(found.0),
            counted_from: found.1.map(Nanos),
            end: Nanos(found.2),
            load: found.3,
            stage: &found.4,
            probe,
        });
        let picture = search_course(&SearchCourse {
            subject: &subject,
            question: &question,
            answers: &answers,
            stretches: stretches.collect(),
        });
        check(&picture.svg());
        check_page(&picture);
    }
}
