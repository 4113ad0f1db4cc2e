//! The server's endpoints over a real socket: bodies, errors, connections, counts.

use std::time::{Duration, Instant};

use crestline_sim::profile::Profile;
use crestline_sim::server::{AcceptModel, Options};
use crestline_workload::tokenizer;
use serde_json::{Value, json};

use crate::wire::{Client, Response, Server, header, quick};

const CHAT: &str = "/v1/chat/completions";
const COMPLETION: &str = "/v1/completions";

fn chat(fields: &Value) -> String {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "How are you?"}]});
    let fields = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    body.to_string()
}

fn chat_text(events: &[Value]) -> String {
    let content = |event: &Value| {
        event["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    events.iter().map(content).collect()
}

/// A chat of 12 tokens, streamed with usage.
fn ask_for_twelve(server: &Server) -> Response {
    let fields =
        json!({"max_tokens": 12, "stream": true, "stream_options": {"include_usage": true}});
    server.ask("POST", CHAT, &chat(&fields))
}

#[test]
fn a_chat_stream_has_one_event_a_token_then_usage_then_done() {
    let response = ask_for_twelve(&Server::start(quick()));
    assert_eq!(response.status, 200);
    let content_type = header(&response.head, "content-type");
    assert_eq!(content_type, Some("text/event-stream; charset=utf-8"));
    let mut events = response.events();
    let usage = events.pop().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 12);
    let prompt = usage["usage"]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(usage["usage"]["total_tokens"], prompt + 12);
    assert_eq!(events.len(), 12);
    assert_eq!(tokenizer::builtin().count(&chat_text(&events)), 12);
    assert_eq!(response.chunks.len(), 14, "a chunk an event");
}

#[test]
fn the_first_event_names_the_role_and_the_last_the_reason() {
    let mut events = ask_for_twelve(&Server::start(quick())).events();
    let usage = events.pop().unwrap();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[1]["choices"][0]["delta"].get("role"), None);
    assert_eq!(events[10]["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(events[11]["choices"][0]["finish_reason"], "length");
    for event in &events {
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!((&event["model"], &event["id"]), (&json!("m"), &usage["id"]));
    }
}

#[test]
fn usage_is_only_sent_where_asked_for() {
    let server = Server::start(quick());
    let events = server
        .ask(
            "POST",
            CHAT,
            &chat(&json!({"max_tokens": 3, "stream": true})),
        )
        .events();
    assert_eq!(events.len(), 3);
}

#[test]
fn a_whole_chat_answer_has_text_and_usage() {
    let server = Server::start(quick());
    let answer = server
        .ask("POST", CHAT, &chat(&json!({"max_completion_tokens": 9})))
        .json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["usage"]["completion_tokens"], 9);
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    assert_eq!(
        tokenizer::builtin().count(message["content"].as_str().unwrap()),
        9
    );
}

#[test]
fn a_completion_has_text_and_16_tokens_unless_said() {
    let server = Server::start(quick());
    let answer = server
        .ask("POST", COMPLETION, r#"{"prompt":"once upon a time"}"#)
        .json();
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["usage"]["completion_tokens"], 16);
    let prompt = tokenizer::builtin().count("once upon a time");
    assert_eq!(answer["usage"]["prompt_tokens"], prompt);
    assert_eq!(
        tokenizer::builtin().count(answer["choices"][0]["text"].as_str().unwrap()),
        16
    );
    let stream = r#"{"prompt":[5,6,7],"max_tokens":4,"stream":true,"stream_options":{"include_usage":true}}"#;
    let events = server.ask("POST", COMPLETION, stream).events();
    assert_eq!(events.len(), 5);
    assert!(
        events[0]["choices"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with(' ')
    );
    assert_eq!(events[4]["usage"]["prompt_tokens"], 3);
}

#[test]
fn several_choices_are_told_apart_and_counted_together() {
    let server = Server::start(quick());
    let fields =
        json!({"n": 3, "max_tokens": 5, "stream": true, "stream_options": {"include_usage": true}});
    let mut events = server.ask("POST", CHAT, &chat(&fields)).events();
    assert_eq!(events.pop().unwrap()["usage"]["completion_tokens"], 15);
    for index in 0..3 {
        let own = events
            .iter()
            .filter(|event| event["choices"][0]["index"] == index);
        let own: Vec<Value> = own.cloned().collect();
        assert_eq!(own.len(), 5);
        assert_eq!(own[4]["choices"][0]["finish_reason"], "length");
    }
    let whole = server
        .ask("POST", COMPLETION, r#"{"prompt":"a","n":2,"max_tokens":6}"#)
        .json();
    assert_eq!(whole["usage"]["completion_tokens"], 12);
    assert_ne!(whole["choices"][0]["text"], whole["choices"][1]["text"]);
}

#[test]
fn answers_end_by_themselves_only_where_the_profile_says_so_and_the_request_does_not_forbid_it() {
    let mut options = quick();
    options.profile.eos = Profile::load("natural-eos").unwrap().eos;
    options.profile.eos.as_mut().unwrap().median_tokens = 10.0;
    let server = Server::start(options);
    let length = |fields: &Value| {
        let answer = server.ask("POST", CHAT, &chat(fields)).json();
        let tokens = answer["usage"]["completion_tokens"].as_u64().unwrap();
        (tokens, answer["choices"][0]["finish_reason"].clone())
    };
    let natural = length(&json!({"max_tokens": 5000}));
    assert!(natural.0 < 5000);
    assert_eq!(natural.1, "stop");
    let forced = length(&json!({"max_tokens": 500, "ignore_eos": true}));
    assert_eq!(forced, (500, "length".into()));
    let least = length(&json!({"max_tokens": 5000, "min_tokens": 400}));
    assert_eq!(least, (400, "stop".into()));
}

#[test]
fn a_connection_serves_request_after_request_however_the_body_comes() {
    let server = Server::start(quick());
    let mut client = server.connect();
    for _ in 0..3 {
        let events = client
            .ask(
                "POST",
                CHAT,
                &chat(&json!({"max_tokens": 2, "stream": true})),
            )
            .events();
        assert_eq!(events.len(), 2);
    }
    let head =
        format!("POST {COMPLETION} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(head.as_bytes());
    client.send(b"a\r\n{\"prompt\":\r\n4\r\n\"a\"}\r\n0\r\n\r\n");
    assert_eq!(client.response().unwrap().status, 200);
    let head = format!(
        "POST {COMPLETION} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 14\r\n\r\n"
    );
    client.send(head.as_bytes());
    assert!(client.head().unwrap().starts_with("http/1.1 100"));
    client.send(b"{\"prompt\":\"a\"}");
    assert_eq!(client.response().unwrap().status, 200);
    client.send(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let last = client.response().unwrap();
    assert_eq!(
        (last.status, header(&last.head, "connection")),
        (200, Some("close"))
    );
    assert_eq!(client.rest().unwrap(), b"");
}

#[test]
fn an_old_client_gets_a_stream_that_ends_with_the_connection() {
    let server = Server::start(quick());
    let mut client = server.connect();
    let body = chat(&json!({"max_tokens": 2, "stream": true}));
    client.send(
        format!(
            "POST {CHAT} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    assert_eq!(header(&client.head().unwrap(), "transfer-encoding"), None);
    let text = String::from_utf8(client.rest().unwrap()).unwrap();
    assert!(
        text.starts_with("data: {") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
}

#[test]
fn wrong_requests_get_the_status_and_the_json_of_vllm() {
    let server = Server::start(quick());
    let error = |method, path, body: &str| {
        let response = server.ask(method, path, body);
        (response.status, response.json())
    };
    assert_eq!(
        error("POST", "/v1/chat/completion", "{}"),
        (404, json!({"detail": "Not Found"}))
    );
    assert_eq!(error("GET", CHAT, "").0, 405);
    assert_eq!(error("POST", "/metrics", "").0, 405);
    let (status, body) = error("POST", CHAT, "{");
    assert_eq!(
        (status, &body["error"]["type"], &body["error"]["code"]),
        (400, &json!("BadRequestError"), &json!(400))
    );
    let (status, body) = error("POST", COMPLETION, r#"{"prompt":"a","max_tokens":99999}"#);
    assert_eq!(status, 400);
    assert!(
        body["error"]["message"].as_str().unwrap().contains("32768"),
        "{body}"
    );
    let mut client = server.connect();
    client.send(b"no http at all\r\n\r\n");
    assert_eq!(client.response().unwrap().status, 400);
}

#[test]
fn a_key_and_a_model_name_are_asked_for_where_set() {
    let server = Server::start(Options {
        api_key: Some("secret".into()),
        model: "mine".into(),
        accept_model: AcceptModel::Served,
        ..quick()
    });
    let post = |headers: &str, model: &str| {
        let mut client = server.connect();
        let body = chat(&json!({"model": model, "max_tokens": 1}));
        client.post(CHAT, headers, &body);
        client.response().unwrap()
    };
    assert_eq!(post("", "mine").status, 401);
    assert_eq!(post("authorization: Bearer wrong\r\n", "mine").status, 401);
    assert_eq!(post("authorization: Bearer secret\r\n", "mine").status, 200);
    let unknown = post("Authorization: Bearer secret\r\n", "other");
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["type"], "NotFoundError");
    assert_eq!(server.ask("GET", "/health", "").status, 200);
}

#[test]
fn the_short_answers_are_those_of_an_openai_server() {
    let server = Server::start(quick());
    let models = server.ask("GET", "/v1/models", "").json();
    assert_eq!(models["data"][0]["id"], "crestline-sim");
    assert_eq!(models["data"][0]["max_model_len"], 32768);
    for path in ["/reset_prefix_cache", "/reset_mm_cache"] {
        assert_eq!(server.ask("POST", path, "").status, 200, "{path}");
    }
    assert!(server.ask("GET", "/version", "").json()["version"].is_string());
    let tokens = server
        .ask("POST", "/tokenize", r#"{"prompt":"hello world"}"#)
        .json();
    assert_eq!(
        tokens["count"].as_u64().unwrap() as usize,
        tokens["tokens"].as_array().unwrap().len()
    );
    let text = json!({"tokens": tokens["tokens"]}).to_string();
    assert_eq!(
        server.ask("POST", "/detokenize", &text).json()["prompt"],
        "hello world"
    );
}

/// The value of a metric on the page.
fn metric(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('{'))
    });
    let line = line.unwrap_or_else(|| panic!("no {name} in {page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_count_what_was_served() {
    let server = Server::start(quick());
    for _ in 0..2 {
        server.ask(
            "POST",
            COMPLETION,
            r#"{"prompt":[1,2,3],"max_tokens":5,"stream":true}"#,
        );
    }
    let page = server.ask("GET", "/metrics", "").text();
    for (name, value) in [
        ("vllm:num_requests_running", 0.0),
        ("vllm:num_requests_waiting", 0.0),
        ("vllm:kv_cache_usage_perc", 0.0),
        ("vllm:num_preemptions_total", 0.0),
        ("vllm:prompt_tokens_total", 6.0),
        ("vllm:generation_tokens_total", 10.0),
        ("vllm:time_to_first_token_seconds_count", 2.0),
        ("vllm:time_per_output_token_seconds_count", 8.0),
        ("vllm:inter_token_latency_seconds_count", 8.0),
        ("vllm:e2e_request_latency_seconds_count", 2.0),
        ("crestline_sim:iteration_lateness_seconds_count", 10.0),
    ] {
        assert!((metric(&page, name) - value).abs() < 1e-9, "{name}: {page}");
    }
    assert!(page.contains("model_name=\"crestline-sim\",finished_reason=\"length\"} 2\n"));
}

#[test]
fn a_prefix_that_is_known_is_reported_as_cached_until_the_cache_is_reset() {
    let mut options = quick();
    options.profile.kv_cache.tokens = Some(100_000);
    options.profile.kv_cache.prefix_caching = true;
    let server = Server::start(options);
    let ids: Vec<u32> = (0..100).collect();
    let body = json!({"prompt": ids, "max_tokens": 2}).to_string();
    let cached = || {
        let answer = server.ask("POST", COMPLETION, &body).json();
        answer["usage"]["prompt_tokens_details"]["cached_tokens"]
            .as_u64()
            .unwrap()
    };
    assert_eq!([cached(), cached()], [0, 96]);
    server.ask("POST", "/reset_prefix_cache", "");
    assert_eq!(cached(), 0);
}

#[test]
fn a_full_queue_answers_429_and_says_when_to_come_again() {
    let mut options = quick();
    options.profile.iteration.base_ms = 50.0;
    (options.profile.max_num_seqs, options.profile.queue_limit) = (1, Some(0));
    let server = Server::start(options);
    let mut first = server.connect();
    first.post(
        COMPLETION,
        "",
        r#"{"prompt":"a","max_tokens":40,"stream":true}"#,
    );
    first.head().unwrap();
    let refused = server.ask("POST", COMPLETION, r#"{"prompt":"a"}"#);
    assert_eq!(refused.status, 429);
    assert_eq!(header(&refused.head, "retry-after"), Some("1"));
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let mut options = quick();
    (options.profile.max_num_seqs, options.profile.max_model_len) = (1, 2_000_000);
    let server = Server::start(options);
    let mut leaver = server.connect();
    // An answer of more than 15 minutes, longer than the next client's patience.
    let endless = r#"{"prompt":"a","max_tokens":1000000,"stream":true}"#;
    leaver.post(COMPLETION, "", endless);
    leaver.head().unwrap();
    leaver.chunk().unwrap();
    drop(leaver);
    let next = server.ask("POST", COMPLETION, r#"{"prompt":"a"}"#);
    assert_eq!(next.status, 200);
}

#[test]
fn iterations_take_their_time() {
    let mut options = quick();
    options.profile.iteration.base_ms = 5.0;
    options.profile.request_overhead_ms = 40.0;
    let server = Server::start(options);
    let mut client = server.connect();
    let start = Instant::now();
    client.post(
        COMPLETION,
        "",
        r#"{"prompt":"a","max_tokens":21,"stream":true}"#,
    );
    client.head().unwrap();
    client.chunk().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(45));
    while !client.chunk().unwrap().is_empty() {}
    assert!(start.elapsed() >= Duration::from_millis(145));
}

#[test]
fn hundreds_of_streams_at_once_all_end_well() {
    let server = Server::start(quick());
    let body = r#"{"prompt":"a","max_tokens":50,"stream":true}"#;
    let mut clients: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.post(COMPLETION, "", body);
    }
    for client in &mut clients {
        assert_eq!(client.response().unwrap().events().len(), 50);
    }
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let server = Server::start(Options::new(Profile::load("full-speed").unwrap()));
    let mut client = server.connect();
    client.post(
        CHAT,
        "",
        &chat(&json!({"max_tokens": 60_000, "stream": true})),
    );
    // About 13 MB, far more than socket buffers hold, are made before the first is read.
    let mut other = server.connect();
    let generated = |client: &mut Client| {
        let page = client.ask("GET", "/metrics", "").text();
        metric(&page, "vllm:generation_tokens_total")
    };
    let mut looks = 0;
    while generated(&mut other) < 60_000.0 {
        looks += 1;
        assert!(looks < 1_000_000);
    }
    assert_eq!(client.response().unwrap().events().len(), 60_000);
}
