//! Loads, connections, limits and stops.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crestline_core::arrival::Arrival;
use crestline_core::record::{FailureKind, Phase, RequestRecord, TokenSource};
use crestline_core::request::{Arrivals, Burstiness, Load, LoadPoint, Pace, Pacing};
use crestline_core::units::{Nanos, Rate};
use crestline_load::engine::{Engine, Stop};

use crate::script::{Script, Step, answer, apply, check_times, closed, pause, setup};

#[test]
fn a_closed_loop_sends_everything_once_and_keeps_its_connections() {
    let script = Script::serve(|_, _| Step::Send(answer(5)));
    let (records, applied) = apply(setup(&script.url), closed(8, 40), &Stop::default());
    assert_eq!(
        records
            .iter()
            .map(|record| record.index)
            .collect::<Vec<_>>(),
        (0..40).collect::<Vec<_>>()
    );
    for record in &records {
        assert_eq!(record.failure, None);
        assert_eq!(
            (record.chunks, record.gaps.len(), record.reconnects),
            (5, 4, 0)
        );
        assert_eq!(
            record
                .output_tokens
                .map(|tokens| (tokens.count, tokens.source)),
            Some((5, TokenSource::Usage))
        );
        assert_eq!(record.exchange.as_ref().unwrap().answer, " t0 t1 t2 t3 t4");
        check_times(record);
    }
    assert_eq!(script.connections.load(Ordering::SeqCst), 8);
    assert!(script.most_in_flight.load(Ordering::SeqCst) <= 8);
    assert!(!applied.interrupted && applied.health.reads > 0 && applied.health.events >= 40 * 5);
}

#[test]
fn two_workers_share_the_load_and_nothing_is_lost_or_doubled() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let setup = crestline_load::engine::Setup {
        workers: NonZeroUsize::new(2),
        ..setup(&script.url)
    };
    let (records, applied) = apply(setup, closed(5, 33), &Stop::default());
    assert_eq!(
        records
            .iter()
            .map(|record| record.index)
            .collect::<Vec<_>>(),
        (0..33).collect::<Vec<_>>()
    );
    assert_eq!(applied.health.workers.len(), 2);
    assert_eq!(script.connections.load(Ordering::SeqCst), 5);
}

#[test]
fn a_connection_closed_without_notice_is_replaced_and_counted() {
    let script = Script::serve(|_, _| Step::SendAndClose(answer(3)));
    let (records, _) = apply(setup(&script.url), closed(2, 20), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(
        records.iter().map(|record| record.reconnects).sum::<u32>(),
        18
    );
    assert_eq!(script.requests.load(Ordering::SeqCst), 20);
}

#[test]
fn a_kept_connection_that_ends_unanswered_is_replaced_once_and_a_new_one_is_not() {
    let second_is_lost = Script::serve(|mine, _| {
        if mine == 1 {
            Step::Close
        } else {
            Step::Send(answer(1))
        }
    });
    let (records, _) = apply(setup(&second_is_lost.url), closed(1, 5), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(
        records
            .iter()
            .map(|record| record.reconnects)
            .collect::<Vec<_>>(),
        [0, 1, 1, 1, 1]
    );

    let never = Script::serve(|_, _| Step::Close);
    let (records, _) = apply(setup(&never.url), closed(1, 3), &Stop::default());
    assert!(
        records
            .iter()
            .all(|record| record.failure.as_ref().unwrap().kind == FailureKind::ConnectionClosed)
    );
    assert_eq!(never.requests.load(Ordering::SeqCst), 3);
}

#[test]
fn a_response_cut_inside_is_a_failure_and_is_never_sent_again() {
    let script = Script::serve(|_, _| Step::SendAndClose(answer(4)[..3].to_vec()));
    let (records, _) = apply(setup(&script.url), closed(2, 6), &Stop::default());
    for record in &records {
        assert_eq!(
            record.failure.as_ref().unwrap().kind,
            FailureKind::CutMidStream
        );
        assert_eq!((record.chunks, record.reconnects), (2, 0));
    }
    assert_eq!(script.requests.load(Ordering::SeqCst), 6);
}

#[test]
fn nobody_listening_is_a_failure_of_each_request() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let (records, _) = apply(setup(&url), closed(2, 4), &Stop::default());
    assert_eq!(records.len(), 4);
    assert!(
        records
            .iter()
            .all(|record| record.failure.as_ref().unwrap().kind == FailureKind::ConnectRefused)
    );
}

#[test]
fn silence_and_slowness_end_at_their_limits() {
    let script = Script::serve(|_, _| Step::Hang(answer(4)[..2].to_vec()));
    let mut silent = setup(&script.url);
    silent.target.read_timeout = Some(Nanos::from_millis(60));
    let (records, _) = apply(silent, closed(1, 2), &Stop::default());
    for record in &records {
        assert_eq!(
            record.failure.as_ref().unwrap().kind,
            FailureKind::ReadTimeout
        );
        assert!(record.latency() >= Nanos::from_millis(60));
    }
    let mut slow = setup(&script.url);
    slow.target.total_timeout = Nanos::from_millis(50);
    let (records, _) = apply(slow, closed(1, 1), &Stop::default());
    assert_eq!(
        records[0].failure.as_ref().unwrap().kind,
        FailureKind::TotalTimeout
    );
}

#[test]
fn an_open_loop_sends_at_its_due_times_whatever_is_in_flight() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let load = Load {
        arrivals: Arrivals::Poisson(Rate::per_second(400.0).unwrap()),
        concurrency: None,
    };
    let point = LoadPoint {
        load,
        requests: 80,
        warmup: 0,
        duration: None,
    };
    let (records, applied) = apply(setup(&script.url), point, &Stop::default());
    let due = Arrival::new(load.arrivals, 7).unwrap();
    for (record, due) in records.iter().zip(due) {
        assert_eq!(
            record.due.saturating_sub(applied.start),
            due,
            "request {}",
            record.index
        );
        check_times(record);
    }
    assert_eq!(records.len(), 80);
}

#[test]
fn a_paced_run_is_the_same_for_any_number_of_workers() {
    let arrivals = Arrivals::Paced(Pacing {
        requests: 60,
        pace: Pace::Fitted(Rate::per_second(600.0).unwrap()),
        burstiness: Burstiness::of_shape(0.5).unwrap(),
    });
    let load = Load {
        arrivals,
        concurrency: None,
    };
    for workers in [1, 3] {
        let script = Script::serve(|_, _| Step::Send(answer(2)));
        let setup = crestline_load::engine::Setup {
            workers: NonZeroUsize::new(workers),
            ..setup(&script.url)
        };
        let point = LoadPoint {
            load,
            ..closed(1, 60)
        };
        let (records, applied) = apply(setup, point, &Stop::default());
        let due: Vec<_> = records
            .iter()
            .map(|record| record.due.saturating_sub(applied.start))
            .collect();
        let expected: Vec<_> = Arrival::new(arrivals, 7).unwrap().take(60).collect();
        assert_eq!(due, expected, "{workers} workers");
        assert_eq!(due[59], Nanos::from_millis(100));
    }
}

#[test]
fn recorded_requests_are_due_as_recorded_each_with_its_own_item() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let times = [3, 3, 20, 45, 60].map(Nanos::from_millis);
    let setup = crestline_load::engine::Setup {
        workers: NonZeroUsize::new(2),
        due_times: Arc::new(times),
        ..setup(&script.url)
    };
    let load = Load {
        arrivals: Arrivals::Recorded(Rate::per_second(80.0).unwrap()),
        concurrency: NonZeroU32::new(2),
    };
    let point = LoadPoint {
        load,
        ..closed(1, 9)
    };
    let (records, applied) = apply(setup, point, &Stop::default());
    let due: Vec<_> = records
        .iter()
        .map(|record| (record.index, record.due.saturating_sub(applied.start)))
        .collect();
    let expected: Vec<_> = (0..).zip(times).collect();
    assert_eq!(due, expected);
}

#[test]
fn a_load_all_at_once_waits_for_slots_from_the_start() {
    let script = Script::serve(|_, _| Step::Send(answer(4)));
    let load = Load {
        arrivals: Arrivals::AtOnce,
        concurrency: NonZeroU32::new(3),
    };
    let point = LoadPoint {
        load,
        ..closed(1, 30)
    };
    let (records, applied) = apply(setup(&script.url), point, &Stop::default());
    assert_eq!(records.len(), 30);
    assert!(script.most_in_flight.load(Ordering::SeqCst) <= 3);
    assert!(records.iter().all(|record| record.due == applied.start));
    assert!(
        records[3..]
            .iter()
            .all(|record| record.slot_wait > Nanos::ZERO)
    );
}

#[test]
fn a_limit_on_requests_in_flight_is_kept_in_an_open_loop_and_its_wait_is_told() {
    let script = Script::serve(|_, _| Step::Send(answer(6)));
    let load = Load {
        arrivals: Arrivals::Constant(Rate::per_second(5000.0).unwrap()),
        concurrency: NonZeroU32::new(3),
    };
    let (records, _) = apply(
        setup(&script.url),
        LoadPoint {
            load,
            ..closed(1, 30)
        },
        &Stop::default(),
    );
    assert_eq!(records.len(), 30);
    assert!(script.most_in_flight.load(Ordering::SeqCst) <= 3);
    assert!(
        records[20..]
            .iter()
            .all(|record| record.slot_wait > Nanos::ZERO)
    );
    assert!(
        records
            .iter()
            .all(|record| record.sent >= record.due + record.slot_wait)
    );
}

#[test]
fn warm_up_requests_come_first_and_are_awaited() {
    let script = Script::serve(|_, _| Step::Send(answer(3)));
    let point = LoadPoint {
        warmup: 5,
        ..closed(4, 8)
    };
    let (records, _) = apply(setup(&script.url), point, &Stop::default());
    let (warm, counted) = records.split_at(5);
    assert!(warm.iter().all(|record| record.phase == Phase::Warmup));
    assert!(counted.iter().all(|record| record.phase == Phase::Measured));
    let last = warm.iter().map(|record| record.end).max().unwrap();
    assert!(counted.iter().all(|record| record.sent >= last));
}

#[test]
fn a_duration_ends_the_sending_and_awaits_what_is_in_flight() {
    let script = Script::serve(|_, _| Step::Send(answer(10)));
    let point = LoadPoint {
        duration: Some(Nanos::from_millis(400)),
        ..closed(2, 1_000_000)
    };
    let (records, applied) = apply(setup(&script.url), point, &Stop::default());
    assert!(!records.is_empty(), "none sent");
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert!(
        records
            .iter()
            .all(|record| record.due < applied.start + Nanos::from_millis(400))
    );
    assert!(!applied.interrupted);
}

#[test]
fn a_stop_gives_up_what_outlasts_the_grace_time_and_every_request_is_told() {
    let script = Script::serve(|_, all| {
        if all < 3 {
            Step::Send(answer(3))
        } else {
            Step::Hang(answer(3)[..2].to_vec())
        }
    });
    let stop = Stop::default();
    let asker = stop.clone();
    let requests = std::sync::Arc::clone(&script.requests);
    std::thread::spawn(move || {
        while requests.load(Ordering::SeqCst) < 6 {
            pause(Duration::from_millis(5));
        }
        asker.ask();
    });
    let (records, applied) = apply(setup(&script.url), closed(3, 100), &stop);
    assert!(applied.interrupted);
    let cancelled: Vec<_> = records
        .iter()
        .filter(|record| !record.succeeded())
        .collect();
    assert_eq!((records.len(), cancelled.len()), (6, 3));
    assert!(
        cancelled
            .iter()
            .all(|record| record.failure.as_ref().unwrap().kind == FailureKind::Cancelled)
    );
    assert!(
        cancelled.iter().any(|record| record.chunks == 1),
        "what had arrived is kept"
    );
}

#[test]
fn the_test_request_says_what_is_wrong_and_does_not_wait_for_a_long_answer() {
    let hangs_after_a_token = Script::serve(|_, _| Step::Hang(answer(9)[..2].to_vec()));
    let engine = Engine::new(setup(&hangs_after_a_token.url), "test", &[], |_| None).unwrap();
    engine.check(&Stop::default()).unwrap();
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 6\r\n\r\nno key".to_owned();
    let script = Script::serve(move |_, _| Step::Send(vec![unauthorized.clone()]));
    let engine = Engine::new(setup(&script.url), "test", &[], |_| None).unwrap();
    assert!(
        engine
            .check(&Stop::default())
            .unwrap_err()
            .to_string()
            .contains("HTTP 401: no key")
    );
}

#[test]
fn the_test_request_ends_when_someone_asks_to_stop() {
    let silent = Script::serve(|_, _| Step::Hang(Vec::new()));
    let engine = Engine::new(setup(&silent.url), "test", &[], |_| None).unwrap();
    let stop = Stop::default();
    stop.ask();
    assert!(matches!(
        engine.check(&stop),
        Err(crestline_load::engine::CheckError::Stopped)
    ));
}

#[test]
fn headers_that_belong_to_each_request_are_refused() {
    for name in ["Content-Length", "x-request-id", "Transfer-Encoding"] {
        let mut own = setup("http://127.0.0.1:1/v1/chat/completions");
        own.target.headers.push(crestline_load::target::Header {
            name: name.to_owned(),
            value: crestline_load::target::Secret::new("1"),
        });
        let error = Engine::new(own, "test", &[], |_| None).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}
