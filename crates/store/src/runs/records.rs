//! The records of a run: all of them in order, or parts that several readers share, with texts or without.
//!
//! Read page by page, so that a run that is still being written is never held up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crestline_core::record::{Exchange, RequestRecord};
use crestline_core::units::Nanos;

use super::error::StoreError;
use super::exchange;
use super::reader::RunReader;
use super::stored_row::{self, Texts};

/// Rows that are read at once.
pub(super) const PAGE_ROWS: i64 = 512;

/// Some rows of a run that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRange {
    /// Before the first.
    after: i64,
    /// The last.
    up_to: i64,
}

/// What all rows of a run have between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSpan {
    /// Number of rows.
    pub rows: u64,
    /// When the first request was sent.
    pub first_sent: Nanos,
    /// When the last one ended.
    pub last_end: Nanos,
    /// The rows themselves; what is written later is not among them.
    pub range: RowRange,
}

impl RowRange {
    /// Every row.
    const ALL: Self = Self {
        after: 0,
        up_to: i64::MAX,
    };

    /// The same rows in so many parts of about equal size, at least one.
    pub fn parts(self, parts: usize) -> Vec<Self> {
        let parts = i64::try_from(parts.max(1)).unwrap_or(i64::MAX);
        let rows = self.up_to.saturating_sub(self.after).max(0);
        let size = rows / parts + i64::from(rows % parts > 0);
        let part = |place: i64| {
            let after = self.after.saturating_add(size.saturating_mul(place));
            Self {
                after: after.min(self.up_to),
                up_to: after.saturating_add(size).min(self.up_to),
            }
        };
        (0..parts).map(part).collect()
    }
}

impl RunReader {
    /// All records, in the order in which the requests ended. Ends after the first error.
    pub fn records(&self) -> Records<'_> {
        self.read(RowRange::ALL, Texts::Read)
    }

    /// The records of some rows without their texts, which are most of a file.
    pub fn records_without_texts(&self, rows: RowRange) -> Records<'_> {
        self.read(rows, Texts::LeftOut)
    }

    /// The records of some rows with what was sent and answered.
    pub fn records_with_texts(&self, rows: RowRange) -> Records<'_> {
        self.read(rows, Texts::Read)
    }

    /// When the run was, and which rows it has now; `None` without a row. Reads the whole file.
    pub fn span(&self) -> Result<Option<RunSpan>, StoreError> {
        let select =
            "SELECT count(*), min(sent_ns), max(end_ns), min(rowid), max(rowid) FROM result";
        let found = self.connection().query_row(select, [], |row| {
            let rows: i64 = row.get(0)?;
            if rows == 0 {
                return Ok(None);
            }
            let moment = |place: usize| -> rusqlite::Result<Nanos> {
                Ok(Nanos(row.get::<_, i64>(place)?.cast_unsigned()))
            };
            Ok(Some(RunSpan {
                rows: rows.cast_unsigned(),
                first_sent: moment(1)?,
                last_end: moment(2)?,
                range: RowRange {
                    after: row.get::<_, i64>(3)?.saturating_sub(1),
                    up_to: row.get(4)?,
                },
            }))
        });
        found.map_err(|source| self.read_error(source))
    }

    /// What was sent and answered in the requests with these positions in the workload, as far as it was kept. Reads the whole
    /// file.
    pub fn texts_of(&self, indices: &BTreeSet<u64>) -> Result<BTreeMap<u64, Exchange>, StoreError> {
        let sql = |source| self.read_error(source);
        let mut select = self
            .connection()
            .prepare("SELECT rowid, request_index, request, response_messages FROM result")
            .map_err(sql)?;
        let mut rows = select.query([]).map_err(sql)?;
        let mut found = BTreeMap::new();
        while let Some(row) = rows.next().map_err(sql)? {
            let index = row.get::<_, i64>(1).map_err(sql)?.cast_unsigned();
            if !indices.contains(&index) {
                continue;
            }
            let Some(request) = row.get::<_, Option<String>>(2).map_err(sql)? else {
                continue;
            };
            let answer: Option<String> = row.get(3).map_err(sql)?;
            let texts = exchange::from_json(request, answer.as_deref());
            let number = row.get(0).map_err(sql)?;
            let texts = texts.ok_or_else(|| self.damaged("response_messages", number))?;
            found.insert(index, texts);
        }
        Ok(found)
    }

    fn read(&self, rows: RowRange, texts: Texts) -> Records<'_> {
        let columns = stored_row::select_list(|name| self.has_column(name), texts);
        Records {
            reader: self,
            select: format!(
                "SELECT {columns} FROM result WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?"
            ),
            page: VecDeque::new(),
            left: rows,
            ended: false,
        }
    }
}

/// The records of a run, read page by page.
#[derive(Debug)]
pub struct Records<'a> {
    reader: &'a RunReader,
    select: String,
    page: VecDeque<RequestRecord>,
    /// Rows that are in no page yet.
    left: RowRange,
    ended: bool,
}

impl Records<'_> {
    fn read_page(&mut self) -> Result<(), StoreError> {
        let reader = self.reader;
        let sql = |source| reader.read_error(source);
        let mut select = reader.connection().prepare(&self.select).map_err(sql)?;
        let RowRange { after, up_to } = self.left;
        let mut rows = select.query([after, up_to, PAGE_ROWS]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let number = stored_row::number(row).map_err(sql)?;
            match stored_row::record(row) {
                Ok(record) => self.page.push_back(record),
                // What is before the damage is given out first.
                Err(_) if !self.page.is_empty() => return Ok(()),
                Err(error) => return Err(reader.row_error(error, number)),
            }
            self.left.after = number;
        }
        Ok(())
    }
}

impl Iterator for Records<'_> {
    type Item = Result<RequestRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.page.is_empty()
            && let Err(error) = self.read_page()
        {
            self.ended = true;
            return Some(Err(error));
        }
        let record = self.page.pop_front();
        self.ended = record.is_none();
        record.map(Ok)
    }
}

#[cfg(test)]
mod tests;
