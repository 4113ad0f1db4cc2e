//! Random prompts for tokenizers without enough safe words: random ids, turned to text and corrected until it has the asked
//! length.
//!
//! The text of random ids rarely encodes to the same ids, so the length is approached in rounds, and not always met.

use rand::{Rng, RngExt as _};

use crate::tokenizer::{Tokenizer, TokenizerError};

/// Corrections after which a text is taken as it is.
const MOST_ROUNDS: usize = 10;

/// The ids that prompts may be made of.
#[derive(Debug)]
pub(crate) struct RandomIds(Vec<u32>);

impl RandomIds {
    pub(crate) fn new(tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        let ids = tokenizer.plain_ids();
        if ids.is_empty() {
            return Err(TokenizerError::Invalid {
                path: tokenizer.name().into(),
                reason: "all its tokens are special".to_owned(),
            });
        }
        Ok(Self(ids))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn id(&self, place: usize) -> u32 {
        self.0[place]
    }

    /// A text that begins with these ids and, as far as it can be reached, has as many tokens.
    pub(crate) fn text(&self, tokenizer: &Tokenizer, ids: &[u32], random: &mut impl Rng) -> String {
        let wanted = ids.len();
        let mut text = tokenizer.decode(ids);
        for _ in 0..MOST_ROUNDS {
            let mut found = tokenizer.encode_whole(&text);
            if found.len() == wanted {
                break;
            }
            found.truncate(wanted);
            while found.len() < wanted {
                found.push(self.0[random.random_range(0..self.0.len())]);
            }
            text = tokenizer.decode(&found);
        }
        text
    }
}
