//! Reads a run back, also one whose writer was killed: SQLite replays the log beside the file on opening.

use std::path::{Path, PathBuf};

use crestline_core::server_series::ServerSeries;
use crestline_core::units::Nanos;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::error::StoreError;
use super::server_pages::{self, PagesError};
use super::stored_row::RowError;
use super::writer::RunHeader;
use crate::schema::FORMAT_VERSION;

/// A run's facts about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct RunMeta {
    /// Version of the file's format.
    pub format_version: u32,
    /// What was known before the first request.
    pub header: RunHeader,
    /// The run ended in good order, with all rows written. A run that was killed, or is still going on, is not complete.
    pub complete: bool,
}

/// An opened run.
#[derive(Debug)]
pub struct RunReader {
    path: PathBuf,
    connection: Connection,
    meta: RunMeta,
    /// Of `result`.
    columns: Vec<String>,
}

impl RunReader {
    /// Opens a run, finished, killed or still being written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path).map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
        let meta = read_meta(&connection, path)?;
        let columns = columns(&connection).map_err(|source| StoreError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            connection,
            meta,
            columns,
        })
    }

    /// The run's facts about itself.
    pub fn meta(&self) -> &RunMeta {
        &self.meta
    }

    /// A fact that [`super::writer::RunWriter::note`] put down; `None` where there is none of this name.
    pub fn note(&self, name: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let text: Option<String> = self
            .connection
            .query_row("SELECT value FROM meta WHERE key = ?", [name], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|source| self.read_error(source))?;
        let Some(text) = text else { return Ok(None) };
        let value = serde_json::from_str(&text).map_err(|_| StoreError::Damaged {
            path: self.path.clone(),
            place: format!("`{name}` in `meta`"),
        })?;
        Ok(Some(value))
    }

    /// Number of rows.
    pub fn len(&self) -> Result<u64, StoreError> {
        self.connection
            .query_row("SELECT count(*) FROM result", [], |row| {
                row.get::<_, i64>(0)
            })
            .map(i64::cast_unsigned)
            .map_err(|source| self.read_error(source))
    }

    /// Holds no row.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|rows| rows == 0)
    }

    /// What the server said of itself; nothing in a file of version 4 or before.
    pub fn server_series(&self) -> Result<ServerSeries, StoreError> {
        let has_pages = has_table(&self.connection, "server_sample");
        if !has_pages.map_err(|source| self.read_error(source))? {
            return Ok(ServerSeries::default());
        }
        server_pages::read(&self.connection).map_err(|error| match error {
            PagesError::Sql(source) => self.read_error(source),
            PagesError::Damaged(table) => StoreError::Damaged {
                path: self.path.clone(),
                place: format!("a row of `{table}`"),
            },
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the file has a column of `result`; one of an earlier version has fewer.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    pub(super) fn read_error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Read {
            path: self.path.clone(),
            source,
        }
    }

    pub(super) fn row_error(&self, error: RowError, number: i64) -> StoreError {
        match error {
            RowError::Sql(source) => self.read_error(source),
            RowError::Column(column) => self.damaged(column, number),
        }
    }

    pub(super) fn damaged(&self, column: &str, number: i64) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            place: format!("`{column}` of row {number}"),
        }
    }
}

/// Opens for reading. Replaying a log needs the right to write; a file on read-only ground is opened without it.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        match Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == ErrorCode::ReadOnly =>
            {
                Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)
            }
            opened => opened,
        }?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn read_meta(connection: &Connection, path: &Path) -> Result<RunMeta, StoreError> {
    for table in ["meta", "result"] {
        if !has_table(connection, table).map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })? {
            return Err(StoreError::NotARun {
                path: path.to_owned(),
                missing: table,
            });
        }
    }
    let entry = |key: &'static str| -> Result<String, StoreError> {
        connection
            .query_row("SELECT value FROM meta WHERE key = ?", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|source| StoreError::Read {
                path: path.to_owned(),
                source,
            })?
            .ok_or(StoreError::NotARun {
                path: path.to_owned(),
                missing: key,
            })
    };
    let damaged = |key: &str| StoreError::Damaged {
        path: path.to_owned(),
        place: format!("`{key}` in `meta`"),
    };
    let format_version: u32 = entry("format_version")?
        .parse()
        .map_err(|_| damaged("format_version"))?;
    if format_version > FORMAT_VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            version: format_version,
        });
    }
    let start: u64 = entry("start_unix_ns")?
        .parse()
        .map_err(|_| damaged("start_unix_ns"))?;
    Ok(RunMeta {
        format_version,
        header: RunHeader {
            tool_version: entry("tool_version")?,
            start: Nanos(start),
            plan: serde_json::from_str(&entry("plan")?).map_err(|_| damaged("plan"))?,
        },
        complete: entry("complete")? == "1",
    })
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?
        .exists([name])
}

/// The columns that `result` has.
fn columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare("SELECT name FROM pragma_table_info('result')")?;
    let names = select.query_map([], |row| row.get(0))?;
    names.collect()
}

#[cfg(test)]
pub(super) mod tests;
