//! HTTP/2 over TLS: streams that share connections, and how they end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crestline_core::record::{FailureKind, RequestRecord, TokenSource};
use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::units::{Nanos, Rate};
use crestline_load::engine::{Engine, Setup, Stop};
use crestline_load::target::{Header, Secret};
use h2::Reason;

use crate::certificate::Certificate;
use crate::http2_script::{Http2Script, Manners, Reply};
use crate::script::{apply_by, check_times, closed, events, pause, setup};

/// A server and an engine for it.
fn serve(
    manners: Manners,
    reply: impl Fn(usize, usize) -> Reply + Send + Sync + 'static,
) -> (Http2Script, Engine) {
    serve_for(|_| {}, manners, reply)
}

fn serve_for(
    change: impl FnOnce(&mut Setup),
    manners: Manners,
    reply: impl Fn(usize, usize) -> Reply + Send + Sync + 'static,
) -> (Http2Script, Engine) {
    let certificate = Certificate::of("127.0.0.1");
    let script = Http2Script::serve(&certificate, manners, reply);
    let mut setup = setup(&script.url);
    change(&mut setup);
    let engine = Engine::new(setup, "test", &certificate.roots(), |_| None).unwrap();
    (script, engine)
}

fn kinds(records: &[RequestRecord]) -> Vec<Option<FailureKind>> {
    records
        .iter()
        .map(|record| record.failure.as_ref().map(|failure| failure.kind))
        .collect()
}

fn reconnects(records: &[RequestRecord]) -> u32 {
    records.iter().map(|record| record.reconnects).sum()
}

#[test]
fn a_closed_loop_shares_one_connection() {
    let (script, engine) = serve(Manners::default(), |_, _| Reply::Send(events(5)));
    let (records, applied) = apply_by(&engine, closed(16, 64), &Stop::default());
    let indices: Vec<u64> = records.iter().map(|record| record.index).collect();
    assert_eq!(indices, (0..64).collect::<Vec<_>>());
    for record in &records {
        assert_eq!((&record.failure, record.status), (&None, Some(200)));
        assert_eq!((record.chunks, record.gaps.len()), (5, 4));
        let tokens = record.output_tokens.unwrap();
        assert_eq!((tokens.count, tokens.source), (5, TokenSource::Usage));
        assert_eq!(record.exchange.as_ref().unwrap().answer, " t0 t1 t2 t3 t4");
        check_times(record);
    }
    // One to see the protocol, one for the load.
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
    let most = script.most_in_flight.load(Ordering::SeqCst);
    assert!((2..=16).contains(&most), "{most} in flight");
    assert_eq!(reconnects(&records), 0);
    let waited = |record: &&RequestRecord| record.connect.is_some();
    // Those that were sent before it stood, and no later ones.
    assert!((1..=16).contains(&records.iter().filter(waited).count()));
    assert!(records[16..].iter().all(|record| record.connect.is_none()));
    assert!(applied.health.reads > 0 && applied.health.events >= 64 * 5);
}

#[test]
fn a_request_carries_the_same_headers_as_in_http_1() {
    let header = |name: &str, value: &str| Header {
        name: name.to_owned(),
        value: Secret::new(value),
    };
    let (script, engine) = serve_for(
        |setup| {
            setup.target.api_key = Some(Secret::new("k"));
            setup.target.headers = vec![header("X-Team", "a b"), header("Connection", "close")];
            setup.target.url += "?v=1";
        },
        Manners::default(),
        |_, _| Reply::Send(events(1)),
    );
    let (records, _) = apply_by(&engine, closed(1, 1), &Stop::default());
    let received = script.received.lock().unwrap();
    let received = &received[0];
    assert_eq!(received.uri.path(), "/v1/chat/completions");
    assert_eq!(received.uri.query(), Some("v=1"));
    let authority = received.uri.authority().unwrap().as_str();
    assert!(script.url.contains(authority), "{authority}");
    let value = |name: &str| {
        received
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(value("authorization"), Some("Bearer k"));
    assert_eq!(value("x-team"), Some("a b"));
    assert_eq!(value("content-type"), Some("application/json"));
    assert_eq!(value("x-request-id"), Some(records[0].request_id.as_str()));
    assert_eq!((value("host"), value("connection")), (None, None));
    let length = received.body.len().to_string();
    assert_eq!(value("content-length"), Some(length.as_str()));
    let sent = records[0].exchange.as_ref().unwrap().request.as_bytes();
    assert_eq!(sent, received.body);
}

#[test]
fn a_body_larger_than_the_servers_window_is_sent_whole() {
    let long = "long ".repeat(100_000);
    let plan = crestline_workload::plan::WorkloadPlan {
        dataset: crestline_workload::plan::Dataset::Fixed(long.clone()),
        max_prompt_length: 1 << 30,
        ..crate::script::plan()
    };
    let workload = crestline_workload::Workload::open(&plan).unwrap();
    let (script, engine) = serve_for(
        |setup| setup.workload = workload.into(),
        Manners::default(),
        |_, _| Reply::Send(events(1)),
    );
    let (records, _) = apply_by(&engine, closed(2, 4), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    let received = script.received.lock().unwrap();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|one| one.body.len() > long.len()));
}

#[test]
fn a_response_larger_than_the_clients_window_is_received_whole() {
    let text = "x".repeat(1 << 20);
    let (_script, engine) = serve(Manners::default(), move |_, _| {
        let long = events(1)[0].replace("t0", &text);
        let mut pieces = vec![long; 9];
        pieces.extend(events(0));
        Reply::Send(pieces)
    });
    let (records, _) = apply_by(&engine, closed(1, 1), &Stop::default());
    assert_eq!((&records[0].failure, records[0].chunks), (&None, 9));
    let answer = &records[0].exchange.as_ref().unwrap().answer;
    assert_eq!(answer.len(), 9 * ((1 << 20) + 1));
}

#[test]
fn a_limit_of_the_server_makes_more_connections() {
    let manners = Manners {
        streams: Some(4),
        ..Manners::default()
    };
    let (script, engine) = serve(manners, |_, _| Reply::Send(events(4)));
    let (records, _) = apply_by(&engine, closed(10, 50), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(reconnects(&records), 0);
    // One to see the protocol, three with at most four streams each.
    assert_eq!(script.connections.load(Ordering::SeqCst), 4);
}

#[test]
fn more_than_a_hundred_requests_take_a_second_connection() {
    let (script, engine) = serve(Manners::default(), |_, _| Reply::Send(events(3)));
    let (records, _) = apply_by(&engine, closed(120, 240), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(script.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn statuses_are_classified_and_the_connection_is_kept() {
    let (script, engine) = serve(Manners::default(), |_, all| match all {
        0 => Reply::Status(429, ("retry-after", "7"), "slow down"),
        1 => Reply::Status(500, ("content-type", "text/plain"), "boom"),
        _ => Reply::Send(events(1)),
    });
    let (records, _) = apply_by(&engine, closed(1, 3), &Stop::default());
    assert_eq!(
        kinds(&records),
        [
            Some(FailureKind::RateLimited),
            Some(FailureKind::ServerError),
            None
        ]
    );
    let text = |at: usize| records[at].failure.as_ref().unwrap().text.clone();
    assert!(text(0).contains("retry after 7") && text(0).contains("slow down"));
    assert!(text(1).contains("boom"));
    assert_eq!(records[0].status, Some(429));
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_stream_reset_inside_the_response_is_cut_and_its_connection_lives_on() {
    let (script, engine) = serve(Manners::default(), |_, all| {
        if all % 2 == 0 {
            Reply::Reset(events(4)[..2].to_vec(), Reason::INTERNAL_ERROR)
        } else {
            Reply::Send(events(4))
        }
    });
    let (records, _) = apply_by(&engine, closed(1, 6), &Stop::default());
    for (at, record) in records.iter().enumerate() {
        let cut = (at % 2 == 0).then_some(FailureKind::CutMidStream);
        assert_eq!(record.failure.as_ref().map(|failure| failure.kind), cut);
        assert_eq!(record.chunks, if at % 2 == 0 { 2 } else { 4 });
        check_times(record);
    }
    assert_eq!(script.requests.load(Ordering::SeqCst), 6);
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_stream_reset_after_the_whole_answer_is_an_answer() {
    let (_script, engine) = serve(Manners::default(), |_, _| {
        Reply::Reset(events(2), Reason::NO_ERROR)
    });
    let (records, _) = apply_by(&engine, closed(1, 3), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
}

#[test]
fn a_refused_request_is_sent_again_once_and_a_first_one_is_not() {
    let (script, engine) = serve(Manners::default(), |mine, _| {
        if mine == 1 {
            Reply::Refuse(Reason::REFUSED_STREAM)
        } else {
            Reply::Send(events(1))
        }
    });
    let (records, _) = apply_by(&engine, closed(1, 2), &Stop::default());
    assert_eq!(kinds(&records), [None, None]);
    assert_eq!(reconnects(&records), 1);
    assert_eq!(script.requests.load(Ordering::SeqCst), 3);

    let (script, engine) = serve(Manners::default(), |_, _| {
        Reply::Refuse(Reason::REFUSED_STREAM)
    });
    let (records, _) = apply_by(&engine, closed(1, 2), &Stop::default());
    let closed_unanswered = Some(FailureKind::ConnectionClosed);
    assert_eq!(kinds(&records), [closed_unanswered, closed_unanswered]);
    // The first is refused by a connection made for it; the second goes twice.
    assert_eq!(reconnects(&records), 1);
    assert_eq!(script.requests.load(Ordering::SeqCst), 3);
}

#[test]
fn a_request_reset_for_another_reason_is_never_sent_again() {
    let (script, engine) = serve(Manners::default(), |mine, _| {
        if mine == 1 {
            Reply::Refuse(Reason::INTERNAL_ERROR)
        } else {
            Reply::Send(events(1))
        }
    });
    let (records, _) = apply_by(&engine, closed(1, 3), &Stop::default());
    let closed_unanswered = Some(FailureKind::ConnectionClosed);
    assert_eq!(kinds(&records), [None, closed_unanswered, None]);
    assert_eq!(reconnects(&records), 0);
    assert_eq!(script.requests.load(Ordering::SeqCst), 3);
}

#[test]
fn a_server_that_says_goodbye_loses_nothing() {
    let manners = Manners {
        requests: Some(10),
        ..Manners::default()
    };
    let (script, engine) = serve(manners, |_, _| Reply::Send(events(3)));
    let (records, _) = apply_by(&engine, closed(4, 60), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(records.len(), 60);
    assert!(script.connections.load(Ordering::SeqCst) >= 6);
    assert!(reconnects(&records) >= 4, "{}", reconnects(&records));
}

#[test]
fn a_connection_that_ends_is_replaced_where_it_had_answered_and_a_fresh_one_is_not() {
    let (script, engine) = serve(Manners::default(), |mine, _| {
        if mine == 2 {
            Reply::Close
        } else {
            Reply::Send(events(2))
        }
    });
    let (records, _) = apply_by(&engine, closed(1, 5), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    let each: Vec<u32> = records.iter().map(|record| record.reconnects).collect();
    assert_eq!(each, [0, 0, 1, 0, 1]);
    assert_eq!(script.requests.load(Ordering::SeqCst), 7);

    let (never, engine) = serve(Manners::default(), |_, _| Reply::Close);
    let (records, _) = apply_by(&engine, closed(1, 3), &Stop::default());
    assert_eq!(
        kinds(&records),
        [Some(FailureKind::ConnectionClosed); 3].to_vec()
    );
    assert_eq!(never.requests.load(Ordering::SeqCst), 3);
}

#[test]
fn silence_and_slowness_end_at_their_limits() {
    let hang = |_, _| Reply::Hang(events(4)[..2].to_vec());
    let (_silent, engine) = serve_for(
        |setup| setup.target.read_timeout = Some(Nanos::from_millis(60)),
        Manners::default(),
        hang,
    );
    let (records, _) = apply_by(&engine, closed(1, 2), &Stop::default());
    assert_eq!(kinds(&records), [Some(FailureKind::ReadTimeout); 2]);
    assert!(
        records
            .iter()
            .all(|record| record.latency() >= Nanos::from_millis(60) && record.chunks == 2)
    );
    let (_slow, engine) = serve_for(
        |setup| setup.target.total_timeout = Nanos::from_millis(50),
        Manners::default(),
        hang,
    );
    let (records, _) = apply_by(&engine, closed(1, 1), &Stop::default());
    assert_eq!(kinds(&records), [Some(FailureKind::TotalTimeout)]);
}

#[test]
fn the_test_request_does_not_wait_for_a_long_answer_and_says_what_is_wrong() {
    let (_hangs, engine) = serve(Manners::default(), |_, _| {
        Reply::Hang(events(9)[..2].to_vec())
    });
    engine.check(&Stop::default()).unwrap();
    let (_refuses, engine) = serve(Manners::default(), |_, _| {
        Reply::Status(401, ("content-type", "text/plain"), "no key")
    });
    let error = engine.check(&Stop::default()).unwrap_err().to_string();
    assert!(error.contains("HTTP 401: no key"), "{error}");
}

#[test]
fn a_stop_gives_up_what_outlasts_the_grace_time() {
    let (script, engine) = serve(Manners::default(), |_, _| {
        Reply::Hang(events(3)[..2].to_vec())
    });
    let stop = Stop::default();
    let (asker, requests) = (stop.clone(), std::sync::Arc::clone(&script.requests));
    std::thread::spawn(move || {
        while requests.load(Ordering::SeqCst) < 3 {
            pause(Duration::from_millis(5));
        }
        asker.ask();
    });
    let (records, applied) = apply_by(&engine, closed(3, 100), &stop);
    assert!(applied.interrupted);
    assert_eq!(kinds(&records), [Some(FailureKind::Cancelled); 3]);
}

#[test]
fn an_open_loop_sends_what_is_due_over_shared_connections() {
    let (_script, engine) = serve(Manners::default(), |_, _| Reply::Send(events(2)));
    let load = Load {
        arrivals: Arrivals::Poisson(Rate::per_second(400.0).unwrap()),
        concurrency: None,
    };
    let point = LoadPoint {
        load,
        requests: 80,
        warmup: 5,
        duration: None,
    };
    let (records, _) = apply_by(&engine, point, &Stop::default());
    assert_eq!(records.len(), 85);
    for record in &records {
        assert_eq!(record.failure, None);
        check_times(record);
    }
}
