//! Why a workload cannot be opened, and what to do about it.

use crate::dataset::DatasetError;
use crate::lengths::LengthsError;
use crate::template::TemplateError;
use crate::tokenizer::TokenizerError;

/// A workload that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The chat template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Lengths of random prompts.
    #[error(transparent)]
    Lengths(#[from] LengthsError),
    /// Something that counts tokens, without a tokenizer.
    #[error("{what} needs a tokenizer")]
    NeedsTokenizer {
        /// What needs it.
        what: &'static str,
    },
    /// What stands around a prompt is longer than the longest prompt.
    #[error(
        "prompts of at most {longest} tokens leave no room: {overhead} tokens stand around every prompt"
    )]
    NoRoom {
        /// Longest length asked for.
        longest: u32,
        /// Tokens of the chat template, or that the tokenizer adds.
        overhead: u32,
    },
}

impl WorkloadError {
    /// What a user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tokenizer(error) => error.hint(),
            Self::Dataset(error) => error.hint(),
            Self::NeedsTokenizer { .. } => Some(
                "name the model's tokenizer with `--tokenizer-path` (a folder, a file or a hub name), or take \
                 `--tokenizer-path builtin`"
                    .to_owned(),
            ),
            Self::NoRoom { overhead, .. } => Some(format!(
                "raise the length to at least {} tokens, or send plain prompts to a completion endpoint",
                overhead + 1
            )),
            Self::Template(_) | Self::Lengths(_) => None,
        }
    }
}
