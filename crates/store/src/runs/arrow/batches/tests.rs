//! Columns hold what the records hold, in whatever batches they come.

use std::num::NonZeroUsize;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int8Type, UInt32Type, UInt64Type};
use crestline_core::metrics::Metric;
use crestline_core::units::Nanos;
use proptest::prelude::*;

use super::*;
use crate::runs::row::samples::{any_record, success};
use crate::runs::{RunHeader, RunWriter, WriteOptions};

fn stored(folder: &Path, records: &[RequestRecord]) -> PathBuf {
    let path = folder.join("run.db");
    let options = WriteOptions {
        commit_rows: NonZeroUsize::new(1000).unwrap(),
        keep_text: true,
    };
    let header = RunHeader {
        tool_version: "0".to_owned(),
        start: Nanos::ZERO,
        plan: serde_json::Value::Null,
    };
    let writer = RunWriter::create(&path, options, &header).unwrap();
    for record in records {
        writer.write(record.clone());
    }
    writer.finish().unwrap();
    path
}

fn read(path: &Path, names: &[&str]) -> Vec<RecordBatch> {
    let columns = RequestColumns::named(names.iter().copied()).unwrap();
    let batches = RequestBatches::read(path, &columns).unwrap();
    batches.map(Result::unwrap).collect()
}

/// The values of a column that has numbers of that type.
fn numbers<T: arrow_array::ArrowPrimitiveType>(array: &ArrayRef) -> Vec<Option<T::Native>> {
    array.as_primitive::<T>().iter().collect()
}

fn words(array: &ArrayRef) -> Vec<Option<String>> {
    let words = array.as_dictionary::<Int8Type>();
    let known = words.values().as_string::<i32>();
    let keys = words.keys().iter();
    keys.map(|key| key.map(|key| known.value(key as usize).to_owned()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn columns_hold_what_the_records_hold(records in prop::collection::vec(any_record(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let path = stored(folder.path(), &records);
        let names: Vec<&str> = columns().iter().map(|column| column.name).collect();
        let batches = read(&path, &names);
        prop_assert_eq!(batches.len(), 1);
        let column = |name: &str| batches[0].column_by_name(name).unwrap();
        let all = |of: &dyn Fn(&RequestRecord) -> Option<f64>| records.iter().map(of).collect::<Vec<_>>();
        let seconds = |nanos: Nanos| nanos.0 as f64 / 1e9;
        prop_assert_eq!(numbers::<UInt64Type>(column("index")), records.iter().map(|it| Some(it.index)).collect::<Vec<_>>());
        prop_assert_eq!(numbers::<Float64Type>(column("due")), all(&|it| Some(seconds(it.due))));
        prop_assert_eq!(numbers::<Float64Type>(column("first_answer")), all(&|it| it.first_answer.map(seconds)));
        prop_assert_eq!(numbers::<Float64Type>(column("ttft")), all(&|it| it.ttft().map(seconds)));
        let rate = |it: &RequestRecord| Some(Metric::OutputRate.of_request(it)? as f64 / 1e6);
        prop_assert_eq!(numbers::<Float64Type>(column("output_rate")), all(&rate));
        let cached = records.iter().map(|it| it.cached_tokens);
        prop_assert_eq!(numbers::<UInt32Type>(column("cached_tokens")), cached.collect::<Vec<_>>());
        let kinds = records.iter().map(|it| it.failure.as_ref().map(|it| it.kind.name().to_owned()));
        prop_assert_eq!(words(column("failure_kind")), kinds.collect::<Vec<_>>());
        let answers = column("answer").as_string::<i64>().iter();
        let said = records.iter().map(|it| it.exchange.as_deref().map(|it| it.answer.as_str()));
        prop_assert!(answers.eq(said));
        let gaps = column("gaps").as_list::<i32>();
        for (row, record) in records.iter().enumerate() {
            let read = gaps.value(row);
            let read = read.as_primitive::<arrow_array::types::Float32Type>().values().to_vec();
            prop_assert_eq!(read, record.gaps.iter().map(|gap| seconds(gap) as f32).collect::<Vec<_>>());
        }
        let sources = records.iter().map(|it| {
            let source = serde_json::to_value(it.output_tokens?.source).ok()?;
            source.as_str().map(str::to_owned)
        });
        prop_assert_eq!(words(column("output_tokens_source")), sources.collect::<Vec<_>>());
    }
}

#[test]
fn a_run_comes_in_its_order_whatever_threads_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 3 * ROWS + 5;
    let records: Vec<_> = (0..rows as u64).map(success).collect();
    let path = stored(folder.path(), &records);
    let batches = read(&path, &["index", "request_id"]);
    assert!(
        batches
            .iter()
            .all(|batch| batch.num_rows() <= ROWS && batch.num_rows() > 0)
    );
    let indices = batches
        .iter()
        .flat_map(|batch| numbers::<UInt64Type>(batch.column(0)));
    assert!(indices.eq((0..rows as u64).map(Some)));
}

#[test]
fn long_texts_make_batches_small() {
    let folder = tempfile::tempdir().unwrap();
    let records = (0..40).map(|index| {
        let mut record = success(index);
        record.exchange.as_mut().unwrap().answer = "a".repeat(1 << 20);
        record
    });
    let path = stored(folder.path(), &records.collect::<Vec<_>>());
    let rows: Vec<usize> = read(&path, &["answer"])
        .iter()
        .map(RecordBatch::num_rows)
        .collect();
    assert_eq!(rows.iter().sum::<usize>(), 40);
    assert!(rows.iter().all(|&rows| rows <= 9), "{rows:?}");
}

#[test]
fn nothing_is_read_when_nobody_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..5 * ROWS as u64).map(success).collect();
    let path = stored(folder.path(), &records);
    let columns = RequestColumns::named(["index"]).unwrap();
    let mut batches = RequestBatches::read(&path, &columns).unwrap();
    assert_eq!(batches.next().unwrap().unwrap().num_rows(), ROWS);
    // Returns only when all threads have ended.
    drop(batches);
}

#[test]
fn a_run_without_requests_has_a_schema_and_no_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = stored(folder.path(), &[]);
    let mut batches = RequestBatches::read(&path, &RequestColumns::default()).unwrap();
    assert_eq!(batches.schema().field(0).name(), "index");
    assert!(batches.next().is_none());
}

#[test]
fn what_is_before_the_damage_is_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = stored(folder.path(), &(0..9).map(success).collect::<Vec<_>>());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute("UPDATE result SET due_ns = 'x' WHERE rowid = 7", [])
        .unwrap();
    let columns = RequestColumns::named(["index"]).unwrap();
    let mut batches = RequestBatches::read(&path, &columns).unwrap();
    assert_eq!(batches.next().unwrap().unwrap().num_rows(), 6);
    let error = batches.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("`due_ns` of row 7"), "{error}");
    assert!(batches.next().is_none());
}

#[test]
fn names_that_no_column_has_are_refused() {
    let refused = |names: &[&str]| {
        RequestColumns::named(names.iter().copied())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(&["ttfd"]),
        "requests have no column `ttfd`: did you mean `ttft`?"
    );
    assert_eq!(refused(&["xyzxyz"]), "requests have no column `xyzxyz`");
    assert_eq!(refused(&["ttft", "ttft"]), "column `ttft` is named twice");
}

#[test]
fn columns_have_names_of_their_own_and_only_long_ones_must_be_named() {
    let all = columns();
    let mut names: Vec<&str> = all.iter().map(|column| column.name).collect();
    let number = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), number);
    let long = all.iter().filter(|column| column.read == Read::WhenNamed);
    let long: Vec<&str> = long.map(|column| column.name).collect();
    let expected = [
        "gaps",
        "chunk_tokens",
        "bare_events",
        "request",
        "answer",
        "reasoning",
        "tool_calls",
    ];
    assert_eq!(long, expected);
}
