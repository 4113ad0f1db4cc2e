//! Answers of each form: what is read, when, and what is a failure.

use super::*;

const STREAM: Head = Head {
    status: 200,
    is_event_stream: true,
    is_binary: false,
    metadata: None,
    retry_after: None,
    keep_alive: true,
};
const PLAIN: Head = Head {
    is_event_stream: false,
    ..STREAM
};

fn content(text: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// Feeds one piece a millisecond and settles.
fn record(head: &Head, pieces: &[&str]) -> (RequestRecord, Texts) {
    let mut answer = Answer::default();
    for (at, piece) in pieces.iter().enumerate() {
        answer.begin(Nanos::from_millis(at as u64));
        answer.feed(head, piece.as_bytes(), Nanos::from_millis(at as u64));
    }
    answer.finish(head, Nanos::from_millis(pieces.len() as u64));
    let mut record = RequestRecord::new(0, crestline_core::record::Phase::Measured);
    let texts = answer.settle(&mut record, Some(head));
    (record, texts)
}

#[test]
fn the_first_token_is_the_first_event_with_content() {
    let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";
    let (record, texts) = record(
        &STREAM,
        &[
            role,
            &content("a"),
            &content("b"),
            usage,
            "data: [DONE]\n\n",
        ],
    );
    assert_eq!(record.failure, None);
    assert_eq!(record.first_byte, Some(Nanos::ZERO));
    assert_eq!(
        (record.first_token, record.last_token),
        (Some(Nanos::from_millis(1)), Some(Nanos::from_millis(2)))
    );
    assert_eq!(
        record.gaps.iter().collect::<Vec<_>>(),
        [Nanos::from_millis(1)]
    );
    assert_eq!(
        record.output_tokens,
        Some(TokenCount {
            count: 2,
            source: TokenSource::Usage
        })
    );
    assert_eq!((record.chunks, texts.answer.as_str()), (2, "ab"));
    assert_eq!(record.bare_events, [Nanos::ZERO], "the role alone");
}

#[test]
fn reasoning_and_answer_have_their_own_first_times() {
    let thought = "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n";
    let (record, texts) = record(&STREAM, &[thought, thought, &content("a")]);
    assert_eq!(record.first_token, record.first_reasoning);
    assert_eq!(
        (record.first_reasoning, record.first_answer),
        (Some(Nanos::ZERO), Some(Nanos::from_millis(2)))
    );
    assert_eq!(
        (texts.reasoning.as_str(), texts.answer.as_str()),
        ("hmhm", "a")
    );
}

#[test]
fn an_event_is_stamped_with_the_read_that_completes_it() {
    let event = content("a");
    let (first, second) = event.split_at(30);
    let (record, _) = record(&STREAM, &[first, second]);
    assert_eq!(record.first_token, Some(Nanos::from_millis(1)));
}

fn check_failure(head: &Head, pieces: &[&str], kind: FailureKind, text: &str) {
    let failure = record(head, pieces)
        .0
        .failure
        .unwrap_or_else(|| panic!("{pieces:?} should fail"));
    assert_eq!(failure.kind, kind, "{pieces:?}");
    assert!(failure.text.contains(text), "{failure:?}");
}

#[test]
fn statuses_are_classified() {
    let status = |status| Head { status, ..PLAIN };
    let check = check_failure;
    check(
        &status(500),
        &["{\"error\":\"boom\"}"],
        FailureKind::ServerError,
        "boom",
    );
    check(&status(401), &[], FailureKind::Unauthorized, "401");
    check(
        &status(404),
        &["no such model"],
        FailureKind::ClientError,
        "no such model",
    );
    check(
        &Head {
            retry_after: Some("7".into()),
            ..status(429)
        },
        &[],
        FailureKind::RateLimited,
        "retry after 7",
    );
    check(&status(302), &[], FailureKind::UnexpectedStatus, "302");
}

#[test]
fn failures_inside_a_good_status_are_classified() {
    let check = check_failure;
    let oom = "data: {\"error\":{\"message\":\"oom\"}}\n\n";
    check(
        &STREAM,
        &[&content("a"), oom],
        FailureKind::ErrorInBody,
        "oom",
    );
    check(
        &STREAM,
        &["event: error\ndata: {\"message\":\"oom\"}\n\n"],
        FailureKind::ErrorInBody,
        "oom",
    );
    check(
        &STREAM,
        &["data: {\"choices\":[{\"de\n\n"],
        FailureKind::MalformedJson,
        "choices",
    );
    check(
        &STREAM,
        &["data: [DONE]\n\n"],
        FailureKind::EmptyAnswer,
        "no content",
    );
    check(
        &PLAIN,
        &["{\"choices\":[{\"mess"],
        FailureKind::MalformedJson,
        "mess",
    );
    check(&PLAIN, &["{}"], FailureKind::EmptyAnswer, "no content");
    let kind = FailureKind::MalformedJson;
    check(
        &PLAIN,
        &[&content("a")],
        kind,
        "content type is not text/event-stream",
    );
}

#[test]
fn an_answer_that_is_not_streamed_has_all_tokens_at_its_end() {
    let body =
        "{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":{\"completion_tokens\":4}}";
    let (record, texts) = record(&PLAIN, &[body]);
    assert_eq!(record.first_token, Some(Nanos::from_millis(1)));
    assert_eq!(
        (record.streamed, record.chunks, texts.answer.as_str()),
        (false, 1, "hi")
    );
    assert_eq!(record.tpot(), None);
}

#[test]
fn a_usage_of_zero_beside_content_is_no_count() {
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0}}\n\n";
    let (record, _) = record(&STREAM, &[&content("a"), usage]);
    assert_eq!(record.output_tokens, None);
    assert_eq!(record.prompt_tokens.map(|tokens| tokens.count), Some(5));
}

#[test]
fn an_answer_that_ends_at_once_is_an_answer() {
    let (record, _) = record(
        &STREAM,
        &["data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"],
    );
    assert_eq!(record.failure, None);
}

#[test]
fn an_answer_that_someone_else_reads_is_kept_whatever_its_form_is() {
    let own = "data: {\"word\":\"hi\"}\n\n";
    let pieces = [own, "data: no json\n\n", &content("a"), "data: [DONE]\n\n"];
    let mut answer = Answer::kept(AnswerForm::Completion);
    for (at, piece) in pieces.iter().enumerate() {
        answer.feed(&STREAM, piece.as_bytes(), Nanos::from_millis(at as u64));
    }
    answer.finish(&STREAM, Nanos::from_millis(9));
    let mut record = RequestRecord::new(0, crestline_core::record::Phase::Measured);
    let texts = answer.settle(&mut record, Some(&STREAM));
    assert_eq!(record.failure, None);
    assert_eq!((record.chunks, record.first_token), (3, Some(Nanos::ZERO)));
    assert_eq!(texts.pieces[..2], ["{\"word\":\"hi\"}", "no json"]);
    assert_eq!((texts.pieces.len(), texts.answer.as_str()), (3, "a"));
    let mut whole = Answer::kept(AnswerForm::Completion);
    whole.feed(&PLAIN, b"<ok/>", Nanos::ZERO);
    whole.finish(&PLAIN, Nanos::from_millis(1));
    let texts = whole.settle(&mut record, Some(&PLAIN));
    assert_eq!(record.failure, None);
    assert_eq!(texts.pieces, ["<ok/>"]);
    // Where nobody else reads it, nothing is kept, and such an answer is a failure.
    let (record, texts) = self::record(&STREAM, &pieces);
    assert!(record.failure.is_some() && texts.pieces.is_empty());
}
