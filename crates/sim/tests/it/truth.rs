//! The truth file against what a client has seen.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crestline_sim::server::Options;
use nix::time::{ClockId, clock_gettime};

use crate::wire::{Server, faulty, quick};

const PATH: &str = "/v1/completions";
const STREAM: &str = r#"{"prompt":[1,2,3],"max_tokens":10,"stream":true}"#;

fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Rows by request id, each as column to value.
fn rows(path: &Path) -> HashMap<String, HashMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let values = line.split(',').map(str::to_owned);
            let row: HashMap<String, String> = columns
                .iter()
                .map(ToString::to_string)
                .zip(values)
                .collect();
            assert_eq!(row.len(), columns.len(), "{line}");
            (row["request_id"].clone(), row)
        })
        .collect()
}

#[test]
fn every_time_lies_between_the_client_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let (truth, chunks) = (
        folder.path().join("truth.csv"),
        folder.path().join("chunks.csv"),
    );
    let server = Server::start(Options {
        truth: Some(truth.clone()),
        truth_chunks: Some(chunks.clone()),
        ..quick()
    });
    let mut client = server.connect();
    let sent = now_ns();
    client.post(PATH, "x-request-id: mine\r\n", STREAM);
    client.head().unwrap();
    client.chunk().unwrap();
    let first_seen = now_ns();
    while !client.chunk().unwrap().is_empty() {}
    let end_seen = now_ns();
    server.stop();
    let row = &rows(&truth)["mine"];
    let number = |column: &str| row[column].parse::<u64>().unwrap();
    let (arrival, first, last) = (
        number("arrival_ns"),
        number("first_token_ns"),
        number("last_ns"),
    );
    assert!(sent <= arrival && arrival < first && first <= first_seen);
    assert!(first < last && last <= end_seen);
    assert_eq!(
        [
            number("chunks"),
            number("output_tokens"),
            number("prompt_tokens")
        ],
        [10, 10, 3]
    );
    assert_eq!(number("mean_gap_ns"), (last - first) / 9);
    assert_eq!(
        (row["fault"].as_str(), row["outcome"].as_str()),
        ("", "finished")
    );
    let sends = std::fs::read_to_string(chunks).unwrap();
    let sends: Vec<u64> = sends
        .lines()
        .skip(1)
        .map(|line| line.strip_prefix("mine,").unwrap().parse().unwrap())
        .collect();
    assert_eq!((sends.len(), sends[0], sends[9]), (10, first, last));
    assert!(sends.is_sorted());
}

#[test]
fn faults_and_refusals_have_their_rows_too() {
    for (fault, outcome) in [
        ("http-500=1", "refused"),
        ("reset=1", "cut"),
        ("reset-mid-stream=1", "cut"),
        ("error-in-stream=1", "cut"),
        ("missing-usage=1", "finished"),
        ("refuse=1:0", "finished"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let truth = folder.path().join("truth.csv");
        let server = Server::start(Options {
            truth: Some(truth.clone()),
            ..faulty(fault)
        });
        let mut client = server.connect();
        client.post(PATH, "x-request-id: r\r\n", STREAM);
        // Whatever comes: it ends.
        let _ = client.response();
        drop(client);
        server.stop();
        let row = &rows(&truth)["r"];
        let kind = fault.split('=').next().unwrap();
        assert_eq!(
            (row["fault"].as_str(), row["outcome"].as_str()),
            (kind, outcome)
        );
    }
}

#[test]
fn a_request_under_way_at_the_end_is_written_as_abandoned() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.csv");
    let server = Server::start(Options {
        truth: Some(truth.clone()),
        ..faulty("stall=1")
    });
    let mut client = server.connect();
    client.post(PATH, "x-request-id: r\r\n", STREAM);
    client.head().unwrap();
    for _ in 0..5 {
        client.chunk().unwrap();
    }
    server.stop();
    let row = &rows(&truth)["r"];
    assert_eq!(
        (row["chunks"].as_str(), row["outcome"].as_str()),
        ("5", "abandoned")
    );
}

#[test]
fn rows_are_on_disk_soon_after_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.csv");
    let server = Server::start(Options {
        truth: Some(truth.clone()),
        ..quick()
    });
    let mut client = server.connect();
    client.ask("POST", PATH, STREAM);
    client
        .socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    // No stop, no further request: the server's own second hand writes it.
    let mut looks = 0;
    while rows(&truth).is_empty() {
        assert!(client.rest().is_err());
        looks += 1;
        assert!(looks < 1200, "nothing in a minute");
    }
}
