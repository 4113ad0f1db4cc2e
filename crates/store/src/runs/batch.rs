//! The thread that writes rows: takes records and pages from a channel, commits them in batches, closes the file.
//!
//! Never panics over a disk: what cannot be written is counted, and the next batch is tried afresh.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crestline_core::record::RequestRecord;
use crestline_core::server_series::PageRead;
use rusqlite::{Connection, Statement, params_from_iter};

use super::row::{self, RowContext};
use super::server_pages::PageCoder;
use super::writer::WriteStatus;
use crate::schema;

/// Longest time that a row waits for its commit. Half of the promised second: the other half is for the way to here.
const COMMIT_AFTER: Duration = Duration::from_millis(500);

/// Priority of the thread, 0 being that of the others: a tenth of their share where the processor is full.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// What the thread leaves behind.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) write_error: Option<rusqlite::Error>,
    pub(super) close_error: Option<rusqlite::Error>,
    pub(super) single_file: bool,
}

/// What the thread needs besides its connection and its channel.
pub(super) struct BatchPlan {
    pub(super) rows: u64,
    pub(super) context: RowContext,
    pub(super) status: Arc<Mutex<WriteStatus>>,
}

pub(super) fn lock(status: &Mutex<WriteStatus>) -> MutexGuard<'_, WriteStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread: rows in, commits out, until the sender is gone.
pub(super) fn drain(connection: Connection, receiver: &Receiver<Entry>, plan: BatchPlan) -> Ending {
    step_back();
    let error = match connection.prepare(&schema::insert_result()) {
        Ok(insert) => Batch::new(&connection, insert, plan).run(receiver),
        Err(error) => {
            let mut status = lock(&plan.status);
            status.error = Some(error.to_string());
            drop(status);
            for entry in receiver {
                match entry {
                    Entry::Row(_) | Entry::Note(_) => lock(&plan.status).lost += 1,
                    Entry::Page(_) => lock(&plan.status).pages_lost += 1,
                    Entry::End => break,
                }
            }
            Some(error)
        }
    };
    close(connection, error)
}

/// Lets everything else in the process go first: rows can wait, a socket that has data cannot.
fn step_back() {
    // On Linux a priority is a thread's, elsewhere it would be the process's. Refused, all stays as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// What the thread is sent.
#[derive(Debug)]
pub(super) enum Entry {
    Row(Box<RequestRecord>),
    Page(Box<PageRead>),
    /// A name and a value of `meta`.
    Note(Box<(String, String)>),
    /// Nothing that is sent after this is written.
    End,
}

/// What the thread does next.
pub(super) enum Step {
    Row(Box<RequestRecord>),
    Page(Box<PageRead>),
    Note(Box<(String, String)>),
    Commit,
}

/// The next record or page, or the time to commit; `None` at the end.
fn next_step(receiver: &Receiver<Entry>, commit_by: Option<Instant>) -> Option<Step> {
    let entry = match commit_by {
        None => receiver.recv().ok()?,
        Some(deadline) => match receiver.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok(entry) => entry,
            Err(RecvTimeoutError::Timeout) => return Some(Step::Commit),
            Err(RecvTimeoutError::Disconnected) => return None,
        },
    };
    match entry {
        Entry::Row(record) => Some(Step::Row(record)),
        Entry::Page(page) => Some(Step::Page(page)),
        Entry::Note(note) => Some(Step::Note(note)),
        Entry::End => None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a deadline for commits; no measurement comes from it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Rows in one transaction.
pub(super) struct Batch<'a> {
    connection: &'a Connection,
    insert: Statement<'a>,
    plan: BatchPlan,
    /// Of what the server said before; `None` where that is to be read from the file.
    coder: Option<PageCoder>,
    pending: u64,
    pending_pages: u64,
    commit_by: Option<Instant>,
    error: Option<rusqlite::Error>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(connection: &'a Connection, insert: Statement<'a>, plan: BatchPlan) -> Self {
        Self {
            connection,
            insert,
            plan,
            coder: None,
            pending: 0,
            pending_pages: 0,
            commit_by: None,
            error: None,
        }
    }

    /// Writes until the sender is gone, and returns the first error.
    fn run(mut self, receiver: &Receiver<Entry>) -> Option<rusqlite::Error> {
        while let Some(step) = next_step(receiver, self.commit_by) {
            self.take(step);
        }
        self.commit();
        self.error
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Row(record) => self.add(&record),
            Step::Page(page) => self.add_page(*page),
            Step::Note(note) => self.add_note(&note),
            Step::Commit => {}
        }
        let late = self.commit_by.is_some_and(|deadline| deadline <= now());
        if late || self.pending >= self.plan.rows {
            self.commit();
        }
    }

    fn add(&mut self, record: &RequestRecord) {
        let values = row::values(record, self.plan.context);
        self.pending += 1;
        if let Err(error) = self.insert_row(values) {
            self.give_up(error);
        }
    }

    fn add_page(&mut self, page: PageRead) {
        self.pending_pages += 1;
        if let Err(error) = self.insert_page(page) {
            self.give_up(error);
        }
    }

    fn add_note(&mut self, (name, value): &(String, String)) {
        let noted = self.begin().and_then(|()| {
            let replace = "INSERT OR REPLACE INTO meta VALUES (?, ?)";
            self.connection.execute(replace, [name, value])
        });
        if let Err(error) = noted {
            self.give_up(error);
        }
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        if self.commit_by.is_none() {
            self.connection.execute_batch("BEGIN")?;
            self.commit_by = Some(now() + COMMIT_AFTER);
        }
        Ok(())
    }

    fn insert_row(&mut self, values: Vec<rusqlite::types::Value>) -> rusqlite::Result<()> {
        self.begin()?;
        self.insert.execute(params_from_iter(values)).map(drop)
    }

    fn insert_page(&mut self, page: PageRead) -> rusqlite::Result<()> {
        self.begin()?;
        let coder = match &mut self.coder {
            Some(coder) => coder,
            none => none.insert(PageCoder::open(self.connection)?),
        };
        coder.write(self.connection, page)
    }

    fn commit(&mut self) {
        if self.commit_by.is_none() {
            return;
        }
        match self.connection.execute_batch("COMMIT") {
            Ok(()) => {
                lock(&self.plan.status).written += self.pending;
                self.pending = 0;
                self.pending_pages = 0;
                self.commit_by = None;
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Counts the open batch as lost and starts afresh: later rows may find space again.
    fn give_up(&mut self, error: rusqlite::Error) {
        if !self.connection.is_autocommit() {
            // Where this fails too, the next `BEGIN` fails and counts its row.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        let mut status = lock(&self.plan.status);
        status.lost += self.pending;
        status.pages_lost += self.pending_pages;
        status.error.get_or_insert_with(|| error.to_string());
        self.error.get_or_insert(error);
        self.coder = None;
        self.pending = 0;
        self.pending_pages = 0;
        self.commit_by = None;
    }
}

/// Marks the run as complete where it is, and folds the log into the file.
fn close(connection: Connection, write_error: Option<rusqlite::Error>) -> Ending {
    let marked = match write_error {
        None => connection.execute("UPDATE meta SET value = '1' WHERE key = 'complete'", []),
        Some(_) => Ok(0),
    };
    let mode = journal_mode(&connection, "DELETE");
    let closed = connection.close().map_err(|(_, error)| error);
    Ending {
        write_error,
        close_error: marked.err().or(closed.err()),
        single_file: mode.is_ok_and(|mode| mode == "delete"),
    }
}

/// Asks for a journal mode and returns the one that is in force.
pub(super) fn journal_mode(connection: &Connection, mode: &str) -> rusqlite::Result<String> {
    connection.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
}
