//! Tables in the Parquet format.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use super::Cell;
use crate::dataset::DatasetError;

/// The first rows of a file, with these columns of them.
pub(super) fn read(path: &Path, columns: &[&str], most: usize) -> Result<Vec<Cell>, DatasetError> {
    // The library panics on some files that are broken.
    let read = std::panic::catch_unwind(|| rows(path, columns, most));
    read.unwrap_or_else(|_| {
        Err(DatasetError::Malformed {
            path: path.to_owned(),
            line: None,
            reason: "it cannot be read as Parquet: it is broken".to_owned(),
        })
    })
}

fn rows(path: &Path, columns: &[&str], most: usize) -> Result<Vec<Cell>, DatasetError> {
    let malformed = |error: ParquetError| DatasetError::Malformed {
        path: path.to_owned(),
        line: None,
        reason: format!("it cannot be read as Parquet: {error}"),
    };
    let file = File::open(path).map_err(|source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let reader = SerializedFileReader::new(file).map_err(malformed)?;
    if let Some(codec) = unknown_codec(&reader) {
        let codec = codec.to_string();
        let codec = codec.split('(').next().unwrap_or(&codec);
        return Err(DatasetError::Malformed {
            path: path.to_owned(),
            line: None,
            reason: format!(
                "it is compressed by {codec}, and only Snappy is supported: write it anew with that"
            ),
        });
    }
    let whole = reader.metadata().file_metadata().schema();
    let wanted = projected(whole, columns).map_err(malformed)?;
    if wanted.get_fields().is_empty() {
        return Err(DatasetError::Malformed {
            path: path.to_owned(),
            line: None,
            reason: format!("it has none of the columns {}", columns.join(", ")),
        });
    }
    let rows = reader.get_row_iter(Some(wanted)).map_err(malformed)?;
    rows.take(most)
        .map(|row| row.map(record).map_err(malformed))
        .collect()
}

/// A codec other than Snappy, where some column is compressed by one.
fn unknown_codec(reader: &SerializedFileReader<File>) -> Option<Compression> {
    let groups = reader.metadata().row_groups().iter();
    let mut codecs =
        groups.flat_map(|group| group.columns().iter().map(ColumnChunkMetaData::compression));
    codecs.find(|codec| !matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY))
}

/// The schema with those of the columns that there are; all where none are named.
fn projected(whole: &Type, columns: &[&str]) -> Result<Type, ParquetError> {
    let fields: Vec<Arc<Type>> = whole
        .get_fields()
        .iter()
        .filter(|field| columns.is_empty() || columns.contains(&field.name()))
        .map(Arc::clone)
        .collect();
    Type::group_type_builder(whole.name())
        .with_fields(fields)
        .build()
}

fn record(row: Row) -> Cell {
    let fields = row.into_columns().into_iter();
    Cell::Record(fields.map(|(name, field)| (name, cell(field))).collect())
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Null => Cell::Null,
        Field::Bool(truth) => Cell::Bool(truth),
        Field::Byte(number) => Cell::Whole(number.into()),
        Field::Short(number) => Cell::Whole(number.into()),
        Field::Int(number) | Field::Date(number) | Field::TimeMillis(number) => {
            Cell::Whole(number.into())
        }
        Field::Long(number)
        | Field::TimeMicros(number)
        | Field::TimestampMillis(number)
        | Field::TimestampMicros(number) => Cell::Whole(number),
        Field::UByte(number) => Cell::Whole(number.into()),
        Field::UShort(number) => Cell::Whole(number.into()),
        Field::UInt(number) => Cell::Whole(number.into()),
        Field::ULong(number) => {
            i64::try_from(number).map_or(Cell::Real(number as f64), Cell::Whole)
        }
        Field::Float16(number) => Cell::Real(number.to_f64()),
        Field::Float(number) => Cell::Real(number.into()),
        Field::Double(number) => Cell::Real(number),
        Field::Str(text) => Cell::Text(text),
        Field::Bytes(bytes) => Cell::Bytes(bytes.data().to_vec()),
        Field::Group(row) => record(row),
        Field::ListInternal(list) => {
            Cell::List(list.elements().iter().cloned().map(cell).collect())
        }
        // No data set that is known has such columns; their text is better than nothing.
        other @ (Field::Decimal(_) | Field::MapInternal(_)) => Cell::Text(other.to_string()),
    }
}
