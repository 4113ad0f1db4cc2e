//! Every kind of endpoint against the simulated server, over a real socket.

use std::sync::Arc;

use crestline_core::record::{FailureKind, RequestRecord, TokenSource};
use crestline_core::request::{Audio, Generation, Item, LoadPoint, Prompt};
use crestline_core::units::Nanos;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::engine::{Engine, Setup, Stop};
use serde_json::json;

use crate::script::{Script, Step, answer, apply, apply_by, check_times, closed, setup};
use crate::sim::Sim;

/// Three requests, all of which must succeed with the server's own counts.
pub(crate) fn run(setup: Setup) -> Vec<RequestRecord> {
    let endpoint = setup.endpoint;
    let (records, _) = apply(setup, closed(2, 3), &Stop::default());
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(record.failure, None, "{endpoint:?}");
        check_times(record);
    }
    records
}

#[test]
fn servers_that_generate_are_read_as_they_answer() {
    let sim = Sim::start("full-speed");
    for (endpoint, path) in [
        (Endpoint::OpenAiChat, "/v1/chat/completions"),
        (Endpoint::OpenAiCompletions, "/v1/completions"),
        (Endpoint::OpenAiResponses, "/v1/responses"),
        (Endpoint::TgiGenerate, "/generate_stream"),
        (
            Endpoint::TensorRtGenerate,
            "/v2/models/ensemble/generate_stream",
        ),
    ] {
        for record in run(sim.setup(endpoint, path)) {
            assert_eq!((record.chunks, record.streamed), (4, true), "{endpoint:?}");
            assert_eq!(record.asked_output, Some(4), "{endpoint:?}");
            let text = &record.exchange.unwrap().answer;
            assert_eq!(text.split(' ').count(), 5, "{endpoint:?}: {text:?}");
            if endpoint != Endpoint::TensorRtGenerate {
                let output = record.output_tokens.unwrap();
                assert_eq!((output.count, output.source), (4, TokenSource::Usage));
                assert!(record.prompt_tokens.unwrap().count > 0);
            }
        }
    }
}

#[test]
fn servers_that_only_read_give_no_tokens_and_their_latency_is_the_time_to_the_end() {
    let sim = Sim::start("full-speed");
    for (endpoint, path) in [
        (Endpoint::OpenAiEmbeddings, "/v1/embeddings"),
        (Endpoint::ChatEmbeddings, "/v1/embeddings"),
        (Endpoint::ClipEmbeddings, "/v1/embeddings"),
        (Endpoint::Vlm2VecEmbeddings, "/v1/embeddings"),
        (Endpoint::InfinityEmbeddings, "/embeddings"),
        (Endpoint::Pooling, "/pooling"),
    ] {
        for encoding in ["float", "base64", "bytes"] {
            let mut setup = sim.setup(endpoint, path);
            let extra = json!({"encoding_format": encoding});
            setup.generation = Generation {
                extra: extra.as_object().unwrap().clone(),
                ..Generation::default()
            };
            for record in run(setup) {
                assert_eq!((record.chunks, record.streamed), (0, false));
                assert_eq!(record.first_token, Some(record.end));
                assert_eq!(record.output_tokens.unwrap().count, 0);
                let prompt = record.prompt_tokens.unwrap();
                assert_eq!(prompt.source, TokenSource::Usage, "{endpoint:?} {encoding}");
                assert!(prompt.count > 0);
            }
        }
    }
}

#[test]
fn single_items_of_other_kinds_are_answered() {
    let sim = Sim::start("full-speed");
    let texts = ["q", "a", "b"].map(str::to_owned).to_vec();
    let audio = Audio {
        file_name: "a.wav".to_owned(),
        bytes: vec![0; 64_000],
        length: Nanos::from_secs(2),
    };
    for (endpoint, path, prompt) in [
        (Endpoint::Rerank, "/v1/rerank", Prompt::Texts(texts.clone())),
        (
            Endpoint::OpenAiEmbeddings,
            "/v1/embeddings",
            Prompt::Texts(texts),
        ),
        (
            Endpoint::OpenAiTranscription,
            "/v1/audio/transcriptions",
            Prompt::Audio(Arc::new(audio)),
        ),
        (
            Endpoint::OpenAiCompletions,
            "/v1/completions",
            Prompt::TokenIds(vec![5, 6, 7]),
        ),
    ] {
        let setup = sim.setup(endpoint, path);
        let engine = Engine::new(setup, "test", &[], |_| None).unwrap();
        engine
            .try_item(Item::new(0, prompt), &Stop::default())
            .unwrap();
    }
    let setup = sim.setup(Endpoint::Rerank, "/v1/rerank");
    let engine = Engine::new(setup, "test", &[], |_| None).unwrap();
    let alone = Item::new(0, Prompt::Texts(vec!["q".to_owned()]));
    let error = engine.try_item(alone, &Stop::default()).unwrap_err();
    assert!(error.to_string().contains("documents"), "{error}");
}

#[test]
fn every_kind_of_endpoint_has_a_test_request_that_its_server_takes() {
    let sim = Sim::start("full-speed");
    for (endpoint, path) in [
        (Endpoint::OpenAiChat, "/v1/chat/completions"),
        (Endpoint::OpenAiCompletions, "/v1/completions"),
        (Endpoint::OpenAiResponses, "/v1/responses"),
        (Endpoint::OpenAiTranscription, "/v1/audio/transcriptions"),
        (Endpoint::OpenAiEmbeddings, "/v1/embeddings"),
        (Endpoint::ChatEmbeddings, "/v1/embeddings"),
        (Endpoint::Pooling, "/pooling"),
        (Endpoint::Rerank, "/rerank"),
        (Endpoint::InfinityEmbeddings, "/embeddings"),
        (Endpoint::TgiGenerate, "/generate_stream"),
        (Endpoint::TensorRtGenerate, "/generate_stream"),
    ] {
        let setup = sim.setup(endpoint, path);
        let engine = Engine::new(setup, "test", &[], |_| None).unwrap();
        engine
            .check(&Stop::default())
            .unwrap_or_else(|error| panic!("{endpoint:?}: {error}"));
    }
}

#[test]
fn a_count_in_every_event_tells_the_tokens_of_each() {
    let sim = Sim::start("speculative");
    let mut setup = sim.setup(Endpoint::OpenAiCompletions, "/v1/completions");
    let extra = json!({"max_tokens": 30, "ignore_eos": true,
        "stream_options": {"include_usage": true, "continuous_usage_stats": true}});
    setup.generation.extra = extra.as_object().unwrap().clone();
    for record in run(setup) {
        assert_eq!(record.chunk_tokens.len() as u32, record.chunks);
        assert_eq!(record.chunk_tokens.iter().sum::<u32>(), 30);
        assert_eq!(record.output_tokens.unwrap().count, 30);
        assert!(
            record
                .chunk_tokens
                .iter()
                .all(|tokens| (1..=5).contains(tokens))
        );
    }
}

#[test]
fn requests_are_named_by_the_prefix_that_was_asked_for() {
    let sim = Sim::start("full-speed");
    let setup = sim.setup(Endpoint::OpenAiCompletions, "/v1/completions");
    let engine = Engine::new(setup, "test", &[], |_| None)
        .unwrap()
        .with_id_prefix("mine-");
    let point = LoadPoint {
        warmup: 1,
        ..closed(1, 2)
    };
    let (records, _) = apply_by(&engine, point, &Stop::default());
    let ids: Vec<&str> = records
        .iter()
        .map(|record| record.request_id.as_str())
        .collect();
    assert_eq!(ids, ["mine-warmup-0", "mine-0", "mine-1"]);
}

#[test]
fn deep_speed_answers_in_one_piece_without_a_count() {
    let body = r#"{"text":[" one two"]}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let script = Script::serve(move |_, _| Step::Send(vec![head.clone(), body.to_owned()]));
    let setup = Setup {
        endpoint: Endpoint::DeepSpeedMii,
        ..setup(&script.url)
    };
    for record in run(setup) {
        assert_eq!((record.chunks, record.streamed), (1, false));
        assert_eq!(record.output_tokens, None);
        assert_eq!(record.exchange.unwrap().answer, " one two");
    }
    let heads = script.heads.lock().unwrap();
    assert!(
        heads[0].contains("Content-Type: application/json"),
        "{heads:?}"
    );
}

#[test]
fn a_recording_goes_as_a_form_and_is_in_no_record() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let setup = Setup {
        endpoint: Endpoint::OpenAiTranscription,
        ..setup(&script.url)
    };
    for record in run(setup) {
        assert_eq!(record.exchange.unwrap().request, "");
    }
    let heads = script.heads.lock().unwrap();
    let kind = "Content-Type: multipart/form-data; boundary=";
    assert!(heads[0].contains(kind), "{heads:?}");
}

/// The failures of three requests to a server on which every request has a fault.
fn kinds(fault: &str, endpoint: Endpoint, path: &str) -> Vec<Option<FailureKind>> {
    let sim = Sim::faulty(fault);
    let (records, _) = apply(sim.setup(endpoint, path), closed(1, 3), &Stop::default());
    let kind = |record: &RequestRecord| record.failure.as_ref().map(|failure| failure.kind);
    records.iter().map(kind).collect()
}

#[test]
fn what_goes_wrong_in_an_answer_of_any_kind_is_told_by_its_kind() {
    let generating = [
        (Endpoint::OpenAiCompletions, "/v1/completions"),
        (Endpoint::OpenAiResponses, "/v1/responses"),
        (Endpoint::TgiGenerate, "/generate_stream"),
        (Endpoint::TensorRtGenerate, "/generate_stream"),
    ];
    for (endpoint, path) in generating {
        for (fault, kind) in [
            ("error-in-stream=1", FailureKind::ErrorInBody),
            ("reset-mid-stream=1", FailureKind::CutMidStream),
            ("truncated-json=1", FailureKind::MalformedJson),
            ("http-500=1", FailureKind::ServerError),
        ] {
            assert_eq!(
                kinds(fault, endpoint, path),
                [Some(kind); 3],
                "{endpoint:?} {fault}"
            );
        }
    }
    for (endpoint, path) in [
        (Endpoint::OpenAiEmbeddings, "/v1/embeddings"),
        (Endpoint::Pooling, "/pooling"),
    ] {
        for (fault, kind) in [
            ("error-in-stream=1", FailureKind::ErrorInBody),
            ("reset-mid-stream=1", FailureKind::CutMidStream),
            ("truncated-json=1", FailureKind::MalformedJson),
            ("http-429=1", FailureKind::RateLimited),
        ] {
            assert_eq!(
                kinds(fault, endpoint, path),
                [Some(kind); 3],
                "{endpoint:?} {fault}"
            );
        }
    }
}

#[test]
fn answers_without_a_usage_are_answers() {
    for (endpoint, path) in [
        (Endpoint::OpenAiResponses, "/v1/responses"),
        (Endpoint::OpenAiEmbeddings, "/v1/embeddings"),
    ] {
        assert_eq!(
            kinds("missing-usage=1", endpoint, path),
            [None; 3],
            "{endpoint:?}"
        );
    }
}
