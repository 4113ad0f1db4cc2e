//! Random words for samples: exact in length by themselves, whatever a chat template puts around them.

use std::sync::Arc;

use crestline_core::request::Prompt;

use super::Opening;
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::random_text::{RandomText, Wanted};
use crate::plan::{AroundLength, PromptForm};
use crate::presentation::{Content, Presentation};

/// Most prompts whose lengths are counted at the start where they may be off.
const MOST_COUNTED: u64 = 64;

/// A source of random words.
#[derive(Debug)]
pub(super) struct Words {
    text: RandomText,
    /// As plain text or tokens: a template is not part of the length.
    plain: Presentation,
}

impl Words {
    pub(super) fn open(
        opening: Opening<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let presentation = opening.presentation;
        let plain = Presentation {
            form: match presentation.form {
                PromptForm::TokenIds { .. } => PromptForm::TokenIds { chat: false },
                PromptForm::Chat | PromptForm::Text => PromptForm::Text,
            },
            tokenizer: presentation.tokenizer.as_ref().map(Arc::clone),
            template: None,
        };
        let mut text = RandomText::open(opening.plan.seed, &plain, notes)?;
        text.check_sample(&plain, notes)?;
        Ok(Self { text, plain })
    }

    /// Tokens that a server puts around each plain prompt.
    pub(super) fn around(&self) -> u32 {
        self.text.overhead()
    }

    /// A prompt and its length as the server sees it.
    pub(super) fn prompt(
        &self,
        wanted: Wanted,
        presentation: &Presentation,
    ) -> (Prompt, Option<u32>) {
        match self.text.prompt(wanted, &self.plain) {
            (Prompt::Text(text), _) if presentation.is_chat() => {
                let content = Content::Text(text);
                (presentation.put(&content), presentation.count(&content))
            }
            put => put,
        }
    }

    /// The text alone, and its length with what a server puts around a plain prompt.
    pub(super) fn text(&self, wanted: Wanted) -> (String, u32) {
        let text = self.text.text(wanted);
        let tokens = if self.text.is_inexact() {
            let content = Content::Text(text.clone());
            self.plain.count(&content).unwrap_or(0)
        } else {
            wanted.tokens.saturating_add(self.around())
        };
        (text, tokens)
    }

    /// Tells how many of the first prompts have not the asked length, where there may be such.
    pub(super) fn note_inexact(
        &self,
        requests: u64,
        wanted: impl Fn(u64) -> Wanted,
        notes: &mut Vec<String>,
    ) {
        if !self.text.is_inexact() || matches!(self.plain.form, PromptForm::TokenIds { .. }) {
            return;
        }
        let counted = requests.min(MOST_COUNTED);
        let differences: Vec<i64> = (0..counted)
            .map(|index| {
                let wanted = wanted(index);
                let (_, tokens) = self.text(wanted);
                i64::from(tokens) - i64::from(wanted.tokens + self.around())
            })
            .filter(|difference| *difference != 0)
            .collect();
        if let (Some(least), Some(most)) = (differences.iter().min(), differences.iter().max()) {
            notes.push(format!(
                "{} of the first {counted} random prompts have not the asked length: they are off by {least} to {most} tokens",
                differences.len()
            ));
        }
    }
}

/// The lowest and the highest of the lengths around a length, less what is put around a prompt.
pub(super) fn range_around(
    length: AroundLength,
    less: u32,
    name: &'static str,
) -> Result<(u32, u32), DatasetError> {
    if !(0.0..1.0).contains(&length.spread) {
        return Err(DatasetError::Unusable {
            name,
            reason: format!(
                "the spread of lengths around {} must be at least 0 and below 1, not {}",
                length.tokens, length.spread
            ),
        });
    }
    let middle = f64::from(length.tokens.saturating_sub(less));
    let low = (middle * (1.0 - length.spread)).floor();
    let high = (middle * (1.0 + length.spread)).ceil();
    Ok((low as u32, high as u32))
}
