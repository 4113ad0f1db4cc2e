//! Tables in the Arrow format, as a stream or as a file, without compression: what the hub's own tools leave in their cache.
//!
//! A file is a stream behind eight bytes, so both are read alike. Columns that no data set has (unions, dictionaries, views) are
//! refused by name.

mod columns;
mod flat;

use std::path::Path;

use super::Cell;
use crate::dataset::DatasetError;
use columns::{Batch, Field, Kind};
use flat::Table;

/// What a file begins with; a stream has no such mark.
const MAGIC: &[u8] = b"ARROW1\0\0";
/// Marks the begin of a message since version 0.15.
const CONTINUED: u32 = u32::MAX;
const CUT: &str = "it ends in the middle of a message";

/// The first rows of a file, with these columns of them.
pub(super) fn read(path: &Path, columns: &[&str], most: usize) -> Result<Vec<Cell>, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    rows(&bytes, columns, most).map_err(|reason| DatasetError::Malformed {
        path: path.to_owned(),
        line: None,
        reason: format!("it cannot be read as Arrow: {reason}"),
    })
}

fn rows(bytes: &[u8], wanted: &[&str], most: usize) -> Result<Vec<Cell>, String> {
    let mut rest = bytes.strip_prefix(MAGIC).unwrap_or(bytes);
    let mut schema: Option<Vec<Field>> = None;
    let mut rows = Vec::new();
    while rows.len() < most {
        let Some((message, behind)) = next_message(rest)? else {
            break;
        };
        rest = behind;
        match (message.kind, &schema) {
            (1, _) => schema = Some(columns::schema(message.header)?),
            (3, Some(fields)) => {
                let batch = Batch::of(message.header, message.body)?;
                batch.rows(fields, wanted, &mut rows)?;
            }
            (3, None) => return Err("rows stand before the schema".to_owned()),
            // Dictionaries: columns that have one are refused where they are wanted.
            _ => {}
        }
    }
    if schema.is_none() {
        return Err("it has no schema".to_owned());
    }
    rows.truncate(most);
    Ok(rows)
}

/// A message: what it is, its description and its data.
struct Message<'a> {
    kind: u8,
    header: Table<'a>,
    body: &'a [u8],
}

/// The next message and what lies behind it; `None` at the end.
fn next_message(bytes: &[u8]) -> Result<Option<(Message<'_>, &[u8])>, String> {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes(word.try_into().ok()?))
    };
    let (length, start) = match word(0) {
        None | Some(0) => return Ok(None),
        Some(CONTINUED) => (word(4).ok_or(CUT)?, 8),
        Some(length) => (length, 4),
    };
    if length == 0 {
        return Ok(None);
    }
    let behind = start + length as usize;
    let metadata = bytes.get(start..behind).ok_or(CUT)?;
    let message = Table::root(metadata).ok_or("a message has no root")?;
    let body_length = usize::try_from(message.i64(3).unwrap_or(0)).map_err(|_| CUT)?;
    let end = behind.checked_add(body_length).ok_or(CUT)?;
    let body = bytes.get(behind..end).ok_or(CUT)?;
    let message = Message {
        kind: message.u8(1).unwrap_or(0),
        header: message.table(2).ok_or("a message has no header")?,
        body,
    };
    Ok(Some((message, &bytes[end..])))
}

/// Kinds of columns by the numbers of the format.
impl Kind {
    fn name(number: u8) -> &'static str {
        match number {
            7 => "decimal",
            11 => "interval",
            14 => "union",
            22 => "run-end encoded",
            23 | 24 => "view",
            25 | 26 => "list view",
            _ => "unknown",
        }
    }
}
