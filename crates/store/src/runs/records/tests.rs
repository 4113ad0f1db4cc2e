//! Reading in pages, in parts and without texts.

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use rusqlite::Connection;

use super::*;
use crate::runs::reader::tests::written;
use crate::runs::row::samples::{ANSWER, success};

#[test]
fn more_rows_than_a_page_come_in_order_and_a_damaged_row_ends_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let rows = PAGE_ROWS as u64 * 2 + 3;
    written(&path, rows);
    let reader = RunReader::open(&path).unwrap();
    let indices: Vec<u64> = reader
        .records()
        .map(|record| record.unwrap().index)
        .collect();
    assert_eq!(indices, (0..rows).collect::<Vec<_>>());
    drop(reader);
    let damage = format!(
        "UPDATE result SET chunks = 'x' WHERE rowid = {}",
        PAGE_ROWS + 1
    );
    Connection::open(&path)
        .unwrap()
        .execute_batch(&damage)
        .unwrap();
    let reader = RunReader::open(&path).unwrap();
    let mut records = reader.records().skip(PAGE_ROWS as usize);
    let error = records.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("`chunks` of row 513"), "{error}");
    assert!(records.next().is_none());
}

#[test]
fn parts_of_a_run_are_all_of_it_and_have_no_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    let rows = PAGE_ROWS as u64 + 200;
    written(&path, rows);
    let reader = RunReader::open(&path).unwrap();
    let span = reader.span().unwrap().unwrap();
    assert_eq!(span.rows, rows);
    assert_eq!(span.first_sent, success(0).sent);
    assert_eq!(span.last_end, success(rows - 1).end);
    let parts = span.range.parts(3).into_iter();
    let records: Vec<RequestRecord> = parts
        .flat_map(|part| reader.records_without_texts(part))
        .map(Result::unwrap)
        .collect();
    let expected = (0..rows).map(|index| RequestRecord {
        exchange: None,
        ..success(index)
    });
    assert_eq!(records, expected.collect::<Vec<_>>());
}

#[test]
fn texts_are_found_by_the_position_of_their_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    written(&path, 20);
    let reader = RunReader::open(&path).unwrap();
    let texts = reader.texts_of(&[3, 17, 99].into()).unwrap();
    assert_eq!(texts.keys().copied().collect::<Vec<_>>(), [3, 17]);
    assert!(texts.values().all(|texts| texts.answer == ANSWER));
}

#[test]
fn a_run_without_rows_has_no_span() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.db");
    written(&path, 0);
    assert_eq!(RunReader::open(&path).unwrap().span().unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_join_and_are_of_about_equal_size(after in 0..1000_i64, rows in 0..5000_i64, count in 1..40_usize) {
        let whole = RowRange { after, up_to: after + rows };
        let parts = whole.parts(count);
        prop_assert_eq!(parts.len(), count);
        prop_assert_eq!((parts[0].after, parts[count - 1].up_to), (whole.after, whole.up_to));
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].up_to, pair[1].after);
        }
        let largest = parts.iter().map(|part| part.up_to - part.after).max().unwrap();
        prop_assert!(largest <= rows / i64::try_from(count).unwrap() + 1);
    }
}
