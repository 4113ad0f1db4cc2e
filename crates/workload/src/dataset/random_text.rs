//! Texts of a wanted number of tokens, made of a tokenizer's safe words.
//!
//! Each word is drawn by itself, so a prompt has no runs of neighbouring ids. The first words of an item (behind the shared
//! prefix) spell its position: no two items begin alike, so none finds another one's prefix in a server's cache. Which lengths
//! are wanted is not the matter of this file.

use std::sync::Arc;

use crestline_core::request::Prompt;
use rand::RngExt as _;

use super::edges::Edges;
use super::random_ids::RandomIds;
use crate::WorkloadError;
use crate::draw::{Purpose, scramble, stream};
use crate::plan::PromptForm;
use crate::presentation::{Content, Presentation};
use crate::tokenizer::Tokenizer;

/// With fewer safe words prompts would hardly differ: they are then made of random ids.
const FEWEST_WORDS: usize = 256;
/// Longest text of the check at the start.
const LONGEST_SAMPLE: u32 = 512;

/// A source of random texts.
#[derive(Debug)]
pub(crate) struct RandomText {
    seed: u64,
    tokenizer: Arc<Tokenizer>,
    form: PromptForm,
    /// Tokens that the form puts around a prompt.
    overhead: u32,
    text: Text,
    /// The sample check failed: every item is counted.
    counted: bool,
}

/// A text that is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Whose text it is: each position has its own.
    pub(crate) position: u64,
    /// Length, the shared begin included, without what the form puts around it.
    pub(crate) tokens: u32,
    /// What it begins with.
    pub(crate) shared: Shared,
    /// What follows that, and is shared by fewer.
    pub(crate) also: Shared,
}

/// A begin that several texts have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shared {
    /// Which of them.
    pub(crate) which: u64,
    /// How long it is.
    pub(crate) tokens: u32,
}

impl Wanted {
    /// A text that shares nothing.
    pub(crate) fn own(position: u64, tokens: u32) -> Self {
        Self {
            position,
            tokens,
            shared: Shared::default(),
            also: Shared::default(),
        }
    }
}

/// What prompts are made of.
#[derive(Debug)]
enum Text {
    Words(Edges),
    /// Words whose tokens are sent as such: any may stand anywhere.
    WordIds,
    Ids(RandomIds),
}

impl RandomText {
    /// Finds what texts can be made of, and measures what the form adds.
    pub(crate) fn open(
        seed: u64,
        presentation: &Presentation,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let tokenizer = presentation
            .tokenizer
            .clone()
            .ok_or(WorkloadError::NeedsTokenizer {
                what: "the data set `random`",
            })?;
        let (text, overhead) = choose_text(&tokenizer, presentation, notes)?;
        Ok(Self {
            seed,
            tokenizer,
            form: presentation.form,
            overhead,
            text,
            counted: false,
        })
    }

    /// Tokens that the form puts around a prompt.
    pub(crate) fn overhead(&self) -> u32 {
        self.overhead
    }

    /// Whether texts may be longer or shorter than wanted.
    pub(crate) fn is_inexact(&self) -> bool {
        self.counted
    }

    /// Counts a few prompts by the full algorithm.
    pub(crate) fn check_sample(
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
            let counted = presentation
                .count_whole(&self.words_text(edges, Wanted::own(index, words)))?
                as u32;
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

    /// A prompt, and its length with all that the form puts around it.
    pub(crate) fn prompt(&self, of: Wanted, presentation: &Presentation) -> (Prompt, Option<u32>) {
        match (&self.text, self.form) {
            (Text::WordIds, _) => (Prompt::TokenIds(self.word_ids(of)), Some(of.tokens)),
            (Text::Ids(ids), PromptForm::TokenIds { .. }) => {
                (Prompt::TokenIds(self.random_ids(ids, of)), Some(of.tokens))
            }
            _ => self.put_text(self.text(of), of.tokens, presentation),
        }
    }

    /// The text alone.
    pub(crate) fn text(&self, of: Wanted) -> String {
        match &self.text {
            Text::Words(edges) => self.words_text(edges, of),
            Text::WordIds => self.tokenizer.decode(&self.word_ids(of)),
            Text::Ids(ids) => {
                let wanted = self.random_ids(ids, of);
                let mut random = stream(self.seed, of.position, Purpose::Words);
                ids.text(&self.tokenizer, &wanted, &mut random)
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
        (
            presentation.put_text(text),
            Some(tokens.saturating_add(self.overhead)),
        )
    }

    fn word_ids(&self, of: Wanted) -> Vec<u32> {
        let words = self.tokenizer.safe_words().words();
        let places = self.places(of, &|_| words.len());
        places.into_iter().map(|place| words[place].id).collect()
    }

    fn random_ids(&self, ids: &RandomIds, of: Wanted) -> Vec<u32> {
        let places = self.places(of, &|_| ids.len());
        places.into_iter().map(|place| ids.id(place)).collect()
    }

    fn words_text(&self, edges: &Edges, of: Wanted) -> String {
        let words = self.tokenizer.safe_words().words();
        let last = of.tokens.saturating_sub(1) as usize;
        let places = self.places(of, &|place| match place {
            0 => edges.starts.len(),
            _ if place == last => edges.ends.len(),
            _ => words.len(),
        });
        let mut text = String::with_capacity(of.tokens as usize * 8);
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
    fn places(&self, of: Wanted, range: &dyn Fn(usize) -> usize) -> Vec<usize> {
        let mut places = Vec::with_capacity(of.tokens as usize);
        for shared in [of.shared, of.also] {
            let mut random = stream(self.seed, shared.which, Purpose::Prefix);
            let end = places.len() + shared.tokens as usize;
            for place in places.len()..end.min(of.tokens as usize) {
                places.push(random.random_range(0..range(place)));
            }
        }
        self.spell_index(of.position, of.tokens as usize, range, &mut places);
        let mut random = stream(self.seed, of.position, Purpose::Words);
        for place in places.len()..of.tokens as usize {
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
