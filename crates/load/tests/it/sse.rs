//! Streams as servers really write them, through the whole engine.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crestline_core::record::{FailureKind, RequestRecord, TokenSource};
use crestline_load::engine::Stop;

use crate::script::{Script, Step, apply, check_times, closed, events, setup};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A whole response with this body in one piece.
fn whole(body: &str) -> Vec<u8> {
    [HEAD.as_bytes(), &chunk(body.as_bytes()), b"0\r\n\r\n"].concat()
}

fn content(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// Serves these responses in turn, one request after the other; each is a list of pieces.
fn serve(responses: Vec<Vec<Vec<u8>>>) -> Vec<RequestRecord> {
    run(responses, Step::SendBytes)
}

/// The same, but the connection is closed after each.
fn serve_and_close(responses: Vec<Vec<Vec<u8>>>) -> Vec<RequestRecord> {
    run(responses, Step::SendBytesAndClose)
}

fn run(responses: Vec<Vec<Vec<u8>>>, step: fn(Vec<Vec<u8>>) -> Step) -> Vec<RequestRecord> {
    let count = responses.len() as u64;
    let responses = Arc::new(Mutex::new(responses.into_iter()));
    let script = Script::serve(move |_, _| {
        let next = responses.lock().unwrap().next();
        step(next.unwrap_or_default())
    });
    let (records, _) = apply(setup(&script.url), closed(1, count), &Stop::default());
    records.iter().for_each(check_times);
    records
}

fn text(record: &RequestRecord) -> &str {
    &record.exchange.as_ref().unwrap().answer
}

/// A response of three tokens in any spelling.
fn check_three(record: &RequestRecord, what: &str) {
    assert_eq!(record.failure, None, "{what}");
    assert_eq!(
        (record.chunks, record.gaps.len(), text(record)),
        (3, 2, " t0 t1 t2"),
        "{what}"
    );
    let tokens = record.output_tokens.map(|tokens| tokens.count);
    assert_eq!(tokens, Some(3), "{what}");
}

/// One response, whole in one piece.
fn one(body: &str) -> RequestRecord {
    serve(vec![vec![whole(body)]]).remove(0)
}

#[test]
fn a_stream_says_the_same_however_it_is_spelt() {
    let plain = events(3).concat();
    let spellings = [
        ("line feeds", plain.clone()),
        ("CRLF", plain.replace('\n', "\r\n")),
        ("CR", plain.replace('\n', "\r")),
        ("no space", plain.replace("data: ", "data:")),
        (
            "event names",
            plain.replace("data: ", "event: message\ndata: "),
        ),
        (
            "ids and retry",
            plain.replace("data: ", "id: 7\nretry: 3000\ndata: "),
        ),
        ("a byte-order mark", format!("\u{feff}{plain}")),
        ("blank lines", plain.replace("\n\n", "\n\n\n\n")),
        ("no blank line at the end", plain.trim_end().to_owned()),
        ("no [DONE]", plain.replace("data: [DONE]\n\n", "")),
        (
            "space in the JSON",
            plain.replace("{\"choices\":", "{ \"choices\" : "),
        ),
        (
            "several lines of data",
            plain.replace(",\"finish", "\ndata: ,\"finish"),
        ),
    ];
    let responses = spellings.iter().map(|(_, body)| vec![whole(body)]);
    let records = serve(responses.collect());
    for (record, (what, _)) in records.iter().zip(&spellings) {
        check_three(record, what);
    }
}

#[test]
fn pings_and_comments_may_stand_between_any_two_lines() {
    let plain = events(3).concat();
    let ends: Vec<usize> = plain.match_indices('\n').map(|(at, _)| at + 1).collect();
    let mut bodies = Vec::new();
    for at in std::iter::once(0).chain(ends) {
        bodies.push(format!("{}: ping\n{}", &plain[..at], &plain[at..]));
    }
    for at in std::iter::once(0).chain(plain.match_indices("\n\n").map(|(at, _)| at + 2)) {
        let ping = ": PROCESSING\n\nevent: ping\n\n";
        bodies.push(format!("{}{ping}{}", &plain[..at], &plain[at..]));
    }
    let responses = bodies.iter().map(|body| vec![whole(body)]).collect();
    for (record, body) in serve(responses).iter().zip(&bodies) {
        check_three(record, body);
    }
}

#[test]
fn a_response_may_be_cut_in_two_anywhere() {
    let body = [events(1)[0].replace("t0", "é"), events(1)[2].clone()].concat();
    let response = whole(&body);
    let cuts = 1..response.len();
    let responses = cuts
        .clone()
        .map(|at| vec![response[..at].to_vec(), response[at..].to_vec()]);
    for (record, at) in serve(responses.collect()).iter().zip(cuts) {
        assert_eq!(record.failure, None, "cut at byte {at}");
        assert_eq!((record.chunks, text(record)), (1, " é"), "cut at byte {at}");
    }
}

#[test]
fn a_body_may_come_in_chunks_of_one_byte() {
    let body = events(3).concat();
    let mut response = HEAD.as_bytes().to_vec();
    for byte in body.as_bytes() {
        response.extend(chunk(std::slice::from_ref(byte)));
    }
    response.extend_from_slice(b"0\r\n\r\n");
    check_three(&serve(vec![vec![response]])[0], "chunks of one byte");
}

#[test]
fn events_that_arrive_together_have_no_time_between_them() {
    let record = one(&events(3).concat());
    check_three(&record, "one write");
    assert_eq!(record.gaps.iter().map(|gap| gap.0).sum::<u64>(), 0);
    assert_eq!(record.first_token, record.last_token);
    let apart: Vec<Vec<u8>> = std::iter::once(HEAD.as_bytes().to_vec())
        .chain(events(3).iter().map(|event| chunk(event.as_bytes())))
        .chain([b"0\r\n\r\n".to_vec()])
        .collect();
    let apart = &serve(vec![apart])[0];
    check_three(apart, "one write an event");
    let gaps: u64 = apart.gaps.iter().map(|gap| gap.0).sum();
    let (first, last) = (apart.first_token.unwrap(), apart.last_token.unwrap());
    assert_eq!(last.0 - first.0, gaps);
}

#[test]
fn an_error_inside_a_good_response_is_a_failure_and_ends_it() {
    let oom = "data: {\"error\":{\"message\":\"oom\",\"code\":500}}\n\n";
    let named = "event: error\ndata: {\"message\":\"oom\"}\n\n";
    for error in [oom, named] {
        let record = one(&format!("{}{error}data: [DONE]\n\n", content("a")));
        let failure = record.failure.as_ref().unwrap();
        assert_eq!(failure.kind, FailureKind::ErrorInBody);
        assert!(failure.text.contains("oom"), "{failure:?}");
        assert_eq!((record.chunks, text(&record)), (1, "a"));
    }
}

#[test]
fn a_stream_cut_before_its_end_is_a_failure_unless_it_had_said_everything() {
    let all = events(3);
    let cut = |events: usize| {
        let body = all[..events].concat();
        vec![[HEAD.as_bytes(), &chunk(body.as_bytes())].concat()]
    };
    let records = serve_and_close((1..=all.len()).map(cut).collect());
    for record in &records[..4] {
        let kind = record.failure.as_ref().map(|failure| failure.kind);
        assert_eq!(kind, Some(FailureKind::CutMidStream), "{record:?}");
    }
    assert_eq!(records[1].chunks, 2);
    check_three(&records[4], "all but the end of the chunks");
}

#[test]
fn a_response_cut_inside_its_head_was_begun_and_is_not_asked_for_again() {
    let script = Script::serve(|mine, _| match mine {
        0 => Step::SendBytes(vec![whole(&events(3).concat())]),
        _ => Step::SendBytesAndClose(vec![b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec()]),
    });
    let (records, _) = apply(setup(&script.url), closed(1, 2), &Stop::default());
    check_three(&records[0], "the first on its connection");
    let kind = records[1].failure.as_ref().map(|failure| failure.kind);
    assert_eq!(kind, Some(FailureKind::CutMidStream));
    assert_eq!(records[1].reconnects, 0);
    assert_eq!(script.requests.load(Ordering::SeqCst), 2);
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole() {
    let body = events(3).concat();
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let head = format!("{version} 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        let pieces = vec![head.into_bytes(), body.clone().into_bytes()];
        let records = serve_and_close(vec![pieces.clone(), pieces]);
        for record in &records {
            check_three(record, version);
            assert_eq!(record.reconnects, 0, "the end was announced");
        }
    }
}

#[test]
fn the_last_usage_counts_wherever_it_stands() {
    let with = |text: &str, count: u32| {
        let usage = format!("\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{count}}}");
        content(text).replace("]}\n\n", &format!("],{usage}}}\n\n"))
    };
    let continuous = [with("a", 1), with("b", 4), with("c", 6)].concat();
    let record = one(&format!("{continuous}data: [DONE]\n\n"));
    assert_eq!((record.chunks, text(&record)), (3, "abc"));
    let tokens = record.output_tokens.unwrap();
    assert_eq!((tokens.count, tokens.source), (6, TokenSource::Usage));
    assert_eq!(record.prompt_tokens.unwrap().count, 9);
    assert_eq!(record.chunk_tokens, [1, 3, 2], "tokens of each event");

    let null = content("a").replace("]}\n\n", "],\"usage\":null}\n\n");
    let record = one(&format!("{null}{}data: [DONE]\n\n", with("b", 2)));
    assert_eq!(record.output_tokens.unwrap().count, 2);
    assert!(
        record.chunk_tokens.is_empty(),
        "not every event has a count"
    );

    let none = one(&format!("{}{}data: [DONE]\n\n", content("a"), content("b")));
    assert_eq!((none.failure.clone(), none.chunks), (None, 2));
    assert_eq!((none.output_tokens, none.prompt_tokens), (None, None));
}

#[test]
fn what_follows_the_end_does_not_count() {
    let after = |junk: &str| format!("{}{junk}", events(3).concat());
    let record = one(&after(&content("late").replace("data: ", ": ")));
    check_three(&record, "a comment after [DONE]");
    let record = one(&after("junk without a colon\n\n"));
    check_three(&record, "a line that is no field after [DONE]");
    let surplus = [whole(&events(3).concat()), b"junk".to_vec()].concat();
    let record = &serve(vec![vec![surplus]])[0];
    let failure = record.failure.as_ref().unwrap();
    assert_eq!(failure.kind, FailureKind::MalformedHttp);
    assert!(failure.text.contains("4 bytes follow"), "{failure:?}");
}

#[test]
fn an_interim_response_is_passed_over() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
    let body = whole(&events(3).concat());
    let together = [interim.clone(), body.clone()].concat();
    for record in serve(vec![vec![interim, body], vec![together]]) {
        check_three(&record, "100 Continue");
        assert_eq!(record.status, Some(200));
    }
}

#[test]
fn an_event_may_be_a_mebibyte_long() {
    let long = "long é ".repeat(150_000);
    let body = format!("{}{}", content(&long), events(0).concat());
    let response = whole(&body);
    let halves = response.split_at(response.len() / 2 + 1);
    let records = serve(vec![
        vec![response.clone()],
        vec![halves.0.to_vec(), halves.1.to_vec()],
    ]);
    for record in &records {
        assert_eq!(record.failure, None);
        assert!(record.chunks == 1 && text(record) == long);
    }
}

#[test]
fn escaped_text_and_text_beyond_ascii_arrive_as_they_were_meant() {
    let body = [
        content("a\\n\\\"b\\\""),
        content("\\u00e9\\ud83d\\ude80"),
        content("漢字🚀"),
        content("x"),
        events(0).concat(),
    ]
    .concat();
    let record = one(&body);
    assert_eq!(
        (record.chunks, text(&record)),
        (4, "a\n\"b\"é🚀漢字🚀x"),
        "{:?}",
        record.failure
    );
}

#[test]
fn an_event_that_is_not_json_is_a_failure() {
    for bad in ["data: {\"choices\":[{\"delta\":\n\n", "data: hello\n\n"] {
        let record = one(&format!("{}{bad}data: [DONE]\n\n", content("a")));
        let kind = record.failure.as_ref().map(|failure| failure.kind);
        assert_eq!((kind, record.chunks), (Some(FailureKind::MalformedJson), 1));
    }
}

#[test]
fn a_whole_body_that_only_the_end_of_the_connection_ends_has_its_tokens_then() {
    let body = "{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let script =
        Script::serve(move |_, _| Step::SendAndClose(vec![head.to_owned(), body.to_owned()]));
    let (records, _) = apply(setup(&script.url), closed(1, 1), &Stop::default());
    assert_eq!(records[0].failure, None);
    assert_eq!(records[0].first_token, Some(records[0].end));
}

#[test]
fn a_count_that_does_not_hold_for_every_event_tells_nothing_of_them() {
    let with = |text: &str, count: u32| {
        let usage = format!("\"usage\":{{\"completion_tokens\":{count}}}");
        content(text).replace("]}\n\n", &format!("],{usage}}}\n\n"))
    };
    let total = |count: u32| {
        format!(
            "data: {{\"choices\":[],\"usage\":{{\"completion_tokens\":{count}}}}}\n\ndata: [DONE]\n\n"
        )
    };
    let tokens = |body: &[String]| one(&body.concat()).chunk_tokens;
    let several_answers = [
        with("a", 1),
        with("b", 1),
        with("c", 2),
        with("d", 2),
        total(4),
    ];
    assert!(tokens(&several_answers).is_empty());
    let gap = [with("a", 1), content("b"), with("c", 3), total(3)];
    assert!(tokens(&gap).is_empty());
    let less = [with("a", 2), with("b", 1), total(2)];
    assert!(tokens(&less).is_empty());
    let silent_end = [with("a", 2), with("b", 3), with("", 4), total(4)];
    assert_eq!(tokens(&silent_end), [2, 1]);
}
