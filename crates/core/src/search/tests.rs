//! Searches with drawn questions on drawn services, some of which refuse loads: they end, within their bounds, and no load
//! that was seen to fail is an answer.

use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use std::ops::ControlFlow;

use super::race::{Lost, Race, Seat, State};
use super::synthetic::{Service, course, question, watched};
use super::{Bounds, Budget, Outcome, Question, Search, Variable};
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

const ONE: &str = r#"[{"p99_tpot":"<=160ms"}]"#;
const TWO: &str = r#"[{"p99_tpot":"<=160ms"},{"p99_tpot":"<=200ms"}]"#;

/// Keeps a p99 of 160 ms up to this many users: `0.1 (x / at) exp(2.3263 0.1) = 0.16`.
fn truth(at: f64) -> f64 {
    at * 1.6 / 0.232_63_f64.exp()
}

fn service(at: f64) -> Service {
    Service::log_normal(0.1, at, 1.0, 0.1)
}

#[test]
fn a_group_that_is_stopped_has_its_reason_and_the_others_go_on() {
    let question = question(Variable::Users, TWO);
    let search = Search::new(question.clone());
    let stopped = watched(search, &service(50.0), 1, &mut |search, _| {
        if search.reach(0, 0.02).is_bounded() {
            search.outpace(0, "another one is better");
        }
        ControlFlow::Continue(())
    });
    let whole = course(&question, &service(50.0), 1);
    let [first, second] = &stopped.answers[..] else {
        panic!("{:?}", stopped.answers);
    };
    assert_eq!(first.outcome, Outcome::Outpaced);
    assert_eq!(
        (first.load, first.reason.as_str()),
        (None, "another one is better")
    );
    assert_eq!(second.outcome, Outcome::Value);
    let ratio = second.load.unwrap() / whole.answers[1].load.unwrap();
    assert!((0.9..=1.1).contains(&ratio), "{stopped:?}");
    assert!(stopped.time < whole.time);
}

#[test]
fn the_group_in_focus_is_settled_first() {
    let mut search = Search::new(question(Variable::Users, TWO));
    search.focus(1);
    let mut order = Vec::new();
    watched(search, &service(50.0), 1, &mut |search, _| {
        for (group, _) in search.settled() {
            if !order.contains(&group) {
                order.push(group);
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(order[0], 1);
}

#[test]
fn an_answer_of_an_earlier_session_is_not_looked_for_again() {
    let question = question(Variable::Users, ONE);
    let before = course(&question, &service(50.0), 1);
    let mut search = Search::new(question);
    search.restore_answer(0, before.answers[0].clone());
    let after = watched(search, &service(50.0), 1, &mut |_, _| {
        ControlFlow::Continue(())
    });
    assert_eq!(after.answers, before.answers);
    assert!(after.changes.is_empty());
}

#[test]
fn bounds_hold_the_truth_while_a_search_runs() {
    let truth = truth(50.0);
    let mut wrong = 0;
    for seed in 0..40 {
        let search = Search::new(question(Variable::Users, ONE));
        let mut is_wrong = false;
        let mut is_known = false;
        watched(search, &service(50.0), seed, &mut |search, _| {
            let reach = search.reach(0, 0.01);
            is_known |= reach.is_bounded() && reach.low > 0.0;
            is_wrong |= reach.low > truth || reach.high.is_some_and(|high| high < truth.floor());
            ControlFlow::Continue(())
        });
        assert!(is_known, "{seed}");
        wrong += usize::from(is_wrong);
    }
    assert!(wrong <= 4, "{wrong} of 40");
}

/// Searches services in turns, each turn in a session of its own that begins anew.
fn raced(services: &[Service], seed: u64) -> Race {
    let why = |_: &Lost| "another one is better".to_owned();
    let question = question(Variable::Users, TWO);
    let mut race = Race::new(&vec![vec![true; 2]; services.len()], 0.9);
    let mut turns = 0;
    while let Some(turn) = race.next() {
        let mut seat = Seat::new(turn.lane, 0..2, turn.slice);
        let search = Search::new(question.clone());
        watched(search, &services[turn.lane], seed, &mut |search, spent| {
            race.look(&mut seat, search, spent, &why)
        });
        race.turn_over(turn.lane, seat.lasted());
        turns += 1;
        assert!(turns < 20, "{race:?}");
    }
    race
}

#[test]
fn a_service_that_is_clearly_worse_is_out_of_both_contests() {
    let services = [service(20.0), service(50.0)];
    let race = raced(&services, 1);
    for place in &race.lanes()[0].places {
        let State::Out(lost) = &place.state else {
            panic!("{race:?}");
        };
        assert_eq!(lost.to, 1);
        assert!(lost.own.high.unwrap() < lost.best.low);
    }
    let is_out = |place: &super::race::Place| matches!(place.state, State::Out(_));
    assert!(!race.lanes()[1].places.iter().any(is_out), "{race:?}");
}
