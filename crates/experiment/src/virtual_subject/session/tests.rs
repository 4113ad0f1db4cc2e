//! A session keeps the rules of its loads and makes the records that a live client would.

use std::num::NonZeroU32;

use crestline_core::record::{Exchange, FailureKind};
use crestline_core::request::{Burstiness, Pace, Pacing};
use crestline_core::units::Rate;
use proptest::prelude::*;

use super::*;

mod changes;
mod conversations;

const SETTINGS: SessionSettings = SessionSettings {
    seed: 7,
    streamed: true,
};

fn profile(name: &str) -> Profile {
    Profile::load(name).unwrap()
}

fn users(users: u32) -> Load {
    Load::closed(NonZeroU32::new(users).unwrap())
}

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn capped(arrivals: Arrivals, limit: u32) -> Load {
    Load {
        arrivals,
        concurrency: NonZeroU32::new(limit),
    }
}

fn point(load: Load, requests: u64) -> LoadPoint {
    LoadPoint {
        load,
        requests,
        warmup: 0,
        duration: None,
    }
}

/// Requests of 100 to 131 prompt tokens and 10 to 40 output tokens.
fn mixed() -> Source {
    Box::new(|item| VirtualRequest {
        prompt_tokens: 100 + (item % 32) as u32,
        answers: vec![10 + (item * 7 % 31) as u32],
        ..VirtualRequest::default()
    })
}

fn answers(lengths: &'static [u32]) -> Source {
    Box::new(|_| VirtualRequest {
        prompt_tokens: 50,
        answers: lengths.to_vec(),
        ..VirtualRequest::default()
    })
}

fn session(profile_name: &str) -> VirtualSession {
    VirtualSession::new(&profile(profile_name), SETTINGS, mixed())
}

fn most_at_once(records: &[RequestRecord]) -> usize {
    let ends = records.iter().map(|record| (record.end, -1));
    let starts = records.iter().map(|record| (record.sent, 1));
    let mut changes: Vec<(Nanos, i64)> = ends.chain(starts).collect();
    changes.sort_unstable();
    let mut in_flight = 0;
    let most = changes.iter().map(|(_, change)| {
        in_flight += change;
        in_flight
    });
    usize::try_from(most.max().unwrap_or(0)).unwrap()
}

/// What holds for every record that a session makes.
fn check_record(record: &RequestRecord) {
    assert_eq!(record.due + record.slot_wait, record.sent, "{record:?}");
    assert_eq!(record.send_lag(), Nanos::ZERO);
    if record.succeeded() {
        let (first, last) = (record.first_token.unwrap(), record.last_token.unwrap());
        assert!(
            record.sent < first && first <= last && last <= record.end,
            "{record:?}"
        );
        assert_eq!(record.first_byte, record.first_token);
        assert_eq!(record.chunks as usize, record.gaps.len() + 1);
        assert_eq!(record.gaps.iter().sum::<Nanos>(), last - first);
        assert_eq!(record.status, Some(200));
    } else {
        assert!(record.sent <= record.end, "{record:?}");
    }
}

#[test]
fn a_closed_loop_keeps_its_users_busy_and_never_has_more() {
    let records = session("gpu-small").measure(&point(users(8), 400));
    records.iter().for_each(check_record);
    assert_eq!(records.len(), 400);
    assert!(records.iter().all(RequestRecord::succeeded));
    assert_eq!(most_at_once(&records), 8);
    let busy: Nanos = records.iter().map(RequestRecord::latency).sum();
    let whole = records.last().unwrap().end;
    let mean = busy.as_secs_f64() / whole.as_secs_f64();
    assert!((7.8..=8.0).contains(&mean), "{mean} users busy on average");
}

#[test]
fn a_closed_loop_sends_the_next_request_when_one_ends() {
    let records = session("gpu-small").measure(&point(users(3), 60));
    let mut due: Vec<Nanos> = records.iter().map(|record| record.due).collect();
    due.sort_unstable();
    let mut free: Vec<Nanos> = records.iter().map(|record| record.end).collect();
    free.sort_unstable();
    assert_eq!(due[..3], [Nanos::ZERO; 3]);
    assert_eq!(due[3..], free[..57]);
}

#[test]
fn requests_in_flight_are_rate_times_latency_in_an_open_loop() {
    let mut session = session("gpu-small");
    session.set_load(Load::open(rate(20.0)));
    let mut records = session.run_until(Until::Time(Nanos::from_secs(5)));
    records.clear();
    let samples = 20_000;
    let mut in_flight = 0;
    for _ in 0..samples {
        let next = session.now() + Nanos::from_millis(10);
        records.extend(session.run_until(Until::Time(next)));
        assert_eq!(session.now(), next);
        in_flight += session.in_flight().len();
    }
    let mean_in_flight = f64::from(in_flight as u32) / f64::from(samples);
    let latency: Nanos = records.iter().map(RequestRecord::latency).sum();
    let expected = latency.as_secs_f64() / (f64::from(samples) * 0.01);
    let error = (mean_in_flight / expected - 1.0).abs();
    assert!(
        error < 0.02,
        "{mean_in_flight} in flight, {expected} by Little's law"
    );
    let achieved = records.len() as f64 / (f64::from(samples) * 0.01);
    assert!(
        (achieved / 20.0 - 1.0).abs() < 0.05,
        "{achieved} requests a second"
    );
}

#[test]
fn open_loop_requests_are_due_when_the_arrivals_say() {
    for arrivals in [
        Arrivals::Poisson(rate(40.0)),
        Arrivals::Constant(rate(40.0)),
        Arrivals::AtOnce,
        Arrivals::Paced(Pacing {
            requests: 200,
            pace: Pace::Fitted(rate(40.0)),
            burstiness: Burstiness::of_shape(0.5).unwrap(),
        }),
    ] {
        let load = Load {
            arrivals,
            concurrency: None,
        };
        let records = session("gpu-small").measure(&point(load, 200));
        records.iter().for_each(check_record);
        let mut due: Vec<(u64, Nanos)> = records
            .iter()
            .map(|record| (record.index, record.due))
            .collect();
        due.sort_unstable();
        let expected: Vec<(u64, Nanos)> = Arrival::new(arrivals, SETTINGS.seed)
            .unwrap()
            .take(200)
            .zip(0..)
            .map(|(due, index)| (index, due))
            .collect();
        assert_eq!(due, expected);
        assert!(records.iter().all(|record| record.sent == record.due));
    }
}

#[test]
fn recorded_requests_are_due_as_recorded_and_end_with_the_record() {
    let times = [5, 5, 40, 900].map(Nanos::from_millis);
    let load = Load {
        arrivals: Arrivals::Recorded(rate(4.0)),
        concurrency: None,
    };
    let mut session = session("gpu-small").with_due_times(Arc::new(times));
    let records = session.measure(&point(load, 10));
    let mut due: Vec<Nanos> = records.iter().map(|record| record.due).collect();
    due.sort_unstable();
    assert_eq!(due, times);
}

#[test]
fn a_limit_on_an_open_loop_holds_and_the_wait_for_it_is_told() {
    let load = capped(Arrivals::Poisson(rate(200.0)), 4);
    let records = session("gpu-small").measure(&point(load, 300));
    records.iter().for_each(check_record);
    assert_eq!(most_at_once(&records), 4);
    let expected: Vec<Nanos> = Arrival::new(load.arrivals, SETTINGS.seed)
        .unwrap()
        .take(300)
        .collect();
    let mut due: Vec<Nanos> = records.iter().map(|record| record.due).collect();
    due.sort_unstable();
    assert_eq!(due, expected);
    let longest = records.iter().map(|record| record.slot_wait).max().unwrap();
    assert!(longest > Nanos::from_secs(1), "{longest}");
}

#[test]
fn warm_up_requests_are_all_awaited_before_the_others_are_due() {
    let with_warm_up = LoadPoint {
        warmup: 5,
        ..point(users(4), 20)
    };
    let records = session("gpu-small").measure(&with_warm_up);
    let (warm_up, counted) = records.split_at(5);
    assert!(
        warm_up
            .iter()
            .all(|record| record.phase == Phase::Warmup && record.index < 5)
    );
    assert!(
        counted
            .iter()
            .all(|record| record.phase == Phase::Measured && record.index >= 5)
    );
    let barrier = warm_up.iter().map(|record| record.end).max().unwrap();
    let first_due = counted.iter().map(|record| record.due).min().unwrap();
    assert_eq!(first_due, barrier);
    assert_eq!(counted.len(), 20);
}

#[test]
fn a_break_ends_the_sending_and_hands_over_what_is_in_flight() {
    let mut session = session("gpu-small");
    let mut records = Vec::new();
    let measured = session.measure_each(&point(users(4), 1_000_000), |record| {
        records.push(record);
        if records.len() >= 100 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(measured.interrupted);
    assert!((100..1000).contains(&records.len()), "{}", records.len());
    assert!(records.iter().all(RequestRecord::succeeded));
    assert_eq!(session.in_flight(), []);
    let next = session.measure_each(&point(users(4), 5), |_| ControlFlow::Continue(()));
    assert!(!next.interrupted);
    assert_eq!(
        next.start,
        records.iter().map(|record| record.end).max().unwrap()
    );
}

#[test]
fn a_duration_ends_the_sending_and_awaits_what_is_in_flight() {
    for load in [
        users(4),
        Load::open(rate(30.0)),
        capped(Arrivals::Poisson(rate(300.0)), 4),
    ] {
        let duration = Nanos::from_secs(3);
        let limited = LoadPoint {
            warmup: 2,
            duration: Some(duration),
            ..point(load, 1_000_000)
        };
        let records = session("gpu-small").measure(&limited);
        let start = records[1].end;
        let counted = &records[2..];
        assert!(
            counted.iter().all(|record| record.sent < start + duration),
            "{load:?}"
        );
        assert!(
            counted.iter().any(|record| record.end > start + duration),
            "{load:?}"
        );
        assert!(counted.iter().all(RequestRecord::succeeded), "{load:?}");
    }
}

#[test]
fn a_refusal_is_a_failure_and_every_request_is_accounted_for() {
    let records = session("reject-429").measure(&point(users(100), 2000));
    records.iter().for_each(check_record);
    assert_eq!(records.len(), 2000);
    let (good, refused): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.succeeded());
    assert!(!good.is_empty() && !refused.is_empty());
    for record in refused {
        assert_eq!(
            record.failure.as_ref().unwrap().kind,
            FailureKind::RateLimited
        );
        assert_eq!(record.status, Some(429));
        assert_eq!(record.output_tokens, None);
        assert_eq!(record.first_token, None);
    }
    let mut indices: Vec<u64> = records.iter().map(|record| record.index).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..2000).collect::<Vec<_>>());
}

#[test]
fn time_passes_even_where_everything_is_refused_at_once() {
    let mut closed_shop = profile("reject-429");
    closed_shop.max_num_seqs = 1;
    closed_shop.queue_limit = Some(0);
    closed_shop.request_overhead_ms = 0.0;
    let mut session = VirtualSession::new(&closed_shop, SETTINGS, mixed());
    session.set_load(users(3));
    let records = session.run_until(Until::Time(Nanos::from_millis(10)));
    assert_eq!(
        records.len(),
        2 * 101,
        "one user is served, two are refused"
    );
    assert!(records.iter().all(|record| record.status == Some(429)));
}

#[test]
fn a_request_that_can_never_fit_is_a_client_error() {
    let too_long: Source = Box::new(|_| VirtualRequest {
        prompt_tokens: u32::MAX / 2,
        answers: vec![1, 1],
        ..VirtualRequest::default()
    });
    let mut session = VirtualSession::new(&profile("gpu-small"), SETTINGS, too_long);
    let records = session.measure(&point(users(2), 4));
    assert_eq!(records.len(), 4);
    for record in records {
        assert_eq!(record.failure.unwrap().kind, FailureKind::ClientError);
        assert_eq!(record.status, Some(400));
    }
}

#[test]
fn several_answers_are_one_request_that_ends_with_the_longest() {
    let mut session = VirtualSession::new(&profile("constant-10ms"), SETTINGS, answers(&[3, 9, 5]));
    let records = session.measure(&point(users(2), 6));
    for record in &records {
        check_record(record);
        assert_eq!(record.output_tokens.unwrap().count, 17);
        assert_eq!(record.chunks, 17);
        assert_eq!(record.prompt_tokens.unwrap().count, 50);
    }
    assert_eq!(records.len(), 6);
    assert_eq!(most_at_once(&records), 2);
}

#[test]
fn an_answer_that_is_not_streamed_comes_whole_at_its_end() {
    let whole = SessionSettings {
        streamed: false,
        ..SETTINGS
    };
    let mut session = VirtualSession::new(&profile("constant-10ms"), whole, answers(&[20, 30]));
    for record in session.measure(&point(users(2), 6)) {
        assert!(!record.streamed);
        assert_eq!(record.first_token, Some(record.end));
        assert_eq!(record.first_byte, Some(record.end));
        assert_eq!((record.chunks, record.gaps.len()), (1, 0));
        assert_eq!(record.output_tokens.unwrap().count, 50);
        assert_eq!(record.tpot(), None);
    }
}

#[test]
fn several_tokens_may_come_in_one_event() {
    let mut session = VirtualSession::new(&profile("speculative"), SETTINGS, answers(&[100]));
    let records = session.measure(&point(users(2), 10));
    records.iter().for_each(check_record);
    assert!(
        records
            .iter()
            .all(|record| record.output_tokens.unwrap().count == 100)
    );
    assert!(records.iter().all(|record| record.chunks < 80));
}

#[test]
fn cached_prompt_tokens_are_told_where_there_is_a_prefix_cache() {
    let cached = |name: &str| {
        let source: Source = Box::new(|_| VirtualRequest {
            prompt_tokens: 64,
            answers: vec![4],
            hashes: Some([11, 12, 13, 14].into()),
            ..VirtualRequest::default()
        });
        let mut session = VirtualSession::new(&profile(name), SETTINGS, source);
        let records = session.measure(&point(users(1), 3));
        records
            .iter()
            .map(|record| record.cached_tokens)
            .collect::<Vec<_>>()
    };
    assert_eq!(cached("gpu-small"), [None; 3]);
    let told = cached("prefix-cache");
    assert_eq!(told[0], Some(0));
    assert!(told[1] > Some(0) && told[1] == told[2], "{told:?}");
}

#[test]
fn texts_and_asked_lengths_are_those_of_the_source() {
    let source: Source = Box::new(|item| VirtualRequest {
        prompt_tokens: 5,
        asked_output: Some(40 + item as u32),
        answers: vec![2],
        exchange: Some(Box::new(Exchange {
            request: format!("item {item}"),
            ..Exchange::default()
        })),
        ..VirtualRequest::default()
    });
    let mut session = VirtualSession::new(&profile("gpu-small"), SETTINGS, source);
    for record in session.measure(&point(users(3), 9)) {
        assert_eq!(
            record.exchange.unwrap().request,
            format!("item {}", record.index)
        );
        assert_eq!(record.asked_output, Some(40 + record.index as u32));
    }
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_one_others() {
    let run = |seed| {
        let settings = SessionSettings { seed, ..SETTINGS };
        let mut session = VirtualSession::new(&profile("noisy"), settings, mixed());
        let mut records = session.measure(&point(users(16), 200));
        records.extend(session.measure(&point(Load::open(rate(10.0)), 200)));
        records
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn the_session_goes_on_between_points_and_items_never_repeat() {
    let source: Source = Box::new(|item| VirtualRequest {
        prompt_tokens: 1000 + item as u32,
        answers: vec![5],
        ..VirtualRequest::default()
    });
    let mut session = VirtualSession::new(&profile("gpu-small"), SETTINGS, source);
    let first = session.measure(&point(users(2), 10));
    let pause = Nanos::from_secs(5);
    let resumed = session.now() + pause;
    assert_eq!(session.run_until(Until::Time(resumed)), []);
    let second = session.measure(&point(users(4), 10));
    assert_eq!(first.last().unwrap().end + pause, second[0].due);
    let prompts = |records: &[RequestRecord]| {
        let mut prompts: Vec<_> = records
            .iter()
            .map(|record| (record.index, record.prompt_tokens.unwrap().count))
            .collect();
        prompts.sort_unstable();
        prompts
    };
    assert_eq!(prompts(&first), (0..10).zip(1000..1010).collect::<Vec<_>>());
    assert_eq!(
        prompts(&second),
        (0..10).zip(1010..1020).collect::<Vec<_>>()
    );
}

#[test]
fn an_aborted_request_leaves_its_record_and_its_slot() {
    let mut session = session("gpu-small");
    session.set_load(users(3));
    session.run_until(Until::Ended(5));
    let victim = session.in_flight()[1];
    assert!(session.abort(victim.index));
    assert!(!session.abort(victim.index));
    let now = session.now();
    let records = session.run_until(Until::Ended(1));
    assert_eq!(records[0].index, victim.index);
    assert_eq!(
        records[0].failure.as_ref().unwrap().kind,
        FailureKind::Cancelled
    );
    assert_eq!(records[0].end, now);
    assert_eq!(records[0].first_token, victim.first_token);
    let in_flight = session.in_flight();
    assert_eq!(in_flight.len(), 3);
    assert_eq!(in_flight[2].sent, now);
}

fn any_load() -> impl Strategy<Value = Load> {
    let arrivals = prop_oneof![
        Just(None),
        (1.0..100.0_f64).prop_map(|value| Some(Arrivals::Poisson(rate(value)))),
        (1.0..100.0_f64).prop_map(|value| Some(Arrivals::Constant(rate(value)))),
    ];
    (arrivals, proptest::option::of(1..40_u32)).prop_map(|(arrivals, limit)| match arrivals {
        None => users(limit.unwrap_or(1)),
        Some(arrivals) => Load {
            arrivals,
            concurrency: limit.and_then(NonZeroU32::new),
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_load_is_kept_and_every_request_ends_once(
        load in any_load(), requests in 1..150_u64, warmup in 0..10_u64, seed: u64,
    ) {
        let settings = SessionSettings { seed, ..SETTINGS };
        let mut session = VirtualSession::new(&profile("reject-429"), settings, mixed());
        let records = session.measure(&LoadPoint { warmup, ..point(load, requests) });
        records.iter().for_each(check_record);
        let mut indices: Vec<u64> = records.iter().map(|record| record.index).collect();
        indices.sort_unstable();
        prop_assert_eq!(indices, (0..requests + warmup).collect::<Vec<_>>());
        prop_assert!(records.is_sorted_by_key(|record| record.end));
        if let Some(limit) = load.concurrency {
            prop_assert!(most_at_once(&records) <= limit.get() as usize);
        }
    }
}
