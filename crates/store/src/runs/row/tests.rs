//! Rows lose nothing, and their metric columns mean what scripts expect.

use crestline_core::record::{Failure, FailureKind, RequestRecord};
use crestline_core::units::Nanos;
use proptest::prelude::*;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{RowContext, samples};
use crate::runs::stored_row::{self, RowError, Texts};
use crate::schema;

const CONTEXT: RowContext = RowContext {
    start: Nanos(1_700_000_000_500_000_000),
    keep_text: true,
};

fn table_with(record: &RequestRecord) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&schema::create_result()).unwrap();
    let values = super::values(record, CONTEXT);
    connection
        .execute(&schema::insert_result(), params_from_iter(values))
        .unwrap();
    connection
}

fn read_back(connection: &Connection) -> Result<RequestRecord, RowError> {
    read_back_with(connection, Texts::Read)
}

fn read_back_with(connection: &Connection, texts: Texts) -> Result<RequestRecord, RowError> {
    let columns = stored_row::select_list(|_| true, texts);
    let select = format!("SELECT {columns} FROM result");
    let mut select = connection.prepare(&select).unwrap();
    let mut rows = select.query([]).unwrap();
    stored_row::record(rows.next().unwrap().unwrap())
}

fn cell(connection: &Connection, column: &str) -> Value {
    connection
        .query_row(&format!("SELECT {column} FROM result"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_record_comes_back_from_its_row(record in samples::any_record()) {
        let table = table_with(&record);
        prop_assert_eq!(&read_back(&table).unwrap(), &record);
        let without = RequestRecord { exchange: None, ..record };
        prop_assert_eq!(read_back_with(&table, Texts::LeftOut).unwrap(), without);
    }
}

#[test]
fn every_kind_of_failure_has_a_name_that_is_read_back() {
    for &kind in samples::KINDS {
        let failure = Some(Failure {
            kind,
            text: "why".to_owned(),
        });
        let record = RequestRecord {
            failure,
            ..samples::success(0)
        };
        assert_eq!(read_back(&table_with(&record)).unwrap(), record, "{kind:?}");
    }
}

#[test]
fn metric_columns_are_seconds_from_the_write_of_the_request() {
    let table = table_with(&samples::success(2_000));
    let real = |column: &str| match cell(&table, column) {
        Value::Real(seconds) => seconds,
        other => panic!("{column}: {other:?}"),
    };
    let near = |column: &str, seconds: f64| {
        assert!(
            (real(column) - seconds).abs() < 1e-9,
            "{column}: {}",
            real(column)
        );
    };
    near("start_time", 2.000_001);
    near("completed_time", 2.091_001);
    near("latency", 0.091);
    near("first_chunk_latency", 0.05);
    near("time_per_output_token", 0.01);
    assert!((real("wall_start") - 1_700_000_002.500_001).abs() < 1e-6);
    assert_eq!(
        cell(&table, "inter_token_latencies"),
        Value::Text("[0.015, 0.025]".to_owned())
    );
    assert_eq!(cell(&table, "prompt_tokens"), Value::Integer(7));
    assert_eq!(cell(&table, "completion_tokens"), Value::Integer(5));
    assert_eq!(cell(&table, "success"), Value::Integer(1));
    assert_eq!(cell(&table, "is_stream"), Value::Integer(1));
    assert_eq!(cell(&table, "due_ns"), Value::Integer(2_000_000_000));
}

#[test]
fn a_failed_row_has_no_metrics_but_all_facts() {
    let failure = Failure {
        kind: FailureKind::CutMidStream,
        text: "reset by peer".to_owned(),
    };
    let table = table_with(&RequestRecord {
        failure: Some(failure),
        ..samples::success(0)
    });
    for column in [
        "latency",
        "first_chunk_latency",
        "time_per_output_token",
        "prompt_tokens",
        "completion_tokens",
    ] {
        assert_eq!(cell(&table, column), Value::Null, "{column}");
    }
    assert_eq!(cell(&table, "success"), Value::Integer(0));
    assert_eq!(
        cell(&table, "failure_kind"),
        Value::Text("cut_mid_stream".to_owned())
    );
    assert_eq!(
        cell(&table, "failure_text"),
        Value::Text("reset by peer".to_owned())
    );
    assert_eq!(cell(&table, "output_tokens"), Value::Integer(5));
}

#[test]
fn a_damaged_cell_is_named() {
    let damage = [
        ("failure_kind", "'gremlins'"),
        ("inter_token_latencies", "'[1'"),
        ("due_ns", "NULL"),
        ("status", "'many'"),
        ("input_tokens_source", "NULL"),
        ("response_messages", "'[]'"),
        ("bare_events_ns", "'[-1]'"),
    ];
    for (column, value) in damage {
        let table = table_with(&samples::success(0));
        table
            .execute_batch(&format!("UPDATE result SET {column} = {value}"))
            .unwrap();
        match read_back(&table) {
            Err(RowError::Column(named)) => assert_eq!(named, column),
            other => panic!("{column}: {other:?}"),
        }
    }
}
