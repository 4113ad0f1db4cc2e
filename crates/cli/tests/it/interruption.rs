//! What is left of a run that is ended early: by Ctrl-C, by SIGTERM, by a kill.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::harness::{Place, Ran, Sim, rows, signal, wait_until};

const LOAD: &str = "--model m --dataset random --tokenizer-path builtin --min-prompt-length 16 --max-prompt-length 16 \
    --max-tokens 8 --no-timestamp --number 1000000 9";
const FOLDER: &str = "outputs/m/parallel_4_number_1000000";
const WIDE_FOLDER: &str = "outputs/m/parallel_64_number_1000000";

/// A run of many requests that has so many rows on disk, in `folder`.
fn under_way(place: &Place, sim: &Sim, more: &str, (folder, least): (&str, i64)) -> Child {
    let child = place
        .command(&format!("perf --url {} {LOAD} {more}", sim.chat()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let database = place.path(folder).join("benchmark_data.db");
    wait_until("rows on disk", || {
        database.exists() && rows(&database) > least
    });
    child
}

fn ended(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
fn an_interrupt_keeps_and_shows_what_was_measured() {
    for stop in [Signal::SIGINT, Signal::SIGTERM] {
        let place = Place::new();
        let sim = Sim::start(&place, "--profile demo");
        let child = under_way(&place, &sim, "--parallel 4 1", (FOLDER, 20));
        signal(&child, stop);
        let ran = ended(child);
        assert_eq!(ran.code, Some(130), "{ran:#?}");
        assert!(ran.err.contains("interrupted"), "{}", ran.err);
        for text in [
            "Benchmarking summary:",
            "Interrupted",
            "Detailed Performance Metrics",
            "Results are in",
        ] {
            assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
        }
        let summary = place.json(&format!("{FOLDER}/benchmark_summary.json"));
        let total = summary["Total Requests"].as_i64().unwrap();
        assert!(total > 20, "{total}");
        assert_eq!(
            summary["Failed Requests"], 0,
            "what was in flight ended in the grace time"
        );
        assert_eq!(rows(&place.path(FOLDER).join("benchmark_data.db")), total);
        assert!(
            !place.path("outputs/m/parallel_1_number_9").exists(),
            "the next load is not begun and leaves no folder"
        );
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_what_is_in_flight() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile demo --fault stall=0.02 --seed 1");
    // After so many requests some have stalled for ever, and only the grace time would end them.
    let child = under_way(
        &place,
        &sim,
        "--grace 3600 --parallel 64 1",
        (WIDE_FOLDER, 400),
    );
    signal(&child, Signal::SIGINT);
    crestline_load::clock::sleep(std::time::Duration::from_millis(500));
    signal(&child, Signal::SIGINT);
    let ran = ended(child);
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(
        ran.err.contains("requests in flight have 3600 s to end"),
        "{}",
        ran.err
    );
    let summary = place.json(&format!("{WIDE_FOLDER}/benchmark_summary.json"));
    assert!(
        summary["crestline_failures"]["cancelled"]
            .as_u64()
            .is_some_and(|count| count > 0),
        "{summary:#}"
    );
}

#[test]
fn a_service_that_never_answers_is_waited_for_aloud_and_can_be_left() {
    let place = Place::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", silent.local_addr().unwrap());
    let mut child = place
        .command(&format!("perf --url {url} {LOAD} --parallel 4 1"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut lines = said.lines().map(Result::unwrap);
    assert!(
        lines.any(|line| line == "waiting for the answer to one test request"),
        "it says what it waits for"
    );
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(lines.any(|line| line == "interrupted: nothing was measured"));
    assert!(!place.path("outputs/m").exists(), "nothing is left behind");
}

#[test]
fn a_kill_leaves_a_database_that_can_be_read() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile demo");
    let child = under_way(&place, &sim, "--parallel 4 1", (FOLDER, 20));
    signal(&child, Signal::SIGKILL);
    assert_eq!(ended(child).code, None);
    let database =
        rusqlite::Connection::open(place.path(FOLDER).join("benchmark_data.db")).unwrap();
    let (all, whole): (i64, i64) = database
        .query_row("SELECT count(*), sum(success = 1 AND latency > 0 AND completion_tokens = 8) FROM result", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert!(all > 20, "{all}");
    assert_eq!(whole, all);
    let check: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}
