//! Trackers with stubs in Python's place: what they do changes neither the measurement nor its exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Place, Ran, free_port, wait_until};

/// A run of two loads, each of some 20 seconds of virtual time.
const RUN: &str = "perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random --max-tokens 10 --min-tokens 10 \
    --min-prompt-length 16 --max-prompt-length 16 --parallel 1 2 --number 100 200 --no-timestamp --outputs-dir out --no-html";

/// Says that it is ready, and nothing else.
const READY: &str = "echo '{\"ready\": []}'";

/// The run with a shell script in Python's place.
fn command(place: &Place, script: &str, line: &str) -> Command {
    let stub = place.path("stub");
    fs::write(&stub, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = place.command(line);
    command.env("CRESTLINE_PYTHON", stub);
    command
}

fn run(place: &Place, script: &str, more: &str) -> Ran {
    let line = format!("{RUN} --visualizer wandb {more}");
    command(place, script, &line).output().unwrap().into()
}

/// Both loads were measured and written.
fn assert_measured(place: &Place) {
    for (load, requests) in [
        ("parallel_1_number_100", 100),
        ("parallel_2_number_200", 200),
    ] {
        let summary = place.json(&format!("out/m/{load}/benchmark_summary.json"));
        assert_eq!(summary["Success Requests"], requests, "{summary}");
    }
}

fn nothing_was_measured(place: &Place) {
    let left = fs::read_dir(place.path("out")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{:?}", place.list("out"));
}

fn is_running(pid_file: &Path) -> bool {
    let pid = fs::read_to_string(pid_file).unwrap();
    Path::new("/proc").join(pid.trim()).join("exe").exists()
}

/// Lines that a stub copied into `heard`, parsed; the script comes first.
fn heard(place: &Place) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(place.path("heard")).unwrap();
    let lines = text.lines().skip(1);
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_tracker_that_never_reads_is_left_and_ended() {
    let place = Place::new();
    let script = format!("echo $$ > pid\n{READY}\nexec sleep 600");
    let ran = run(&place, &script, "--tracker-patience 0.5").done();
    assert!(
        ran.err.contains("warning: tracker wandb: ")
            && ran.err.contains("did not end within 500ms"),
        "{}",
        ran.err
    );
    assert_measured(&place);
    wait_until("the end of the tracker", || !is_running(&place.path("pid")));
}

#[test]
fn points_that_a_tracker_does_not_take_are_counted_and_results_come_before_them() {
    let place = Place::new();
    // More live points than fit into its queue and its pipe, of a load that takes hours of virtual time.
    let line = "perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random --max-tokens 50 --min-tokens 50 \
        --min-prompt-length 16 --max-prompt-length 16 --parallel 1 --number 12000 --no-timestamp --outputs-dir out --no-html \
        --visualizer wandb --tracker-patience 20";
    let script = format!(
        "{READY}\nwhile [ ! -e out/m/performance_summary.txt ]; do sleep 0.05; done\ncat > heard\necho '{{\"ended\": []}}'"
    );
    let ran: Ran = command(&place, &script, line).output().unwrap().into();
    let ran = ran.done();
    let lost = ran.err.lines().find_map(|line| {
        let rest = line.strip_prefix("warning: tracker wandb: ")?;
        rest.strip_suffix(" points dropped")?
            .replace(',', "")
            .parse::<usize>()
            .ok()
    });
    let all = heard(&place);
    let points: Vec<_> = all.iter().filter(|told| told["told"] == "live").collect();
    let steps: Vec<u64> = points
        .iter()
        .map(|told| told["step"].as_u64().unwrap())
        .collect();
    assert!(steps.is_sorted_by(|one, next| one < next), "{steps:?}");
    let told = steps.len() + lost.expect("a warning with a number");
    assert!(
        told > 8192 && told > *steps.last().unwrap() as usize,
        "{told}"
    );
    let kinds: Vec<&str> = all
        .iter()
        .filter_map(|told| told["told"].as_str())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "load_done").count(), 1);
    assert_eq!(kinds.last(), Some(&"end"));
}

#[test]
fn a_tracker_that_dies_is_one_line_with_its_last_words() {
    let place = Place::new();
    let script =
        format!("head -n 3 > /dev/null\n{READY}\nread told\necho 'the disk is full' >&2\nexit 7");
    let ran = run(&place, &script, "").done();
    let lines: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.contains("tracker wandb"))
        .collect();
    let failures = lines
        .iter()
        .filter(|line| line.contains("its process has ended (exit status: 7): the disk is full"));
    assert_eq!(failures.count(), 1, "{}", ran.err);
    assert_measured(&place);
}

#[test]
fn a_slow_tracker_is_told_everything_once_and_in_order() {
    let place = Place::new();
    let script = format!(
        "{READY}\nwhile read -r told; do printf '%s\\n' \"$told\" >> heard; sleep 0.01; done\necho '{{\"ended\": [\"it is sent\"]}}'"
    );
    let ran = run(&place, &script, "").done();
    assert!(
        ran.err.contains("tracker wandb: it is sent\n"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let all = heard(&place);
    assert_eq!(
        all[0],
        serde_json::json!({"tracker": "wandb", "key": null, "host": null})
    );
    let kinds: Vec<&str> = all[1..]
        .iter()
        .map(|told| told["told"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[0], "begin");
    assert_eq!(kinds.last(), Some(&"end"));
    assert_eq!(kinds.iter().filter(|kind| **kind == "load_done").count(), 2);
    let points: Vec<_> = all.iter().filter(|told| told["told"] == "live").collect();
    let steps: Vec<u64> = points
        .iter()
        .map(|told| told["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (0..points.len() as u64).collect::<Vec<_>>());
    assert!(
        points.len() >= 36,
        "a point a second of virtual time: {}",
        points.len()
    );
    let times: Vec<f64> = points
        .iter()
        .map(|told| told["time_s"].as_f64().unwrap())
        .collect();
    assert!(
        times.is_sorted_by(|one, next| one + 0.99 < *next || one < next),
        "{times:?}"
    );
}

#[test]
fn a_load_is_told_with_the_values_of_its_files() {
    let place = Place::new();
    let script = format!("{READY}\ncat > heard\necho '{{\"ended\": []}}'");
    run(&place, &script, "--name n --api-key top-secret").done();
    let all = heard(&place);
    assert_eq!(all[1]["name"], "n");
    assert_eq!(all[1]["varied"], "parallel");
    assert_eq!(all[1]["config"]["parallel"], serde_json::json!([1, 2]));
    assert_eq!(all[1]["config"]["visualizer"], "wandb");
    assert_eq!(all[1]["config"]["api_key"], "***");
    let done = all.iter().find(|told| told["told"] == "load_done").unwrap();
    assert_eq!(done["key"], "parallel_1_number_100");
    let summary = place.json("out/n/parallel_1_number_100/benchmark_summary.json");
    let values: Vec<(String, f64)> = serde_json::from_value(done["values"].clone()).unwrap();
    for key in [
        "Avg TTFT (ms)",
        "Output Throughput (tok/s)",
        "Success Requests",
    ] {
        let told = values.iter().find(|(name, _)| name == key).unwrap();
        assert_eq!(Some(told.1), summary[key].as_f64(), "{key}");
    }
    let nested = values
        .iter()
        .find(|(name, _)| name == "crestline_ttft_from_due_ms.p99")
        .unwrap();
    assert_eq!(
        Some(nested.1),
        summary["crestline_ttft_from_due_ms"]["p99"].as_f64()
    );
    assert!(
        values
            .iter()
            .all(|(name, value)| *value >= 0.0 && name != "Request Rate (req/s)")
    );
    let rows = place.json("out/n/parallel_1_number_100/benchmark_percentile.json");
    assert_eq!(done["percentiles"]["rows"][9][1], rows[9]["Latency (s)"]);
    assert_eq!(done["client"]["verdict"], "sound");
}

#[test]
fn a_search_tells_its_course_its_answer_and_every_load() {
    let place = Place::new();
    let line = "perf --url sim:a100-qwen2.5-0.5b --model m --tokenizer-path builtin --dataset random --max-tokens 64 \
        --min-prompt-length 100 --max-prompt-length 200 --no-timestamp --outputs-dir out --visualizer wandb --sla-auto-tune \
        --sla-variable parallel --sla-upper-bound 64 --sla-params";
    let script = format!("{READY}\ncat > heard\necho '{{\"ended\": []}}'");
    let mut command = command(&place, &script, line);
    command.arg(r#"[{"p99_ttft":"<=0.2"}]"#);
    let ran: Ran = command.output().unwrap().into();
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    let all = heard(&place);
    let of_kind = |kind: &'static str| all.iter().filter(move |told| told["told"] == kind);
    let summary = place.json("out/m/sla_summary.json");
    let answer = of_kind("answer").next().unwrap();
    let selection = &summary["selections"][0];
    for (told, written) in [
        ("criteria", "criteria"),
        ("status", "status"),
        ("max_satisfied", "max_satisfied"),
        ("binding", "binding"),
    ] {
        assert_eq!(answer["rows"][0][told], selection[written]);
    }
    assert_eq!(answer["rows"][0]["low"], selection["interval"]["low"]);
    assert_eq!(
        of_kind("load_done").count(),
        summary["loads"].as_array().unwrap().len()
    );
    let files: Vec<&str> = of_kind("artifact")
        .map(|told| told["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "sla_summary.json",
            "performance_summary.txt",
            "sla_search.svg",
            "perf_report.html"
        ]
    );
    assert_eq!(all.last().unwrap()["exit"], ran.code.unwrap());
}

#[test]
fn a_missing_package_a_missing_login_and_no_python_are_told_before_any_load() {
    let refused =
        |kind: &str| format!("echo '{{\"refused\": \"{kind}\", \"why\": \"no such thing\"}}'");
    for (script, expected) in [
        (
            refused("package"),
            "error: --visualizer wandb needs the Python package wandb",
        ),
        (
            refused("login"),
            "error: wandb cannot be logged in to\n  cause: no such thing\n  hint: give --wandb-api-key",
        ),
        (
            refused("other"),
            "error: the tracker wandb does not begin\n  cause: no such thing",
        ),
        (
            "echo hello".to_owned(),
            "cause: it says \"hello\", which is not meant for this program",
        ),
        (
            "echo 'no module' >&2; exit 3".to_owned(),
            "cause: its process has ended (exit status: 3): no module",
        ),
    ] {
        let place = Place::new();
        let ran = run(&place, &script, "");
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.err.contains(expected), "{}", ran.err);
        nothing_was_measured(&place);
    }
    let place = Place::new();
    let mut command = place.command(&format!("{RUN} --visualizer clearml"));
    let ran: Ran = command
        .env("CRESTLINE_PYTHON", "/no/such/python")
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err
            .contains("error: --visualizer clearml needs Python 3\n  cause: /no/such/python: "),
        "{}",
        ran.err
    );
    let without = command
        .env_remove("CRESTLINE_PYTHON")
        .env("PATH", place.path("none"))
        .output()
        .unwrap();
    let ran = Ran::from(without);
    assert!(
        ran.err
            .contains("error: --visualizer clearml needs Python 3\n  hint: install it"),
        "{}",
        ran.err
    );
    nothing_was_measured(&place);
}

#[test]
fn a_service_that_is_not_there_leaves_no_run_with_a_tracker() {
    let place = Place::new();
    let script = format!("touch begun\n{READY}\nexec sleep 600");
    let line = format!(
        "perf --url http://127.0.0.1:{} --model m --prompt x --number 3 --no-timestamp --outputs-dir out --visualizer wandb",
        free_port()
    );
    let ran: Ran = command(&place, &script, &line).output().unwrap().into();
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err.contains("error: the service does not answer"),
        "{}",
        ran.err
    );
    assert!(!place.path("begun").exists());
    nothing_was_measured(&place);
}

#[test]
fn a_key_goes_over_the_input_and_is_found_nowhere_else() {
    let place = Place::new();
    let script = "cat /proc/$$/cmdline /proc/$$/environ > seen\nhead -n 3 > heard\necho '{\"ready\": [\"at https://x/k3y-of-mine\"]}'\n\
        echo 'k3y-of-mine is wrong' >&2\nexit 1";
    let line = format!("{RUN} --wandb-api-key k3y-of-mine");
    let ran: Ran = command(&place, script, &line).output().unwrap().into();
    let ran = ran.done();
    assert_eq!(heard(&place)[0]["key"], "k3y-of-mine");
    let seen = fs::read(place.path("seen")).unwrap();
    assert!(!String::from_utf8_lossy(&seen).contains("k3y-of-mine"));
    assert!(
        ran.err.contains("at https://x/***") && ran.err.contains("*** is wrong"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("k3y-of-mine") && !ran.out.contains("k3y-of-mine"));
    let mut files = Vec::new();
    all_files(&place.path("out"), &mut files);
    assert!(files.len() > 5);
    for file in files {
        let text = fs::read(&file).unwrap();
        assert!(
            !String::from_utf8_lossy(&text).contains("k3y-of-mine"),
            "{}",
            file.display()
        );
    }
}

fn all_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, into);
        } else {
            into.push(path);
        }
    }
}
