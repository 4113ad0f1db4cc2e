//! A search for the highest number of users that keeps to an SLA, on a real engine, and what fixed loads say of its answer.
//!
//! How fast the machine is does not matter: the limits lie between what two and eight users are measured to get.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::engine::{Engine, root, show};

/// Bound of the search, and slots of the server: nobody waits for a slot.
const MOST_USERS: u32 = 8;

/// What each request is like. The words are random, so that no prompt is in the server's cache.
const REQUESTS: &str = r#"--model gemma-3-270m --dataset random --tokenizer-path builtin --min-prompt-length 8
    --max-prompt-length 24 --max-tokens 8 --extra-args {"ignore_eos":true} --no-test-connection --no-timestamp --no-text"#;

/// The 99th percentiles that are limited, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    ttft: f64,
    tpot: f64,
}

impl Times {
    /// The geometric mean: as far from either in proportion.
    fn between(self, other: Self) -> Self {
        Self {
            ttft: (self.ttft * other.ttft).sqrt(),
            tpot: (self.tpot * other.tpot).sqrt(),
        }
    }

    fn meets(self, limits: Self) -> bool {
        self.ttft <= limits.ttft && self.tpot <= limits.tpot
    }

    /// Both are longer by half.
    fn is_clearly_above(self, other: Self) -> bool {
        self.ttft > 1.5 * other.ttft && self.tpot > 1.5 * other.tpot
    }
}

/// What the search says.
struct Answer {
    users: u32,
    selection: Value,
}

/// The folders and seeds of the runs on one server.
struct Bench {
    engine: Engine,
    place: tempfile::TempDir,
    runs: u32,
}

impl Bench {
    fn start() -> Self {
        Self {
            engine: Engine::start(MOST_USERS),
            place: tempfile::tempdir().unwrap(),
            runs: 0,
        }
    }

    /// Runs `crestline perf` with a seed of its own, so that prompts are new, and gives the folder of its results.
    fn perf(&mut self, more: &str, codes: &[i32]) -> std::path::PathBuf {
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let line = format!(
            "perf --url http://{}/v1/chat/completions {REQUESTS} --seed {} --name {name} --outputs-dir {} {more}",
            self.engine.authority,
            self.runs,
            self.place.path().display(),
        );
        let output = Command::new(env!("CARGO_BIN_EXE_crestline"))
            .args(line.split_whitespace())
            .current_dir(root())
            .output()
            .unwrap();
        show(&output.stdout);
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{code:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.place.path().join(name)
    }

    /// A load kept for `requests` requests; the wave with which it begins does not count.
    fn at(&mut self, users: u32, requests: u32) -> Times {
        let warmup = 2 * users;
        let folder = self.perf(
            &format!("--parallel {users} --number {requests} --warmup-num {warmup}"),
            &[0],
        );
        let load = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.is_dir())
            .unwrap();
        let table = fs::read_to_string(load.join("benchmark_percentile.json")).unwrap();
        let table: Value = serde_json::from_str(&table).unwrap();
        let rows = table.as_array().unwrap();
        let row = rows.iter().find(|row| row["Percentiles"] == "99%").unwrap();
        let times = Times {
            ttft: row["TTFT (ms)"].as_f64().unwrap(),
            tpot: row["TPOT (ms)"].as_f64().unwrap(),
        };
        say(&format!("{users} users: p99 {times:.1?} ms"));
        times
    }

    fn search(&mut self, limits: Times) -> Answer {
        let Times { ttft, tpot } = limits;
        let folder = self.perf(
            &format!(
                r#"--sla-auto-tune --sla-params {{"p99_ttft":"<={ttft:.1}ms","p99_tpot":"<={tpot:.1}ms"}}
                --sla-upper-bound {MOST_USERS} --sla-budget 3m"#
            ),
            &[0, 3],
        );
        let summary = fs::read_to_string(folder.join("sla_summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let selection = summary["selections"][0].clone();
        let users = selection["max_satisfied"].as_f64().unwrap_or_default();
        Answer {
            users: users as u32,
            selection,
        }
    }
}

fn say(line: &str) {
    show(line.as_bytes());
}

#[test]
#[ignore = "needs llama.cpp and a model: `just real`"]
fn llama_cpp_meets_the_limits_at_the_load_that_a_search_finds_and_misses_them_at_twice_that() {
    let mut bench = Bench::start();
    let few = bench.at(2, 100);
    let many = bench.at(MOST_USERS, 100);
    assert!(
        many.is_clearly_above(few),
        "more users wait longer on a quiet machine: {few:?}, {many:?}"
    );
    let limits = few.between(many);
    say(&format!("limits: p99 {limits:.1?} ms"));
    let answer = bench.search(limits);
    assert!(
        (1..MOST_USERS).contains(&answer.users),
        "{}",
        answer.selection
    );
    let there = bench.at(answer.users, 200);
    assert!(there.meets(limits), "{there:?}, {limits:?}");
    let beyond = bench.at(2 * answer.users, 100);
    assert!(!beyond.meets(limits), "{beyond:?}, {limits:?}");
}
