//! `crestline perf --url sim:…`: a whole command in virtual time.

mod bisect;

use std::fs;
use std::process::Command;

use crate::harness::Place;

const SWEEP: &str = "perf --url sim:gpu-small --model some/model --dataset random --tokenizer-path builtin \
    --min-prompt-length 64 --max-prompt-length 64 --max-tokens 32 --parallel 2 8 --number 20 40 --no-timestamp";

#[test]
fn a_sweep_prints_its_tables_and_writes_its_files() {
    let place = Place::new();
    let ran = place.run(SWEEP).done();
    for text in [
        "Benchmarking summary:",
        "Percentile results:",
        "Detailed Performance Metrics",
        "Best Performance Configuration",
        "Performance Recommendations:",
        "Results are in outputs/model",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    assert_eq!(
        place.list("outputs/model"),
        [
            "benchmark.log",
            "parallel_2_number_20",
            "parallel_8_number_40",
            "perf_report.html",
            "performance_summary.txt"
        ]
    );
    assert_eq!(
        place.list("outputs/model/parallel_8_number_40"),
        [
            "benchmark_args.json",
            "benchmark_data.db",
            "benchmark_percentile.json",
            "benchmark_summary.json",
            "workload_throughput.json",
            "workload_timeline.json"
        ]
    );
    let report = fs::read_to_string(place.path("outputs/model/performance_summary.txt")).unwrap();
    assert!(
        ran.out.contains(report.trim_end()),
        "the file holds what is printed"
    );
}

#[test]
fn the_files_of_a_load_hold_its_figures() {
    let place = Place::new();
    place.run(SWEEP).done();
    let summary = place.json("outputs/model/parallel_8_number_40/benchmark_summary.json");
    assert_eq!(summary["Concurrency"], 8);
    assert_eq!(summary["Success Requests"], 40);
    assert_eq!(summary["Failed Requests"], 0);
    assert_eq!(summary["Avg Output Tokens"], 32.0);
    assert!(
        summary.get("Avg Decoded Tok/Iter").is_none(),
        "each event is one token"
    );
    assert_eq!(summary["Avg Input Tokens"], 64.0);
    assert_eq!(summary["crestline_client"]["void"], false);
    let args = place.json("outputs/model/parallel_8_number_40/benchmark_args.json");
    assert_eq!(
        args["dataset_offset"], 20,
        "a later load starts where the one before ended"
    );
    assert_eq!(args["number"], 40);
    let timeline = place.json("outputs/model/parallel_8_number_40/workload_timeline.json");
    assert_eq!(timeline["points"].as_array().unwrap().len(), 40);
    assert_eq!(timeline["points"][39]["cum_completion"], 40 * 32);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed: &str| {
        let place = Place::new();
        place.run(&format!("{SWEEP} --seed {seed}")).done();
        [
            "benchmark_summary.json",
            "benchmark_percentile.json",
            "workload_timeline.json",
        ]
        .map(|file| fs::read(place.path("outputs/model/parallel_8_number_40").join(file)).unwrap())
    };
    let first = bytes("7");
    assert_eq!(first, bytes("7"));
    assert_ne!(first[0], bytes("8")[0]);
}

/// The quick start of the documents, at its highest load, against what was published for one A100.
#[test]
fn the_published_figures_of_the_quick_start_are_met_within_a_quarter() {
    let place = Place::new();
    place
        .run(
            "perf --parallel 200 --number 400 --model Qwen2.5-0.5B-Instruct --url sim:a100-qwen2.5-0.5b --api openai \
             --dataset random --max-tokens 1024 --min-tokens 1024 --prefix-length 0 --min-prompt-length 1024 \
             --max-prompt-length 1024 --tokenizer-path builtin --extra-args {\"ignore_eos\":true} --no-timestamp",
        )
        .done();
    let summary =
        place.json("outputs/Qwen2.5-0.5B-Instruct/parallel_200_number_400/benchmark_summary.json");
    for (key, published) in [
        ("Output Throughput (tok/s)", 6501.6),
        ("Avg TPOT (ms)", 29.0),
        ("Avg Latency (s)", 30.996),
        ("Avg Output Tokens", 1024.0),
    ] {
        let found = summary[key].as_f64().unwrap();
        assert!(
            (found / published - 1.0).abs() < 0.25,
            "{key}: {found}, published {published}"
        );
    }
}

#[test]
fn an_hour_of_open_loop_load_takes_moments_and_names_its_folder_by_the_rate() {
    let place = Place::new();
    place
        .run(
            "perf --url sim:gpu-small --model m --dataset random --tokenizer-path builtin --min-prompt-length 32 \
             --max-prompt-length 32 --max-tokens 8 --open-loop --rate 0.25 0.5 --number 900 900 --no-timestamp \
             --no-text --name hour",
        )
        .done();
    let summary = place.json("outputs/hour/rate_0.25_number_900/benchmark_summary.json");
    assert!(summary["Test Duration (s)"].as_f64().unwrap() > 3000.0);
    assert_eq!(summary["Concurrency"], -1);
    assert_eq!(summary["Request Rate (req/s)"], 0.25);
    assert!(summary["crestline_latency_from_due_s"]["p99"].is_number());
    assert!(place.path("outputs/hour/rate_0.5_number_900").is_dir());
}

#[test]
fn the_log_holds_what_the_console_shows_with_the_time_of_each_message() {
    let place = Place::new();
    let ran = place.run(&format!("{SWEEP} --log-every-n-query 5")).done();
    let log = fs::read_to_string(place.path("outputs/model/benchmark.log")).unwrap();
    let shape = |line: &str| -> String {
        line.chars()
            .map(|letter| if letter.is_ascii_digit() { '9' } else { letter })
            .take("9999-99-99 99:99:99.999 ".len())
            .collect()
    };
    let stamped = |line: &&str| shape(line) == "9999-99-99 99:99:99.999 ";
    assert!(
        log.lines().next().is_some_and(|line| stamped(&line)),
        "{log}"
    );
    let without_times: Vec<&str> = log
        .lines()
        .map(|line| if stamped(&line) { &line[24..] } else { line })
        .collect();
    for shown in ran.out.lines().chain(ran.err.lines()) {
        assert!(
            shown.is_empty() || without_times.contains(&shown),
            "`{shown}` is not in {log}"
        );
    }
    assert!(!log.contains('\x1b') && !log.contains('\r'), "{log}");
}

#[test]
fn a_load_that_ended_before_its_first_request_shows_no_figures() {
    let place = Place::new();
    let ran = place.run(
        "perf --url sim:gpu-small --model m --prompt hello --tokenizer-path builtin --no-timestamp --number 2 \
         --open-loop --rate 0.0001 --duration 1",
    );
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("error: no request was sent"),
        "{}",
        ran.err
    );
    assert!(
        ran.out.contains("No counted request was sent"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("Benchmarking summary"), "{}", ran.out);
}

#[test]
fn a_second_run_into_the_same_folder_is_refused_and_touches_nothing() {
    let place = Place::new();
    place.run(SWEEP).done();
    let before = fs::read(place.path("outputs/model/performance_summary.txt")).unwrap();
    let ran = place.run(SWEEP);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("benchmark_data.db"), "{}", ran.err);
    assert!(ran.err.contains("hint: "), "{}", ran.err);
    assert_eq!(
        before,
        fs::read(place.path("outputs/model/performance_summary.txt")).unwrap()
    );
}

#[test]
fn the_same_pair_twice_has_a_folder_each() {
    let place = Place::new();
    place
        .run(
            "perf --url sim:gpu-small --model m --dataset random --tokenizer-path builtin --max-prompt-length 32 \
             --min-prompt-length 32 --max-tokens 4 --parallel 2 2 --number 4 4 --no-timestamp",
        )
        .done();
    assert_eq!(
        place.list("outputs/m"),
        [
            "benchmark.log",
            "parallel_2_number_4",
            "parallel_2_number_4_2",
            "perf_report.html",
            "performance_summary.txt"
        ]
    );
}

#[test]
fn progress_is_written_where_it_is_asked_for() {
    let place = Place::new();
    place
        .run(&format!("{SWEEP} --enable-progress-tracker --warmup-num 3"))
        .done();
    let progress = place.json("outputs/model/progress.json");
    assert_eq!(progress["status"], "completed");
    assert_eq!(progress["total_count"], 20 + 3 + 40 + 3);
    assert_eq!(progress["processed_count"], progress["total_count"]);
    assert_eq!(progress["percent"], 100.0);
}

#[test]
fn a_profile_may_be_a_file() {
    let place = Place::new();
    fs::write(
        place.path("engine.toml"),
        "summary = \"mine\"\n[iteration]\nbase_ms = 100.0\n",
    )
    .unwrap();
    let line = SWEEP.replace("sim:gpu-small", "sim:engine.toml");
    place.run(&line).done();
    let summary = place.json("outputs/model/parallel_2_number_20/benchmark_summary.json");
    assert!(summary["Avg TPOT (ms)"].as_f64().unwrap() >= 100.0);
}

#[test]
fn python_reads_the_database() {
    let place = Place::new();
    place.run(SWEEP).done();
    let script = "import json, sqlite3\n\
        db = sqlite3.connect('outputs/model/parallel_8_number_40/benchmark_data.db')\n\
        rows = db.execute('select success, latency, completion_tokens, inter_token_latencies, request from result').fetchall()\n\
        assert len(rows) == 40, len(rows)\n\
        for ok, latency, tokens, gaps, request in rows:\n\
        \x20   assert ok == 1 and latency > 0 and tokens == 32\n\
        \x20   assert len(json.loads(gaps)) == 31\n\
        \x20   assert json.loads(request)['model'] == 'some/model'\n\
        print('read')";
    let python = Command::new("python3")
        .args(["-c", script])
        .current_dir(place.path(""))
        .output();
    // A machine without Python has nothing to check here.
    if let Ok(output) = python {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "read\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
