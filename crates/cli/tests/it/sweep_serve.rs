//! `crestline bench sweep serve` against simulated servers that it starts and ends itself.

mod examples;
mod programs;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use expect_test::{Expect, expect, expect_file};
use serde_json::{Value, json};

use crate::harness::{Place, Ran};

/// A port that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What is varied in most tests: two servers, two loads.
fn parameters(place: &Place) {
    let serve = json!([{"_benchmark_name": "few", "max_num_seqs": 2}, {"max_num_seqs": 8}]);
    let bench = json!([
        {"random_input_len": 16, "max_concurrency": 1},
        {"random_input_len": 16, "max_concurrency": 4}
    ]);
    fs::write(place.path("serve.json"), serve.to_string()).unwrap();
    fs::write(place.path("bench.json"), bench.to_string()).unwrap();
}

/// A sweep of the simulated server by these commands.
struct Sweep {
    place: Place,
    port: u16,
    bench: String,
}

impl Sweep {
    fn new() -> Self {
        let place = Place::new();
        parameters(&place);
        Self {
            place,
            port: free_port(),
            bench: "crestline bench serve --model m --tokenizer builtin --random-output-len 4 --num-prompts 6".to_owned(),
        }
    }

    fn run(&self, flags: &str) -> Ran {
        let mut command = self.place.command("bench sweep serve");
        let port = self.port;
        command
            .arg("--serve-cmd")
            .arg(format!("crestline sim --port {port}"))
            .arg("--bench-cmd")
            .arg(format!("{} --port {port}", self.bench))
            .args("--serve-params serve.json --bench-params bench.json -o results".split(' '))
            .args(flags.split_whitespace());
        command.output().unwrap().into()
    }

    /// Logs of servers that were started.
    fn logs(&self) -> Vec<String> {
        let mut names = self.place.list("results/e/crestline/servers");
        names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "log"));
        names
    }
}

/// All files below a folder, without those of crestline's own.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path == root.join("crestline") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "snapshots are written where they are compared"
)]
fn shown(text: &str, sweep: &Sweep, expected: Expect) {
    expected.assert_eq(&text.replace(&sweep.port.to_string(), "PORT"));
}

#[test]
fn a_sweep_leaves_the_files_that_vllm_s_own_leaves() {
    let sweep = Sweep::new();
    let ran = sweep.run("-e e --num-runs 2 --warmup-num-prompts 2");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let root = sweep.place.path("results/e");
    expect![[r"
        SERVE--few-BENCH--random_input_len=16-max_concurrency=1/run=0.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=1/run=1.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=1/summary.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=1/warmup.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=4/run=0.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=4/run=1.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=4/summary.json
        SERVE--few-BENCH--random_input_len=16-max_concurrency=4/warmup.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=1/run=0.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=1/run=1.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=1/summary.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=1/warmup.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=4/run=0.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=4/run=1.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=4/summary.json
        SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=4/warmup.json
        summary.csv"]]
    .assert_eq(&files(&root).join("\n"));
    assert!(ran.out.contains("Experiment has been saved at: results/e"));
}

#[test]
fn a_run_says_which_it_is_and_what_it_was_made_with() {
    let sweep = Sweep::new();
    let ran = sweep.run("-e e --num-runs 2 --warmup-num-prompts 2");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let root = sweep.place.path("results/e");
    let name = "results/e/SERVE--few-BENCH--random_input_len=16-max_concurrency=4";
    let summary = sweep.place.json(&format!("{name}/summary.json"));
    let runs: Vec<Value> = (0..2)
        .map(|number| sweep.place.json(&format!("{name}/run={number}.json")))
        .collect();
    assert_eq!(summary, Value::Array(runs.clone()));
    let keys: Vec<&str> = runs[1]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys[keys.len() - 5..],
        [
            "run_number",
            "_benchmark_name",
            "max_num_seqs",
            "random_input_len",
            "crestline_fingerprint"
        ]
    );
    assert_eq!(runs[1]["run_number"], 1);
    assert_eq!(runs[1]["max_num_seqs"], 2);
    assert_eq!(runs[1]["completed"], 6);
    let warm_up = sweep.place.json(&format!("{name}/warmup.json"));
    assert_eq!(
        (&warm_up["run_number"], &warm_up["completed"]),
        (&json!(-1), &json!(2))
    );
    let mut table = csv::Reader::from_path(root.join("summary.csv")).unwrap();
    let head = table.headers().unwrap().clone();
    let numbers = head.iter().position(|name| name == "run_number").unwrap();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let run_numbers: Vec<&str> = rows.iter().map(|row| &row[numbers]).collect();
    assert_eq!(run_numbers, ["0", "1", "0", "1", "0", "1", "0", "1"]);
    assert_eq!(&rows[7][0], "7");
}

#[test]
fn a_sweep_that_is_complete_starts_no_server_again() {
    let sweep = Sweep::new();
    assert_eq!(sweep.run("-e e --num-runs 1").code, Some(0));
    let root = sweep.place.path("results/e");
    let table = fs::read_to_string(root.join("summary.csv")).unwrap();
    fs::remove_file(root.join("summary.csv")).unwrap();
    fs::remove_dir_all(root.join("crestline/servers")).unwrap();
    for flags in ["--resume e --num-runs 1", "-e e --resume --num-runs 1"] {
        let ran = sweep.run(flags);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(
            ran.out
                .matches("Found existing results.\n[SKIPPED BENCHMARK]")
                .count(),
            4
        );
        assert_eq!(fs::read_to_string(root.join("summary.csv")).unwrap(), table);
        assert!(!root.join("crestline/servers").exists());
    }
}

#[test]
fn a_sweep_goes_on_with_what_is_missing_on_the_servers_that_need_it() {
    let sweep = Sweep::new();
    assert_eq!(sweep.run("-e e --num-runs 1").code, Some(0));
    let root = sweep.place.path("results/e");
    let cell = root.join("SERVE--max_num_seqs=8-BENCH--random_input_len=16-max_concurrency=1");
    let kept = fs::read_to_string(cell.join("summary.json")).unwrap();
    fs::remove_dir_all(root.join("crestline/servers")).unwrap();
    fs::remove_file(cell.join("run=0.json")).unwrap();
    let ran = sweep.run("--resume e --num-runs 1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.matches("[SKIPPED BENCHMARK]").count(), 3);
    assert_eq!(ran.out.matches("[BEGIN SERVER]").count(), 1);
    assert_ne!(fs::read_to_string(cell.join("summary.json")).unwrap(), kept);
    assert_eq!(sweep.logs(), ["SERVE-max_num_seqs=8.log"]);
}

#[test]
fn a_run_that_was_made_otherwise_is_made_again_and_kept() {
    let mut sweep = Sweep::new();
    assert_eq!(sweep.run("-e e --num-runs 1").code, Some(0));
    sweep.bench.push_str(" --temperature 0.5");
    let ran = sweep.run("--resume e --num-runs 1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let file = "SERVE--few-BENCH--random_input_len=16-max_concurrency=1/run=0.json";
    assert!(
        ran.err.contains(&format!(
            "note: results/e/{file} is not used, since it was made with another benchmark command; it is now results/e/crestline/replaced/{file}~1"
        )),
        "{}",
        ran.err
    );
    let replaced = sweep
        .place
        .json(&format!("results/e/crestline/replaced/{file}~1"));
    assert_eq!(replaced["completed"], 6);
}

#[test]
fn a_file_that_is_no_result_is_made_again() {
    let sweep = Sweep::new();
    assert_eq!(sweep.run("-e e --num-runs 1").code, Some(0));
    let root = sweep.place.path("results/e");
    let cell = root.join("SERVE--few-BENCH--random_input_len=16-max_concurrency=1");
    for (text, why) in [
        ("{\"completed\": 6", "it is no JSON"),
        ("[]", "it holds no result"),
        ("{\"completed\": 6}", "it is not complete"),
        (
            "{\"run_number\": 0, \"_benchmark_name\": \"few\", \"max_num_seqs\": 3}",
            "its max_num_seqs is 3, not 2",
        ),
        (
            "{\"run_number\": 0, \"_benchmark_name\": \"few\", \"max_num_seqs\": 2, \"random_input_len\": 16, \"max_concurrency\": 1}",
            "another tool measured it",
        ),
    ] {
        fs::write(cell.join("run=0.json"), text).unwrap();
        let ran = sweep.run("--resume e --num-runs 1");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.err.contains(&format!("is not used, since {why}")),
            "{}",
            ran.err
        );
        assert_eq!(ran.out.matches("[SKIPPED BENCHMARK]").count(), 3);
    }
}

#[test]
fn an_experiment_that_is_there_or_not_there_is_told_before_anything_starts() {
    let sweep = Sweep::new();
    fs::create_dir_all(sweep.place.path("results/e")).unwrap();
    let refused = |flags: &str, expected: Expect| {
        let ran = sweep.run(flags);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.out.is_empty());
        shown(&ran.err, &sweep, expected);
    };
    refused(
        "-e e",
        expect![[r"
        error: results/e is there already
          hint: add --resume to go on with it, or give another --experiment-name
    "]],
    );
    refused(
        "--resume none",
        expect![[r"
        error: there is no experiment results/none
          hint: check --output-dir and the name
    "]],
    );
    refused(
        "--resume",
        expect![[r"
        error: --resume does not say which experiment
          hint: add its name, as in --resume 20261122_101500, or give --experiment-name
    "]],
    );
    refused(
        "-e new --num-runs 0",
        expect![[r"
        error: --num-runs must be a number from 1 to 4294967295, not 0
    "]],
    );
    refused(
        "-e new --link-vars max_num_seqs=none",
        expect![[r"
        error: --link-vars leaves no combination
          hint: both files need the linked parameters, with values that are equal somewhere
    "]],
    );
    assert_eq!(files(&sweep.place.path("results")), Vec::<String>::new());
}

/// A benchmark command that is refused before anything is there.
fn refused(bench: &str, expected: Expect) {
    let mut sweep = Sweep::new();
    sweep.bench = bench.replace("OWN", &sweep.bench);
    let ran = sweep.run("-e e");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(!sweep.place.path("results").exists());
    shown(&ran.err, &sweep, expected);
}

#[test]
fn what_is_wrong_with_a_benchmark_command_is_told_before_anything_starts() {
    refused(
        "no-such-program bench serve",
        expect![[r"
        error: --bench-cmd: there is no program no-such-program
          hint: check its name and PATH; `crestline bench serve` needs no other program
    "]],
    );
    refused(
        "OWN --num-prompt 0",
        expect![[r"
        error: --bench-cmd: --num-prompts must be a number from 1 to 4294967295, not 0
    "]],
    );
    refused(
        "OWN --no-such-flag",
        expect![[r"
        error: --bench-cmd: unknown argument --no-such-flag
          hint: `--help` lists all flags
    "]],
    );
    refused(
        "crestline bench serve 'a",
        expect![[r"
        error: --bench-cmd has a quote without its end
          hint: close it
    "]],
    );
    refused(
        "",
        expect![[r"
        error: --bench-cmd: there is no program --port
          hint: check its name and PATH; `crestline bench serve` needs no other program
    "]],
    );
}

#[test]
fn flags_that_the_sweep_has_itself_have_no_place_in_a_benchmark_command() {
    refused(
        "OWN --num-runs 3",
        expect![[r"
        error: --bench-cmd: --num-runs has no place in a sweep
          hint: the sweep has a --num-runs of its own
    "]],
    );
    refused(
        "OWN --dry-run",
        expect![[r"
        error: --bench-cmd: --dry-run has no place in a sweep
          hint: the sweep has a --dry-run of its own
    "]],
    );
    refused(
        "OWN --append-result",
        expect![[r"
        error: --bench-cmd: --append-result has no place in a sweep
          hint: each run of a sweep has a file of its own
    "]],
    );
}

#[test]
fn prompts_that_cannot_be_made_are_told_before_anything_starts() {
    let mut sweep = Sweep::new();
    for flags in [
        "--tokenizer none",
        "--tokenizer builtin --dataset-name custom --dataset-path none.jsonl",
        "--tokenizer builtin --dataset-name sharegpt --dataset-path none.json",
    ] {
        sweep.bench = format!("crestline bench serve --model m {flags}");
        let ran = sweep.run("-e e");
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.starts_with("error: --bench-cmd: "), "{}", ran.err);
        assert!(ran.err.contains("none"), "{}", ran.err);
        assert!(!sweep.place.path("results").exists());
    }
}

#[test]
fn a_benchmark_that_asks_another_port_than_its_server_s_is_told() {
    let mut sweep = Sweep::new();
    let own = sweep.bench.clone();
    for (flags, is_told) in [
        ("", false),
        ("--base-url http://127.0.0.1:1", true),
        ("--base-url http://127.0.0.1", true),
        ("--base-url http://localhost:PORT/", false),
        ("--base-url sim:gpu-small", false),
    ] {
        sweep.bench = format!("{own} {}", flags.replace("PORT", &sweep.port.to_string()));
        let ran = sweep.run("-e e --dry-run");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let told = ran.err.contains("another service is measured");
        assert_eq!(told, is_told, "{flags}: {}", ran.err);
    }
}

#[test]
fn a_dry_run_shows_every_command_and_file_and_starts_nothing() {
    let sweep = Sweep::new();
    let serve = json!({"a": {"max_num_seqs": 1}, "b": {"max_num_seqs": 2}, "c": {"tp": 2, "enable_prefix_caching": false}});
    fs::write(sweep.place.path("serve.json"), serve.to_string()).unwrap();
    let bench =
        json!([{"request_rate": 0.5}, {"request_rate": 2}, {"num_prompts": 3, "ignore_eos": true}]);
    fs::write(sweep.place.path("bench.json"), bench.to_string()).unwrap();
    let ran = sweep.run("-e e --num-runs 1 --dry-run --serve-alias tp=tensor_parallel_size");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!sweep.place.path("results").exists());
    expect_file!["sweep_serve/dry_run.txt"]
        .assert_eq(&ran.out.replace(&sweep.port.to_string(), "PORT"));
}

#[test]
fn linked_parameters_leave_the_combinations_in_which_they_are_equal() {
    let sweep = Sweep::new();
    let bench = json!([{"max_concurrency": 2}, {"max_concurrency": 8}, {"random_input_len": 5}]);
    fs::write(sweep.place.path("bench.json"), bench.to_string()).unwrap();
    let ran = sweep.run("-e e --num-runs 1 --dry-run --link-vars max_num_seqs=max_concurrency");
    let files: Vec<&str> = ran
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("Output file: "))
        .collect();
    assert_eq!(
        files,
        [
            "results/e/SERVE--few-BENCH--max_concurrency=2/run=0.json",
            "results/e/SERVE--max_num_seqs=8-BENCH--max_concurrency=8/run=0.json"
        ]
    );
    let bench = json!([{"request_rate": 8.0}, {"request_rate": 5}]);
    fs::write(sweep.place.path("bench.json"), bench.to_string()).unwrap();
    let ran = sweep.run("-e e --num-runs 1 --dry-run --link-vars max_num_seqs=request_rate");
    let expected = "results/e/SERVE--max_num_seqs=8-BENCH--request_rate=8.0/run=0.json";
    assert!(ran.out.contains(expected), "{ran:?}");
    assert_eq!(ran.out.matches("Output file: ").count(), 1, "{ran:?}");
}

#[test]
fn combinations_that_would_share_a_folder_or_show_a_key_are_refused() {
    let sweep = Sweep::new();
    for (parameters, expected) in [
        (
            json!([{"model": "a/b"}, {"model": "a_b"}]),
            expect![[r#"
                error: two combinations have the same place for results: results/e/SERVE--model=a_b-BENCH--random_input_len=16-max_concurrency=1
                  cause: `/` is `_` in names of folders, and `..` is `__`
                  hint: give one of them a name of its own, as in {"_benchmark_name": "b", …}
            "#]],
        ),
        (
            json!([{"max_num_seqs": 2, "api_key": "hidden"}]),
            expect![[r"
                error: --serve-params: the secret in api_key would stand in names of folders and in results
                  hint: write it into the command, where it is masked, or into the environment
            "]],
        ),
    ] {
        fs::write(sweep.place.path("serve.json"), parameters.to_string()).unwrap();
        let ran = sweep.run("-e e");
        assert_eq!(ran.code, Some(2), "{ran:?}");
        expected.assert_eq(&ran.err);
        assert!(!sweep.place.path("results").exists());
    }
}

#[test]
fn a_combination_may_have_a_name_longer_than_that_of_any_file() {
    let sweep = Sweep::new();
    let long = json!({"ä".repeat(200): {"max_num_seqs": 2}});
    fs::write(sweep.place.path("serve.json"), long.to_string()).unwrap();
    let ran = sweep.run("-e e --num-runs 1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(sweep.logs().len(), 1);
    let table = fs::read_to_string(sweep.place.path("results/e/summary.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2, "{table}");
}

#[test]
fn keys_are_shown_nowhere() {
    let mut sweep = Sweep::new();
    sweep
        .bench
        .push_str(" --header Authorization=Bearer-hidden");
    let ran = sweep.run("-e e --num-runs 1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains("hidden") && !ran.err.contains("hidden"));
    let root = sweep.place.path("results/e");
    for file in files(&root) {
        let text = fs::read_to_string(root.join(&file)).unwrap();
        assert!(!text.contains("hidden"), "{file}");
    }
}
