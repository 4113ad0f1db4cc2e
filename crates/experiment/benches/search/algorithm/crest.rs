//! The product's own search, driven as the product drives it.

use std::ops::ControlFlow;

use crestline_core::search::{Answer, Outcome, Search};
use crestline_experiment::search::drive::{Happening, Shape, drive};

use super::{Cost, Found, Searched};
use crate::plant::session;
use crate::scenario::Scenario;

/// Sees every look at a session.
pub(crate) type Observer<'a> = dyn FnMut(&Search, &Happening) + 'a;

/// A search with its answers in full.
pub(crate) struct Answered {
    /// What counts.
    pub(crate) searched: Searched,
    /// One a group.
    pub(crate) answers: Vec<Answer>,
}

/// One search from an idle engine.
pub(crate) fn search(scenario: &Scenario, seed: u64, observer: &mut Observer<'_>) -> Answered {
    let mut search = Search::new(scenario.question());
    let mut session = session(scenario, &scenario.profile, seed);
    let shape = Shape {
        variable: scenario.variable,
        fixed_parallel: None,
    };
    let mut cost = Cost::default();
    let driven = drive(
        &mut search,
        &mut session,
        shape,
        &mut |search, happening| {
            observer(search, &happening);
            if let Happening::Record(record) = &happening {
                cost.requests += 1;
                cost.tokens += u64::from(record.output_tokens.map_or(0, |tokens| tokens.count));
            }
            ControlFlow::Continue(())
        },
    );
    match driven {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let in_flight = session.in_flight();
    cost.requests += in_flight.len() as u64;
    cost.tokens += in_flight
        .iter()
        .map(|flight| u64::from(flight.output_tokens))
        .sum::<u64>();
    cost.seconds = session.now().as_secs_f64();
    let answers: Vec<Answer> = search
        .answers()
        .into_iter()
        .map(|answer| answer.cloned().expect("a search ends with all answers"))
        .collect();
    Answered {
        searched: Searched {
            found: answers.iter().map(Found::of).collect(),
            cost,
        },
        answers,
    }
}

impl Found {
    fn of(answer: &Answer) -> Self {
        let has_load = matches!(answer.outcome, Outcome::Value | Outcome::Inconclusive);
        Self {
            outcome: answer.outcome,
            load: answer.load.filter(|_| has_load),
            estimate: answer.estimate.or(answer.load).filter(|_| has_load),
            interval: answer.interval,
            best: answer.best,
        }
    }
}
