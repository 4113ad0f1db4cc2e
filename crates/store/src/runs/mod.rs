//! One run in one file: [`RunWriter`] adds rows while the run goes on, [`RunReader`] gives them back.
//!
//! # What survives
//!
//! A row is committed at most half a second after it was handed over. After a crash or a kill of the process everything
//! committed is there for any SQLite reader; what is lost is at most the last half second. After [`RunWriter::finish`] the
//! run is one single file.

#[cfg(feature = "arrow")]
pub mod arrow;
mod batch;
mod error;
mod exchange;
mod other;
mod reader;
mod records;
mod row;
mod server_pages;
mod spans;
mod stored_row;
mod writer;

pub use error::StoreError;
pub use other::other_rows;
pub use reader::{RunMeta, RunReader};
pub use records::{Records, RowRange, RunSpan};
pub use writer::{
    PageWriter, RunHeader, RunWriter, Stored, WriteOptions, WriteReport, WriteStatus,
};
