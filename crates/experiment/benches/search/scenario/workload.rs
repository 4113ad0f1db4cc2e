//! What is sent: lengths of prompts and answers, and beginnings that prompts share.
//!
//! A request follows from the seed and its number alone, whatever load it is sent under.

use std::sync::Arc;

use crestline_experiment::virtual_subject::VirtualRequest;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Separates the draws of lengths from the engine's own with the same seed.
const STREAM: u64 = 0x6c65_6e67_7468_7321;

/// Tokens in a block of the engines' caches.
const BLOCK: u32 = 16;

/// How long something is, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lengths {
    /// Always the same.
    Fixed(u32),
    /// Evenly between the two, both included.
    Uniform(u32, u32),
    /// Log-normal.
    LogNormal {
        /// Half are shorter.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
        /// Longer ones are cut to this.
        longest: u32,
    },
    /// Two kinds, each log-normal with a deviation of 0.3.
    Bimodal {
        /// Median of the short ones.
        short: f64,
        /// Median of the long ones.
        long: f64,
        /// Share of the long ones.
        share: f64,
    },
}

/// Prompts that begin alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prefixes {
    /// Number of different beginnings, all equally likely.
    pub(crate) count: u32,
    /// Tokens of a beginning, added to the prompt's own.
    pub(crate) tokens: u32,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workload {
    /// The prompt's own tokens.
    pub(crate) prompt: Lengths,
    /// Tokens of the answer.
    pub(crate) output: Lengths,
    /// The client knows how long an answer will be.
    pub(crate) known_lengths: bool,
    /// Needs an engine with a prefix cache.
    pub(crate) prefixes: Option<Prefixes>,
}

impl Lengths {
    /// Log-normal, cut at ten times the median.
    pub(crate) fn log_normal(median: f64, sigma: f64) -> Self {
        Self::LogNormal {
            median,
            sigma,
            longest: (median * 10.0) as u32,
        }
    }

    /// The mean and the longest, in tokens; of bimodal lengths both a little rounded.
    fn extent(self) -> (f64, f64) {
        match self {
            Self::Fixed(tokens) => (f64::from(tokens), f64::from(tokens)),
            Self::Uniform(least, most) => (f64::from(least + most) / 2.0, f64::from(most)),
            Self::LogNormal {
                median,
                sigma,
                longest,
            } => (median * (sigma * sigma / 2.0).exp(), f64::from(longest)),
            Self::Bimodal { short, long, share } => (short + (long - short) * share, long * 2.5),
        }
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> u32 {
        let normal: f64 = StandardNormal.sample(rng);
        let uniform: f64 = rng.random();
        let tokens = match self {
            Self::Fixed(tokens) => f64::from(tokens),
            Self::Uniform(least, most) => {
                f64::from(least) + (uniform * f64::from(most - least + 1)).floor()
            }
            Self::LogNormal {
                median,
                sigma,
                longest,
            } => (median * (sigma * normal).exp()).min(f64::from(longest)),
            Self::Bimodal { short, long, share } => {
                let median = if uniform < share { long } else { short };
                median * (0.3 * normal.clamp(-3.0, 3.0)).exp()
            }
        };
        tokens.round().max(1.0) as u32
    }
}

impl Workload {
    /// So many tokens in, so many out, with known lengths and no common beginnings.
    pub(crate) fn new(prompt: Lengths, output: Lengths) -> Self {
        Self {
            prompt,
            output,
            known_lengths: true,
            prefixes: None,
        }
    }

    /// A median of 200 tokens in, 150 out.
    pub(crate) fn chat() -> Self {
        Self::new(
            Lengths::log_normal(200.0, 0.8),
            Lengths::log_normal(150.0, 0.6),
        )
    }

    /// Answers end by themselves: the client does not know when.
    pub(crate) fn natural(self) -> Self {
        Self {
            known_lengths: false,
            ..self
        }
    }

    /// With beginnings that prompts share.
    pub(crate) fn sharing(self, count: u32, tokens: u32) -> Self {
        Self {
            prefixes: Some(Prefixes { count, tokens }),
            ..self
        }
    }

    /// Tokens of a whole request without a shared beginning: mean and longest.
    pub(crate) fn tokens(&self) -> (f64, f64) {
        let (prompt, output) = (self.prompt.extent(), self.output.extent());
        (prompt.0 + output.0, prompt.1 + output.1)
    }

    /// The request with this number.
    pub(crate) fn request(&self, seed: u64, index: u64) -> VirtualRequest {
        let mut rng = rng(seed, index);
        let own = self.prompt.draw(&mut rng);
        let output = self.output.draw(&mut rng);
        let hashes = self
            .prefixes
            .map(|prefixes| prefixes.hashes(own, seed, &mut rng));
        VirtualRequest {
            prompt_tokens: own + self.prefixes.map_or(0, |prefixes| prefixes.tokens),
            answers: vec![output],
            asked_output: Some(output),
            is_forced: self.known_lengths,
            hashes,
            exchange: None,
        }
    }
}

impl Prefixes {
    /// Names of the full blocks of a prompt with one of the beginnings.
    fn hashes(self, own: u32, seed: u64, rng: &mut ChaCha8Rng) -> Arc<[u64]> {
        let which: u32 = rng.random_range(0..self.count);
        let unique: u64 = rng.random();
        let shared = self.tokens / BLOCK;
        let all = (self.tokens + own) / BLOCK;
        (0..all)
            .map(|block| {
                let from = if block < shared {
                    u64::from(which)
                } else {
                    unique
                };
                mix(from ^ mix(seed ^ u64::from(block)))
            })
            .collect()
    }
}

fn rng(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(mix(seed ^ STREAM) ^ index);
    rng.set_stream(index);
    rng
}

/// The `SplitMix64` finalizer.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
