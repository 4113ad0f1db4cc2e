//! Random prompts of exact token length.
//!
//! Draws the lengths; the texts are made by [`super::random_text`].

use crestline_core::request::Item;
use rand::RngExt as _;

use super::random_text::{RandomText, Shared, Wanted};
use crate::WorkloadError;
use crate::draw::{Purpose, stream};
use crate::lengths::{LengthDraw, read_pairs};
use crate::plan::{RandomLengths, WorkloadPlan};
use crate::presentation::Presentation;

/// A source of random prompts.
#[derive(Debug)]
pub(crate) struct Random {
    seed: u64,
    offset: u64,
    prefix_length: u32,
    lengths: Lengths,
    output: Option<LengthDraw>,
    text: RandomText,
}

#[derive(Debug)]
enum Lengths {
    Drawn(LengthDraw),
    Pairs(Vec<(u32, u32)>),
}

impl Random {
    /// Measures what the form adds, checks the lengths and a sample of prompts.
    pub(crate) fn open(
        plan: &WorkloadPlan,
        lengths: &RandomLengths,
        presentation: &Presentation,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        if presentation.tokenizer.is_none() {
            return Err(WorkloadError::NeedsTokenizer {
                what: "the data set `random`",
            });
        }
        let pairs = lengths.pairs.as_deref().map(read_pairs).transpose()?;
        let output = lengths.output.as_ref().map(LengthDraw::new).transpose()?;
        let lengths = match (pairs, &lengths.input) {
            (Some(pairs), _) => Lengths::Pairs(pairs),
            (None, Some(input)) => Lengths::Drawn(LengthDraw::new(input)?),
            (None, None) => Lengths::Drawn(LengthDraw::uniform(
                plan.min_prompt_length,
                plan.max_prompt_length,
            )?),
        };
        let mut random = Self {
            seed: plan.seed,
            offset: plan.offset,
            prefix_length: plan.prefix_length,
            lengths,
            output,
            text: RandomText::open(plan.seed, presentation, notes)?,
        };
        random.check_lengths(notes)?;
        random.text.check_sample(presentation, notes)?;
        Ok(random)
    }

    fn check_lengths(&self, notes: &mut Vec<String>) -> Result<(), WorkloadError> {
        let least = self.text.overhead() + 1;
        let (shortest, longest) = match &self.lengths {
            Lengths::Drawn(draw) => (draw.shortest(), draw.longest()),
            Lengths::Pairs(pairs) => {
                let inputs = pairs.iter().map(|(input, _)| *input);
                (inputs.clone().min().unwrap_or(0), inputs.max().unwrap_or(0))
            }
        };
        if longest < least {
            return Err(WorkloadError::NoRoom {
                longest,
                overhead: self.text.overhead(),
            });
        }
        if shortest > 0 && shortest < least {
            notes.push(format!(
                "no prompt can be shorter than {least} tokens ({} of them around it): shorter lengths, from {shortest}, are \
                 raised to that",
                self.text.overhead()
            ));
        }
        Ok(())
    }

    /// The item at an index; `max_tokens` is what the plan asks for where lengths of answers are not drawn here.
    pub(crate) fn item(
        &self,
        index: u64,
        presentation: &Presentation,
        max_tokens: Option<u32>,
    ) -> Item {
        let position = index.wrapping_add(self.offset);
        let (length, answer) = self.draw_lengths(position);
        let own = length.saturating_sub(self.text.overhead()).max(1);
        let tokens = self.prefix_length.saturating_add(own);
        let wanted = Wanted {
            position,
            tokens,
            // A new prefix for each run of a sweep, as the runs before have left theirs in the server's cache.
            shared: Shared {
                which: self.offset,
                tokens: self.prefix_length,
            },
            also: Shared::default(),
        };
        let (prompt, prompt_tokens) = self.text.prompt(wanted, presentation);
        Item {
            prompt_tokens,
            max_tokens: answer.or(max_tokens),
            ..Item::new(index, prompt)
        }
    }

    fn draw_lengths(&self, position: u64) -> (u32, Option<u32>) {
        match &self.lengths {
            Lengths::Drawn(draw) => {
                let answer = self.output.as_ref().map(|output| {
                    output.draw(&mut stream(self.seed, position, Purpose::OutputLength))
                });
                let mut random = stream(self.seed, position, Purpose::InputLength);
                (draw.draw(&mut random), answer)
            }
            Lengths::Pairs(pairs) => {
                let mut random = stream(self.seed, position, Purpose::PairRow);
                let (input, output) = pairs[random.random_range(0..pairs.len())];
                (input, Some(output))
            }
        }
    }
}

#[cfg(test)]
mod tests;
