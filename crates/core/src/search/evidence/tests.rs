//! How requests are put to dwells, and that neither the order of reports nor a restart changes what they come to.

use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};

use super::super::gauge::Gauge;
use super::super::synthetic::record;
use super::{Ending, Evidence, FLOOD, Span};
use crate::record::{Failure, FailureKind, InFlight, RequestRecord, TokenCount, TokenSource};
use crate::sla::{Slo, parse_groups};
use crate::units::Nanos;

const CRITERIA: &str =
    r#"[{"p99_ttft":"<=0.3","p99_latency":"<=2","avg_tpot":"<=0.1","p99_itl":"<=0.1"}]"#;

fn evidence() -> Evidence {
    let groups = parse_groups(CRITERIA, None).unwrap();
    let gauges = groups[0].criteria.iter();
    let gauges = gauges.map(|&criterion| Gauge::new(criterion, &Slo::default()).unwrap());
    Evidence::new(gauges.collect(), Slo::default())
}

fn at(seconds: f64) -> Nanos {
    Nanos::from_secs_f64(seconds)
}

/// An answer of eleven tokens after a first token.
fn answer(index: u64, sent: f64, first: f64, end: f64) -> RequestRecord {
    RequestRecord {
        output_tokens: Some(TokenCount {
            count: 11,
            source: TokenSource::Usage,
        }),
        prompt_tokens: Some(TokenCount {
            count: 33,
            source: TokenSource::Usage,
        }),
        gaps: vec![at((end - first) / 10.0); 10].into(),
        ..record(index, sent, Some(first), end)
    }
}

fn failed(kind: FailureKind, record: RequestRecord) -> RequestRecord {
    RequestRecord {
        failure: Some(Failure {
            kind,
            text: String::new(),
        }),
        ..record
    }
}

fn in_flight(index: u64, sent: f64, first_token: Option<f64>, output_tokens: u32) -> InFlight {
    InFlight {
        index,
        due: at(sent),
        sent: at(sent),
        first_token: first_token.map(at),
        output_tokens,
        expected_tokens: None,
    }
}

/// Loads 4 from 0 s (counting from 1 s) and 8 from 10 s (counting from 12 s); looked at until 20 s.
fn two_dwells() -> Evidence {
    let mut evidence = evidence();
    evidence.begin(4.0, at(1.0));
    evidence.look(at(10.0), &[]);
    evidence.cut();
    evidence.begin(8.0, at(12.0));
    evidence.look(at(20.0), &[]);
    evidence
}

#[test]
fn a_request_belongs_to_the_load_at_which_it_was_sent() {
    let mut evidence = two_dwells();
    for (index, sent) in [0.5, 1.0, 9.9, 10.0, 11.9, 12.0, 19.0]
        .into_iter()
        .enumerate()
    {
        evidence.take(&answer(index as u64, sent, sent + 0.1, sent + 1.0));
    }
    let indices = |dwell: usize| {
        let requests = evidence.dwells[dwell].requests.keys();
        requests.copied().collect::<Vec<_>>()
    };
    // Those sent while users joined count nowhere, but say how fast the service is.
    assert_eq!(indices(0), [1, 2]);
    assert_eq!(indices(1), [5, 6]);
    assert_eq!(evidence.ended, 7);
    assert!((evidence.pace().unwrap().latency - 1.0).abs() < 1e-9);
}

#[test]
fn a_few_failures_before_the_service_was_steady_are_the_changes_doing_and_many_the_loads() {
    let mut evidence = two_dwells();
    for index in 0..FLOOD {
        assert_eq!(evidence.dwells[1].failures(), 0);
        evidence.take(&failed(
            FailureKind::RateLimited,
            answer(index, 11.0, 11.1, 12.0),
        ));
    }
    assert_eq!(evidence.dwells[0].failures(), 0);
    assert_eq!(evidence.dwells[1].failures(), FLOOD);
    assert!(evidence.dwells[1].requests.is_empty());
    evidence.take(&failed(
        FailureKind::Cancelled,
        answer(99, 13.0, 13.1, 14.0),
    ));
    assert_eq!(
        evidence.dwells[1].failures(),
        FLOOD,
        "a request given up has not failed"
    );
}

#[test]
fn a_dwell_with_a_failure_has_no_values_unless_a_success_rate_is_asked() {
    let mut evidence = two_dwells();
    evidence.take(&answer(0, 13.0, 13.1, 14.0));
    evidence.take(&failed(
        FailureKind::ServerError,
        answer(1, 13.5, 13.6, 14.0),
    ));
    assert!(evidence.values(&evidence.dwells[1], 0).is_empty());
    evidence.strict = false;
    assert_eq!(evidence.values(&evidence.dwells[1], 0).len(), 2);
    evidence.dwells[1].void = true;
    assert!(evidence.values(&evidence.dwells[1], 0).is_empty());
}

#[test]
fn values_come_in_the_order_of_sending_and_only_of_what_can_be_judged() {
    let mut evidence = two_dwells();
    for (index, sent) in [13.0, 14.0, 19.9].into_iter().enumerate() {
        evidence.take(&answer(
            index as u64,
            sent,
            sent + 0.1 * (index + 1) as f64,
            sent + 1.0,
        ));
    }
    // By 20 s a TTFT limit of 0.3 s has passed for those sent up to 19.7 s.
    let values = evidence.values(&evidence.dwells[1], 0);
    assert_eq!(values.len(), 2);
    assert!((values[0] - 0.1 / 0.3).abs() < 1e-9 && (values[1] - 0.2 / 0.3).abs() < 1e-9);
    assert_eq!(evidence.decided(&evidence.dwells[1], &[0]), 2);
    // A mean of TPOT waits longer, and a group is decided when its slowest criterion is.
    assert_eq!(evidence.decided(&evidence.dwells[1], &[0, 2]), 2);
    assert_eq!(evidence.violations(&evidence.dwells[1], 0), [0.0, 0.0]);
}

#[test]
fn what_happens_after_a_cut_does_not_count_for_the_load_before() {
    let mut evidence = evidence();
    evidence.begin(4.0, at(0.0));
    evidence.look(at(1.0), &[]);
    evidence.take(&answer(0, 0.0, 0.1, 1.0));
    evidence.look(at(10.0), &[in_flight(1, 8.0, Some(8.1), 3)]);
    evidence.cut();
    evidence.begin(8.0, at(12.0));
    let before = evidence.values(&evidence.dwells[0], 2);
    // It ends very late, under the next load; the service is as fast as ever otherwise.
    for index in 2..60 {
        let sent = 12.0 + 0.3 * index as f64;
        evidence.take(&answer(index, sent, sent + 0.1, sent + 1.0));
    }
    evidence.take(&answer(1, 8.0, 8.1, 29.0));
    evidence.look(at(40.0), &[]);
    let seen = &evidence.dwells[0].requests[&1];
    assert_eq!(seen.cut.unwrap().tokens, 3);
    assert!(matches!(seen.ending, Ending::Success(_)));
    let after = evidence.values(&evidence.dwells[0], 2);
    assert_eq!(after.len(), 2);
    assert!((after[1] - before[1]).abs() < 0.5, "{before:?} {after:?}");
    // Its own would be 21.
    assert!(after[1] < 4.0, "{after:?}");
}

#[test]
fn throughput_is_that_of_the_tokens_that_arrived_between_two_looks() {
    let mut evidence = evidence();
    evidence.begin(2.0, at(0.0));
    evidence.look(at(0.0), &[]);
    evidence.look(
        at(5.0),
        &[
            in_flight(0, 0.0, Some(1.0), 5),
            in_flight(1, 0.0, Some(1.0), 5),
        ],
    );
    assert!((evidence.dwells[0].work().unwrap().tokens - 2.0).abs() < 1e-9);
    evidence.take(&answer(0, 0.0, 1.0, 8.0));
    evidence.take(&answer(1, 0.0, 1.0, 9.0));
    evidence.look(at(10.0), &[in_flight(2, 9.0, None, 0)]);
    let work = evidence.dwells[0].work().unwrap();
    assert!((work.seconds - 10.0).abs() < 1e-9);
    assert!((work.tokens - 2.2).abs() < 1e-9);
    assert!((work.requests - 0.2).abs() < 1e-9);
    assert!((work.backlog - 0.1).abs() < 1e-9);
    assert!((evidence.input_ratio() - 3.0).abs() < 1e-9);
    // Nothing is read after the end.
    evidence.end();
    evidence.look(at(20.0), &[]);
    assert!((evidence.dwells[0].work().unwrap().seconds - 10.0).abs() < 1e-9);
}

#[test]
fn a_restored_load_has_the_throughput_of_its_records() {
    let mut evidence = evidence();
    evidence.restore(Span {
        load: 4.0,
        applied: at(0.0),
        counts_from: at(1.0),
        ended: Some(at(11.0)),
        cut: true,
    });
    // One wholly inside, half of one that began before, and half of one that went on afterwards.
    evidence.take(&answer(0, 2.0, 3.0, 5.0));
    evidence.take(&answer(1, 0.0, 0.0, 2.0));
    evidence.take(&answer(2, 9.0, 10.0, 12.0));
    let work = evidence.dwells[0].work().unwrap();
    assert!((work.tokens - 22.0 / 10.0).abs() < 1e-6, "{work:?}");
    assert!((work.requests - 2.0 / 10.0).abs() < 1e-9, "{work:?}");
    assert!(
        work.backlog.abs() < 1e-9,
        "one in flight at both ends: {work:?}"
    );
}

#[test]
fn throughput_is_read_from_the_moment_that_counts() {
    let mut evidence = evidence();
    evidence.begin(2.0, at(4.0));
    evidence.look(at(3.0), &[]);
    assert_eq!(evidence.dwells[0].work(), None);
    evidence.look(at(4.0), &[]);
    evidence.take(&answer(0, 4.0, 4.1, 6.0));
    evidence.look(at(8.0), &[]);
    assert!((evidence.dwells[0].work().unwrap().tokens - 11.0 / 4.0).abs() < 1e-9);
}

#[test]
fn the_pace_is_that_of_the_last_requests_and_a_cold_start_is_forgotten() {
    let mut evidence = evidence();
    assert_eq!(evidence.pace(), None);
    evidence.begin(1.0, Nanos::MAX);
    evidence.take(&answer(0, 0.0, 5.0, 9.0));
    evidence.take(&answer(1, 9.0, 9.1, 10.0));
    evidence.forget_slow_start();
    assert!((evidence.pace().unwrap().latency - 1.0).abs() < 1e-9);
    for index in 2..100 {
        let sent = 10.0 + 2.0 * index as f64;
        evidence.take(&answer(index, sent, sent + 0.1, sent + 2.0));
    }
    let pace = evidence.pace().unwrap();
    assert!((pace.latency - 2.0).abs() < 1e-9 && (pace.tpot - 0.19).abs() < 1e-9);
    assert!((pace.tokens - 11.0).abs() < 1e-9);
}

/// Requests of both dwells of [`two_dwells`], some failed, some given up.
fn requests() -> impl Strategy<Value = Vec<RequestRecord>> {
    let one = (0.0..20.0_f64, 0.01..1.0_f64, 0.1..5.0_f64, 0..12_u8);
    proptest::collection::vec(one, 1..60).prop_map(|all| {
        let record = |(index, (sent, first, lasts, kind)): (usize, (f64, f64, f64, u8))| {
            let record = answer(index as u64, sent, sent + first, sent + first + lasts);
            match kind {
                0 => failed(FailureKind::ServerError, record),
                1 => failed(FailureKind::Cancelled, record),
                _ => record,
            }
        };
        all.into_iter().enumerate().map(record).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_reports_changes_nothing(
        (records, shuffled) in requests().prop_flat_map(|records| {
            (Just(records.clone()), Just(records).prop_shuffle())
        })
    ) {
        let taken = |records: &[RequestRecord]| {
            let mut evidence = two_dwells();
            evidence.strict = false;
            for record in records {
                evidence.take(record);
            }
            evidence.look(at(40.0), &[]);
            evidence
        };
        prop_assert_eq!(taken(&records), taken(&shuffled));
    }

    /// A journal keeps spans and records; a look that fell on the change kept what was in flight then.
    #[test]
    fn a_search_that_goes_on_has_the_values_that_it_had(records in requests()) {
        let mut live = evidence();
        let mut now = 0.0;
        for (load, counts_from, until) in [(4.0, 1.0, 10.0), (8.0, 12.0, 40.0)] {
            live.begin(load, at(counts_from));
            let ended = |record: &&RequestRecord| {
                record.end > at(now) && record.end <= at(until) && record.sent <= at(until)
            };
            for record in records.iter().filter(ended) {
                live.take(record);
            }
            let flying: Vec<InFlight> = records
                .iter()
                .filter(|record| record.sent <= at(until) && record.end > at(until))
                .map(|record| flight(record, at(until)))
                .collect();
            live.look(at(until), &flying);
            if load < 5.0 {
                live.cut();
            }
            now = until;
        }
        let mut restored = evidence();
        for dwell in &live.dwells {
            restored.restore(dwell.span);
        }
        for record in &records {
            restored.take(record);
        }
        restored.look(at(40.0), &[]);
        prop_assert_eq!(live.pace(), restored.pace());
        for (one, other) in live.dwells.iter().zip(&restored.dwells) {
            prop_assert_eq!(one.failures(), other.failures());
            for gauge in 0..4 {
                let (values, again) = (live.values(one, gauge), restored.values(other, gauge));
                prop_assert_eq!(values.len(), again.len(), "gauge {}", gauge);
                for (value, again) in values.iter().zip(&again) {
                    let same = value.total_cmp(again).is_eq() || (value - again).abs() <= 1e-9 * value;
                    prop_assert!(same, "gauge {}: {} and {}", gauge, value, again);
                }
            }
        }
    }
}

/// What a look at a moment shows of a request that ends later.
fn flight(record: &RequestRecord, now: Nanos) -> InFlight {
    let first = record.first_token.filter(|&first| first <= now);
    let part = first.map_or(0.0, |first| {
        let span = |from: Nanos, to: Nanos| to.saturating_sub(from).as_secs_f64();
        span(first, now) / span(first, record.end)
    });
    InFlight {
        index: record.index,
        due: record.due,
        sent: record.sent,
        first_token: first,
        output_tokens: (part * 11.0) as u32,
        expected_tokens: Some(11),
    }
}
