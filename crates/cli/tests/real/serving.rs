//! `crestline bench serve` on the real engine: completions and chats without a failure, and tokens as the server counts them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::engine::{Engine, show};
use crate::{REQUESTS, SLOTS, Tokens};

impl Engine {
    /// Measures one closed loop and shows its table; the report must be whole and as the server counted.
    fn bench(&self, backend: &str, load: &str) {
        let before = self.tokens();
        let place = tempfile::tempdir().unwrap();
        let line = format!(
            "bench serve {backend} --base-url http://{} --model gemma-3-270m --tokenizer builtin --num-prompts {REQUESTS} \
             --max-concurrency {SLOTS} --random-input-len 48 --random-output-len 16 --save-result --result-dir {} \
             --result-filename r.json {load}",
            self.authority,
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
        let text = fs::read(place.path().join("r.json")).unwrap();
        let report: Value = serde_json::from_slice(&text).unwrap();
        let number = |key: &str| u32::try_from(report[key].as_u64().unwrap()).unwrap();
        assert_eq!((number("completed"), number("failed")), (REQUESTS, 0));
        let counted = Tokens {
            prompt: after.prompt - before.prompt,
            output: after.output - before.output,
        };
        let reported = Tokens {
            prompt: number("total_input_tokens"),
            output: number("total_output_tokens"),
        };
        assert_eq!(reported, counted);
        assert_eq!(counted.output, 16 * REQUESTS, "no answer ends early");
    }
}

#[test]
fn completions_of_bench_serve_are_counted_as_llama_cpp_counts_them() {
    Engine::start(SLOTS).bench("--backend llama.cpp", "");
}

#[test]
fn chats_of_bench_serve_are_counted_as_llama_cpp_counts_them() {
    Engine::start(SLOTS).bench(
        "--backend openai-chat --endpoint /v1/chat/completions",
        "--ignore-eos --request-rate 8",
    );
}
