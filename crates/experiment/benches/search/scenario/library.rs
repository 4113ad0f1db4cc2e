//! The named scenarios: first those of the earlier study by their descriptions, then what it left out.
//!
//! Limits are chosen so that the answers lie where the study had them; the truths are measured.

use crestline_core::search::Variable;
use crestline_core::sla::{Aim, Criterion, Goal, Group, Measure, Relation, Slo, Throughput, Timed};
use crestline_sim::profile::{ColdStart, Drift, KvPolicy, Profile, Stalls};

use super::workload::{Lengths, Workload};
use super::{Scenario, all_of, at_most, mean, p99};

use Timed::{Latency, Tpot, Ttft};

/// All of them, in the order of tables.
pub(crate) fn named() -> Vec<Scenario> {
    [
        smooth(),
        knees(),
        flat(),
        unsteady(),
        edges(),
        throughput(),
        open(),
        lengths_and_caches(),
        open_variants(),
        several(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn smooth() -> Vec<Scenario> {
    vec![
        Scenario::closed("gpu-small-tpot", gpu_small(), &[p99(Tpot, 0.016)]),
        Scenario::closed(
            "gpu-large-2con",
            slow(),
            &[p99(Ttft, 0.9), p99(Tpot, 0.065)],
        ),
        Scenario::closed("cpu-small-n", engine("cpu"), &[p99(Tpot, 0.17)])
            .sending(short_chat())
            .up_to(64.0),
        Scenario::closed("p90-large-n", wide(), &[at_most(0.9, Tpot, 0.0215)]).up_to(4096.0),
        Scenario::closed(
            "avg-ttft",
            slow_of_40(),
            &[mean(Ttft, 1.0), mean(Tpot, 0.09)],
        ),
        Scenario::closed("avg-tpot", gpu_small(), &[mean(Tpot, 0.0135)]),
        Scenario::closed("noisy-ttft", engine("noisy"), &[at_most(0.95, Ttft, 0.07)])
            .sending(even_prompts()),
    ]
}

fn knees() -> Vec<Scenario> {
    vec![
        Scenario::closed("kv-knee-ttft", engine("kv-bound"), &[p99(Ttft, 0.5)])
            .sending(long_chat()),
        Scenario::closed("reserve-knee-ttft", reserving(), &[p99(Ttft, 0.8)]),
        Scenario::closed("reject-429", engine("reject-429"), &[p99(Tpot, 0.05)]),
    ]
}

fn flat() -> Vec<Scenario> {
    vec![
        Scenario::closed("heavy-tail-lat", gpu_small(), &[p99(Latency, 18.0)])
            .sending(heavy_tail()),
        Scenario::closed("fixed-len-lat", gpu_small(), &[p99(Latency, 2.5)]).sending(fixed()),
        Scenario::closed(
            "natural-eos-lat",
            gpu_small(),
            &[at_most(0.95, Latency, 6.0)],
        )
        .sending(Workload::chat().natural()),
    ]
}

fn unsteady() -> Vec<Scenario> {
    let stalling = Profile {
        stalls: Some(Stalls {
            every_s: 150.0,
            duration_s: 0.6,
        }),
        ..gpu_small()
    };
    let drifting = Profile {
        drift: Some(Drift {
            amplitude: 0.05,
            period_s: 300.0,
        }),
        cold_start: Some(ColdStart {
            duration_s: 3.0,
            slowdown: 4.0,
        }),
        ..gpu_small()
    };
    // Half of the replicas come up within the first two minutes: in the simulator a slow start is as near as one gets.
    let scaling = Profile {
        cold_start: Some(ColdStart {
            duration_s: 120.0,
            slowdown: 2.0,
        }),
        ..gpu_small()
    };
    // Within ten minutes iterations become 5 % dearer.
    let leaking = Profile {
        drift: Some(Drift {
            amplitude: 0.1,
            period_s: 7200.0,
        }),
        ..gpu_small()
    };
    vec![
        Scenario::closed("stalls", stalling, &[p99(Ttft, 0.3), p99(Tpot, 0.018)]),
        Scenario::closed("drift", drifting, &[p99(Tpot, 0.016)]),
        Scenario::closed("autoscale-step", scaling, &[p99(Tpot, 0.016)]),
        Scenario::closed("slow-leak", leaking, &[p99(Tpot, 0.016)]),
    ]
}

fn edges() -> Vec<Scenario> {
    vec![
        Scenario::closed("infeasible", gpu_large(), &[p99(Tpot, 0.02)]),
        Scenario::closed(
            "unbounded-64",
            gpu_small(),
            &[p99(Tpot, 0.05), p99(Ttft, 2.0)],
        )
        .up_to(64.0),
        Scenario::open("infeasible-open", gpu_large(), &[p99(Ttft, 0.02)]),
        Scenario::open("unbounded-open", gpu_small(), &[p99(Ttft, 1.0)]).up_to(8.0),
        Scenario::closed("two-users", engine("cpu"), &[p99(Tpot, 0.09)])
            .sending(short_chat())
            .up_to(64.0),
    ]
}

fn throughput() -> Vec<Scenario> {
    let mut peaked = wide();
    peaked.iteration.decode_ns_per_sequence_squared = 500.0;
    vec![
        Scenario::closed("tps-plateau", gpu_small(), &[])
            .seeking_tokens()
            .up_to(512.0),
        Scenario::closed("tps-peak", peaked, &[])
            .seeking_tokens()
            .up_to(512.0),
        Scenario::closed("tps-under-tpot", gpu_large(), &[p99(Tpot, 0.05)])
            .seeking_tokens()
            .up_to(512.0),
    ]
}

fn open() -> Vec<Scenario> {
    vec![
        Scenario::open(
            "kv-preempt-open",
            engine("kv-bound"),
            &[p99(Ttft, 1.0), p99(Tpot, 0.03)],
        )
        .sending(long_chat()),
        Scenario::open(
            "open-smooth",
            gpu_small(),
            &[p99(Ttft, 0.12), p99(Tpot, 0.02)],
        ),
        Scenario::open(
            "open-low-rate",
            cpu_of_16(),
            &[p99(Ttft, 4.0), p99(Tpot, 0.25)],
        )
        .sending(short_chat()),
        Scenario::open("rag-prefill-open", gpu_large(), &[p99(Ttft, 2.0)]).sending(retrieval()),
        Scenario::open("avg-open", gpu_small(), &[mean(Tpot, 0.0125)]),
        Scenario::open("avg-ttft-open", gpu_small(), &[mean(Ttft, 0.1)]),
        Scenario::open("p50-open", gpu_large(), &[at_most(0.5, Ttft, 0.15)]),
    ]
}

fn lengths_and_caches() -> Vec<Scenario> {
    vec![
        Scenario::closed("speculative", engine("speculative"), &[p99(Tpot, 0.01)]),
        Scenario::closed("prefix-cache", remembering(), &[p99(Ttft, 0.35)])
            .sending(shared_documents()),
        Scenario::closed("bimodal", gpu_small(), &[p99(Ttft, 0.4), p99(Tpot, 0.022)])
            .sending(bimodal()),
        Scenario::closed("natural-eos", gpu_small(), &[p99(Tpot, 0.016)])
            .sending(Workload::chat().natural()),
        Scenario::closed("long-output", gpu_small(), &[p99(Tpot, 0.0125)]).sending(Workload::new(
            Lengths::Uniform(100, 400),
            Lengths::Uniform(600, 1000),
        )),
    ]
}

fn open_variants() -> Vec<Scenario> {
    vec![
        Scenario::open(
            "speculative-open",
            engine("speculative"),
            &[p99(Tpot, 0.009)],
        ),
        Scenario::open("prefix-cache-open", remembering(), &[p99(Ttft, 0.35)])
            .sending(shared_documents()),
        Scenario::open("bimodal-open", gpu_small(), &[p99(Ttft, 0.4)]).sending(bimodal()),
        Scenario::open("natural-eos-open", gpu_small(), &[p99(Tpot, 0.02)])
            .sending(Workload::chat().natural()),
        Scenario::open("p90-open", wide(), &[at_most(0.9, Tpot, 0.02)]),
    ]
}

fn several() -> Vec<Scenario> {
    let mut two = Scenario::closed("two-groups", gpu_small(), &[p99(Tpot, 0.014)]);
    two.groups.push(all_of(&[p99(Ttft, 0.3), p99(Tpot, 0.018)]));
    let goodput = Criterion {
        measure: Measure::Goodput,
        relation: Relation::AtLeast,
        threshold: 0.95,
    };
    let mut good = Scenario::closed("goodput", gpu_small(), &[goodput]);
    good.slo = Slo {
        limits: vec![(Ttft, 0.12), (Tpot, 0.016)],
    };
    vec![two, good]
}

impl Scenario {
    /// Asks for the most tokens a second within the limits.
    fn seeking_tokens(mut self) -> Self {
        debug_assert_eq!(self.variable, Variable::Users, "truths are of closed loops");
        let aim = Aim {
            measure: Measure::Throughput(Throughput::OutputTokens),
            goal: Goal::Max,
        };
        self.groups = self
            .groups
            .into_iter()
            .map(|group| Group {
                aim: Some(aim),
                ..group
            })
            .collect();
        self
    }
}

fn engine(name: &str) -> Profile {
    Profile::load(name).expect("a built-in profile")
}

fn gpu_small() -> Profile {
    engine("gpu-small")
}

fn gpu_large() -> Profile {
    engine("gpu-large")
}

/// Slow iterations, and prompts that take long.
fn slow() -> Profile {
    let mut profile = gpu_large();
    profile.iteration.prefill_us_per_token = 250.0;
    profile.iteration.decode_us_per_sequence = 150.0;
    profile.max_num_batched_tokens = 2048;
    profile
}

/// The same with room for 40: more have to queue.
fn slow_of_40() -> Profile {
    let mut profile = slow();
    profile.max_num_seqs = 40;
    profile
}

fn cpu_of_16() -> Profile {
    let mut profile = engine("cpu");
    profile.max_num_seqs = 16;
    profile.iteration.decode_us_per_sequence = 7000.0;
    profile
}

/// Blocks of earlier prompts are kept, as long as there is room.
fn remembering() -> Profile {
    let mut profile = engine("prefix-cache");
    profile.kv_cache.tokens = Some(80_000);
    profile
}

/// Many sequences, cheap steps.
fn wide() -> Profile {
    let mut profile = gpu_small();
    profile.max_num_seqs = 1024;
    profile.max_num_batched_tokens = 8192;
    profile.iteration.base_ms = 5.0;
    profile.iteration.prefill_us_per_token = 8.0;
    profile.iteration.decode_us_per_sequence = 12.0;
    profile.iteration.kv_ns_per_token = 4.0;
    profile.kv_cache.tokens = None;
    profile
}

/// A small cache of which each sequence books its whole need.
fn reserving() -> Profile {
    let mut profile = engine("kv-bound");
    profile.kv_cache.policy = KvPolicy::Reserve;
    profile
}

/// Prompts of about 150 tokens, answers of about 100.
fn short_chat() -> Workload {
    Workload::new(
        Lengths::log_normal(120.0, 0.6),
        Lengths::log_normal(85.0, 0.5),
    )
}

fn long_chat() -> Workload {
    Workload::new(
        Lengths::log_normal(350.0, 0.6),
        Lengths::log_normal(185.0, 0.5),
    )
}

fn heavy_tail() -> Workload {
    Workload::new(
        Lengths::log_normal(200.0, 0.8),
        Lengths::LogNormal {
            median: 120.0,
            sigma: 1.0,
            longest: 8000,
        },
    )
}

fn fixed() -> Workload {
    Workload::new(Lengths::Fixed(256), Lengths::Fixed(147))
}

/// Chat answers to prompts of the same length: what differs is the wait.
fn even_prompts() -> Workload {
    Workload::new(Lengths::Fixed(400), Lengths::log_normal(150.0, 0.6))
}

/// Long prompts, short answers.
fn retrieval() -> Workload {
    Workload::new(
        Lengths::log_normal(2500.0, 0.5),
        Lengths::log_normal(60.0, 0.5),
    )
}

/// A thousand tokens of one of 40 documents before each question.
fn shared_documents() -> Workload {
    Workload::chat().sharing(40, 1024)
}

/// Short questions, and one in eight with a long text.
fn bimodal() -> Workload {
    let prompt = Lengths::Bimodal {
        short: 120.0,
        long: 2400.0,
        share: 0.125,
    };
    Workload::new(prompt, Lengths::log_normal(150.0, 0.6))
}
