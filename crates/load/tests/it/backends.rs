//! Every kind of endpoint against the simulated server, over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crestline_core::record::{RequestRecord, TokenSource};
use crestline_core::request::{Audio, Generation, Item, Prompt};
use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::client::endpoint::Endpoint;
use crestline_load::counters::ServerCounters;
use crestline_load::engine::{Engine, Setup, Stop};
use crestline_load::target::{Header, Secret};
use crestline_sim::profile::Profile;
use crestline_sim::server::{self, Options, ServeError};
use crestline_workload::Workload;
use crestline_workload::plan::PromptForm;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::script::{Script, Step, apply, check_times, closed, plan, setup};

/// A simulated server that stops when it is dropped.
struct Sim {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Sim {
    fn start(profile: &str) -> Self {
        let options = Options::new(Profile::load(profile).unwrap());
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            server::serve(listener, options, async {
                // A dropped sender stops it too.
                let _ = stopped.await;
            })
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn setup(&self, endpoint: Endpoint, path: &str) -> Setup {
        let mut plan = plan();
        plan.form = PromptForm::Text;
        Setup {
            endpoint,
            workload: Arc::new(Workload::open(&plan).unwrap()),
            ..setup(&self.url(path))
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

/// Three requests, all of which must succeed with the server's own counts.
fn run(setup: Setup) -> Vec<RequestRecord> {
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
    let point = crestline_core::request::LoadPoint {
        warmup: 1,
        ..closed(1, 2)
    };
    let (records, _) = crate::script::apply_by(&engine, point, &Stop::default());
    let ids: Vec<&str> = records
        .iter()
        .map(|record| record.request_id.as_str())
        .collect();
    assert_eq!(ids, ["mine-warmup-0", "mine-0", "mine-1"]);
}

fn aside(sim: &Sim) -> Aside {
    let target = setup(&sim.url("/v1/chat/completions")).target;
    Aside::new(&target, Nanos::from_secs(20), &[], |_| None).unwrap()
}

#[test]
fn what_stands_beside_a_load_is_asked_for_over_a_connection_of_its_own() {
    let sim = Sim::start("full-speed");
    let mut aside = aside(&sim);
    assert_eq!(aside.base(), format!("http://{}", sim.address));
    let models: Value = aside.get_json("/v1/models").unwrap();
    assert_eq!(models["data"][0]["id"], "crestline-sim");
    let tokens: Value = aside
        .post_json("/tokenize", &json!({"prompt": "hello world"}))
        .unwrap();
    let text: Value = aside
        .post_json("/detokenize", &json!({"tokens": tokens["tokens"]}))
        .unwrap();
    assert_eq!(text["prompt"], "hello world");
    for path in ["/start_profile", "/stop_profile", "/reset_prefix_cache"] {
        assert!(aside.post(path).unwrap().body.is_empty());
    }
    let page = aside.get("/metrics").unwrap().text();
    assert!(page.contains("crestline_sim:profiler_starts_total"));
}

#[test]
fn the_difference_of_two_pages_is_what_a_load_has_done() {
    let sim = Sim::start("speculative");
    let mut aside = aside(&sim);
    let mut read = || ServerCounters::read(&aside.get("/metrics").unwrap().text());
    let before = read();
    let mut setup = sim.setup(Endpoint::OpenAiCompletions, "/v1/completions");
    let extra = json!({"max_tokens": 30, "ignore_eos": true});
    setup.generation.extra = extra.as_object().unwrap().clone();
    run(setup);
    let load = read().since(&before);
    let drafts = load.drafts.unwrap();
    assert_eq!(drafts.accepted_by_place.len(), 4);
    assert_eq!(
        drafts.accepted_by_place.iter().sum::<u64>(),
        drafts.accepted_tokens
    );
    let length = drafts.acceptance_length().unwrap();
    assert!((1.0..=5.0).contains(&length), "{length}");
    assert!(drafts.draft_tokens > 0 && load.prefix_cache.is_some());
}

#[test]
fn what_goes_wrong_beside_a_load_says_which_page_and_why() {
    let sim = Sim::start("full-speed");
    let mut aside = aside(&sim);
    let unknown = aside.get("/no_such_page").unwrap_err();
    assert!(unknown.is_unknown_path());
    assert!(
        unknown.to_string().starts_with("/no_such_page: HTTP 404: "),
        "{unknown}"
    );
    let wrong = aside.get_json::<Value>("/metrics").unwrap_err();
    assert!(matches!(wrong, AsideError::Json { .. }), "{wrong}");
    let refused = aside
        .post_json::<Value>("/tokenize", &json!({}))
        .unwrap_err();
    assert!(refused.to_string().contains("HTTP 400"), "{refused}");
    assert!(!refused.is_unknown_path());
    drop(sim);
    let gone = aside.get("/metrics").unwrap_err();
    assert!(matches!(gone, AsideError::Connect { .. }), "{gone}");
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
    let answer = crate::script::answer(2);
    let script = Script::serve(move |_, _| Step::Send(answer.clone()));
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

#[test]
fn a_page_that_never_comes_ends_at_its_limit_and_a_closed_connection_is_replaced() {
    let silent = Script::serve(|_, _| Step::Hang(Vec::new()));
    let target = setup(&silent.url).target;
    let limit = Nanos::from_millis(50);
    let mut aside = Aside::new(&target, limit, &[], |_| None).unwrap();
    let late = aside.get("/metrics").unwrap_err();
    assert!(matches!(late, AsideError::Timeout { .. }), "{late}");

    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned();
    let closing = Script::serve(move |_, _| Step::SendAndClose(vec![ok.clone()]));
    let target = setup(&closing.url).target;
    let mut aside = Aside::new(&target, Nanos::from_secs(20), &[], |_| None).unwrap();
    for _ in 0..3 {
        assert_eq!(aside.get("/metrics").unwrap().text(), "ok");
    }
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok".to_owned();
    let cutting = Script::serve(move |_, _| Step::SendAndClose(vec![cut.clone()]));
    let target = setup(&cutting.url).target;
    let mut aside = Aside::new(&target, Nanos::from_secs(20), &[], |_| None).unwrap();
    let error = aside.get("/metrics").unwrap_err();
    assert!(matches!(error, AsideError::Closed { .. }), "{error}");
}

#[test]
fn what_is_asked_beside_a_load_has_the_headers_of_the_load_and_tells_no_secret() {
    let refusal =
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 16\r\n\r\nwrong key s3cret".to_owned();
    let script = Script::serve(move |_, _| Step::Send(vec![refusal.clone()]));
    let mut target = setup(&script.url).target;
    target.api_key = Some(Secret::new("s3cret"));
    target.headers.push(Header {
        name: "X-Team".to_owned(),
        value: Secret::new("blue"),
    });
    let mut aside = Aside::new(&target, Nanos::from_secs(20), &[], |_| None).unwrap();
    let error = aside.post("/start_profile").unwrap_err().to_string();
    assert_eq!(error, "/start_profile: HTTP 401: wrong key ***");
    let heads = script.heads.lock().unwrap();
    assert!(
        heads[0].starts_with("POST /start_profile HTTP/1.1\r\n"),
        "{heads:?}"
    );
    for line in [
        "Authorization: Bearer s3cret\r\n",
        "X-Team: blue\r\n",
        "Content-Length: 0\r\n",
    ] {
        assert!(heads[0].contains(line), "{heads:?}");
    }
}
