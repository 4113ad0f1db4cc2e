//! Sweeps whose servers go wrong: what is put down, what goes on, and that nothing is left behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Place, Ran, free_port, marked};

/// A server that does as its `--mode` says.
const SERVER: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --mode) mode=$2;; --port) port=$2;; esac
  shift
done
sim="CRESTLINE sim --profile demo --port $port"
case $mode in
good) exec $sim ;;
exits) echo "no device is there" >&2; exit 3 ;;
sleeps) echo "loading"; exec sleep 3600 ;;
errors) exec $sim --fault http-500=1 ;;
deaf) trap '' TERM; $sim & while :; do sleep 0.05; done ;;
breeds) sleep 3600 & setsid sleep 3600 & (setsid sleep 3600 &) ; setsid sh -c 'sleep 3600 & sleep 3600' & exec $sim ;;
dies) $sim & sleep 0.7; echo "out of memory"; exit 9 ;;
falls) $sim & sim=$!; sleep 0.7; kill -9 $sim; wait ;;
talks) echo "the key is s3cret-key"; exit 4 ;;
esac
"#;

/// A second of load and more.
const BENCH: &str = "crestline bench serve --model m --tokenizer builtin --random-input-len 8 --random-output-len 2 \
    --num-prompts 30 --request-rate 25";

/// A sweep over what servers do.
struct Sweep {
    place: Place,
    port: u16,
}

impl Sweep {
    /// Over these parameters of the server.
    fn of(servers: &Value) -> Self {
        let place = Place::new();
        let script = SERVER.replace("CRESTLINE", env!("CARGO_BIN_EXE_crestline"));
        let path = place.path("server.sh");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place.path("serve.json"), servers.to_string()).unwrap();
        Self {
            place,
            port: free_port(),
        }
    }

    /// One server that goes wrong, and a good one after it.
    fn of_mode(mode: &str) -> Self {
        Self::of(&json!([
            {"_benchmark_name": "wrong", "mode": mode},
            {"_benchmark_name": "right", "mode": "good"}
        ]))
    }

    fn mark(&self) -> String {
        self.place.path("").display().to_string()
    }

    fn command(&self, serve: &str, flags: &str) -> Command {
        let mut command = self.place.command("bench sweep serve");
        command
            .args(["--serve-cmd", &format!("{serve} --port {}", self.port)])
            .args(["--bench-cmd", &format!("{BENCH} --port {}", self.port)])
            .args(["--after-bench-cmd", "", "--serve-params", "serve.json"])
            .args("-o results -e e --num-runs 1".split(' '))
            .args(flags.split_whitespace())
            .env("CRESTLINE_TEST_MARK", self.mark());
        command
    }

    /// Runs it, and sees that nothing is left.
    fn run(&self, flags: &str) -> Ran {
        let ran = self.command("./server.sh", flags).output().unwrap().into();
        self.nothing_is_left();
        ran
    }

    fn nothing_is_left(&self) {
        let left = marked(&format!("CRESTLINE_TEST_MARK={}", self.mark()));
        assert_eq!(left, [0; 0], "processes that are left");
        drop(TcpListener::bind(("127.0.0.1", self.port)).expect("the port is free"));
    }

    fn result(&self, name: &str) -> PathBuf {
        self.place.path("results/e").join(name)
    }

    fn failure(&self, name: &str) -> Value {
        self.place.json(&format!("results/e/{name}"))
    }

    /// The good server was measured.
    fn goes_on(&self) {
        let summary = self.place.json("results/e/SERVE--right/summary.json");
        assert_eq!(summary[0]["completed"], 30);
    }
}

/// The failure of a server, with and without those that follow it; `why` must be in its record.
fn server_fails(mode: &str, flags: &str, why: &[&str]) {
    let sweep = Sweep::of_mode(mode);
    let ran = sweep.run(flags);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for text in [&["--resume e"], why].concat() {
        assert!(ran.err.contains(text), "no `{text}` in {}", ran.err);
    }
    assert!(!sweep.result("SERVE--right").exists());
    let ran = sweep.run(&format!("{flags} --resume --continue-on-error"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.out.contains("[FAILED SERVER COMBINATION]"),
        "{}",
        ran.out
    );
    let failure = sweep.failure("SERVE-wrong-failure.json");
    assert_eq!(failure["error_type"], "ServerError");
    assert_eq!(failure["serve_overrides"]["mode"], mode);
    for text in why {
        let error = failure["error"].as_str().unwrap();
        assert!(error.contains(text), "no `{text}` in {error}");
    }
    assert!(!sweep.result("SERVE--wrong/run=0.json").exists());
    sweep.goes_on();
}

#[test]
fn a_server_that_exits_at_its_start_is_told_with_its_code_and_last_lines() {
    server_fails(
        "exits",
        "",
        &["the server ended with exit code 3", "no device is there"],
    );
}

#[test]
fn a_server_that_is_never_healthy_is_given_up() {
    server_fails(
        "sleeps",
        "--server-ready-timeout 1",
        &[
            "not ready within 1s",
            "refused",
            "loading",
            "--server-address",
        ],
    );
}

#[test]
fn a_server_that_exits_while_it_is_measured_ends_the_run() {
    server_fails(
        "dies",
        "",
        &["the server ended with exit code 9", "out of memory"],
    );
    let sweep = Sweep::of_mode("dies");
    sweep.run("");
    let failure = sweep.failure("SERVE--wrong/run=0.failure.json");
    assert_eq!(failure["run_number"], 0);
    assert_eq!(failure["error_type"], "ServerError");
}

#[test]
fn a_run_whose_server_was_killed_is_no_measurement() {
    server_fails("falls", "", &["the server ended with exit code"]);
}

#[test]
fn a_run_in_which_all_requests_failed_is_no_measurement() {
    let sweep = Sweep::of_mode("errors");
    let ran = sweep.run("");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("--resume e"), "{}", ran.err);
    let ran = sweep.run("--resume --continue-on-error");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let failure = sweep.failure("SERVE--wrong/run=0.failure.json");
    assert_eq!(failure["error_type"], "BenchmarkError");
    let error = failure["error"].as_str().unwrap();
    assert!(error.contains("all requests of the run failed"), "{error}");
    assert!(error.contains("500"), "{error}");
    assert!(!sweep.result("SERVE--wrong/run=0.json").exists());
    sweep.goes_on();
}

#[test]
fn a_port_that_somebody_has_is_not_measured() {
    let theirs = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = theirs.local_addr().unwrap().port();
    let sweep = Sweep::of(&json!([
        {"_benchmark_name": "wrong", "mode": "good", "port": port},
        {"_benchmark_name": "right", "mode": "good"}
    ]));
    let ran = sweep.run("--continue-on-error");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let failure = sweep.failure("SERVE-wrong-failure.json");
    let error = failure["error"].as_str().unwrap();
    assert!(
        error.contains(&format!("listens at localhost:{port} already")),
        "{error}"
    );
    sweep.goes_on();
}

#[test]
fn a_server_that_does_not_listen_or_has_children_is_measured_and_ended() {
    let sweep = Sweep::of(&json!([{"mode": "deaf"}, {"mode": "breeds"}]));
    let ran = sweep.run("--server-stop-timeout 0.3");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for name in ["SERVE--mode=deaf", "SERVE--mode=breeds"] {
        let summary = sweep.place.json(&format!("results/e/{name}/summary.json"));
        assert_eq!(summary[0]["completed"], 30);
    }
}

#[test]
fn what_is_no_program_is_told_before_anything_starts() {
    let sweep = Sweep::of(&json!([{}]));
    let refused = |serve: &str, hint: &str| {
        let ran: Ran = sweep.command(serve, "").output().unwrap().into();
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(
            ran.err.contains("--serve-cmd: there is no program"),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(hint), "{}", ran.err);
        assert!(!sweep.place.path("results").exists());
    };
    refused("no-such-server", "PATH");
    refused("GPU=1 ./server.sh", "`env GPU=1 …`");
    fs::write(sweep.place.path("text"), "#!/no/such/shell").unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(sweep.place.path("text"), executable).unwrap();
    let ran: Ran = sweep.command("./text", "").output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("./text cannot be started: No such file"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("--resume e"), "{}", ran.err);
    assert!(sweep.result("SERVE-default-failure.json").exists());
}

#[test]
fn a_key_that_a_server_prints_is_shown_to_nobody() {
    let sweep = Sweep::of(&json!([{"mode": "talks"}]));
    let mut command = sweep.command("./server.sh --api-key s3cret-key", "--show-stdout");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("(server) the key is ***"), "{}", ran.out);
    let failure = sweep.failure("SERVE-mode=talks-failure.json");
    assert!(
        failure["error"]
            .as_str()
            .unwrap()
            .contains("the key is ***")
    );
    assert!(!ran.err.contains("s3cret-key"), "{}", ran.err);
}

#[test]
fn after_each_run_the_server_is_made_to_forget() {
    let sweep = Sweep::of(&json!([{}]));
    let mut command = sweep.place.command("bench sweep serve");
    command
        .args([
            "--serve-cmd",
            &format!("crestline sim --port {}", sweep.port),
        ])
        .args([
            "--bench-cmd",
            &format!("{BENCH} --request-rate inf --port {}", sweep.port),
        ])
        .args([
            "--after-bench-cmd",
            "sh -c 'echo emptied >> emptied.txt; echo done'",
        ])
        .args("-o results -e e --num-runs 3".split(' '));
    let ran: Ran = command.output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let emptied = fs::read_to_string(sweep.place.path("emptied.txt")).unwrap();
    assert_eq!(emptied.lines().count(), 3);
}

#[test]
fn a_server_that_cannot_be_made_to_forget_is_told() {
    let sweep = Sweep::of(&json!([{}]));
    let run = |after: &[&str]| {
        let mut command = sweep.place.command("bench sweep serve");
        command
            .args([
                "--serve-cmd",
                &format!("./server.sh --mode good --port {}", sweep.port),
            ])
            .args([
                "--bench-cmd",
                &format!("{BENCH} --request-rate inf --port {}", sweep.port),
            ])
            .args(after)
            .args("-o results -e e --num-runs 2".split(' '));
        Ran::from(command.output().unwrap())
    };
    let ran = run(&[]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("--after-bench-cmd ''"), "{}", ran.err);
    assert!(!sweep.place.path("results").exists());
    let ran = run(&["--after-bench-cmd", "sh -c 'echo cannot empty; exit 5'"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("--after-bench-cmd ended with exit code 5"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("cannot empty"), "{}", ran.err);
    assert!(sweep.result("run=0.json").exists(), "that run is good");
    assert!(!sweep.result("run=1.json").exists());
}
