//! The algorithms that are compared, each run on one scenario with one seed.
//!
//! Does not know the truth.

mod bursts;
mod crest;

use clap::ValueEnum;
use crestline_core::search::{Interval, Outcome};

use crate::scenario::Scenario;

pub(crate) use crest::search;

/// A way to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// One session whose load is changed in place.
    Crest,
    /// EvalScope's: bursts of twice as many requests as users, three a load.
    Bisect,
    /// vLLM's: bursts of 1000 requests, three a load.
    Pchip,
}

/// What one search found for one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Kind of answer.
    pub(crate) outcome: Outcome,
    /// The load that is reported as met.
    pub(crate) load: Option<f64>,
    /// The best estimate.
    pub(crate) estimate: Option<f64>,
    /// Where the truth lies with 90 %.
    pub(crate) interval: Option<Interval>,
    /// Of an aim: the best value.
    pub(crate) best: Option<f64>,
}

/// What one search cost, all groups together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Cost {
    /// Requests sent.
    pub(crate) requests: u64,
    /// Time of load, in seconds.
    pub(crate) seconds: f64,
    /// Tokens of answers.
    pub(crate) tokens: u64,
}

/// One search.
#[derive(Debug, Clone)]
pub(crate) struct Searched {
    /// One a group.
    pub(crate) found: Vec<Found>,
    /// Of all groups.
    pub(crate) cost: Cost,
}

impl Algorithm {
    /// As typed and as in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crest => "crest",
            Self::Bisect => "bisect",
            Self::Pchip => "pchip",
        }
    }

    /// Whether it can be asked at all: pchip knows no aims.
    pub(crate) fn can_answer(self, scenario: &Scenario) -> bool {
        self != Self::Pchip || scenario.groups.iter().all(|group| group.aim.is_none())
    }

    /// One search, from an idle engine.
    pub(crate) fn search(self, scenario: &Scenario, seed: u64) -> Searched {
        match self {
            Self::Crest => crest::search(scenario, seed, &mut |_, _| ()).searched,
            Self::Bisect => bursts::bisect(scenario, seed),
            Self::Pchip => bursts::pchip(scenario, seed),
        }
    }
}
