//! Tables as the hub stores them: rows of cells, whatever kind of file they come from.
//!
//! Knows no data set: what rows mean is the matter of [`super::hub`].

mod arrow;
mod parquet;

use std::path::Path;

use serde_json::{Map, Value};

use crate::dataset::DatasetError;
use crate::dataset::file::{for_each_numbered, read_array};

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Cell {
    #[default]
    Null,
    Bool(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Cell>),
    /// Fields by name: also what a row is.
    Record(Vec<(String, Cell)>),
}

impl Cell {
    /// A field of a record.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Record(fields) = self else {
            return None;
        };
        let found = fields.iter().find(|(field, _)| field == name);
        found
            .map(|(_, cell)| cell)
            .filter(|cell| **cell != Self::Null)
    }

    /// An element of a list.
    pub(super) fn at(&self, place: usize) -> Option<&Self> {
        match self {
            Self::List(cells) => cells.get(place),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            // Some writers do not say that bytes are text.
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Real(number) => Some(*number),
            Self::Whole(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// As JSON; bytes become nothing, as JSON has none.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Null | Self::Bytes(_) => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Whole(number) => Value::from(*number),
            Self::Real(number) => Value::from(*number),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(cells) => cells.iter().map(Self::to_json).collect(),
            Self::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, cell)| (name.clone(), cell.to_json()));
                Value::Object(fields.collect::<Map<String, Value>>())
            }
        }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Whole(whole),
                None => Self::Real(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Self::Record(fields.map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

/// The kinds of files that tables are in, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Parquet,
    Arrow,
    JsonLines,
    Json,
}

impl Format {
    /// By the ending of a file's name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "parquet" => Some(Self::Parquet),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads a file's rows, at most so many of them, and of each row these columns (all where none are named).
pub(super) fn read(path: &Path, columns: &[&str], most: usize) -> Result<Vec<Cell>, DatasetError> {
    match Format::of(path) {
        Some(Format::Parquet) => parquet::read(path, columns, most),
        Some(Format::Arrow) => arrow::read(path, columns, most),
        Some(Format::Json) if is_array(path)? => {
            let rows: Vec<Value> = read_array(path, "objects")?;
            Ok(rows.into_iter().take(most).map(Cell::from).collect())
        }
        _ => read_lines(path, most),
    }
}

/// Some files with the ending of JSON hold an object a line.
fn is_array(path: &Path) -> Result<bool, DatasetError> {
    use std::io::Read as _;
    let unreadable = |source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut start = [0; 64];
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.read(&mut start).map_err(unreadable)?;
    let start = String::from_utf8_lossy(&start[..length]);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    Ok(start.starts_with('['))
}

fn read_lines(path: &Path, most: usize) -> Result<Vec<Cell>, DatasetError> {
    let mut rows = Vec::new();
    for_each_numbered(path, |_, row: Value| {
        if rows.len() < most {
            rows.push(Cell::from(row));
        }
        Ok(())
    })?;
    Ok(rows)
}

#[cfg(test)]
mod tests;
