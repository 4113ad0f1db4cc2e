//! Random scenarios: an engine, a workload and an SLA, drawn.
//!
//! They are built backwards: a load is drawn, the engine is run there, and the limits are set at what was measured. The
//! truth is then near that load. Measuring is `truth`'s part; a draw alone has no limits yet.
//!
//! Family seed 1 is the tuning half. Family seed 2 is held out: only the command that makes truths may draw it.

use crestline_core::search::Variable;
use crestline_core::sla::{Measure, Statistic, Timed};
use crestline_sim::profile::{KvPolicy, Profile};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::workload::{Lengths, Workload};
use super::{Half, Scenario, at_most, mean};

/// Scenarios of one family.
pub(crate) const FAMILY_SIZE: usize = 12;

/// A sequence of random scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    seed: u64,
    variable: Variable,
}

/// A drawn scenario whose limits are not measured yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// With limits that mean nothing.
    pub(crate) scenario: Scenario,
    /// Where the truth should come to lie.
    pub(crate) aim: Placement,
}

/// Where to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Placement {
    /// At so many users.
    Users(f64),
    /// At this share of the highest rate that the engine can serve.
    Utilization(f64),
}

impl Family {
    /// Both loops of both seeds.
    pub(crate) fn all() -> Vec<Self> {
        [
            (1, Variable::Users),
            (1, Variable::Rate),
            (2, Variable::Users),
            (2, Variable::Rate),
        ]
        .map(|(seed, variable)| Self { seed, variable })
        .into()
    }

    /// To which a scenario's name belongs.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let names = |family: &Self| (0..FAMILY_SIZE).any(|at| family.name(at) == name);
        Self::all().into_iter().find(names)
    }

    /// Which half all its scenarios belong to.
    pub(crate) fn half(self) -> Half {
        if self.seed == 1 {
            Half::Tuning
        } else {
            Half::HeldOut
        }
    }

    /// Of the scenario that is accepted as the n-th: `r1-c00`, `r2-o11`.
    pub(crate) fn name(self, position: usize) -> String {
        let letter = match self.variable {
            Variable::Users => 'c',
            Variable::Rate => 'o',
        };
        format!("r{}-{letter}{position:02}", self.seed)
    }

    /// The scenario with this number.
    pub(crate) fn draw(self, number: u64) -> Draft {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed << 32 | number);
        rng.set_stream(match self.variable {
            Variable::Users => 1,
            Variable::Rate => 2,
        });
        let workload = draw_workload(&mut rng);
        let mut profile = draw_engine(&mut rng);
        let aim = match self.variable {
            Variable::Users => {
                let most = f64::from(profile.max_num_seqs) * 1.1;
                Placement::Users(between_logs(&mut rng, 5.0, most.min(400.0)).round())
            }
            Variable::Rate => Placement::Utilization(rng.random_range(0.55..0.95)),
        };
        limit_memory(&mut rng, &mut profile, &workload, aim);
        let limits = draw_sla(&mut rng);
        let scenario = match self.variable {
            Variable::Users => Scenario::closed("", profile, &limits),
            Variable::Rate => Scenario::open("", profile, &limits),
        };
        Draft {
            scenario: scenario.sending(workload),
            aim,
        }
    }
}

impl Draft {
    /// The finished scenario; limits in seconds, in the order of the criteria.
    pub(crate) fn with_limits(self, name: &str, limits: &[f64]) -> Scenario {
        let mut scenario = self.scenario;
        name.clone_into(&mut scenario.name);
        for group in &mut scenario.groups {
            for (criterion, limit) in group.criteria.iter_mut().zip(limits) {
                criterion.threshold = *limit;
            }
        }
        scenario
    }
}

fn draw_engine(rng: &mut ChaCha8Rng) -> Profile {
    let mut profile = Profile::default();
    let speed = between_logs(rng, 0.4, 3.0);
    profile.max_num_seqs = between_logs(rng, 24.0, 1024.0) as u32;
    profile.max_num_batched_tokens = [512, 1024, 2048, 4096, 8192][rng.random_range(0..5)];
    profile.request_overhead_ms = rng.random_range(0.0..10.0);
    let cost = &mut profile.iteration;
    cost.base_ms = speed * between_logs(rng, 5.0, 20.0);
    cost.prefill_us_per_token = speed * between_logs(rng, 15.0, 120.0);
    cost.decode_us_per_sequence = speed * between_logs(rng, 15.0, 150.0);
    cost.kv_ns_per_token = speed * between_logs(rng, 3.0, 40.0);
    cost.noise = rng.random_range(0.01..0.1);
    profile
}

fn draw_workload(rng: &mut ChaCha8Rng) -> Workload {
    let sigma = rng.random_range(0.3..0.8);
    let scale = between_logs(rng, 0.6, 1.6);
    let (prompt, output) = match rng.random_range(0..5) {
        0 => (
            Lengths::log_normal(220.0 * scale, 0.8),
            Lengths::log_normal(150.0, sigma),
        ),
        1 => (
            Lengths::log_normal(1800.0 * scale, 0.5),
            Lengths::log_normal(80.0, sigma),
        ),
        2 => (
            Lengths::log_normal(200.0, 0.6),
            Lengths::log_normal(500.0 * scale, sigma),
        ),
        3 => (Lengths::Uniform(50, 500), Lengths::Uniform(50, 350)),
        _ => (
            Lengths::Fixed((400.0 * scale) as u32),
            Lengths::log_normal(150.0, sigma),
        ),
    };
    Workload::new(prompt, output)
}

/// In 35 of 100 engines memory binds; in 30 of 100 a sequence books its whole need.
fn limit_memory(rng: &mut ChaCha8Rng, profile: &mut Profile, workload: &Workload, aim: Placement) {
    let binds = rng.random_bool(0.35);
    let reserves = rng.random_bool(0.3);
    let room = rng.random_range(0.7..1.3);
    if reserves {
        profile.kv_cache.policy = KvPolicy::Reserve;
    }
    let sequences = match aim {
        Placement::Users(users) => users.max(8.0),
        Placement::Utilization(_) => f64::from(profile.max_num_seqs) * 0.4,
    };
    let (need, longest) = workload.tokens();
    let tokens = (sequences * room * need).max(2.5 * longest);
    profile.kv_cache.tokens = binds.then_some(tokens as u64);
}

fn draw_sla(rng: &mut ChaCha8Rng) -> Vec<crestline_core::sla::Criterion> {
    let quantile = if rng.random_bool(0.75) { 0.99 } else { 0.9 };
    match rng.random_range(0..10) {
        0..=2 => vec![at_most(quantile, Timed::Ttft, 1.0)],
        3..=5 => vec![at_most(quantile, Timed::Tpot, 1.0)],
        6 => vec![at_most(quantile, Timed::Latency, 1.0)],
        7..=8 => vec![
            at_most(quantile, Timed::Ttft, 1.0),
            at_most(quantile, Timed::Tpot, 1.0),
        ],
        _ => vec![mean(
            if rng.random_bool(0.5) {
                Timed::Ttft
            } else {
                Timed::Tpot
            },
            1.0,
        )],
    }
}

/// Whether a limit is on a mean.
pub(crate) fn limits_a_mean(measure: Measure) -> bool {
    matches!(measure, Measure::Time(Statistic::Mean, _))
}

/// Evenly over the logarithm.
fn between_logs(rng: &mut ChaCha8Rng, least: f64, most: f64) -> f64 {
    rng.random_range(least.ln()..most.ln()).exp()
}
