//! `crestline bench sweep serve_sla` on a real engine that is restarted with more and more slots: each gets its own answer, and
//! the one with most slots takes most users.
//!
//! How fast the machine is does not matter: the limit on the time to first token lies between what is seen while there is a slot
//! for everyone and what one whole answer takes, so that it breaks where users wait for a slot.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::engine::{Engine, root, show};

/// Most answers that are generated at the same time.
const SLOTS: u32 = 4;

/// What each request is like. Lengths differ, because users with equal ones fall into step.
const REQUESTS: &str = "--backend llama.cpp --model gemma-3-270m --tokenizer builtin --temperature 0 --ignore-eos \
                        --random-input-len 16 --random-output-len 64 --random-range-ratio 0.5 --metric-percentiles 90";

/// Time that the search on one server may take; a variable may give another one, for a first look.
fn budget() -> String {
    std::env::var("CRESTLINE_REAL_BUDGET").unwrap_or_else(|_| "240s".to_owned())
}

fn crestline(place: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crestline"));
    command.args(args).current_dir(place);
    command
}

/// What so many users get from an engine with [`SLOTS`] slots.
fn measured(engine: &Engine, place: &Path, users: u32) -> Value {
    let base = format!("http://{}", engine.authority);
    let (users, prompts) = (users.to_string(), (10 * users).to_string());
    let mut args = vec!["bench", "serve", "--base-url", &base];
    args.extend(REQUESTS.split_whitespace());
    args.extend(["--max-concurrency", &users, "--num-prompts", &prompts]);
    args.extend(["--percentile-metrics", "ttft,e2el", "--save-result"]);
    args.extend(["--result-dir", ".", "--result-filename", "r.json"]);
    let output = crestline(place, &args).output().unwrap();
    show(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&fs::read(place.join("r.json")).unwrap()).unwrap()
}

/// Milliseconds between the time to first token with a slot for everyone and the time of a whole answer.
fn limit(place: &Path) -> f64 {
    let engine = Engine::start(SLOTS);
    let number = |run: &Value, key: &str| run[key].as_f64().unwrap();
    let answer = number(&measured(&engine, place, 1), "median_e2el_ms");
    let token = number(&measured(&engine, place, SLOTS), "p90_ttft_ms");
    show(format!("a token after {token:.1} ms, a whole answer after {answer:.1} ms").as_bytes());
    assert!(
        answer > 1.5 * token,
        "an answer takes longer than its first token: {answer} {token}"
    );
    (token * answer).sqrt()
}

/// Status and load of each configuration, by its slots.
fn answers(place: &Path) -> Vec<(String, f64)> {
    let text = fs::read(place.join("results/real/crestline/sla.json")).unwrap();
    let all: Value = serde_json::from_slice(&text).unwrap();
    let ranking = all["slas"][0]["ranking"].as_array().unwrap();
    let of = |slots: u32| {
        let name = format!("parallel={slots}");
        let row = ranking.iter().find(|row| row["serve"] == name).unwrap();
        let load = row["load"].as_f64().unwrap_or_default();
        (row["status"].as_str().unwrap().to_owned(), load)
    };
    [1, 2, SLOTS].map(of).to_vec()
}

#[test]
fn a_sweep_finds_that_more_slots_take_more_users_within_the_same_limit() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let limit = limit(place);
    let sla = json!([{"p90_ttft_ms": format!("<={limit:.1}")}]);
    fs::write(place.join("sla.json"), sla.to_string()).unwrap();
    let slots = json!([{"parallel": 1}, {"parallel": 2}, {"parallel": SLOTS}]);
    fs::write(place.join("serve.json"), slots.to_string()).unwrap();
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (python, script) = (".venv/bin/python", "crates/cli/tests/real/llama.py");
    let serve = format!(
        "{} {} --stay --port {port} --parallel 1",
        root().join(python).display(),
        root().join(script).display()
    );
    let bench = format!("crestline bench serve --port {port} {REQUESTS}");
    let budget = budget();
    let mut args = vec!["bench", "sweep", "serve_sla", "--serve-cmd", &serve];
    args.extend(["--bench-cmd", &bench, "--after-bench-cmd", ""]);
    args.extend(["--serve-params", "serve.json", "--sla-params", "sla.json"]);
    args.extend([
        "--sla-variable",
        "max_concurrency",
        "--sla-upper-bound",
        "12",
    ]);
    args.extend([
        "--sla-tolerance",
        "0.5",
        "--sla-budget",
        &budget,
        "-e",
        "real",
    ]);
    let output = crestline(place, &args).output().unwrap();
    show(&output.stdout);
    show(&output.stderr);
    // An answer that the budget does not suffice for is one too.
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{:?}",
        output.status
    );
    let answers = answers(place);
    show(format!("{answers:?}").as_bytes());
    let [(_, one), (_, two), (_, four)] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert!(
        *one >= 1.0 && one <= two && two <= four && four > one,
        "{answers:?}"
    );
    assert!(
        TcpListener::bind(("127.0.0.1", port)).is_ok(),
        "the last server has gone"
    );
}
