//! Tokenizers in the `tokenizer.json` format.

use std::fmt;
use std::path::Path;

use tokenizers::PostProcessor;

use super::TokenizerError;

/// Characters that are in no vocabulary.
const UNKNOWN_TEXT: &str = "\u{10FFFD}a\u{10FFFC}";

/// A loaded `tokenizer.json`.
pub(super) struct Engine {
    inner: tokenizers::Tokenizer,
    special_ids: Vec<u32>,
    vocab_size: u32,
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HuggingFace")
            .field("vocab_size", &self.vocab_size)
            .finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn read(path: &Path) -> Result<Self, TokenizerError> {
        let bytes = std::fs::read(path).map_err(|source| TokenizerError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes).map_err(|reason| TokenizerError::Invalid {
            path: path.to_owned(),
            reason,
        })
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
        // A file may ask for cutting and filling; a count must see the whole text and nothing else.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| error.to_string())?;
        inner
            .encode_fast(UNKNOWN_TEXT, false)
            .map_err(|error| format!("it cannot encode every text: {error}"))?;
        let added = inner.get_added_tokens_decoder();
        let mut special_ids: Vec<u32> = added
            .iter()
            .filter(|(_, token)| token.special)
            .map(|(id, _)| *id)
            .collect();
        special_ids.sort_unstable();
        let highest = inner.get_vocab(true).into_values().max();
        let highest = highest.ok_or("it has no tokens")?;
        Ok(Self {
            inner,
            special_ids,
            vocab_size: highest + 1,
        })
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        ids(self.inner.encode_fast(text, false))
    }

    pub(super) fn encode_prompt(&self, text: &str) -> Vec<u32> {
        ids(self.inner.encode_fast(text, true))
    }

    pub(super) fn added_to_prompts(&self) -> usize {
        self.inner
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false))
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, false).unwrap_or_default()
    }

    pub(super) fn vocab_size(&self) -> u32 {
        self.vocab_size
    }

    pub(super) fn special_ids(&self) -> &[u32] {
        &self.special_ids
    }

    pub(super) fn vocabulary(&self) -> Vec<(u32, String)> {
        let mut tokens: Vec<(u32, String)> = self
            .inner
            .get_vocab(true)
            .into_iter()
            .map(|(text, id)| (id, text))
            .collect();
        tokens.sort_unstable();
        tokens
    }
}

/// Loading has refused vocabularies that cannot encode unknown text, the one way for this to fail.
fn ids(encoding: tokenizers::Result<tokenizers::Encoding>) -> Vec<u32> {
    encoding.map_or_else(|_| Vec::new(), |encoding| encoding.get_ids().to_vec())
}
