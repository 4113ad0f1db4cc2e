//! Random prompts behind a few prefixes, each of which as many requests share.

use super::words::Words;
use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::random_text::{Shared, Wanted};
use crate::draw::{scramble, shuffle};
use crate::plan::PrefixRepetition;
use crate::presentation::Presentation;

const NAME: &str = "prefix_repetition";

/// A source of prompts with shared prefixes.
#[derive(Debug)]
pub(super) struct Prefixes {
    words: Words,
    offset: u64,
    lengths: PrefixRepetition,
    /// The prefix of each request, in the order of sending.
    order: Vec<u32>,
}

impl Prefixes {
    pub(super) fn open(
        opening: Opening<'_>,
        samples: PrefixRepetition,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let refuse =
            |reason: String| WorkloadError::from(DatasetError::Unusable { name: NAME, reason });
        if samples.prefixes == 0 {
            return Err(refuse("it needs at least one prefix".to_owned()));
        }
        let Some(tokens) = samples.prefix_length.checked_add(samples.suffix_length) else {
            return Err(refuse("a prompt would be too long".to_owned()));
        };
        if tokens == 0 {
            return Err(refuse("a prompt would have no token".to_owned()));
        }
        let requests = opening.sampling.requests;
        let each = requests / u64::from(samples.prefixes);
        if each == 0 {
            return Err(refuse(format!(
                "{requests} requests are fewer than its {} prefixes",
                samples.prefixes
            )));
        }
        let mut order: Vec<u32> = (0..samples.prefixes)
            .flat_map(|prefix| (0..each).map(move |_| prefix))
            .collect();
        shuffle(&mut order, opening.plan.seed);
        let prefixes = Self {
            words: Words::open(opening, notes)?,
            offset: opening.plan.offset,
            lengths: samples,
            order,
        };
        let whole = [prefixes.words.around(), samples.output_length]
            .into_iter()
            .fold(tokens, u32::saturating_add);
        if let Some(longest) = opening.sampling.longest.filter(|longest| whole > *longest) {
            return Err(refuse(format!(
                "input and output together are {whole} tokens, above {longest}"
            )));
        }
        let wanted = |index: u64| prefixes.wanted(index.wrapping_add(prefixes.offset));
        prefixes.words.note_inexact(requests, wanted, notes);
        Ok(prefixes)
    }

    /// As many requests for each prefix.
    pub(super) fn len(&self) -> u64 {
        self.order.len() as u64
    }

    fn wanted(&self, position: u64) -> Wanted {
        let index = position.wrapping_sub(self.offset);
        let prefix = self.order[(index % self.len()) as usize];
        Wanted {
            position,
            tokens: self.lengths.prefix_length + self.lengths.suffix_length,
            shared: Shared {
                which: scramble(self.offset, 2, u64::from(prefix)),
                tokens: self.lengths.prefix_length,
            },
            also: Shared::default(),
        }
    }

    pub(super) fn sample(&self, position: u64, presentation: &Presentation) -> Sample {
        let (prompt, tokens) = self.words.prompt(self.wanted(position), presentation);
        Sample::new(prompt, tokens, Some(self.lengths.output_length))
    }
}
