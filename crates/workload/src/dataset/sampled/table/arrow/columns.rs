//! Columns of a batch of rows: from their buffers to cells.

use super::flat::Table;
use crate::dataset::sampled::table::Cell;

/// A column as the schema describes it.
#[derive(Debug)]
pub(super) struct Field {
    name: String,
    kind: Kind,
    children: Vec<Field>,
}

/// How a column's values are laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Null,
    /// Whole numbers of so many bytes.
    Whole {
        bytes: usize,
        is_signed: bool,
    },
    /// Numbers of so many bytes.
    Real {
        bytes: usize,
    },
    Bool,
    /// Bytes or text, with offsets of so many bytes.
    Bytes {
        offset: usize,
        is_text: bool,
    },
    FixedBytes(usize),
    /// Lists, with offsets of so many bytes.
    List {
        offset: usize,
    },
    FixedList(usize),
    Record,
    /// Something that is only passed over: its name, and its buffers.
    Other(&'static str),
}

/// The columns that a schema describes.
pub(super) fn schema(header: Table<'_>) -> Result<Vec<Field>, String> {
    if header.i16(0).unwrap_or(0) != 0 {
        return Err("its numbers have their bytes in the other order".to_owned());
    }
    fields(header, 1, &mut Room::default())
}

/// How many columns a schema may have and how deeply they may be nested: in a broken file a column may be its own child.
#[derive(Debug)]
struct Room {
    columns: usize,
    depth: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            columns: 4096,
            depth: 16,
        }
    }
}

fn fields(table: Table<'_>, number: usize, room: &mut Room) -> Result<Vec<Field>, String> {
    const BROKEN: &str = "its schema is broken";
    let Some(list) = table.vector(number) else {
        return Ok(Vec::new());
    };
    room.depth = room
        .depth
        .checked_sub(1)
        .ok_or("its columns are nested too deeply")?;
    let mut fields = Vec::new();
    for table in list.tables() {
        let table = table.ok_or(BROKEN)?;
        room.columns = room
            .columns
            .checked_sub(1)
            .ok_or("it has too many columns")?;
        fields.push(Field {
            name: table.text(0).unwrap_or_default().to_owned(),
            kind: kind(table).ok_or(BROKEN)?,
            children: self::fields(table, 5, room)?,
        });
    }
    room.depth += 1;
    Ok(fields)
}

fn kind(field: Table<'_>) -> Option<Kind> {
    if field.table(4).is_some() {
        return Some(Kind::Other("dictionary"));
    }
    let number = field.u8(2)?;
    let details = field.table(3);
    let size = |which: usize| usize::try_from(details?.i32(which)?).ok();
    Some(match number {
        1 => Kind::Null,
        2 => Kind::Whole {
            bytes: size(0)? / 8,
            is_signed: details?.u8(1).unwrap_or(0) != 0,
        },
        3 => Kind::Real {
            bytes: match details?.i16(0).unwrap_or(0) {
                0 => 2,
                1 => 4,
                _ => 8,
            },
        },
        4 => Kind::Bytes {
            offset: 4,
            is_text: false,
        },
        5 => Kind::Bytes {
            offset: 4,
            is_text: true,
        },
        6 => Kind::Bool,
        // Dates count days or milliseconds; times, points in time and durations count some part of a second.
        8 if details.and_then(|details| details.i16(0)) == Some(0) => Kind::Whole {
            bytes: 4,
            is_signed: true,
        },
        9 => Kind::Whole {
            bytes: size(1).unwrap_or(32) / 8,
            is_signed: true,
        },
        8 | 10 | 18 => Kind::Whole {
            bytes: 8,
            is_signed: true,
        },
        12 | 17 => Kind::List { offset: 4 },
        13 => Kind::Record,
        15 => Kind::FixedBytes(size(0)?),
        16 => Kind::FixedList(size(0)?),
        19 => Kind::Bytes {
            offset: 8,
            is_text: false,
        },
        20 => Kind::Bytes {
            offset: 8,
            is_text: true,
        },
        21 => Kind::List { offset: 8 },
        other => Kind::Other(Kind::name(other)),
    })
}

/// A batch of rows.
pub(super) struct Batch<'a> {
    length: usize,
    /// Length of each column, nested ones behind their parent.
    nodes: Vec<usize>,
    buffers: Vec<&'a [u8]>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(header: Table<'a>, body: &'a [u8]) -> Result<Self, String> {
        const BROKEN: &str = "a batch of rows is broken";
        if header.table(3).is_some() {
            return Err("its rows are compressed, which is not supported".to_owned());
        }
        let node = |pair: Option<(i64, i64)>| usize::try_from(pair?.0).ok();
        let buffer = |pair: Option<(i64, i64)>| {
            let (start, length) = pair?;
            let start = usize::try_from(start).ok()?;
            body.get(start..start.checked_add(usize::try_from(length).ok()?)?)
        };
        let nodes = header.vector(1).ok_or(BROKEN)?.pairs().map(node);
        let buffers = header.vector(2).ok_or(BROKEN)?.pairs().map(buffer);
        Ok(Self {
            length: usize::try_from(header.i64(0).unwrap_or(0)).map_err(|_| BROKEN)?,
            nodes: nodes.collect::<Option<_>>().ok_or(BROKEN)?,
            buffers: buffers.collect::<Option<_>>().ok_or(BROKEN)?,
        })
    }

    /// Adds the rows, each with the wanted columns (all where none are named).
    pub(super) fn rows(
        &self,
        fields: &[Field],
        wanted: &[&str],
        rows: &mut Vec<Cell>,
    ) -> Result<(), String> {
        let mut cursor = Cursor {
            batch: self,
            node: 0,
            buffer: 0,
        };
        let mut columns = Vec::new();
        for field in fields {
            let column = cursor.column(field)?;
            if wanted.is_empty() || wanted.contains(&field.name.as_str()) {
                columns.push((field.name.clone(), column));
            }
        }
        if columns.is_empty() {
            return Err("it has none of the columns that are wanted".to_owned());
        }
        if columns
            .iter()
            .any(|(_, column)| column.length != self.length)
        {
            return Err("its columns are not of one length".to_owned());
        }
        for row in 0..self.length {
            let mut cells = Vec::with_capacity(columns.len());
            for (name, column) in &columns {
                cells.push((name.clone(), column.cell(row)?));
            }
            rows.push(Cell::Record(cells));
        }
        Ok(())
    }
}

/// Walks through a batch's nodes and buffers in the order of the schema.
struct Cursor<'b, 'a> {
    batch: &'b Batch<'a>,
    node: usize,
    buffer: usize,
}

/// A column's buffers.
struct Column<'a> {
    name: String,
    kind: Kind,
    length: usize,
    /// Which values there are, a bit each; empty where all are.
    valid: &'a [u8],
    offsets: &'a [u8],
    values: &'a [u8],
    children: Vec<Column<'a>>,
}

impl<'a> Cursor<'_, 'a> {
    fn buffer(&mut self) -> Result<&'a [u8], String> {
        let found = self.batch.buffers.get(self.buffer).copied();
        self.buffer += 1;
        found.ok_or_else(|| "a column has too few buffers".to_owned())
    }

    fn column(&mut self, field: &Field) -> Result<Column<'a>, String> {
        let length = self.batch.nodes.get(self.node).copied();
        let length = length.ok_or("a batch has too few columns")?;
        self.node += 1;
        let mut column = Column {
            name: field.name.clone(),
            kind: field.kind,
            length,
            valid: &[],
            offsets: &[],
            values: &[],
            children: Vec::new(),
        };
        match field.kind {
            Kind::Null => {}
            Kind::Other("dictionary" | "decimal" | "interval") => {
                self.buffer()?;
                self.buffer()?;
                return Ok(column);
            }
            Kind::Other(name) => {
                return Err(format!("column `{}` is of kind `{name}`", field.name));
            }
            _ => column.valid = self.buffer()?,
        }
        match field.kind {
            Kind::Bytes { .. } => {
                column.offsets = self.buffer()?;
                column.values = self.buffer()?;
            }
            Kind::List { .. } => column.offsets = self.buffer()?,
            Kind::Whole { .. } | Kind::Real { .. } | Kind::Bool | Kind::FixedBytes(_) => {
                column.values = self.buffer()?;
            }
            _ => {}
        }
        for child in &field.children {
            let child = self.column(child)?;
            column.children.push(child);
        }
        Ok(column)
    }
}

impl Column<'_> {
    fn broken(&self) -> String {
        format!("column `{}` is cut off", self.name)
    }

    fn cell(&self, row: usize) -> Result<Cell, String> {
        if row >= self.length {
            return Err(self.broken());
        }
        if !self.valid.is_empty() && !self.bit(self.valid, row)? {
            return Ok(Cell::Null);
        }
        let cell = match self.kind {
            Kind::Null => Some(Cell::Null),
            Kind::Bool => Some(Cell::Bool(self.bit(self.values, row)?)),
            Kind::Whole { bytes, is_signed } => self.fixed(row, bytes).and_then(|bytes| {
                if is_signed {
                    signed(bytes).map(Cell::Whole)
                } else {
                    unsigned(bytes)
                }
            }),
            Kind::Real { bytes } => self.fixed(row, bytes).and_then(real),
            Kind::FixedBytes(size) => self
                .fixed(row, size)
                .map(|bytes| Cell::Bytes(bytes.to_vec())),
            Kind::Bytes { offset, is_text } => self.range(row, offset).and_then(|(start, end)| {
                let bytes = self.values.get(start..end)?.to_vec();
                if is_text {
                    return String::from_utf8(bytes).ok().map(Cell::Text);
                }
                Some(Cell::Bytes(bytes))
            }),
            Kind::List { offset } => match self.range(row, offset) {
                None => None,
                Some((start, end)) => Some(self.elements(start, end)?),
            },
            Kind::FixedList(size) => match (row.checked_mul(size), (row + 1).checked_mul(size)) {
                (Some(start), Some(end)) => Some(self.elements(start, end)?),
                _ => None,
            },
            Kind::Record => Some(self.record(row)?),
            Kind::Other(name) => {
                return Err(format!("column `{}` is of kind `{name}`", self.name));
            }
        };
        cell.ok_or_else(|| self.broken())
    }

    fn record(&self, row: usize) -> Result<Cell, String> {
        let mut fields = Vec::with_capacity(self.children.len());
        for child in &self.children {
            fields.push((child.name.clone(), child.cell(row)?));
        }
        Ok(Cell::Record(fields))
    }

    fn elements(&self, start: usize, end: usize) -> Result<Cell, String> {
        let child = self.children.first().ok_or_else(|| self.broken())?;
        let cells: Result<Vec<Cell>, String> = (start..end).map(|row| child.cell(row)).collect();
        Ok(Cell::List(cells?))
    }

    fn bit(&self, bits: &[u8], row: usize) -> Result<bool, String> {
        let byte = bits.get(row / 8).ok_or_else(|| self.broken())?;
        Ok(byte >> (row % 8) & 1 == 1)
    }

    fn fixed(&self, row: usize, size: usize) -> Option<&[u8]> {
        let start = row.checked_mul(size)?;
        self.values.get(start..start.checked_add(size)?)
    }

    /// Where a row's bytes or elements begin and end.
    fn range(&self, row: usize, size: usize) -> Option<(usize, usize)> {
        let at = |place: usize| {
            let start = place.checked_mul(size)?;
            usize::try_from(signed(self.offsets.get(start..start.checked_add(size)?)?)?).ok()
        };
        let (start, end) = (at(row)?, at(row + 1)?);
        (start <= end).then_some((start, end))
    }
}

/// A whole number of 1, 2, 4 or 8 bytes with a sign, the lowest first.
fn signed(bytes: &[u8]) -> Option<i64> {
    let is_negative = bytes.last()? & 0x80 != 0;
    Some(i64::from_le_bytes(widened(
        bytes,
        if is_negative { 0xFF } else { 0 },
    )?))
}

/// The same without a sign; a number too large for a cell of its kind is a real one.
fn unsigned(bytes: &[u8]) -> Option<Cell> {
    let number = u64::from_le_bytes(widened(bytes, 0)?);
    Some(i64::try_from(number).map_or(Cell::Real(number as f64), Cell::Whole))
}

fn widened(bytes: &[u8], filling: u8) -> Option<[u8; 8]> {
    if !matches!(bytes.len(), 1 | 2 | 4 | 8) {
        return None;
    }
    let mut wide = [filling; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Some(wide)
}

/// A number of 2, 4 or 8 bytes (IEEE 754), the lowest first.
fn real(bytes: &[u8]) -> Option<Cell> {
    Some(Cell::Real(match bytes.len() {
        8 => f64::from_le_bytes(bytes.try_into().ok()?),
        4 => f32::from_le_bytes(bytes.try_into().ok()?).into(),
        2 => half(u16::from_le_bytes(bytes.try_into().ok()?)),
        _ => return None,
    }))
}

/// A number of 16 bits: sign, 5 bits of exponent, 10 bits of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3FF) / 1024.0;
    let size = match bits >> 10 & 0x1F {
        0 => fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(i32::from(exponent) - 15),
    };
    sign * size
}
