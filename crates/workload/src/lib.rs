//! What to send: data sets, tokenizers, chat templates.
//!
//! Reads local files only; never the network, never a clock.
//!
//! ```
//! use crestline_workload::Workload;
//! use crestline_workload::plan::{Dataset, PromptForm, RandomLengths, WorkloadPlan};
//!
//! let workload = Workload::open(&WorkloadPlan {
//!     dataset: Dataset::Random(RandomLengths::default()),
//!     tokenizer: Some("builtin".to_owned()),
//!     form: PromptForm::Chat,
//!     min_prompt_length: 100,
//!     max_prompt_length: 100,
//!     prefix_length: 0,
//!     max_tokens: Some((16, 16)),
//!     offset: 0,
//!     seed: 42,
//! })?;
//! assert_eq!(workload.item(7).prompt_tokens, Some(100));
//! assert_ne!(workload.item(7).prompt, workload.item(8).prompt);
//! # Ok::<(), crestline_workload::WorkloadError>(())
//! ```

mod dataset;
mod draw;
mod error;
pub mod hub;
mod lengths;
pub mod own;
pub mod plan;
mod presentation;
pub mod template;
pub mod tokenizer;
mod workload;

pub use dataset::{DATASET_NAMES, DatasetError, RowContent, row_content};
pub use error::WorkloadError;
pub use lengths::LengthsError;
pub use workload::Workload;
