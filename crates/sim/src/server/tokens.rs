//! Texts to token counts and back, for the server.
//!
//! A thin layer over the workload's tokenizer and chat template; answers are made of words that are one token each.

use std::sync::Arc;

use crestline_core::request::Message;
use crestline_workload::template::{ChatTemplate, TemplateError};
use crestline_workload::tokenizer::{self, Tokenizer, TokenizerError};

/// A tokenizer, its chat template and the words of answers.
#[derive(Debug)]
pub(super) struct Tokens {
    tokenizer: Arc<Tokenizer>,
    template: ChatTemplate,
    /// As JSON has them, with the space before.
    words: Vec<Box<str>>,
}

/// Words kept: enough for answers that do not look alike, few enough for the processor's cache.
const MOST_WORDS: usize = 2048;

impl Tokens {
    /// `None` takes the built-in tokenizer.
    pub(super) fn load(name: Option<&str>) -> Result<Self, TokensError> {
        let tokenizer = match name {
            Some(name) => Arc::new(Tokenizer::load(name)?),
            None => tokenizer::builtin(),
        };
        let template = ChatTemplate::of(&tokenizer)?;
        let safe = tokenizer.safe_words().words();
        let mut words: Vec<Box<str>> = safe
            .iter()
            .filter(|word| word.text.len() > 1)
            .take(MOST_WORDS)
            .map(|word| format!(" {}", word.text).into())
            .collect();
        if words.is_empty() {
            words.push(" word".into());
        }
        Ok(Self {
            tokenizer,
            template,
            words,
        })
    }

    pub(super) fn count_text(&self, text: &str) -> usize {
        self.tokenizer.count(text) + self.tokenizer.added_to_prompts()
    }

    pub(super) fn encode_text(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode_prompt(text)
    }

    /// Without the tokens that begin or end every prompt.
    pub(super) fn encode_alone(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text)
    }

    pub(super) fn count_chat(&self, messages: &[Message]) -> Result<usize, TemplateError> {
        self.template.count(messages)
    }

    pub(super) fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, TemplateError> {
        self.template.encode(messages)
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids)
    }

    /// A word for a random number.
    pub(super) fn word(&self, random: u32) -> &str {
        &self.words[random as usize % self.words.len()]
    }
}

/// Why there is no tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be loaded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Its chat template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The words of one answer: the same seed gives the same words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words(u64);

impl Words {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Appends the next word.
    pub(super) fn push_next(&mut self, tokens: &Tokens, out: &mut Vec<u8>) {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word = tokens.word((self.0 >> 33) as u32);
        out.extend_from_slice(word.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_as_many_tokens_as_words() {
        let tokens = Tokens::load(None).unwrap();
        let mut words = Words::new(5);
        let mut text = Vec::new();
        for _ in 0..500 {
            words.push_next(&tokens, &mut text);
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(tokens.tokenizer.count(&text), 500);
        assert_eq!(serde_json::to_string(&text).unwrap().len(), text.len() + 2);
    }
}
