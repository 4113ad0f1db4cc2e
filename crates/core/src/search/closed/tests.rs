//! Searches of closed loops on services of which the truth is a formula.

use super::super::synthetic::{Course, Service, course, question};
use super::super::{Abort, Bounds, Budget, Outcome, Question, Search, Step, Variable};
use crate::units::Nanos;

/// 99 % of a standard normal distribution lie below.
const Z99: f64 = 2.326_348;

fn users(groups: &str) -> Question {
    question(Variable::Users, groups)
}

/// TPOT of 100 ms in the median at 50 users, proportional to the load, with a spread of 10 %.
fn service() -> Service {
    Service::log_normal(0.1, 50.0, 1.0, 0.1)
}

/// The load at which the 99th percentile of [`service`] is this, in seconds.
fn truth(limit: f64) -> f64 {
    50.0 * limit / 0.1 / (0.1 * Z99).exp()
}

fn answer(course: &Course) -> &super::super::Answer {
    assert_eq!(course.answers.len(), 1);
    &course.answers[0]
}

#[test]
fn a_crossing_is_found_within_the_tolerance() {
    let question = users(r#"[{"p99_tpot":"<=160ms"}]"#);
    let truth = truth(0.16);
    for seed in 0..8 {
        let course = course(&question, &service(), seed);
        let answer = answer(&course);
        assert_eq!(answer.outcome, Outcome::Value, "seed {seed}");
        let error = answer.load.unwrap() / truth - 1.0;
        assert!((-0.07..0.03).contains(&error), "seed {seed}: {error}");
        let interval = answer.interval.unwrap();
        assert!(interval.low <= answer.load.unwrap());
        assert!(
            interval.low < truth && truth < interval.high + 1.0,
            "{interval:?}"
        );
    }
}

#[test]
fn the_knee_is_as_sharp_as_the_service_makes_it() {
    let course = course(&users(r#"[{"p99_tpot":"<=160ms"}]"#), &service(), 1);
    // The hazard of a normal distribution at its 99th percentile is 2.67 for each standard deviation.
    let truth = 2.67 / 0.1 / 0.99;
    let beta = answer(&course).knee.unwrap().beta;
    assert!((0.6..1.6).contains(&(beta / truth)), "{beta}");
}

#[test]
fn a_mean_has_a_crossing_too() {
    let question = users(r#"[{"avg_tpot":"<=160ms"}]"#);
    let truth = 50.0 * 1.6 / (0.1_f64.powi(2) / 2.0).exp();
    for seed in 0..4 {
        let course = course(&question, &service(), seed);
        let error = answer(&course).load.unwrap() / truth - 1.0;
        assert!((-0.06..0.02).contains(&error), "seed {seed}: {error}");
    }
}

#[test]
fn the_criterion_that_is_broken_first_binds() {
    let question = users(r#"[{"p99_tpot":"<=160ms","p99_latency":"<=2.4s"}]"#);
    let course = course(&question, &service(), 3);
    let answer = answer(&course);
    // 20 tokens: a latency of 2.4 s is a TPOT of 120 ms.
    let error = answer.load.unwrap() / truth(0.12) - 1.0;
    assert!((-0.07..0.03).contains(&error), "{error}");
    assert!(answer.binding.unwrap().to_string().contains("latency"));
}

#[test]
fn a_limit_that_one_user_breaks_is_infeasible() {
    let course = course(&users(r#"[{"p99_tpot":"<=1ms"}]"#), &service(), 1);
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::Infeasible);
    assert_eq!(answer.load, None);
    assert!(answer.reason.contains("tpot"), "{}", answer.reason);
    assert!(course.records.len() < 150, "{}", course.records.len());
}

#[test]
fn a_limit_beyond_the_bounds_is_not_reached() {
    let mut question = users(r#"[{"p99_tpot":"<=160ms"}]"#);
    question.bounds.highest = 40.0;
    let course = course(&question, &service(), 1);
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::NotReached);
    assert_eq!(answer.load, Some(40.0));
    assert!(course.changes.iter().all(|change| change.load <= 40.0));
}

#[test]
fn the_load_below_the_first_failure_is_the_answer() {
    let question = users(r#"[{"p99_tpot":"<=1s"}]"#);
    let course = course(&question, &service().failing_above(37.0), 1);
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::Value);
    assert_eq!(answer.load, Some(37.0));
    assert!(
        answer.reason.starts_with("requests fail at 38"),
        "{}",
        answer.reason
    );
}

#[test]
fn failures_are_located_before_the_budget_is_used_up() {
    let question = users(r#"[{"p99_tpot":"<=1s"}]"#);
    for cliff in 50..70 {
        let cliff = f64::from(cliff);
        let course = course(&question, &service().failing_above(cliff), 1);
        let answer = answer(&course);
        assert_eq!(answer.outcome, Outcome::Value, "{cliff}");
        let part = answer.load.unwrap() / cliff;
        assert!((0.96..=1.0).contains(&part), "{cliff}: {answer:?}");
        assert!(
            course.records.len() < 5000,
            "{cliff}: {}",
            course.records.len()
        );
    }
}

#[test]
fn a_service_that_always_fails_is_given_up_early() {
    let question = users(r#"[{"p99_tpot":"<=1s"}]"#);
    let course = course(&question, &service().failing_above(0.0), 1);
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::Infeasible);
    assert_eq!(answer.reason, "no request was answered");
    assert!(course.records.len() < 20);
}

#[test]
fn a_budget_that_is_too_small_leaves_a_range_and_a_price() {
    let mut question = users(r#"[{"p99_tpot":"<=160ms"}]"#);
    question.budget = Budget {
        requests: Some(700),
        ..Budget::default()
    };
    let course = course(&question, &service(), 1);
    let answer = answer(&course);
    assert_eq!(answer.outcome, Outcome::Inconclusive);
    assert_eq!(answer.reason, "the requests are used up");
    assert!(answer.requests_needed.unwrap() > 0);
    let interval = answer.interval.unwrap();
    assert!(interval.low < truth(0.16) && truth(0.16) < interval.high);
}

#[test]
fn users_that_join_do_so_over_time_and_surplus_is_given_up() {
    let course = course(&users(r#"[{"p99_tpot":"<=160ms"}]"#), &service(), 1);
    for pair in course.changes.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        assert!(after.load.fract() == 0.0);
        if after.load > before.load {
            assert!(after.join_over > Nanos::ZERO && after.abort == Abort::Nothing);
        } else {
            assert!(after.join_over == Nanos::ZERO && after.abort == Abort::Surplus);
        }
    }
    assert!(
        course
            .changes
            .windows(2)
            .any(|pair| pair[1].load < pair[0].load)
    );
}

#[test]
fn a_range_of_one_load_is_answered() {
    let mut question = users(r#"[{"p99_tpot":"<=160ms"}]"#);
    question.bounds = Bounds {
        lowest: 30.0,
        highest: 30.0,
    };
    question.first = 30.0;
    let course = course(&question, &service(), 1);
    assert_eq!(answer(&course).outcome, Outcome::NotReached);
    assert_eq!(answer(&course).load, Some(30.0));
}

#[test]
fn two_groups_share_what_was_seen() {
    let one = course(&users(r#"[{"p99_tpot":"<=160ms"}]"#), &service(), 1);
    let both = course(
        &users(r#"[{"p99_tpot":"<=160ms"},{"p99_tpot":"<=180ms"}]"#),
        &service(),
        1,
    );
    let other = course(&users(r#"[{"p99_tpot":"<=180ms"}]"#), &service(), 1);
    for (answer, limit) in both.answers.iter().zip([0.16, 0.18]) {
        let error = answer.load.unwrap() / truth(limit) - 1.0;
        assert!((-0.07..0.03).contains(&error), "{limit}: {error}");
    }
    assert!(both.records.len() < one.records.len() + other.records.len());
    assert!(both.time < one.time.saturating_add(other.time));
}

#[test]
fn a_client_that_fails_twice_at_the_lowest_load_voids_the_search() {
    let question = users(r#"[{"p99_tpot":"<=160ms"}]"#);
    let mut search = Search::new(question);
    let Step::Change(first) = search.step(Nanos::ZERO, &[]) else {
        panic!("a search begins with a load");
    };
    assert!((first.load - 1.0).abs() < 1e-12);
    search.void("the client is too slow");
    assert_eq!(search.answers()[0], None, "once may be chance");
    search.step(Nanos::from_secs(1), &[]);
    search.void("the client is too slow");
    // There is nothing below the lowest load.
    let answer = search.answers()[0].unwrap();
    assert_eq!(answer.outcome, Outcome::Void);
    assert_eq!(answer.reason, "the client is too slow");
    assert_eq!(search.step(Nanos::from_secs(2), &[]), Step::Done);
}
