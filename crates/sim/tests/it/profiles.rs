//! Built-in profiles do what their summaries say.

use crestline_core::units::Nanos;
use crestline_sim::model::{Counters, EngineRequest};
use crestline_sim::profile::{Overrides, Profile};
use crestline_sim::virtual_time::{EventKind, Rejection, VirtualService};

use crate::closed_loop::{Load, drive, run};

fn service(profile: &str) -> VirtualService {
    VirtualService::new(&Profile::load(profile).unwrap(), 1)
}

/// Chats of 500 tokens in and 200 out.
fn chats(users: u64) -> Load {
    Load {
        users,
        requests: 10 * users,
        prompt_tokens: 500,
        output_tokens: 200,
    }
}

#[test]
fn kv_bound_preempts_beyond_its_knee_and_not_before() {
    let counters = |users| -> Counters {
        let mut service = service("kv-bound");
        drive(&mut service, chats(users));
        service.counters()
    };
    assert_eq!(counters(45).preemptions, 0);
    assert!(counters(90).preemptions > 50);
}

#[test]
fn demo_has_its_knee_at_32_users() {
    let demo = Profile::load("demo").unwrap();
    let [tokens_16, _, _, _, ttft_16, _] = run(&demo, 1, chats(16));
    let [tokens_32, _, _, _, ttft_32, _] = run(&demo, 1, chats(32));
    let [tokens_64, _, _, _, ttft_64, _] = run(&demo, 1, chats(64));
    assert!(tokens_32 > 1.2 * tokens_16, "{tokens_16} {tokens_32}");
    assert!(tokens_64 < 1.05 * tokens_32, "{tokens_32} {tokens_64}");
    assert!(ttft_64 > 10.0 * ttft_32.max(ttft_16), "{ttft_32} {ttft_64}");
}

#[test]
fn constant_gaps_do_not_depend_on_the_load() {
    for (name, millis) in [("constant-10ms", 10), ("constant-20ms", 20)] {
        let mut service = service(name);
        for id in 0..500 {
            let request = EngineRequest {
                prompt_tokens: 1000,
                output_tokens: 5,
                hashes: None,
            };
            service.submit(Nanos::ZERO, id, request);
        }
        let mut iterations = 0;
        while let Some(event) = service.next_event() {
            if event.kind == EventKind::Tokens(1) && event.id == 0 {
                iterations += 1;
            }
            assert_eq!(event.at, Nanos::from_millis(millis * iterations));
        }
        assert_eq!(iterations, 5);
    }
}

#[test]
fn reject_429_takes_56_requests_at_once() {
    let mut service = service("reject-429");
    for id in 0..60 {
        let request = EngineRequest {
            prompt_tokens: 10,
            output_tokens: 10,
            hashes: None,
        };
        service.submit(Nanos::ZERO, id, request);
    }
    let rejected: Vec<u64> = std::iter::from_fn(|| service.next_event())
        .filter(|event| event.kind == EventKind::Rejected(Rejection::QueueFull))
        .map(|event| event.id)
        .collect();
    assert_eq!(rejected, [56, 57, 58, 59]);
}

#[test]
fn cold_start_is_slow_at_first_and_noisy_stalls_now_and_then() {
    let [_, _, cold, ..] = run(&Profile::load("cold-start").unwrap(), 1, chats(1));
    let [_, _, warm, ..] = run(&Profile::load("gpu-small").unwrap(), 1, chats(1));
    assert!(cold > 1.1 * warm, "{cold} {warm}");
    let long = Load {
        requests: 2000,
        ..chats(4)
    };
    let [.., quiet] = run(&Profile::load("gpu-small").unwrap(), 1, long);
    let [.., stalled] = run(&Profile::load("noisy").unwrap(), 1, long);
    assert!(quiet < 0.2 && stalled > quiet, "{quiet} {stalled}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let noisy = Profile::load("noisy").unwrap();
    let bits = |seed| run(&noisy, seed, chats(8)).map(f64::to_bits);
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}

/// Output tokens a second of gpu-small in another layout, under so many users.
fn tokens_per_second(overrides: &Overrides, users: u64) -> f64 {
    let profile = Profile::load("gpu-small").unwrap().with(overrides).unwrap();
    let [tokens, ..] = run(&profile, 1, chats(users));
    tokens
}

#[test]
fn more_devices_give_more_tokens_and_never_in_proportion() {
    let tensor = |size| Overrides {
        tensor_parallel_size: Some(size),
        ..Overrides::default()
    };
    for users in [1, 64] {
        let rates = [1, 2, 4, 8].map(|size| tokens_per_second(&tensor(size), users));
        for pair in rates.windows(2) {
            assert!(pair[1] > 1.1 * pair[0], "{users} users: {rates:?}");
            assert!(pair[1] < 2.0 * pair[0], "{users} users: {rates:?}");
        }
    }
}

#[test]
fn stages_and_engines_help_many_users_and_not_one_alone() {
    let usual = Overrides::default();
    let pipeline = Overrides {
        pipeline_parallel_size: Some(2),
        ..usual
    };
    let engines = Overrides {
        data_parallel_size: Some(2),
        ..usual
    };
    let [one, staged, doubled] =
        [usual, pipeline, engines].map(|layout| tokens_per_second(&layout, 1));
    assert!(
        staged < one,
        "each token goes through both stages: {staged} {one}"
    );
    assert!((doubled / one - 1.0).abs() < 0.01, "{doubled} {one}");
    let [one, staged, doubled] =
        [usual, pipeline, engines].map(|layout| tokens_per_second(&layout, 256));
    assert!(staged > 1.2 * one && staged < 2.0 * one, "{staged} {one}");
    assert!(
        doubled > staged && doubled < 2.1 * one,
        "{doubled} {staged} {one}"
    );
}

#[test]
fn less_memory_preempts_earlier() {
    let preemptions = |share| {
        let overrides = Overrides {
            gpu_memory_utilization: Some(share),
            ..Overrides::default()
        };
        let profile = Profile::load("gpu-small")
            .unwrap()
            .with(&overrides)
            .unwrap();
        let mut service = VirtualService::new(&profile, 1);
        drive(&mut service, chats(100));
        service.counters().preemptions
    };
    assert_eq!(preemptions(0.9), 0);
    assert!(preemptions(0.42) > 50);
}
