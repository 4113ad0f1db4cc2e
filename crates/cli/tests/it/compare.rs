//! `crestline compare`: runs in virtual time of engines that are known to differ, or not to.

use std::fs;

use roxmltree::Document;
use serde_json::Value;

use crate::harness::{Place, Ran};

/// An engine that takes a tenth longer for everything than `a100-qwen2.5-0.5b`.
const SLOWER: &str = "
max_num_seqs = 256
max_num_batched_tokens = 2048
max_model_len = 32768
request_overhead_ms = 22.0
[iteration]
base_ms = 2.31
prefill_us_per_token = 9.9
decode_us_per_sequence = 106.92
kv_ns_per_token = 7.7
noise = 0.03
[kv_cache]
tokens = 4000000
";
const SAME: &str = "a100-qwen2.5-0.5b";

/// A place with `crestline perf` runs of 8 users, and a run of it.
struct Runs(Place);

impl Runs {
    fn new() -> Self {
        let place = Place::new();
        fs::write(place.path("slower.toml"), SLOWER).unwrap();
        Self(place)
    }

    fn perf(&self, folder: &str, engine: &str, loads: &str, seed: u32) {
        let ran = self.0.run(&format!(
            "perf --url sim:{engine} --model m --tokenizer-path builtin {loads} --dataset random --min-tokens 8 --max-tokens 48 \
             --min-prompt-length 50 --max-prompt-length 200 --outputs-dir {folder} --no-timestamp --seed {seed}"
        ));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }

    fn bench(&self, file: &str, engine: &str, seed: u32, more: &str) {
        let ran = self.0.run(&format!(
            "bench serve --base-url sim:{engine} --model m --tokenizer builtin --random-input-len 100 --random-output-len 40 \
             --random-range-ratio 0.5 --num-prompts 300 --max-concurrency 8 --seed {seed} --save-result --result-dir {file} \
             --result-filename r.json {more}"
        ));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }

    fn compare(&self, line: &str) -> Ran {
        self.0.run(&format!("compare {line}"))
    }
}

/// The figures of the only load.
fn figure<'a>(json: &'a Value, name: &str) -> &'a Value {
    let figures = json["loads"][0]["figures"].as_array().unwrap();
    figures.iter().find(|one| one["name"] == name).unwrap()
}

#[test]
fn a_slower_engine_is_a_regression_in_every_output() {
    let runs = Runs::new();
    runs.perf("a", SAME, "--parallel 8 --number 500", 1);
    runs.perf("b", "slower.toml", "--parallel 8 --number 500", 2);
    let ran = runs.compare("a b --json c.json --junit c.xml --markdown c.md");
    assert_eq!(ran.code, Some(4), "{}{}", ran.out, ran.err);
    assert!(
        ran.out
            .contains("8 in flight: 500 requests in A, 500 requests in B"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("slower: regression"), "{}", ran.out);

    let json = runs.0.json("c.json");
    let tpot = figure(&json, "mean_tpot");
    assert_eq!(
        (&tpot["verdict"], &tpot["regressed"]),
        (&Value::from("worse"), &Value::from(true))
    );
    let change = tpot["change"].as_f64().unwrap();
    assert!((0.08..0.12).contains(&change), "{change}");
    assert!(tpot["low"].as_f64().unwrap() > 0.05 && tpot["high"].as_f64().unwrap() > change);
    let p99 = figure(&json, "p99_ttft");
    assert_eq!(
        p99["verdict"], "undecided",
        "ten values lie beyond the p99 of a thousand"
    );
    assert_eq!(p99["requests_more"], 500);
    assert_eq!(figure(&json, "success_rate")["verdict"], "no_difference");

    let regressed = json["loads"][0]["figures"].as_array().unwrap().iter();
    let regressed = regressed.filter(|one| one["regressed"] == true).count();
    check_junit(
        &fs::read_to_string(runs.0.path("c.xml")).unwrap(),
        regressed,
    );
    check_markdown(&fs::read_to_string(runs.0.path("c.md")).unwrap());
}

/// A suite with a case for each figure.
fn check_junit(text: &str, regressed: usize) {
    let xml = Document::parse(text).unwrap();
    let all = |name: &str| {
        let nodes = xml.descendants();
        nodes.filter(|node| node.has_tag_name(name)).count()
    };
    assert_eq!(
        (all("testsuite"), all("testcase"), all("failure")),
        (1, 15, regressed)
    );
    let mut nodes = xml.descendants();
    let suite = nodes.find(|node| node.has_tag_name("testsuite")).unwrap();
    let number = |name: &str| suite.attribute(name).unwrap().parse::<usize>().unwrap();
    assert_eq!(number("failures"), regressed);
    assert_eq!(number("skipped"), all("skipped"));
}

/// The answer first, then a row for each figure.
fn check_markdown(markdown: &str) {
    assert!(
        markdown.starts_with("**B is worse by more than 5 %: 8 in flight ("),
        "{markdown}"
    );
    let rows: Vec<_> = markdown
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    assert_eq!(rows.len(), 2 + 15 + 1);
    assert!(
        rows.iter().all(|row| row.matches(" | ").count() == 5),
        "{markdown}"
    );
}

#[test]
fn a_faster_engine_is_none_and_a_high_threshold_lets_much_pass() {
    let runs = Runs::new();
    runs.perf("a", SAME, "--parallel 8 --number 300", 1);
    runs.perf("b", "slower.toml", "--parallel 8 --number 300", 2);
    let back = runs.compare("b a --metrics tpot,output_throughput --markdown -");
    assert_eq!(back.code, Some(0), "{}{}", back.out, back.err);
    assert!(
        back.out.contains("| faster |") && !back.out.contains("regression:"),
        "{}",
        back.out
    );
    let wide = runs.compare("a b --metrics tpot --threshold 30");
    assert_eq!(wide.code, Some(0), "{}", wide.out);
    assert!(
        wide.out.contains("slower") && !wide.out.contains("slower: regression"),
        "{}",
        wide.out
    );
}

#[test]
fn the_same_engine_with_other_prompts_is_no_regression_and_the_answer_is_the_same_each_time() {
    let runs = Runs::new();
    runs.perf("a", SAME, "--parallel 2 8 --number 100 500", 1);
    runs.perf("b", SAME, "--parallel 8 4 --number 500 100", 2);
    let line = "a b --json c.json";
    let ran = runs.compare(line);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(runs.0.json("c.json")["loads"].as_array().unwrap().len(), 1);
    assert!(ran.err.contains("only A has 2 in flight"), "{}", ran.err);
    assert!(ran.err.contains("only B has 4 in flight"), "{}", ran.err);
    let mean = figure(&runs.0.json("c.json"), "mean_latency").clone();
    assert_ne!(mean["a"], mean["b"], "prompts differ");
    let [a, b] = ["a", "b"].map(|side| mean[side].as_f64().unwrap());
    assert!((a / b - 1.0).abs() < 0.1 && mean["regressed"] == false);
    assert_eq!(runs.compare(line).out, ran.out);
}

#[test]
fn what_differs_beside_the_service_is_told() {
    let runs = Runs::new();
    runs.perf("a", SAME, "--parallel 8 --number 200", 1);
    runs.perf("b", SAME, "--parallel 8 --number 400 --prefix-length 30", 2);
    let ran = runs.compare("a b");
    for told in [
        "8 in flight: what was sent differs: workload.prefix_length is 0 in A, 30 in B",
        "8 in flight: seeds differ, so other prompts of the same kind were sent: 1 in A, 2 in B",
        "8 in flight: prompts differ in length: ",
        "8 in flight: runs differ in length: 200 requests a run in A, 400 in B",
        "one run a side",
    ] {
        assert!(ran.err.contains(told), "{told}\n{}", ran.err);
    }
}

#[test]
fn repeats_of_which_only_figures_are_known_are_compared_from_run_to_run() {
    let runs = Runs::new();
    for seed in 0..3 {
        runs.bench(&format!("a{seed}"), SAME, seed, "");
        runs.bench(&format!("b{seed}"), "slower.toml", 10 + seed, "");
        for side in ["a", "b"] {
            // As other tools leave it: the result alone.
            let folder = runs.0.path(&format!("{side}{seed}"));
            fs::copy(
                folder.join("r.json"),
                runs.0.path(&format!("{side}{seed}.json")),
            )
            .unwrap();
        }
    }
    let few = runs.compare("a0.json b0.json --metrics mean_tpot --json c.json");
    assert_eq!(few.code, Some(0), "{}{}", few.out, few.err);
    assert!(
        few.out.contains("undecided (needs three runs a side)"),
        "{}",
        few.out
    );
    let ran = runs.compare(
        "--a a0.json a1.json a2.json --b b0.json b1.json b2.json --metrics mean_tpot,output_throughput --json c.json",
    );
    assert_eq!(ran.code, Some(4), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("3 runs with 900 requests in A"),
        "{}",
        ran.out
    );
    let json = runs.0.json("c.json");
    assert_eq!(figure(&json, "mean_tpot")["verdict"], "worse");
    assert!(!ran.err.contains("one run a side"), "{}", ran.err);
}

#[test]
fn results_with_a_list_of_requests_are_cut_into_segments() {
    let runs = Runs::new();
    for (name, engine, seed) in [("a", SAME, 1), ("b", "slower.toml", 2)] {
        runs.bench(name, engine, seed, "--save-detailed");
        let from = runs.0.path(name).join("r.json");
        fs::copy(from, runs.0.path(&format!("{name}.json"))).unwrap();
    }
    let ran = runs.compare("a.json b.json --metrics tpot,output_throughput");
    assert_eq!(ran.code, Some(4), "{}{}", ran.out, ran.err);
}

#[test]
fn a_run_whose_client_was_the_bottleneck_has_no_verdict() {
    let runs = Runs::new();
    for (name, engine) in [("a", SAME), ("b", "slower.toml")] {
        runs.bench(name, engine, 1, "--save-detailed");
        let mut result = runs.0.json(&format!("{name}/r.json"));
        result["crestline_client"] = serde_json::json!({"void": name == "b", "reasons": ["busy"]});
        fs::write(runs.0.path(&format!("{name}.json")), result.to_string()).unwrap();
    }
    let ran = runs.compare("a.json b.json --json c.json --junit c.xml");
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("the client was the bottleneck in B: busy"),
        "{}",
        ran.out
    );
    let json = runs.0.json("c.json");
    assert_eq!(figure(&json, "mean_tpot")["verdict"], "void");
    assert_eq!(json["regressed"], false);
    assert!(
        !fs::read_to_string(runs.0.path("c.xml"))
            .unwrap()
            .contains("<failure")
    );
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_to_do() {
    let runs = Runs::new();
    runs.perf("a", SAME, "--parallel 1 --number 10", 1);
    runs.perf("b", SAME, "--parallel 2 --number 10", 1);
    fs::create_dir(runs.0.path("empty")).unwrap();
    fs::write(runs.0.path("broken.json"), "{\"duration\": ").unwrap();
    for (line, told) in [
        ("a b", "A and B have no load in common"),
        ("a a", "is both A and B"),
        ("--a a a --b b", "is given twice in A"),
        ("a", "compare takes two runs, A and B; there are 1"),
        ("", "compare takes two runs"),
        ("--a a", "--b is missing"),
        (
            "a --b b",
            "runs are given with --a and --b and also without",
        ),
        ("a nowhere", "nowhere does not exist"),
        ("a empty", "empty"),
        ("a broken.json", "broken.json"),
        ("a b --metrics p99_tftt", "did you mean p99_ttft?"),
        ("a b --threshold 0", "--threshold cannot be 0"),
        ("a b --confidence 95", "--confidence cannot be 95"),
    ] {
        let ran = runs.compare(line);
        assert_eq!(ran.code, Some(2), "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(told), "{line}: {}", ran.err);
        assert!(ran.err.contains("hint: "), "{line}: {}", ran.err);
    }
}
