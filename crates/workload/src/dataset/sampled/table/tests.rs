//! Tests of tables: the same rows from every format, and no panic whatever a file holds.

use std::path::PathBuf;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/datasets/hub")
        .join(name)
}

fn shown(rows: &[Cell]) -> String {
    rows.iter()
        .map(|row| format!("{row:?}\n"))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn arrow_streams_and_files_hold_every_kind_of_column() {
    let stream = read(&fixture("kinds-stream.arrow"), &[], usize::MAX).unwrap();
    expect![[r#"
        Record([("text", Text("one")), ("large", Text("a")), ("small", Whole(-1)), ("big", Whole(1)), ("real", Real(0.5)), ("half", Real(0.5)), ("truth", Bool(true)), ("list", List([Whole(1), Whole(2)])), ("pair", List([Whole(1), Whole(2)])), ("turns", List([Record([("role", Text("user")), ("content", Text("hi"))])])), ("bytes", Bytes([0, 255])), ("none", Null)])
        Record([("text", Null), ("large", Text("b")), ("small", Whole(2)), ("big", Real(9.223372036854776e18)), ("real", Null), ("half", Real(-2.0)), ("truth", Bool(false)), ("list", List([])), ("pair", List([Whole(3), Whole(4)])), ("turns", List([])), ("bytes", Bytes([])), ("none", Null)])
        Record([("text", Text("three")), ("large", Text("c")), ("small", Whole(3)), ("big", Whole(3)), ("real", Real(2.0)), ("half", Real(0.0999755859375)), ("truth", Null), ("list", Null), ("pair", List([Whole(5), Whole(6)])), ("turns", List([])), ("bytes", Null), ("none", Null)])
    "#]].assert_eq(&shown(&stream));
    let file = read(&fixture("kinds-file.arrow"), &[], usize::MAX).unwrap();
    assert_eq!(file, stream);
}

#[test]
fn parquet_has_the_same_rows_as_arrow() {
    let columns = ["text", "large", "small", "real", "truth", "turns", "bytes"];
    let arrow = read(&fixture("kinds-stream.arrow"), &columns, usize::MAX).unwrap();
    let parquet = read(&fixture("kinds.parquet"), &columns, usize::MAX).unwrap();
    assert_eq!(parquet, arrow);
    let first = read(&fixture("kinds.parquet"), &["text"], 1).unwrap();
    assert_eq!(first, [Cell::from(serde_json::json!({"text": "one"}))]);
}

#[test]
fn only_so_many_rows_are_read() {
    for name in ["kinds-stream.arrow", "kinds-file.arrow", "kinds.parquet"] {
        assert_eq!(read(&fixture(name), &[], 1).unwrap().len(), 1, "{name}");
    }
}

#[test]
fn columns_that_cannot_be_read_are_refused_where_they_are_wanted() {
    let check = |name: &str, columns: &[&str], expected: &str| {
        let message = read(&fixture(name), columns, usize::MAX)
            .unwrap_err()
            .to_string();
        assert!(message.ends_with(expected), "{message}");
    };
    check(
        "dictionary.arrow",
        &["kind"],
        "it cannot be read as Arrow: column `kind` is of kind `dictionary`",
    );
    check(
        "compressed.arrow",
        &[],
        "it cannot be read as Arrow: its rows are compressed, which is not supported",
    );
    check(
        "kinds-stream.arrow",
        &["question"],
        "it cannot be read as Arrow: it has none of the columns that are wanted",
    );
    check(
        "kinds.parquet",
        &["question", "answer"],
        "it has none of the columns question, answer",
    );
    check(
        "zstd.parquet",
        &[],
        "it is compressed by ZSTD, and only Snappy is supported: write it anew with that",
    );
    let rows = read(&fixture("dictionary.arrow"), &["turns"], usize::MAX).unwrap();
    assert_eq!(
        rows[1].field("turns").unwrap().at(0).unwrap().text(),
        Some("Who was first to fly?")
    );
}

#[test]
fn json_may_be_an_array_or_an_object_a_line() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.json", " [{\"a\": 1}, {\"a\": [null, 2.5]}]"),
        ("b.json", "{\"a\": 1}\n{\"a\": [null, 2.5]}\n"),
        ("c.jsonl", "{\"a\": 1}\n\n{\"a\": [null, 2.5]}\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let rows = read(&path, &[], usize::MAX).unwrap();
        assert_eq!(
            rows[0].field("a").and_then(Cell::number),
            Some(1.0),
            "{name}"
        );
        let list = rows[1].field("a").unwrap();
        assert_eq!(list.at(1), Some(&Cell::Real(2.5)), "{name}");
        assert_eq!(rows.len(), 2);
    }
}

#[test]
fn a_cut_file_is_an_error_or_fewer_rows_but_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["kinds-stream.arrow", "kinds-file.arrow", "kinds.parquet"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        for length in (0..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..length]).unwrap();
            if let Ok(rows) = read(&path, &[], usize::MAX) {
                assert!(rows.len() <= 3, "{name} cut at {length}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_broken_parquet_file_does_not_panic(changes in proptest::collection::vec((0_usize..4000, any::<u8>()), 1..10), which in 0_usize..3) {
        let name = ["kinds.parquet", "mt-bench.parquet", "mmstar.parquet"][which];
        let mut bytes = std::fs::read(fixture(name)).unwrap();
        for (at, value) in changes {
            let length = bytes.len();
            bytes[at % length] = value;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.parquet");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(rows) = read(&path, &[], 1000) {
            prop_assert!(rows.len() <= 1000);
        }
    }

    #[test]
    fn a_broken_arrow_file_does_not_panic(changes in proptest::collection::vec((0_usize..3000, any::<u8>()), 1..20)) {
        let mut bytes = std::fs::read(fixture("kinds-stream.arrow")).unwrap();
        for (at, value) in changes {
            let length = bytes.len();
            bytes[at % length] = value;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.arrow");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(rows) = read(&path, &[], 1000) {
            prop_assert!(rows.len() <= 1000);
        }
    }
}
