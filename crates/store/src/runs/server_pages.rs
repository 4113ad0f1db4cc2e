//! Pages of what a server says of itself, as rows: a value only where it changed; and back.
//!
//! Knows nothing of what the names on a page mean.

use std::collections::BTreeMap;
use std::collections::btree_map;

use crestline_core::server_series::{
    Missed, PageRead, Point, Reading, Series, SeriesKind, ServerSeries,
};
use crestline_core::units::Nanos;
use rusqlite::{Connection, Row, Statement, params};

/// Stands where pages of two commands meet, or pages could not be written: nothing is known between them.
const BREAK: &str = "the reading was interrupted";

/// What makes a series: its name, and its labels.
type Key = (String, Vec<(String, String)>);

/// Writes pages; remembers what each series said last.
#[derive(Debug)]
pub(super) struct PageCoder {
    known: BTreeMap<Key, Known>,
    /// Pages so far; the number of the one that is being written.
    page: u64,
    /// There are pages in the file that this coder has not written.
    follows: bool,
}

/// A series that is in the file.
#[derive(Debug)]
struct Known {
    id: i64,
    last: Last,
    /// The last page that it was on.
    page: u64,
}

/// What the last row of a series says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It was not written by this coder.
    Unknown,
    /// This value, by its bits.
    Value(u64),
    /// It was not on the page any more.
    Gone,
}

impl PageCoder {
    /// For a file that may have pages already.
    pub(super) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let mut known = BTreeMap::new();
        let mut select = connection.prepare("SELECT id, name, labels FROM server_series")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let labels: String = row.get(2)?;
            // What this crate has not written is left as it is.
            if let Ok(labels) = serde_json::from_str(&labels) {
                let series = Known {
                    id: row.get(0)?,
                    last: Last::Unknown,
                    page: 0,
                };
                known.insert((row.get(1)?, labels), series);
            }
        }
        let follows = connection
            .prepare("SELECT 1 FROM server_page")?
            .exists([])?;
        Ok(Self {
            known,
            page: 0,
            follows,
        })
    }

    /// Adds the rows of a page.
    pub(super) fn write(&mut self, to: &Connection, page: PageRead) -> rusqlite::Result<()> {
        let mut to = Inserts::prepare(to)?;
        if std::mem::take(&mut self.follows) {
            let before = Nanos(page.at.0.saturating_sub(1));
            to.page(before, Some(BREAK))?;
        }
        let readings = match page.content {
            Ok(readings) => readings,
            Err(why) => return to.page(page.at, Some(&why)),
        };
        to.page(page.at, None)?;
        self.page += 1;
        for reading in readings {
            self.add(&mut to, page.at, reading)?;
        }
        self.end_missing(&mut to, page.at)
    }

    fn add(&mut self, to: &mut Inserts<'_>, at: Nanos, reading: Reading) -> rusqlite::Result<()> {
        if reading.value.is_nan() {
            return Ok(());
        }
        let series = match self.known.entry((reading.name, reading.labels)) {
            btree_map::Entry::Occupied(entry) => entry.into_mut(),
            btree_map::Entry::Vacant(entry) => {
                let id = to.series(entry.key(), reading.kind)?;
                entry.insert(Known {
                    id,
                    last: Last::Unknown,
                    page: 0,
                })
            }
        };
        let value = Last::Value(reading.value.to_bits());
        let is_second = series.page == self.page;
        series.page = self.page;
        if is_second || series.last == value {
            return Ok(());
        }
        series.last = value;
        to.sample(series.id, at, Some(reading.value))
    }

    /// Series that were on a page before and are not on this one.
    fn end_missing(&mut self, to: &mut Inserts<'_>, at: Nanos) -> rusqlite::Result<()> {
        let page = self.page;
        let missing = self
            .known
            .values_mut()
            .filter(|series| series.page < page && series.last != Last::Gone);
        for series in missing {
            series.last = Last::Gone;
            to.sample(series.id, at, None)?;
        }
        Ok(())
    }
}

/// The statements that add rows.
struct Inserts<'a> {
    page: Statement<'a>,
    series: Statement<'a>,
    sample: Statement<'a>,
}

impl<'a> Inserts<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            page: connection.prepare("INSERT INTO server_page VALUES (?, ?)")?,
            series: connection
                .prepare("INSERT INTO server_series (name, labels, kind) VALUES (?, ?, ?)")?,
            sample: connection.prepare("INSERT INTO server_sample VALUES (?, ?, ?)")?,
        })
    }

    fn page(&mut self, at: Nanos, missed: Option<&str>) -> rusqlite::Result<()> {
        self.page
            .execute(params![at.0.cast_signed(), missed])
            .map(drop)
    }

    fn series(&mut self, key: &Key, kind: SeriesKind) -> rusqlite::Result<i64> {
        let labels = serde_json::to_string(&key.1).expect("texts have a JSON form");
        self.series.insert(params![key.0, labels, kind.name()])
    }

    fn sample(&mut self, series: i64, at: Nanos, value: Option<f64>) -> rusqlite::Result<()> {
        self.sample
            .execute(params![series, at.0.cast_signed(), value])
            .map(drop)
    }
}

/// Why the tables cannot be read.
#[derive(Debug)]
pub(super) enum PagesError {
    /// SQLite cannot.
    Sql(rusqlite::Error),
    /// A row of this table holds something that is never written.
    Damaged(&'static str),
}

impl From<rusqlite::Error> for PagesError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Everything that the tables hold.
pub(super) fn read(from: &Connection) -> Result<ServerSeries, PagesError> {
    // All tables as they were at one moment: of a run that goes on, samples of a new series may come in between.
    let moment_of_reading = from.unchecked_transaction()?;
    let all = read_tables(from)?;
    moment_of_reading.commit()?;
    Ok(all)
}

fn read_tables(from: &Connection) -> Result<ServerSeries, PagesError> {
    let mut all = ServerSeries::default();
    let pages = "SELECT at_ns, missed FROM server_page ORDER BY at_ns, rowid";
    each_row(from, pages, |row| {
        let at = moment(row, 0)?;
        match row.get::<_, Option<String>>(1)? {
            None => all.read_at.push(at),
            Some(why) => all.missed.push(Missed { at, why }),
        }
        Ok(())
    })?;
    let mut places = BTreeMap::new();
    let series = "SELECT id, name, labels, kind FROM server_series ORDER BY id";
    each_row(from, series, |row| {
        places.insert(row.get::<_, i64>(0)?, all.series.len());
        let kind: String = row.get(3)?;
        all.series.push(Series {
            name: row.get(1)?,
            labels: serde_json::from_str(&row.get::<_, String>(2)?)
                .map_err(|_| PagesError::Damaged("server_series"))?,
            kind: serde_json::from_value(kind.into())
                .map_err(|_| PagesError::Damaged("server_series"))?,
            changes: Vec::new(),
        });
        Ok(())
    })?;
    let samples = "SELECT series, at_ns, value FROM server_sample ORDER BY at_ns, rowid";
    each_row(from, samples, |row| {
        let place = places
            .get(&row.get(0)?)
            .ok_or(PagesError::Damaged("server_sample"))?;
        all.series[*place].changes.push(Point {
            at: moment(row, 1)?,
            value: row.get(2)?,
        });
        Ok(())
    })?;
    Ok(all)
}

fn each_row(
    from: &Connection,
    query: &str,
    mut each: impl FnMut(&Row<'_>) -> Result<(), PagesError>,
) -> Result<(), PagesError> {
    let mut select = from.prepare(query)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Nanos> {
    row.get(column).map(|bits: i64| Nanos(bits.cast_unsigned()))
}

#[cfg(test)]
mod tests;
