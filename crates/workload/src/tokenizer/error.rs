//! Why a tokenizer cannot be loaded, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// A tokenizer that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// No such file, folder, encoding or cached model.
    #[error("no tokenizer `{name}` on this machine; looked in {}", places(.looked))]
    NotFound {
        /// What was asked for.
        name: String,
        /// Where it would have been.
        looked: Vec<PathBuf>,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is not a usable tokenizer file: {reason}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl TokenizerError {
    /// What a user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { name, .. } => Some(hint_to_get(name)),
            Self::Unreadable { .. } | Self::Invalid { .. } => None,
        }
    }
}

fn hint_to_get(name: &str) -> String {
    let hub_name = if name.split('/').count() == 2 {
        name
    } else {
        "ORG/NAME"
    };
    format!(
        "fetch it once with `hf download {hub_name} tokenizer.json tokenizer_config.json`, name a folder that holds \
         tokenizer.json (`--tokenizer-path FOLDER`), or take the one in this program (`--tokenizer-path builtin`)"
    )
}

fn places(looked: &[PathBuf]) -> String {
    let places: Vec<String> = looked
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    places.join(", ")
}

/// A file's text; `None` where there is no such file.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, TokenizerError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TokenizerError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}
