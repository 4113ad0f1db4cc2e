//! Searches of open loops on a queue of which the waiting times are a formula.

use super::super::synthetic::{Course, Fate, Service, course, question};
use super::super::{Abort, Answer, Outcome, Question, Variable};

const SERVERS: usize = 8;
/// Mean time that a request takes, in seconds.
const WORK: f64 = 0.4;

fn rate(groups: &str) -> Question {
    let mut question = question(Variable::Rate, groups);
    question.bounds.highest = 100.0;
    question
}

/// Poisson arrivals, one queue, exponential times (M/M/c).
fn queue() -> Service {
    Service {
        slots: SERVERS,
        serve: Box::new(|_, draws| Fate {
            first: 1e-6,
            gap: draws.exponential(WORK / 9.0),
            tokens: 10,
            fails: false,
        }),
    }
}

/// The share of requests that wait longer than this (Erlang C).
fn late(rate: f64, limit: f64) -> f64 {
    let offered = rate * WORK;
    let (mut term, mut sum) = (1.0, 0.0);
    for n in 0..SERVERS {
        sum += term;
        term *= offered / (n + 1) as f64;
    }
    let free = SERVERS as f64 / WORK - rate;
    let full = term * SERVERS as f64 / (SERVERS as f64 - offered);
    full / (sum + full) * (-free * limit).exp()
}

/// The highest rate at which at most this share waits longer.
fn truth(share: f64, limit: f64) -> f64 {
    let (mut low, mut high) = (0.1, SERVERS as f64 / WORK - 1e-6);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if late(middle, limit) <= share {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn answer(course: &Course) -> &Answer {
    assert_eq!(course.answers.len(), 1);
    &course.answers[0]
}

#[test]
fn the_rate_at_which_a_queue_grows_too_long_is_found() {
    let truth = truth(0.1, 0.5);
    let mut covered = 0;
    for seed in 0..6 {
        let course = course(&rate(r#"[{"p90_ttft":"<=0.5"}]"#), &queue(), seed);
        let answer = answer(&course);
        let error = answer.load.unwrap() / truth - 1.0;
        assert!((-0.12..0.04).contains(&error), "seed {seed}: {error}");
        let interval = answer.interval.unwrap();
        covered += usize::from(interval.low <= truth && truth <= interval.high);
    }
    assert!(covered >= 5, "{covered} of 6");
}

#[test]
fn an_overload_is_drained_by_dropping_its_queue() {
    let course = course(&rate(r#"[{"p90_ttft":"<=0.5"}]"#), &queue(), 1);
    let overload = course
        .changes
        .iter()
        .position(|change| change.load > SERVERS as f64 / WORK)
        .unwrap();
    assert_eq!(course.changes[overload + 1].abort, Abort::Queue);
    assert!(course.changes[overload + 1].load < course.changes[overload].load);
    let surplus = |change: &super::super::Change| change.abort == Abort::Surplus;
    assert!(!course.changes.iter().any(surplus));
}

#[test]
fn a_limit_below_what_an_idle_service_needs_is_infeasible() {
    let course = course(&rate(r#"[{"p90_latency":"<=0.05"}]"#), &queue(), 1);
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::Infeasible);
    assert_eq!(answer.load, None);
}

#[test]
fn a_limit_that_holds_up_to_the_bound_is_not_reached() {
    let mut question = rate(r#"[{"p90_ttft":"<=0.5"}]"#);
    question.bounds.highest = 8.0;
    let course = course(&question, &queue(), 1);
    assert_eq!(answer(&course).outcome, Outcome::NotReached);
    assert_eq!(answer(&course).load, Some(8.0));
}

#[test]
fn no_rate_at_which_a_request_fails_is_an_answer() {
    let course = course(
        &rate(r#"[{"p90_ttft":"<=0.5"}]"#),
        &queue().failing_above(12.0),
        1,
    );
    let answer = answer(&course);
    assert!(answer.load.unwrap() <= 12.0, "{answer:?}");
    assert_ne!(answer.outcome, Outcome::NotReached);
}
