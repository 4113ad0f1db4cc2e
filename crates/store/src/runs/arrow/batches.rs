//! Batches of a run in the order of its rows, read ahead by a few threads.
//!
//! Never holds more than a few batches, however long the run is, and reads no further than it is asked for. Rows that are
//! written after the beginning are not among them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use crestline_core::nearest::nearest;
use crestline_core::record::RequestRecord;

use super::columns::{Column, Read, Values, columns};
use super::values;
use crate::runs::{RowRange, RunReader, RunSpan, StoreError};

/// Rows of a batch at most.
const ROWS: usize = 16_384;
/// Bytes of texts and lists in a batch, about, before it is full.
const LONG_BYTES: usize = 8 << 20;
/// Threads that read one run at most.
const MOST_THREADS: usize = 4;

/// Some columns, chosen by name.
#[derive(Debug, Clone)]
pub struct RequestColumns {
    columns: Vec<Column>,
}

/// A name that no column has, or that is named twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// No column is called so.
    #[error("requests have no column `{name}`{}", .nearest.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The column that it is most like.
        nearest: Option<&'static str>,
    },
    /// Named twice.
    #[error("column `{name}` is named twice")]
    Twice {
        /// The column.
        name: String,
    },
}

impl Default for RequestColumns {
    /// All but those that must be named.
    fn default() -> Self {
        let is_read = |column: &Column| column.read == Read::Always;
        Self {
            columns: columns().into_iter().filter(is_read).collect(),
        }
    }
}

impl RequestColumns {
    /// The columns of these names, in this order.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ColumnError> {
        let all = columns();
        let mut chosen: Vec<Column> = Vec::new();
        for name in names {
            if chosen.iter().any(|column| column.name == name) {
                return Err(ColumnError::Twice {
                    name: name.to_owned(),
                });
            }
            let found = all.iter().find(|column| column.name == name);
            chosen.push(*found.ok_or_else(|| {
                ColumnError::Unknown {
                    name: name.to_owned(),
                    nearest: nearest(name, all.iter().map(|column| column.name))
                        .and_then(|near| all.iter().find(|column| column.name == near))
                        .map(|column| column.name),
                }
            })?);
        }
        Ok(Self { columns: chosen })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Their names, types, units and meanings.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<_> = self.columns.iter().map(values::field).collect();
        Arc::new(Schema::new(fields))
    }

    fn need_texts(&self) -> bool {
        let is_text = |column: &Column| matches!(column.values, Values::Said(_));
        self.columns.iter().any(is_text)
    }

    fn batch(&self, schema: &SchemaRef, records: &[RequestRecord]) -> RecordBatch {
        let arrays = self
            .columns
            .iter()
            .map(|column| values::array(column.values, records));
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(records.len()));
        RecordBatch::try_new_with_options(Arc::clone(schema), arrays.collect(), &options).expect(
            "arrays are of the types that the schema says, and as long as there are records",
        )
    }
}

/// The requests of a run, batch by batch, in the order in which they ended. Ends after the first error.
#[derive(Debug)]
pub struct RequestBatches {
    schema: SchemaRef,
    lanes: Vec<Lane>,
    turn: usize,
    /// Parts of the run that are not read to their ends.
    left: usize,
}

/// A thread that reads, and what it has read: parts of the run, an end after each.
#[derive(Debug)]
struct Lane {
    /// Taken when it is no longer wanted.
    batches: Option<Receiver<Piece>>,
    thread: Option<JoinHandle<()>>,
}

enum Piece {
    Batch(RecordBatch),
    PartEnds,
    Broken(StoreError),
}

impl RequestBatches {
    /// Begins to read the columns of a run's database.
    pub fn read(path: &Path, columns: &RequestColumns) -> Result<Self, StoreError> {
        let span = RunReader::open(path)?.span()?;
        let schema = columns.schema();
        let parts = span.map(parts).unwrap_or_default();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = processors.min(parts.len()).min(MOST_THREADS);
        let lanes = (0..threads).map(|lane| {
            let parts = parts.iter().skip(lane).step_by(threads).copied().collect();
            Lane::begin(Work {
                path: path.to_owned(),
                parts,
                columns: columns.clone(),
                schema: Arc::clone(&schema),
            })
        });
        Ok(Self {
            lanes: lanes.collect(),
            schema,
            turn: 0,
            left: parts.len(),
        })
    }

    /// What each batch has.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

/// A run in parts that are a batch each, as long as rows are short.
fn parts(span: RunSpan) -> Vec<RowRange> {
    let rows = usize::try_from(span.rows).unwrap_or(usize::MAX);
    span.range.parts(rows.div_ceil(ROWS))
}

impl Iterator for RequestBatches {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            let lane = self.lanes.get_mut(self.turn)?;
            match lane.next() {
                Piece::Batch(batch) => return Some(Ok(batch)),
                Piece::PartEnds => {
                    self.left -= 1;
                    self.turn = (self.turn + 1) % self.lanes.len();
                }
                Piece::Broken(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Lane {
    fn begin(work: Work) -> Self {
        let (sender, batches) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("requests".to_owned())
            .spawn(move || work.run(&sender))
            .expect("the system can start a thread");
        Self {
            batches: Some(batches),
            thread: Some(thread),
        }
    }

    fn next(&mut self) -> Piece {
        match self.batches.as_ref().map(Receiver::recv) {
            Some(Ok(piece)) => piece,
            _ => match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => Piece::PartEnds,
            },
        }
    }
}

impl Drop for Lane {
    /// Waits for the thread, which ends with the batch that it is at.
    fn drop(&mut self) {
        self.batches.take();
        if let Some(thread) = self.thread.take() {
            // A panic has been told on the thread's own standard error.
            let _ = thread.join();
        }
    }
}

/// What one thread reads.
struct Work {
    path: PathBuf,
    parts: Vec<RowRange>,
    columns: RequestColumns,
    schema: SchemaRef,
}

/// Nobody asks for more.
struct Unwanted;

impl Work {
    fn run(&self, to: &SyncSender<Piece>) {
        let reader = match RunReader::open(&self.path) {
            Ok(reader) => reader,
            Err(error) => {
                // Fails only where nobody asks for more.
                let _ = to.send(Piece::Broken(error));
                return;
            }
        };
        for part in &self.parts {
            if self.read(&reader, *part, to).is_err() {
                return;
            }
        }
    }

    fn read(
        &self,
        reader: &RunReader,
        part: RowRange,
        to: &SyncSender<Piece>,
    ) -> Result<(), Unwanted> {
        let send = |piece| to.send(piece).map_err(|_| Unwanted);
        let mut full = Full::default();
        let records = if self.columns.need_texts() {
            reader.records_with_texts(part)
        } else {
            reader.records_without_texts(part)
        };
        for record in records {
            match record {
                Ok(record) => full.take(record),
                Err(error) => {
                    if !full.records.is_empty() {
                        send(Piece::Batch(
                            self.columns.batch(&self.schema, &full.records),
                        ))?;
                    }
                    send(Piece::Broken(error))?;
                    return Err(Unwanted);
                }
            }
            if full.is_full() {
                send(Piece::Batch(
                    self.columns.batch(&self.schema, &full.records),
                ))?;
                full = Full::default();
            }
        }
        if !full.records.is_empty() {
            send(Piece::Batch(
                self.columns.batch(&self.schema, &full.records),
            ))?;
        }
        send(Piece::PartEnds)
    }
}

/// Records that become a batch.
#[derive(Default)]
struct Full {
    records: Vec<RequestRecord>,
    long_bytes: usize,
}

impl Full {
    fn take(&mut self, record: RequestRecord) {
        let texts = record.exchange.as_deref().map_or(0, |said| {
            said.request.len() + said.answer.len() + said.reasoning.len() + said.tool_calls.len()
        });
        let numbers = record.gaps.len() + record.chunk_tokens.len() + record.bare_events.len();
        self.long_bytes += texts + 4 * numbers;
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= ROWS || self.long_bytes >= LONG_BYTES
    }
}

#[cfg(test)]
mod tests;
