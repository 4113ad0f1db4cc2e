//! `crestline sim` as a stand-in for a server that is started and stopped: engine flags, slow starts, ends by itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use crestline_load::clock;
use nix::sys::signal::Signal;

use crate::harness::{Place, Sim, signal, wait_until};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The status that `GET path` has, or nothing where nobody listens.
fn status(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: a\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// A server that need not listen at once.
struct Slow {
    child: Child,
    port: u16,
}

impl Slow {
    fn start(place: &Place, line: &str) -> Self {
        let port = free_port();
        let child = place
            .command(&format!("sim --profile full-speed --port {port} {line}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, port }
    }

    /// Seconds until it is healthy.
    fn ready(&self) -> f64 {
        let began = clock::monotonic();
        wait_until("health", || status(self.port, "/health") == Some(200));
        clock::monotonic().saturating_sub(began).as_secs_f64()
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_flags_of_a_vllm_server_change_the_engine() {
    let place = Place::new();
    let tokens_per_second = |flags: &str| {
        let sim = Sim::start(&place, &format!("--profile demo {flags}"));
        let line = "--backend vllm --model m --tokenizer builtin --num-prompts 64 --random-input-len 32 \
                    --random-output-len 32 --save-result --result-dir . --result-filename r.json";
        let base = sim.root().to_owned();
        place
            .run(&format!("bench serve --base-url {base} {line}"))
            .done();
        place.json("r.json")["output_throughput"].as_f64().unwrap()
    };
    let narrow = tokens_per_second("--max-num-seqs 2");
    let usual = tokens_per_second("--tensor-parallel-size 1");
    let wide = tokens_per_second("-tp 4 -dp=2 --no-enable-prefix-caching");
    assert!(usual > 2.0 * narrow, "{narrow} {usual}");
    assert!(wide > 1.5 * usual, "{usual} {wide}");
}

#[test]
fn an_engine_that_does_not_fit_is_told_and_nothing_listens() {
    for (flags, texts) in [
        (
            "--gpu-memory-utilization 0.3",
            ["no memory is left", "gpu_memory_utilization"],
        ),
        ("-tp 0", ["tensor_parallel_size", "at least 1"]),
        (
            "--profile cpu -tp 2",
            ["tensor_parallel_size", "no [devices]"],
        ),
        ("--startup-delay -1", ["--startup-delay", "0 or more"]),
        ("--warm-startup-delay 1", ["--startup-cache", "required"]),
    ] {
        let ran = Place::new().run(&format!("sim --port 0 {flags}"));
        assert_eq!(ran.code, Some(2), "{flags}: {ran:#?}");
        for text in texts {
            assert!(
                ran.err.contains(text),
                "{flags}: no `{text}` in {}",
                ran.err
            );
        }
    }
}

#[test]
fn nobody_listens_while_it_starts() {
    let place = Place::new();
    let server = Slow::start(&place, "--startup-delay 1");
    assert_eq!(status(server.port, "/health"), None);
    assert!(server.ready() > 0.5);
}

#[test]
fn it_may_answer_503_while_it_starts() {
    let place = Place::new();
    let server = Slow::start(&place, "--startup-delay 2 --while-starting 503");
    wait_until("a connection", || {
        status(server.port, "/v1/models").is_some()
    });
    assert_eq!(status(server.port, "/health"), Some(503));
    server.ready();
    assert_eq!(status(server.port, "/v1/models"), Some(200));
    let line = "--startup-delay 0.5 --while-starting 503 --startup-cache cache";
    let mut crashing = Slow::start(&place, &format!("{line} --exit-at-start --exit-code 3"));
    assert_eq!(crashing.code(), Some(3));
    assert!(!place.path("cache").exists(), "its start was not complete");
    let _server = Slow::start(&place, line);
    wait_until("a mark", || place.path("cache").exists());
}

#[test]
fn a_second_start_of_the_same_engine_is_warm() {
    let place = Place::new();
    let line = "--startup-delay 1.5 --warm-startup-delay 0.01 --startup-cache cache";
    let time = |more: &str| Slow::start(&place, &format!("{line} {more}")).ready();
    assert!(time("") > 1.0);
    assert_eq!(place.list("cache").len(), 1);
    time("");
    assert_eq!(place.list("cache").len(), 1, "it was warm");
    assert!(time("--max-num-seqs 3") > 1.0, "another engine is cold");
    assert_eq!(place.list("cache").len(), 2);
}

#[test]
fn a_start_is_interrupted_at_once() {
    let place = Place::new();
    let mut server = Slow::start(&place, "--startup-delay 1000");
    clock::sleep(Duration::from_millis(300));
    signal(&server.child, Signal::SIGTERM);
    assert_eq!(server.code(), Some(0));
}

#[test]
fn it_ends_by_itself_where_it_is_told_to() {
    let place = Place::new();
    let mut early = Slow::start(&place, "--exit-at-start --exit-code 7");
    assert_eq!(early.code(), Some(7));
    let mut soon = Slow::start(&place, "--exit-after 0.5");
    assert_eq!(soon.code(), Some(1));
    let mut busy = Slow::start(&place, "--exit-after-requests 3 --exit-code 9");
    busy.ready();
    let ran = place.run(&format!(
        "bench serve --base-url http://127.0.0.1:{} --model m --tokenizer builtin --num-prompts 20 --max-concurrency 1 \
         --random-input-len 8 --random-output-len 4 --save-result --result-dir . --result-filename r.json \
         --ready-check-timeout-sec 0",
        busy.port
    ));
    assert_eq!(busy.code(), Some(9), "{ran:#?}");
    assert_eq!(place.json("r.json")["completed"], 3);
}

#[test]
fn health_and_sigterm_may_be_denied() {
    let place = Place::new();
    let mut server = Slow::start(&place, "--never-healthy --ignore-sigterm");
    wait_until("a model", || status(server.port, "/v1/models") == Some(200));
    assert_eq!(status(server.port, "/health"), Some(503));
    signal(&server.child, Signal::SIGTERM);
    clock::sleep(Duration::from_millis(300));
    assert_eq!(status(server.port, "/v1/models"), Some(200));
    signal(&server.child, Signal::SIGINT);
    assert_eq!(server.code(), Some(0));
}
