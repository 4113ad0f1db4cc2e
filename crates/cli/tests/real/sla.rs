//! A search for the highest number of users that keeps to an SLA, on a real engine, and what fixed loads say of its answer.
//!
//! How fast the machine is does not matter: the limits follow from what it is measured to do. More users than the server has
//! slots wait for one, so that a limit on the time to first token binds at the number of slots or a little above. Users who
//! share the slots slow each other's tokens down, so that a limit on the time per token binds below that number.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::engine::{Engine, root, show};

/// Answers that are generated at the same time.
const SLOTS: u32 = 4;

/// Bound of the search.
const MOST_USERS: u32 = 8;

/// What each request is like. The words are random, so that no prompt is in the server's cache; the lengths of answers
/// differ, because users with equal ones fall into step and then hinder each other less than users who join one by one.
const REQUESTS: &str = r#"--model gemma-3-270m --dataset random --tokenizer-path builtin --min-prompt-length 8
    --max-prompt-length 24 --max-tokens 4 12 --extra-args {"ignore_eos":true} --no-test-connection --no-timestamp --no-text"#;

/// The 99th percentiles that are limited, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    ttft: f64,
    tpot: f64,
}

impl Times {
    /// A limit on the time to first token between what is seen with as many users as slots and with twice that. The time
    /// per token hardly grows any more, so its limit has room of a quarter for what else the machine does.
    fn that_bind_above_the_slots(few: Self, many: Self) -> Self {
        Self {
            ttft: (few.ttft * many.ttft).sqrt(),
            tpot: 1.25 * few.tpot.max(many.tpot),
        }
    }

    /// A limit on the time per token between what is seen with half as many users as slots and with as many. The time to
    /// first token has room up to what twice as many users get.
    fn that_bind_below_the_slots(half: Self, few: Self, many: Self) -> Self {
        Self {
            ttft: many.ttft,
            tpot: (half.tpot * few.tpot).sqrt(),
        }
    }

    fn group(self) -> String {
        format!(
            r#"{{"p99_ttft":"<={:.1}ms","p99_tpot":"<={:.1}ms"}}"#,
            self.ttft, self.tpot
        )
    }

    fn meets(self, limits: Self) -> bool {
        self.ttft <= limits.ttft && self.tpot <= limits.tpot
    }
}

/// What the search says: a value, or as much as the budget allows on a slow machine.
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
            engine: Engine::start(SLOTS),
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

    /// One search for both groups of limits.
    fn search(&mut self, groups: [Times; 2]) -> [Answer; 2] {
        let folder = self.perf(
            &format!(
                r"--sla-auto-tune --sla-params [{}] --sla-upper-bound {MOST_USERS} --sla-tolerance 0.5 --sla-budget 240s",
                groups.map(Times::group).join(",")
            ),
            &[0, 3],
        );
        let summary = fs::read_to_string(folder.join("sla_summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        [0, 1].map(|group| {
            let selection = summary["selections"][group].clone();
            let users = selection["max_satisfied"].as_f64().unwrap_or_default();
            Answer {
                users: users as u32,
                selection,
            }
        })
    }

    /// Fixed loads at the answer and at twice that.
    fn confirm(&mut self, limits: Times, answer: &Answer) {
        let Answer { users, selection } = answer;
        assert!((1..MOST_USERS).contains(users), "{selection}");
        let there = self.at(*users, 120);
        assert!(there.meets(limits), "{there:?}, {limits:?}");
        let beyond = self.at(2 * users, 80);
        assert!(!beyond.meets(limits), "{beyond:?}, {limits:?}");
    }
}

fn say(line: &str) {
    show(line.as_bytes());
}

#[test]
fn llama_cpp_meets_the_limits_at_the_loads_that_a_search_finds_and_misses_them_at_twice_those() {
    let mut bench = Bench::start();
    let half = bench.at(SLOTS / 2, 80);
    let few = bench.at(SLOTS, 80);
    let many = bench.at(MOST_USERS, 80);
    assert!(
        many.ttft > 1.5 * few.ttft && few.tpot > 1.3 * half.tpot,
        "who waits for a slot waits longer, on a machine with nothing else to do: {half:?}, {few:?}, {many:?}"
    );
    let limits = [
        Times::that_bind_above_the_slots(few, many),
        Times::that_bind_below_the_slots(half, few, many),
    ];
    say(&format!("limits: p99 {limits:.1?} ms"));
    let answers = bench.search(limits);
    for (limits, answer) in limits.into_iter().zip(&answers) {
        bench.confirm(limits, answer);
    }
}
