//! Runs on disk: one SQLite file a run, written while it is measured, read to rebuild its reports.
//!
//! Stores facts only. Metrics are computed from records elsewhere; what stands in a metric column here is there for
//! scripts that read the file on their own.

pub mod runs;
pub mod schema;
