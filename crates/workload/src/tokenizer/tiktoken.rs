//! Tokenizers in tiktoken's format: byte sequences with ranks, and a rule that splits text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};
use tiktoken_rs::{CoreBPE, Rank};

use super::TokenizerError;

/// Splits text as `cl100k_base` does: contractions, words with one leading sign, up to three digits, signs, line ends, space.
const ASSUMED_PATTERN: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    r"|[^\r\n\p{L}\p{N}]?\p{L}+",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+",
    r"|\s+(?!\S)",
    r"|\s+",
);

/// The encodings that the program carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    O200kBase,
    O200kHarmony,
    Cl100kBase,
    P50kBase,
    R50kBase,
}

impl Encoding {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "o200k_base" => Some(Self::O200kBase),
            "o200k_harmony" => Some(Self::O200kHarmony),
            "cl100k_base" => Some(Self::Cl100kBase),
            "p50k_base" => Some(Self::P50kBase),
            "r50k_base" | "gpt2" => Some(Self::R50kBase),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
            Self::Cl100kBase => "cl100k_base",
            Self::P50kBase => "p50k_base",
            Self::R50kBase => "r50k_base",
        }
    }
}

/// A loaded vocabulary.
pub(super) struct Engine {
    bpe: CoreBPE,
    has_special: bool,
    special_ids: Vec<u32>,
    vocab_size: u32,
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tiktoken")
            .field("vocab_size", &self.vocab_size)
            .finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn named(encoding: Encoding) -> Result<Self, TokenizerError> {
        let (bpe, highest_rank) = match encoding {
            Encoding::O200kBase => (tiktoken_rs::o200k_base(), 199_997),
            Encoding::O200kHarmony => (tiktoken_rs::o200k_harmony(), 199_997),
            Encoding::Cl100kBase => (tiktoken_rs::cl100k_base(), 100_255),
            Encoding::P50kBase => (tiktoken_rs::p50k_base(), 50_280),
            Encoding::R50kBase => (tiktoken_rs::r50k_base(), 50_255),
        };
        let bpe = bpe.map_err(|error| TokenizerError::Invalid {
            path: encoding.name().into(),
            reason: error.to_string(),
        })?;
        Ok(Self::new(bpe, highest_rank))
    }

    /// Reads a file of lines `base64 rank`; special tokens come from `added_tokens_decoder` of the configuration.
    pub(super) fn read(path: &Path, config: &Map<String, Value>) -> Result<Self, TokenizerError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenizerError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, config).map_err(|reason| TokenizerError::Invalid {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str, config: &Map<String, Value>) -> Result<Self, String> {
        let ranks = parse_ranks(text)?;
        let highest = ranks.values().copied().max().unwrap_or(0);
        let special: FxHashMap<String, Rank> = special_tokens(config).into_iter().collect();
        let bpe =
            CoreBPE::new(ranks, special, ASSUMED_PATTERN).map_err(|error| error.to_string())?;
        Ok(Self::new(bpe, highest))
    }

    fn new(bpe: CoreBPE, highest_rank: u32) -> Self {
        let mut special_ids: Vec<u32> = bpe
            .special_tokens()
            .into_iter()
            .flat_map(|text| bpe.encode_with_special_tokens(text))
            .collect();
        special_ids.sort_unstable();
        let highest = special_ids.last().copied().unwrap_or(0).max(highest_rank);
        Self {
            has_special: !special_ids.is_empty(),
            bpe,
            special_ids,
            vocab_size: highest + 1,
        }
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        // Without special tokens the crate's search for them would match everywhere.
        if self.has_special {
            self.bpe.encode_with_special_tokens(text)
        } else {
            self.bpe.encode_ordinary(text)
        }
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|id| self.bpe.decode_bytes(&[*id]).unwrap_or_default())
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn vocab_size(&self) -> u32 {
        self.vocab_size
    }

    pub(super) fn special_ids(&self) -> &[u32] {
        &self.special_ids
    }

    /// Tokens that are not text by themselves are left out.
    pub(super) fn vocabulary(&self) -> Vec<(u32, String)> {
        let text = |id| String::from_utf8(self.bpe.decode_bytes(&[id]).ok()?).ok();
        (0..self.vocab_size)
            .filter_map(|id| Some((id, text(id)?)))
            .collect()
    }
}

fn parse_ranks(text: &str) -> Result<FxHashMap<Vec<u8>, Rank>, String> {
    let mut ranks = FxHashMap::default();
    let mut used = FxHashSet::default();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let entry = parse_line(line).filter(|(_, rank)| used.insert(*rank));
        let (bytes, rank) = entry.ok_or_else(|| {
            format!(
                "line {} is not `base64 rank` with a rank of its own",
                number + 1
            )
        })?;
        ranks.insert(bytes, rank);
    }
    // The algorithm looks single bytes up without asking whether they are there.
    match (0..=u8::MAX).find(|byte| !ranks.contains_key([*byte].as_slice())) {
        Some(byte) => Err(format!("byte 0x{byte:02X} has no token")),
        None if ranks.len() != used.len() => Err("a byte sequence has two ranks".to_owned()),
        None => Ok(ranks),
    }
}

fn parse_line(line: &str) -> Option<(Vec<u8>, Rank)> {
    let (encoded, rank) = line.trim().split_once(' ')?;
    Some((STANDARD.decode(encoded).ok()?, rank.parse().ok()?))
}

fn special_tokens(config: &Map<String, Value>) -> BTreeMap<String, Rank> {
    let entries = config
        .get("added_tokens_decoder")
        .and_then(Value::as_object);
    entries
        .into_iter()
        .flatten()
        .filter_map(|(id, token)| {
            Some((token.get("content")?.as_str()?.to_owned(), id.parse().ok()?))
        })
        .collect()
}
