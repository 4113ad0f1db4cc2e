//! `crestline bench startup` and `sweep startup` on simulated servers that start slowly.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::harness::{Place, Ran, signal, wait_until};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A simulated server with these further arguments.
fn server(port: u16, more: &str) -> String {
    format!("crestline sim --profile full-speed --port {port} {more}")
}

fn bench(place: &Place, server: &str, more: &[&str]) -> Ran {
    let mut command = place.command("bench startup");
    command.args(["--serve-cmd", server]).args(more);
    command.output().unwrap().into()
}

/// `sweep startup` with these parameters of servers.
fn sweep(place: &Place, startup: &str, more: &[&str]) -> Ran {
    let mut command = place.command("bench sweep startup");
    command
        .args(["--startup-cmd", startup, "-e", "e"])
        .args(more);
    command.output().unwrap().into()
}

/// Nobody has the port.
fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[test]
fn cold_starts_have_an_empty_cache_and_warm_ones_a_full_one() {
    let place = Place::new();
    let port = free_port();
    let server = server(
        port,
        "--startup-delay 0.6 --warm-startup-delay 0.05 --startup-cache {cache_dir} --api-key s3cret",
    );
    let counts = ["--num-iters-cold", "2", "--num-iters-warm", "2"];
    let more = ["--cache-dir", "cache", "--output-json", "r.json"];
    let ran = bench(&place, &server, &[&counts[..], &more].concat()).done();
    assert!(!ran.err.contains("note: "), "{}", ran.err);
    assert_eq!(place.list("cache").len(), 1, "the mark of a complete start");
    let result = place.json("r.json");
    let times = |key: &str| -> Vec<f64> {
        let times = result[key].as_array().unwrap().iter();
        times.map(|time| time.as_f64().unwrap()).collect()
    };
    let (cold, warm) = (times("cold_startup_times"), times("warm_startup_times"));
    assert_eq!((cold.len(), warm.len()), (2, 2));
    assert!(cold.iter().all(|time| *time > 0.55), "{cold:?}");
    assert!(warm.iter().all(|time| *time > 0.04), "{warm:?}");
    assert!(
        warm[0].min(warm[1]) < cold[0].max(cold[1]),
        "{cold:?} {warm:?}"
    );
    for (healthy, token) in cold.iter().zip(times("cold_first_token_times")) {
        assert!(token > *healthy);
    }
    let mean = result["avg_warm_startup_time"].as_f64().unwrap();
    assert!((mean - f64::midpoint(warm[0], warm[1])).abs() < 1e-9);
    assert!(
        result["warm_first_token_percentiles"]["99"].is_f64(),
        "{result}"
    );
    assert!(ran.out.contains("| cold  | healthy "), "{}", ran.out);
    assert!(is_free(port));
}

#[test]
fn a_cache_that_is_told_by_a_variable_is_new_for_each_cold_start() {
    let place = Place::new();
    let (port, log) = (free_port(), place.path("folders"));
    let script = place.path("serve.sh");
    let text = format!(
        "#!/bin/sh\necho \"$MY_CACHE\" >> {}\nexec {} sim --profile full-speed \"$@\"\n",
        log.display(),
        env!("CARGO_BIN_EXE_crestline")
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let server = format!("{} --port {port}", script.display());
    let more = [
        "--cache-env",
        "MY_CACHE",
        "--server-address",
        &format!("127.0.0.1:{port}"),
    ];
    let ran = bench(&place, &server, &more).done();
    assert!(ran.err.contains("$MY_CACHE"), "{}", ran.err);
    let folders = fs::read_to_string(&log).unwrap();
    let folders: Vec<&str> = folders.lines().collect();
    assert_eq!(folders.len(), 7);
    let [a, b, c, warm @ ..] = &folders[..] else {
        panic!("{folders:?}")
    };
    assert!(a != b && b != c && a != c && !warm.contains(c));
    assert!(warm.iter().all(|folder| *folder == warm[0]));
}

#[test]
fn a_server_that_does_not_come_up_or_answers_nothing_is_told_and_gone() {
    let place = Place::new();
    for (more, flags, texts) in [
        (
            "--exit-at-start --exit-code 5",
            &[][..],
            ["cold start 1 of 3", "exit code 5"],
        ),
        (
            "--never-healthy",
            &["--server-ready-timeout", "0.5"],
            ["not ready within", "503"],
        ),
        ("--fault http-500=1", &[], ["no first token", "HTTP 500"]),
        (
            "--fault error-in-stream=1",
            &[],
            ["no first token", "HTTP 200"],
        ),
        (
            "--exit-after-requests 0 --exit-code 6",
            &[],
            ["cold start 1 of 3", "exit code 6"],
        ),
        (
            "--api-key k --never-healthy",
            &["--endpoint", "/v1/embeddings"],
            ["--endpoint", "no token"],
        ),
        (
            "",
            &["--num-iters-cold", "0", "--num-iters-warm", "0"],
            ["no start is counted", "hint: "],
        ),
    ] {
        let port = free_port();
        let ran = bench(&place, &server(port, more), flags);
        assert!(matches!(ran.code, Some(1 | 2)), "{more}: {ran:#?}");
        for text in texts {
            assert!(ran.err.contains(text), "{more}: no `{text}` in {}", ran.err);
        }
        assert!(is_free(port), "{more}");
    }
}

/// Two servers and one way to start them, with a parameter that nobody knows.
struct TwoServers {
    place: Place,
    command: String,
}

impl TwoServers {
    fn new() -> Self {
        let place = Place::new();
        let servers = r#"[{"max_num_seqs": 2}, {"max_num_seqs": 4}]"#;
        fs::write(place.path("s.json"), servers).unwrap();
        let once = r#"{"once": {"num_iters_cold": 1, "num_iters_warm": 0, "color": 1}}"#;
        fs::write(place.path("p.json"), once).unwrap();
        let server = server(free_port(), "--startup-cache {cache_dir} --api-key s3cret");
        let command = format!("crestline bench startup --serve-cmd '{server}'");
        Self { place, command }
    }

    fn run(&self, more: &[&str]) -> Ran {
        let params = ["--serve-params", "s.json", "--startup-params", "p.json"];
        sweep(&self.place, &self.command, &[&params[..], more].concat())
    }
}

const FOLDERS: [&str; 2] = [
    "SERVE--max_num_seqs=2-STARTUP--once",
    "SERVE--max_num_seqs=4-STARTUP--once",
];

#[test]
fn a_sweep_has_a_folder_for_each_combination_and_no_secret_in_it() {
    let two = TwoServers::new();
    let ran = two.run(&[]).done();
    let place = &two.place;
    let [few, many] = FOLDERS;
    assert_eq!(
        place.list("results/e"),
        [few, many, "crestline", "summary.csv"]
    );
    let run = place.json(&format!("results/e/{many}/run=0.json"));
    let expected = (&0.into(), &4.into());
    assert_eq!((&run["run_number"], &run["max_num_seqs"]), expected);
    assert_eq!(run["_benchmark_name"], "once");
    assert_eq!(run["cold_startup_times"].as_array().unwrap().len(), 1);
    assert!(run.get("avg_warm_startup_time").is_none());
    let summary = place.json(&format!("results/e/{many}/summary.json"));
    assert_eq!(summary[0], run);
    let table = fs::read_to_string(place.path("results/e/summary.csv")).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(ran.out.contains("--max-num-seqs 4"), "{}", ran.out);
    for text in [&ran.out, &ran.err, &table, &run.to_string()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_sweep_goes_on_where_it_was() {
    let two = TwoServers::new();
    two.run(&[]).done();
    let few = two.place.path(&format!("results/e/{}", FOLDERS[0]));
    fs::remove_dir_all(few).unwrap();
    let again = two.run(&["--resume"]).done();
    let count = |text: &str| again.out.matches(text).count();
    assert_eq!(count("[SKIPPED BENCHMARK]"), 1, "{}", again.out);
    assert_eq!(count("cold start 1 of 1"), 1, "{}", again.out);
    let there = two.run(&[]);
    assert_eq!(there.code, Some(2), "{there:#?}");
    assert!(there.err.contains("is there already"), "{}", there.err);
}

#[test]
fn parameters_that_nobody_knows_are_left_out_or_refused() {
    let two = TwoServers::new();
    let refused = two.run(&["--strict-params"]);
    assert_eq!(refused.code, Some(2));
    let told = "does not know color";
    assert!(refused.err.contains(told), "{}", refused.err);
    let ran = two.run(&["--dry-run"]).done();
    assert!(ran.err.contains("color: left out"), "{}", ran.err);
    assert!(!ran.out.contains("color"), "{}", ran.out);
}

#[test]
fn another_program_is_given_all_parameters_and_writes_the_result() {
    let place = Place::new();
    let script = place.path("starts.sh");
    let text = "#!/bin/sh\nfor last; do :; done\necho \"{\\\"avg_cold_startup_time\\\": 1.5, \\\"said\\\": \\\"$*\\\"}\" > \"$last\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path("s.json"), r#"[{"tensor_parallel_size": 2}]"#).unwrap();
    let command = format!("{} --model m", script.display());
    sweep(
        &place,
        &command,
        &["--serve-params", "s.json", "--num-runs", "2"],
    )
    .done();
    let run = place.json("results/e/SERVE--tensor_parallel_size=2/run=1.json");
    assert_eq!(run["avg_cold_startup_time"], 1.5);
    let said = run["said"].as_str().unwrap();
    assert!(
        said.contains("--model m --tensor-parallel-size 2 --output-json"),
        "{said}"
    );
    fs::write(&script, "#!/bin/sh\necho out of memory\nexit 3\n").unwrap();
    fs::write(place.path("s.json"), r#"[{"tensor_parallel_size": 4}]"#).unwrap();
    let failed = sweep(&place, &command, &["--serve-params", "s.json", "--resume"]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    for text in ["out of memory", "exit code 3", "--resume e"] {
        assert!(failed.err.contains(text), "no `{text}` in {}", failed.err);
    }
    let failure = place.json("results/e/SERVE--tensor_parallel_size=4/run=0.failure.json");
    assert_eq!(failure["serve_overrides"]["tensor_parallel_size"], 4);
}

#[test]
fn when_it_is_interrupted_the_server_is_gone() {
    let place = Place::new();
    let port = free_port();
    let mut command = place.command("bench startup --server-log server.log --output-json r.json");
    command.args(["--serve-cmd", &server(port, "--startup-delay 1000")]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    wait_until("a server", || place.path("server.log").exists());
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(is_free(port));
    assert!(!place.path("r.json").exists());
}

#[test]
fn without_a_benchmark_the_own_one_is_named() {
    let ran = Place::new().run("bench sweep startup");
    assert_eq!(ran.code, Some(2));
    for text in ["there is no program vllm", "crestline bench startup"] {
        assert!(ran.err.contains(text), "{}", ran.err);
    }
    let ran = Place::new().run("bench sweep startup --dry-run --startup-cmd true");
    assert!(ran.done().out.contains("[BEGIN BENCHMARK]"));
}
