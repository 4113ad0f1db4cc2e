//! A search and a session with a service, brought together: what the search asks for is applied, and what is seen is told.
//!
//! Stores and shows nothing: whoever calls is handed every record and every change.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use crestline_core::record::{InFlight, RequestRecord};
use crestline_core::request::Load;
use crestline_core::search::{Abort, Change, Search, Status, Step, Variable};
use crestline_core::units::{Nanos, Rate};

use crate::virtual_subject::{Until, VirtualSession};

/// One uninterrupted session with a service, whose load is changed in place.
pub trait LoadSession {
    /// What can go wrong with it.
    type Error;

    /// The session's time.
    fn now(&self) -> Nanos;

    /// Applies another load from now on.
    fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) -> Result<(), Self::Error>;

    /// Lets time pass, and hands over the requests that end. May return early where the user asked to stop.
    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), Self::Error>;

    /// Writes the requests in flight over what the list held.
    fn list_in_flight(&self, list: &mut Vec<InFlight>);
}

/// What happens while a search is driven.
#[derive(Debug)]
pub enum Happening {
    /// A request has ended.
    Record(Box<RequestRecord>),
    /// Another load is applied from now on.
    Changed {
        /// When.
        at: Nanos,
        /// To what.
        change: Change,
        /// How far the search is.
        status: Status,
    },
    /// The search looked at the session, and lets it go on.
    Looked {
        /// When.
        at: Nanos,
        /// How far it is.
        status: Status,
    },
}

/// How a search is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What a load of the search is counted in.
    pub variable: Variable,
    /// The highest number of requests in flight, where a rate is varied; `None` is a true open loop.
    pub fixed_parallel: Option<NonZeroU32>,
}

impl Shape {
    /// The load that a number of the search stands for.
    pub fn load(self, number: f64) -> Load {
        match self.variable {
            Variable::Users => {
                let users = NonZeroU32::new(number.round() as u32).unwrap_or(NonZeroU32::MIN);
                Load::closed(users)
            }
            Variable::Rate => {
                let least = Rate::per_second(1e-6).expect("a positive rate");
                let rate = Rate::per_second(number).unwrap_or(least);
                Load {
                    concurrency: self.fixed_parallel,
                    ..Load::open(rate)
                }
            }
        }
    }
}

/// Drives a search to its end. A break of `each` ends it early, with the answers that can be given by then.
pub fn drive<S: LoadSession>(
    search: &mut Search,
    session: &mut S,
    shape: Shape,
    each: &mut dyn FnMut(&mut Search, Happening) -> ControlFlow<String>,
) -> Result<(), S::Error> {
    let mut in_flight = Vec::new();
    loop {
        session.list_in_flight(&mut in_flight);
        let at = session.now();
        let step = search.step(at, &in_flight);
        let status = search.status();
        let (until, happening) = match step {
            Step::Done => return Ok(()),
            Step::Wait(until) => (until, Happening::Looked { at, status }),
            Step::Change(change) => {
                session.change(shape.load(change.load), change.join_over, change.abort)?;
                (at, Happening::Changed { at, change, status })
            }
        };
        let mut flow = each(search, happening);
        session.advance(until, &mut |record| {
            search.ended(&record);
            if flow.is_continue() {
                flow = each(search, Happening::Record(Box::new(record)));
            }
        })?;
        if let ControlFlow::Break(why) = flow {
            search.give_up(&why);
        }
    }
}

impl LoadSession for VirtualSession {
    type Error = std::convert::Infallible;

    fn now(&self) -> Nanos {
        Self::now(self)
    }

    fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) -> Result<(), Self::Error> {
        Self::change(self, load, join_over, abort);
        Ok(())
    }

    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), Self::Error> {
        self.run_until(Until::Time(until))
            .into_iter()
            .for_each(each);
        Ok(())
    }

    fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        Self::list_in_flight(self, list);
    }
}

#[cfg(test)]
mod tests {
    use crestline_core::metrics::Metric;
    use crestline_core::request::LoadPoint;
    use crestline_core::search::{Answer, Bounds, Budget, Outcome, Question};
    use crestline_core::sla::{Slo, parse_groups};
    use crestline_core::summary::RunSummary;
    use crestline_sim::profile::Profile;

    use super::*;
    use crate::virtual_subject::{SessionSettings, VirtualRequest};

    fn session(profile: &str, seed: u64) -> VirtualSession {
        session_of(&Profile::load(profile).unwrap(), seed)
    }

    fn session_of(profile: &Profile, seed: u64) -> VirtualSession {
        let settings = SessionSettings {
            seed,
            streamed: true,
        };
        VirtualSession::new(
            profile,
            settings,
            Box::new(|index| VirtualRequest {
                prompt_tokens: 200 + (index * 7919 % 400) as u32,
                answers: vec![60 + (index * 104_729 % 120) as u32],
                ..VirtualRequest::default()
            }),
        )
    }

    fn question(variable: Variable, criteria: &str) -> Question {
        Question {
            variable,
            bounds: Bounds {
                lowest: 1.0,
                highest: 512.0,
            },
            first: 2.0,
            groups: parse_groups(criteria, None).unwrap(),
            slo: Slo::default(),
            confidence: 0.9,
            tolerance: 0.05,
            budget: Budget {
                requests: Some(60_000),
                ..Budget::default()
            },
        }
    }

    fn answer(variable: Variable, criteria: &str) -> Answer {
        let mut search = Search::new(question(variable, criteria));
        let mut session = session("gpu-small", 1);
        let shape = Shape {
            variable,
            fixed_parallel: None,
        };
        let mut ended = 0;
        let done = drive(&mut search, &mut session, shape, &mut |_, happening| {
            ended += u64::from(matches!(happening, Happening::Record(_)));
            ControlFlow::Continue(())
        });
        assert!(done.is_ok());
        let answer = search.answers()[0].unwrap().clone();
        assert!(ended >= answer.requests, "{ended} of {answer:?}");
        answer
    }

    /// What a run at a fixed load comes to.
    fn measured(load: Load) -> RunSummary {
        let point = LoadPoint {
            load,
            requests: 3000,
            warmup: 300,
            duration: None,
        };
        let mut summary = RunSummary::new(point);
        for record in session("gpu-small", 2).measure(&point) {
            summary.add(&record);
        }
        summary
    }

    fn users(users: f64) -> Load {
        Load::closed(NonZeroU32::new(users as u32).unwrap())
    }

    #[test]
    fn a_closed_loop_is_met_at_its_answer_and_not_far_above() {
        let answer = answer(Variable::Users, r#"{"p99_tpot": "<=16ms"}"#);
        assert_eq!(answer.outcome, Outcome::Value);
        let load = answer.load.unwrap();
        let p99 = |load| {
            let quantile = measured(users(load)).quantile(Metric::Tpot, 0.99);
            quantile.unwrap()
        };
        assert!(p99(load * 0.9) <= 0.016, "{answer:?}");
        assert!(p99(load * 1.3) > 0.016, "{answer:?}");
    }

    #[test]
    fn an_open_loop_is_met_at_its_answer_and_not_far_above() {
        let answer = answer(Variable::Rate, r#"{"p99_ttft": "<=120ms"}"#);
        assert_eq!(answer.outcome, Outcome::Value);
        let load = answer.load.unwrap();
        let p99 = |rate| {
            let run = measured(Load::open(Rate::per_second(rate).unwrap()));
            run.quantile(Metric::TtftFromDue, 0.99).unwrap()
        };
        assert!(p99(load * 0.85) <= 0.12, "{answer:?}");
        assert!(p99(load * 1.4) > 0.12, "{answer:?}");
    }

    #[test]
    fn a_group_after_one_that_goes_far_beyond_has_the_answer_that_it_has_alone() {
        let profile = Profile {
            max_num_seqs: 16,
            ..Profile::load("gpu-small").unwrap()
        };
        let loads = |variable: Variable, criteria: &str| {
            let mut search = Search::new(Question {
                budget: Budget::default(),
                tolerance: 0.1,
                ..question(variable, criteria)
            });
            let mut session = session_of(&profile, 3);
            let shape = Shape {
                variable,
                fixed_parallel: None,
            };
            let mut each = |_: &mut Search, _| ControlFlow::Continue(());
            assert!(drive(&mut search, &mut session, shape, &mut each).is_ok());
            let answers = search
                .answers()
                .into_iter()
                .map(|answer| answer.unwrap().clone());
            answers.collect::<Vec<Answer>>()
        };
        for (variable, far, near) in [
            (
                Variable::Users,
                r#"{"p99_tpot": "<=1s"}"#,
                r#"{"p99_latency": "<=4s"}"#,
            ),
            (
                Variable::Rate,
                r#"{"p99_ttft": "<=9s"}"#,
                r#"{"p99_latency": "<=2.5s"}"#,
            ),
        ] {
            let alone = loads(variable, near);
            let after = loads(variable, &format!("[{far}, {near}]"));
            let (alone, after) = (&alone[0], &after[1]);
            assert_eq!(after.outcome, alone.outcome, "{alone:?}\n{after:?}");
            let ratio = after.load.unwrap() / alone.load.unwrap();
            assert!((0.85..1.15).contains(&ratio), "{alone:?}\n{after:?}");
        }
    }

    #[test]
    fn a_group_whose_turn_never_comes_learns_from_what_was_seen_for_the_others() {
        let criteria = r#"[{"p99_tpot": "<=16ms"}, {"p99_tpot": "<=16.5ms"}]"#;
        let mut search = Search::new(Question {
            budget: Budget {
                requests: Some(1500),
                ..Budget::default()
            },
            ..question(Variable::Users, criteria)
        });
        let shape = Shape {
            variable: Variable::Users,
            fixed_parallel: None,
        };
        let mut each = |_: &mut Search, _| ControlFlow::Continue(());
        drive(&mut search, &mut session("gpu-small", 5), shape, &mut each).unwrap();
        let answers = search.answers();
        let [first, second] = [0, 1].map(|group| answers[group].unwrap().estimate.unwrap());
        let ratio = second / first;
        assert!((0.95..1.25).contains(&ratio), "{answers:?}");
        assert_eq!(answers[1].unwrap().outcome, Outcome::Inconclusive);
    }

    #[test]
    fn twice_the_best_load_brings_hardly_more_throughput() {
        let answer = answer(Variable::Users, r#"{"tps": "max"}"#);
        assert_eq!(answer.outcome, Outcome::Value);
        let load = answer.load.unwrap();
        let (at, beyond) = (measured(users(load)), measured(users(load * 2.0)));
        assert!(
            beyond.output_tps() < at.output_tps() * 1.06,
            "{answer:?}: {} and {} tok/s",
            at.output_tps(),
            beyond.output_tps()
        );
    }
}
