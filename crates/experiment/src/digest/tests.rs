//! A stored run is read to what its records come to, however many threads share it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crestline_core::record::{Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::request::Load;
use crestline_core::units::Rate;
use crestline_store::runs::{RunHeader, RunWriter, WriteOptions};

use super::*;

fn record(index: u64) -> RequestRecord {
    let sent = Nanos::from_millis(1_000 + index * 7);
    let first = sent + Nanos::from_millis(20 + index * index % 31);
    let gaps = (0..index % 5).map(|gap| Nanos::from_millis(5 + gap));
    let last = first + gaps.clone().sum();
    RequestRecord {
        due: sent,
        sent,
        first_token: Some(first),
        last_token: Some(last),
        end: last + Nanos::from_millis(index % 3),
        gaps: gaps.collect(),
        chunks: (index % 5 + 1) as u32,
        streamed: true,
        output_tokens: Some(TokenCount {
            count: (index % 5 + 1) as u32,
            source: TokenSource::Usage,
        }),
        ..RequestRecord::new(index, Phase::Measured)
    }
}

fn stored(folder: &Path, rows: u64, points: &[LoadPoint]) -> PathBuf {
    let path = folder.join("run.db");
    let options = WriteOptions {
        commit_rows: NonZeroUsize::new(1000).unwrap(),
        keep_text: false,
    };
    let header = RunHeader {
        tool_version: "0".to_owned(),
        start: Nanos::ZERO,
        plan: serde_json::json!({ "points": points }),
    };
    let writer = RunWriter::create(&path, options, &header).unwrap();
    (0..rows).map(record).for_each(|it| writer.write(it));
    writer.finish().unwrap();
    path
}

fn point(requests: u64) -> LoadPoint {
    LoadPoint {
        load: Load::open(Rate::per_second(2.0).unwrap()),
        requests,
        warmup: 0,
        duration: None,
    }
}

#[test]
fn several_threads_read_what_one_pass_over_the_records_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    // Enough for more than one thread, where the machine has several.
    let rows = 3 * ROWS + 1;
    let path = stored(folder.path(), rows, &[point(rows)]);
    let limits = Limits {
        rows: 100,
        ..Limits::default()
    };
    let read = read(&path, limits).unwrap();
    let last = (0..rows).map(|index| record(index).end).max().unwrap();
    let window = Window::of(record(0).sent, last, rows);
    let mut summary = RunSummary::new(point(rows));
    let mut digest = Digest::new(window, limits);
    let mut segments = Segments::default();
    for record in (0..rows).map(record) {
        summary.add(&record);
        digest.add(&record);
        segments.add(&record);
    }
    assert_eq!(read.point, Some(point(rows)));
    assert_eq!(read.summary, summary);
    assert!(read.digest == digest && read.segments == segments);
}

#[test]
fn a_run_without_requests_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let read = read(&stored(folder.path(), 0, &[]), Limits::default()).unwrap();
    assert_eq!((read.point, read.summary.total()), (None, 0));
    assert!(read.digest.requests.rows().is_empty());
}

#[test]
fn of_several_loads_the_folder_says_which_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let points = [point(3), point(5)];
    let place = folder.path().join(&point_folders(&points)[1]);
    std::fs::create_dir(&place).unwrap();
    let read = read(&stored(&place, 5, &points), Limits::default()).unwrap();
    assert_eq!(read.point, Some(points[1]));
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    assert!(matches!(
        read(&path, Limits::default()),
        Err(StoreError::Open { .. })
    ));
}
