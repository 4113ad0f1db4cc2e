//! Rules of virtual time: order, joining, rejection, abortion, repeatability.

use proptest::prelude::*;

use super::*;

fn request(prompt_tokens: u32, output_tokens: u32) -> EngineRequest {
    EngineRequest {
        prompt_tokens,
        output_tokens,
        hashes: None,
    }
}

/// 1 ms an iteration and 1 us a prefill token.
fn profile() -> Profile {
    let mut profile = Profile::default();
    profile.iteration.base_ms = 1.0;
    profile.iteration.prefill_us_per_token = 1.0;
    profile.iteration.decode_us_per_sequence = 0.0;
    profile.iteration.kv_ns_per_token = 0.0;
    profile
}

fn drain(service: &mut VirtualService) -> Vec<Event> {
    std::iter::from_fn(|| service.next_event()).collect()
}

fn at_us(micros: u64, id: u64, kind: EventKind) -> Event {
    Event {
        at: Nanos::from_micros(micros),
        id,
        kind,
    }
}

const FINISHED: EventKind = EventKind::Finished { cached_tokens: 0 };

#[test]
fn tokens_come_at_the_ends_of_iterations_and_the_end_after_the_last() {
    let mut service = VirtualService::new(&profile(), 0);
    service.submit(Nanos::from_millis(5), 3, request(100, 2));
    assert_eq!(service.next_event_time(), Some(Nanos::from_micros(6100)));
    let expected = [
        at_us(6100, 3, EventKind::Tokens(1)),
        at_us(7100, 3, EventKind::Tokens(1)),
        at_us(7100, 3, FINISHED),
    ];
    assert_eq!(drain(&mut service), expected);
    assert_eq!(service.next_event_time(), None);
}

#[test]
fn looking_ahead_does_not_shut_out_a_request_of_the_same_moment() {
    let mut one_by_one = VirtualService::new(&profile(), 0);
    for id in 0..3 {
        one_by_one.submit(Nanos::ZERO, id, request(100, 1));
        one_by_one.next_event_time();
    }
    let mut together = VirtualService::new(&profile(), 0);
    for id in 0..3 {
        together.submit(Nanos::ZERO, id, request(100, 1));
    }
    let events = drain(&mut one_by_one);
    assert_eq!(events, drain(&mut together));
    assert_eq!(events[0].at, Nanos::from_micros(1300));
}

#[test]
fn a_request_that_comes_during_an_iteration_waits_for_the_next() {
    let mut service = VirtualService::new(&profile(), 0);
    service.submit(Nanos::ZERO, 1, request(100, 1));
    service.submit(Nanos(1), 2, request(100, 1));
    let expected = [
        at_us(1100, 1, EventKind::Tokens(1)),
        at_us(1100, 1, FINISHED),
        at_us(2200, 2, EventKind::Tokens(1)),
        at_us(2200, 2, FINISHED),
    ];
    assert_eq!(drain(&mut service), expected);
}

#[test]
fn an_iteration_without_a_token_is_a_quiet_event() {
    let mut service = VirtualService::new(&profile(), 0);
    service.submit(Nanos::ZERO, 1, request(3000, 1));
    let kinds: Vec<_> = drain(&mut service).iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Quiet, EventKind::Tokens(1), FINISHED]);
}

#[test]
fn the_request_overhead_comes_before_the_queue() {
    let mut slow = profile();
    slow.request_overhead_ms = 7.0;
    let mut service = VirtualService::new(&slow, 0);
    service.submit(Nanos::ZERO, 1, request(100, 1));
    assert_eq!(service.next_event_time(), Some(Nanos::from_micros(8100)));
}

#[test]
fn a_full_queue_refuses_at_the_moment_of_arrival() {
    let mut limited = profile();
    (limited.max_num_seqs, limited.queue_limit) = (1, Some(0));
    let mut service = VirtualService::new(&limited, 0);
    service.submit(Nanos::ZERO, 1, request(100, 2));
    service.submit(Nanos::from_micros(50), 2, request(100, 2));
    let refused = EventKind::Rejected(Rejection::QueueFull);
    assert_eq!(service.next_event(), Some(at_us(50, 2, refused)));
    assert_eq!(
        service.next_event(),
        Some(at_us(1100, 1, EventKind::Tokens(1)))
    );
    service.submit(Nanos::from_micros(1100), 3, request(40_000, 2));
    let too_long = EventKind::Rejected(Rejection::TooLong);
    assert_eq!(service.next_event(), Some(at_us(1100, 3, too_long)));
}

#[test]
fn an_aborted_request_shows_nothing_more_and_frees_its_place() {
    let mut narrow = profile();
    narrow.max_num_seqs = 1;
    let mut service = VirtualService::new(&narrow, 0);
    service.submit(Nanos::ZERO, 1, request(100, 50));
    service.submit(Nanos::ZERO, 2, request(100, 1));
    assert_eq!(
        service.next_event(),
        Some(at_us(1100, 1, EventKind::Tokens(1)))
    );
    assert!(service.abort(Nanos::from_micros(1500), 1));
    assert!(!service.abort(Nanos::from_micros(1500), 1));
    let events = drain(&mut service);
    assert!(events.iter().all(|event| event.id != 1));
    assert_eq!(events.last().unwrap().kind, FINISHED);
    assert_eq!(service.gauges(), Gauges::default());
}

#[test]
fn an_abort_before_the_iteration_begins_leaves_an_idle_service() {
    let mut service = VirtualService::new(&profile(), 0);
    service.submit(Nanos::ZERO, 1, request(100, 50));
    service.next_event_time();
    assert!(service.abort(Nanos::ZERO, 1));
    assert_eq!(service.next_event(), None);
    service.submit(Nanos::from_micros(10), 2, request(100, 1));
    assert_eq!(service.next_event_time(), Some(Nanos::from_micros(1110)));
}

/// Sends at the given gaps, looking at the next event between as a driver does; returns what was shown.
fn drive(profile: &Profile, seed: u64, sends: &[(u64, u32, u32)]) -> Vec<Event> {
    let mut service = VirtualService::new(profile, seed);
    let mut shown = Vec::new();
    let mut due = Nanos::ZERO;
    for (id, (gap, prompt, output)) in sends.iter().enumerate() {
        due += Nanos::from_micros(*gap);
        while service.next_event_time().is_some_and(|next| next < due) {
            shown.extend(service.next_event());
        }
        service.submit(due, id as u64, request(*prompt, *output));
    }
    shown.extend(drain(&mut service));
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_are_in_order_complete_and_the_same_each_time(
        name in proptest::sample::select(Profile::names().collect::<Vec<_>>()),
        sends in proptest::collection::vec((0..20_000_u64, 1..2000_u32, 1..80_u32), 1..40),
        seed in any::<u64>(),
    ) {
        let profile = Profile::load(name).unwrap();
        let shown = drive(&profile, seed, &sends);
        prop_assert!(shown.is_sorted_by_key(|event| event.at));
        for (id, (_, _, output)) in sends.iter().enumerate() {
            let of_one = shown.iter().filter(|event| event.id == id as u64);
            let (mut tokens, mut ends) = (0, 0);
            for event in of_one {
                match event.kind {
                    EventKind::Tokens(count) => tokens += count,
                    EventKind::Rejected(_) => { tokens += output; ends += 1; }
                    EventKind::Finished { .. } => ends += 1,
                    EventKind::Quiet => {}
                }
            }
            prop_assert_eq!((tokens, ends), (*output, 1));
        }
        prop_assert_eq!(&shown, &drive(&profile, seed, &sends));
    }
}
