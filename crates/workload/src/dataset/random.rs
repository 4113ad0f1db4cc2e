//! Random prompts of exact token length, made of a tokenizer's safe words.
//!
//! Each word is drawn by itself, so a prompt has no runs of neighbouring ids. The first words of an item (behind the shared
//! prefix) spell its index: no two items begin alike, so none finds another one's prefix in a server's cache.

use std::sync::Arc;

use crestline_core::request::{Item, Prompt};
use rand::RngExt as _;

use super::edges::Edges;
use super::random_ids::RandomIds;
use crate::WorkloadError;
use crate::draw::{Purpose, scramble, stream};
use crate::lengths::{LengthDraw, read_pairs};
use crate::plan::{PromptForm, RandomLengths, WorkloadPlan};
use crate::presentation::{Content, Presentation};
use crate::tokenizer::Tokenizer;

/// With fewer safe words prompts would hardly differ: they are then made of random ids.
const FEWEST_WORDS: usize = 256;
/// Longest text of the check at the start.
const LONGEST_SAMPLE: u32 = 512;

/// A source of random prompts.
#[derive(Debug)]
pub(crate) struct Random {
    seed: u64,
    offset: u64,
    tokenizer: Arc<Tokenizer>,
    form: PromptForm,
    /// Tokens that the form puts around a prompt.
    overhead: u32,
    prefix_length: u32,
    lengths: Lengths,
    output: Option<LengthDraw>,
    text: Text,
    /// The sample check failed: every item is counted.
    counted: bool,
}

#[derive(Debug)]
enum Lengths {
    Drawn(LengthDraw),
    Pairs(Vec<(u32, u32)>),
}

/// What prompts are made of.
#[derive(Debug)]
enum Text {
    Words(Edges),
    /// Words whose tokens are sent as such: any may stand anywhere.
    WordIds,
    Ids(RandomIds),
}

impl Random {
    /// Measures what the form adds, checks the lengths and a sample of prompts.
    pub(crate) fn open(
        plan: &WorkloadPlan,
        lengths: &RandomLengths,
        presentation: &Presentation,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let tokenizer = presentation
            .tokenizer
            .clone()
            .ok_or(WorkloadError::NeedsTokenizer {
                what: "the data set `random`",
            })?;
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
        let (text, overhead) = choose_text(&tokenizer, presentation, notes)?;
        let mut random = Self {
            seed: plan.seed,
            offset: plan.offset,
            tokenizer,
            form: plan.form,
            overhead,
            prefix_length: plan.prefix_length,
            lengths,
            output,
            text,
            counted: false,
        };
        random.check_lengths(notes)?;
        random.check_sample(presentation, notes)?;
        Ok(random)
    }

    fn check_lengths(&mut self, notes: &mut Vec<String>) -> Result<(), WorkloadError> {
        let least = self.overhead + 1;
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
                overhead: self.overhead,
            });
        }
        if shortest > 0 && shortest < least {
            notes.push(format!(
                "no prompt can be shorter than {least} tokens ({} of them around it): shorter lengths, from {shortest}, are \
                 raised to that",
                self.overhead
            ));
        }
        Ok(())
    }

    /// Counts a few prompts by the full algorithm.
    fn check_sample(
        &mut self,
        presentation: &Presentation,
        notes: &mut Vec<String>,
    ) -> Result<(), WorkloadError> {
        let edges = match &self.text {
            Text::Words(edges) => edges,
            Text::WordIds => return Ok(()),
            Text::Ids(_) => {
                self.counted = true;
                return Ok(());
            }
        };
        let mut off = Vec::new();
        for (index, words) in [(0, 1), (1, 2), (2, 3), (3, 7), (4, 33), (5, LONGEST_SAMPLE)] {
            let expected = words + self.overhead;
            let counted = presentation.count_whole(&self.words_text(edges, index, words))? as u32;
            if counted != expected {
                off.push(format!("{counted} instead of {expected}"));
            }
        }
        if !off.is_empty() {
            self.counted = true;
            notes.push(format!(
                "random prompts are not exact with tokenizer `{}`: a sample has {} tokens; each prompt is counted",
                self.tokenizer.name(),
                off.join(", ")
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
        let own = length.saturating_sub(self.overhead).max(1);
        let tokens = self.prefix_length.saturating_add(own);
        let (prompt, prompt_tokens) = match (&self.text, self.form) {
            (Text::Words(edges), _) => {
                let text = self.words_text(edges, position, tokens);
                self.put_text(text, tokens, presentation)
            }
            (Text::WordIds, _) => (
                Prompt::TokenIds(self.word_ids(position, tokens)),
                Some(tokens),
            ),
            (Text::Ids(ids), PromptForm::TokenIds { .. }) => {
                let ids = self.random_ids(ids, position, tokens);
                (Prompt::TokenIds(ids), Some(tokens))
            }
            (Text::Ids(ids), _) => {
                let wanted = self.random_ids(ids, position, tokens);
                let mut random = stream(self.seed, position, Purpose::Words);
                let text = ids.text(&self.tokenizer, &wanted, &mut random);
                self.put_text(text, tokens, presentation)
            }
        };
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

    fn put_text(
        &self,
        text: String,
        tokens: u32,
        presentation: &Presentation,
    ) -> (Prompt, Option<u32>) {
        if self.counted {
            let content = Content::Text(text);
            return (presentation.put(&content), presentation.count(&content));
        }
        (presentation.put_text(text), Some(tokens + self.overhead))
    }

    fn word_ids(&self, position: u64, tokens: u32) -> Vec<u32> {
        let words = self.tokenizer.safe_words().words();
        let places = self.places(position, tokens, &|_| words.len());
        places.into_iter().map(|place| words[place].id).collect()
    }

    fn random_ids(&self, ids: &RandomIds, position: u64, tokens: u32) -> Vec<u32> {
        let places = self.places(position, tokens, &|_| ids.len());
        places.into_iter().map(|place| ids.id(place)).collect()
    }

    fn words_text(&self, edges: &Edges, position: u64, tokens: u32) -> String {
        let words = self.tokenizer.safe_words().words();
        let last = tokens.saturating_sub(1) as usize;
        let places = self.places(position, tokens, &|place| match place {
            0 => edges.starts.len(),
            _ if place == last => edges.ends.len(),
            _ => words.len(),
        });
        let mut text = String::with_capacity(tokens as usize * 8);
        for (at, place) in places.into_iter().enumerate() {
            if at == 0 {
                text.push_str(&edges.starts[place]);
                continue;
            }
            text.push(' ');
            text.push_str(if at == last {
                &edges.ends[place]
            } else {
                &words[place].text
            });
        }
        text
    }

    /// What makes up an item, each place below its `range`: the shared prefix, the index, then independent draws.
    fn places(&self, position: u64, tokens: u32, range: &dyn Fn(usize) -> usize) -> Vec<usize> {
        let mut places = Vec::with_capacity(tokens as usize);
        // A new prefix for each run of a sweep, as the runs before have left theirs in the server's cache.
        let mut random = stream(self.seed, self.offset, Purpose::Prefix);
        for place in 0..self.prefix_length.min(tokens) as usize {
            places.push(random.random_range(0..range(place)));
        }
        self.spell_index(position, tokens as usize, range, &mut places);
        let mut random = stream(self.seed, position, Purpose::Words);
        for place in places.len()..tokens as usize {
            places.push(random.random_range(0..range(place)));
        }
        places
    }

    /// Writes the index with the words as digits, the lowest first, until all 64 bits are told. Each digit is shifted by what
    /// the digits before it make up, so that neighbours look unlike each other and every index is spelled differently.
    fn spell_index(
        &self,
        position: u64,
        tokens: usize,
        range: &dyn Fn(usize) -> usize,
        places: &mut Vec<usize>,
    ) {
        let (mut rest, mut told, mut told_before) = (position, 1_u128, 0_u64);
        let mut digit = 0;
        while places.len() < tokens && told <= u128::from(u64::MAX) {
            let base = range(places.len()) as u64;
            let shift = scramble(self.seed, digit, told_before);
            let value = rest % base;
            places.push(((u128::from(value) + u128::from(shift)) % u128::from(base)) as usize);
            told_before = scramble(told_before, value, digit);
            rest /= base;
            told *= u128::from(base);
            digit += 1;
        }
    }
}

/// What prompts are made of, and how many tokens stand around each of them.
fn choose_text(
    tokenizer: &Tokenizer,
    presentation: &Presentation,
    notes: &mut Vec<String>,
) -> Result<(Text, u32), WorkloadError> {
    let safe = tokenizer.safe_words();
    let makes_ids = matches!(presentation.form, PromptForm::TokenIds { .. });
    if safe.are_steady() && safe.words().len() >= FEWEST_WORDS {
        if makes_ids {
            return Ok((Text::WordIds, 0));
        }
        let edges = Edges::find(safe, presentation)?;
        let overhead = edges.overhead;
        return Ok((Text::Words(edges), overhead));
    }
    let overhead = if makes_ids {
        0
    } else {
        notes.push(format!(
            "tokenizer `{}` has too few words that are always one token: random prompts are made of random tokens, and their \
             length may be off by a few",
            tokenizer.name()
        ));
        presentation.count_whole("")? as u32
    };
    Ok((Text::Ids(RandomIds::new(tokenizer)?), overhead))
}

#[cfg(test)]
mod tests;
