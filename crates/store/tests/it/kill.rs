//! A process that writes a run is killed, and everything older than a second is there.
//!
//! The test starts its own binary again with `CHILD_FILE` set; `the_writing_child` then writes until it is killed.

use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crestline_core::record::{Phase, RequestRecord};
use crestline_core::units::Nanos;
use crestline_store::runs::{RunHeader, RunReader, RunWriter, WriteOptions};
use rusqlite::{Connection, OpenFlags};

const CHILD_FILE: &str = "CRESTLINE_TEST_CHILD_FILE";
const CHILD_TEST: &str = "kill::the_writing_child";
const LINE: &str = "row ";

fn record(index: u64) -> RequestRecord {
    let mut record = RequestRecord::new(index, Phase::Measured);
    record.sent = Nanos(index);
    record.end = Nanos(index + 1);
    record
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the parent reads which rows were handed over"
)]
fn the_writing_child() {
    let Some(path) = std::env::var_os(CHILD_FILE) else {
        return;
    };
    let options = WriteOptions {
        commit_rows: NonZeroUsize::new(1_000_000).unwrap(),
        keep_text: false,
    };
    let header = RunHeader {
        tool_version: "test".to_owned(),
        start: Nanos::ZERO,
        plan: serde_json::Value::Null,
    };
    let writer = RunWriter::create(Path::new(&path), options, &header).unwrap();
    let (_never, pause) = mpsc::channel::<()>();
    // Ends by itself where the parent died.
    for index in 0..10_000 {
        writer.write(record(index));
        println!("{LINE}{index}");
        assert!(pause.recv_timeout(Duration::from_millis(3)).is_err());
    }
}

/// Runs the child until it has written for `time`, kills it, and returns how many rows were older than a second then.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a row is counted from when its line was read"
)]
fn rows_older_than_a_second_at_the_kill(path: &Path, time: Duration) -> usize {
    let mut child = Command::new(std::env::current_exe().expect("a test knows its binary"))
        .args(["--exact", CHILD_TEST, "--nocapture"])
        .env(CHILD_FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test binary starts");
    let lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    let mut read = Vec::new();
    for line in lines {
        if line.expect("the child writes text").contains(LINE) {
            read.push(Instant::now());
        }
        if read.first().is_some_and(|first| first.elapsed() > time) {
            break;
        }
    }
    let killed = Instant::now();
    child.kill().expect("the child is alive");
    child.wait().expect("the child ends");
    read.iter()
        .filter(|&&at| killed - at > Duration::from_secs(1))
        .count()
}

#[test]
fn after_a_kill_all_rows_older_than_a_second_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let old = rows_older_than_a_second_at_the_kill(&path, Duration::from_millis(1800));
    assert!(
        old > 0,
        "the child was killed before any row was a second old"
    );

    let plain = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let rows: i64 = plain
        .query_row("SELECT count(*) FROM result", [], |row| row.get(0))
        .unwrap();
    assert!(
        usize::try_from(rows).unwrap() >= old,
        "{rows} of at least {old} rows for a plain reader"
    );
    drop(plain);

    let reader = RunReader::open(&path).unwrap();
    assert!(!reader.meta().complete);
    let records: Vec<RequestRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), usize::try_from(rows).unwrap());
    let expected: Vec<RequestRecord> = (0..records.len() as u64).map(record).collect();
    assert_eq!(records, expected);
}
