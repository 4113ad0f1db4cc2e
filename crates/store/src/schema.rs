//! The tables of a run's database, their columns and the version of the format.
//!
//! `result` has a row for each counted request, in the order in which they ended; `meta` has one row for each fact
//! about the run. The first fourteen columns of `result` bear the names and types of `EvalScope`'s `benchmark_data.db`,
//! so that scripts written for it go on working. Says nothing of how values are encoded: that is `runs::row`.
//!
//! Offsets count from the run's epoch, which is the same for all rows; `meta.start_unix_ns` is the epoch on the wall
//! clock. Columns named `…_time`, `latency` and the like are seconds as REAL; columns named `…_ns` are whole
//! nanoseconds and exact. What is NULL did not happen or is not known.
//!
//! | column | holds |
//! | --- | --- |
//! | `request` | body that was sent; NULL where texts are not kept |
//! | `start_time`, `completed_time` | `sent_ns`, `end_ns` in seconds |
//! | `inter_token_latencies` | JSON list of seconds between events with content, nine decimals: exact; failed rows too |
//! | `success` | 1 or 0 |
//! | `response_messages` | JSON list with one message: `role`, `content`, `reasoning_content`, `tool_calls`; NULL where texts are not kept |
//! | `latency`, `first_chunk_latency`, `time_per_output_token` | seconds from `sent_ns`; NULL in failed rows |
//! | `prompt_tokens`, `completion_tokens` | NULL in failed rows; see `input_tokens`, `output_tokens` |
//! | `max_gpu_memory_cost` | always NULL: a client cannot see it |
//! | `request_id` | the id sent as `x-request-id` |
//! | `is_stream` | the answer came as server-sent events |
//! | `request_index` | position in the workload |
//! | `wall_start` | when it was sent, in seconds since 1970-01-01 UTC |
//! | `due_ns` | when it should have been sent: the scheduled arrival |
//! | `slot_wait_ns` | wait for the concurrency limit after `due_ns` |
//! | `sent_ns`, `end_ns` | first byte written; whole answer received or failed |
//! | `connect_ns` | length of connecting, where a connection was made |
//! | `first_byte_ns` … `last_token_ns` | offsets of these events |
//! | `chunks` | events with content |
//! | `input_tokens`, `output_tokens` | counts, failed rows too; `…_source` is `usage`, `tokenizer` or `chunks` |
//! | `cached_tokens` | prompt tokens from the server's prefix cache |
//! | `status` | HTTP status |
//! | `failure_kind`, `failure_text` | why it failed; NULL is success |
//! | `reconnects` | times it was sent again on a fresh connection |
//! | `chunk_tokens` | JSON list of the tokens that each chunk brought, where the server says so; NULL elsewhere. Since version 2 |
//! | `bare_events_ns` | JSON list of the offsets of events that had a choice without content; NULL where there were none. Since version 3 |
//! | `conversation`, `turn`, `turns` | position of the conversation in the workload, number of the turn in it (from 1), turns that it has where none fails; NULL for a request that stands alone. Since version 4 |
//! | `asked_output_tokens` | longest answer that was asked for, of each choice; NULL where the request left it to the server. Since version 5 |
//!
//! # What is noted of a run
//!
//! `meta` may have, since version 5: `point`, the load that was applied; `client`, what the client observed of itself
//! ([`ClientHealth`](crestline_core::health::ClientHealth)); `interrupted`, whether the load was ended early. Each is JSON.
//!
//! # What the server says of itself
//!
//! Since version 5, and empty where the server was not read. `server_page` has a row for each time that it was: `at_ns`
//! is when the answer was whole, and `missed` is NULL; or when it was given up, and `missed` says why. `server_series` has
//! a row for each series: its name, its labels as a JSON list of pairs, and its kind (`counter`, `gauge`, `unknown`).
//! `server_sample` has a row only where a value changed: it holds at every read from `at_ns` until the next row of its
//! series. A value of NULL says that the series was not there from then on.

/// Version of the format that this build writes. A reader takes this one and all before it.
pub const FORMAT_VERSION: u32 = 5;

/// Columns of `result` with their types, in order.
pub const RESULT_COLUMNS: [(&str, &str); 42] = [
    ("request", "TEXT"),
    ("start_time", "REAL"),
    ("inter_token_latencies", "TEXT"),
    ("success", "INTEGER"),
    ("response_messages", "TEXT"),
    ("completed_time", "REAL"),
    ("latency", "REAL"),
    ("first_chunk_latency", "REAL"),
    ("prompt_tokens", "INTEGER"),
    ("completion_tokens", "INTEGER"),
    ("max_gpu_memory_cost", "REAL"),
    ("time_per_output_token", "REAL"),
    ("request_id", "TEXT"),
    ("is_stream", "INTEGER"),
    ("request_index", "INTEGER"),
    ("wall_start", "REAL"),
    ("due_ns", "INTEGER"),
    ("slot_wait_ns", "INTEGER"),
    ("sent_ns", "INTEGER"),
    ("connect_ns", "INTEGER"),
    ("first_byte_ns", "INTEGER"),
    ("first_token_ns", "INTEGER"),
    ("first_reasoning_ns", "INTEGER"),
    ("first_answer_ns", "INTEGER"),
    ("last_token_ns", "INTEGER"),
    ("end_ns", "INTEGER"),
    ("chunks", "INTEGER"),
    ("input_tokens", "INTEGER"),
    ("input_tokens_source", "TEXT"),
    ("output_tokens", "INTEGER"),
    ("output_tokens_source", "TEXT"),
    ("cached_tokens", "INTEGER"),
    ("status", "INTEGER"),
    ("failure_kind", "TEXT"),
    ("failure_text", "TEXT"),
    ("reconnects", "INTEGER"),
    ("chunk_tokens", "TEXT"),
    ("bare_events_ns", "TEXT"),
    ("conversation", "INTEGER"),
    ("turn", "INTEGER"),
    ("turns", "INTEGER"),
    ("asked_output_tokens", "INTEGER"),
];

/// The statement that makes `result`.
pub fn create_result() -> String {
    let columns: Vec<String> = RESULT_COLUMNS
        .iter()
        .map(|(name, kind)| format!("    {name} {kind}"))
        .collect();
    format!("CREATE TABLE result (\n{}\n)", columns.join(",\n"))
}

/// The statement that makes `meta`.
pub const CREATE_META: &str =
    "CREATE TABLE meta (\n    key TEXT PRIMARY KEY,\n    value TEXT NOT NULL\n)";

/// The statements that make the tables of what the server says of itself, where they are not there yet.
pub const CREATE_SERVER: &str = "CREATE TABLE IF NOT EXISTS server_page (
    at_ns INTEGER NOT NULL,
    missed TEXT
);
CREATE TABLE IF NOT EXISTS server_series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    kind TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS server_sample (
    series INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    value REAL
)";

/// The statement that adds a row to `result`: a parameter for each column, in order.
pub(crate) fn insert_result() -> String {
    let places = vec!["?"; RESULT_COLUMNS.len()].join(", ");
    format!("INSERT INTO result VALUES ({places})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_schema_changes_only_on_purpose() {
        expect![[r"
            version 5
            CREATE TABLE result (
                request TEXT,
                start_time REAL,
                inter_token_latencies TEXT,
                success INTEGER,
                response_messages TEXT,
                completed_time REAL,
                latency REAL,
                first_chunk_latency REAL,
                prompt_tokens INTEGER,
                completion_tokens INTEGER,
                max_gpu_memory_cost REAL,
                time_per_output_token REAL,
                request_id TEXT,
                is_stream INTEGER,
                request_index INTEGER,
                wall_start REAL,
                due_ns INTEGER,
                slot_wait_ns INTEGER,
                sent_ns INTEGER,
                connect_ns INTEGER,
                first_byte_ns INTEGER,
                first_token_ns INTEGER,
                first_reasoning_ns INTEGER,
                first_answer_ns INTEGER,
                last_token_ns INTEGER,
                end_ns INTEGER,
                chunks INTEGER,
                input_tokens INTEGER,
                input_tokens_source TEXT,
                output_tokens INTEGER,
                output_tokens_source TEXT,
                cached_tokens INTEGER,
                status INTEGER,
                failure_kind TEXT,
                failure_text TEXT,
                reconnects INTEGER,
                chunk_tokens TEXT,
                bare_events_ns TEXT,
                conversation INTEGER,
                turn INTEGER,
                turns INTEGER,
                asked_output_tokens INTEGER
            );
            CREATE TABLE meta (
                key TEXT PRIMARY KEY,
                value TEXT NOT NULL
            );
        "]]
        .assert_eq(&format!(
            "version {FORMAT_VERSION}\n{};\n{CREATE_META};\n",
            create_result()
        ));
    }

    #[test]
    fn the_schema_of_what_a_server_says_changes_only_on_purpose() {
        expect![[r"
            CREATE TABLE IF NOT EXISTS server_page (
                at_ns INTEGER NOT NULL,
                missed TEXT
            );
            CREATE TABLE IF NOT EXISTS server_series (
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                labels TEXT NOT NULL,
                kind TEXT NOT NULL
            );
            CREATE TABLE IF NOT EXISTS server_sample (
                series INTEGER NOT NULL,
                at_ns INTEGER NOT NULL,
                value REAL
            );
        "]]
        .assert_eq(&format!("{CREATE_SERVER};\n"));
    }
}
