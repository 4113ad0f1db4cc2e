//! Disks that fail, rows that are left out, files that are there already.

use super::*;
use crate::runs::RunReader;
use crate::runs::batch::{Batch, Step};
use crate::runs::row::samples;
use crestline_core::record::TurnPlace;
use crestline_core::server_series::{Reading, SeriesKind};

fn options(commit_rows: usize) -> WriteOptions {
    WriteOptions {
        commit_rows: NonZeroUsize::new(commit_rows).unwrap(),
        keep_text: true,
    }
}

fn header() -> RunHeader {
    RunHeader {
        tool_version: "1.2.3".to_owned(),
        start: Nanos(1_700_000_000_123_456_789),
        plan: serde_json::json!({"model": "m", "points": [1, 2.5]}),
    }
}

fn records(path: &Path) -> Vec<RequestRecord> {
    let reader = RunReader::open(path).unwrap();
    reader.records().map(Result::unwrap).collect()
}

#[test]
fn a_finished_run_is_one_file_with_all_rows_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(7), &header()).unwrap();
    let written: Vec<_> = (0..2000).map(samples::success).collect();
    for record in &written {
        writer.write(record.clone());
    }
    let report = writer.finish().unwrap();
    assert_eq!(
        report,
        WriteReport {
            rows: 2000,
            single_file: true
        }
    );
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["run.db"]);
    assert_eq!(records(&path), written);
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.meta().header, header());
    assert!(reader.meta().complete);
    assert_eq!(reader.len().unwrap(), 2000);
}

#[test]
fn warm_up_requests_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(1), &header()).unwrap();
    let warm_up = RequestRecord {
        phase: Phase::Warmup,
        ..samples::success(0)
    };
    writer.write(warm_up);
    writer.write(samples::success(1));
    assert_eq!(writer.finish().unwrap().rows, 1);
    assert_eq!(records(&path), [samples::success(1)]);
}

#[test]
fn texts_are_left_out_where_they_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let silent = WriteOptions {
        keep_text: false,
        ..options(1)
    };
    let writer = RunWriter::create(&path, silent, &header()).unwrap();
    writer.write(samples::success(0));
    writer.finish().unwrap();
    let bare = RequestRecord {
        exchange: None,
        ..samples::success(0)
    };
    assert_eq!(records(&path), [bare]);
    let bytes = std::fs::read(&path).unwrap();
    let answer = samples::ANSWER.as_bytes();
    assert!(!bytes.windows(answer.len()).any(|window| window == answer));
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    std::fs::write(&path, "precious").unwrap();
    let error = RunWriter::create(&path, options(1), &header()).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }));
    assert!(error.to_string().contains("run.db"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no").join("run.db");
    let error = RunWriter::create(&path, options(1), &header()).unwrap_err();
    assert!(matches!(error, StoreError::Create { .. }), "{error}");
    assert!(error.to_string().contains("no/run.db"), "{error}");
}

#[test]
fn a_full_disk_loses_rows_says_so_and_never_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let connection = set_up(&path, &header()).unwrap();
    connection
        .pragma_update(None, "max_page_count", 40)
        .unwrap();
    let writer = RunWriter::start(&path, connection, options(10), Nanos::ZERO).unwrap();
    for index in 0..1000 {
        writer.write(samples::success(index));
    }
    let error = writer.finish().unwrap_err();
    let StoreError::RowsLost { written, lost, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(written + lost, 1000);
    assert!(
        *written >= 10 && *lost >= 10,
        "{written} written, {lost} lost"
    );
    assert!(error.to_string().contains("free space"), "{error}");
    assert_eq!(records(&path).len() as u64, *written);
    assert!(!RunReader::open(&path).unwrap().meta().complete);
}

#[test]
fn space_that_comes_back_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let connection = set_up(&path, &header()).unwrap();
    let plan = BatchPlan {
        rows: 1,
        context: RowContext {
            start: Nanos::ZERO,
            keep_text: true,
        },
        status: Arc::default(),
    };
    let status = Arc::clone(&plan.status);
    let insert = connection.prepare(&schema::insert_result()).unwrap();
    let mut batch = Batch::new(&connection, insert, plan);
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update(None, "max_page_count", pages)
        .unwrap();
    for index in 0..20 {
        batch.take(Step::Row(Box::new(samples::success(index))));
    }
    let full = lock(&status).clone();
    assert!(full.lost > 0 && full.error.is_some(), "{full:?}");
    connection
        .pragma_update(None, "max_page_count", 1_000_000)
        .unwrap();
    batch.take(Step::Row(Box::new(samples::success(20))));
    assert_eq!(lock(&status).written, full.written + 1);
}

#[test]
fn a_writer_that_is_dropped_commits_what_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(1_000_000), &header()).unwrap();
    for index in 0..50 {
        writer.write(samples::success(index));
    }
    drop(writer);
    assert_eq!(records(&path).len(), 50);
}

#[test]
fn a_run_can_be_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(1), &header()).unwrap();
    writer.write(samples::success(0));
    while writer.status().written == 0 {
        std::thread::yield_now();
    }
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.len().unwrap(), 1);
    assert!(!reader.meta().complete);
    let report = writer.finish().unwrap();
    assert_eq!(report.rows, 1);
    drop(reader);
    assert!(RunReader::open(&path).unwrap().meta().complete);
}

#[test]
fn rows_are_added_to_a_run_that_was_dropped_and_to_one_that_was_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let sample = |index: u64| RequestRecord {
        end: Nanos::from_secs(10 + index),
        ..samples::success(index)
    };
    let writer = RunWriter::create(&path, options(2), &header()).unwrap();
    (0..5).for_each(|index| writer.write(sample(index)));
    drop(writer);
    let (writer, stored) = RunWriter::append(&path, options(2), Nanos::from_secs(9)).unwrap();
    let expected = Stored {
        rows: 5,
        next_index: 5,
        last: Nanos::from_secs(14),
    };
    assert_eq!(stored, expected);
    assert!(!RunReader::open(&path).unwrap().meta().complete);
    writer.write(sample(7));
    writer.finish().unwrap();
    let (writer, stored) = RunWriter::append(&path, options(2), Nanos::ZERO).unwrap();
    assert_eq!((stored.rows, stored.next_index), (6, 8));
    writer.finish().unwrap();
    let reader = RunReader::open(&path).unwrap();
    assert!(reader.meta().complete);
    assert_eq!(reader.meta().header, header());
    let indices: Vec<u64> = records(&path).iter().map(|record| record.index).collect();
    assert_eq!(indices, [0, 1, 2, 3, 4, 7]);
}

#[test]
fn only_a_run_can_be_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let append = || RunWriter::append(&path, options(1), Nanos::ZERO).map(|_| ());
    assert!(matches!(append(), Err(StoreError::Open { .. })));
    assert!(!path.exists());
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE other (a)")
        .unwrap();
    assert!(matches!(append(), Err(StoreError::NotARun { .. })));
}

#[test]
fn a_file_of_an_earlier_version_is_read_and_goes_on() {
    let added = [
        ("asked_output_tokens", 5),
        ("turns", 4),
        ("turn", 4),
        ("conversation", 4),
        ("bare_events_ns", 3),
        ("chunk_tokens", 2),
    ];
    for version in [1, 2, 3, 4] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.db");
        let writer = RunWriter::create(&path, options(1), &header()).unwrap();
        writer.write(samples::success(0));
        writer.finish().unwrap();
        let drops = added
            .iter()
            .filter(|(_, since)| *since > version)
            .map(|(column, _)| format!("ALTER TABLE result DROP COLUMN {column};"));
        let before = format!(
            "{} DROP TABLE server_page; DROP TABLE server_series; DROP TABLE server_sample; UPDATE meta SET value = '{version}' WHERE key = 'format_version'",
            drops.collect::<String>()
        );
        Connection::open(&path)
            .unwrap()
            .execute_batch(&before)
            .unwrap();
        assert_eq!(records(&path), [samples::success(0)]);
        let (writer, stored) = RunWriter::append(&path, options(1), header().start).unwrap();
        assert_eq!(stored.rows, 1);
        let known = RequestRecord {
            asked_output: Some(5),
            chunk_tokens: vec![2, 2, 1],
            turn: Some(TurnPlace {
                conversation: 4,
                turn: 1,
                turns: 2,
            }),
            bare_events: vec![Nanos(7), Nanos(u64::MAX)],
            ..samples::success(1)
        };
        writer.write(known.clone());
        writer.finish().unwrap();
        assert_eq!(records(&path), [samples::success(0), known]);
        let reader = RunReader::open(&path).unwrap();
        assert_eq!(reader.meta().format_version, schema::FORMAT_VERSION);
    }
}

fn page(at: u64, value: f64) -> PageRead {
    let reading = Reading {
        name: "running".to_owned(),
        labels: vec![],
        kind: SeriesKind::Gauge,
        value,
    };
    PageRead {
        at: Nanos(at),
        content: Ok(vec![reading]),
    }
}

#[test]
fn pages_are_written_beside_rows_and_those_after_the_end_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(1000), &header()).unwrap();
    let pages = writer.pages();
    pages.write(page(5, 1.0));
    writer.write(samples::success(0));
    pages.write(page(10, 2.0));
    assert_eq!(writer.finish().unwrap().rows, 1);
    pages.write(page(15, 3.0));
    let reader = RunReader::open(&path).unwrap();
    let server = reader.server_series().unwrap();
    assert_eq!(server.read_at, [5, 10].map(Nanos));
    assert_eq!(server.series[0].changes.len(), 2);
    assert!(reader.meta().complete);
}

#[test]
fn pages_alone_are_committed_within_half_a_second_or_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(1000), &header()).unwrap();
    writer.pages().write(page(5, 1.0));
    let reader = RunReader::open(&path).unwrap();
    while reader.server_series().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert!(!reader.meta().complete);
    drop(writer);
}

#[test]
fn pages_that_find_no_space_are_told_apart_from_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let connection = set_up(&path, &header()).unwrap();
    let size: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update(None, "max_page_count", size)
        .unwrap();
    let writer = RunWriter::start(&path, connection, options(1), Nanos::ZERO).unwrap();
    for at in 0..5000 {
        writer.pages().write(page(at, at as f64));
    }
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, StoreError::PagesLost { lost, .. } if lost > 0));
    assert!(error.to_string().contains("free space"), "{error}");
}

#[test]
fn what_is_noted_is_read_back_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let writer = RunWriter::create(&path, options(1), &header()).unwrap();
    writer.note("client", &serde_json::json!({"void": true}));
    writer.note("client", &serde_json::json!({"void": false}));
    writer.finish().unwrap();
    let reader = RunReader::open(&path).unwrap();
    let noted = reader.note("client").unwrap();
    assert_eq!(noted, Some(serde_json::json!({"void": false})));
    assert_eq!(reader.note("point").unwrap(), None);
    assert!(reader.meta().complete);
}
