//! The commands of vLLM's documents, on a simulated server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::free_port;
use crate::harness::{Place, Ran};

/// The flags of a benchmark of the documents, and how few requests are enough here.
const BENCH: &str = "--model meta-llama/Llama-2-7b-chat-hf --backend vllm --endpoint /v1/completions --dataset-name sharegpt \
    --tokenizer builtin --num-prompts 5 --sharegpt-output-len 4";

/// The folder of the documents, and a server that takes their flags: those that the simulated one does not have are left out.
struct Documents {
    place: Place,
    port: u16,
}

impl Documents {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("benchmarks")).unwrap();
        let put = |name: &str, value: Value| {
            fs::write(
                place.path(&format!("benchmarks/{name}.json")),
                value.to_string(),
            )
            .unwrap();
        };
        put(
            "serve_hparams",
            json!([
                {"api_server_count": 1, "max_num_seqs": 4, "max_num_batched_tokens": 1024},
                {"api_server_count": 2, "max_num_seqs": 16, "max_num_batched_tokens": 2048}
            ]),
        );
        put(
            "bench_hparams",
            json!([
                {"random_input_len": 128, "random_output_len": 32, "max_concurrency": 1},
                {"random_input_len": 128, "random_output_len": 32, "max_concurrency": 4},
                {"random_input_len": 256, "random_output_len": 32, "max_concurrency": 4}
            ]),
        );
        put(
            "sla_hparams",
            json!([{"p99_e2el_ms": "<=200"}, {"p99_e2el_ms": "<=100"}]),
        );
        put("sla_bench_hparams", json!([{"sharegpt_output_len": 4}]));
        let turn = |from: &str, value: String| json!({"from": from, "value": value});
        let conversation = |number: u32| {
            let question = turn("human", format!("What is the square of {number}, and why?"));
            let answer = turn(
                "gpt",
                format!("It is {}, since that is what it means.", number * number),
            );
            json!({"id": number.to_string(), "conversations": [question, answer]})
        };
        put("ShareGPT", (1..9).map(conversation).collect());
        let serve = place.path("serve.sh");
        let text = "#!/bin/sh\nprogram=$1; shift\nfor word do\n  shift\n  case $word in --api-server-count) skip=1; continue;; esac\n  \
            if [ -n \"$skip\" ]; then skip=; continue; fi\n  set -- \"$@\" \"$word\"\ndone\nexec \"$program\" sim \"$@\"\n";
        fs::write(&serve, text).unwrap();
        fs::set_permissions(&serve, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            place,
            port: free_port(),
        }
    }

    fn sweep(&self, kind: &str, flags: &str) -> Ran {
        let port = self.port;
        let serve = format!(
            "./serve.sh {} --port {port}",
            env!("CARGO_BIN_EXE_crestline")
        );
        let bench = format!(
            "vllm bench serve {BENCH} --dataset-path benchmarks/ShareGPT.json --port {port}"
        );
        let mut command = self.place.command("bench sweep");
        command
            .args([
                kind,
                "--bench-native",
                "--serve-cmd",
                &serve,
                "--bench-cmd",
                &bench,
            ])
            .args(["--after-bench-cmd", "", "-o", "benchmarks/results"])
            .args(["--serve-params", "benchmarks/serve_hparams.json"])
            .args(flags.split_whitespace());
        command.output().unwrap().into()
    }

    /// The only experiment that is there, named by the moment.
    fn experiment(&self) -> String {
        let names = self.place.list("benchmarks/results");
        assert_eq!(names.len(), 1, "{names:?}");
        format!("benchmarks/results/{}", names[0])
    }
}

#[test]
fn the_sweep_of_the_documents_runs_and_is_drawn() {
    let documents = Documents::new();
    let ran = documents.sweep("serve", "--bench-params benchmarks/bench_hparams.json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let experiment = documents.experiment();
    let table =
        fs::read_to_string(documents.place.path(&format!("{experiment}/summary.csv"))).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 3 * 3);
    let plot = documents.place.run(&format!(
        "bench sweep plot {experiment} --var-x max_concurrency --row-by random_input_len --col-by random_output_len \
         --curve-by api_server_count,max_num_batched_tokens --filter-by max_concurrency<=1024"
    ));
    assert_eq!(plot.code, Some(0), "{plot:?}");
    assert!(plot.out.contains("Grid: 2 rows x 1 cols"), "{plot:?}");
    let pareto = documents.place.run(&format!(
        "bench sweep plot_pareto {experiment} --label-by max_concurrency,max_num_seqs"
    ));
    assert_eq!(pareto.code, Some(0), "{pareto:?}");
    for name in ["FIGURE.png", "pareto/PARETO.png"] {
        let bytes = fs::read(documents.place.path(&format!("{experiment}/{name}"))).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "{name}");
    }
}

#[test]
fn the_search_of_the_documents_runs() {
    let documents = Documents::new();
    let ran = documents.sweep(
        "serve_sla",
        "--bench-params benchmarks/sla_bench_hparams.json --sla-params benchmarks/sla_hparams.json \
         --sla-variable max_concurrency --sla-upper-bound 8 --sla-budget 400req",
    );
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    let experiment = documents.experiment();
    let found = documents
        .place
        .json(&format!("{experiment}/crestline/sla.json"));
    assert_eq!(found["slas"].as_array().unwrap().len(), 2);
    assert_eq!(ran.out.matches("[SLA END]").count(), 2);
}
