//! Tests of how a record becomes a row.

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::super::{Applied, Basis, Counting, Figures, Limits, SteadyState};
use super::*;
use crate::record::{Failure, FailureKind, Phase, TokenCount};

fn count(count: u32, source: TokenSource) -> TokenCount {
    TokenCount { count, source }
}

/// Due at 1 s, waited 200 ms for a slot, was late by 10 ms, connected in 40 ms, first token after 300 ms.
fn streamed() -> RequestRecord {
    RequestRecord {
        due: Nanos::from_millis(1000),
        slot_wait: Nanos::from_millis(200),
        connect: Some(Nanos::from_millis(40)),
        sent: Nanos::from_millis(1250),
        first_token: Some(Nanos::from_millis(1550)),
        last_token: Some(Nanos::from_millis(1750)),
        end: Nanos::from_millis(1755),
        gaps: [150, 50].map(Nanos::from_millis).into_iter().collect(),
        chunks: 3,
        streamed: true,
        prompt_tokens: Some(count(12, TokenSource::Usage)),
        output_tokens: Some(count(5, TokenSource::Usage)),
        ..RequestRecord::new(0, Phase::Measured)
    }
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{found:?} and not {expected:?}");
    }
}

fn times(row: &Row) -> [f64; 6] {
    [
        row.due_s,
        row.start_s,
        row.queue_s,
        row.ttft_s,
        row.latency_s,
        row.end_s,
    ]
}

#[test]
fn from_the_first_byte_the_connection_is_no_service_and_the_queue_is_the_wait_for_a_slot() {
    let row = Row::of_record(&streamed(), RequestClock::Sent);
    assert_near(&times(&row), &[1.0, 1.25, 0.2, 0.3, 0.5, 1.755]);
    assert_near(&row.itls_s, &[0.15, 0.05]);
    assert_near(
        &[row.served_s(), row.end_s, row.admitted_s()],
        &[1.75, 1.755, 1.2],
    );
    assert_eq!((row.prompt_tokens, row.output_tokens), (12, 5));
    assert_eq!(row.event_tokens, EventTokens::Even);
    assert!(row.succeeded);
}

#[test]
fn from_the_dispatch_the_connection_is_service_and_the_clients_delay_is_queue() {
    let row = Row::of_record(&streamed(), RequestClock::Dispatched);
    assert_near(&times(&row), &[1.0, 1.21, 0.21, 0.34, 0.54, 1.755]);
    assert_near(&[row.latency_s - row.ttft_s], &[row.itls_s.iter().sum()]);
}

#[test]
fn where_any_choice_is_a_token_the_role_is_the_first_and_the_reason_of_the_end_the_last() {
    let record = RequestRecord {
        bare_events: [1350, 1753].map(Nanos::from_millis).into(),
        chunk_tokens: vec![2, 2, 1],
        ..streamed()
    };
    let row = Row::of_choices(&record, RequestClock::Sent);
    assert_near(&times(&row), &[1.0, 1.25, 0.2, 0.1, 0.503, 1.755]);
    assert_near(&row.itls_s, &[0.2, 0.15, 0.05, 0.003]);
    assert_eq!(row.event_tokens, EventTokens::One);
    let dispatched = Row::of_choices(&record, RequestClock::Dispatched);
    assert_near(&[dispatched.ttft_s, dispatched.latency_s], &[0.14, 0.543]);
}

#[test]
fn events_without_content_are_in_the_peak_of_events_and_not_in_that_of_tokens() {
    let record = RequestRecord {
        bare_events: [1350, 1753].map(Nanos::from_millis).into(),
        ..streamed()
    };
    let peak = |row: Row, counting| {
        let basis = Basis {
            duration_s: 1.0,
            counting,
            percentiles: Vec::new(),
            limits: Limits::default(),
        };
        Figures::of(&[row], &basis).peak_output_per_s
    };
    let any = Row::of_choices(&record, RequestClock::Sent);
    let row = Row::of_record(&record, RequestClock::Sent);
    assert_near(
        &[
            peak(any, Counting::Events),
            peak(row.clone(), Counting::Events),
            peak(row, Counting::Tokens),
        ],
        &[5.0, 3.0, 5.0],
    );
}

#[test]
fn without_bare_events_and_without_a_stream_any_choice_changes_no_time() {
    for record in [
        streamed(),
        RequestRecord {
            streamed: false,
            bare_events: vec![Nanos::from_millis(1300)],
            ..streamed()
        },
    ] {
        let row = Row::of_record(&record, RequestClock::Sent);
        let any = Row::of_choices(&record, RequestClock::Sent);
        assert_near(&times(&any), &times(&row));
        assert_near(&any.itls_s, &row.itls_s);
    }
}

#[test]
fn an_answer_of_bare_events_alone_has_its_times_from_them() {
    let record = RequestRecord {
        first_token: None,
        last_token: None,
        gaps: [].into_iter().collect(),
        chunks: 0,
        bare_events: [1300, 1400].map(Nanos::from_millis).into(),
        ..streamed()
    };
    let row = Row::of_choices(&record, RequestClock::Sent);
    assert_near(&[row.ttft_s, row.latency_s], &[0.05, 0.15]);
    assert_near(&row.itls_s, &[0.1]);
}

#[test]
fn a_failed_request_is_in_flight_until_it_failed_whatever_is_a_token() {
    let record = RequestRecord {
        failure: Some(Failure {
            kind: FailureKind::CutMidStream,
            text: String::new(),
        }),
        bare_events: vec![Nanos::from_millis(1350)],
        ..streamed()
    };
    let row = Row::of_choices(&record, RequestClock::Sent);
    assert_near(&[row.ttft_s, row.latency_s], &[0.1, 0.505]);
}

#[test]
fn a_connection_that_was_begun_before_the_due_time_starts_no_request() {
    let record = RequestRecord {
        connect: Some(Nanos::from_secs(9)),
        ..streamed()
    };
    let row = Row::of_record(&record, RequestClock::Dispatched);
    assert_near(&[row.start_s, row.queue_s], &[1.0, 0.0]);
}

#[test]
fn an_answer_that_came_whole_has_its_first_token_at_its_end() {
    let record = RequestRecord {
        streamed: false,
        first_token: None,
        last_token: None,
        gaps: crate::record::Gaps::default(),
        chunks: 0,
        output_tokens: None,
        ..streamed()
    };
    let row = Row::of_record(&record, RequestClock::Sent);
    assert_near(&times(&row), &[1.0, 1.25, 0.2, 0.505, 0.505, 1.755]);
    assert_eq!(row.output_tokens, 0);
    assert_eq!(row.tpot_s(), None);
}

#[test]
fn a_failed_request_lasts_until_it_failed_and_keeps_the_tokens_times_that_it_had() {
    let failure = Some(Failure {
        kind: FailureKind::CutMidStream,
        text: String::new(),
    });
    let cut = RequestRecord {
        failure: failure.clone(),
        ..streamed()
    };
    let row = Row::of_record(&cut, RequestClock::Sent);
    assert_near(&times(&row), &[1.0, 1.25, 0.2, 0.3, 0.505, 1.755]);
    assert_eq!((row.succeeded, row.output_tokens), (false, 0));
    let refused = RequestRecord {
        first_token: None,
        failure,
        ..streamed()
    };
    let row = Row::of_record(&refused, RequestClock::Sent);
    assert_near(&times(&row), &[1.0, 1.25, 0.2, 0.0, 0.505, 1.755]);
}

#[test]
fn tokens_that_nobody_counted_are_one_an_event() {
    let by_events = RequestRecord {
        output_tokens: Some(count(3, TokenSource::Chunks)),
        ..streamed()
    };
    let row = Row::of_record(&by_events, RequestClock::Sent);
    assert_eq!((row.output_tokens, row.event_tokens), (3, EventTokens::One));
    let unknown = RequestRecord {
        output_tokens: None,
        ..streamed()
    };
    let row = Row::of_record(&unknown, RequestClock::Sent);
    assert_eq!((row.output_tokens, row.event_tokens), (1, EventTokens::One));
}

#[test]
fn tokens_that_the_server_counts_in_every_event_are_taken_from_it() {
    let counted = RequestRecord {
        chunk_tokens: vec![1, 3, 1],
        ..streamed()
    };
    let row = Row::of_record(&counted, RequestClock::Sent);
    assert_eq!(row.event_tokens, EventTokens::Known(vec![1, 3, 1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_a_token_the_spans_between_make_up_the_time_from_the_first_to_the_last(
        bare in proptest::collection::vec(1_250_000_000..2_000_000_000_u64, 0..6),
        gaps in proptest::collection::vec(0..80_000_000_u64, 0..9),
    ) {
        let first = Nanos::from_millis(1550);
        let record = RequestRecord {
            last_token: Some(first + Nanos(gaps.iter().sum())),
            gaps: gaps.iter().copied().map(Nanos).collect(),
            bare_events: bare.iter().copied().map(Nanos).collect(),
            end: Nanos::from_secs(3),
            ..streamed()
        };
        for clock in [RequestClock::Sent, RequestClock::Dispatched] {
            let row = Row::of_choices(&record, clock);
            prop_assert_eq!(row.itls_s.len(), gaps.len() + bare.len());
            prop_assert!(row.itls_s.iter().all(|span| *span >= 0.0));
            let spans: f64 = row.itls_s.iter().sum();
            prop_assert!((row.latency_s - row.ttft_s - spans).abs() < 1e-9);
            prop_assert!(row.ttft_s <= Row::of_record(&record, clock).ttft_s);
        }
    }

    #[test]
    fn a_user_who_asks_on_at_once_is_never_two(
        users in 1..6_u64, begin in 0..1_000_000_000_u64, spans in proptest::collection::vec(1..3_000_000_000_u64, 12..80),
    ) {
        // Each request starts in the nanosecond in which the one before ended; seconds in floating point must not
        // make them overlap.
        let mut free = vec![Nanos(begin); users as usize];
        let rows: Vec<Row> = spans
            .iter()
            .map(|&span| {
                let user = (0..free.len()).min_by_key(|&user| free[user]).unwrap();
                let due = free[user];
                free[user] = due + Nanos(span);
                let record = RequestRecord {
                    due,
                    sent: due,
                    first_token: Some(due + Nanos(span / 3)),
                    last_token: Some(due + Nanos(span / 2)),
                    end: due + Nanos(span),
                    streamed: true,
                    ..RequestRecord::new(0, Phase::Measured)
                };
                Row::of_record(&record, RequestClock::Sent)
            })
            .collect();
        let basis = Basis {
            duration_s: 1.0,
            counting: Counting::Tokens,
            percentiles: Vec::new(),
            limits: Limits::default(),
        };
        prop_assert_eq!(Figures::of(&rows, &basis).peak_concurrency, users);
        let steady = SteadyState::of(&rows, Applied::Closed { limit: users }, &basis).unwrap();
        prop_assert!((steady.concurrency - users as f64).abs() < 1e-6);
        let first_to_stop = free.iter().min().unwrap().as_secs_f64();
        prop_assert!((steady.window.to_s - first_to_stop).abs() < 1e-9);
    }
}
