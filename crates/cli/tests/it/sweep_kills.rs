//! Sweeps that are killed or interrupted: what was measured is kept, nothing is made twice, nothing is left running.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crestline_load::clock;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::harness::{Place, free_port, marked, signal, wait_until};

/// A folder with parameters of three servers and four loads.
struct Stage {
    place: Place,
    port: u16,
}

impl Stage {
    fn new() -> Self {
        let place = Place::new();
        let serve = [2, 4, 8].map(|seqs| json!({"max_num_seqs": seqs}));
        let bench = [1, 2, 3, 4].map(|many| json!({"max_concurrency": many}));
        fs::write(place.path("serve.json"), json!(serve).to_string()).unwrap();
        fs::write(place.path("bench.json"), json!(bench).to_string()).unwrap();
        Self {
            place,
            port: free_port(),
        }
    }

    /// A sweep whose figures do not depend on the machine: the load goes to the engine in virtual time, and the servers
    /// are only started and ended.
    fn exact(&self, flags: &str) -> Command {
        let bench = "crestline bench serve --base-url sim:demo --model m --tokenizer builtin --random-input-len 8 \
            --random-output-len 4 --num-prompts 1500";
        self.sweep(&format!("crestline sim --port {}", self.port), bench, flags)
    }

    fn sweep(&self, serve: &str, bench: &str, flags: &str) -> Command {
        let mut command = self.place.command("bench sweep serve");
        command
            .args(["--serve-cmd", serve, "--bench-cmd", bench])
            .args(
                "--serve-params serve.json --bench-params bench.json -o results --num-runs 1"
                    .split(' '),
            )
            .args(flags.split_whitespace())
            .env("CRESTLINE_TEST_MARK", self.mark())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn mark(&self) -> String {
        self.place.path("").display().to_string()
    }

    fn left(&self) -> Vec<i32> {
        marked(&format!("CRESTLINE_TEST_MARK={}", self.mark()))
    }

    fn nothing_is_left(&self) {
        wait_until("the end of all processes", || self.left().is_empty());
        // A process that ends is no longer in the list a moment before its sockets are closed.
        wait_until("a free port", || {
            TcpListener::bind(("127.0.0.1", self.port)).is_ok()
        });
    }
}

/// Results of runs, with what tells a file from another one of the same text.
fn runs(experiment: &Path) -> BTreeMap<PathBuf, (u64, i64, String)> {
    let Ok(entries) = fs::read_dir(experiment) else {
        return BTreeMap::new();
    };
    let files = entries.map(|entry| entry.unwrap().path().join("run=0.json"));
    let there = files.filter(|file| file.exists());
    there
        .map(|file| {
            let meta = fs::metadata(&file).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            (file, (meta.ino(), meta.mtime_nsec(), text))
        })
        .collect()
}

/// A table without the column that says when.
fn rows(table: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(table).unwrap();
    let date = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "date");
    let date = date.expect("a run says when it was");
    let mut rows = vec![reader.headers().unwrap().clone()];
    rows.extend(reader.records().map(Result::unwrap));
    let cells = |row: &csv::StringRecord| {
        let cells = row.iter().enumerate().filter(|(at, _)| *at != date);
        cells.map(|(_, cell)| cell.to_owned()).collect()
    };
    rows.iter().map(cells).collect()
}

const KILLS: u32 = 20;

#[test]
fn a_sweep_that_is_killed_at_any_moment_loses_nothing_and_makes_nothing_twice() {
    let stage = Stage::new();
    let undisturbed = stage.exact("-e calm").output().unwrap();
    assert!(undisturbed.status.success(), "{undisturbed:?}");
    let expected = rows(&stage.place.path("results/calm/summary.csv"));
    assert_eq!(expected.len(), 1 + 12);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut kills, mut round) = (0, 0);
    while kills < KILLS {
        let name = format!("round-{round}");
        round += 1;
        let experiment = stage.place.path("results").join(&name);
        let mut flags = format!("-e {name}");
        let mut before = runs(&experiment);
        loop {
            let mut child = stage.exact(&flags).spawn().unwrap();
            let is_killed = kills < KILLS;
            if is_killed {
                clock::sleep(Duration::from_millis(random.random_range(20..900)));
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            let after = runs(&experiment);
            for (file, run) in &before {
                assert_eq!(after.get(file), Some(run), "{}", file.display());
            }
            before = after;
            if output.status.success() {
                break;
            }
            assert_eq!(output.status.signal(), Some(9), "{output:?}");
            kills += 1;
            if kills % 4 == 0 {
                stage.nothing_is_left();
            }
            if experiment.exists() {
                flags = format!("-e {name} --resume");
            }
        }
        stage.nothing_is_left();
        assert_eq!(before.len(), 12);
        assert_eq!(rows(&experiment.join("summary.csv")), expected);
    }
}

/// A server of a shell script, a long load on it.
fn live(stage: &Stage, script: &str) -> Command {
    let (sim, port) = (env!("CARGO_BIN_EXE_crestline"), stage.port);
    let script = script.replace("SIM", &format!("{sim} sim --profile demo --port {port}"));
    let serve = format!("sh -c \"{script}\"");
    let bench = format!(
        "crestline bench serve --port {port} --model m --tokenizer builtin --random-input-len 8 --random-output-len 2 \
         --num-prompts 100000 --request-rate 20"
    );
    let flags = format!(
        "-e e --after-bench-cmd= --server-address localhost:{port} --server-stop-timeout 3600"
    );
    let mut command = stage.sweep(&serve, &bench, &flags);
    command.process_group(0);
    fs::write(stage.place.path("serve.json"), "[{}]").unwrap();
    command
}

/// What it has printed until a line that holds `text`.
fn until(child: &mut Child, text: &str) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(
            out.read_line(&mut line).unwrap() > 0,
            "it never prints {text}"
        );
    }
    out
}

const SERVERS: &str = "sleep 3600 & setsid sleep 3600 & SIM & wait";

fn ended_by(send: impl Fn(&Child)) -> ExitStatus {
    let stage = Stage::new();
    let mut child = live(&stage, SERVERS).spawn().unwrap();
    let out = until(&mut child, "[BEGIN BENCHMARK]");
    clock::sleep(Duration::from_millis(200));
    send(&child);
    let status = child.wait().unwrap();
    drop(out);
    stage.nothing_is_left();
    let folder = stage.place.path("results/e/BENCH--max_concurrency=1");
    assert!(
        !folder.join("run=0.json").exists(),
        "what is not whole is no result"
    );
    assert!(!folder.join("run=0.failure.json").exists(), "nor a failure");
    status
}

#[test]
fn whoever_ends_a_sweep_ends_its_servers() {
    for asked in [Signal::SIGINT, Signal::SIGTERM] {
        let status = ended_by(|child| signal(child, asked));
        assert_eq!(status.code(), Some(130), "{asked}");
    }
    for killed in [Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGKILL] {
        let status = ended_by(|child| signal(child, killed));
        assert_eq!(status.signal(), Some(killed as i32), "{killed}");
    }
}

#[test]
fn whoever_ends_the_group_of_a_sweep_ends_its_servers() {
    let group = |child: &Child| Pid::from_raw(child.id().cast_signed());
    // As the terminal does it for Ctrl-C, and a scheduler for all that is too late.
    let status = ended_by(|child| killpg(group(child), Signal::SIGINT).unwrap());
    assert_eq!(status.code(), Some(130));
    let status = ended_by(|child| killpg(group(child), Signal::SIGKILL).unwrap());
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn a_server_does_not_outlive_its_keeper_and_the_sweep() {
    let stage = Stage::new();
    let mut child = live(&stage, "exec SIM").spawn().unwrap();
    let out = until(&mut child, "[BEGIN BENCHMARK]");
    let name = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let left = stage.left();
    let keeper = left.iter().find(|pid| name(pid) == "server-keeper\n");
    let keeper = Pid::from_raw(*keeper.expect("it has a keeper of that name"));
    signal(&child, Signal::SIGSTOP);
    kill(keeper, Signal::SIGKILL).unwrap();
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    drop(out);
    stage.nothing_is_left();
}

#[test]
fn a_wait_for_a_server_can_be_interrupted() {
    let stage = Stage::new();
    let mut child = live(&stage, "exec sleep 3600").spawn().unwrap();
    let out = until(&mut child, "Server command");
    wait_until("the server", || stage.left().len() > 2);
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(out);
    stage.nothing_is_left();
    assert!(
        !stage
            .place
            .path("results/e/SERVE-default-failure.json")
            .exists()
    );
}

#[test]
fn a_server_that_does_not_end_is_not_waited_for_by_who_asks_twice() {
    let stage = Stage::new();
    let mut child = live(&stage, "trap '' TERM; SIM & while :; do sleep 0.05; done")
        .spawn()
        .unwrap();
    let out = until(&mut child, "[BEGIN BENCHMARK]");
    signal(&child, Signal::SIGINT);
    clock::sleep(Duration::from_millis(300));
    signal(&child, Signal::SIGINT);
    // Without that it would be five seconds, and an hour without the first.
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(out);
    stage.nothing_is_left();
}

#[test]
fn a_benchmark_of_another_program_does_not_outlive_the_sweep() {
    for killed in [Signal::SIGKILL, Signal::SIGINT] {
        let stage = Stage::new();
        fs::write(stage.place.path("serve.json"), "[{}]").unwrap();
        let serve = format!("crestline sim --port {}", stage.port);
        let bench = "sh -c 'touch begun; setsid sleep 3600 & sleep 3600' bench";
        let mut child = stage.sweep(&serve, bench, "-e e").spawn().unwrap();
        wait_until("the benchmark", || stage.place.path("begun").exists());
        signal(&child, killed);
        let status = child.wait().unwrap();
        assert!(!status.success(), "{status}");
        stage.nothing_is_left();
    }
}

#[test]
fn two_sweeps_do_not_run_servers_in_one_experiment_at_once() {
    let stage = Stage::new();
    let mut first = live(&stage, "exec SIM").spawn().unwrap();
    let out = until(&mut first, "[BEGIN BENCHMARK]");
    let other = live(&stage, "exec SIM")
        .args(["--resume"])
        .output()
        .unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(2), "{said}");
    assert!(
        said.contains("another program is at work in results/e"),
        "{said}"
    );
    assert!(said.contains("--experiment-name"), "{said}");
    signal(&first, Signal::SIGINT);
    assert_eq!(
        first.wait().unwrap().code(),
        Some(130),
        "the first is not disturbed"
    );
    drop(out);
    stage.nothing_is_left();
}
