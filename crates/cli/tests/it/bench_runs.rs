//! `crestline bench serve` with several runs in one command.

mod beside;
mod script;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use expect_test::expect;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::Value;

use script::{Say, Script, event};

use crate::harness::{Place, Ran, Sim, rows, signal, wait_until};

const RUN: &str = "bench serve --backend vllm --model m --tokenizer builtin --random-input-len 16 --random-output-len 8";
const VIRTUAL: &str = "--base-url sim:constant-20ms";

/// The folder of the records.
fn folder(place: &Place) -> String {
    let names = place.list("");
    let found = names
        .into_iter()
        .find(|name| name.starts_with("crestline-"));
    found.expect("the records are kept")
}

/// The bodies that were sent in a run.
fn bodies(place: &Place, run: u32, load: &str) -> Vec<String> {
    let path = place.path(&format!(
        "{}/run{run}/{load}/benchmark_data.db",
        folder(place)
    ));
    let database = Connection::open(path).unwrap();
    let mut select = database
        .prepare("SELECT request FROM result ORDER BY request_index")
        .unwrap();
    let bodies = select.query_map([], |row| row.get(0)).unwrap();
    bodies.map(Result::unwrap).collect()
}

#[test]
fn each_run_has_prompts_a_file_and_a_seed_of_its_own() {
    let place = Place::new();
    let line = format!(
        "{RUN} {VIRTUAL} --num-prompts 5 --max-concurrency 2 --seed 7 --num-runs 3 --save-result --result-filename r.json"
    );
    let ran = place.run(&line).done();
    assert!(ran.out.contains("Run 3 of 3\n"), "{}", ran.out);
    assert!(ran.out.contains(" Spread over 3 Runs "), "{}", ran.out);
    let seeds = [1, 2, 3].map(|run| {
        let json = place.json(&format!("r-run{run}.json"));
        assert_eq!(json["crestline_run"], run);
        json["crestline_seed"].as_u64().unwrap()
    });
    assert_eq!(seeds, [7, 8, 9]);
    let [first, second] = [1, 2].map(|run| bodies(&place, run, "parallel_2_number_5"));
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|body| !second.contains(body)));
    let spread = place.json("r-runs.json");
    assert_eq!(spread["num_runs"], 3);
    assert_eq!(spread["seeds"], serde_json::json!([7, 8, 9]));
    let figure = &spread["figures"]["mean_ttft_ms"];
    assert_eq!(
        figure["values"][1],
        place.json("r-run2.json")["mean_ttft_ms"]
    );
}

#[test]
fn the_spread_is_that_of_the_values_in_the_files() {
    let place = Place::new();
    let line = format!(
        "{RUN} --base-url sim:gpu-small --random-range-ratio 0.5 --num-prompts 12 --request-rate 20 --num-runs 4 --save-result --result-filename r.json \
         --percentile-metrics ttft,e2el --metric-percentiles 90 --goodput e2el:60000"
    );
    place.run(&line).done();
    let spread = place.json("r-runs.json");
    let figures = spread["figures"].as_object().unwrap();
    for key in [
        "request_throughput",
        "p90_ttft_ms",
        "median_e2el_ms",
        "request_goodput",
    ] {
        let figure = &figures[key];
        let values: Vec<f64> = (1..=4)
            .map(|run| {
                place.json(&format!("r-run{run}.json"))[key]
                    .as_f64()
                    .unwrap()
            })
            .collect();
        let mean = values.iter().sum::<f64>() / 4.0;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / 3.0).sqrt();
        for (name, expected) in [("mean", mean), ("std", deviation), ("cv", deviation / mean)] {
            let found = figure[name].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-9, "{key} {name}: {figure}");
        }
        assert!(
            deviation > 0.0,
            "{key}: the runs have prompts and times of their own"
        );
    }
    let steady = &figures["crestline_steady_request_throughput"];
    assert_eq!(steady["values"].as_array().unwrap().len(), 4);
    assert!(figures.get("num_prompts").is_none() && figures.get("crestline_seed").is_none());
    assert!(figures.get("mean_itl_ms").is_none(), "not asked for");
    assert!(
        figures.get("input_sequence_throughput").is_none(),
        "not of text"
    );
}

#[test]
fn a_dry_run_tells_the_files_of_all_runs() {
    let place = Place::new();
    let told = |saving: &str| {
        let line =
            format!("{RUN} {VIRTUAL} --num-runs 3 --result-filename r.json --dry-run {saving}");
        let out = place.run(&line).done().out;
        let told = out.lines().find_map(|line| line.strip_prefix("Results: "));
        assert!(out.contains("Runs: 3\n"), "{out}");
        told.unwrap().to_owned()
    };
    assert_eq!(
        told("--save-result"),
        "r-run1.json to r-run3.json, r-runs.json"
    );
    assert_eq!(told("--append-result"), "r.json, r-runs.json");
    assert_eq!(told(""), "none");
}

#[test]
fn the_way_of_vllm_sends_the_same_again() {
    let place = Place::new();
    let line = format!(
        "{RUN} {VIRTUAL} --num-prompts 3 --num-runs 2 --compat vllm --save-result --result-filename r.json"
    );
    place.run(&line).done();
    let load = "parallel_0_number_3";
    assert_eq!(bodies(&place, 1, load), bodies(&place, 2, load));
}

#[test]
fn the_table_of_the_runs_has_a_line_for_each_figure_of_a_run() {
    let place = Place::new();
    let line = format!(
        "{RUN} {VIRTUAL} --num-prompts 6 --max-concurrency 2 --num-runs 2 --percentile-metrics ttft,e2el --metric-percentiles 50,99.9 --goodput ttft:60000"
    );
    let out = place.run(&line).done().out;
    let table: Vec<&str> = out
        .lines()
        .skip_while(|line| !line.contains(" Spread over "))
        .collect();
    expect![[r"
        ========================================== Spread over 2 Runs ===========================================
                                                         Mean          Std          Min          Max       CV (%)
        Successful requests:                             6.00         0.00         6.00         6.00         0.00
        Failed requests:                                 0.00         0.00         0.00         0.00            -
        Benchmark duration (s):                          0.48         0.00         0.48         0.48         0.00
        Total input tokens:                             96.00         0.00        96.00        96.00         0.00
        Total generated tokens:                         48.00         0.00        48.00        48.00         0.00
        Request throughput (req/s):                     12.50         0.00        12.50        12.50         0.00
        Output token throughput (tok/s):               100.00         0.00       100.00       100.00         0.00
        Total token throughput (tok/s):                300.00         0.00       300.00       300.00         0.00
        Peak output token throughput (tok/s):           48.00         0.00        48.00        48.00         0.00
        Peak concurrent requests:                        2.00         0.00         2.00         2.00         0.00
        Request goodput (req/s):                        12.50         0.00        12.50        12.50         0.00
        Mean TTFT (ms):                                 20.00         0.00        20.00        20.00         0.00
        Median TTFT (ms):                               20.00         0.00        20.00        20.00         0.00
        P50 TTFT (ms):                                  20.00         0.00        20.00        20.00         0.00
        P99.9 TTFT (ms):                                20.00         0.00        20.00        20.00         0.00
        Mean E2EL (ms):                                160.00         0.00       160.00       160.00         0.00
        Median E2EL (ms):                              160.00         0.00       160.00       160.00         0.00
        P50 E2EL (ms):                                 160.00         0.00       160.00       160.00         0.00
        P99.9 E2EL (ms):                               160.00         0.00       160.00       160.00         0.00
        ========================================================================================================="]].assert_eq(&table.join("\n"));
    let widths: Vec<usize> = table.iter().map(|line| line.chars().count()).collect();
    assert!(
        widths.windows(2).all(|pair| pair[0] == pair[1]),
        "{widths:?}"
    );
}

#[test]
fn appended_runs_are_lines_of_one_file_and_their_spread_is_in_another() {
    let place = Place::new();
    for _ in 0..2 {
        let line = format!(
            "{RUN} {VIRTUAL} --num-prompts 3 --num-runs 2 --append-result --result-filename r.json"
        );
        place.run(&line).done();
    }
    let lines = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(place.path(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let runs: Vec<_> = lines("r.json")
        .iter()
        .map(|line| line["crestline_run"].as_u64().unwrap())
        .collect();
    assert_eq!(runs, [1, 2, 1, 2]);
    assert_eq!(lines("r-runs.json").len(), 2);
}

#[test]
fn a_prefix_cache_that_is_reset_before_each_run_helps_none_of_them() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile prefix-cache");
    let line = |more: &str| {
        format!(
            "{RUN} --random-input-len 256 --base-url {} --num-prompts 4 --num-runs 2 --compat vllm --save-result --result-filename r.json {more}",
            sim.root()
        )
    };
    let share = |run: u32| {
        let json = place.json(&format!("r-run{run}.json"));
        json["crestline_prefix_cache_hit_share"].as_f64().unwrap()
    };
    place.run(&line("--reset-prefix-cache")).done();
    assert!(
        share(1) < 0.01 && share(2) < 0.01,
        "{} {}",
        share(1),
        share(2)
    );
    place.run(&line("")).done();
    assert!(share(2) > 0.5, "the same prompts again: {}", share(2));
}

#[test]
fn an_interrupted_second_run_is_kept_and_the_spread_is_over_the_first() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 60 --request-rate 20 --num-runs 3 --save-result --result-filename r.json",
        sim.root()
    );
    let child = place
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let second = |place: &Place| {
        let names = place.list("");
        let found = names
            .into_iter()
            .find(|name| name.starts_with("crestline-"));
        let found = found.unwrap_or_default();
        let file = format!("{found}/run2/rate_20.0_number_60/benchmark_data.db");
        Path::new(&place.path(&file)).to_owned()
    };
    wait_until("a row of the second run", || rows(&second(&place)) > 0);
    signal(&child, Signal::SIGINT);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.out.contains(" Spread over 1 Run "), "{}", ran.out);
    let spread = place.json("r-runs.json");
    assert_eq!(spread["complete_runs"], serde_json::json!([1]));
    assert_eq!(spread["figures"]["duration"]["std"], Value::Null);
    let second = place.json("r-run2.json");
    let completed = second["completed"].as_u64().unwrap();
    assert!((1..60).contains(&completed), "{completed}");
    assert!(!place.path("r-run3.json").exists());
}

#[test]
fn runs_without_an_answer_have_no_spread() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --fault http-500=1.0");
    let ran = place.run(&format!(
        "{RUN} --base-url {} --num-prompts 2 --num-runs 2 --save-result --result-filename r.json",
        sim.root()
    ));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("there is no spread over runs"),
        "{}",
        ran.err
    );
    assert!(place.path("r-run2.json").exists() && !place.path("r-runs.json").exists());
}

const CHAT: &str = "bench serve --backend openai-chat --endpoint /v1/chat/completions --model m --tokenizer builtin --random-input-len 16 \
                    --random-output-len 2 --save-result --save-detailed --result-filename r.json --percentile-metrics ttft,itl,e2el";

/// The role alone, after a while two tokens, then the reason of the end, and counts.
fn with_a_role_first() -> Script {
    let choice = |delta: &str, reason: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#
        ))
    };
    Script::start(move |asked, _| {
        (asked.path == "/v1/chat/completions").then(|| {
            vec![
                choice(r#"{"role":"assistant","content":""}"#, "null"),
                Say::Wait(60),
                choice(r#"{"content":"a"}"#, "null"),
                Say::Wait(20),
                choice(r#"{"content":"b"}"#, "null"),
                Say::Wait(20),
                choice("{}", r#""length""#),
                event(r#"{"choices":[],"usage":{"prompt_tokens":16,"completion_tokens":2}}"#),
                event("[DONE]"),
            ]
        })
    })
}

#[test]
fn the_way_of_vllm_takes_any_choice_for_a_token() {
    let place = Place::new();
    let script = with_a_role_first();
    let run = |more: &str| {
        let line = format!("{CHAT} --base-url {} --num-prompts 2 {more}", script.root());
        place.run(&line).done();
        place.json("r.json")
    };
    let seconds = |list: &Value| -> Vec<f64> {
        let list = list.as_array().unwrap();
        list.iter().map(|span| span.as_f64().unwrap()).collect()
    };
    let right = run("");
    assert!(seconds(&right["ttfts"])[0] >= 0.06, "{right}");
    assert_eq!(seconds(&right["itls"][0]).len(), 1);
    let compat = run("--compat vllm");
    let spans = seconds(&compat["itls"][0]);
    assert_eq!(spans.len(), 3);
    let [ttft, latency] = ["ttfts", "latencies"].map(|key| seconds(&compat[key])[0]);
    assert!((latency - ttft - spans.iter().sum::<f64>()).abs() < 1e-9);
    assert!(ttft + spans[0] >= 0.06, "to the first text: {compat}");
    let mean = |key: &str| compat[key].as_f64().unwrap();
    assert!(
        mean("mean_ttft_ms") < mean("crestline_mean_ttft_from_due_ms"),
        "the role came before the first text: {compat}"
    );
    assert_eq!(compat["output_lens"], serde_json::json!([2, 2]));
}

#[test]
fn warm_up_requests_are_prompts_of_their_own_or_copies_of_the_first() {
    let place = Place::new();
    let prompts = |more: &str| -> Vec<Value> {
        let script = Script::start(|asked, _| {
            let answer = r#"{"choices":[{"index":0,"text":"a","finish_reason":"length"}]}"#;
            (asked.path == "/v1/completions").then(|| vec![event(answer), event("[DONE]")])
        });
        let line = format!(
            "{RUN} --base-url {} --num-prompts 2 --num-warmups 3 --max-concurrency 1 {more}",
            script.root()
        );
        place.run(&line).done();
        let bodies = script.bodies("/v1/completions");
        let prompt = |body: &String| serde_json::from_str::<Value>(body).unwrap()["prompt"].take();
        bodies.iter().map(prompt).collect()
    };
    let own = prompts("");
    assert_eq!(own.len(), 5);
    assert!((1..5).all(|at| !own[..at].contains(&own[at])), "{own:?}");
    for flag in ["--warmup-copies", "--compat vllm"] {
        let copied = prompts(flag);
        assert_eq!(copied[..3], vec![copied[3].clone(); 3][..], "{flag}");
        assert_eq!(
            copied[3..],
            own[..2],
            "{flag}: the first samples are counted"
        );
    }
}

#[test]
fn a_second_run_that_cannot_begin_takes_nothing_from_the_first() {
    let place = Place::new();
    let script = Script::start(|asked, before| {
        let answer = r#"{"choices":[{"index":0,"text":"a","finish_reason":"length"}]}"#;
        // One request to see that the service is ready, and the two of the first run.
        (asked.path == "/v1/completions" && before < 3)
            .then(|| vec![event(answer), event("[DONE]")])
    });
    let line = format!(
        "{RUN} --base-url {} --num-prompts 2 --num-runs 3 --ready-check-timeout-sec 1 --save-result --result-filename r.json",
        script.root()
    );
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("error: "), "{}", ran.err);
    assert!(ran.out.contains(" Spread over 1 Run "), "{}", ran.out);
    assert_eq!(place.json("r-run1.json")["completed"], 2);
    assert_eq!(
        place.json("r-runs.json")["complete_runs"],
        serde_json::json!([1])
    );
    assert!(!ran.out.contains("Run 3 of 3"), "{}", ran.out);
}
