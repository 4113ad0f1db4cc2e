//! Rows of a `result` table that another program wrote: the columns that [`crate::schema`] has in common with it, and no
//! `meta`.
//!
//! Such a row does not say when a request was due, why it failed, or how tokens were counted. Answers are in a form of their
//! own there and are not read.

use std::path::Path;

use crestline_core::record::{
    Exchange, Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource,
};
use crestline_core::units::Nanos;
use rusqlite::Row;
use rusqlite::types::FromSql;

use super::error::StoreError;
use super::reader::connect;

/// Longest time that a row may tell of, in seconds: what is beyond is no time.
const LONGEST_S: f64 = 1e8;

/// All requests, in the order in which they were sent; times count from the first.
pub fn other_rows(path: &Path) -> Result<Vec<RequestRecord>, StoreError> {
    let read = |source| StoreError::Read {
        path: path.to_owned(),
        source,
    };
    let not_a_run = |missing| StoreError::NotARun {
        path: path.to_owned(),
        missing,
    };
    let connection = connect(path).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    let mut select = connection
        .prepare("SELECT * FROM result")
        .map_err(|_| not_a_run("result"))?;
    let named = ["start_time", "success", "latency", "first_chunk_latency"];
    for name in named {
        select.column_index(name).map_err(|_| not_a_run(name))?;
    }
    let mut rows = select.query([]).map_err(read)?;
    let mut found: Vec<(f64, RequestRecord)> = Vec::new();
    while let Some(row) = rows.next().map_err(read)? {
        let start = value(row, "start_time").filter(|start: &f64| start.is_finite());
        let start = start.ok_or_else(|| StoreError::Damaged {
            path: path.to_owned(),
            place: format!("`start_time` of row {}", found.len() + 1),
        })?;
        found.push((start, record(row)));
    }
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    let first = found.first().ok_or_else(|| not_a_run("rows"))?.0;
    let placed = (0..).zip(found);
    let records = placed.map(|(index, (start, record))| {
        let since = Nanos::from_secs_f64((start - first).min(LONGEST_S));
        moved(RequestRecord { index, ..record }, since)
    });
    Ok(records.collect())
}

/// A request whose times count from when it was sent, sent so much later.
fn moved(record: RequestRecord, since: Nanos) -> RequestRecord {
    RequestRecord {
        due: since,
        sent: since,
        first_token: record.first_token.map(|at| at + since),
        last_token: record.last_token.map(|at| at + since),
        end: record.end + since,
        ..record
    }
}

/// The value of a column; `None` where there is none, or of another type.
fn value<T: FromSql>(row: &Row<'_>, column: &str) -> Option<T> {
    row.get::<_, Option<T>>(column).ok().flatten()
}

/// A time in seconds, where it is one.
fn seconds(row: &Row<'_>, column: &str) -> Option<Nanos> {
    let seconds: f64 = value(row, column)?;
    (0.0..LONGEST_S)
        .contains(&seconds)
        .then(|| Nanos::from_secs_f64(seconds))
}

/// A request whose times count from when it was sent.
fn record(row: &Row<'_>) -> RequestRecord {
    let mut record = RequestRecord::new(0, Phase::Measured);
    record.streamed = value(row, "is_stream").unwrap_or(1) == 1_i64;
    record.request_id = value(row, "request_id").unwrap_or_default();
    record.exchange = value(row, "request").map(|request| {
        Box::new(Exchange {
            request,
            ..Exchange::default()
        })
    });
    let latency = seconds(row, "latency");
    let (Some(latency), Some(1_i64)) = (latency, value(row, "success")) else {
        record.failure = Some(Failure {
            kind: FailureKind::Unknown,
            text: String::new(),
        });
        return record;
    };
    record.end = latency;
    record.first_token = seconds(row, "first_chunk_latency").or(Some(latency));
    let gaps: Option<String> = value(row, "inter_token_latencies");
    let gaps: Vec<f64> = gaps
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let gaps = gaps
        .into_iter()
        .filter(|gap| (0.0..LONGEST_S).contains(gap));
    record.gaps = gaps.map(Nanos::from_secs_f64).collect();
    record.chunks = u32::try_from(record.gaps.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    record.last_token = Some(record.end);
    record.prompt_tokens = tokens(row, "prompt_tokens");
    record.output_tokens = tokens(row, "completion_tokens");
    record
}

fn tokens(row: &Row<'_>, column: &str) -> Option<TokenCount> {
    let count: i64 = value(row, column)?;
    Some(TokenCount {
        count: u32::try_from(count).ok()?,
        source: TokenSource::Usage,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    const TABLE: &str = "CREATE TABLE result (request TEXT, start_time REAL, inter_token_latencies TEXT, success INTEGER, \
        completed_time REAL, latency REAL, first_chunk_latency REAL, prompt_tokens INTEGER, completion_tokens INTEGER, \
        is_stream INTEGER)";

    fn database(statements: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("r.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch(statements)
            .unwrap();
        (place, path)
    }

    #[test]
    fn rows_of_another_program_are_requests() {
        let (_place, path) = database(&format!(
            "{TABLE};
            INSERT INTO result VALUES ('b', 102.5, '[]', 0, 0, NULL, NULL, NULL, NULL, 1);
            INSERT INTO result VALUES ('a', 100.0, '[0.25, 0.5]', 1, 101.0, 1.0, 0.25, 7, 3, 1);"
        ));
        let records = other_rows(&path).unwrap();
        let [good, failed] = &records[..] else {
            panic!("{records:?}")
        };
        assert_eq!(
            (good.sent, good.latency()),
            (Nanos::ZERO, Nanos::from_secs(1))
        );
        assert_eq!(good.ttft(), Some(Nanos::from_millis(250)));
        assert_eq!(good.tpot(), Some(Nanos::from_millis(375)));
        assert_eq!((good.gaps.len(), good.chunks), (2, 3));
        assert_eq!(good.prompt_tokens.unwrap().count, 7);
        assert_eq!(good.exchange.as_ref().unwrap().request, "a");
        assert_eq!(failed.sent, Nanos::from_millis(2500));
        assert_eq!(failed.failure.as_ref().unwrap().kind, FailureKind::Unknown);
    }

    #[test]
    fn what_has_no_such_rows_is_refused() {
        let refused = |statements: &str| {
            let (_place, path) = database(statements);
            other_rows(&path).unwrap_err().to_string()
        };
        assert!(refused("CREATE TABLE x (y)").contains("`result`"));
        assert!(refused("CREATE TABLE result (y)").contains("`start_time`"));
        assert!(refused(TABLE).contains("`rows`"));
        let row = format!("{TABLE}; INSERT INTO result (start_time) VALUES ('x')");
        assert!(refused(&row).contains("`start_time` of row 1"));
    }
}
