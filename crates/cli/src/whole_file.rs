//! Files that are there as a whole or not at all, so that a reader never sees half of one.
//!
//! Knows nothing of what is in them.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes a file beside its place and puts it there when it is whole. Of one that cannot be written nothing stays.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft(path);
    let written = || -> io::Result<()> {
        let mut file = fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().inspect_err(|_| {
        // It takes room that may be short; where it cannot be removed either, the error told is the first.
        drop(fs::remove_file(&draft));
    })
}

/// A short name, since that of the file itself may be the longest that there is.
fn draft(path: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    path.file_name().hash(&mut hasher);
    path.with_file_name(format!(".{:016x}.part", hasher.finish()))
}
