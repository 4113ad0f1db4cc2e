//! A real engine: llama.cpp with a small model on this machine, under closed and open loop and in an SLA search.
//!
//! Not a part of the usual tests, because the engine and the model have to be installed first: `just real` does both.
//! Speed is not judged here, only that no request fails and that tokens are counted as the server counts them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;
mod serving;
mod sla;
mod sweep;

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use tempfile::TempDir;

use engine::{Engine, root, show};

/// Answers that are generated at the same time.
const SLOTS: u32 = 4;

const REQUESTS: u32 = 200;

/// Tokens, by the server's count or by the client's.
#[derive(Debug, PartialEq, Eq)]
struct Tokens {
    prompt: u32,
    output: u32,
}

/// What the database says of a load.
#[derive(Debug)]
struct Stored {
    requests: u32,
    succeeded: u32,
    counted_by_server: u32,
    reconnects: u32,
    tokens: Tokens,
}

impl Stored {
    fn show(&self) {
        let line = format!(
            "{} of {REQUESTS} requests met a closed connection",
            self.reconnects
        );
        show(line.as_bytes());
    }
}

impl Engine {
    /// All tokens since the start. Prompt tokens from the cache are counted apart by the server.
    fn tokens(&self) -> Tokens {
        let page = self.get("/metrics");
        let value = |name: &str| -> u32 {
            let name = format!("llamacpp:{name} ");
            let line = page.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap_or_else(|| panic!("no {name}in {page}"))
                .trim()
                .parse()
                .unwrap()
        };
        Tokens {
            prompt: value("prompt_tokens_total") + value("prompt_tokens_cached_total"),
            output: value("tokens_predicted_total"),
        }
    }

    /// Measures one load and shows its tables; what is stored of it must be whole and as the server counted.
    fn measure(&self, load: &str) -> Stored {
        let before = self.tokens();
        let place = tempfile::tempdir().unwrap();
        let dataset = root().join("fixtures/datasets/open_qa.jsonl");
        let line = format!(
            "perf --url http://{}/v1/chat/completions --model gemma-3-270m --dataset openqa --dataset-path {} \
             --number {REQUESTS} --max-tokens 16 --no-test-connection --outputs-dir {} {load}",
            self.authority,
            dataset.display(),
            place.path().display(),
        );
        let output = Command::new(env!("CARGO_BIN_EXE_crestline"))
            .args(line.split_whitespace())
            .output()
            .unwrap();
        show(&output.stdout);
        show(&output.stderr);
        assert_eq!(output.status.code(), Some(0));
        let after = self.tokens();
        let stored = stored(&place);
        assert_eq!((stored.requests, stored.succeeded), (REQUESTS, REQUESTS));
        assert_eq!(stored.counted_by_server, REQUESTS, "every answer had usage");
        let counted = Tokens {
            prompt: after.prompt - before.prompt,
            output: after.output - before.output,
        };
        assert!(counted.output > REQUESTS, "{counted:?}");
        assert_eq!(stored.tokens, counted);
        stored
    }
}

fn stored(place: &TempDir) -> Stored {
    let path = database(place.path()).expect("a load leaves a database");
    let database = Connection::open(path).unwrap();
    database
        .query_row(
            "SELECT count(*), sum(success), sum(output_tokens_source = 'usage' AND input_tokens_source = 'usage'), \
             sum(reconnects), sum(input_tokens), sum(output_tokens) FROM result",
            [],
            |row| {
                Ok(Stored {
                    requests: row.get(0)?,
                    succeeded: row.get(1)?,
                    counted_by_server: row.get(2)?,
                    reconnects: row.get(3)?,
                    tokens: Tokens {
                        prompt: row.get(4)?,
                        output: row.get(5)?,
                    },
                })
            },
        )
        .unwrap()
}

fn database(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            database(&path)
        } else {
            path.ends_with("benchmark_data.db").then_some(path)
        }
    })
}

#[test]
fn llama_cpp_answers_a_closed_loop_without_a_failure() {
    let stored = Engine::start(SLOTS).measure("--parallel 4");
    // The server closes its connection after each stream, without a word.
    stored.show();
}

#[test]
fn llama_cpp_answers_an_open_loop_without_a_failure() {
    let stored = Engine::start(SLOTS).measure("--open-loop --rate 2");
    stored.show();
}

#[test]
fn llama_cpp_answers_whole_bodies_without_a_failure() {
    let stored = Engine::start(SLOTS).measure("--parallel 4 --no-stream");
    stored.show();
}
