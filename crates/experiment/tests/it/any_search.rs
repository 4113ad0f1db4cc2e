//! Searches with drawn questions on small engines in virtual time: they end, within their budget and their bounds, and
//! what they find does not depend on the order in which requests are reported.

use std::convert::Infallible;
use std::ops::ControlFlow;

use crestline_core::record::{InFlight, RequestRecord};
use crestline_core::request::Load;
use crestline_core::search::{Abort, Answer, Bounds, Budget, Outcome, Question, Search, Variable};
use crestline_core::sla::{Slo, parse_groups};
use crestline_core::units::Nanos;
use crestline_experiment::search::drive::{Happening, LoadSession, Shape, drive};
use crestline_experiment::virtual_subject::{
    SessionSettings, Until, VirtualRequest, VirtualSession,
};
use crestline_sim::profile::Profile;
use proptest::prelude::{
    ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::select;
use proptest::strategy::Just;

/// Looks at a session that a search has at most before a test calls it endless.
const MOST_LOOKS: u32 = 400_000;

/// In which order requests are reported that ended between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    AsTheyEnded,
    Reversed,
}

/// A session in virtual time that reports in an order of its own.
struct Reporting {
    session: VirtualSession,
    order: Order,
}

impl LoadSession for Reporting {
    type Error = Infallible;

    fn now(&self) -> Nanos {
        self.session.now()
    }

    fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) -> Result<(), Infallible> {
        self.session.change(load, join_over, abort);
        Ok(())
    }

    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), Infallible> {
        let mut ended = self.session.run_until(Until::Time(until));
        if self.order == Order::Reversed {
            ended.reverse();
        }
        ended.into_iter().for_each(each);
        Ok(())
    }

    fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        self.session.list_in_flight(list);
    }
}

/// What came of a search.
#[derive(Debug)]
struct Course {
    answers: Vec<Answer>,
    /// Loads that were applied.
    loads: Vec<f64>,
    sent: u64,
    time: Nanos,
    /// The longest time between two looks.
    longest_look: Nanos,
}

fn session(seed: u64, order: Order) -> Reporting {
    let settings = SessionSettings {
        seed,
        streamed: true,
    };
    let profile = Profile::load("gpu-small").unwrap();
    let source = Box::new(|index: u64| VirtualRequest {
        prompt_tokens: 50 + (index * 7919 % 200) as u32,
        answers: vec![2 + (index * 104_729 % 40) as u32],
        ..VirtualRequest::default()
    });
    Reporting {
        session: VirtualSession::new(&profile, settings, source),
        order,
    }
}

fn course(question: &Question, seed: u64, order: Order) -> Course {
    let mut search = Search::new(question.clone());
    let mut session = session(seed, order);
    let shape = Shape {
        variable: question.variable,
        fixed_parallel: None,
    };
    let mut course = Course {
        answers: Vec::new(),
        loads: Vec::new(),
        sent: 0,
        time: Nanos::ZERO,
        longest_look: Nanos::ZERO,
    };
    let mut looks = 0;
    let mut looked = Nanos::ZERO;
    let driven = drive(&mut search, &mut session, shape, &mut |_, happening| {
        let at = match happening {
            Happening::Record(_) => {
                course.sent += 1;
                return ControlFlow::Continue(());
            }
            Happening::Changed { at, change, .. } => {
                course.loads.push(change.load);
                at
            }
            Happening::Looked { at, .. } => at,
        };
        course.longest_look = course.longest_look.max(at.saturating_sub(looked));
        looked = at;
        looks += 1;
        assert!(looks < MOST_LOOKS, "it never ends");
        ControlFlow::Continue(())
    });
    match driven {
        Ok(()) => {}
        Err(never) => match never {},
    }
    course.time = session.session.now();
    course.longest_look = course.longest_look.max(course.time.saturating_sub(looked));
    course.sent += session.session.in_flight().len() as u64;
    course.answers = search
        .answers()
        .into_iter()
        .map(|answer| answer.cloned().expect("a search ends with all answers"))
        .collect();
    course
}

fn criteria() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        (
            select(vec!["p99_ttft", "avg_ttft", "p90_ttft"]),
            0.005..2.0_f64
        )
            .prop_map(|(name, limit)| format!(r#""{name}":"<={limit}""#)),
        (
            select(vec!["p99_latency", "avg_latency", "p99.9_latency"]),
            0.05..5.0_f64
        )
            .prop_map(|(name, limit)| format!(r#""{name}":"<={limit}""#)),
        (
            select(vec!["p99_tpot", "avg_tpot", "p99_itl"]),
            0.002..0.05_f64
        )
            .prop_map(|(name, limit)| format!(r#""{name}":"<={limit}""#)),
        (select(vec!["tps", "rps", "total_tps"])).prop_map(|name| format!(r#""{name}":"max""#)),
        (1.0..400.0_f64).prop_map(|least| format!(r#""rps":">={least}""#)),
        Just(r#""success_rate":">=99%""#.to_owned()),
    ];
    proptest::collection::vec(one, 1..3).prop_map(|groups| {
        let groups: Vec<String> = groups.iter().map(|group| format!("{{{group}}}")).collect();
        format!("[{}]", groups.join(","))
    })
}

fn budgets() -> impl Strategy<Value = Budget> {
    prop_oneof![
        (20..3000_u64).prop_map(|requests| Budget {
            requests: Some(requests),
            ..Budget::default()
        }),
        (1..60_u64).prop_map(|seconds| Budget {
            time: Some(Nanos::from_secs(seconds)),
            ..Budget::default()
        }),
        (500..60_000_u64).prop_map(|tokens| Budget {
            tokens: Some(tokens),
            ..Budget::default()
        }),
    ]
}

fn questions() -> impl Strategy<Value = Question> {
    let variables = select(vec![Variable::Users, Variable::Rate]);
    let bounds = (1..12_u32, 0..80_u32, 0.0..1.0_f64);
    (variables, bounds, criteria(), budgets()).prop_map(
        |(variable, (lowest, span, place), criteria, budget)| {
            let bounds = Bounds {
                lowest: f64::from(lowest),
                highest: f64::from(lowest + span),
            };
            let first = (bounds.lowest + place * f64::from(span)).floor();
            Question {
                variable,
                bounds,
                first,
                groups: parse_groups(&criteria, None).unwrap(),
                slo: Slo::default(),
                confidence: 0.9,
                tolerance: 0.05,
                budget,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_search_ends_within_its_budget_and_its_bounds(question in questions(), seed in 0..1000_u64) {
        let course = course(&question, seed, Order::AsTheyEnded);
        let bounds = question.bounds;
        for load in &course.loads {
            prop_assert!(bounds.lowest <= *load && *load <= bounds.highest, "{load}");
            let whole = load.fract() == 0.0;
            prop_assert!(whole || question.variable == Variable::Rate, "{load} users");
        }
        if let Some(time) = question.budget.time {
            let late = course.time.saturating_sub(time);
            prop_assert!(late <= course.longest_look && late <= Nanos::from_secs(1), "{late} late");
        }
        if let Some(requests) = question.budget.requests {
            // Looked at often: within a look, no more than the highest load is sent.
            let most = requests as f64 + bounds.highest;
            prop_assert!(course.sent as f64 <= most, "{} of {requests}", course.sent);
        }
    }

    #[test]
    fn an_answer_lies_within_the_bounds_and_says_why(question in questions(), seed in 0..1000_u64) {
        let course = course(&question, seed, Order::AsTheyEnded);
        prop_assert_eq!(course.answers.len(), question.groups.len());
        let within = |load: f64| question.bounds.lowest <= load && load <= question.bounds.highest;
        for answer in &course.answers {
            prop_assert!(!answer.reason.is_empty());
            prop_assert!(answer.load.is_none_or(within), "{answer:?}");
            if let Some(interval) = answer.interval {
                prop_assert!(interval.low <= interval.high, "{answer:?}");
            }
            match answer.outcome {
                Outcome::Value => prop_assert!(answer.load.is_some(), "{answer:?}"),
                Outcome::Infeasible => prop_assert!(answer.load.is_none(), "{answer:?}"),
                Outcome::NotReached => {
                    prop_assert_eq!(answer.load, Some(question.bounds.highest));
                }
                Outcome::Inconclusive => {}
                Outcome::Void | Outcome::Outpaced => {
                    prop_assert!(false, "there is no client and no race: {answer:?}");
                }
            }
        }
    }

    #[test]
    fn the_order_of_reports_changes_nothing(question in questions(), seed in 0..1000_u64) {
        let one = course(&question, seed, Order::AsTheyEnded);
        let other = course(&question, seed, Order::Reversed);
        prop_assert_eq!(one.loads, other.loads);
        prop_assert_eq!(one.answers, other.answers);
    }
}
