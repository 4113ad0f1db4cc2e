//! Files that are no runs, or of another version.

use rusqlite::Connection;

use super::*;
use crate::runs::row::samples;
use crate::runs::{RunWriter, WriteOptions};

pub(in crate::runs) fn written(path: &Path, rows: u64) {
    let options = WriteOptions {
        commit_rows: std::num::NonZeroUsize::MIN,
        keep_text: true,
    };
    let header = RunHeader {
        tool_version: "0".to_owned(),
        start: Nanos::ZERO,
        plan: serde_json::Value::Null,
    };
    let writer = RunWriter::create(path, options, &header).unwrap();
    (0..rows).for_each(|index| writer.write(samples::success(index)));
    writer.finish().unwrap();
}

fn refusal(path: &Path) -> StoreError {
    RunReader::open(path).unwrap_err()
}

#[test]
fn a_missing_file_is_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    assert!(matches!(refusal(&path), StoreError::Open { .. }));
    assert!(!path.exists());
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    std::fs::write(
        &path,
        "not a database, but long enough to be looked at by anyone who cares",
    )
    .unwrap();
    assert!(matches!(refusal(&path), StoreError::Open { .. }));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE result(request TEXT)")
        .unwrap();
    assert!(matches!(
        refusal(&path),
        StoreError::NotARun {
            missing: "meta",
            ..
        }
    ));
}

#[test]
fn a_later_format_is_refused_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    written(&path, 1);
    let later = "UPDATE meta SET value = '99' WHERE key = 'format_version'";
    Connection::open(&path)
        .unwrap()
        .execute_batch(later)
        .unwrap();
    assert!(matches!(
        refusal(&path),
        StoreError::Newer { version: 99, .. }
    ));
}

#[test]
fn a_read_only_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    written(&path, 3);
    let mut rights = std::fs::metadata(&path).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&path, rights).unwrap();
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.len().unwrap(), 3);
}
