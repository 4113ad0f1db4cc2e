//! The best throughput of services of which it is a formula.

use super::super::synthetic::{Course, Fate, Service, course, question};
use super::super::{Answer, Outcome, Question, Variable};

fn users(groups: &str) -> Question {
    question(Variable::Users, groups)
}

/// 20 tokens a request, each in 20 ms and more by the share `(users / 60)^2`: best at 60 users, with 30 tokens a second each.
fn peaked() -> Service {
    Service::of_gaps(20, |load, draws| {
        0.02 * (1.0 + (load / 60.0).powi(2)) * (0.05 * draws.normal()).exp()
    })
}

fn throughput(users: f64) -> f64 {
    users / (0.02 * (1.0 + (users / 60.0).powi(2)))
}

/// Works on 40 requests at a time.
fn full_at_40() -> Service {
    Service {
        slots: 40,
        serve: Box::new(|_, draws| {
            let gap = 0.02 * (0.05 * draws.normal()).exp();
            Fate {
                first: gap,
                gap,
                tokens: 20,
                fails: false,
            }
        }),
    }
}

fn answer(course: &Course) -> &Answer {
    assert_eq!(course.answers.len(), 1);
    &course.answers[0]
}

#[test]
fn the_load_of_a_peak_comes_within_two_percent_of_the_best() {
    for seed in 0..4 {
        let course = course(&users(r#"[{"tps":"max"}]"#), &peaked(), seed);
        let answer = answer(&course);
        assert_eq!(answer.outcome, Outcome::Value);
        let reached = throughput(answer.load.unwrap()) / throughput(60.0);
        assert!(
            reached > 0.96,
            "seed {seed}: {reached} at {:?}",
            answer.load
        );
        assert!(
            answer.load.unwrap() <= 66.0,
            "seed {seed}: {:?}",
            answer.load
        );
        let best = answer.best.unwrap() / throughput(60.0);
        assert!((0.97..1.03).contains(&best), "seed {seed}: {best}");
    }
}

#[test]
fn on_a_plateau_the_smallest_load_is_the_answer() {
    let course = course(&users(r#"[{"tps":"max"}]"#), &full_at_40(), 2);
    let load = answer(&course).load.unwrap();
    assert!((37.0..=43.0).contains(&load), "{load}");
    assert!(course.changes.iter().all(|change| change.load <= 320.0));
}

#[test]
fn the_least_latency_is_that_of_the_lowest_load() {
    let mut question = users(r#"[{"avg_latency":"min"}]"#);
    question.first = 1.0;
    let course = course(&question, &peaked(), 1);
    let answer = answer(&course);
    assert!(answer.load.unwrap() <= 10.0, "{answer:?}");
    let best = answer.best.unwrap();
    assert!((0.37..0.43).contains(&best), "{best}");
}

#[test]
fn an_aim_is_sought_below_its_limits() {
    // 20 tokens in 0.5 s: 60 sqrt(0.25) = 30 users, on the median.
    let question = users(r#"[{"tps":"max","avg_latency":"<=0.5"}]"#);
    let mut values = 0;
    for seed in 1..8 {
        let course = course(&question, &peaked(), seed);
        let answer = answer(&course);
        assert!((25.0..=31.0).contains(&answer.load.unwrap()), "{answer:?}");
        values += u32::from(answer.outcome == Outcome::Value);
    }
    // A mean is not always told within the default budget.
    assert!(values >= 4, "{values}");
}

#[test]
fn no_load_at_which_requests_fail_is_best() {
    let course = course(
        &users(r#"[{"tps":"max"}]"#),
        &full_at_40().failing_above(25.0),
        1,
    );
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::Value);
    assert!(answer.load.unwrap() <= 25.0, "{answer:?}");
}
