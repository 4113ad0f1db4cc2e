//! Programs of others in place of `crestline bench serve`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect;
use serde_json::json;

use super::Sweep;
use crate::harness::Place;

/// A stand-in for a program that measures: writes down that it was called, and the result that it was told to.
fn program(place: &Place, name: &str, result: &str) {
    let path = place.path(name);
    let text = format!(
        "#!/bin/sh\necho \"$@\" >> {calls}\nwhile [ $# -gt 0 ]; do\n  case $1 in --result-dir) dir=$2;; --result-filename) file=$2;; esac\n  shift\ndone\necho measuring\n{result}\n",
        calls = place.path("calls").display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn another_program_measures_and_its_result_is_kept() {
    let mut sweep = Sweep::new();
    program(
        &sweep.place,
        "bench.sh",
        "echo '{\"completed\": 3, \"max_concurrency\": 7, \"duration\": 0.1}' > $dir/$file",
    );
    sweep.bench = "./bench.sh --percentile-metrics queue --a 1".to_owned();
    let ran = sweep.run("-e e --num-runs 1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let run = sweep
        .place
        .json("results/e/SERVE--few-BENCH--random_input_len=16-max_concurrency=4/run=0.json");
    // A parameter takes the place of a measured value, as in vLLM's own files.
    assert_eq!(
        (&run["completed"], &run["max_concurrency"]),
        (&json!(3), &json!(4))
    );
    let calls = fs::read_to_string(sweep.place.path("calls")).unwrap();
    assert_eq!(calls.lines().count(), 4);
    assert!(
        calls.contains("--percentile-metrics ttft,tpot,itl,e2el,queue"),
        "{calls}"
    );
}

#[test]
fn a_program_that_fails_or_writes_nothing_is_a_failed_run() {
    for (result, why) in [
        ("exit 3", "the benchmark ended with exit code 3"),
        ("true", "the benchmark wrote no "),
        ("echo '[]' > $dir/$file", "holds no result"),
        (
            "echo '{\"completed\": 0, \"failed\": 5}' > $dir/$file",
            "all requests of the run failed",
        ),
    ] {
        let mut sweep = Sweep::new();
        program(&sweep.place, "bench.sh", result);
        sweep.bench = "./bench.sh".to_owned();
        let ran = sweep.run("-e e --num-runs 1");
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err.contains(why) && ran.err.contains("--resume e"),
            "{}",
            ran.err
        );
        let failure = sweep.place.json(
            "results/e/SERVE--few-BENCH--random_input_len=16-max_concurrency=1/run=0.failure.json",
        );
        assert_eq!(failure["error_type"], "BenchmarkError");
        assert!(
            failure["error"].as_str().unwrap().contains(why),
            "{failure}"
        );
        assert_eq!(
            failure["serve_overrides"],
            json!({"_benchmark_name": "few", "max_num_seqs": 2})
        );
        assert_eq!(failure["bench_overrides"]["max_concurrency"], 1);
    }
}

#[test]
fn runs_of_vllm_s_own_sweep_are_used_where_vllm_measures() {
    let mut sweep = Sweep::new();
    program(&sweep.place, "vllm", "exit 9");
    let names = [("few", 2, "few"), ("max_num_seqs=8", 8, "")];
    for (folder, seqs, name) in names {
        for users in [1, 4] {
            let cell = format!(
                "results/e/SERVE--{folder}-BENCH--random_input_len=16-max_concurrency={users}"
            );
            let cell = sweep.place.path(&cell);
            fs::create_dir_all(&cell).unwrap();
            let mut run = json!({"completed": 5, "duration": 0.1, "label": null, "run_number": 0});
            if !name.is_empty() {
                run["_benchmark_name"] = name.into();
            }
            run["max_num_seqs"] = seqs.into();
            run["random_input_len"] = 16.into();
            run["max_concurrency"] = users.into();
            fs::write(cell.join("run=0.json"), run.to_string()).unwrap();
        }
    }
    sweep.bench = format!("{} bench serve", sweep.place.path("vllm").display());
    let ran = sweep.run("--resume e --num-runs 1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.matches("[SKIPPED BENCHMARK]").count(), 4);
    assert!(!sweep.place.path("calls").exists());
    let table = fs::read_to_string(sweep.place.path("results/e/summary.csv")).unwrap();
    expect![[r"
        ,completed,duration,label,run_number,_benchmark_name,max_num_seqs,random_input_len,max_concurrency
        0,5,0.1,,0,few,2,16,1
        1,5,0.1,,0,few,2,16,4
        2,5,0.1,,0,,8,16,1
        3,5,0.1,,0,,8,16,4
    "]].assert_eq(&table);
    // crestline's own figures are not put beside those of another client.
    sweep
        .bench
        .push_str(" --model m --tokenizer builtin --random-output-len 4 --num-prompts 6");
    let ran = sweep.run("--resume e --num-runs 1 --bench-native");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.err.matches("another tool measured it").count(), 4);
}

#[test]
fn keys_that_a_program_prints_are_not_passed_on() {
    let mut sweep = Sweep::new();
    program(&sweep.place, "bench.sh", "cat args; exit 3");
    fs::write(
        sweep.place.path("args"),
        "{'Authorization': 'hidden-1'} hidden-2",
    )
    .unwrap();
    sweep.bench = "./bench.sh --header Authorization=hidden-1 --api-key hidden-2".to_owned();
    let ran = sweep.run("-e e --num-runs 1 --show-stdout");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let shown = "{'Authorization': '***'} ***";
    assert!(
        ran.out.contains(shown) && ran.err.contains(shown),
        "{ran:?}"
    );
    let failure = fs::read_to_string(sweep.place.path(
        "results/e/SERVE--few-BENCH--random_input_len=16-max_concurrency=1/run=0.failure.json",
    ));
    for text in [ran.out, ran.err, failure.unwrap()] {
        assert!(!text.contains("hidden"), "{text}");
    }
}
