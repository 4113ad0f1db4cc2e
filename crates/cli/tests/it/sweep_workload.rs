//! `crestline bench sweep serve_workload`: from one request at a time to all at once, on servers that are really started. What the
//! loads come to is measured in virtual time, so that it is the same each time.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Place, Ran};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

const BENCH: &str = "crestline bench serve --backend vllm --model m --tokenizer builtin --temperature 0 --random-input-len 64 \
                     --random-output-len 32";

/// Runs a sweep with such a benchmark, on an engine in virtual time that is not the one that is started.
fn sweep(place: &Place, bench: &str, more: &[&str]) -> Ran {
    let server = format!("crestline sim --profile full-speed --port {}", free_port());
    let bench = format!("{BENCH} {bench}");
    let mut command = place.command("bench sweep serve_workload");
    command.args(["--serve-cmd", &server, "--bench-cmd", &bench]);
    command
        .args(["-e", "w", "--num-runs", "1"])
        .args(more)
        .output()
        .unwrap()
        .into()
}

/// Folders of results.
fn folders(place: &Place) -> Vec<String> {
    let all = place.list("results/w");
    all.into_iter()
        .filter(|name| name.contains("WL--"))
        .collect()
}

#[test]
fn loads_lie_between_one_request_at_a_time_and_all_at_once() {
    let place = Place::new();
    let bench = "--base-url sim:demo --num-prompts 200";
    let more = ["--workload-var", "max_concurrency", "--workload-iters", "6"];
    let ran = sweep(&place, bench, &more).done();
    let folders = folders(&place);
    assert_eq!(folders.len(), 6, "{folders:?}");
    for end in ["1", "200"] {
        let name = format!("BENCH--max_concurrency={end}-WL--max_concurrency={end}");
        assert!(folders.contains(&name), "{folders:?}");
        let run = place.json(&format!("results/w/{name}/run=0.json"));
        assert_eq!(run["max_concurrency"].to_string(), end);
        let summary = place.json(&format!("results/w/{name}/summary.json"));
        assert_eq!(summary[0], run);
    }
    let mut between: Vec<u32> = folders
        .iter()
        .filter_map(|name| name.strip_prefix("WL--max_concurrency=")?.parse().ok())
        .collect();
    between.sort_unstable();
    assert_eq!(between.len(), 4);
    assert!(
        between[0] < 5 && (20..200).contains(&between[3]),
        "{between:?}"
    );
    let table = fs::read_to_string(place.path("results/w/summary.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 6, "{table}");
    for mark in [
        "[WL START]\nServe parameters: (None)\nBench parameters: (None)\nNumber of workload iterations: 6\nDataset size: 200\n",
        "[WL END]\n[END SERVER]\n",
    ] {
        assert!(ran.out.contains(mark), "no {mark} in {}", ran.out);
    }
    let shown = ran.out.find("| max_concurrency=200 ").unwrap();
    let last = format!("| max_concurrency={} ", between[3]);
    assert!(ran.out.find(&last).unwrap() < shown, "{}", ran.out);
}

#[test]
fn a_slow_server_gets_rates_below_one_and_those_near_its_highest() {
    let place = Place::new();
    let bench = "--base-url sim:cpu --num-prompts 30 --random-output-len 200";
    sweep(&place, bench, &["--workload-iters", "5"]).done();
    let folders = folders(&place);
    assert!(folders.contains(&"BENCH--max_concurrency=1-WL--request_rate=1".to_owned()));
    assert!(folders.contains(&"BENCH--max_concurrency=30-WL--request_rate=30".to_owned()));
    let rates: Vec<f64> = folders
        .iter()
        .filter_map(|name| name.strip_prefix("WL--request_rate=")?.parse().ok())
        .collect();
    assert_eq!(rates.len(), 3, "{folders:?}");
    let batch = place.json("results/w/BENCH--max_concurrency=30-WL--request_rate=30/run=0.json");
    let highest = batch["request_throughput"].as_f64().unwrap();
    assert!(highest < 1.0, "{highest}");
    let near = rates.iter().filter(|rate| **rate > 0.75 * highest).count();
    assert_eq!(near, 2, "{rates:?} {highest}");
    assert!(rates.iter().all(|rate| *rate > 0.0 && *rate < highest));
}

#[test]
fn what_is_there_is_used_and_no_server_is_started_for_nothing() {
    let place = Place::new();
    let bench = "--base-url sim:demo --num-prompts 20";
    let more = ["--workload-iters", "4", "--workload-spacing", "linear"];
    let port = free_port().to_string();
    let serve = format!("crestline sim --profile full-speed --port {port}");
    let again = |more: &[&str]| -> Ran {
        let mut command = place.command("bench sweep serve_workload");
        command.args(["--serve-cmd", &serve, "--bench-cmd"]);
        command.arg(format!("{BENCH} {bench}"));
        command.args(["-e", "w", "--num-runs", "1"]).args(more);
        command.output().unwrap().into()
    };
    again(&more).done();
    let before = folders(&place);
    let log = place.path("results/w/crestline/servers/SERVE-default.log");
    fs::remove_file(&log).unwrap();
    let table = fs::read_to_string(place.path("results/w/summary.csv")).unwrap();
    let resumed = [&more[..], &["--resume"]].concat();
    let ran = again(&resumed).done();
    assert!(!ran.out.contains("[BEGIN SERVER]"), "{}", ran.out);
    assert!(!log.exists());
    assert_eq!(
        fs::read_to_string(place.path("results/w/summary.csv")).unwrap(),
        table
    );
    let between = before.iter().find(|name| name.starts_with("WL--")).unwrap();
    fs::remove_dir_all(place.path(&format!("results/w/{between}"))).unwrap();
    let ran = again(&resumed).done();
    assert_eq!(
        ran.out.matches("[SKIPPED BENCHMARK]").count(),
        3,
        "{}",
        ran.out
    );
    assert_eq!(folders(&place), before);
    let dry = again(&[&resumed[..], &["--dry-run"]].concat()).done();
    assert_eq!(
        dry.out.matches("[BEGIN BENCHMARK]").count(),
        4,
        "{}",
        dry.out
    );
}

#[test]
fn in_virtual_time_the_engine_of_each_server_is_measured_and_none_is_started() {
    let place = Place::new();
    let sizes = r#"[{"tensor_parallel_size": 1}, {"tensor_parallel_size": 4}]"#;
    fs::write(place.path("s.json"), sizes).unwrap();
    let mut command = place.command("bench sweep serve_workload --virtual-time -e w --num-runs 1");
    command.args(["--workload-iters", "3", "--serve-params", "s.json"]);
    command.args(["--serve-cmd", "crestline sim --profile gpu-small"]);
    command.args(["--bench-cmd", &format!("{BENCH} --num-prompts 300")]);
    Ran::from(command.output().unwrap()).done();
    let [one, four] = [1, 4].map(|size| {
        let folder = format!(
            "SERVE--tensor_parallel_size={size}-BENCH--max_concurrency=300-WL--request_rate=300"
        );
        let run = place.json(&format!("results/w/{folder}/run=0.json"));
        run["request_throughput"].as_f64().unwrap()
    });
    assert!(four > 1.5 * one, "{one} {four}");
    let logs = place.list("results/w/crestline/servers");
    assert!(logs.iter().all(|name| !name.contains(".log")), "{logs:?}");
}

#[test]
fn another_program_may_measure_and_loads_follow_from_what_it_says() {
    let place = Place::new();
    let script = place.path("measure.sh");
    // Two requests a second one by one, nine all at once, and as many as asked for in between.
    let text = r#"#!/bin/sh
rate=9
while [ $# -gt 0 ]; do
  case "$1" in
    --request-rate) [ "$2" = 1 ] && rate=2 ;;
    --result-dir) folder=$2 ;;
    --result-filename) file=$2 ;;
  esac
  shift
done
mkdir -p "$folder"
echo '{"completed": 5, "failed": 0, "mean_e2el_ms": 500, "request_throughput": '$rate'}' > "$folder/$file"
"#;
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let server = format!("crestline sim --profile full-speed --port {}", free_port());
    let mut command = place.command("bench sweep serve_workload -e w --num-runs 2");
    command.args(["--serve-cmd", &server, "--bench-cmd"]);
    command.arg(format!("{} --num-prompts 30", script.display()));
    command.args(["--workload-iters", "4", "--workload-spacing", "linear"]);
    let ran = Ran::from(command.output().unwrap()).done();
    assert_eq!(
        folders(&place),
        [
            "BENCH--max_concurrency=1-WL--request_rate=1",
            "BENCH--max_concurrency=30-WL--request_rate=30",
            "WL--request_rate=4",
            "WL--request_rate=7",
        ],
        "{}",
        ran.out
    );
    let runs = place.json("results/w/WL--request_rate=4/summary.json");
    assert_eq!(runs.as_array().unwrap().len(), 2);
    assert_eq!(
        (&runs[1]["run_number"], &runs[1]["request_rate"]),
        (&1.into(), &4.into())
    );
}

#[test]
fn a_server_that_ends_at_the_heavy_load_leaves_the_light_one() {
    let place = Place::new();
    let port = free_port();
    let server =
        format!("crestline sim --profile full-speed --port {port} --exit-after-requests 15");
    let bench = format!("{BENCH} --num-prompts 10 --base-url http://127.0.0.1:{port}");
    let run = |more: &[&str]| -> Ran {
        let mut command = place.command("bench sweep serve_workload -e w --num-runs 1");
        command.args(["--workload-var", "max_concurrency", "--workload-iters", "2"]);
        command.args(["--serve-cmd", &server, "--bench-cmd", &bench]);
        command.args(more).output().unwrap().into()
    };
    let ran = run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for text in ["the server ended with exit code 1", "--resume w"] {
        assert!(ran.err.contains(text), "no `{text}` in {}", ran.err);
    }
    let table = fs::read_to_string(place.path("results/w/summary.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 1, "{table}");
    assert!(place.path("results/w/SERVE-default-failure.json").exists());
    let again = run(&["--resume", "--continue-on-error"]);
    assert_eq!(
        again.code,
        Some(0),
        "now its requests are those of the heavy load alone: {again:#?}"
    );
}

#[test]
fn a_dry_run_shows_both_ends_and_starts_nothing() {
    let place = Place::new();
    fs::write(
        place.path("s.json"),
        r#"[{"max_num_seqs": 1}, {"max_num_seqs": 2}]"#,
    )
    .unwrap();
    let more = ["--dry-run", "--serve-params", "s.json"];
    let ran = sweep(&place, "--base-url sim:demo --num-prompts 7", &more).done();
    assert_eq!(
        ran.out.matches("[BEGIN BENCHMARK]").count(),
        4,
        "{}",
        ran.out
    );
    assert_eq!(ran.out.matches("(up to 8 more loads").count(), 2);
    assert!(ran.out.contains("'request_rate': 7"), "{}", ran.out);
    assert!(!place.path("results").exists());
}

#[test]
fn wrong_use_is_told_before_a_server_is_started() {
    let place = Place::new();
    fs::write(place.path("b.json"), r#"[{"request-rate": 3}]"#).unwrap();
    for (bench, more, texts) in [
        (
            "--base-url sim:demo",
            &["--bench-params", "b.json"][..],
            ["sets request_rate", "--workload-var"],
        ),
        (
            "--base-url sim:demo",
            &["--workload-iters", "1"],
            ["--workload-iters must be 2", "hint: "],
        ),
        (
            "--base-url sim:demo --num-prompts 0",
            &[],
            ["--num-prompts", "0"],
        ),
        (
            "--base-url sim:demo",
            &["--workload-spacing", "dense"],
            ["--workload-spacing", "knee"],
        ),
    ] {
        let ran = sweep(&place, bench, more);
        assert_eq!(ran.code, Some(2), "{more:?}: {ran:#?}");
        for text in texts {
            assert!(
                ran.err.contains(text),
                "{more:?}: no `{text}` in {}",
                ran.err
            );
        }
        assert!(!place.path("results").exists());
    }
}
