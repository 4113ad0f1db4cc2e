//! `crestline bench serve` against the simulated engine: the table and the JSON have the form that scripts read, and the
//! figures are those of the engine.

use std::fs;

use serde_json::Value;

use crate::harness::{Place, Sim};

const RUN: &str = "bench serve --backend vllm --model m --tokenizer builtin --random-input-len 16 --random-output-len 8";
const ALL: &str = "--percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,99.9 --goodput ttft:60000 --metadata note=x";
const VIRTUAL: &str = "--base-url sim:constant-20ms";

fn fixture(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/serving/");
    fs::read_to_string(format!("{path}{name}")).unwrap()
}

fn keys(document: &Value) -> Vec<&str> {
    let keys = document.as_object().unwrap().keys();
    keys.map(String::as_str)
        .filter(|key| !key.starts_with("crestline_"))
        .collect()
}

/// What stands before the value on each line of the table.
fn labels(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| !line.contains(" Serving Benchmark Result "))
        .map(|line| {
            line.chars()
                .take(40)
                .collect::<String>()
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn keys_and_labels_are_those_of_the_format_in_its_order() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = format!(
        "{RUN} {ALL} --base-url {} --num-prompts 4 --request-rate 50 --save-result --save-detailed --result-filename r.json",
        sim.root()
    );
    let ran = place.run(&line).done();
    let expected: Value = serde_json::from_str(&fixture("result.json")).unwrap();
    assert_eq!(keys(&place.json("r.json")), keys(&expected));
    assert_eq!(labels(&ran.out), labels(&fixture("table.txt")));
    let width = |line: &str| line.chars().count();
    for (line, expected) in ran
        .out
        .lines()
        .rev()
        .zip(fixture("table.txt").lines().rev())
    {
        assert_eq!(width(line), width(expected), "{line}");
    }
}

#[test]
fn the_figures_are_those_of_the_engine() {
    let place = Place::new();
    let line = format!(
        "{RUN} {ALL} {VIRTUAL} --num-prompts 64 --max-concurrency 4 --save-result --save-detailed --result-filename r.json"
    );
    place.run(&line).done();
    let json = place.json("r.json");
    let number = |key: &str| json[key].as_f64().unwrap();
    assert_eq!(json["request_rate"], "inf");
    assert_eq!(json["max_concurrency"], 4);
    assert_eq!((number("completed"), number("failed")), (64.0, 0.0));
    assert_eq!(
        (number("total_input_tokens"), number("total_output_tokens")),
        (64.0 * 16.0, 64.0 * 8.0)
    );
    assert!((number("mean_itl_ms") - 20.0).abs() < 0.2, "{json}");
    assert!((number("mean_tpot_ms") - 20.0).abs() < 0.2, "{json}");
    let e2el = number("mean_ttft_ms") + 7.0 * number("mean_tpot_ms");
    assert!((number("mean_e2el_ms") - e2el).abs() < 1e-6);
    assert_eq!(json["max_concurrent_requests"], 4);
    let rate = number("completed") / number("duration");
    assert!((number("request_throughput") - rate).abs() < 1e-9);
    assert_eq!(json["ttfts"].as_array().unwrap().len(), 64);
    assert_eq!(json["itls"][63].as_array().unwrap().len(), 7);
    // All were due at once: whoever waited for a slot waited for it from the beginning.
    assert!(number("crestline_mean_e2el_from_due_ms") > 4.0 * number("mean_e2el_ms"));
}

#[test]
fn the_way_of_vllm_counts_events_and_seconds() {
    let place = Place::new();
    let run = |more: &str| {
        let line = format!(
            "{RUN} {VIRTUAL} --num-prompts 40 --max-concurrency 4 --save-result --result-filename r.json {more}"
        );
        place.run(&line).done();
        place.json("r.json")
    };
    let right = run("");
    let compat = run("--compat vllm");
    assert_eq!(right["max_concurrent_requests"], 4);
    assert!(
        compat["max_concurrent_requests"].as_u64().unwrap() > 8,
        "{compat}"
    );
    for (json, expected) in [(&right, false), (&compat, true)] {
        assert_eq!(json.get("latencies").is_some(), expected);
        assert!(json.get("ttfts").is_none() && json.get("errors").is_none());
    }
}

#[test]
fn results_are_appended_line_by_line() {
    let place = Place::new();
    for _ in 0..2 {
        let line = format!(
            "{RUN} {VIRTUAL} --num-prompts 3 --append-result --result-dir out --result-filename r.json"
        );
        place.run(&line).done();
    }
    let text = fs::read_to_string(place.path("out/r.json")).unwrap();
    let documents: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[1]["num_prompts"], 3);
}

#[test]
fn a_ramp_is_told_in_the_document() {
    let place = Place::new();
    let line = format!(
        "{RUN} {VIRTUAL} --num-prompts 60 --ramp-up-strategy linear --ramp-up-start-rps 2 --ramp-up-end-rps 6 --save-result"
    );
    let ran = place.run(&line).done();
    assert!(
        ran.out
            .contains("Request rate: from 2 to 6 requests a second")
    );
    let name = place
        .list("")
        .into_iter()
        .find(|name| name.contains("qps-m-"))
        .unwrap();
    assert!(
        name.starts_with("vllm-ramp-up-linear-2qps-6qps-m-"),
        "{name}"
    );
    let json = place.json(&name);
    let steps: Vec<i64> = json["rps_change_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["rps"].as_i64().unwrap())
        .collect();
    assert_eq!(steps, [2, 3, 4, 5, 6]);
    assert_eq!(json["ramp_up_strategy"], "linear");
}

#[test]
fn failures_are_shown_with_what_the_service_said() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --fault http-500=1.0");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 4 --save-result --save-detailed --result-filename r.json",
        sim.root()
    );
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.out.contains("Error 0: server_error: "), "{ran:#?}");
    let json = place.json("r.json");
    assert_eq!(json["crestline_failures"]["server_error"], 4);
    assert_eq!(
        (&json["completed"], &json["failed"]),
        (&0.into(), &4.into())
    );
    assert!(
        json["errors"][3]
            .as_str()
            .unwrap()
            .starts_with("server_error: ")
    );
    assert_eq!(json["latencies"][0], 0.0);
}

#[test]
fn without_results_or_a_page_asked_for_nothing_is_left() {
    let place = Place::new();
    place
        .run(&format!("{RUN} {VIRTUAL} --num-prompts 3 --no-html"))
        .done();
    assert_eq!(place.list(""), Vec::<String>::new());
}

#[test]
fn other_backends_have_their_own_lines_and_keys() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let run = |backend: &str, path: &str| {
        let line = format!(
            "bench serve --backend {backend} --endpoint {path} --base-url {} --model m --tokenizer builtin --random-input-len 16 \
             --random-output-len 8 --num-prompts 6 --max-concurrency 3 --save-result --save-detailed --result-filename {backend}.json",
            sim.root()
        );
        let ran = place.run(&line).done();
        (ran.out, place.json(&format!("{backend}.json")))
    };
    for (backend, path) in [
        ("openai-chat", "/v1/chat/completions"),
        ("openai-responses", "/v1/responses"),
        ("tgi", "/generate_stream"),
    ] {
        let (out, json) = run(backend, path);
        assert_eq!(
            (&json["completed"], &json["failed"]),
            (&6.into(), &0.into()),
            "{backend}: {out}"
        );
        assert_eq!(
            json["output_lens"],
            serde_json::json!([8, 8, 8, 8, 8, 8]),
            "{backend}"
        );
    }
    for (backend, path) in [
        ("openai-embeddings", "/v1/embeddings"),
        ("vllm-pooling", "/pooling"),
    ] {
        let (out, json) = run(backend, path);
        assert!(out.contains("Input throughput (inputs/s):"), "{out}");
        assert!(!out.contains("Total generated tokens"), "{out}");
        assert_eq!(
            (&json["completed"], &json["total_input_sequences"]),
            (&6.into(), &6.into())
        );
        assert!(
            json.get("output_throughput").is_none() && json["mean_e2el_ms"].as_f64().unwrap() > 0.0
        );
        assert!(json["total_input_tokens"].as_u64().unwrap() >= 96, "{json}");
    }
}

/// A file of the repository.
fn dataset(name: &str) -> String {
    format!(
        "{}/../../fixtures/datasets/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn every_data_set_is_sent_and_answered() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let chat = "--backend openai-chat --endpoint /v1/chat/completions";
    let runs = [
        (
            "--dataset-name sharegpt --dataset-path",
            "sharegpt_like.json --output-len 4",
            chat,
        ),
        (
            "--dataset-name custom --skip-chat-template --dataset-path",
            "prompts.jsonl --custom-output-len 5",
            "",
        ),
        (
            "--dataset-name sonnet --sonnet-input-len 200 --sonnet-prefix-len 100 --output-len 4 --dataset-path",
            "poem.txt",
            chat,
        ),
        (
            "--dataset-name spec_bench --output-len 4 --dataset-path",
            "questions.jsonl",
            chat,
        ),
        (
            "--dataset-name speed_bench --speed-bench-output-len 4 --dataset-path",
            "speed_bench",
            chat,
        ),
        (
            "--dataset-name hf --hf-name openai/gsm8k --hf-output-len 4 --dataset-path",
            "hub/gsm8k",
            chat,
        ),
        (
            "--dataset-name timed_trace --timed-trace-sec-multiplier 0.001 --dataset-path",
            "timed_trace.jsonl",
            "",
        ),
    ];
    for (flags, file, more) in runs {
        let line = format!(
            "bench serve --base-url {} --model m --tokenizer builtin --num-prompts 4 --save-result --save-detailed --result-filename r.json {flags} {} {more}",
            sim.root(),
            dataset(file),
        );
        place.run(&line).done();
        let json = place.json("r.json");
        let sent = json["completed"].as_u64().unwrap();
        assert!(
            (1..=4).contains(&sent) && json["failed"] == 0,
            "{flags}: {json}"
        );
        assert!(
            json["total_output_tokens"].as_u64().unwrap() >= 1,
            "{flags}: {json}"
        );
    }
}

#[test]
fn made_prompts_of_every_kind_are_sent_and_answered() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    for flags in [
        "--dataset-name prefix_repetition --prefix-repetition-prefix-len 16 --prefix-repetition-suffix-len 8 --prefix-repetition-num-prefixes 2 --output-len 4",
        "--prompt-token-ids --random-input-len 12 --random-output-len 4",
        "--random-input-len 40 --random-output-len 4 --random-cache-hit-fraction 0.5 --random-cache-ratio 0.5",
        "--dataset-name random-mm --random-input-len 8 --random-output-len 4 --backend openai-chat --endpoint /v1/chat/completions \
         --random-mm-bucket-config {(16,16,1):1.0}",
        "--dataset-name random-mm --random-input-len 8 --random-output-len 4 --backend openai-chat --endpoint /v1/chat/completions \
         --random-mm-bucket-config {(16,16,3):1.0}",
        "--dataset-name random-rerank --random-input-len 24 --random-batch-size 3 --backend vllm-rerank --endpoint /v1/rerank",
        "--random-batch-size 2 --random-input-len 8 --backend openai-embeddings --endpoint /v1/embeddings",
    ] {
        let line = format!(
            "bench serve --base-url {} --model m --tokenizer builtin --num-prompts 4 --save-result --save-detailed --result-filename r.json {flags}",
            sim.root(),
        );
        place.run(&line).done();
        let json = place.json("r.json");
        let texts = json["total_input_sequences"].as_u64();
        let expected = match flags {
            _ if flags.contains("rerank") => Some(6),
            _ if flags.contains("embeddings") => Some(4),
            _ => None,
        };
        assert_eq!(texts, expected, "{flags}");
        assert!(
            json["completed"].as_u64().unwrap() >= 1 && json["failed"] == 0,
            "{flags}: {json}"
        );
    }
}

#[test]
fn a_trace_is_sent_at_its_own_times() {
    let place = Place::new();
    let line = |more: &str| {
        format!(
            "bench serve {VIRTUAL} --model m --tokenizer builtin --dataset-name timed_trace --dataset-path {} --save-result --save-detailed \
             --result-filename r.json {more}",
            dataset("timed_trace.jsonl"),
        )
    };
    place.run(&line("")).done();
    let timed = place.json("r.json");
    let starts = |json: &Value| -> Vec<f64> {
        json["start_times"]
            .as_array()
            .unwrap()
            .iter()
            .map(|at| at.as_f64().unwrap())
            .collect()
    };
    let starts_timed = starts(&timed);
    assert!(starts_timed.len() >= 3);
    assert!(
        starts_timed.windows(2).any(|pair| pair[1] - pair[0] > 0.05),
        "{starts_timed:?}"
    );
    place.run(&line("--no-self-timed")).done();
    let at_once = starts(&place.json("r.json"));
    assert!(
        at_once
            .iter()
            .all(|at| at.to_bits() == at_once[0].to_bits()),
        "{at_once:?}"
    );
}

#[test]
fn the_model_is_that_of_the_service_where_none_is_named() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --model served-name");
    let line = format!(
        "bench serve --base-url {} --tokenizer builtin --random-input-len 16 --random-output-len 4 --num-prompts 2 --request-id-prefix mine- \
         --save-result --result-filename r.json",
        sim.root()
    );
    let ran = place.run(&line).done();
    assert!(
        ran.err.contains("the service calls served-name"),
        "{}",
        ran.err
    );
    assert_eq!(place.json("r.json")["model_id"], "served-name");
    let ran = place.run("bench serve --base-url sim:gpu-small");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--model is required"), "{}", ran.err);
}

#[test]
fn a_warm_prefix_cache_is_told() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile prefix-cache");
    let line = format!(
        "{RUN} --random-input-len 256 --base-url {} --num-prompts 4 --seed 3 --save-result --result-filename r.json",
        sim.root()
    );
    let cold = place.run(&line).done();
    assert!(
        !cold.err.contains("prefix cache: throughput"),
        "{}",
        cold.err
    );
    let warm = place.run(&line).done();
    assert!(
        warm.err
            .contains("of the prompt tokens from its prefix cache"),
        "{}",
        warm.err
    );
    assert!(
        place.json("r.json")["crestline_prefix_cache_hit_share"]
            .as_f64()
            .unwrap()
            > 0.5
    );
}

#[test]
fn a_dry_run_sends_nothing_and_says_what_would_be_done() {
    let place = Place::new();
    let ran = place
        .run(&format!("{RUN} --base-url http://127.0.0.1:9 --num-prompts 7 --request-rate 3 --save-result --dry-run"))
        .done();
    for text in [
        "URL: http://127.0.0.1:9/v1/completions",
        "Requests: 7, 0 before them",
        "Results: vllm-3.0qps-m-",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    assert_eq!(place.list(""), Vec::<String>::new());
}

#[test]
fn the_steady_part_and_the_form_of_pytorch_are_written_where_they_are_asked_for() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile prefix-cache");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 24 --max-concurrency 4 --profile --reset-prefix-cache --save-result --result-filename r.json",
        sim.root()
    );
    let ran = place
        .command(&line)
        .env("SAVE_TO_PYTORCH_BENCHMARK_FORMAT", "1")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let json = place.json("r.json");
    let steady = |key: &str| json[format!("crestline_steady_{key}")].as_f64().unwrap();
    assert!(steady("from_s") >= 0.0 && steady("to_s") <= json["duration"].as_f64().unwrap() + 0.1);
    assert!(
        steady("mean_concurrency") > 3.0 && steady("completed") >= 12.0,
        "{json}"
    );
    assert!(steady("output_throughput") >= 0.8 * json["output_throughput"].as_f64().unwrap());
    let records = place.json("r.pytorch.json");
    assert_eq!(records.as_array().unwrap().len(), 12);
    assert_eq!(records[0]["metric"]["name"], "mean_ttft_ms");
    assert_eq!(
        records[0]["metric"]["benchmark_values"][0],
        json["mean_ttft_ms"]
    );
}

#[test]
fn a_service_without_a_profiler_is_told_before_the_load() {
    let place = Place::new();
    let ran = place.run(&format!(
        "{RUN} --base-url http://127.0.0.1:9 --num-prompts 2 --profile"
    ));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err.contains("--profile is not what this service does"),
        "{}",
        ran.err
    );
}
