//! The requests of a run as Arrow: columns chosen by name, in batches of bounded size that are read as they are asked for.
//!
//! Everything comes from the records, as everywhere; metric columns of the file are not read. Exports nothing: whoever hands
//! batches to another program turns them into what it takes.

mod batches;
mod columns;
mod server;
mod values;

pub use batches::{ColumnError, RequestBatches, RequestColumns};
pub use columns::{Column, Read, columns};
pub use server::server_changes;
