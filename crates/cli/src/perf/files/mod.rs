//! The files of a perf run, with the names and keys of evalscope.
//!
//! Each is written as a whole. The database is not written here: that is the store's part.

mod arguments;
mod log;
mod percentiles;
mod progress;
pub(crate) mod read_back;
mod summary;
mod throughput;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::whole_file;

pub(crate) use arguments::{Run, arguments, of_command};
pub(crate) use log::Log;
pub(crate) use percentiles::percentiles;
pub(crate) use progress::Progress;
pub(crate) use summary::{figures, summary};
pub(crate) use throughput::{Throughput, Timeline};

/// A result that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", .path.display())]
pub(crate) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes a value as JSON, four blanks a level, as evalscope does.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WriteError> {
    let mut text = Vec::new();
    let layout = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut text, layout,
        ))
        .map_err(|error| WriteError {
            path: path.to_owned(),
            source: error.into(),
        })?;
    write_text(path, &text)
}

/// Writes a file whole or not at all.
pub(crate) fn write_text(path: &Path, text: &[u8]) -> Result<(), WriteError> {
    whole_file::write(path, text).map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

/// A number with so many decimals; what is not finite becomes -1, evalscope's word for "not applicable".
fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    let rounded = (value * scale).round() / scale;
    if rounded.is_finite() {
        rounded
    } else {
        NOT_APPLICABLE
    }
}

/// What evalscope writes where there is no value.
const NOT_APPLICABLE: f64 = -1.0;

#[cfg(test)]
mod tests;
