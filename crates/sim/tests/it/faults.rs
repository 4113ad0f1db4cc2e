//! What each fault puts on the wire.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::wire::{Client, Response, Server, faulty, header};

const PATH: &str = "/v1/completions";
const STREAM: &str =
    r#"{"prompt":"a","max_tokens":10,"stream":true,"stream_options":{"include_usage":true}}"#;
const WHOLE: &str = r#"{"prompt":"a","max_tokens":10}"#;

fn ask(fault: &str, body: &str) -> Response {
    Server::start(faulty(fault)).ask("POST", PATH, body)
}

/// Everything after the head until the connection ends; the error that ended it, if any.
fn bytes_and_end(client: &mut Client) -> (Vec<u8>, Option<ErrorKind>) {
    let mut all = Vec::new();
    loop {
        match client.chunk() {
            Ok(data) => all.extend(data),
            Err(error) => return (all, Some(error.kind())),
        }
    }
}

#[test]
fn http_500_and_429_are_errors_as_a_real_server_sends_them() {
    let broken = ask("http-500=1", STREAM);
    assert_eq!(
        (broken.status, broken.json()["error"]["code"].clone()),
        (500, 500.into())
    );
    let busy = ask("http-429=1:7", STREAM);
    assert_eq!(
        (busy.status, header(&busy.head, "retry-after")),
        (429, Some("7"))
    );
}

#[test]
fn refuse_closes_the_listener_for_a_moment_and_opens_it_again() {
    let server = Server::start(faulty("refuse=1:1.0"));
    let mut client = server.connect();
    let response = client.ask("POST", PATH, STREAM);
    assert_eq!(response.events().len(), 11);
    assert_eq!(header(&response.head, "connection"), Some("close"));
    assert_eq!(client.rest().unwrap(), b"");
    let mut refused = false;
    let start = Instant::now();
    loop {
        match TcpStream::connect(server.address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused = true,
            Err(error) => panic!("{error}"),
            Ok(_) if refused => break,
            Ok(_) => {}
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "refused: {refused}"
        );
    }
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn reset_comes_before_any_byte() {
    let server = Server::start(faulty("reset=1"));
    let mut client = server.connect();
    client.post(PATH, "", STREAM);
    assert_eq!(
        client.rest().unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn reset_mid_stream_comes_after_half_of_the_tokens() {
    let server = Server::start(faulty("reset-mid-stream=1"));
    let mut client = server.connect();
    client.post(PATH, "", STREAM);
    client.head().unwrap();
    let (bytes, end) = bytes_and_end(&mut client);
    assert_eq!(
        String::from_utf8(bytes).unwrap().matches("data: ").count(),
        5
    );
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    let mut client = server.connect();
    client.post(PATH, "", WHOLE);
    assert_eq!(
        client.response().unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn a_stall_of_some_seconds_ends_and_nothing_is_lost() {
    let server = Server::start(faulty("stall=1:0.3"));
    for body in [STREAM, WHOLE] {
        let start = Instant::now();
        let response = server.ask("POST", PATH, body);
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(response.text().contains("\"completion_tokens\":10"));
    }
}

#[test]
fn a_stall_for_ever_keeps_the_connection_open_and_silent() {
    let server = Server::start(faulty("stall=1"));
    for (body, expected) in [(STREAM, "data: "), (WHOLE, "{\"id\"")] {
        let mut client = server.connect();
        client.post(PATH, "", body);
        client.head().unwrap();
        client
            .socket
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let error = client.rest().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let text = String::from_utf8(client.bytes_so_far()).unwrap();
        assert!(
            text.contains(expected) && !text.contains("[DONE]") && !text.contains("usage"),
            "{text}"
        );
    }
}

#[test]
fn slow_headers_take_their_seconds_and_the_answer_is_whole() {
    let server = Server::start(faulty("slow-headers=1:0.4"));
    for body in [STREAM, WHOLE] {
        let start = Instant::now();
        let response = server.ask("POST", PATH, body);
        assert!(start.elapsed() >= Duration::from_millis(400));
        assert!(response.text().contains("\"completion_tokens\":10"));
    }
}

#[test]
fn truncated_json_is_one_broken_event_or_body() {
    let text = ask("truncated-json=1", STREAM).text();
    let data: Vec<&str> = text
        .split("\n\n")
        .filter(|event| !event.is_empty())
        .collect();
    let broken = |event: &&&str| {
        let json = event.strip_prefix("data: ").unwrap();
        json != "[DONE]" && serde_json::from_str::<serde_json::Value>(json).is_err()
    };
    assert_eq!((data.len(), data.iter().filter(broken).count()), (12, 1));
    let whole = ask("truncated-json=1", WHOLE);
    assert_eq!(whole.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&whole.body).is_err());
}

#[test]
fn malformed_sse_joins_an_event_with_bytes_that_are_no_text() {
    let body = ask("malformed-sse=1", STREAM).body;
    let place = body
        .windows(10)
        .position(|bytes| bytes == b"\ndata: {\xff\xfe");
    let before = &body[..place.unwrap()];
    assert!(
        before.ends_with(b"}]}"),
        "the line before ends, but its event does not"
    );
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(
        ask("malformed-sse=1", WHOLE).json()["usage"]["completion_tokens"],
        10
    );
}

#[test]
fn an_error_object_ends_a_stream_of_status_200() {
    let response = ask("error-in-stream=1", STREAM);
    assert_eq!(response.status, 200);
    let events = response.events();
    assert_eq!(events.len(), 6);
    assert_eq!(events[5]["error"]["code"], 500);
    let whole = ask("error-in-stream=1", WHOLE);
    assert_eq!(
        (whole.status, whole.json()["error"]["code"].clone()),
        (200, 500.into())
    );
}

#[test]
fn missing_usage_is_only_that() {
    let events = ask("missing-usage=1", STREAM).events();
    assert_eq!(events.len(), 10);
    assert!(ask("missing-usage=1", WHOLE).json()["usage"].is_null());
}

#[test]
fn merged_chunks_hold_several_tokens_and_lose_none() {
    let events = ask("merged-chunks=1:4", STREAM).events();
    let words = |event: &serde_json::Value| {
        event["choices"][0]["text"]
            .as_str()
            .map(|text| text.matches(' ').count())
    };
    let counts: Vec<_> = events.iter().map(words).collect();
    assert_eq!(counts, [Some(4), Some(4), Some(2), None]);
    assert_eq!(events[3]["usage"]["completion_tokens"], 10);
}

#[test]
fn odd_cuts_split_events_over_chunks_and_change_no_byte() {
    let response = ask("odd-cuts=1", STREAM);
    assert_eq!(response.events().len(), 11);
    assert_eq!(response.chunks.len(), 10 * 3 + 2);
    assert_eq!(
        ask("odd-cuts=1", WHOLE).json()["usage"]["completion_tokens"],
        10
    );
}

#[test]
fn silent_close_ends_the_connection_without_a_word() {
    let server = Server::start(faulty("silent-close=1"));
    let mut client = server.connect();
    let response = client.ask("POST", PATH, STREAM);
    assert_eq!(response.events().len(), 11);
    assert_eq!(header(&response.head, "connection"), None);
    assert_eq!(client.rest().unwrap(), b"");
}
