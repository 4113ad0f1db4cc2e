//! Rules that the scheduler keeps whatever is sent.

use proptest::prelude::*;

use super::*;
use crate::model::prefix::block_hashes;
use crate::profile::KvCache;

fn request(prompt_tokens: u32, output_tokens: u32) -> EngineRequest {
    EngineRequest {
        prompt_tokens,
        output_tokens,
        hashes: None,
    }
}

/// An engine whose iterations take 1 ms, 1 us a prefill token and 10 us a decoding sequence.
fn profile() -> Profile {
    let mut profile = Profile::default();
    profile.iteration.base_ms = 1.0;
    profile.iteration.prefill_us_per_token = 1.0;
    profile.iteration.decode_us_per_sequence = 10.0;
    profile.iteration.kv_ns_per_token = 0.0;
    profile
}

/// One iteration from `now`: its time in us and what it showed as (id, tokens, finished).
fn step(engine: &mut Engine, now: Nanos) -> (u64, Vec<(u64, u32, bool)>) {
    let end = engine.begin(now).expect("there is work");
    let mut progress = Vec::new();
    engine.finish(&mut progress);
    let shown = progress
        .iter()
        .map(|one| (one.id, one.tokens, one.finished));
    ((end - now).0 / 1000, shown.collect())
}

#[test]
fn the_iteration_that_ends_the_prefill_emits_the_first_token() {
    let mut engine = Engine::new(&profile(), 0);
    engine.submit(5, request(300, 3));
    assert_eq!(step(&mut engine, Nanos::ZERO), (1300, vec![(5, 1, false)]));
    assert_eq!(step(&mut engine, Nanos::ZERO), (1010, vec![(5, 1, false)]));
    assert_eq!(step(&mut engine, Nanos::ZERO), (1010, vec![(5, 1, true)]));
    assert!(!engine.has_work());
    assert_eq!(engine.begin(Nanos::ZERO), None);
}

#[test]
fn decodes_come_first_and_prefill_takes_the_rest_of_the_budget_in_chunks() {
    let mut small = profile();
    small.max_num_batched_tokens = 100;
    let mut engine = Engine::new(&small, 0);
    engine.submit(1, request(60, 10));
    step(&mut engine, Nanos::ZERO);
    engine.submit(2, request(150, 1));
    engine.submit(3, request(60, 1));
    // 1 decode and 99 tokens of the second prompt.
    assert_eq!(step(&mut engine, Nanos::ZERO), (1109, vec![(1, 1, false)]));
    // 1 decode, its other 51 tokens, and 48 of the third.
    let shown = vec![(1, 1, false), (2, 1, true)];
    assert_eq!(step(&mut engine, Nanos::ZERO), (1109, shown));
    let shown = vec![(1, 1, false), (3, 1, true)];
    assert_eq!(step(&mut engine, Nanos::ZERO), (1022, shown));
}

#[test]
fn no_more_sequences_run_than_allowed_and_the_queue_is_first_come_first_served() {
    let mut narrow = profile();
    narrow.max_num_seqs = 2;
    let mut engine = Engine::new(&narrow, 0);
    for id in 0..4 {
        engine.submit(id, request(10, 2));
    }
    step(&mut engine, Nanos::ZERO);
    assert_eq!(engine.gauges().running, 2);
    assert_eq!(engine.gauges().waiting, 2);
    let (_, shown) = step(&mut engine, Nanos::ZERO);
    assert_eq!(shown, [(0, 1, true), (1, 1, true)]);
    let (_, shown) = step(&mut engine, Nanos::ZERO);
    assert_eq!(shown, [(2, 1, false), (3, 1, false)]);
}

#[test]
fn the_queue_limit_counts_those_that_may_run() {
    let mut limited = profile();
    (limited.max_num_seqs, limited.queue_limit) = (2, Some(1));
    let mut engine = Engine::new(&limited, 0);
    let answers: Vec<_> = (0..4).map(|id| engine.submit(id, request(5, 2))).collect();
    let queued = Admission::Queued;
    assert_eq!(answers, [queued, queued, queued, Admission::QueueFull]);
    engine.abort(0);
    assert_eq!(engine.submit(9, request(5, 2)), queued);
}

#[test]
fn what_can_never_fit_is_refused() {
    let mut tight = profile();
    tight.max_model_len = 1000;
    tight.kv_cache.tokens = Some(160);
    let mut engine = Engine::new(&tight, 0);
    assert_eq!(engine.submit(1, request(999, 2)), Admission::TooLong);
    assert_eq!(engine.submit(2, request(150, 12)), Admission::TooLong);
    assert_eq!(engine.submit(3, request(150, 11)), Admission::Queued);
}

#[test]
fn a_request_that_joins_costs_and_shows_as_if_it_had_come_before() {
    let mut engine = Engine::new(&profile(), 0);
    engine.submit(1, request(100, 1));
    assert_eq!(engine.begin(Nanos::ZERO), Some(Nanos::from_micros(1100)));
    engine.submit(2, request(200, 1));
    assert_eq!(engine.join(), Some(Nanos::from_micros(1300)));
    let mut progress = Vec::new();
    engine.finish(&mut progress);
    assert_eq!(progress.len(), 2);
    assert_eq!(engine.join(), None);
}

#[test]
fn when_memory_is_full_the_youngest_is_computed_again_and_loses_no_token() {
    let mut tight = profile();
    tight.kv_cache = KvCache {
        tokens: Some(64),
        block_size: 16,
        ..KvCache::default()
    };
    let mut engine = Engine::new(&tight, 0);
    engine.submit(1, request(30, 20));
    engine.submit(2, request(30, 20));
    let mut tokens = [0; 3];
    while engine.has_work() {
        for (id, count, _) in step(&mut engine, Nanos::ZERO).1 {
            tokens[id as usize] += count;
        }
    }
    assert_eq!(tokens, [0, 20, 20]);
    assert_eq!(engine.counters().preemptions, 1);
    assert_eq!(engine.counters().prompt_tokens, 60, "a prompt counts once");
}

#[test]
fn reservation_never_preempts_but_starts_fewer() {
    let mut tight = profile();
    tight.kv_cache = KvCache {
        tokens: Some(64),
        block_size: 16,
        policy: KvPolicy::Reserve,
        prefix_caching: false,
    };
    let mut engine = Engine::new(&tight, 0);
    engine.submit(1, request(30, 20));
    engine.submit(2, request(30, 20));
    let mut most = 0;
    while engine.has_work() {
        step(&mut engine, Nanos::ZERO);
        most = most.max(engine.gauges().running);
    }
    assert_eq!(most, 1);
    assert_eq!(engine.counters().preemptions, 0);
}

#[test]
fn a_known_beginning_is_not_computed_again() {
    let mut caching = profile();
    caching.kv_cache.tokens = Some(1600);
    caching.kv_cache.prefix_caching = true;
    let mut engine = Engine::new(&caching, 0);
    let tokens: Vec<u32> = (0..160).collect();
    let send = |engine: &mut Engine, id| {
        let hashes = Some(block_hashes(&tokens, 16));
        engine.submit(
            id,
            EngineRequest {
                hashes,
                ..request(160, 1)
            },
        );
        step(engine, Nanos::ZERO).0
    };
    assert_eq!(send(&mut engine, 1), 1160);
    // All but the last block: at least one token is computed.
    assert_eq!(send(&mut engine, 2), 1016);
    assert_eq!(engine.counters().prefix_hits, 144);
    assert_eq!(engine.counters().prefix_queries, 320);
    engine.reset_prefix_cache();
    assert_eq!(send(&mut engine, 3), 1160);
}

#[test]
fn drafts_make_steps_of_several_tokens_and_the_answer_is_still_exact() {
    let mut drafting = profile();
    drafting.speculative = Some(Speculative {
        draft_tokens: 3,
        acceptance: 0.8,
    });
    let mut engine = Engine::new(&drafting, 3);
    engine.submit(1, request(10, 1000));
    let (mut total, mut steps, mut most) = (0, 0, 0);
    while engine.has_work() {
        let (_, shown) = step(&mut engine, Nanos::ZERO);
        total += shown[0].1;
        most = most.max(shown[0].1);
        steps += 1;
    }
    assert_eq!((total, most), (1000, 4));
    // A step yields 1 + 0.8 + 0.8^2 + 0.8^3 = 2.95 tokens in the mean.
    assert!((310..370).contains(&steps), "{steps}");
}

#[test]
fn an_aborted_request_frees_its_memory_at_once_and_shows_nothing_more() {
    let mut tight = profile();
    tight.kv_cache.tokens = Some(160);
    let mut engine = Engine::new(&tight, 0);
    engine.submit(1, request(60, 9));
    engine.submit(2, request(60, 9));
    engine.begin(Nanos::ZERO);
    assert!(engine.abort(1));
    assert!(!engine.abort(1));
    assert!((engine.gauges().kv_usage - 0.4).abs() < 1e-12);
    let mut progress = Vec::new();
    engine.finish(&mut progress);
    assert_eq!(progress.iter().map(|one| one.id).collect::<Vec<_>>(), [2]);
    engine.submit(3, request(60, 9));
    assert!(engine.abort(3), "also while it waits");
    assert_eq!(engine.gauges().waiting, 0);
}

/// Anything a client may do between two iterations.
#[derive(Debug, Clone)]
enum Act {
    Submit {
        prompt: u32,
        output: u32,
        family: u32,
    },
    Abort {
        which: u64,
    },
    Step,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..120_u32, 1..60_u32, 0..3_u32).prop_map(|(prompt, output, family)| Act::Submit {
            prompt,
            output,
            family
        }),
        (0..40_u64).prop_map(|which| Act::Abort { which }),
        Just(Act::Step),
        Just(Act::Step),
    ]
}

fn engine_profile() -> impl Strategy<Value = Profile> {
    let policy = prop_oneof![Just(KvPolicy::Recompute), Just(KvPolicy::Reserve)];
    let speculative = proptest::option::of((1..5_u32, 0.0..1.0_f64));
    (
        1..9_u32,
        6..200_u32,
        12..40_u64,
        policy,
        any::<[bool; 2]>(),
        speculative,
    )
        .prop_map(
            |(seqs, budget, blocks, policy, [limited, prefix_caching], speculative)| {
                let mut profile = profile();
                profile.max_num_seqs = seqs;
                profile.max_num_batched_tokens = budget;
                profile.queue_limit = limited.then_some(4);
                profile.kv_cache = KvCache {
                    tokens: Some(blocks * 16),
                    block_size: 16,
                    policy,
                    prefix_caching,
                };
                profile.speculative = speculative.map(|(draft_tokens, acceptance)| Speculative {
                    draft_tokens,
                    acceptance,
                });
                profile
            },
        )
}

/// What is known of one accepted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open { want: u32, got: u32 },
    Done,
    Aborted,
}

/// Runs an engine and checks at every step what must always hold.
struct Checked {
    engine: Engine,
    profile: Profile,
    now: Nanos,
    fates: Vec<Fate>,
    shown: Vec<Progress>,
}

impl Checked {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Submit {
                prompt,
                output,
                family,
            } => self.submit(prompt, output, family),
            Act::Abort { which } => {
                let known = self.fates.get(which as usize).copied();
                let there = matches!(known, Some(Fate::Open { .. }));
                assert_eq!(self.engine.abort(which), there);
                if there {
                    self.fates[which as usize] = Fate::Aborted;
                }
            }
            Act::Step => self.step(),
        }
    }

    fn submit(&mut self, prompt: u32, output: u32, family: u32) {
        let tokens: Vec<u32> = (0..prompt).map(|i| family * 1000 + i / 50).collect();
        let request = EngineRequest {
            hashes: Some(block_hashes(&tokens, 16)),
            ..request(prompt, output)
        };
        let id = self.fates.len() as u64;
        let blocks = u64::from((prompt + output - 1).div_ceil(16));
        let fits = Some(blocks) <= self.profile.kv_cache.blocks();
        match self.engine.submit(id, request) {
            Admission::Queued => self.fates.push(Fate::Open {
                want: output,
                got: 0,
            }),
            Admission::TooLong => assert!(!fits),
            Admission::QueueFull => assert!(self.profile.queue_limit.is_some()),
        }
    }

    fn step(&mut self) {
        let Some(end) = self.engine.begin(self.now) else {
            assert!(!self.engine.has_work());
            return;
        };
        assert!(end > self.now);
        self.now = end;
        let gauges = self.engine.gauges();
        assert!(gauges.running <= self.profile.max_num_seqs);
        assert!(gauges.kv_usage <= 1.0);
        let from = self.shown.len();
        self.engine.finish(&mut self.shown);
        for progress in &self.shown[from..] {
            let fate = &mut self.fates[progress.id as usize];
            let Fate::Open { want, got } = fate else {
                panic!("{progress:?} after {fate:?}");
            };
            *got += progress.tokens;
            assert!(progress.tokens > 0 && *got <= *want);
            assert_eq!(progress.finished, *got == *want);
            if progress.finished {
                *fate = Fate::Done;
            }
        }
    }
}

fn play(profile: &Profile, acts: &[Act]) -> Checked {
    let mut checked = Checked {
        engine: Engine::new(profile, 7),
        profile: profile.clone(),
        now: Nanos::ZERO,
        fates: Vec::new(),
        shown: Vec::new(),
    };
    for act in acts {
        checked.act(act);
    }
    let mut patience = 100_000;
    while checked.engine.has_work() {
        checked.step();
        patience -= 1;
        assert!(patience > 0, "the engine makes no progress");
    }
    checked
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_request_ends_with_exactly_its_tokens_within_all_limits(
        profile in engine_profile(),
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let checked = play(&profile, &acts);
        for fate in &checked.fates {
            prop_assert!(matches!(fate, Fate::Done | Fate::Aborted), "{:?}", fate);
        }
        prop_assert!(checked.engine.gauges() == Gauges::default(), "all memory is free");
    }

    #[test]
    fn the_same_acts_and_seed_show_the_same(
        profile in engine_profile(),
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let (left, right) = (play(&profile, &acts), play(&profile, &acts));
        prop_assert_eq!(left.shown, right.shown);
        prop_assert_eq!(left.now, right.now);
    }
}
