//! Ways through an HTTP proxy: forwarded requests, tunnels, refusals, exceptions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;

use crestline_core::record::{FailureKind, RequestRecord};
use crestline_load::engine::{Engine, EngineError, Stop};

use crate::certificate::{Certificate, encrypted};
use crate::http2_script::{Http2Script, Manners, Reply};
use crate::script::{Script, Step, answer, apply_by, closed, events, setup};

/// A proxy that opens tunnels, or answers otherwise.
struct Tunnels {
    authority: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    /// `answer` is what it says to each CONNECT; only a 200 is followed by a tunnel.
    fn serve(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tunnels = Self {
            authority: listener.local_addr().unwrap().to_string(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&tunnels.asked);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let asked = Arc::clone(&asked);
                thread::spawn(move || tunnel(client, answer, &asked));
            }
        });
        tunnels
    }

    fn env(&self, name: &'static str) -> impl Fn(&str) -> Option<String> {
        let authority = self.authority.clone();
        move |asked| (asked == name).then(|| format!("http://{authority}"))
    }
}

fn tunnel(mut client: TcpStream, answer: &str, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    asked.lock().unwrap().push(head.clone());
    client.write_all(answer.as_bytes()).ok()?;
    if !answer.contains(" 200 ") {
        return None;
    }
    let server = TcpStream::connect(head.split(' ').nth(1)?).ok()?;
    let back = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || pass_on(back.0, back.1));
    pass_on(client, server);
    None
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Both));
}

const OPEN: &str = "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";

#[test]
fn a_proxy_for_http_is_sent_the_whole_url() {
    let proxy = Script::serve(|_, _| Step::Send(answer(2)));
    let url = proxy.url.clone();
    let env = move |name: &str| (name == "http_proxy").then(|| url.replace("/v1", ""));
    let target = setup("http://llm.test:8123/v1/chat/completions?a=b");
    // The proxy is a name of this machine; the service's own name is never looked up.
    let engine = Engine::new(target, "test", &[], env).unwrap();
    engine.check(&Stop::default()).unwrap();
    let (records, _) = apply_by(&engine, closed(2, 6), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    let heads = proxy.heads.lock().unwrap();
    assert_eq!(heads.len(), 7);
    for head in &*heads {
        assert!(
            head.starts_with("POST http://llm.test:8123/v1/chat/completions?a=b HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nHost: llm.test:8123\r\n"), "{head}");
    }
    // One for the test request, one for each slot.
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn an_https_service_is_reached_through_a_tunnel() {
    let certificate = Certificate::of("127.0.0.1");
    let config = certificate.config(&["http/1.1"]);
    let script = Script::serve_over(encrypted(config), |_, _| Step::Send(answer(3)));
    let url = script.url.replacen("http://", "https://", 1);
    let proxy = Tunnels::serve(OPEN);
    let env = proxy.env("https_proxy");
    let engine = Engine::new(setup(&url), "test", &certificate.roots(), env).unwrap();
    let (records, _) = apply_by(&engine, closed(2, 8), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    let asked = proxy.asked.lock().unwrap();
    // One to see the protocol, one for each slot.
    assert_eq!(asked.len(), 3);
    let authority = url.split('/').nth(2).unwrap();
    assert!(
        asked
            .iter()
            .all(|head| head.starts_with(&format!("CONNECT {authority} HTTP/1.1\r\n")))
    );
    let heads = script.heads.lock().unwrap();
    assert!(
        heads
            .iter()
            .all(|head| head.starts_with("POST /v1/chat/completions HTTP/1.1"))
    );
}

#[test]
fn http_2_goes_through_a_tunnel_too() {
    let certificate = Certificate::of("127.0.0.1");
    let script = Http2Script::serve(&certificate, Manners::default(), |_, _| {
        Reply::Send(events(2))
    });
    let proxy = Tunnels::serve(OPEN);
    let env = proxy.env("ALL_PROXY");
    let engine = Engine::new(setup(&script.url), "test", &certificate.roots(), env).unwrap();
    let (records, _) = apply_by(&engine, closed(4, 12), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(proxy.asked.lock().unwrap().len(), 2);
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_an_error_before_any_load() {
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
        "",
    ] {
        let proxy = Tunnels::serve(answer);
        let env = proxy.env("HTTPS_PROXY");
        let result = Engine::new(setup("https://127.0.0.1:9/v1"), "test", &[], env);
        let Err(EngineError::Unreachable(failure)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(failure.kind, FailureKind::Connect);
        let said = failure.text.contains("407") || answer.is_empty();
        assert!(said && failure.text.contains("proxy"), "{failure:?}");
    }
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    let env = |name: &str| match name {
        "HTTP_PROXY" => Some("http://127.0.0.1:9".to_owned()),
        "NO_PROXY" => Some("localhost,127.0.0.1".to_owned()),
        _ => None,
    };
    let engine = Engine::new(setup(&script.url), "test", &[], env).unwrap();
    let (records, _) = apply_by(&engine, closed(1, 2), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    let heads = script.heads.lock().unwrap();
    assert!(heads[0].starts_with("POST /v1/chat/completions HTTP/1.1"));
}

#[test]
fn a_proxy_is_sent_the_credentials_of_its_url_and_the_service_is_not() {
    let forwards = Script::serve(|_, _| Step::Send(answer(1)));
    let url = forwards.url.replace("http://", "http://me:pass@");
    let env = move |name: &str| (name == "http_proxy").then(|| url.clone());
    let engine = Engine::new(setup("http://llm.test/v1"), "test", &[], env).unwrap();
    drop(apply_by(&engine, closed(1, 1), &Stop::default()));
    // `printf me:pass | base64`
    let line = "\r\nProxy-Authorization: Basic bWU6cGFzcw==\r\n";
    assert!(forwards.heads.lock().unwrap()[0].contains(line));

    let certificate = Certificate::of("127.0.0.1");
    let script = Http2Script::serve(&certificate, Manners::default(), |_, _| {
        Reply::Send(events(1))
    });
    let proxy = Tunnels::serve(OPEN);
    let authority = proxy.authority.clone();
    let env =
        move |name: &str| (name == "https_proxy").then(|| format!("http://me:pass@{authority}"));
    let engine = Engine::new(setup(&script.url), "test", &certificate.roots(), env).unwrap();
    drop(apply_by(&engine, closed(1, 1), &Stop::default()));
    assert!(proxy.asked.lock().unwrap()[0].contains(line));
    let received = script.received.lock().unwrap();
    assert!(!received[0].headers.contains_key("proxy-authorization"));
}

#[test]
fn a_proxy_that_nobody_runs_is_a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let env = move |name: &str| (name == "http_proxy").then(|| url.clone());
    let engine = Engine::new(setup("http://llm.test/v1"), "test", &[], env).unwrap();
    let (records, _) = apply_by(&engine, closed(1, 2), &Stop::default());
    assert!(
        records
            .iter()
            .all(|record| record.failure.as_ref().unwrap().kind == FailureKind::ConnectRefused)
    );
}
