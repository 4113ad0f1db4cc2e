//! Words that a random prompt may begin and end with.
//!
//! Inside a text safe words are one token each. Where it meets the chat template that is no matter of course: some vocabularies
//! have other tokens for a word behind a line break than behind a space, or tokens that join a word's end with what follows. So
//! the words at both ends are tried in their place, and those that cost the same are kept.

use std::collections::BTreeMap;

use crate::presentation::Presentation;
use crate::template::TemplateError;
use crate::tokenizer::{SafeWord, SafeWords};

/// Texts that are tried, each with another first word.
const TRIALS: usize = 256;
/// Last words that are tried.
const ENDS: usize = 64;
/// With fewer first words prompts would begin too much alike.
const FEWEST_STARTS: usize = 16;

/// First and last words, and what stands around a prompt that has them.
#[derive(Debug)]
pub(crate) struct Edges {
    /// First words, some with a space in front.
    pub(crate) starts: Vec<String>,
    /// Last words.
    pub(crate) ends: Vec<String>,
    /// Tokens of a prompt beyond one for each word.
    pub(crate) overhead: u32,
}

impl Edges {
    /// Tries first words without a space, then with one; takes those with one where too few are left either way.
    pub(crate) fn find(
        safe: &SafeWords,
        presentation: &Presentation,
    ) -> Result<Self, TemplateError> {
        let bare: Vec<String> = spread(safe.starts(), TRIALS)
            .map(|word| word.text.to_string())
            .collect();
        let bare = Self::tried(&bare, safe, presentation)?;
        if bare.starts.len() >= FEWEST_STARTS {
            return Ok(bare);
        }
        let spaced: Vec<String> = spread(safe.words(), TRIALS)
            .map(|word| format!(" {}", word.text))
            .collect();
        Self::tried(&spaced, safe, presentation)
    }

    fn tried(
        starts: &[String],
        safe: &SafeWords,
        presentation: &Presentation,
    ) -> Result<Self, TemplateError> {
        let ends: Vec<&str> = spread(safe.words(), ENDS).map(|word| &*word.text).collect();
        let mut by_overhead: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (trial, start) in starts.iter().enumerate() {
            let count =
                presentation.count_whole(&format!("{start} {}", ends[trial % ends.len()]))?;
            by_overhead
                .entry(count.saturating_sub(2))
                .or_default()
                .push(trial);
        }
        let most_common = by_overhead
            .into_iter()
            .max_by_key(|(_, trials)| trials.len());
        let (overhead, trials) = most_common.unwrap_or_default();
        let is_end = |end: &usize| trials.iter().any(|trial| trial % ends.len() == *end);
        Ok(Self {
            ends: (0..ends.len())
                .filter(is_end)
                .map(|end| ends[end].to_owned())
                .collect(),
            starts: trials
                .into_iter()
                .map(|trial| starts[trial].clone())
                .collect(),
            overhead: overhead as u32,
        })
    }
}

/// At most so many words, evenly from the whole list.
fn spread(words: &[SafeWord], most: usize) -> impl Iterator<Item = &SafeWord> {
    let count = words.len().min(most);
    (0..count).map(move |place| &words[place * words.len() / count])
}
