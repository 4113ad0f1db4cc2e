//! From the name of a tokenizer to its files.

use std::path::{Path, PathBuf};

use super::TokenizerError;
use super::tiktoken::Encoding;
use crate::hub::{HubCaches, HubKind};

/// Where a tokenizer comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// Part of the program.
    Builtin,
    /// A `tokenizer.json`, and the folder with the files beside it.
    HuggingFace {
        vocabulary: PathBuf,
        folder: PathBuf,
    },
    /// A file of byte sequences and ranks, and its folder.
    TiktokenFile { ranks: PathBuf, folder: PathBuf },
    /// One of the encodings that the program carries.
    Encoding(Encoding),
}

/// Finds a tokenizer. What exists as a path wins over a hub name, and `builtin` over both.
pub(super) fn locate(name: &str, caches: &HubCaches) -> Result<Location, TokenizerError> {
    if name == "builtin" {
        return Ok(Location::Builtin);
    }
    let path = Path::new(name);
    let mut looked = vec![path.to_owned()];
    if path.is_file() {
        return Ok(in_file(path));
    }
    if path.is_dir() {
        return in_folder(path).ok_or_else(|| TokenizerError::NotFound {
            name: name.to_owned(),
            looked: wanted_in(path),
        });
    }
    if let Some(encoding) = Encoding::by_name(name) {
        return Ok(Location::Encoding(encoding));
    }
    if is_hub_name(name) {
        looked.extend(caches.candidates(HubKind::Model, name));
        let snapshots = caches.snapshots(HubKind::Model, name);
        if let Some(found) = snapshots.iter().find_map(|folder| in_folder(folder)) {
            return Ok(found);
        }
    }
    Err(TokenizerError::NotFound {
        name: name.to_owned(),
        looked,
    })
}

/// `org/name`, or one of the few models without an owner.
fn is_hub_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != "..";
    parts.len() <= 2 && parts.iter().all(plain)
}

fn in_file(path: &Path) -> Location {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let path = path.to_owned();
    if is_rank_file(&path) {
        Location::TiktokenFile {
            ranks: path,
            folder,
        }
    } else {
        Location::HuggingFace {
            vocabulary: path,
            folder,
        }
    }
}

fn in_folder(folder: &Path) -> Option<Location> {
    let vocabulary = folder.join("tokenizer.json");
    if vocabulary.is_file() {
        return Some(in_file(&vocabulary));
    }
    let entries = std::fs::read_dir(folder).ok()?;
    let mut ranks: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_rank_file(path) && path.is_file())
        .collect();
    ranks.sort();
    ranks.first().map(|path| in_file(path))
}

fn is_rank_file(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "tiktoken")
        || path
            .file_name()
            .is_some_and(|name| name == "tiktoken.model")
}

fn wanted_in(folder: &Path) -> Vec<PathBuf> {
    ["tokenizer.json", "*.tiktoken", "tiktoken.model"]
        .map(|name| folder.join(name))
        .to_vec()
}
