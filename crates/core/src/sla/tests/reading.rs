//! What is read from criteria and limits, and printed of them.

use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::select;

use super::slo;
use crate::metrics::Unit;
use crate::sla::{Aim, Criterion, Goal, Group, Measure, Relation, Timed, parse_groups, parse_slo};

/// How `text` is read: in the short form, then with units; a line for each group.
fn check(text: &str, expected: &Expect) {
    let groups = parse_groups(text, Some(&slo())).unwrap();
    let lines = groups
        .iter()
        .map(|group| format!("{group} | {}\n", group.reading()));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn the_documented_criteria_are_read_and_printed_as_documented() {
    check(
        r#"[{"p99_latency": "<=2"}]"#,
        &expect![[r"
            p99_latency <= 2.0 | p99_latency <= 2 s
        "]],
    );
    check(
        r#"[{"tps": "max"}]"#,
        &expect![[r"
            tps -> max | tps -> max (tok/s)
        "]],
    );
    check(
        r#"[{"p99_ttft": "<0.05"}, {"p99_ttft": "<0.01"}]"#,
        &expect![[r"
            p99_ttft < 0.05 | p99_ttft < 0.05 s (50 ms)
            p99_ttft < 0.01 | p99_ttft < 0.01 s (10 ms)
        "]],
    );
    check(
        r#"{"tps": " Max ", "p99_ttft": " ≤ 1 s ", "p99_tpot": "<50 ms"}"#,
        &expect![[r"
            p99_ttft <= 1.0, p99_tpot < 0.05, tps -> max | p99_ttft <= 1 s, p99_tpot < 0.05 s (50 ms), tps -> max (tok/s)
        "]],
    );
}

#[test]
fn thresholds_are_read_in_every_unit_of_their_metric() {
    check(
        r#"[{"avg_itl": "<100us", "p99.9_latency": "<=1.5e1s", "p50_tpot": "<= 2e-3"},
            {"rps": ">= 10 req/s", "tps": ">500", "total_tps": "≥1e3tok/s"},
            {"success_rate": ">=99.5%", "goodput": ">0.95"},
            {"success_rate": ">=99.5", "goodput": ">=1"},
            {"goodput": "max"}]"#,
        &expect![[r"
            avg_itl < 0.0001, p99.9_latency <= 15.0, p50_tpot <= 0.002 | avg_itl < 0.0001 s (100 us), p99.9_latency <= 15 s, p50_tpot <= 0.002 s (2 ms)
            rps >= 10.0, tps > 500.0, total_tps >= 1000.0 | rps >= 10 req/s, tps > 500 tok/s, total_tps >= 1000 tok/s
            success_rate >= 0.995, goodput > 0.95 | success_rate >= 99.5 %, goodput > 95 %
            success_rate >= 0.995, goodput >= 1.0 | success_rate >= 99.5 %, goodput >= 100 %
            goodput -> max | goodput -> max (%)
        "]],
    );
}

#[test]
fn a_metric_may_stand_twice_in_a_group_with_two_comparisons() {
    check(
        r#"{"p99_ttft": "<=2s", "p99_ttft": "<1s", "tps": ">=100", "tps": "max"}"#,
        &expect![[r"
            p99_ttft <= 2.0, p99_ttft < 1.0, tps >= 100.0, tps -> max | p99_ttft <= 2 s, p99_ttft < 1 s, tps >= 100 tok/s, tps -> max (tok/s)
        "]],
    );
}

#[test]
fn every_measure_is_found_by_the_name_it_prints() {
    let names: Vec<_> = Measure::all().map(|measure| measure.to_string()).collect();
    expect!["avg_latency avg_ttft avg_tpot avg_itl p50_latency p50_ttft p50_tpot p50_itl p90_latency p90_ttft p90_tpot p90_itl p95_latency p95_ttft p95_tpot p95_itl p99_latency p99_ttft p99_tpot p99_itl p99.9_latency p99.9_ttft p99.9_tpot p99.9_itl rps tps total_tps success_rate goodput"]
        .assert_eq(&names.join(" "));
    for (measure, name) in Measure::all().zip(names) {
        assert_eq!(Measure::named(&name), Some(measure));
    }
    assert_eq!(Measure::named("p75_ttft"), None);
}

#[test]
fn limits_of_single_requests_are_read_in_one_text_or_several() {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let slo = parse_slo(&texts(&["ttft:500ms", "tpot:50ms", "e2el:2"])).unwrap();
    assert_eq!(
        slo.limits,
        [
            (Timed::Ttft, 0.5),
            (Timed::Tpot, 0.05),
            (Timed::Latency, 2.0)
        ]
    );
    assert_eq!(
        slo.to_string(),
        "ttft <= 0.5 s (500 ms), tpot <= 0.05 s (50 ms), latency <= 2 s"
    );
    assert_eq!(
        parse_slo(&texts(&["ttft:500ms tpot:50ms,", "latency:2s"])).unwrap(),
        slo
    );
}

/// A group that can be searched for.
fn group() -> impl Strategy<Value = Group> {
    let measures = || select(Measure::all().collect::<Vec<_>>());
    let criterion =
        (measures(), any::<bool>(), 1e-7..1e6_f64).prop_map(|(measure, strict, value)| {
            let (relation, share) = match (measure.unit(), strict) {
                (Unit::Seconds, true) => (Relation::Below, false),
                (Unit::Seconds, false) => (Relation::AtMost, false),
                (unit, true) => (Relation::Above, unit == Unit::Fraction),
                (unit, false) => (Relation::AtLeast, unit == Unit::Fraction),
            };
            Criterion {
                measure,
                relation,
                threshold: if share { value / 1e6 } else { value },
            }
        });
    let aim = measures().prop_map(|measure| Aim {
        measure,
        goal: match measure.unit() {
            Unit::Seconds => Goal::Min,
            _ => Goal::Max,
        },
    });
    (vec(criterion, 1..5), option::of(aim)).prop_map(|(criteria, aim)| {
        let mut group = Group {
            criteria: Vec::new(),
            aim,
        };
        for new in criteria {
            let known =
                |old: &Criterion| old.measure == new.measure && old.relation == new.relation;
            if !group.criteria.iter().any(known) {
                group.criteria.push(new);
            }
        }
        group
    })
}

/// JSON of what a group prints: `p99_ttft <= 2.0` as `"p99_ttft": "<= 2.0"`.
fn json_of(printed: &str) -> String {
    let members = printed.split(", ").map(|part| {
        let (name, condition) = part.split_once(' ').unwrap();
        let condition = condition.strip_prefix("-> ").unwrap_or(condition);
        format!("\"{name}\": \"{condition}\"")
    });
    format!("[{{{}}}]", members.collect::<Vec<_>>().join(", "))
}

/// JSON of any shape, with keys and conditions that are sometimes right.
fn any_json() -> impl Strategy<Value = String> {
    let name = || {
        prop_oneof![
            select(vec!["p99_ttft", "tps", "goodput", "success_rate"]).prop_map(str::to_owned),
            "[a-z0-9_.]{0,8}"
        ]
    };
    let condition = prop_oneof![
        "(<|<=|>|>=|≤|≥|=|) ?[-+]?[0-9.eE]{0,6} ?(s|ms|us|µs|%|tok/s|req/s|x|)",
        select(vec!["max", "min", "", "inf", "<nan"]).prop_map(str::to_owned),
    ]
    .prop_map(|text| format!("\"{text}\""));
    let leaf = prop_oneof![
        condition,
        any::<f64>().prop_map(|number| format!("{number:?}")),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let member =
            (name(), inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_group_prints_is_read_back(group in group()) {
        let read = parse_groups(&json_of(&group.to_string()), Some(&slo()));
        prop_assert_eq!(read, Ok(vec![group]));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), after in "[\\[{\"a-z0-9_<>=:.,µ ]{0,40}") {
        for text in [text, after] {
            if let Err(error) = parse_groups(&text, None) {
                prop_assert_eq!(error.to_string().is_empty() || error.hint().is_empty(), false);
            }
            if let Err(error) = parse_slo(&[text]) {
                prop_assert_eq!(error.to_string().is_empty() || error.hint().is_empty(), false);
            }
        }
    }

    #[test]
    fn any_json_is_read_or_refused(text in any_json()) {
        if let Ok(groups) = parse_groups(&text, Some(&slo())) {
            for group in groups {
                let again = parse_groups(&json_of(&group.to_string()), Some(&slo()));
                prop_assert_eq!(again, Ok(vec![group]));
            }
        }
    }
}
