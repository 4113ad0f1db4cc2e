//! Whole runs of the simulated engine, played back to a search whose truth is known from long runs.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use crestline_core::metrics::Metric;
use crestline_core::record::Phase;
use crestline_core::request::LoadPoint;
use crestline_core::search::{Answer, Bounds, Budget, Outcome, Question, Search, Variable};
use crestline_core::sla::{Slo, parse_groups};
use crestline_core::summary::RunSummary;
use crestline_sim::profile::Profile;

use super::super::drive::{Shape, drive};
use super::*;
use crate::virtual_subject::{SessionSettings, VirtualRequest, VirtualSession};

/// Runs of the simulated engine, each on a fresh one.
struct Simulated {
    /// Requests of a run.
    requests: u64,
    made: Vec<Load>,
}

fn records(load: Load, requests: u64, seed: u64) -> Vec<RequestRecord> {
    let settings = SessionSettings {
        seed,
        streamed: true,
    };
    let request = |index: u64| VirtualRequest {
        prompt_tokens: 200 + (index * 7919 % 400) as u32,
        answers: vec![60 + (index * 104_729 % 120) as u32],
        ..VirtualRequest::default()
    };
    let profile = Profile::load("gpu-small").unwrap();
    let mut session = VirtualSession::new(&profile, settings, Box::new(request));
    session.measure(&LoadPoint {
        load,
        requests,
        warmup: 0,
        duration: None,
    })
}

impl WholeRuns for Simulated {
    type Error = NothingToPlay;

    fn run(&mut self, load: Load) -> Result<Vec<RequestRecord>, NothingToPlay> {
        self.made.push(load);
        Ok(records(load, self.requests, self.made.len() as u64))
    }
}

fn answer(variable: Variable, criteria: &str, requests: u64) -> (Answer, Vec<Load>) {
    let mut search = Search::new(Question {
        variable,
        bounds: Bounds {
            lowest: 1.0,
            highest: 512.0,
        },
        first: 1.0,
        groups: parse_groups(criteria, None).unwrap(),
        slo: Slo::default(),
        confidence: 0.9,
        tolerance: 0.05,
        budget: Budget::default(),
    });
    let shape = Shape {
        variable,
        fixed_parallel: None,
    };
    let mut session = Replay::new(Simulated {
        requests,
        made: Vec::new(),
    });
    drive(&mut search, &mut session, shape, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let answer = search.answers()[0].unwrap().clone();
    (answer, session.into_runs().made)
}

fn p99(load: Load, metric: Metric) -> f64 {
    let mut summary = RunSummary::new(LoadPoint {
        load,
        requests: 4000,
        warmup: 0,
        duration: None,
    });
    let all = records(load, 5000, 99);
    all.iter().skip(1000).for_each(|record| summary.add(record));
    summary.quantile(metric, 0.99).unwrap()
}

#[test]
fn a_closed_loop_is_met_at_the_answer_of_whole_runs_and_not_far_above() {
    let (answer, made) = answer(Variable::Users, r#"{"p99_tpot": "<=16ms"}"#, 600);
    assert_eq!(answer.outcome, Outcome::Value, "{answer:?}");
    let at = |factor: f64| {
        let users = NonZeroU32::new((answer.load.unwrap() * factor) as u32).unwrap();
        p99(Load::closed(users), Metric::Tpot)
    };
    assert!(at(0.9) <= 0.016 && at(1.3) > 0.016, "{answer:?}");
    assert!(made.len() < 60, "{} runs", made.len());
}

#[test]
fn an_open_loop_is_met_at_the_answer_of_whole_runs_and_not_far_above() {
    let (answer, _) = answer(Variable::Rate, r#"{"p99_ttft": "<=120ms"}"#, 1500);
    assert_eq!(answer.outcome, Outcome::Value, "{answer:?}");
    let at = |factor: f64| {
        let rate = crestline_core::units::Rate::per_second(answer.load.unwrap() * factor);
        p99(Load::open(rate.unwrap()), Metric::TtftFromDue)
    };
    assert!(at(0.85) <= 0.12 && at(1.4) > 0.12, "{answer:?}");
}

/// One after the other, each a second long.
struct Steady(u64);

impl WholeRuns for Steady {
    type Error = NothingToPlay;

    fn run(&mut self, _: Load) -> Result<Vec<RequestRecord>, NothingToPlay> {
        let record = |index: u64| RequestRecord {
            due: Nanos::from_secs(100 + index),
            sent: Nanos::from_secs(100 + index),
            end: Nanos::from_secs(101 + index),
            ..RequestRecord::new(index, Phase::Measured)
        };
        Ok((0..self.0).map(record).collect())
    }
}

#[test]
fn neither_the_filling_nor_the_emptying_of_a_run_is_played() {
    let mut session = Replay::new(Steady(5));
    let one = Load::closed(NonZeroU32::MIN);
    session.change(one, Nanos::ZERO, Abort::Nothing).unwrap();
    let mut sent = Vec::new();
    let mut take = |record: RequestRecord| sent.push((record.index, record.sent.as_secs_f64()));
    session.advance(Nanos::from_secs(7), &mut take).unwrap();
    // Of each run the first is the filling, and the last is sent when the next run begins.
    let expected: Vec<(u64, f64)> = (0..7).map(|index| (index, index as f64)).collect();
    assert_eq!(sent, expected);
    let mut flights = Vec::new();
    session.list_in_flight(&mut flights);
    assert!(flights.iter().all(|flight| flight.sent <= session.now()));
}

#[test]
fn a_run_that_is_over_before_all_users_had_an_answer_says_nothing() {
    let mut session = Replay::new(Steady(5));
    let six = Load::closed(NonZeroU32::new(6).unwrap());
    session.change(six, Nanos::ZERO, Abort::Nothing).unwrap();
    let refused = session.advance(Nanos::from_secs(1), &mut |_| {});
    assert_eq!(refused, Err(NothingToPlay { requests: 5 }));
}

#[test]
fn what_a_change_gives_up_is_told_at_once() {
    let mut session = Replay::new(Steady(9));
    let one = Load::closed(NonZeroU32::MIN);
    session.change(one, Nanos::ZERO, Abort::Nothing).unwrap();
    session.advance(Nanos(1_500_000_000), &mut |_| {}).unwrap();
    session.change(one, Nanos::ZERO, Abort::All).unwrap();
    let mut given_up = Vec::new();
    let mut take = |record: RequestRecord| given_up.extend(record.failure.map(|one| one.kind));
    session.advance(Nanos(1_600_000_000), &mut take).unwrap();
    assert_eq!(given_up, [FailureKind::Cancelled]);
}
