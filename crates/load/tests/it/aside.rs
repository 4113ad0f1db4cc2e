//! Requests beside a load: against the simulated server, over TLS, through a proxy, and against servers that misbehave.

use std::sync::atomic::Ordering;

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::client::endpoint::Endpoint;
use crestline_load::counters::ServerCounters;
use crestline_load::target::{Header, Secret};
use serde_json::{Value, json};

use crate::backends::run;
use crate::certificate::{Certificate, encrypted};
use crate::script::{Script, Step, setup};
use crate::sim::Sim;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

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

#[test]
fn a_connection_is_kept_from_one_request_to_the_next() {
    let script = Script::serve(|_, _| Step::Send(vec![OK.to_owned()]));
    let target = setup(&script.url).target;
    let mut aside = Aside::new(&target, Nanos::from_secs(20), &[], |_| None).unwrap();
    // On another thread, as while a load is applied.
    let asking = std::thread::spawn(move || {
        for _ in 0..4 {
            aside.get("/metrics").unwrap();
        }
    });
    asking.join().unwrap();
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn an_encrypted_server_is_asked_over_http1_also_where_it_offers_http2() {
    let certificate = Certificate::of("127.0.0.1");
    let config = certificate.config(&["h2", "http/1.1"]);
    let script = Script::serve_over(encrypted(config), |_, _| Step::Send(vec![OK.to_owned()]));
    let url = script.url.replacen("http://", "https://", 1);
    let target = setup(&url).target;
    let roots = certificate.roots();
    let mut aside = Aside::new(&target, Nanos::from_secs(20), &roots, |_| None).unwrap();
    assert_eq!(aside.get("/metrics").unwrap().text(), "ok");
    let heads = script.heads.lock().unwrap();
    assert!(
        heads[0].starts_with("GET /metrics HTTP/1.1\r\n"),
        "{heads:?}"
    );
}

#[test]
fn a_proxy_is_sent_the_whole_url_of_each_page() {
    let proxy = Script::serve(|_, _| Step::Send(vec![OK.to_owned()]));
    let url = proxy.url.replace("/v1/chat/completions", "");
    let env = move |name: &str| (name == "http_proxy").then(|| url.clone());
    let target = setup("http://llm.test:8123/v1/chat/completions?a=b").target;
    let mut aside = Aside::new(&target, Nanos::from_secs(20), &[], env).unwrap();
    assert_eq!(aside.base(), "http://llm.test:8123");
    aside.get("/v1/models").unwrap();
    let heads = proxy.heads.lock().unwrap();
    let line = "GET http://llm.test:8123/v1/models HTTP/1.1\r\n";
    assert!(heads[0].starts_with(line), "{heads:?}");
}
