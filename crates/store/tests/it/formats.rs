//! Files of every format version are read: a text dump of each stays here for good.

use std::path::Path;

use crestline_core::record::{
    Exchange, Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource, TurnPlace,
};
use crestline_core::server_series::{Missed, Point, SeriesKind, ServerSeries};
use crestline_core::units::Nanos;
use crestline_store::runs::{RunHeader, RunReader};
use rusqlite::Connection;

fn answered() -> RequestRecord {
    let mut record = RequestRecord::new(0, Phase::Measured);
    record.due = Nanos(999_999_000);
    record.sent = Nanos(1_000_000_001);
    record.connect = Some(Nanos(800_000));
    record.first_byte = Some(Nanos(1_040_000_001));
    record.first_token = Some(Nanos(1_050_000_001));
    record.first_reasoning = record.first_token;
    record.first_answer = Some(Nanos(1_065_000_001));
    record.last_token = Some(Nanos(6_065_000_001));
    record.end = Nanos(6_100_000_000);
    record.gaps = [Nanos::from_millis(15), Nanos::from_secs(5)]
        .into_iter()
        .collect();
    record.chunks = 3;
    record.streamed = true;
    record.prompt_tokens = Some(TokenCount {
        count: 7,
        source: TokenSource::Tokenizer,
    });
    record.output_tokens = Some(TokenCount {
        count: 3,
        source: TokenSource::Usage,
    });
    record.cached_tokens = Some(4);
    record.status = Some(200);
    record.reconnects = 1;
    record.request_id = String::from("r-0");
    record.exchange = Some(Box::new(Exchange {
        request: r#"{"prompt":"hi"}"#.to_owned(),
        answer: "ho".to_owned(),
        reasoning: "hm".to_owned(),
        tool_calls: r#"[{"id": 1}]"#.to_owned(),
        pieces: Vec::new(),
    }));
    record
}

fn refused() -> RequestRecord {
    let mut record = RequestRecord::new(1, Phase::Measured);
    record.due = Nanos(1_500_000_000);
    record.slot_wait = Nanos(500_000_000);
    record.sent = Nanos::from_secs(2);
    record.first_byte = Some(Nanos(2_500_000_000));
    record.end = Nanos(2_500_000_000);
    record.status = Some(429);
    record.failure = Some(Failure {
        kind: FailureKind::RateLimited,
        text: "HTTP 429".to_owned(),
    });
    record.request_id = String::from("r-1");
    record
}

fn read(path: &Path, dump: &str) -> RunReader {
    Connection::open(path)
        .and_then(|connection| connection.execute_batch(dump))
        .expect("the dump is SQL");
    RunReader::open(path).expect("a dump is a run")
}

#[test]
fn version_1_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let reader = read(&folder.path().join("run.db"), include_str!("version-1.sql"));
    let meta = reader.meta();
    assert_eq!(meta.format_version, 1);
    assert!(meta.complete);
    assert_eq!(
        meta.header,
        RunHeader {
            tool_version: "0.1.0".to_owned(),
            start: Nanos(1_700_000_000_123_456_789),
            plan: serde_json::json!({"model": "m", "pause": 5_000_000_000_u64}),
        }
    );
    let records: Vec<RequestRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records, [answered(), refused()]);
}

#[test]
fn version_2_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let reader = read(&folder.path().join("run.db"), include_str!("version-2.sql"));
    assert_eq!(reader.meta().format_version, 2);
    let counted = RequestRecord {
        chunk_tokens: vec![1, 1, 1],
        ..answered()
    };
    let records: Vec<RequestRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records, [counted, refused()]);
}

#[test]
fn version_3_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let reader = read(&folder.path().join("run.db"), include_str!("version-3.sql"));
    assert_eq!(reader.meta().format_version, 3);
    let with_role = RequestRecord {
        chunk_tokens: vec![1, 1, 1],
        bare_events: vec![Nanos(1_040_000_001), Nanos(6_065_000_002)],
        ..answered()
    };
    let records: Vec<RequestRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records, [with_role, refused()]);
    assert_eq!(reader.server_series().unwrap(), ServerSeries::default());
}

/// The answered request as versions from 4 on know it.
fn first_turn() -> RequestRecord {
    RequestRecord {
        chunk_tokens: vec![1, 1, 1],
        bare_events: vec![Nanos(1_040_000_001), Nanos(6_065_000_002)],
        turn: Some(TurnPlace {
            conversation: 3,
            turn: 1,
            turns: 2,
        }),
        ..answered()
    }
}

#[test]
fn version_4_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let reader = read(&folder.path().join("run.db"), include_str!("version-4.sql"));
    assert_eq!(reader.meta().format_version, 4);
    let records: Vec<RequestRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records, [first_turn(), refused()]);
    assert!(reader.server_series().unwrap().is_empty());
}

#[test]
fn version_5_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let reader = read(&folder.path().join("run.db"), include_str!("version-5.sql"));
    assert_eq!(reader.meta().format_version, 5);
    let asked = RequestRecord {
        asked_output: Some(16),
        ..first_turn()
    };
    let records: Vec<RequestRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records, [asked, refused()]);
    let server = reader.server_series().unwrap();
    assert_eq!(server.read_at, [1, 2].map(Nanos::from_secs));
    let missed = Missed {
        at: Nanos::from_secs(3),
        why: "no whole answer within 1.0 s".to_owned(),
    };
    assert_eq!(server.missed, [missed]);
    let [running, generated] = &server.series[..] else {
        panic!("{:?}", server.series);
    };
    assert_eq!(running.name, "vllm:num_requests_running");
    assert_eq!(running.label("engine"), Some("0"));
    assert_eq!(generated.kind, SeriesKind::Counter);
    let grown = [(1, 3.0), (2, 7.0)].map(|(at, value)| Point {
        at: Nanos::from_secs(at),
        value: Some(value),
    });
    assert_eq!(generated.changes, grown);
}
