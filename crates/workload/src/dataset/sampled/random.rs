//! Random prompts with lengths around a length, alone or several in a request, with a common begin or with some that find
//! themselves in a server's prefix cache.

use crestline_core::request::Prompt;
use rand::RngExt as _;

use super::words::{Words, range_around};
use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::random_text::{Shared, Wanted};
use crate::draw::{Purpose, scramble, stream};
use crate::plan::{PromptForm, RandomSamples, WarmPrompts};
use crate::presentation::Presentation;

const NAME: &str = "random";

/// A source of random prompts.
#[derive(Debug)]
pub(super) struct RandomSource {
    words: Words,
    seed: u64,
    offset: u64,
    /// Least and most of a prompt's own tokens.
    input: (u32, u32),
    output: (u32, u32),
    prefix_length: u32,
    texts: u32,
    warm: Option<WarmPrompts>,
}

impl RandomSource {
    pub(super) fn open(
        opening: Opening<'_>,
        samples: &RandomSamples,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let words = Words::open(opening, notes)?;
        let input = range_around(samples.input, words.around(), NAME)?;
        let output = range_around(samples.output, 0, NAME)?;
        let source = Self {
            seed: opening.plan.seed,
            offset: opening.plan.offset,
            input,
            output: (output.0.max(1), output.1.max(1)),
            prefix_length: if samples.warm.is_some() {
                0
            } else {
                samples.prefix_length
            },
            texts: samples.texts.max(1),
            warm: samples.warm,
            words,
        };
        source.check(opening.presentation)?;
        let wanted = |index: u64| {
            let position = index.wrapping_add(source.offset);
            source.wanted_like(position, position)
        };
        source
            .words
            .note_inexact(opening.sampling.requests, wanted, notes);
        Ok(source)
    }

    fn check(&self, presentation: &Presentation) -> Result<(), WorkloadError> {
        let refuse = |reason: String| DatasetError::Unusable { name: NAME, reason };
        if self.input.0 == 0 && self.prefix_length == 0 {
            return Err(refuse(format!(
                "a prompt would have no token of its own: {} tokens stand around every prompt",
                self.words.around()
            ))
            .into());
        }
        if self.texts > 1 && matches!(presentation.form, PromptForm::TokenIds { .. }) {
            return Err(refuse("several texts in a request cannot be token ids".to_owned()).into());
        }
        let Some(warm) = self.warm else {
            return Ok(());
        };
        for (share, what) in [(warm.requests, "requests"), (warm.tokens, "a prompt")] {
            if !(0.0..=1.0).contains(&share) {
                return Err(refuse(format!(
                    "the share of {what} that is shared must be from 0 to 1, not {share}"
                ))
                .into());
            }
        }
        if warm.prefixes == 0 {
            return Err(refuse("shared prefixes need at least one prefix".to_owned()).into());
        }
        Ok(())
    }

    /// Several texts go in one request.
    pub(super) fn has_several_texts(&self) -> bool {
        self.texts > 1
    }

    /// The prompt at a position; its lengths are those of position `like`.
    pub(super) fn sample(&self, position: u64, like: u64, presentation: &Presentation) -> Sample {
        if self.texts > 1 {
            return self.several(position);
        }
        let (prompt, tokens) = self
            .words
            .prompt(self.wanted_like(position, like), presentation);
        Sample::new(prompt, tokens, Some(self.output_at(like)))
    }

    fn several(&self, position: u64) -> Sample {
        let texts = u64::from(self.texts);
        let first = position.wrapping_mul(texts);
        let (texts, tokens): (Vec<String>, Vec<u32>) = (0..texts)
            .map(|text| first.wrapping_add(text))
            .map(|place| self.words.text(self.wanted_like(place, place)))
            .unzip();
        Sample::new(
            Prompt::Texts(texts),
            Some(tokens.into_iter().fold(0, u32::saturating_add)),
            None,
        )
    }

    /// The text of a position alone, with its length and its output, which are those of position `like`.
    pub(super) fn text(&self, position: u64, like: u64) -> (String, u32, u32) {
        let (text, tokens) = self.words.text(self.wanted_like(position, like));
        (text, tokens, self.output_at(like))
    }

    /// Which of the first positions have input and output within a limit; `None` where all have.
    pub(super) fn within(
        &self,
        longest: u32,
        positions: u64,
        notes: &mut Vec<String>,
    ) -> Result<Option<Vec<u64>>, DatasetError> {
        let whole = |position: u64| {
            let input = self.wanted_like(position, position).tokens;
            let input = input.saturating_add(self.words.around());
            input.saturating_add(if self.texts > 1 {
                0
            } else {
                self.output_at(position)
            })
        };
        let most = [self.input.1, self.words.around(), self.output.1]
            .into_iter()
            .fold(self.prefix_length, u32::saturating_add);
        if self.texts > 1 || most <= longest {
            return Ok(None);
        }
        let kept: Vec<u64> = (0..positions)
            .map(|index| index.wrapping_add(self.offset))
            .filter(|position| whole(*position) <= longest)
            .collect();
        let left_out = positions - kept.len() as u64;
        if kept.is_empty() {
            return Err(DatasetError::Unusable {
                name: NAME,
                reason: format!(
                    "input and output together are above {longest} tokens for all {positions} prompts"
                ),
            });
        }
        if left_out == 0 {
            return Ok(None);
        }
        notes.push(format!(
            "{left_out} of {positions} random prompts are left out: their input and output together are above {longest} tokens"
        ));
        Ok(Some(kept))
    }

    fn wanted_like(&self, position: u64, like: u64) -> Wanted {
        let (least, most) = self.input;
        let own = stream(self.seed, like, Purpose::InputLength).random_range(least..=most);
        let shared = match self.warm {
            None => Shared {
                which: self.offset,
                tokens: self.prefix_length,
            },
            Some(warm) => self.warm_begin(warm, position, own),
        };
        Wanted {
            position,
            tokens: self.prefix_length.saturating_add(own),
            shared,
            also: Shared::default(),
        }
    }

    /// At least one token of a prompt is its own: a server has to compute something.
    fn warm_begin(&self, warm: WarmPrompts, position: u64, own: u32) -> Shared {
        let mut random = stream(self.seed, position, Purpose::Warm);
        if !random.random_bool(warm.requests) {
            return Shared::default();
        }
        let which = u64::from(random.random_range(0..warm.prefixes));
        let tokens = (f64::from(own) * warm.tokens) as u32;
        Shared {
            which: scramble(self.offset, 1, which),
            tokens: tokens.min(own.saturating_sub(1)),
        }
    }

    fn output_at(&self, position: u64) -> u32 {
        let (least, most) = self.output;
        stream(self.seed, position, Purpose::OutputLength).random_range(least..=most)
    }
}
