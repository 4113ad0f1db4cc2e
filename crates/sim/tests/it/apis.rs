//! The other APIs of the server over a real socket: responses, vectors, rankings, speech, servers of other makes.

use crestline_sim::profile::Profile;
use crestline_sim::server::{AcceptModel, Options};
use crestline_workload::tokenizer;
use serde_json::{Value, json};

use crate::wire::{Response, Server, header, quick};

fn count(text: &str) -> u64 {
    tokenizer::builtin().count(text) as u64
}

fn post(server: &Server, path: &str, body: &Value) -> Response {
    let response = server.ask("POST", path, &body.to_string());
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response
}

/// Name and data of each event.
fn named_events(response: &Response) -> Vec<(String, Value)> {
    let text = response.text();
    let events = text.trim_end().split("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        let data = data.strip_prefix("data: ").unwrap();
        (name, serde_json::from_str(data).unwrap())
    });
    events.collect()
}

#[test]
fn a_response_is_streamed_by_named_events_and_ends_with_its_usage() {
    let server = Server::start(quick());
    let body = json!({"input": "once upon a time", "max_output_tokens": 5, "stream": true});
    let events = named_events(&post(&server, "/v1/responses", &body));
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    let delta = "response.output_text.delta";
    let expected = [
        "response.created",
        delta,
        delta,
        delta,
        delta,
        delta,
        "response.incomplete",
    ];
    assert_eq!(names, expected);
    for (name, data) in &events {
        assert_eq!(data["type"], *name);
    }
    let text: String = events[1..6]
        .iter()
        .map(|(_, data)| data["delta"].as_str().unwrap())
        .collect();
    let last = &events[6].1["response"];
    assert_eq!(last["output"][0]["content"][0]["text"], text);
    assert_eq!(last["usage"]["output_tokens"], 5);
    assert_eq!(last["usage"]["input_tokens"], count("once upon a time"));
    assert_eq!(last["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn a_whole_response_has_its_text_and_usage() {
    let server = Server::start(quick());
    let input = json!([{"role": "user", "content": "How are you?"}]);
    let body = json!({"input": input, "max_output_tokens": 5});
    let answer = post(&server, "/v1/responses", &body).json();
    assert_eq!(answer["object"], "response");
    let text = answer["output"][0]["content"][0]["text"].as_str().unwrap();
    assert_eq!(count(text), 5);
    assert!(answer["usage"]["input_tokens"].as_u64().unwrap() > count("How are you?"));
}

#[test]
fn vectors_are_of_each_input_and_cost_their_prompts_only() {
    let server = Server::start(quick());
    let answer = post(&server, "/v1/embeddings", &json!({"input": ["a b", "c"]})).json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(answer["data"][1]["index"], 1);
    assert_eq!(answer["data"][0]["embedding"].as_array().unwrap().len(), 64);
    let prompt = count("a b") + count("c");
    assert_eq!(answer["usage"]["prompt_tokens"], prompt);
    assert_eq!(answer["usage"]["completion_tokens"], 0);
    let pooled = post(&server, "/pooling", &json!({"input": [1, 2, 3]})).json();
    assert_eq!(pooled["usage"]["total_tokens"], 3);
    assert_eq!(pooled["data"][0]["data"].as_array().unwrap().len(), 64);
    let page = server.ask("GET", "/metrics", "").text();
    assert!(
        page.contains(
            "vllm:generation_tokens_total{engine=\"0\",model_name=\"crestline-sim\"} 0\n"
        ),
        "{page}"
    );
    let expected = format!(
        "vllm:prompt_tokens_total{{engine=\"0\",model_name=\"crestline-sim\"}} {}\n",
        prompt + 3
    );
    assert!(page.contains(&expected), "{page}");
}

#[test]
fn a_vector_may_be_text_or_bytes() {
    let server = Server::start(quick());
    let ask = |format: &str| {
        let body = json!({"input": "a", "encoding_format": format});
        post(&server, "/v1/embeddings", &body)
    };
    let base64 = ask("base64").json();
    assert_eq!(base64["data"][0]["embedding"].as_str().unwrap().len(), 344);
    let bytes = ask("bytes");
    assert_eq!(bytes.body.len(), 256);
    assert_eq!(
        header(&bytes.head, "content-type"),
        Some("application/octet-stream")
    );
    let said: Value = serde_json::from_str(header(&bytes.head, "metadata").unwrap()).unwrap();
    assert_eq!(said["usage"]["prompt_tokens"], count("a"));
    let only = ask("bytes_only");
    assert_eq!(
        (only.body, header(&only.head, "metadata")),
        (bytes.body, None)
    );
}

#[test]
fn a_ranking_reads_the_query_once_with_each_document() {
    let server = Server::start(quick());
    let body = json!({"query": "q r", "documents": ["a", "b c", "d"]});
    for path in ["/rerank", "/v1/rerank"] {
        let answer = post(&server, path, &body).json();
        assert_eq!(answer["results"].as_array().unwrap().len(), 3);
        let all = 3 * count("q r") + count("a") + count("b c") + count("d");
        assert_eq!(answer["usage"]["prompt_tokens"], all);
    }
    let none = server.ask("POST", "/rerank", r#"{"query":"q","documents":[]}"#);
    assert_eq!(none.status, 400);
}

#[test]
fn inputs_of_one_request_share_the_time_of_an_iteration() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.csv");
    let mut options = Options {
        truth: Some(truth.clone()),
        ..quick()
    };
    options.profile.iteration.base_ms = 30.0;
    let server = Server::start(options);
    post(
        &server,
        "/v1/embeddings",
        &json!({"input": ["a", "b", "c", "d"]}),
    );
    server.stop();
    let text = std::fs::read_to_string(truth).unwrap();
    let fields: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
    let number = |at: usize| fields[at].parse::<u64>().unwrap();
    let took_ms = (number(3) - number(1)) / 1_000_000;
    assert!(took_ms >= 29, "{text}");
    assert_eq!(fields[5], "0", "no token is generated: {text}");
}

/// A form with a recording of so many seconds.
fn form(seconds: usize, fields: &[(&str, &str)]) -> String {
    let mut body =
        "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.raw\"\r\n\r\n"
            .to_owned();
    body += &"a".repeat(32_000 * seconds);
    for (name, value) in fields {
        let head = "\r\n--xyz\r\nContent-Disposition: form-data; name=";
        body.extend([head, "\"", name, "\"\r\n\r\n", value]);
    }
    body + "\r\n--xyz--\r\n"
}

#[test]
fn speech_is_written_down_with_a_count_in_every_event() {
    let server = Server::start(quick());
    let fields = [
        ("model", "m"),
        ("max_completion_tokens", "3"),
        ("stream", "true"),
        ("stream_include_usage", "true"),
        ("stream_continuous_usage_stats", "true"),
    ];
    let mut client = server.connect();
    let kind = "content-type: multipart/form-data; boundary=xyz\r\n";
    client.post("/v1/audio/transcriptions", kind, &form(2, &fields));
    let events = client.response().unwrap().events();
    let counts: Vec<u64> = events
        .iter()
        .map(|event| event["usage"]["completion_tokens"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 2, 3, 3]);
    assert_eq!(events[0]["usage"]["prompt_tokens"], 100);
    assert_eq!(events[0]["object"], "transcription.chunk");
    client.post(
        "/v1/audio/translations",
        kind,
        &form(1, &[("max_completion_tokens", "4")]),
    );
    let whole = client.response().unwrap().json();
    assert_eq!(count(whole["text"].as_str().unwrap()), 4);
    assert_eq!(whole["usage"]["seconds"], 1);
}

#[test]
fn usage_stands_in_every_event_where_it_is_asked_for() {
    let server = Server::start(Options::new(Profile::load("speculative").unwrap()));
    let options = json!({"include_usage": true, "continuous_usage_stats": true});
    let body = json!({"prompt": "a", "max_tokens": 20, "stream": true, "stream_options": options});
    let mut events = post(&server, "/v1/completions", &body).events();
    let last = events.pop().unwrap();
    assert_eq!(last["choices"], json!([]));
    let mut text = String::new();
    for event in &events {
        text += event["choices"][0]["text"].as_str().unwrap();
        assert_eq!(event["usage"]["completion_tokens"], count(&text));
    }
    assert_eq!(last["usage"]["completion_tokens"], 20);
    assert!(events.len() < 20, "drafts are accepted");
}

#[test]
fn text_generation_inference_sends_a_token_an_event_and_the_whole_text_at_last() {
    let server = Server::start(quick());
    let body = json!({"inputs": "once", "parameters": {"max_new_tokens": 3, "do_sample": true}});
    let text = post(&server, "/generate_stream", &body).text();
    let events: Vec<Value> = text
        .trim_end()
        .split("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data:").unwrap()).unwrap())
        .collect();
    assert_eq!(events.len(), 3);
    let tokens: String = events
        .iter()
        .map(|event| event["token"]["text"].as_str().unwrap())
        .collect();
    assert_eq!(events[1]["generated_text"], Value::Null);
    assert_eq!(events[2]["generated_text"], tokens);
    assert_eq!(events[2]["details"]["generated_tokens"], 3);
}

#[test]
fn tensor_rt_sends_a_piece_of_text_an_event_and_no_end() {
    let server = Server::start(quick());
    let body = json!({"text_input": "once", "max_tokens": 3, "stream": true});
    let path = "/v2/models/ensemble/generate_stream";
    let text = post(&server, path, &body).text();
    let pieces: String = text
        .trim_end()
        .split("\n\n")
        .map(|event| {
            let event: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            event["text_output"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(count(&pieces), 3);
}

#[test]
fn a_profiler_can_be_switched_and_its_calls_are_counted() {
    let server = Server::start(quick());
    assert_eq!(server.ask("POST", "/start_profile", "").status, 200);
    assert_eq!(server.ask("POST", "/start_profile", "").status, 200);
    assert_eq!(server.ask("POST", "/stop_profile", "").status, 200);
    assert_eq!(server.ask("GET", "/stop_profile", "").status, 405);
    let page = server.ask("GET", "/metrics", "").text();
    for (name, calls) in [("starts", 2), ("stops", 1)] {
        let line = format!(
            "crestline_sim:profiler_{name}_total{{engine=\"0\",model_name=\"crestline-sim\"}} {calls}\n"
        );
        assert!(page.contains(&line), "{page}");
    }
}

#[test]
fn adapters_are_listed_and_served_beside_the_model() {
    let server = Server::start(Options {
        model: "base".into(),
        adapters: vec!["sql".into(), "chat".into()],
        accept_model: AcceptModel::Served,
        ..quick()
    });
    let models = server.ask("GET", "/v1/models", "").json();
    let names: Vec<&str> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["base", "sql", "chat"]);
    assert_eq!(models["data"][1]["parent"], "base");
    let status = |model: &str| {
        let body = json!({"model": model, "prompt": "a", "max_tokens": 1}).to_string();
        server.ask("POST", "/v1/completions", &body).status
    };
    assert_eq!(
        [status("base"), status("sql"), status("other")],
        [200, 200, 404]
    );
}

#[test]
fn drafts_are_counted_by_their_place() {
    let server = Server::start(Options::new(Profile::load("speculative").unwrap()));
    let body = json!({"prompt": "a", "max_tokens": 60});
    post(&server, "/v1/completions", &body);
    let page = server.ask("GET", "/metrics", "").text();
    let value = |start: &str| {
        let line = page.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in {page}"));
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let drafts = value("vllm:spec_decode_num_drafts_total{");
    let tokens = value("vllm:spec_decode_num_draft_tokens_total{");
    let accepted = value("vllm:spec_decode_num_accepted_tokens_total{");
    let places: Vec<u64> = (0..4)
        .map(|place| {
            let line = page
                .lines()
                .find(|line| line.contains(&format!("position=\"{place}\"")));
            line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(places.iter().sum::<u64>(), accepted);
    assert!(
        places.is_sorted_by(|before, after| before >= after),
        "{places:?}"
    );
    assert!(accepted <= tokens && tokens <= 4 * drafts && drafts > 0);
    // The first token and one of each step are none of the drafts'.
    assert!(1 + drafts + accepted >= 59 && accepted < 60, "{page}");
    let plain = Server::start(quick()).ask("GET", "/metrics", "").text();
    assert!(!plain.contains("spec_decode"));
}

#[test]
fn tokens_are_counted_with_or_without_those_around_a_prompt_for_models_that_are_served() {
    let options = Options {
        tokenizer: Some(
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../fixtures/tokenizer/varieties/sentence_pieces"
            )
            .to_owned(),
        ),
        model: "served".to_owned(),
        adapters: vec!["adapter".to_owned()],
        accept_model: AcceptModel::Served,
        ..quick()
    };
    let server = Server::start(options);
    let count = |body: &Value| {
        let answer = server.ask("POST", "/tokenize", &body.to_string());
        assert_eq!(answer.status, 200, "{body}");
        answer.json()["count"].as_u64().unwrap()
    };
    let alone = count(&json!({"prompt": "the the", "add_special_tokens": false}));
    assert_eq!(count(&json!({"prompt": "the the"})), alone + 1);
    assert_eq!(
        count(&json!({"model": "adapter", "prompt": "the the", "add_special_tokens": true})),
        alone + 1
    );
    let unknown = json!({"model": "other", "prompt": "the the", "tokens": [1]}).to_string();
    for path in ["/tokenize", "/detokenize"] {
        assert_eq!(server.ask("POST", path, &unknown).status, 404, "{path}");
    }
}
