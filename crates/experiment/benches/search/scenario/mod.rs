//! What the searches are measured on: an engine, a workload and an SLA, in virtual time.
//!
//! A scenario does not know its answer: that is `truth`'s part.
//!
//! # The two halves
//!
//! A search may be tuned on one half of the scenarios only. A named scenario belongs to the tuning half when the FNV-1a
//! hash (64 bits) of its name is even, and to the held-out half otherwise. Of the random family, seed 1 is for tuning and
//! seed 2 is held out. The rule was fixed before the first tuning.

mod family;
mod library;
mod workload;

use crestline_core::search::{Bounds, Budget, Question, Variable};
use crestline_core::sla::{Criterion, Group, Measure, Relation, Slo, Statistic, Timed};
use crestline_sim::profile::Profile;

pub(crate) use family::{Draft, FAMILY_SIZE, Family, Placement, limits_a_mean};
pub(crate) use library::named;
pub(crate) use workload::{Lengths, Workload};

/// One thing to find.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Stable: the half and all seeds follow from it.
    pub(crate) name: String,
    /// Closed or open loop.
    pub(crate) variable: Variable,
    /// The engine.
    pub(crate) profile: Profile,
    /// What is sent to it.
    pub(crate) workload: Workload,
    /// What is asked; each group has a truth of its own.
    pub(crate) groups: Vec<Group>,
    /// What goodput counts.
    pub(crate) slo: Slo,
    /// Where the load may go.
    pub(crate) bounds: Bounds,
    /// The load that is tried first.
    pub(crate) first: f64,
}

/// Which scenarios a search may be tuned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// May be looked at while tuning.
    Tuning,
    /// Only ever reported.
    HeldOut,
}

impl Half {
    /// By the rule above.
    fn of_name(name: &str) -> Self {
        match Family::of_name(name) {
            Some(family) => family.half(),
            None if fnv1a(name.as_bytes()).is_multiple_of(2) => Self::Tuning,
            None => Self::HeldOut,
        }
    }

    /// As written in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held-out",
        }
    }
}

impl Scenario {
    /// A closed loop from 2 users on, up to 1024, with chat lengths.
    pub(crate) fn closed(name: &str, profile: Profile, limits: &[Criterion]) -> Self {
        Self {
            name: name.to_owned(),
            variable: Variable::Users,
            profile,
            workload: Workload::chat(),
            groups: vec![all_of(limits)],
            slo: Slo::default(),
            bounds: Bounds {
                lowest: 1.0,
                highest: 1024.0,
            },
            first: 2.0,
        }
    }

    /// An open loop from one request in two seconds on, up to 500 a second, with chat lengths.
    pub(crate) fn open(name: &str, profile: Profile, limits: &[Criterion]) -> Self {
        Self {
            variable: Variable::Rate,
            bounds: Bounds {
                lowest: 0.05,
                highest: 500.0,
            },
            first: 0.5,
            ..Self::closed(name, profile, limits)
        }
    }

    /// Which half it belongs to.
    pub(crate) fn half(&self) -> Half {
        Half::of_name(&self.name)
    }

    /// With another workload.
    pub(crate) fn sending(self, workload: Workload) -> Self {
        Self { workload, ..self }
    }

    /// With another upper bound.
    pub(crate) fn up_to(mut self, highest: f64) -> Self {
        self.bounds.highest = highest;
        self
    }

    /// The engine as it is when it has settled, for which the truth is asked: a cold start is over, and a drift over hours
    /// stands where it does after five minutes.
    pub(crate) fn settled_profile(&self) -> Profile {
        let mut profile = self.profile.clone();
        profile.cold_start = None;
        if let Some(drift) = profile.drift.take_if(|drift| drift.period_s > 3600.0) {
            let phase = std::f64::consts::TAU * 300.0 / drift.period_s;
            let factor = 1.0 + drift.amplitude * phase.sin();
            let cost = &mut profile.iteration;
            cost.base_ms *= factor;
            cost.prefill_us_per_token *= factor;
            cost.decode_us_per_sequence *= factor;
            cost.kv_ns_per_token *= factor;
            cost.decode_ns_per_sequence_squared *= factor;
        }
        profile
    }

    /// The question that a search is asked.
    pub(crate) fn question(&self) -> Question {
        Question {
            variable: self.variable,
            bounds: self.bounds,
            first: self.first,
            groups: self.groups.clone(),
            slo: self.slo.clone(),
            confidence: 0.9,
            tolerance: 0.05,
            budget: Budget::default(),
        }
    }

    /// Changes whenever anything does on which the truth depends.
    pub(crate) fn fingerprint(&self) -> u64 {
        // What an engine runs on is in the other fields already, and one batch is what all had before there were several.
        let profile = Profile {
            devices: None,
            ..self.profile.clone()
        };
        let profile = format!("{profile:?}")
            .replace(", devices: None", "")
            .replace(", parallel_batches: 1", "");
        let facts = format!(
            "{:?}{profile}{:?}{:?}{:?}{:?}",
            self.variable, self.workload, self.groups, self.slo, self.bounds
        );
        fnv1a(facts.as_bytes())
    }

    /// Separates this scenario's draws from those of others with the same seed.
    pub(crate) fn seed(&self, seed: u64) -> u64 {
        fnv1a(self.name.as_bytes()).wrapping_add(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A group of limits.
pub(crate) fn all_of(limits: &[Criterion]) -> Group {
    Group {
        criteria: limits.to_vec(),
        aim: None,
    }
}

/// `quantile(time) <= secs`.
pub(crate) fn at_most(quantile: f64, time: Timed, secs: f64) -> Criterion {
    Criterion {
        measure: Measure::Time(Statistic::Quantile(quantile), time),
        relation: Relation::AtMost,
        threshold: secs,
    }
}

/// `p99(time) <= secs`.
pub(crate) fn p99(time: Timed, secs: f64) -> Criterion {
    at_most(0.99, time, secs)
}

/// `mean(time) <= secs`.
pub(crate) fn mean(time: Timed, secs: f64) -> Criterion {
    Criterion {
        measure: Measure::Time(Statistic::Mean, time),
        relation: Relation::AtMost,
        threshold: secs,
    }
}
