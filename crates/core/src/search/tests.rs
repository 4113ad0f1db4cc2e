//! Searches with drawn questions on drawn services, some of which refuse loads: they end, within their bounds, and no load
//! that was seen to fail is an answer.

use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use super::synthetic::{Service, course, question};
use super::{Bounds, Budget, Outcome, Question, Variable};
use crate::sla::{Criterion, Measure};

fn questions() -> impl Strategy<Value = Question> {
    let variables = select(vec![Variable::Users, Variable::Rate]);
    let groups = select(vec![
        r#"[{"p99_tpot":"<=200ms"}]"#,
        r#"[{"avg_latency":"<=3"}]"#,
        r#"[{"p90_ttft":"<=100ms","p99_tpot":"<=300ms"}]"#,
        r#"[{"tps":"max"}]"#,
        r#"[{"tps":"max","p90_tpot":"<=200ms"}]"#,
        r#"[{"rps":">=20"}]"#,
        r#"[{"p99_tpot":"<=200ms"},{"p90_tpot":"<=100ms"}]"#,
    ]);
    let budgets = 30..4000_u64;
    (
        variables,
        groups,
        1..20_u32,
        0..150_u32,
        0.0..=1.0_f64,
        budgets,
    )
        .prop_map(|(variable, groups, lowest, span, place, requests)| {
            let bounds = Bounds {
                lowest: f64::from(lowest),
                highest: f64::from(lowest + span),
            };
            Question {
                bounds,
                first: (bounds.lowest + place * f64::from(span)).floor(),
                budget: Budget {
                    requests: Some(requests),
                    ..Budget::default()
                },
                ..question(variable, groups)
            }
        })
}

fn is_of_requests(criterion: &Criterion) -> bool {
    !matches!(criterion.measure, Measure::Throughput(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_search_ends_within_its_bounds_and_below_what_fails(
        question in questions(),
        elasticity in 0.2..3.0_f64,
        sd in 0.01..1.0_f64,
        cliff in 0.0..200.0_f64,
        seed in 0..1000_u64,
    ) {
        let service = Service::log_normal(0.1, 50.0, elasticity, sd).failing_above(cliff);
        let course = course(&question, &service, seed);
        prop_assert_eq!(course.answers.len(), question.groups.len());
        let within = |load: f64| question.bounds.lowest <= load && load <= question.bounds.highest;
        for change in &course.changes {
            prop_assert!(within(change.load), "{}", change.load);
        }
        for (answer, group) in course.answers.iter().zip(&question.groups) {
            prop_assert!(!answer.reason.is_empty());
            prop_assert!(answer.load.is_none_or(within), "{:?}", answer);
            match answer.outcome {
                Outcome::Value | Outcome::NotReached => {
                    // A throughput may be measured before the first of its requests has ended.
                    let by_requests = group.aim.is_none() && group.criteria.iter().all(is_of_requests);
                    let load = answer.load.unwrap();
                    prop_assert!(load < course.lowest_failure || !by_requests, "{:?}", answer);
                }
                Outcome::Infeasible => prop_assert_eq!(answer.load, None),
                Outcome::Inconclusive => {}
                Outcome::Void | Outcome::Outpaced => {
                    prop_assert!(false, "there is no client and no race: {:?}", answer);
                }
            }
        }
    }
}
