//! `crestline perf` in real time against `crestline sim`, each in a process of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use crate::harness::{Place, Sim, rows};

const RANDOM: &str = "--model m --dataset random --tokenizer-path builtin --min-prompt-length 48 --max-prompt-length 48 \
    --max-tokens 12 --no-timestamp --sleep-interval 0";

#[test]
fn a_closed_loop_is_measured_and_the_server_agrees_on_every_request() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile demo --truth truth.csv");
    let url = sim.base();
    place
        .run(&format!(
            "perf --url {url} {RANDOM} --parallel 2 4 --number 10 20 --warmup-num 2"
        ))
        .done();
    for (folder, parallel, number) in [
        ("parallel_2_number_10", 2, 10),
        ("parallel_4_number_20", 4, 20),
    ] {
        let summary = place.json(&format!("outputs/m/{folder}/benchmark_summary.json"));
        assert_eq!(summary["Concurrency"], parallel);
        assert_eq!(summary["Success Requests"], number);
        assert_eq!(summary["Failed Requests"], 0);
        assert_eq!(summary["Stream Requests"], number);
        assert_eq!(summary["Avg Output Tokens"], 12.0);
        assert_eq!(
            summary["Avg Input Tokens"], 48.0,
            "the server counts the tokens that were asked for"
        );
        assert_eq!(summary["crestline_output_token_sources"]["usage"], number);
        assert_eq!(
            rows(&place.path(&format!("outputs/m/{folder}/benchmark_data.db"))),
            number
        );
    }
    assert_eq!(sim.stop(), Some(0));
    let truth = fs::read_to_string(place.path("truth.csv")).unwrap();
    let (counted, warmup, tests) = (30, 4, 2);
    assert_eq!(
        truth.lines().count(),
        1 + counted + warmup + tests,
        "{truth}"
    );
}

#[test]
fn an_open_loop_keeps_its_rate_whatever_is_in_flight() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile demo");
    let load = "--open-loop --rate 40 --number 60 --arrival constant";
    place
        .run(&format!("perf --url {} {RANDOM} {load}", sim.chat()))
        .done();
    let summary = place.json("outputs/m/rate_40.0_number_60/benchmark_summary.json");
    assert_eq!(summary["Success Requests"], 60);
    assert_eq!(summary["Concurrency"], -1);
    assert!(summary["Test Duration (s)"].as_f64().unwrap() >= 59.0 / 40.0);
    let asked = summary["crestline_client"]["asked_rate"].as_f64().unwrap();
    assert!((asked - 40.0).abs() < 0.1, "{asked}");
}

#[test]
fn texts_ids_and_whole_answers_are_sent_to_completions() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed");
    let chat = sim.chat();
    let completions = format!("{}/completions", sim.base());
    for (name, flags) in [
        ("text", format!("--url {completions}")),
        ("ids", format!("--url {chat} --tokenize-prompt")),
        ("whole", format!("--url {chat} --no-stream")),
        (
            "whole-text",
            format!("--url {completions} --no-stream --no-text"),
        ),
    ] {
        place
            .run(&format!(
                "perf {RANDOM} --number 6 --parallel 3 --name {name} {flags}"
            ))
            .done();
        let summary = place.json(&format!(
            "outputs/{name}/parallel_3_number_6/benchmark_summary.json"
        ));
        assert_eq!(summary["Success Requests"], 6, "{name}");
        assert_eq!(summary["Avg Input Tokens"], 48.0, "{name}");
        assert_eq!(summary["Avg Output Tokens"], 12.0, "{name}");
        let streamed = if name.starts_with("whole") { 0 } else { 6 };
        assert_eq!(summary["Stream Requests"], streamed, "{name}");
    }
}

#[test]
fn failed_requests_are_data_with_their_kind_and_text() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed --fault http-500=0.5 --seed 3");
    let ran = place
        .run(&format!(
            "perf --url {} {RANDOM} --number 40 --parallel 4 --no-test-connection --debug",
            sim.chat()
        ))
        .done();
    let summary = place.json("outputs/m/parallel_4_number_40/benchmark_summary.json");
    let failed = summary["Failed Requests"].as_u64().unwrap();
    assert!(failed > 0 && failed < 40, "{failed}");
    assert_eq!(summary["Success Requests"].as_u64().unwrap() + failed, 40);
    assert_eq!(summary["crestline_failures"]["server_error"], failed);
    assert!(
        ran.out
            .contains(&format!("Failed requests: {failed} of 40")),
        "{}",
        ran.out
    );
    let told = ran
        .out
        .lines()
        .filter(|line| line.contains(": server_error: "))
        .count();
    assert_eq!(told as u64, failed, "--debug tells each of them");
}

#[test]
fn a_run_without_a_single_success_has_failed() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed --fault http-429=1");
    let ran = place.run(&format!(
        "perf --url {} {RANDOM} --number 5 --no-test-connection",
        sim.chat()
    ));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("error: no request succeeded"),
        "{}",
        ran.err
    );
    let summary = place.json("outputs/m/parallel_1_number_5/benchmark_summary.json");
    assert_eq!(summary["crestline_failures"]["rate_limited"], 5);
    assert_eq!(summary["Avg Latency (s)"], -1.0);
}

#[test]
fn a_key_is_sent_and_written_nowhere() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed --api-key s3cret-k3y");
    let line = format!("perf --url {} {RANDOM} --number 4", sim.chat());
    let refused = place.run(&line);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.err.contains("--api-key"), "{}", refused.err);
    place
        .run(&format!("{line} --api-key s3cret-k3y --name flag"))
        .done();
    let output = place
        .command(&format!("{line} --name variable"))
        .env("OPENAI_API_KEY", "s3cret-k3y")
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("OPENAI_API_KEY is sent"));
    place.run(&format!("{line} --name header --headers X-Key=other Authorization=Bearer_wrong --api-key s3cret-k3y")).done();
    for run in ["flag", "variable", "header"] {
        let written = written(&place.path(&format!("outputs/{run}")));
        assert_eq!(written.len(), 6 + 3, "{run}");
        assert_hidden(&written, &["s3cret-k3y", "Bearer_wrong"]);
    }
}

#[test]
fn a_key_in_the_url_is_sent_and_written_nowhere() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed");
    let ran = place
        .run(&format!(
            "perf --url {}?api-version=2&api_key=s3cret-k3y {RANDOM} --number 4",
            sim.base()
        ))
        .done();
    let args = place.json("outputs/m/parallel_1_number_4/benchmark_args.json");
    let url = args["url"].as_str().unwrap();
    assert!(
        url.ends_with("/v1/chat/completions?api-version=2&api_key=***"),
        "{url}"
    );
    let mut all = written(&place.path("outputs/m"));
    all.push(("console".to_owned(), (ran.out + &ran.err).into_bytes()));
    assert_hidden(&all, &["s3cret-k3y"]);
}

/// Some services repeat the key that they refuse.
#[test]
fn a_key_that_the_service_repeats_is_written_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut request = vec![0; 65536];
            let read = connection.read(&mut request).unwrap_or_default();
            let head = String::from_utf8_lossy(&request[..read]).into_owned();
            let body = head
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with("authorization"))
                .unwrap_or("no key")
                .to_owned();
            let length = body.len();
            let answer =
                format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {length}\r\n\r\n{body}");
            drop(connection.write_all(answer.as_bytes()));
        }
    });
    let place = Place::new();
    let line = format!("perf --url {url} {RANDOM} --number 4 --api-key s3cret-k3y");
    let refused = place.run(&line);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(
        refused.err.contains("uthorization: Bearer ***"),
        "{}",
        refused.err
    );
    let ran = place.run(&format!("{line} --no-test-connection --debug"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.out.contains("uthorization: Bearer ***"), "{}", ran.out);
    let mut all = written(&place.path("outputs/m"));
    all.push((
        "console".to_owned(),
        (ran.out + &ran.err + &refused.err).into_bytes(),
    ));
    assert_hidden(&all, &["s3cret-k3y"]);
}

/// All files under a folder: names and contents.
fn written(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(written(&path));
        } else {
            out.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    out
}

fn assert_hidden(texts: &[(String, Vec<u8>)], secrets: &[&str]) {
    for (name, text) in texts {
        for secret in secrets {
            let found = text
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
    }
}

#[test]
fn a_model_that_the_server_does_not_know_is_told_before_the_load() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed --model known --check-model");
    let ran = place.run(&format!(
        "perf --url {} --model unknown --prompt hi --number 2",
        sim.chat()
    ));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err.contains("404") && ran.err.contains("--model"),
        "{}",
        ran.err
    );
    assert!(
        !place.path("outputs").exists() || place.list("outputs").is_empty(),
        "no empty folders are left"
    );
}

#[test]
fn a_duration_ends_the_sending() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile demo");
    place
        .run(&format!(
            "perf --url {} {RANDOM} --number 100000 --parallel 4 --duration 1",
            sim.chat()
        ))
        .done();
    let summary = place.json("outputs/m/parallel_4_number_100000/benchmark_summary.json");
    let total = summary["Total Requests"].as_u64().unwrap();
    assert!(total > 4 && total < 100_000, "{total}");
    assert_eq!(summary["Failed Requests"], 0);
    assert!(summary["Test Duration (s)"].as_f64().unwrap() >= 0.9);
}

#[test]
fn the_demo_needs_nothing_but_the_binary() {
    let place = Place::new();
    let ran = place.run("demo --outputs-dir results").done();
    for text in [
        "crestline sim --profile demo",
        "crestline perf --url",
        "Detailed Performance Metrics",
        "Results are in results/",
        r#"--sla-params '[{"p99_ttft":"<=100ms"}]'"#,
        "SLA Auto-tune Summary:",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    let stamps = place.list("results");
    let folder = |name: &str| {
        let folders = stamps.iter().map(|stamp| format!("results/{stamp}/{name}"));
        let mut there = folders.filter(|folder| place.path(folder).exists());
        there.next().unwrap()
    };
    let sweep = folder("demo");
    let summary = place.json(&format!(
        "{sweep}/parallel_1_number_15/benchmark_summary.json"
    ));
    assert_eq!(summary["Success Requests"], 15);
    assert_eq!(place.list(&sweep).len(), 7);
    let search = folder("demo-sla");
    assert!(place.path(&search).join("sla_search.svg").exists());
    let found = place.json(&format!("{search}/sla_summary.json"));
    let probes = found["probes"].as_array().unwrap();
    assert!(probes.len() > 2, "{found}");
    let highest = probes
        .iter()
        .filter_map(|probe| probe["load"].as_f64())
        .fold(0.0, f64::max);
    assert!((8.0..=128.0).contains(&highest), "{found}");
}
