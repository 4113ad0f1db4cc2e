//! Tests of the steady part of a run: where it lies, and what is counted in it.

use proptest::prelude::{ProptestConfig, prop_assert, proptest};

use super::super::{EventTokens, Limits};
use super::*;

/// An answer of tokens 0.25 s apart, sent when due.
fn row(start_s: f64, tokens: u32) -> Row {
    let later = tokens as usize - 1;
    Row {
        due_s: start_s,
        start_s,
        ttft_s: 0.25,
        itls_s: vec![0.25; later],
        latency_s: 0.25 * f64::from(tokens),
        end_s: start_s + 0.25 * f64::from(tokens),
        prompt_tokens: 10,
        output_tokens: tokens.into(),
        event_tokens: EventTokens::Even,
        succeeded: true,
        ..Row::default()
    }
}

fn basis(counting: Counting) -> Basis {
    Basis {
        duration_s: 1.0,
        counting,
        percentiles: vec![50.0],
        limits: Limits::default(),
    }
}

fn window(rows: &[Row], applied: Applied) -> Option<(f64, f64)> {
    Window::of(rows, applied).map(|window| (window.from_s, window.to_s))
}

/// Two users: one starts at 0 and the other at 0.5; requests of 1 s; the first stops at 3, the other at 3.5.
fn two_users() -> Vec<Row> {
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
        .into_iter()
        .map(|start_s| row(start_s, 4))
        .collect()
}

#[test]
fn a_closed_loop_is_steady_from_when_it_is_first_full_until_it_was_last_full() {
    let rows = two_users();
    assert_eq!(
        window(&rows, Applied::Closed { limit: 2 }),
        Some((0.5, 3.0))
    );
    assert_eq!(
        window(&rows, Applied::Closed { limit: 1 }),
        Some((0.0, 3.5))
    );
    assert_eq!(window(&rows, Applied::Closed { limit: 3 }), None);
}

#[test]
fn the_clients_own_time_between_two_requests_does_not_end_a_closed_loop() {
    // Each request is written 0.125 s after its slot became free.
    let mut rows = two_users();
    for row in &mut rows {
        row.start_s += 0.125;
        row.latency_s -= 0.125;
        row.ttft_s -= 0.125;
    }
    assert_eq!(
        window(&rows, Applied::Closed { limit: 2 }),
        Some((0.5, 3.0))
    );
}

#[test]
fn an_open_loop_is_steady_from_the_first_answer_to_the_last_start() {
    let rows: Vec<_> = [2.0, 2.25, 2.75, 3.5, 4.0]
        .into_iter()
        .map(|start_s| row(start_s, 4))
        .collect();
    assert_eq!(window(&rows, Applied::Open), Some((3.0, 4.0)));
    assert_eq!(
        window(&rows[..3], Applied::Open),
        None,
        "all sent before the first answer"
    );
    assert_eq!(window(&rows, Applied::Ramp), None);
}

#[test]
fn a_failed_request_does_not_show_that_the_service_has_begun_to_answer() {
    let mut rows: Vec<_> = [0.0, 0.5, 1.0, 3.0].map(|start_s| row(start_s, 4)).into();
    rows[0].succeeded = false;
    assert_eq!(window(&rows, Applied::Open), Some((1.5, 3.0)));
}

#[test]
fn no_requests_have_no_steady_part() {
    for applied in [Applied::Closed { limit: 0 }, Applied::Open, Applied::Ramp] {
        assert_eq!(window(&[], applied), None);
        assert_eq!(
            SteadyState::of(&[], applied, &basis(Counting::Tokens)),
            None
        );
    }
}

#[test]
fn what_comes_inside_is_counted() {
    let steady = SteadyState::of(
        &two_users(),
        Applied::Closed { limit: 2 },
        &basis(Counting::Tokens),
    )
    .unwrap();
    // Inside 0.5 to 3.0: requests of 0.5, 1.0, 1.5, 2.0 and 2.5 start; those of 0, 0.5, 1.0, 1.5 and 2.0 end.
    assert_eq!((steady.started, steady.completed), (5, 5));
    // A token of each user every 0.25 s: 10 times two. First tokens of the five that start inside.
    assert_eq!((steady.output_tokens, steady.input_tokens), (20, 50));
    let near = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} and not {expected}"
        );
    };
    near(steady.request_throughput, 2.0);
    near(steady.output_throughput, 8.0);
    near(steady.token_throughput, 28.0);
    near(steady.concurrency, 2.0);
    near(steady.spread(Quantity::Latency).mean_ms, 1000.0);
    assert_eq!(steady.spread(Quantity::Itl).count, 15);
}

#[test]
fn failed_requests_are_in_flight_but_give_no_tokens() {
    let mut rows = two_users();
    rows[2].succeeded = false;
    let steady = SteadyState::of(
        &rows,
        Applied::Closed { limit: 2 },
        &basis(Counting::Tokens),
    )
    .unwrap();
    assert_eq!((steady.started, steady.completed), (5, 4));
    assert_eq!((steady.output_tokens, steady.input_tokens), (16, 40));
    assert!((steady.concurrency - 2.0).abs() < 1e-12);
}

#[test]
fn counted_by_events_an_event_with_four_tokens_is_one() {
    let mut rows = two_users();
    for row in &mut rows {
        row.output_tokens = 16;
        row.event_tokens = EventTokens::Known(vec![4; 4]);
    }
    let output = |counting| {
        let applied = Applied::Closed { limit: 2 };
        let steady = SteadyState::of(&rows, applied, &basis(counting));
        steady.unwrap().output_tokens
    };
    assert_eq!(
        (output(Counting::Tokens), output(Counting::Events)),
        (80, 20)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inside_the_window_of_a_closed_loop_all_slots_are_taken(
        slots in 1..8_u32, lengths in proptest::collection::vec(1..12_u32, 8..60),
    ) {
        // Each request goes to the slot that becomes free first, as a closed loop does it.
        let mut free = vec![0.0_f64; slots as usize];
        let rows: Vec<_> = lengths
            .iter()
            .map(|&tokens| {
                let slot = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
                let row = row(free[slot], tokens);
                free[slot] = row.end_s;
                row
            })
            .collect();
        let applied = Applied::Closed { limit: slots.into() };
        let steady = SteadyState::of(&rows, applied, &basis(Counting::Tokens)).unwrap();
        let end = rows.iter().map(|row| row.end_s).fold(0.0, f64::max);
        prop_assert!(steady.window.from_s.abs() < 1e-12 && steady.window.to_s <= end);
        prop_assert!((steady.concurrency - f64::from(slots)).abs() < 1e-9);
        prop_assert!(steady.completed <= rows.len() as u64);
        prop_assert!(steady.output_tokens <= rows.iter().map(|row| row.output_tokens).sum());
    }
}
