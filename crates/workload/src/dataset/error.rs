//! Why a data set cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::names::DATASET_NAMES;

/// A data set that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// No data set has this name.
    #[error("no data set is called `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name most like it, where one is so near that it may be meant.
        nearest: Option<&'static str>,
    },
    /// A data set of the user's own, whose items are made in another process than this one.
    #[error(
        "data set `{name}` is not at hand: its items are made by code that is not in this process"
    )]
    OwnAbsent {
        /// What it is called.
        name: String,
    },
    /// A data set of the user's own without any item.
    #[error("data set `{name}` has no items")]
    OwnEmpty {
        /// What it is called.
        name: String,
    },
    /// A data set of the user's own that could not make its first item.
    #[error("data set `{name}` cannot make its first item: {text}")]
    OwnFailed {
        /// What it is called.
        name: String,
        /// Why not.
        text: String,
    },
    /// A data set that is known and not built.
    #[error("data set `{name}` is not supported yet")]
    NotSupportedYet {
        /// What was asked for.
        name: String,
    },
    /// A data set that is read from the user's file, without one.
    #[error("data set `{name}` needs a file")]
    NeedsPath {
        /// Name of the data set.
        name: &'static str,
    },
    /// A data set that is made, with a file.
    #[error("data set `{name}` is made, not read: it takes no file")]
    TakesNoPath {
        /// Name of the data set.
        name: &'static str,
    },
    /// An argument that the data set does not have.
    #[error("data set `{name}` has no argument `{key}`")]
    UnknownArgument {
        /// Name of the data set.
        name: &'static str,
        /// The argument.
        key: String,
        /// Those that it has.
        known: &'static [&'static str],
    },
    /// An argument with a value that it cannot have.
    #[error("argument `{key}` of data set `{name}` cannot be {value}: {reason}")]
    Argument {
        /// Name of the data set.
        name: &'static str,
        /// The argument.
        key: &'static str,
        /// Its value, as JSON.
        value: String,
        /// What it has to be.
        reason: String,
    },
    /// An argument that means nothing without another one.
    #[error("argument `{key}` of data set `{name}` needs `{needed}`")]
    ArgumentAlone {
        /// Name of the data set.
        name: &'static str,
        /// The argument.
        key: &'static str,
        /// What it needs beside it.
        needed: &'static str,
    },
    /// Two arguments that exclude each other.
    #[error("arguments `{first}` and `{second}` of data set `{name}` exclude each other: {reason}")]
    Conflict {
        /// Name of the data set.
        name: &'static str,
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// No file of the data set on this machine.
    #[error("no file of data set `{name}` on this machine; looked for {}", places(.looked))]
    NotFound {
        /// Name of the data set.
        name: &'static str,
        /// Where it would have been.
        looked: Vec<PathBuf>,
        /// How to get it, where it can be had from a hub.
        source_hint: Option<String>,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what the data set is made of.
    #[error("{}{}: {reason}", .path.display(), place(*.line))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1; `None` where it is not a matter of lines.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// No prompt in the file.
    #[error("dataset is empty: {} holds no prompt", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No prompt is left.
    #[error(
        "dataset is empty: all {count} prompts of {} were left out, as their length is not from {min} to {max} {unit} but from \
         {shortest} to {longest}", .path.display()
    )]
    AllLeftOut {
        /// The file.
        path: PathBuf,
        /// Prompts in the file.
        count: usize,
        /// Shortest length asked for.
        min: u32,
        /// Longest length asked for.
        max: u32,
        /// `tokens` or `characters`.
        unit: &'static str,
        /// Shortest prompt.
        shortest: u32,
        /// Longest prompt.
        longest: u32,
    },
    /// A file whose name says that it is of another kind.
    #[error("{} is not read: the name must end in `.{ending}`", .path.display())]
    WrongEnding {
        /// The file.
        path: PathBuf,
        /// How its name must end.
        ending: &'static str,
    },
    /// No sample is left.
    #[error("dataset is empty: {}", none_left(.path, *.invalid, *.too_long, *.longest))]
    NoneLeft {
        /// The file.
        path: PathBuf,
        /// Samples that the data set's own rule left out.
        invalid: usize,
        /// Samples above the limit on input and output together.
        too_long: usize,
        /// That limit.
        longest: Option<u32>,
    },
    /// What was asked for cannot be made.
    #[error("data set `{name}`: {reason}")]
    Unusable {
        /// Name of the data set.
        name: &'static str,
        /// Why not.
        reason: String,
    },
    /// A prompt that is only for completions.
    #[error("data set `{name}` is for completion endpoints, which take text")]
    TextOnly {
        /// Name of the data set.
        name: &'static str,
    },
}

impl DatasetError {
    /// What a user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown {
                nearest: Some(nearest),
                ..
            } => Some(format!("did you mean `{nearest}`?")),
            Self::Unknown { nearest: None, .. } => {
                Some(format!("there are `{}`", DATASET_NAMES.join("`, `")))
            }
            Self::NeedsPath { .. } => Some("name it with `--dataset-path FILE`".to_owned()),
            Self::TakesNoPath { .. } => Some("leave out `--dataset-path`".to_owned()),
            Self::UnknownArgument { known: [], .. } => {
                Some("it takes none: leave out `--dataset-args`".to_owned())
            }
            Self::UnknownArgument { known, .. } => Some(format!("it has `{}`", known.join("`, `"))),
            Self::NotFound { source_hint, .. } => source_hint
                .clone()
                .or_else(|| Some("check the path given with `--dataset-path`".to_owned())),
            Self::AllLeftOut { .. } => Some(
                "widen `--min-prompt-length` and `--max-prompt-length`, or fit prompts with \
                 `--dataset-args '{\"target_input_len\": N}'`"
                    .to_owned(),
            ),
            Self::WrongEnding { ending, .. } => Some(format!(
                "write one JSON object a line and let the file's name end in `.{ending}`"
            )),
            Self::NoneLeft { too_long: 1.., .. } => Some(
                "raise the limit on input and output together, or ask for shorter answers"
                    .to_owned(),
            ),
            Self::TextOnly { .. } => Some("give a URL that ends in `/v1/completions`".to_owned()),
            _ => None,
        }
    }
}

fn none_left(path: &Path, invalid: usize, too_long: usize, longest: Option<u32>) -> String {
    let mut reasons = Vec::new();
    if invalid > 0 {
        reasons.push(format!("{invalid} are too short, too long or not whole"));
    }
    if too_long > 0 {
        let longest = longest.unwrap_or_default();
        reasons.push(format!(
            "{too_long} have input and output together above {longest} tokens"
        ));
    }
    format!(
        "no sample of {} is left: {}",
        path.display(),
        reasons.join(", ")
    )
}

fn places(looked: &[PathBuf]) -> String {
    let places: Vec<String> = looked
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    places.join(", ")
}

fn place(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}
