//! Writes the rows of a run on a thread of its own, so that no disk ever delays a request.
//!
//! Records go through a bounded channel. When the disk is slower than the run for so long that the channel is full,
//! `write` waits: that blocks the collector of records and, behind it, nothing that sends or times requests.
//!
//! # Journal
//!
//! While the run goes on the file is in write-ahead mode with `synchronous = NORMAL`: a commit is an append to the log
//! without a sync, so it costs microseconds and what was committed is in the system's cache, out of reach of a
//! `kill -9`; only a crash of the whole machine may take the last commits, and never the consistency of the file.
//! Readers need no lock against the writer. At the end the log is folded in and the mode goes back to `DELETE`, which
//! leaves one file that can be copied.

use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crestline_core::record::{Phase, RequestRecord};
use crestline_core::server_series::PageRead;
use crestline_core::units::Nanos;
use rusqlite::Connection;

use super::batch::{BatchPlan, Ending, Entry, drain, journal_mode, lock};
use super::error::StoreError;
use super::reader::RunReader;
use super::row::RowContext;
use crate::schema;

/// Records that may wait for the disk.
const CHANNEL_ROWS: usize = 4096;

/// How long the end of a run waits for others who read the file.
const READER_PATIENCE: Duration = Duration::from_secs(2);

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Rows that are committed together; a commit also happens each half second.
    pub commit_rows: NonZeroUsize,
    /// Write prompts and answers.
    pub keep_text: bool,
}

/// What is known of a run before its first request.
#[derive(Debug, Clone, PartialEq)]
pub struct RunHeader {
    /// Version of the program that measures.
    pub tool_version: String,
    /// The run's epoch on the wall clock, since 1970-01-01 UTC.
    pub start: Nanos,
    /// The plan as JSON, secrets masked.
    pub plan: serde_json::Value,
}

/// How far the writing is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteStatus {
    /// Rows that are committed.
    pub written: u64,
    /// Rows that could not be written.
    pub lost: u64,
    /// Pages of the server's metrics that could not be written.
    pub pages_lost: u64,
    /// What went wrong first, in the words of SQLite.
    pub error: Option<String>,
}

/// What a finished run left on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteReport {
    /// Rows in the file.
    pub rows: u64,
    /// The run is one file. Otherwise someone was reading it, and the log beside it goes away with the last reader.
    pub single_file: bool,
}

/// What a run that is taken up again holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// Rows. Requests that had not ended, and those of the last half second before a kill, are not among them.
    pub rows: u64,
    /// The first position in the workload after all rows'.
    pub next_index: u64,
    /// The latest end of a request, as an offset.
    pub last: Nanos,
}

/// Writes pages of the server's metrics into a run, from any thread.
#[derive(Debug, Clone)]
pub struct PageWriter {
    sender: SyncSender<Entry>,
}

impl PageWriter {
    /// Hands a page over. Waits only where thousands of rows are unwritten; after the run's end nothing is written.
    pub fn write(&self, page: PageRead) {
        // The thread is gone where the run has ended.
        let _ = self.sender.send(Entry::Page(Box::new(page)));
    }
}

/// Writes a run. Dropped without [`RunWriter::finish`] it still commits what it was given.
#[derive(Debug)]
pub struct RunWriter {
    path: PathBuf,
    sender: SyncSender<Entry>,
    thread: Option<JoinHandle<Ending>>,
    status: Arc<Mutex<WriteStatus>>,
}

impl RunWriter {
    /// Makes the file and its tables. Refuses a path where something is.
    pub fn create(
        path: &Path,
        options: WriteOptions,
        header: &RunHeader,
    ) -> Result<Self, StoreError> {
        claim(path)?;
        let connection = set_up(path, header).map_err(|source| StoreError::SetUp {
            path: path.to_owned(),
            source,
        })?;
        Self::start(path, connection, options, header.start)
    }

    /// Opens a run that was not finished, or was, to add rows. `start` is the wall clock's time of the offset 0 from here on:
    /// what is added counts its offsets from there, later than [`Stored::last`].
    pub fn append(
        path: &Path,
        options: WriteOptions,
        start: Nanos,
    ) -> Result<(Self, Stored), StoreError> {
        // Reads what is there first, so that something else is never written to.
        drop(RunReader::open(path)?);
        let (connection, stored) = take_up(path).map_err(|source| StoreError::SetUp {
            path: path.to_owned(),
            source,
        })?;
        Ok((Self::start(path, connection, options, start)?, stored))
    }

    fn start(
        path: &Path,
        connection: Connection,
        options: WriteOptions,
        start: Nanos,
    ) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(CHANNEL_ROWS);
        let status = Arc::default();
        let batch = BatchPlan {
            rows: options.commit_rows.get() as u64,
            context: RowContext {
                start,
                keep_text: options.keep_text,
            },
            status: Arc::clone(&status),
        };
        let thread = thread::Builder::new()
            .name("run-store".to_owned())
            .spawn(move || drain(connection, &receiver, batch))
            .map_err(|source| StoreError::Thread {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            sender,
            thread: Some(thread),
            status,
        })
    }

    /// Hands a record over; warm-up requests are left out. Waits only where thousands of rows are unwritten.
    ///
    /// A row that cannot be written is counted and told by [`RunWriter::status`] and [`RunWriter::finish`].
    pub fn write(&self, record: RequestRecord) {
        if record.phase == Phase::Warmup {
            return;
        }
        if self.sender.send(Entry::Row(Box::new(record))).is_err() {
            lock(&self.status).lost += 1;
        }
    }

    /// Puts down a fact about the run beside those of its [`RunHeader`], in place of what was there under this name. Read back
    /// by [`RunReader::note`]. A row that cannot be written is told like any other.
    pub fn note(&self, name: &str, value: &serde_json::Value) {
        let note = Box::new((name.to_owned(), value.to_string()));
        if self.sender.send(Entry::Note(note)).is_err() {
            lock(&self.status).lost += 1;
        }
    }

    /// For whoever reads the server's metrics meanwhile.
    pub fn pages(&self) -> PageWriter {
        PageWriter {
            sender: self.sender.clone(),
        }
    }

    /// Rows committed so far, and what went wrong.
    pub fn status(&self) -> WriteStatus {
        lock(&self.status).clone()
    }

    /// Commits the rest and leaves one file.
    ///
    /// An error here never means that the file is useless: it says how many rows are in it.
    pub fn finish(mut self) -> Result<WriteReport, StoreError> {
        let ending = self.stop().expect("a writer stops once");
        let status = self.status();
        let path = || self.path.clone();
        match (ending.write_error, ending.close_error) {
            (None, None) => Ok(WriteReport {
                rows: status.written,
                single_file: ending.single_file,
            }),
            (Some(source), _) if status.lost == 0 => Err(StoreError::PagesLost {
                path: path(),
                lost: status.pages_lost,
                source,
            }),
            (Some(source), _) => Err(StoreError::RowsLost {
                path: path(),
                written: status.written,
                lost: status.lost,
                source,
            }),
            (None, Some(source)) => Err(StoreError::Close {
                path: path(),
                source,
            }),
        }
    }

    fn stop(&mut self) -> Option<Ending> {
        let thread = self.thread.take()?;
        self.end();
        thread
            .join()
            .map_or_else(|panic| std::panic::resume_unwind(panic), Some)
    }
}

impl RunWriter {
    /// The thread ends after what it was given so far, whoever else could still send to it.
    fn end(&self) {
        // It may have ended by itself.
        let _ = self.sender.send(Entry::End);
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.end();
            // A panic there is already reported by its own message; a second one here would abort.
            drop(thread.join());
        }
    }
}

/// Takes the path for this run, so that two runs never share a file.
fn claim(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(StoreError::Exists {
            path: path.to_owned(),
        }),
        Err(source) => Err(StoreError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A connection in the mode that rows are written in.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(READER_PATIENCE)?;
    // Some network file systems cannot share memory and stay in `delete` mode: slower, as safe.
    journal_mode(&connection, "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    Ok(connection)
}

fn take_up(path: &Path) -> rusqlite::Result<(Connection, Stored)> {
    let connection = connect(path)?;
    connection.execute("UPDATE meta SET value = '0' WHERE key = 'complete'", [])?;
    bring_up_to_date(&connection)?;
    let stored = connection.query_row(
        "SELECT count(*), max(request_index), max(end_ns) FROM result",
        [],
        |row| {
            let last: [Option<i64>; 2] = [row.get(1)?, row.get(2)?];
            let [index, end] = last.map(|value| value.map(i64::cast_unsigned));
            Ok(Stored {
                rows: row.get::<_, i64>(0)?.cast_unsigned(),
                next_index: index.map_or(0, |index| index.saturating_add(1)),
                last: end.map_or(Nanos::ZERO, Nanos),
            })
        },
    )?;
    Ok((connection, stored))
}

/// Adds the columns that a file of an earlier version does not have; rows are written with all of them.
fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    let known = "SELECT count(*) FROM pragma_table_info('result')";
    let known: i64 = connection.query_row(known, [], |row| row.get(0))?;
    let missing = schema::RESULT_COLUMNS.iter().skip(known as usize);
    for (name, kind) in missing {
        connection.execute(&format!("ALTER TABLE result ADD COLUMN {name} {kind}"), [])?;
    }
    connection.execute_batch(schema::CREATE_SERVER)?;
    let version = "UPDATE meta SET value = ?1 WHERE key = 'format_version'";
    connection.execute(version, [schema::FORMAT_VERSION.to_string()])?;
    Ok(())
}

fn set_up(path: &Path, header: &RunHeader) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.execute_batch(&format!(
        "BEGIN; {}; {}; {};",
        schema::create_result(),
        schema::CREATE_META,
        schema::CREATE_SERVER
    ))?;
    let entries = [
        ("format_version", schema::FORMAT_VERSION.to_string()),
        ("tool_version", header.tool_version.clone()),
        ("start_unix_ns", header.start.0.to_string()),
        ("plan", header.plan.to_string()),
        ("complete", "0".to_owned()),
    ];
    for entry in &entries {
        connection.execute("INSERT INTO meta VALUES (?, ?)", [entry.0, &entry.1])?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

#[cfg(test)]
mod tests;
