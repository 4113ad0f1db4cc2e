//! Answers of each kind of endpoint, byte by byte as they come from a socket, read at every cut.

use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenSource};
use crestline_core::units::Nanos;
use crestline_load::client::answer::{Answer, Texts};
use crestline_load::client::endpoint::Endpoint;
use crestline_load::client::h1::ResponseDecoder;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/streams/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// Reads a response that comes in these pieces, one a millisecond.
fn read(endpoint: Endpoint, pieces: &[&[u8]]) -> (RequestRecord, Texts) {
    let mut decoder = ResponseDecoder::default();
    let mut answer = Answer::new(endpoint.answer_form());
    for (at, piece) in pieces.iter().enumerate() {
        let at = Nanos::from_millis(at as u64);
        answer.begin(at);
        decoder
            .feed(piece, |head, part| answer.feed(head, part, at))
            .unwrap();
    }
    assert!(decoder.is_done());
    let head = decoder.head().unwrap().clone();
    answer.finish(&head, Nanos::from_millis(pieces.len() as u64));
    let mut record = RequestRecord::new(0, Phase::Measured);
    let texts = answer.settle(&mut record, Some(&head));
    (record, texts)
}

/// What must not depend on where the network cut the bytes.
#[derive(Debug, PartialEq)]
struct Said {
    texts: Texts,
    chunks: u32,
    gaps: usize,
    chunk_tokens: Vec<u32>,
    bare: usize,
    prompt: Option<u32>,
    output: Option<u32>,
    cached: Option<u32>,
    failure: Option<Failure>,
}

fn said((record, texts): (RequestRecord, Texts)) -> Said {
    for tokens in [record.prompt_tokens, record.output_tokens]
        .into_iter()
        .flatten()
    {
        assert_eq!(tokens.source, TokenSource::Usage);
    }
    Said {
        texts,
        chunks: record.chunks,
        gaps: record.gaps.len(),
        chunk_tokens: record.chunk_tokens,
        bare: record.bare_events.len(),
        prompt: record.prompt_tokens.map(|tokens| tokens.count),
        output: record.output_tokens.map(|tokens| tokens.count),
        cached: record.cached_tokens,
        failure: record.failure,
    }
}

/// Reads a fixture whole and in two pieces at every place.
fn at_every_cut(endpoint: Endpoint, name: &str) -> Said {
    let wire = fixture(name);
    let whole = said(read(endpoint, &[&wire]));
    for cut in 1..wire.len() {
        let cut_in_two = read(endpoint, &[&wire[..cut], &wire[cut..]]);
        assert_eq!(said(cut_in_two), whole, "{name} cut at byte {cut}");
    }
    whole
}

fn answer(text: &str) -> Texts {
    Texts {
        answer: text.to_owned(),
        ..Texts::default()
    }
}

#[test]
fn a_response_has_reasoning_and_text_and_its_last_event_counts() {
    let said = at_every_cut(Endpoint::OpenAiResponses, "openai-responses.txt");
    let expected = Said {
        texts: Texts {
            reasoning: "a thought".to_owned(),
            ..answer("It said:\n\"é\" and left.")
        },
        chunks: 4,
        gaps: 3,
        chunk_tokens: Vec::new(),
        bare: 0,
        prompt: Some(11),
        output: Some(9),
        cached: Some(4),
        failure: None,
    };
    assert_eq!(said, expected);
}

#[test]
fn a_response_that_is_never_said_to_be_complete_is_a_failure() {
    let wire = String::from_utf8(fixture("openai-responses.txt")).unwrap();
    let last = wire.find("event: response.completed").unwrap();
    let before = wire[..last].rfind("\r\n").unwrap();
    let size = wire[..before].rfind("\r\n").unwrap() + 2;
    let cut = format!("{}0\r\n\r\n", &wire[..size]);
    let (record, texts) = read(Endpoint::OpenAiResponses, &[cut.as_bytes()]);
    let kind = record.failure.map(|failure| failure.kind);
    assert_eq!(kind, Some(FailureKind::CutMidStream));
    assert_eq!((record.chunks, texts.answer.is_empty()), (4, false));
}

#[test]
fn a_count_in_every_event_tells_how_many_tokens_each_brought() {
    let said = at_every_cut(Endpoint::OpenAiChat, "chat-continuous-usage.txt");
    let expected = Said {
        texts: answer("one two three four five six"),
        chunks: 3,
        gaps: 2,
        chunk_tokens: vec![3, 1, 2],
        bare: 2,
        prompt: Some(7),
        output: Some(7),
        cached: None,
        failure: None,
    };
    assert_eq!(said, expected);
}

#[test]
fn speech_is_written_down_as_a_chat_is() {
    let said = at_every_cut(Endpoint::OpenAiTranscription, "transcription.txt");
    let expected = Said {
        texts: answer(" He spoke."),
        chunks: 2,
        gaps: 1,
        chunk_tokens: vec![1, 2],
        bare: 0,
        prompt: Some(4),
        output: Some(3),
        cached: None,
        failure: None,
    };
    assert_eq!(said, expected);
}

#[test]
fn servers_with_an_api_of_their_own_are_understood() {
    let tgi = at_every_cut(Endpoint::TgiGenerate, "tgi.txt");
    let expected = Said {
        texts: answer(" One é"),
        chunks: 2,
        gaps: 1,
        chunk_tokens: Vec::new(),
        bare: 0,
        prompt: Some(5),
        output: Some(3),
        cached: None,
        failure: None,
    };
    assert_eq!(tgi, expected);
    let tensor_rt = at_every_cut(Endpoint::TensorRtGenerate, "tensorrt-llm.txt");
    let expected = Said {
        texts: answer("One two é."),
        chunks: 3,
        gaps: 2,
        prompt: None,
        output: None,
        ..expected
    };
    assert_eq!(tensor_rt, expected);
}

#[test]
fn a_vector_is_there_when_its_body_is_and_has_no_tokens() {
    for name in ["embeddings.txt", "embeddings-bytes.txt"] {
        let expected = Said {
            texts: Texts::default(),
            chunks: 0,
            gaps: 0,
            chunk_tokens: Vec::new(),
            bare: 0,
            prompt: Some(12),
            output: Some(0),
            cached: None,
            failure: None,
        };
        assert_eq!(at_every_cut(Endpoint::OpenAiEmbeddings, name), expected);
        let wire = fixture(name);
        let (record, _) = read(Endpoint::OpenAiEmbeddings, &[&wire[..50], &wire[50..]]);
        assert_eq!(record.first_token, Some(Nanos::from_millis(2)), "{name}");
        assert_eq!(record.first_token, record.last_token);
    }
}

#[test]
fn raw_bytes_without_a_word_about_them_are_an_answer_too() {
    let wire = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 4\r\n\r\n\xff\x00\x01\x02";
    let (record, _) = read(Endpoint::Pooling, &[wire]);
    assert_eq!((record.failure, record.prompt_tokens), (None, None));
    assert_eq!(record.output_tokens.map(|tokens| tokens.count), Some(0));
}

#[test]
fn a_pooled_answer_can_fail_inside_a_good_status() {
    let check = |body: &str, kind| {
        let wire = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (record, _) = read(Endpoint::Rerank, &[wire.as_bytes()]);
        assert_eq!(
            record.failure.map(|failure| failure.kind),
            Some(kind),
            "{body}"
        );
        assert_eq!(record.first_token, None, "{body}");
    };
    check("{}", FailureKind::EmptyAnswer);
    check("{\"results\":[", FailureKind::MalformedJson);
    check(
        "{\"error\":{\"message\":\"too long\"}}",
        FailureKind::ErrorInBody,
    );
}

#[test]
fn answers_that_are_not_streamed_are_read_in_each_api_s_way() {
    let check = |endpoint, body: &str, text: &str| {
        let wire = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (record, texts) = read(endpoint, &[wire.as_bytes()]);
        assert_eq!(
            (record.failure, texts.answer.as_str()),
            (None, text),
            "{body}"
        );
        assert_eq!(record.first_token, Some(Nanos::from_millis(1)));
    };
    check(Endpoint::DeepSpeedMii, r#"{"text":["one two"]}"#, "one two");
    check(
        Endpoint::OpenAiTranscription,
        r#"{"text":"he spoke","usage":{"type":"duration","seconds":1}}"#,
        "he spoke",
    );
    check(
        Endpoint::OpenAiResponses,
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":{"output_tokens":1}}"#,
        "hi",
    );
}
