//! Pairs of runs of which is known how they differ: one engine twice, or one that takes 5 % longer for everything.
//!
//! Each run has prompts, answers and noise of its own. Counts what a comparison finds; prints nothing.

use std::num::NonZeroU32;
use std::thread;

use crestline_core::compare::{Difference, Side, Standard, Verdict, differences, usual};
use crestline_core::record::RequestRecord;
use crestline_core::request::{Load, LoadPoint};
use crestline_core::segments::{Cut, Draws, Segments, resample};
use crestline_core::units::Rate;
use crestline_experiment::virtual_subject::{SessionSettings, VirtualRequest, VirtualSession};
use crestline_sim::profile::Profile;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A load, how long it is applied, and how often on each side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
    pub(crate) requests: u64,
    pub(crate) repeats: u64,
}

/// How B's engine is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Engine {
    Same,
    /// Everything takes this many times as long.
    Slower(f64),
}

/// What is found in one pair.
#[derive(Debug, Clone)]
pub(crate) struct Found(pub(crate) Vec<Difference>);

impl Found {
    /// A figure is reported better or worse by more than 2 %.
    pub(crate) fn reports_a_difference(&self) -> bool {
        self.0.iter().any(|one| {
            let is_told = matches!(one.verdict, Verdict::Better | Verdict::Worse);
            is_told && one.change.abs() > 0.02
        })
    }

    /// B is reported slower in a figure, and faster in none.
    pub(crate) fn is_slower(&self) -> bool {
        let has = |verdict| self.0.iter().any(|one| one.verdict == verdict);
        has(Verdict::Worse) && !has(Verdict::Better)
    }
}

pub(crate) fn closed(users: u32) -> Load {
    Load::closed(NonZeroU32::new(users).expect("a trial has users"))
}

pub(crate) fn open(rate_per_s: f64) -> Load {
    Load::open(Rate::per_second(rate_per_s).expect("a trial has a rate"))
}

/// Compares pairs on all processors.
pub(crate) fn compare(trial: Trial, engine: Engine, pairs: std::ops::Range<u64>) -> Vec<Found> {
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let (first, end) = (pairs.start, pairs.end);
    let share = move |thread: u64| {
        let own = (first..end).filter(move |pair| pair % threads == thread);
        own.map(|pair| compare_one(trial, engine, pair))
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|it| scope.spawn(move || share(it)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("no pair panics"))
            .collect()
    })
}

fn compare_one(trial: Trial, engine: Engine, pair: u64) -> Found {
    let statistics = usual();
    let side = |which: u64, engine: Engine| {
        let runs = (0..trial.repeats).map(|repeat| {
            let seed = (pair * 2 + which) * 100 + repeat;
            cut(&records(trial, engine, seed))
        });
        let runs: Vec<Cut> = runs.collect();
        let draws = Draws {
            count: 1000,
            seed: pair * 2 + which,
        };
        resample(&runs, &statistics, draws)
    };
    let (a, b) = (side(0, Engine::Same), side(1, engine));
    let requests = trial.requests * trial.repeats;
    let standard = Standard {
        confidence: 0.99,
        loads: 1,
        threshold: 0.05,
    };
    let side = |spreads| Side { spreads, requests };
    Found(differences(&statistics, side(&a), side(&b), standard))
}

fn cut(records: &[RequestRecord]) -> Cut {
    let mut segments = Segments::default();
    for record in records {
        segments.add(record);
    }
    segments.cut()
}

/// One run: prompts of 50 to 550 tokens, answers of 16 to 176.
pub(crate) fn records(trial: Trial, engine: Engine, seed: u64) -> Vec<RequestRecord> {
    let settings = SessionSettings {
        seed,
        streamed: true,
    };
    let source = Box::new(move |index: u64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index);
        let mut length = |least: u32, span: u64| least + (random.next_u64() % span) as u32;
        VirtualRequest {
            prompt_tokens: length(50, 500),
            answers: vec![length(16, 160)],
            is_forced: true,
            ..VirtualRequest::default()
        }
    });
    let point = LoadPoint {
        load: trial.load,
        requests: trial.requests,
        warmup: 0,
        duration: None,
    };
    VirtualSession::new(&profile(engine), settings, source).measure(&point)
}

fn profile(engine: Engine) -> Profile {
    let mut profile = Profile::load("a100-qwen2.5-0.5b").expect("a built-in profile");
    if let Engine::Slower(times) = engine {
        let cost = &mut profile.iteration;
        for part in [
            &mut profile.request_overhead_ms,
            &mut cost.base_ms,
            &mut cost.prefill_us_per_token,
            &mut cost.decode_us_per_sequence,
            &mut cost.kv_ns_per_token,
            &mut cost.decode_ns_per_sequence_squared,
        ] {
            *part *= times;
        }
    }
    profile
}
