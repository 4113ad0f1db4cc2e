//! `crestline bench sweep serve_sla`: the highest load within an SLA for each server, by one session or by whole runs.

mod refused;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use expect_test::expect;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Place, Ran, rows, signal, wait_until};
use crate::sla_virtual::EIGHT;

/// Requests of 16 and 32 tokens.
const BENCH: &str = "crestline bench serve --model m --tokenizer builtin --random-input-len 16 --random-output-len 32 \
                     --num-prompts 200";

/// Where the files of a combination are.
const EXPERIMENT: &str = "results/e";

/// An experiment on simulated servers of eight requests at a time, or fewer.
struct Experiment {
    place: Place,
    port: u16,
    bench: String,
}

impl Experiment {
    /// Benchmarks go to the servers that are started.
    fn real(serve: &Value, sla: &Value) -> Self {
        let place = Place::new();
        fs::write(place.path("eight.toml"), EIGHT).unwrap();
        fs::write(place.path("serve.json"), serve.to_string()).unwrap();
        fs::write(place.path("sla.json"), sla.to_string()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            place,
            port,
            bench: format!("{BENCH} --port {port}"),
        }
    }

    /// Benchmarks run in virtual time, on one engine whichever server there is.
    fn in_virtual_time(serve: &Value, sla: &Value) -> Self {
        Self {
            bench: format!("{BENCH} --base-url sim:eight.toml"),
            ..Self::real(serve, sla)
        }
    }

    fn command(&self, flags: &str) -> Command {
        let mut command = self.place.command("bench sweep serve_sla");
        command
            .arg("--serve-cmd")
            .arg(format!(
                "crestline sim --profile eight.toml --port {}",
                self.port
            ))
            .arg("--bench-cmd")
            .arg(&self.bench)
            .args("--serve-params serve.json --sla-params sla.json -o results".split(' '))
            .args(flags.split_whitespace());
        command
    }

    fn run(&self, flags: &str) -> Ran {
        self.command(flags).output().unwrap().into()
    }

    fn file(&self, name: &str) -> Value {
        self.place.json(&format!("{EXPERIMENT}/{name}"))
    }

    /// The ranking of one SLA: configurations with their status and load.
    fn ranking(&self, sla: usize) -> Vec<(String, String, Option<f64>)> {
        let all = self.file("crestline/sla.json");
        let ranking = all["slas"][sla]["ranking"].as_array().unwrap();
        let row = |row: &Value| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("serve"), text("status"), row["load"].as_f64())
        };
        ranking.iter().map(row).collect()
    }
}

fn one_server() -> Value {
    json!([{"max_num_seqs": 8}])
}

/// Waiting decides the time to first token from 9 users on; a whole answer takes 0.1 s.
fn two_slas() -> Value {
    json!([{"p99_ttft_ms": "<=100"}, {"p99_e2el_ms": "<=200"}])
}

fn one_sla() -> Value {
    json!([{"p99_ttft_ms": "<=100"}])
}

fn found(row: &(String, String, Option<f64>)) -> f64 {
    assert_eq!(row.1, "value", "{row:?}");
    row.2.unwrap()
}

/// Each load that was tried is a run of its own, and a row with the answer.
fn check_loads(experiment: &Experiment) {
    let rows = experiment.file("SERVE--eight/SLA--p99_ttft_ms<=100.00.json");
    let rows = rows.as_array().unwrap();
    assert!(rows.len() > 3, "{rows:?}");
    for row in rows {
        let users = row["max_concurrency"].as_u64().unwrap();
        let folder = format!("SERVE--eight/max_concurrency={users}");
        let run = experiment.file(&format!("{folder}/run=0.json"));
        assert_eq!(run["p99_ttft_ms"], row["p99_ttft_ms"]);
        assert_eq!(
            experiment.file(&format!("{folder}/summary.json")),
            json!([run])
        );
        assert_eq!(row["crestline_sla"]["criteria"], "p99_ttft_ms<=100.00");
        assert_eq!(row["max_num_seqs"], 8);
    }
}

/// Going on with what is complete starts nothing and changes nothing.
fn check_going_on(experiment: &Experiment, flags: &str, ran: &Ran) {
    let ranking = experiment.ranking(0);
    let table = fs::read_to_string(experiment.place.path("results/e/summary.csv")).unwrap();
    assert!(table.starts_with(",date,"), "{table}");

    let again = experiment.run(&format!("--resume e {flags}"));
    assert_eq!(again.code, ran.code, "{again:#?}");
    assert!(!again.out.contains("[BEGIN SERVER]"), "{}", again.out);
    assert_eq!(experiment.ranking(0), ranking);
    let table_again = fs::read_to_string(experiment.place.path("results/e/summary.csv")).unwrap();
    assert_eq!(table_again, table);
}

#[test]
fn each_server_is_searched_and_the_best_comes_first() {
    let serve = json!([{"max_num_seqs": 4}, {"_benchmark_name": "eight", "max_num_seqs": 8}]);
    let experiment = Experiment::real(&serve, &one_sla());
    let flags =
        "--sla-variable max_concurrency --sla-upper-bound 64 --sla-tolerance 0.2 --sla-budget 8s";
    let ran = experiment.run(&format!("-e e {flags}"));
    // On a busy machine the budget may not suffice to be sure.
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    let ranking = experiment.ranking(0);
    assert_eq!(ranking.len(), 2);
    if ranking.iter().all(|row| row.1 == "value") {
        assert_eq!(ranking[0].0, "eight");
        // 8 at a time in 0.1 s each: within 0.1 s a newcomer waits for one whole turn at most.
        let (eight, four) = (found(&ranking[0]), found(&ranking[1]));
        assert!((9.0..=17.0).contains(&eight), "{ranking:?}");
        assert!((4.0..=9.0).contains(&four), "{ranking:?}");
    }
    for text in [
        "[SLA START]",
        "Maximum max_concurrency for SLA: ",
        "[SLA END]",
        "tok/s per GPU",
    ] {
        assert!(ran.out.contains(text), "no {text} in {}", ran.out);
    }
    assert_eq!(ran.out.matches("[BEGIN SERVER]").count(), 2);
    check_loads(&experiment);
    check_going_on(&experiment, flags, &ran);
}

#[test]
fn a_killed_search_goes_on_and_sends_nothing_twice() {
    let experiment = Experiment::real(&one_server(), &one_sla());
    let flags =
        "--sla-variable max_concurrency --sla-upper-bound 64 --sla-tolerance 0.2 --sla-budget 6s";
    let mut child = experiment
        .command(&format!("-e e {flags}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let database = experiment
        .place
        .path("results/e/crestline/searches/SERVE--max_num_seqs=8/benchmark_data.db");
    wait_until("a part of the search", || {
        database.exists() && rows(&database) > 50
    });
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let before = rows(&database);
    let ran = experiment.run(&format!("--resume e {flags}"));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    assert!(rows(&database) > before);
    let reader = rusqlite::Connection::open(&database).unwrap();
    let twice: i64 = reader
        .query_row(
            "SELECT count(*) - count(DISTINCT request_index) FROM result",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(twice, 0);
    let ranking = experiment.ranking(0);
    assert!(
        ["value", "inconclusive"].contains(&ranking[0].1.as_str()),
        "{ranking:?}"
    );
}

#[test]
fn one_session_answers_for_all_slas_of_a_server() {
    let experiment = Experiment::in_virtual_time(&one_server(), &two_slas());
    let flags = "--sla-variable max_concurrency --sla-upper-bound 64";
    let ran = experiment.run(&format!("-e e {flags}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let loads = [0, 1].map(|sla| found(&experiment.ranking(sla)[0]));
    // Whoever waits for 0.1 s has the whole answer after 0.2 s.
    assert!((loads[0] - loads[1]).abs() <= 2.0, "{loads:?}");
    assert!((10.0..=17.0).contains(&loads[0]), "{loads:?}");
    // What both rest on is the same.
    let rows = |sla: &str| {
        let rows = experiment.file(&format!("SERVE--max_num_seqs=8/SLA--{sla}.json"));
        let rows = rows.as_array().unwrap().iter();
        let users = rows.map(|row| row["max_concurrency"].as_u64().unwrap());
        users.collect::<Vec<_>>()
    };
    assert_eq!(rows("p99_ttft_ms<=100.00"), rows("p99_e2el_ms<=200.00"));
    assert_eq!(
        experiment.place.list("results/e/crestline/searches").len(),
        1
    );
}

#[test]
fn the_better_of_two_servers_wins_with_a_load_near_the_truth() {
    let serve = json!([{"_benchmark_name": "four", "max_num_seqs": 4}, {"_benchmark_name": "eight", "max_num_seqs": 8}]);
    let mut experiment = Experiment::real(&serve, &one_sla());
    experiment.bench = format!("{BENCH} --random-range-ratio 0.5 --seed 7");
    let ran =
        experiment.run("-e e --virtual-time --sla-variable max_concurrency --sla-upper-bound 64");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let ranking = experiment.ranking(0);
    assert_eq!(ranking[0].0, "eight");
    for row in &ranking {
        let load = found(row);
        let p99 = |users: f64| {
            let line = format!(
                "bench serve --model m --tokenizer builtin --random-input-len 16 --random-output-len 32 --random-range-ratio 0.5 \
                 --num-prompts 3000 --seed 8 --base-url sim:results/e/crestline/profiles/SERVE-{}.toml \
                 --max-concurrency {users} --save-result --result-filename truth.json",
                row.0
            );
            experiment.place.run(&line).done();
            experiment.place.json("truth.json")["p99_ttft_ms"]
                .as_f64()
                .unwrap()
        };
        let (below, above) = ((load * 0.95).floor() - 1.0, (load * 1.05).ceil() + 1.0);
        assert!(
            p99(below) <= 100.0 && p99(above) > 100.0,
            "{row:?}: {} to {}",
            p99(below),
            p99(above)
        );
    }
}

#[test]
fn a_search_whose_budget_was_used_up_goes_on_with_a_larger_one() {
    let experiment = Experiment::in_virtual_time(&one_server(), &one_sla());
    let flags = "--sla-variable max_concurrency --sla-upper-bound 64 --sla-tolerance 0.2";
    let ran = experiment.run(&format!("-e e {flags} --sla-budget 200req"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(experiment.ranking(0)[0].1, "inconclusive");
    let database = experiment
        .place
        .path("results/e/crestline/searches/SERVE--max_num_seqs=8/benchmark_data.db");
    let before = rows(&database);
    let ran = experiment.run(&format!("--resume e {flags} --sla-budget 5000req"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(!ran.err.contains("is not used"), "{}", ran.err);
    assert!((10.0..=17.0).contains(&found(&experiment.ranking(0)[0])));
    assert!(rows(&database) > before && before >= 200);
}

#[test]
fn a_search_in_which_nothing_is_answered_is_a_failure_and_the_rest_goes_on() {
    let serve = json!([{"fault": "http-500=1"}, {"max_num_seqs": 8}]);
    let experiment = Experiment::real(&serve, &one_sla());
    let flags =
        "--sla-variable max_concurrency --sla-upper-bound 64 --sla-budget 4s --continue-on-error";
    let ran = experiment.run(&format!("-e e {flags}"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let failure = experiment.file("SERVE--fault=http-500=1/run=0.failure.json");
    assert!(
        failure["error"]
            .as_str()
            .unwrap()
            .contains("no request was answered"),
        "{failure}"
    );
    assert!(
        failure["error"].as_str().unwrap().contains("500"),
        "{failure}"
    );
    let ranking = experiment.ranking(0);
    assert_eq!(ranking.len(), 1, "{ranking:?}");
}

#[test]
fn a_search_that_was_made_otherwise_is_put_aside() {
    let experiment = Experiment::in_virtual_time(&one_server(), &two_slas());
    let flags = "--sla-variable max_concurrency --sla-upper-bound 64 --sla-tolerance 0.2";
    assert_eq!(experiment.run(&format!("-e e {flags}")).code, Some(0));
    let ran = experiment.run(&format!("--resume e {flags} --sla-confidence 0.8"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.err.contains("was made otherwise, and is not used"),
        "{}",
        ran.err
    );
    let aside = experiment
        .place
        .list("results/e/crestline/replaced/SERVE--max_num_seqs=8");
    assert!(
        aside
            .iter()
            .any(|name| name.starts_with("SERVE--max_num_seqs=8~")),
        "{aside:?}"
    );
    assert!(
        aside
            .iter()
            .any(|name| name.starts_with("max_concurrency=1~")),
        "{aside:?}"
    );
}

#[test]
fn rates_may_be_fractions_and_a_service_that_is_too_slow_is_infeasible() {
    let slas = json!([{"mean_ttft_ms": "<=20"}, {"mean_ttft_ms": "<=1"}]);
    let experiment = Experiment::in_virtual_time(&one_server(), &slas);
    let ran = experiment.run("-e e");
    // No load meets the second: that is told by the exit code.
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    // Eight at a time in 0.1 s each are 80 a second.
    let load = found(&experiment.ranking(0)[0]);
    assert!((50.0..80.0).contains(&load), "{load}");
    assert_eq!(experiment.ranking(1)[0].1, "infeasible");
    let rows = experiment.file("SERVE--max_num_seqs=8/SLA--mean_ttft_ms<=20.00.json");
    let rates = rows.as_array().unwrap().iter();
    let rates: Vec<f64> = rates
        .map(|row| row["request_rate"].as_f64().unwrap())
        .collect();
    let fraction = rates.iter().find(|rate| rate.fract() != 0.0).unwrap();
    let folder = format!("SERVE--max_num_seqs=8/request_rate={fraction:?}");
    let run = experiment.file(&format!("{folder}/run=0.json"));
    assert_eq!(run["request_rate"].as_f64(), Some(*fraction));
}

#[test]
fn whole_runs_are_searched_as_vllm_searched_them() {
    let slas = json!([{"p99_ttft_ms": "<=100"}, {"std_itl_ms": "<=1000"}, {"mean_e2el_ms": "<=1"}]);
    let experiment = Experiment::in_virtual_time(&one_server(), &slas);
    let flags = "--sla-variable max_concurrency --sla-search pchip --num-runs 2";
    let ran = experiment.run(&format!("-e e {flags}"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let tried: Vec<&str> = ran
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("Testing max_concurrency: "))
        .collect();
    // The highest, the lowest, and no load twice, whichever SLA it is for.
    assert_eq!(
        tried[..2],
        ["8192 concurrent requests", "1 concurrent requests"]
    );
    let mut different = tried.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), tried.len(), "{tried:?}");
    let load = found(&experiment.ranking(0)[0]);
    for (users, is_met) in [(load, true), (load + 1.0, false)] {
        let folder = format!("SERVE--max_num_seqs=8/max_concurrency={users}");
        let runs = experiment.file(&format!("{folder}/summary.json"));
        let p99 = |run: &Value| run["p99_ttft_ms"].as_f64().unwrap();
        let runs: Vec<f64> = runs.as_array().unwrap().iter().map(p99).collect();
        assert_eq!(runs.len(), 2);
        assert_eq!(
            runs.iter().sum::<f64>() / 2.0 <= 100.0,
            is_met,
            "{users}: {runs:?}"
        );
    }
    assert_eq!(experiment.ranking(1)[0].1, "not_reached");
    assert_eq!(experiment.ranking(2)[0].1, "infeasible");
    for text in [
        "from 200 on it makes no difference, because a run has no more requests",
        "Maximum max_concurrency for SLA: 1 concurrent requests. (infeasible; limited by mean_e2el_ms<=1.00; 1 itself failed;",
        "| PASSED",
        "SLA criteria are not met. (margin=",
    ] {
        assert!(ran.out.contains(text), "no {text} in {}", ran.out);
    }
    let again = experiment.run(&format!("--resume e {flags}"));
    assert_eq!(again.code, Some(3), "{again:#?}");
    assert!(!again.out.contains("[BEGIN SERVER]"), "{}", again.out);
    assert_eq!(
        found(&experiment.ranking(0)[0]).total_cmp(&load),
        std::cmp::Ordering::Equal
    );
}

/// The benchmark as a program of its own.
fn by_program(experiment: &mut Experiment, flags: &str) {
    let program = experiment.place.path("mybench");
    let text = format!(
        "#!/bin/sh\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_crestline")
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let own = experiment.bench.strip_prefix("crestline").unwrap();
    experiment.bench = format!("{}{own}{flags}", program.display());
}

#[test]
fn whole_runs_of_a_program_are_searched_by_their_requests() {
    let mut experiment = Experiment::in_virtual_time(&one_server(), &two_slas());
    by_program(&mut experiment, " --save-detailed");
    let flags = "--sla-variable max_concurrency --sla-upper-bound 64 --sla-tolerance 0.2";
    let ran = experiment.run(&format!("-e e {flags}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.err.contains("note: --bench-cmd makes whole runs"),
        "{}",
        ran.err
    );
    let ranking = experiment.ranking(0);
    assert!((10.0..=17.0).contains(&found(&ranking[0])), "{ranking:?}");
    let name = "SERVE--max_num_seqs=8/SLA--p99_ttft_ms<=100.00.json";
    let rows = experiment.file(name);
    let rows = rows.as_array().unwrap();
    let tested = ran.out.matches("Testing max_concurrency: ").count();
    assert_eq!(rows.len(), tested, "each run is a row");
    // Each run has prompts of its own, and no load is tried with more of them than it needs.
    let mut seeds: Vec<u64> = rows
        .iter()
        .map(|row| row["seed"].as_u64().unwrap())
        .collect();
    seeds.sort_unstable();
    assert!(seeds.iter().copied().eq(0..tested as u64), "{seeds:?}");
    assert!(
        rows.iter()
            .all(|row| row["num_prompts"].as_u64().unwrap() <= 200)
    );

    // A run that is missing is made again, the others are found.
    fs::remove_file(
        experiment
            .place
            .path("results/e/SERVE--max_num_seqs=8/max_concurrency=1/run=0.json"),
    )
    .unwrap();
    let again = experiment.run(&format!("--resume e {flags}"));
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert_eq!(again.out.matches("Testing max_concurrency: ").count(), 1);
    assert_eq!(experiment.ranking(0), ranking);
}

#[test]
fn a_program_that_tells_nothing_of_single_requests_is_judged_by_whole_runs() {
    let mut experiment = Experiment::in_virtual_time(&one_server(), &one_sla());
    by_program(&mut experiment, "");
    let ran =
        experiment.run("-e e --sla-variable max_concurrency --num-runs 1 --sla-upper-bound 64");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.err.contains("whole runs are judged"), "{}", ran.err);
    assert!(
        ran.out
            .contains("Testing max_concurrency: 64 concurrent requests")
    );
    assert_eq!(experiment.file("crestline/sla.json")["search"], "pchip");
    assert_eq!(experiment.ranking(0)[0].1, "value");
}

#[test]
fn a_dry_run_shows_the_first_load_of_each_and_starts_nothing() {
    let experiment = Experiment::in_virtual_time(&one_server(), &two_slas());
    let ran = experiment.run("-e e --dry-run").done();
    assert!(!experiment.place.path("results").exists());
    expect![[r"
        [BEGIN SERVER]
        Server overrides: {'max_num_seqs': 8}
        Server command: ['crestline', 'sim', '--profile', 'eight.toml', '--port', 'PORT', '--max-num-seqs', '8']
        [SLA START]
        Benchmark overrides: {}
        SLA criteria: p99_ttft_ms<=100.00
        SLA criteria: p99_e2el_ms<=200.00
        Testing request_rate: 1 first
        [BEGIN BENCHMARK]
        Benchmark overrides: {'request_rate': 1}
        Run Number: 0
        Benchmark command: ['crestline', 'bench', 'serve', '--model', 'm', '--tokenizer', 'builtin', '--random-input-len', '16', '--random-output-len', '32', '--num-prompts', '200', '--base-url', 'sim:eight.toml', '--request-rate', '1', '--percentile-metrics', 'ttft,tpot,itl,e2el', '--save-result', '--result-dir', 'results/e/crestline/runs/SERVE--max_num_seqs=8/request_rate=1/run=0', '--result-filename', 'result.json']
        Output file: results/e/SERVE--max_num_seqs=8/request_rate=1/run=0.json
        [SLA END]
        [END SERVER]
    "]].assert_eq(&ran.out.replace(&experiment.port.to_string(), "PORT"));
    let ran = experiment.run("-e e --dry-run --sla-search pchip").done();
    assert!(
        ran.out.contains("Testing request_rate: 8192 first"),
        "{}",
        ran.out
    );
}
