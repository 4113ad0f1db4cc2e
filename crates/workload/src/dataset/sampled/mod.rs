//! Samples: prompts with the length of their own answers, read from a file or made of random words.
//!
//! [`Sampled`] is what all of them have in common: any item at any time, repeats in a drawn order where a file has too few, and
//! a limit on input and output together. How many requests a run makes is not decided here.

mod audio;
mod burst;
mod hub;
mod jpeg;
mod listing;
mod media;
mod pictures;
mod poem;
mod prefix_repetition;
mod prompts;
mod questions;
mod random;
mod random_media;
mod recordings;
mod rerank;
mod share_gpt;
mod table;
mod trace;
mod words;

use crestline_core::request::{Item, Prompt};
use crestline_core::units::Nanos;
use rand::RngExt as _;
use serde_json::{Map, Value};

use crate::WorkloadError;
use crate::draw::{Purpose, stream};
use crate::hub::HubCaches;
use crate::plan::{SampleSource, Sampling, WorkloadPlan};
use crate::presentation::Presentation;
use listing::Listing;

/// Most positions that are looked at for lengths that a limit leaves out.
const MOST_TRIED: u64 = 1_000_000;

/// A prompt as it is sent, and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) prompt: Prompt,
    /// Length as the server sees it; `None` where that cannot be told.
    pub(crate) tokens: Option<u32>,
    /// Longest answer to ask for; `None` where nothing is generated.
    pub(crate) output: Option<u32>,
    /// Fields of this request's body alone.
    pub(crate) extra: Map<String, Value>,
}

impl Sample {
    pub(crate) fn new(prompt: Prompt, tokens: Option<u32>, output: Option<u32>) -> Self {
        Self {
            prompt,
            tokens,
            output,
            extra: Map::new(),
        }
    }
}

/// What opening a source needs.
#[derive(Clone, Copy)]
struct Opening<'a> {
    plan: &'a WorkloadPlan,
    sampling: &'a Sampling,
    presentation: &'a Presentation,
    caches: &'a HubCaches,
}

/// The samples of a workload.
#[derive(Debug)]
pub(crate) struct Sampled {
    source: Source,
    seed: u64,
    offset: u64,
    /// Items before the first sample, which are copies of it.
    copies: u64,
    /// Positions whose lengths are within the limit, where some are not.
    kept: Option<Vec<u64>>,
    due_times: Option<Vec<Nanos>>,
}

#[derive(Debug)]
enum Source {
    Listed(Vec<Sample>),
    Random(Box<random::RandomSource>),
    Pictured(Box<random_media::Pictured>),
    Prefixes(Box<prefix_repetition::Prefixes>),
    Rerank(Box<rerank::Rerank>),
    Burst(Box<burst::Burst>),
    Trace(Box<trace::Trace>),
}

impl Sampled {
    /// Reads or prepares what a plan asks for.
    pub(crate) fn open(
        plan: &WorkloadPlan,
        sampling: &Sampling,
        presentation: &Presentation,
        caches: &HubCaches,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let opening = Opening {
            plan,
            sampling,
            presentation,
            caches,
        };
        let (source, due_times) = opening.source(notes)?;
        let mut sampled = Self {
            source,
            seed: plan.seed,
            offset: plan.offset,
            copies: sampling.copies,
            kept: None,
            due_times,
        };
        let texts = match &sampled.source {
            Source::Random(random) => Some(&**random),
            Source::Pictured(pictured) => Some(pictured.texts()),
            _ => None,
        };
        if let (Some(longest), Some(texts)) = (sampling.longest, texts) {
            let tried = sampling.requests.min(MOST_TRIED);
            sampled.kept = texts.within(longest, tried, notes)?;
        }
        Ok(sampled)
    }

    /// The item at an index; `max_tokens` is asked for where the sample says nothing.
    pub(crate) fn item(
        &self,
        index: u64,
        max_tokens: Option<u32>,
        presentation: &Presentation,
    ) -> Item {
        let sample = self.sample(index.saturating_sub(self.copies), presentation);
        Item {
            prompt_tokens: sample.tokens,
            max_tokens: sample.output.or(max_tokens),
            extra: sample.extra,
            ..Item::new(index, sample.prompt)
        }
    }

    fn sample(&self, index: u64, presentation: &Presentation) -> Sample {
        let position = index.wrapping_add(self.offset);
        match &self.source {
            Source::Listed(samples) => samples[self.row(position, samples.len())].clone(),
            Source::Random(random) => {
                random.sample(position, self.like(index, position), presentation)
            }
            Source::Pictured(pictured) => pictured.sample(position, self.like(index, position)),
            Source::Prefixes(prefixes) => prefixes.sample(position, presentation),
            Source::Rerank(rerank) => rerank.sample(position),
            Source::Burst(burst) => {
                let row = self.row(position, burst.len());
                burst.sample(position, row, presentation)
            }
            Source::Trace(trace) => trace.sample(position, self.row(position, trace.len())),
        }
    }

    /// Number of samples; `None` where there is no end of them.
    pub(crate) fn len(&self) -> Option<u64> {
        match &self.source {
            Source::Listed(samples) => Some(samples.len() as u64),
            Source::Random(_) | Source::Pictured(_) => {
                self.kept.as_ref().map(|kept| kept.len() as u64)
            }
            Source::Rerank(_) => None,
            Source::Prefixes(prefixes) => Some(prefixes.len()),
            Source::Burst(burst) => Some(burst.len() as u64),
            Source::Trace(trace) => Some(trace.len() as u64),
        }
    }

    /// When items are due, counted from the first of the source, where it says so.
    pub(crate) fn due_times(&self) -> Option<&[Nanos]> {
        let due_times = self.due_times.as_deref()?;
        let before = usize::try_from(self.offset).unwrap_or(usize::MAX);
        Some(&due_times[before.min(due_times.len())..])
    }

    /// The sample at a position: behind the last any of them, drawn.
    fn row(&self, position: u64, rows: usize) -> usize {
        match usize::try_from(position) {
            Ok(row) if row < rows => row,
            _ => stream(self.seed, position, Purpose::Repeat).random_range(0..rows),
        }
    }

    /// The position whose lengths an item has.
    fn like(&self, index: u64, position: u64) -> u64 {
        match &self.kept {
            None => position,
            Some(kept) => kept[(index % kept.len() as u64) as usize],
        }
    }
}

impl Opening<'_> {
    fn source(
        self,
        notes: &mut Vec<String>,
    ) -> Result<(Source, Option<Vec<Nanos>>), WorkloadError> {
        let made = match &self.sampling.source {
            SampleSource::Random(samples) => {
                Source::Random(Box::new(random::RandomSource::open(self, samples, notes)?))
            }
            SampleSource::RandomMedia(samples) => {
                let pictured = random_media::Pictured::open(self, samples, notes)?;
                Source::Pictured(Box::new(pictured))
            }
            SampleSource::Rerank(samples) => {
                Source::Rerank(Box::new(rerank::Rerank::open(self, *samples, notes)?))
            }
            SampleSource::PrefixRepetition(samples) => {
                let prefixes = prefix_repetition::Prefixes::open(self, *samples, notes)?;
                Source::Prefixes(Box::new(prefixes))
            }
            SampleSource::Burst(samples) => {
                let (burst, due_times) = burst::Burst::open(self, samples, notes)?;
                return Ok((Source::Burst(Box::new(burst)), due_times));
            }
            SampleSource::Trace(samples) => {
                let (trace, due_times) = trace::Trace::open(self, samples, notes)?;
                return Ok((Source::Trace(Box::new(trace)), Some(due_times)));
            }
            read => Source::Listed(self.listed(read, notes)?),
        };
        Ok((made, None))
    }

    /// Samples that are read from files, or drawn from lines, before the run.
    fn listed(
        self,
        source: &SampleSource,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Sample>, WorkloadError> {
        let mut listing = Listing::open(self)?;
        match source {
            SampleSource::ShareGpt(samples) => share_gpt::list(&mut listing, samples)?,
            SampleSource::Prompts(samples) => prompts::list(&mut listing, samples)?,
            SampleSource::Pictures(samples) => pictures::list(&mut listing, samples)?,
            SampleSource::Recordings(samples) => recordings::list(&mut listing, samples)?,
            SampleSource::Poem(samples) => poem::list(&mut listing, samples)?,
            SampleSource::Questions(samples) => questions::list(&mut listing, samples)?,
            SampleSource::Hub(samples) => hub::list(&mut listing, samples)?,
            // Made on demand, above.
            SampleSource::Random(_)
            | SampleSource::RandomMedia(_)
            | SampleSource::Rerank(_)
            | SampleSource::PrefixRepetition(_)
            | SampleSource::Burst(_)
            | SampleSource::Trace(_) => {}
        }
        Ok(listing.finish(notes)?)
    }
}

#[cfg(test)]
mod tests;
