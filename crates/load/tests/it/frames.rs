//! HTTP/2 servers that write their frames by hand: what no library lets a server do at a chosen moment.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crestline_core::record::{FailureKind, RequestRecord};
use crestline_load::engine::{Engine, Stop};

use crate::certificate::{Certificate, encrypted};
use crate::script::{apply_by, check_times, closed, events, setup};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Status 200 with the type of an event stream: one indexed field, one with an indexed name (RFC 7541).
fn head(stream: u32) -> Vec<u8> {
    let mut block = vec![0x88, 0x0f, 0x10, 17];
    block.extend_from_slice(b"text/event-stream");
    frame(HEADERS, END_HEADERS, stream, &block)
}

fn data(stream: u32, text: &str) -> Vec<u8> {
    frame(DATA, 0, stream, text.as_bytes())
}

/// A whole answer.
fn answer(stream: u32) -> Vec<u8> {
    let end = frame(DATA, END_STREAM, stream, b"");
    [head(stream), data(stream, &events(2).concat()), end].concat()
}

fn goaway(last: u32, error: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), error.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// What a server writes next, and whether it closes after that.
type Said = (Vec<u8>, bool);

struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
    certificate: Certificate,
}

impl Server {
    /// `say` gets the number of the connection, not counting the first one, which only shows the protocol, and the
    /// streams whose requests have come whole, in order, each time there is one more.
    fn serve(say: impl Fn(usize, &[u32]) -> Said + Send + 'static) -> Self {
        let certificate = Certificate::of("127.0.0.1");
        let wrap = encrypted(certificate.config(&["h2"]));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&requests);
        let say = Arc::new(Mutex::new(say));
        thread::spawn(move || {
            for (connection, tcp) in listener.incoming().map_while(Result::ok).enumerate() {
                drop(tcp.set_nodelay(true));
                let Some(mut tls) = wrap(tcp) else { continue };
                let (say, counted) = (Arc::clone(&say), Arc::clone(&counted));
                thread::spawn(move || {
                    let say = |streams: &[u32]| {
                        if !streams.is_empty() {
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                        say.lock().unwrap()(connection.saturating_sub(1), streams)
                    };
                    speak(&mut tls, say)
                });
            }
        });
        Self {
            url,
            requests,
            certificate,
        }
    }

    fn engine(&self) -> Engine {
        let roots = self.certificate.roots();
        Engine::new(setup(&self.url), "test", &roots, |_| None).unwrap()
    }
}

/// Speaks until either side closes.
fn speak(tls: &mut (impl Read + Write), say: impl Fn(&[u32]) -> Said) -> Option<()> {
    let mut preface = [0; 24];
    tls.read_exact(&mut preface).ok()?;
    let (first, closes) = say(&[]);
    tls.write_all(&first).ok()?;
    if closes {
        return None;
    }
    tls.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    let mut streams = Vec::new();
    loop {
        let mut head = [0; 9];
        tls.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        tls.read_exact(&mut vec![0; length as usize]).ok()?;
        let (kind, flags) = (head[3], head[4]);
        if kind == SETTINGS && flags & ACK == 0 {
            tls.write_all(&frame(SETTINGS, ACK, 0, &[])).ok()?;
        }
        if kind == DATA && flags & END_STREAM != 0 {
            streams.push(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
            let (bytes, closes) = say(&streams);
            tls.write_all(&bytes).ok()?;
            tls.flush().ok()?;
            if closes {
                return None;
            }
        }
    }
}

const NOTHING: Said = (Vec::new(), false);

fn answers_last(streams: &[u32]) -> Said {
    streams
        .last()
        .map_or(NOTHING, |&stream| (answer(stream), false))
}

fn kinds(records: &[RequestRecord]) -> Vec<Option<FailureKind>> {
    let kind = |record: &RequestRecord| record.failure.as_ref().map(|failure| failure.kind);
    records.iter().map(kind).collect()
}

#[test]
fn requests_that_a_goodbye_leaves_out_are_sent_again_and_counted() {
    let server = Server::serve(|connection, streams| match (connection, streams) {
        (0, [first, second, _, _]) => {
            let bytes = [goaway(*second, 0), answer(*first), answer(*second)].concat();
            (bytes, true)
        }
        (0, _) => NOTHING,
        _ => answers_last(streams),
    });
    let (records, _) = apply_by(&server.engine(), closed(4, 4), &Stop::default());
    assert_eq!(kinds(&records), [None; 4]);
    let mut each: Vec<u32> = records.iter().map(|record| record.reconnects).collect();
    each.sort_unstable();
    assert_eq!(each, [0, 0, 1, 1]);
    assert_eq!(server.requests.load(Ordering::SeqCst), 6);
    records.iter().for_each(check_times);
}

#[test]
fn a_goodbye_to_each_second_request_loses_nothing() {
    let server = Server::serve(|_, streams| match streams {
        [] => NOTHING,
        [first] => (answer(*first), false),
        [first, ..] => (goaway(*first, 0), true),
    });
    let (records, _) = apply_by(&server.engine(), closed(1, 4), &Stop::default());
    assert_eq!(kinds(&records), [None; 4]);
    let each: Vec<u32> = records.iter().map(|record| record.reconnects).collect();
    assert_eq!(each, [0, 1, 1, 1]);
}

#[test]
fn a_request_that_is_left_out_twice_is_a_failure() {
    let never = Server::serve(|connection, streams| match streams {
        [first] if connection == 0 => (answer(*first), false),
        [] => NOTHING,
        _ => (goaway(0, 0), true),
    });
    let (records, _) = apply_by(&never.engine(), closed(1, 2), &Stop::default());
    assert_eq!(kinds(&records), [None, Some(FailureKind::ConnectionClosed)]);
    assert_eq!(records[1].reconnects, 1);
    assert_eq!(never.requests.load(Ordering::SeqCst), 3);
}

#[test]
fn a_connection_that_ends_inside_responses_cuts_them_all() {
    let server = Server::serve(|_, streams| match streams {
        [first, second] => {
            let part = |stream| [head(stream), data(stream, &events(3)[0])].concat();
            ([part(*first), part(*second)].concat(), true)
        }
        _ => NOTHING,
    });
    let (records, _) = apply_by(&server.engine(), closed(2, 2), &Stop::default());
    assert_eq!(kinds(&records), [Some(FailureKind::CutMidStream); 2]);
    assert!(records.iter().all(|record| record.chunks == 1));
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
}

#[test]
fn what_one_read_brings_for_several_streams_has_one_time() {
    let server = Server::serve(|_, streams| match streams {
        [first, second] => ([answer(*first), answer(*second)].concat(), false),
        _ => NOTHING,
    });
    let (records, applied) = apply_by(&server.engine(), closed(2, 2), &Stop::default());
    assert_eq!(kinds(&records), [None; 2]);
    let times = |record: &RequestRecord| (record.first_byte, record.first_token, record.end);
    assert_eq!(times(&records[0]), times(&records[1]));
    assert_eq!(applied.health.events, 2 * 4);
    // The settings, their acknowledgement, the answers; reads may bring two of these at once.
    assert!(
        (1..=3).contains(&applied.health.reads),
        "{}",
        applied.health.reads
    );
}

#[test]
fn thousands_of_small_frames_in_one_read_are_no_fault() {
    let count = 3000;
    let server = Server::serve(move |_, streams| {
        let Some(&stream) = streams.last() else {
            return NOTHING;
        };
        let body = events(count).concat();
        let frames: Vec<u8> = body
            .as_bytes()
            .chunks(7)
            .flat_map(|piece| frame(DATA, 0, stream, piece))
            .collect();
        let end = frame(DATA, END_STREAM, stream, b"");
        ([head(stream), frames, end].concat(), false)
    });
    let (records, _) = apply_by(&server.engine(), closed(1, 2), &Stop::default());
    for record in &records {
        assert_eq!((&record.failure, record.chunks), (&None, 3000));
        check_times(record);
    }
}

#[test]
fn frames_that_break_the_rules_are_malformed_http() {
    let server = Server::serve(|_, streams| match streams {
        [] => NOTHING,
        // Data outside of any stream.
        _ => (data(0, "x"), false),
    });
    let (records, _) = apply_by(&server.engine(), closed(1, 2), &Stop::default());
    assert_eq!(kinds(&records), [Some(FailureKind::MalformedHttp); 2]);
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
}

#[test]
fn a_server_that_does_not_begin_http_2_is_a_failure_of_each_request() {
    for first in [Vec::new(), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()] {
        let server = Server::serve(move |_, _| (first.clone(), true));
        let (records, _) = apply_by(&server.engine(), closed(3, 6), &Stop::default());
        assert_eq!(kinds(&records), [Some(FailureKind::Connect); 6]);
        for record in &records {
            let text = &record.failure.as_ref().unwrap().text;
            assert!(text.contains("does not begin HTTP/2"), "{text}");
        }
        assert_eq!(server.requests.load(Ordering::SeqCst), 0);
    }
}
