//! What can go wrong with a run's file. Never says anything of the requests in it.

use std::io;
use std::path::PathBuf;

/// A run's file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Runs are never overwritten.
    #[error(
        "a run is already stored at `{path}`: choose another output folder, or move that file away"
    )]
    Exists {
        /// The file that is there.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error(
        "cannot create the run database `{path}`: check that its folder exists and may be written to"
    )]
    Create {
        /// The file that was to be made.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The tables cannot be set up.
    #[error(
        "cannot set up the run database `{path}`: check the free space and the permissions of its folder"
    )]
    SetUp {
        /// The new file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Rows could not be written; the rest is there.
    #[error(
        "{lost} rows are missing from `{path}` ({written} are there): check the free space of its disk"
    )]
    RowsLost {
        /// The run's file.
        path: PathBuf,
        /// Rows that are in the file.
        written: u64,
        /// Rows that are not.
        lost: u64,
        /// The first thing that SQLite said.
        source: rusqlite::Error,
    },
    /// All rows are written, but not all that the server said of itself.
    #[error(
        "{lost} readings of the server's metrics are missing from `{path}`: check the free space of its disk"
    )]
    PagesLost {
        /// The run's file.
        path: PathBuf,
        /// Pages that are not in it.
        lost: u64,
        /// The first thing that SQLite said.
        source: rusqlite::Error,
    },
    /// All rows are written, but the file could not be closed in good order.
    #[error(
        "all rows are in `{path}`, but it could not be closed: keep the files beside it, whose names begin alike"
    )]
    Close {
        /// The run's file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The thread that writes did not start.
    #[error("cannot start the thread that writes `{path}`")]
    Thread {
        /// The new file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be opened for reading.
    #[error("cannot open the run database `{path}`: check that it exists and may be read")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// An SQLite file of something else.
    #[error("`{path}` is not a run of crestline: it has no `{missing}`")]
    NotARun {
        /// The file.
        path: PathBuf,
        /// The table or entry that should be there.
        missing: &'static str,
    },
    /// Written by a later version of the product.
    #[error("`{path}` has format version {version}: read it with a newer crestline")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A value has not the form that it is written in.
    #[error("`{path}` is damaged: {place} cannot be understood")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where: a `meta` entry, or a column and a row.
        place: String,
    },
    /// Reading failed.
    #[error("cannot read the run database `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}
