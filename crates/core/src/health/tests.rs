//! Tests of client health: each limit on both sides, what is left out of it, merging.

use std::num::NonZeroU32;

use super::{
    ClientHealth, ClockFit, HealthVerdict, Loss, NodeHealth, OwnPace, OwnPart, READ_LAG_FLOOR,
    Starved, VoidReason, WorkerUse,
};
use crate::metrics::Metric;
use crate::record::{Failure, FailureKind, Gaps, Phase, RequestRecord};
use crate::request::{Load, LoadPoint};
use crate::stats::Histogram;
use crate::summary::RunSummary;
use crate::units::{Nanos, Rate};

fn point(load: Load) -> LoadPoint {
    LoadPoint {
        load,
        requests: 1,
        warmup: 0,
        duration: None,
    }
}

fn open() -> Load {
    Load::open(Rate::per_second(100.0).unwrap())
}

/// Due at `due_ms`, sent `lag_ms` later; the first token 200 ms and the second 220 ms after that.
fn record(due_ms: u64, lag_ms: u64) -> RequestRecord {
    let sent = Nanos::from_millis(due_ms + lag_ms);
    let gap = Nanos::from_millis(20);
    let first = sent + Nanos::from_millis(200);
    RequestRecord {
        index: 0,
        phase: Phase::Measured,
        due: Nanos::from_millis(due_ms),
        slot_wait: Nanos::ZERO,
        sent,
        connect: None,
        first_byte: Some(first),
        first_token: Some(first),
        first_reasoning: None,
        first_answer: Some(first),
        last_token: Some(first + gap),
        end: first + gap,
        gaps: Gaps::from(vec![gap]),
        chunks: 2,
        chunk_tokens: Vec::new(),
        bare_events: Vec::new(),
        streamed: true,
        prompt_tokens: None,
        asked_output: None,
        output_tokens: None,
        cached_tokens: None,
        status: Some(200),
        failure: None,
        reconnects: 0,
        request_id: String::new(),
        turn: None,
        exchange: None,
    }
}

fn observe(records: &[RequestRecord], load: Load) -> (ClientHealth, RunSummary) {
    let mut health = ClientHealth::default();
    let mut summary = RunSummary::new(point(load));
    for record in records {
        health.add(record);
        summary.add(record);
    }
    (health, summary)
}

fn reasons(health: &ClientHealth, summary: &RunSummary) -> Vec<String> {
    match health.verdict(summary) {
        HealthVerdict::Sound => Vec::new(),
        HealthVerdict::Void(reasons) => reasons.iter().map(ToString::to_string).collect(),
    }
}

/// 200 requests 10 ms apart, of which request `k` is sent late by `lag_ms(k)`.
fn run(lag_ms: impl Fn(u64) -> u64) -> (ClientHealth, RunSummary) {
    let records: Vec<_> = (0..200).map(|k| record(k * 10, lag_ms(k))).collect();
    observe(&records, open())
}

#[test]
fn a_client_that_observed_nothing_is_sound() {
    let health = ClientHealth::default();
    assert_eq!(
        health.verdict(&RunSummary::new(point(open()))),
        HealthVerdict::Sound
    );
    assert_eq!((health.events_per_read(), health.busiest()), (None, None));
}

#[test]
fn a_client_on_time_is_sound() {
    let (health, summary) = run(|_| 1);
    assert_eq!(health.verdict(&summary), HealthVerdict::Sound);
    assert_eq!(health.pace.asked(), Some(100.0));
    assert_eq!(health.pace.achieved(), Some(100.0));
}

#[test]
fn late_sends_void_a_run_beyond_a_tenth_of_the_median_ttft() {
    // The median TTFT is 200 ms, so the limit is 20 ms rather than the floor of 10 ms.
    let (health, summary) = run(|_| 19);
    assert_eq!(reasons(&health, &summary), Vec::<String>::new());
    let (health, summary) = run(|_| 21);
    assert_eq!(
        reasons(&health, &summary),
        ["requests were sent late: p99 of the lag 21.0 ms (limit 20.0 ms)"]
    );
}

#[test]
fn late_sends_of_a_closed_loop_count_beside_the_whole_latency() {
    // A latency of 220 ms makes a limit of 22 ms, where the TTFT alone would make 20 ms.
    let closed = Load::closed(NonZeroU32::new(4).unwrap());
    let late = |lag_ms| -> Vec<_> { (0..200).map(|k| record(k * 10, lag_ms)).collect() };
    let (health, summary) = observe(&late(21), closed);
    assert!(health.verdict(&summary).is_sound());
    let (health, summary) = observe(&late(23), closed);
    assert_eq!(
        reasons(&health, &summary),
        ["requests were sent late: p99 of the lag 23.0 ms (limit 22.0 ms)"]
    );
}

#[test]
fn one_late_send_does_not_void_a_short_run() {
    let few = |late: usize| -> Vec<_> {
        (0..20)
            .map(|k| record(k * 10, if (k as usize) < late { 500 } else { 0 }))
            .collect()
    };
    let (health, summary) = observe(&few(1), open());
    assert!(health.verdict(&summary).is_sound());
    let (health, summary) = observe(&few(2), open());
    assert!(!health.verdict(&summary).is_sound());
}

#[test]
fn falling_behind_the_asked_rate_voids_an_open_loop() {
    // Each request is sent 0.3 ms later than the one before: never far off, but 97 % of the rate.
    let (health, summary) = run(|k| k * 3 / 10);
    let found = reasons(&health, &summary);
    assert!(
        found[0].starts_with("the client kept 97.1 % of the asked 100.0000 req/s"),
        "{found:?}"
    );
    let closed = RunSummary::new(point(Load::closed(NonZeroU32::MIN)));
    let HealthVerdict::Void(found) = health.verdict(&closed) else {
        panic!("late sends remain")
    };
    assert!(
        !found
            .iter()
            .any(|reason| matches!(reason, VoidReason::Pace { .. }))
    );
}

#[test]
fn waiting_for_a_slot_or_a_connection_is_not_the_clients_fault() {
    let records: Vec<_> = (0..200)
        .map(|k| {
            let mut late = record(k * 10, k * 5);
            late.slot_wait = Nanos::from_millis(k * 4);
            late.connect = Some(Nanos::from_millis(k));
            late
        })
        .collect();
    let (health, summary) = observe(&records, open());
    assert!(health.verdict(&summary).is_sound());
    assert!(health.pace.achieved() < health.pace.asked());
}

#[test]
fn requests_that_were_never_sent_or_sent_twice_have_no_send_lag() {
    let mut refused = record(0, 5000);
    refused.failure = Some(Failure {
        kind: FailureKind::ConnectTimeout,
        text: String::new(),
    });
    let mut again = record(0, 5000);
    again.reconnects = 1;
    let mut warmup = record(0, 5000);
    warmup.phase = Phase::Warmup;
    let (health, _) = observe(&[refused, again, warmup], open());
    assert!(health.send_lag.is_empty());
    assert_eq!(health.pace.sends, 1);
}

#[test]
fn late_reads_without_stamps_void_a_run() {
    let (mut health, summary) = run(|_| 0);
    health.unstamped = 1;
    health.read_lag.add_many(Nanos::from_millis(1).0, 990);
    health.read_lag.add_many(Nanos::from_millis(30).0, 5);
    assert!(health.verdict(&summary).is_sound());
    health.read_lag.add_many(Nanos::from_millis(30).0, 10);
    let found = reasons(&health, &summary);
    assert_eq!(
        found,
        ["responses were read late: p99 of the lag 30.0 ms (limit 5.0 ms)"]
    );
}

#[test]
fn with_stamps_late_reads_void_a_run_only_where_they_delay_its_users() {
    let (mut health, summary) = run(|_| 0);
    let latency = summary.quantile(Metric::Latency, 0.5).unwrap();
    let tenth = Nanos::from_secs_f64(0.1 * latency);
    assert!(tenth > READ_LAG_FLOOR);
    health.read_lag.add_many(tenth.0 * 9 / 10, 1000);
    assert!(health.verdict(&summary).is_sound());
    health.read_lag.add_many(tenth.0 * 12 / 10, 1000);
    let found = reasons(&health, &summary);
    assert!(
        found[0].starts_with("responses were read late"),
        "{found:?}"
    );
    health.unstamped = 1;
    health.read_lag = Histogram::default();
    health.read_lag.add_many(tenth.0 * 9 / 10, 1000);
    assert!(!health.verdict(&summary).is_sound());
}

#[test]
fn a_late_event_loop_voids_a_run() {
    let (mut health, summary) = run(|_| 0);
    health.loop_lag.add_many(Nanos::from_millis(1).0, 985);
    health.loop_lag.add_many(Nanos::from_secs(2).0, 5);
    assert!(health.verdict(&summary).is_sound());
    health.loop_lag.add_many(Nanos::from_secs(2).0, 10);
    let found = reasons(&health, &summary);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("the client's event loop was late: p99 of the lag 2000.0 ms (limit "),
        "{found:?}"
    );
}

#[test]
fn a_worker_without_time_left_voids_a_run_of_more_than_a_second() {
    let (mut health, summary) = run(|_| 0);
    let busy = |wall: u64| WorkerUse {
        cpu: Nanos::from_millis(wall * 95 / 100),
        wall: Nanos::from_millis(wall),
    };
    health.workers = vec![
        busy(900),
        WorkerUse {
            cpu: Nanos::ZERO,
            wall: Nanos::from_secs(5),
        },
    ];
    assert!(health.verdict(&summary).is_sound());
    health.workers.push(busy(5000));
    let found = reasons(&health, &summary);
    assert!(
        found[0].starts_with("1 of the client's workers had no time left: processor use 95 %"),
        "{found:?}"
    );
}

#[test]
fn preparation_that_falls_behind_voids_a_run() {
    let (mut health, summary) = run(|_| 0);
    health.starved = Starved {
        sends: 2,
        wait: Nanos::from_secs(1),
    };
    assert!(health.verdict(&summary).is_sound());
    health.starved = Starved {
        sends: 10,
        wait: Nanos::from_millis(2),
    };
    assert!(
        health.verdict(&summary).is_sound(),
        "0.2 ms each is no harm"
    );
    health.starved = Starved {
        sends: 10,
        wait: Nanos::from_millis(200),
    };
    let found = reasons(&health, &summary);
    assert!(
        found[0].contains("5.0 % of the sends waited (limit 1 %), 20.0 ms on average"),
        "{found:?}"
    );
}

#[test]
fn parts_of_the_client_merge_to_the_whole() {
    let records: Vec<_> = (0..50).map(|k| record(k * 10, k % 7)).collect();
    let (whole, _) = observe(&records, open());
    let (mut merged, _) = observe(&records[20..], open());
    merged.merge(observe(&records[..20], open()).0);
    assert_eq!(merged, whole);
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<ClientHealth>(&text).unwrap(), whole);
}

/// A machine that sent these.
fn node(name: &str, health: ClientHealth, lost: Option<Loss>) -> NodeHealth {
    NodeHealth {
        name: name.to_owned(),
        requests: health.pace.sends,
        health,
        clock: ClockFit::default(),
        lost,
    }
}

#[test]
fn one_late_machine_of_many_voids_the_run_by_its_name() {
    let (late, summary) = run(|_| 30);
    let mut all = ClientHealth::default();
    for number in 0..200 {
        all.merge_node(node(&format!("node {number}"), run(|_| 1).0, None));
    }
    assert_eq!(all.verdict(&summary), HealthVerdict::Sound);
    all.merge_node(node("node x", late, None));
    assert_eq!(all.pace.sends, 201 * 200);
    let said = reasons(&all, &summary);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("node x: requests were sent late"),
        "{said:?}"
    );
}

#[test]
fn a_machine_that_was_lost_comes_before_those_that_were_slow() {
    let (late, summary) = run(|_| 30);
    let mut all = ClientHealth::default();
    all.merge_node(node("slow", late, None));
    let loss = Loss {
        after: Nanos::from_millis(12_345),
        why: "its link has ended".to_owned(),
    };
    all.merge_node(node("gone", ClientHealth::default(), Some(loss)));
    let said = reasons(&all, &summary);
    assert_eq!(said[0], "gone was lost at 12.3 s: its link has ended");
    assert!(said[1].starts_with("slow: "), "{said:?}");
    let kept = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<ClientHealth>(&kept).unwrap(), all);
}

#[test]
fn health_on_another_clock_keeps_its_rates() {
    let (health, _) = run(|_| 1);
    let moved = health.clone().moved(5_000_000);
    let due = |health: &ClientHealth| health.pace.due.unwrap().first;
    assert_eq!(due(&moved), due(&health) + Nanos::from_millis(5));
    assert_eq!(moved.pace.kept(), health.pace.kept());
    assert_eq!(moved.send_lag, health.send_lag);
}

fn own(part: OwnPart, calls: u64, busy: Nanos) -> OwnPace {
    OwnPace {
        part,
        name: "mine".to_owned(),
        calls,
        busy,
        threads: 2,
    }
}

#[test]
fn what_of_the_users_own_was_slowest_is_named_where_sends_had_to_wait() {
    let (mut health, summary) = run(|_| 0);
    let due = health.pace.asked().unwrap();
    health.own = vec![
        own(OwnPart::Items, 100, Nanos::from_secs(1)),
        own(OwnPart::Bodies, 100, Nanos::from_secs(4)),
    ];
    assert!(health.verdict(&summary).is_sound(), "nothing had to wait");
    health.starved = Starved {
        sends: 10,
        wait: Nanos::from_millis(200),
    };
    let found = reasons(&health, &summary);
    let slow = format!("; the request builder `mine` gave 50 bodies/s, {due:.0}/s were due");
    assert!(found[0].contains(&slow), "{found:?}");
}

#[test]
fn a_parser_that_reads_less_than_comes_voids_a_run() {
    let (mut health, summary) = run(|_| 0);
    let came = health.pace.achieved().unwrap();
    let busy = |share: f64| Nanos::from_secs_f64(2.0 * 100.0 / came * share);
    health.own = vec![own(OwnPart::Answers, 100, busy(0.9))];
    assert!(health.verdict(&summary).is_sound());
    health.own = vec![own(OwnPart::Answers, 100, busy(1.1))];
    let found = reasons(&health, &summary);
    assert!(
        found[0].starts_with("answers were not read in time: the response parser `mine` gave"),
        "{found:?}"
    );
}

#[test]
fn the_pace_of_the_same_code_is_one_however_many_parts_report_it() {
    let mut one = ClientHealth {
        own: vec![own(OwnPart::Items, 3, Nanos::from_secs(1))],
        ..ClientHealth::default()
    };
    one.merge(ClientHealth {
        own: vec![
            own(OwnPart::Items, 5, Nanos::from_secs(3)),
            own(OwnPart::Bodies, 1, Nanos::from_secs(1)),
        ],
        ..ClientHealth::default()
    });
    let all = [
        own(OwnPart::Items, 8, Nanos::from_secs(4)),
        own(OwnPart::Bodies, 1, Nanos::from_secs(1)),
    ];
    assert_eq!(one.own, all);
    assert_eq!(one.own[0].per_s(), Some(4.0));
}
