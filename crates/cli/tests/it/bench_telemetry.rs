//! Metrics of a command while it goes on: a page that is scraped over real sockets, and messages to a scripted collector that
//! takes them, refuses them, hangs and goes away.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use crestline_load::exposition::{Sample, samples};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Place, Ran, Sim, signal, wait_until};
use crate::scripted::{Manner, Scripted};

const PERF: &str = "perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random --max-tokens 8 \
                    --min-prompt-length 20 --max-prompt-length 30 --parallel 1 4 --number 5 20 --no-timestamp --name run";
const BENCH: &str = "bench serve --model m --tokenizer builtin --random-input-len 8 --random-output-len 4 --num-prompts 3 \
                     --save-result --result-filename r.json";
const SUMMARIES: [(&str, &str); 2] = [
    (
        "1",
        "outputs/run/parallel_1_number_5/benchmark_summary.json",
    ),
    (
        "4",
        "outputs/run/parallel_4_number_20/benchmark_summary.json",
    ),
];

/// A command that has said where its page is.
struct Shown {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    port: u16,
}

impl Shown {
    fn start(place: &Place, line: &str) -> Self {
        let mut child = place
            .command(line)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let rest = line.strip_suffix("/metrics\n");
        let port = rest.and_then(|rest| rest.rsplit(':').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no address in {line}"));
        Self { child, said, port }
    }

    /// Reads on until a line has this in it.
    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "{words}");
        }
    }

    fn scrape(&self) -> Vec<Sample> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("version=0.0.4"), "{answer}");
        samples(answer.split_once("\r\n\r\n").unwrap().1).collect()
    }

    fn interrupt(mut self) -> Option<i32> {
        signal(&self.child, Signal::SIGINT);
        let code = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        code
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn value(all: &[Sample], name: &str, parallel: &str) -> f64 {
    let mut found = all.iter().filter(|sample| {
        sample.name == name
            && sample
                .label("parallel")
                .is_none_or(|label| label == parallel)
    });
    found.next().unwrap_or_else(|| panic!("no {name}")).value
}

#[test]
fn the_last_page_has_what_the_summaries_have() {
    let place = Place::new();
    let line =
        format!("{PERF} --prometheus-port 0 --prometheus-host 127.0.0.1 --prometheus-linger 60");
    let mut shown = Shown::start(&place, &line);
    shown.wait_for("metrics stay at");
    let page = shown.scrape();
    for (parallel, file) in SUMMARIES {
        let summary = place.json(file);
        let of = |name: &str| value(&page, &format!("crestline_{name}"), parallel);
        let is = |found: f64, key: &str| {
            let expected = summary[key]
                .as_f64()
                .unwrap_or_else(|| panic!("{key} in {summary}"));
            assert!(
                (found - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                "{key}: {found}, {expected}"
            );
        };
        is(of("requests_sent_total"), "Total Requests");
        is(of("requests_succeeded_total"), "Success Requests");
        let count = of("time_to_first_token_seconds_count");
        is(count, "Success Requests");
        is(
            of("time_to_first_token_seconds_sum") / count * 1e3,
            "Avg TTFT (ms)",
        );
        is(
            of("request_duration_seconds_sum") / count,
            "Avg Latency (s)",
        );
        is(of("output_tokens_total") / count, "Avg Output Tokens");
    }
    assert_eq!(shown.interrupt(), Some(0), "the measurement was done");
}

#[test]
fn a_page_can_be_read_while_a_load_goes_on_and_ends_with_the_command() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = format!(
        "bench serve --model m --tokenizer builtin --random-input-len 8 --random-output-len 20 --num-prompts 100000 --temperature 0 \
         --max-concurrency 3 --base-url {} --prometheus-port 0 --prometheus-host 127.0.0.1",
        sim.root()
    );
    let shown = Shown::start(&place, &line);
    let mut last = Vec::new();
    wait_until("a load that answers", || {
        last = shown.scrape();
        let succeeded = last
            .iter()
            .find(|one| one.name == "crestline_requests_succeeded_total");
        succeeded.is_some_and(|sample| sample.value >= 3.0)
    });
    let in_flight = value(&last, "crestline_requests_in_flight", "3");
    assert!((1.0..=3.0).contains(&in_flight), "{in_flight}");
    let load = value(&last, "crestline_load_parallel", "3");
    assert!((load - 3.0).abs() < 1e-9, "{load}");
    let port = shown.port;
    assert_eq!(shown.interrupt(), Some(130));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_is_sent_or_written() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for command in [
        PERF.to_owned(),
        format!("{BENCH} --base-url sim:constant-20ms"),
    ] {
        let ran = place.run(&format!(
            "{command} --prometheus-host 127.0.0.1 --prometheus-port {port}"
        ));
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        let expected = format!("error: metrics cannot be shown at 127.0.0.1:{port}\n  cause: ");
        assert!(ran.err.contains(&expected), "{}", ran.err);
        assert!(
            ran.err
                .contains("hint: give --prometheus-port another port"),
            "{}",
            ran.err
        );
    }
    assert_eq!(place.list(""), [] as [&str; 0]);
}

/// A collector that behaves so with its first message, and otherwise with all that follow.
fn collector(first: Manner, others: Manner) -> Scripted {
    Scripted::start(move |number, request| {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/v1/metrics")
        );
        let is_json = request.head.contains("Content-Type: application/json\r\n");
        assert!(is_json, "{}", request.head);
        if number == 0 {
            first.clone()
        } else {
            others.clone()
        }
    })
}

fn answer(status: u16) -> Manner {
    Manner::Answer(status, "{}".to_owned())
}

fn sent_to(collector: &Scripted, place: &Place, line: &str) -> Ran {
    let mut command = place.command(line);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "700")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "200");
    command.output().unwrap().into()
}

/// The count of a histogram at a load.
fn count(message: &Value, name: &str, parallel: &str) -> u64 {
    let metrics = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array();
    let metric = metrics
        .unwrap()
        .iter()
        .find(|metric| metric["name"] == name);
    let points =
        metric.unwrap_or_else(|| panic!("no {name}"))["histogram"]["dataPoints"].as_array();
    let is_of = |point: &&Value| {
        let attributes = point["attributes"].as_array().unwrap();
        attributes.iter().any(|attribute| {
            attribute["key"] == "crestline.load.parallel"
                && attribute["value"]["stringValue"] == parallel
        })
    };
    let point = points.unwrap().iter().find(is_of).unwrap();
    point["count"].as_str().unwrap().parse().unwrap()
}

#[test]
fn the_last_message_has_what_the_summaries_have() {
    let place = Place::new();
    let collector = collector(answer(200), answer(200));
    let ran = sent_to(&collector, &place, PERF).done();
    assert!(
        ran.err.contains("metrics are sent to http://127.0.0.1:"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let messages = collector.requests();
    assert!(messages.len() >= 2, "one before and one behind the loads");
    for (parallel, file) in SUMMARIES {
        let expected = place.json(file)["Success Requests"].as_u64().unwrap();
        let last = messages.last().unwrap().json();
        let found = count(&last, "gen_ai.client.operation.duration", parallel);
        assert_eq!(found, expected);
    }
}

#[test]
fn a_collector_that_fails_in_the_middle_costs_a_line_and_not_the_run() {
    for others in [Manner::Hang, Manner::Cut, answer(500)] {
        let place = Place::new();
        let collector = collector(answer(200), others);
        let ran = sent_to(&collector, &place, PERF).done();
        let warning = "warning: metrics for http://127.0.0.1:";
        assert!(ran.err.contains(warning), "{}", ran.err);
        let lost = "were lost, the last one among them";
        assert!(ran.err.contains(lost), "{}", ran.err);
        for (_, file) in SUMMARIES {
            assert_eq!(place.json(file)["Failed Requests"], 0);
        }
    }
}

#[test]
fn a_collector_that_takes_nothing_is_told_before_anything_is_sent() {
    let place = Place::new();
    let collector = collector(answer(401), answer(401));
    let line = format!(
        "{BENCH} --base-url sim:constant-20ms --otlp-endpoint {}",
        collector.url
    );
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err.contains("error: metrics cannot be sent to "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("HTTP 401"), "{}", ran.err);
    assert_eq!(place.list(""), [] as [&str; 0]);
}

#[test]
fn one_run_of_the_other_dialect_is_sent_too() {
    let place = Place::new();
    let collector = collector(answer(200), answer(200));
    let line = format!(
        "{BENCH} --base-url sim:constant-20ms --max-concurrency 2 --num-runs 2 --otlp-endpoint {}",
        collector.url
    );
    place.run(&line).done();
    let messages = collector.requests();
    let last = messages.last().unwrap().json();
    let found = count(&last, "gen_ai.client.operation.time_to_first_chunk", "2");
    assert_eq!(found, 6, "both runs together");
}
