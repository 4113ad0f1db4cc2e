//! What to send: data sets, tokenizers, chat templates.
//!
//! Reads local files only; never the network, never a clock.

mod dataset;
mod draw;
mod error;
pub mod hub;
mod lengths;
pub mod plan;
mod presentation;
pub mod template;
pub mod tokenizer;
mod workload;

pub use dataset::{DATASET_NAMES, DatasetError};
pub use error::WorkloadError;
pub use lengths::LengthsError;
pub use workload::Workload;
