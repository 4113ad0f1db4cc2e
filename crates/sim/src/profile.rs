//! Named machine-and-model speeds: every parameter of the simulated engine, read from TOML.
//!
//! Holds numbers only; what they mean in time is `model`'s part.

mod devices;

use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde::{Deserialize, Serialize};

pub use devices::Devices;

/// Every parameter of a simulated engine. A field that a file leaves out has its default; an unknown field is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// One line on what this engine stands for.
    pub summary: String,
    /// Most sequences in one batch, at least 1 (vLLM: `--max-num-seqs`).
    pub max_num_seqs: u32,
    /// Most tokens computed in one iteration, prefill and decode together, at least 1 (vLLM: `--max-num-batched-tokens`).
    pub max_num_batched_tokens: u32,
    /// Longest prompt and answer together, in tokens; a request for more is refused with 400.
    pub max_model_len: u32,
    /// Requests that may be there beyond `max_num_seqs`; one more is refused with 429. Absent: no limit.
    pub queue_limit: Option<u32>,
    /// Time from a request's arrival until the scheduler knows it: front end, tokenization.
    pub request_overhead_ms: f64,
    /// Longest answer to a chat request that names no `max_tokens`.
    pub default_max_tokens: u32,
    /// What an iteration costs.
    pub iteration: Iteration,
    /// Memory for keys and values.
    pub kv_cache: KvCache,
    /// What it runs on. Absent: the layout and the share of memory cannot be changed.
    pub devices: Option<Devices>,
    /// Draft tokens checked together with the next one. Absent: one token a step.
    pub speculative: Option<Speculative>,
    /// Rare pauses. Absent: none.
    pub stalls: Option<Stalls>,
    /// Slow change of speed. Absent: none.
    pub drift: Option<Drift>,
    /// Slow first seconds. Absent: none.
    pub cold_start: Option<ColdStart>,
    /// Length of answers that end by themselves. Absent: every answer has `max_tokens`.
    pub eos: Option<AnswerLength>,
}

/// Time of one iteration: `base + prefill·prefill_tokens/m + decode·decoding/m + kv·kv_tokens/m + square·(decoding/m)²`, times noise.
///
/// `decoding` counts the sequences that take a decode step, `kv_tokens` the tokens in their caches; `m` is the number of batches
/// that are under way side by side: [`parallel_batches`](Self::parallel_batches), or as many as there are sequences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Iteration {
    /// Cost of any iteration.
    pub base_ms: f64,
    /// Cost of a prompt token that is computed.
    pub prefill_us_per_token: f64,
    /// Cost of a sequence that takes a decode step.
    pub decode_us_per_sequence: f64,
    /// Cost of a token in the cache of a decoding sequence.
    pub kv_ns_per_token: f64,
    /// Cost of the square of the number of decoding sequences.
    pub decode_ns_per_sequence_squared: f64,
    /// Batches side by side, at least 1: pipeline stages times engines, among which the sequences are shared out evenly.
    pub parallel_batches: u32,
    /// Standard deviation of the logarithm of the factor that each iteration's time is multiplied with; its mean is 1.
    pub noise: f64,
}

/// Memory for keys and values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KvCache {
    /// Capacity in tokens, rounded down to whole blocks. Absent: no limit.
    pub tokens: Option<u64>,
    /// Tokens in a block, at least 1.
    pub block_size: u32,
    /// What happens when it is full.
    pub policy: KvPolicy,
    /// Blocks of earlier prompts are kept while there is room and found again by their content. Needs `tokens`.
    pub prefix_caching: bool,
}

/// What happens when the key-value cache is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvPolicy {
    /// The sequence that came last loses its blocks and is computed again later.
    Recompute,
    /// A sequence only starts when its prompt and longest answer fit; nothing is ever preempted.
    Reserve,
}

/// Speculative decoding: a step yields one token and the drafts accepted before the first miss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speculative {
    /// Drafts a step, 1 to 64.
    pub draft_tokens: u32,
    /// Probability that a draft is accepted when those before it were, 0 to 1.
    pub acceptance: f64,
}

/// Rare pauses of the whole engine, at random times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stalls {
    /// Mean time between two; the gaps are exponential.
    pub every_s: f64,
    /// Added to the iteration in which it falls.
    pub duration_s: f64,
}

/// A slow wave: iterations cost `1 + amplitude·sin(2π·t/period)` times as much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Share of the cost, 0 to below 1.
    pub amplitude: f64,
    /// Length of the wave.
    pub period_s: f64,
}

/// A slow start: iterations cost `slowdown` times as much at first, falling in a line to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColdStart {
    /// How long it lasts, from the first iteration on.
    pub duration_s: f64,
    /// Factor at the very start, at least 1.
    pub slowdown: f64,
}

/// Length of an answer that ends by itself: its logarithm is normal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerLength {
    /// Half of the answers are shorter.
    pub median_tokens: f64,
    /// Standard deviation of the natural logarithm.
    pub sigma: f64,
}

/// Parameters given beside a profile, such as those of the command line; `None` keeps the profile's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Overrides {
    /// In place of [`Profile::max_num_seqs`], for each of [`Devices::data_parallel_size`] engines.
    pub max_num_seqs: Option<u32>,
    /// In place of [`Profile::max_num_batched_tokens`], for each engine and pipeline stage.
    pub max_num_batched_tokens: Option<u32>,
    /// In place of [`Profile::max_model_len`].
    pub max_model_len: Option<u32>,
    /// In place of [`Profile::queue_limit`].
    pub queue_limit: Option<u32>,
    /// In place of [`KvCache::tokens`], whatever the devices leave.
    pub kv_cache_tokens: Option<u64>,
    /// In place of [`KvCache::prefix_caching`].
    pub prefix_caching: Option<bool>,
    /// In place of [`Devices::tensor_parallel_size`].
    pub tensor_parallel_size: Option<u32>,
    /// In place of [`Devices::pipeline_parallel_size`].
    pub pipeline_parallel_size: Option<u32>,
    /// In place of [`Devices::data_parallel_size`].
    pub data_parallel_size: Option<u32>,
    /// In place of [`Devices::gpu_memory_utilization`].
    pub gpu_memory_utilization: Option<f64>,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Neither a built-in name nor a file.
    #[error(
        "no profile `{name}`{}; built-in profiles: {}; or give the path of a TOML file",
        nearest.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(),
        Profile::names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in name that looks most like it.
        nearest: Option<&'static str>,
    },
    /// The file cannot be read.
    #[error("cannot read profile `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not a profile.
    #[error("profile `{name}` is not valid")]
    Malformed {
        /// Name or path.
        name: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A number that makes no engine.
    #[error("{field} must be {rule}")]
    OutOfRange {
        /// The parameter, as written in a file.
        field: &'static str,
        /// What it may be.
        rule: &'static str,
    },
    /// A change of what the profile does not tell.
    #[error(
        "{field} cannot be changed in this profile, which has no [devices]: it does not say what it runs on"
    )]
    NoDevices {
        /// The parameter.
        field: &'static str,
    },
    /// The devices cannot hold the model and a cache.
    #[error(
        "no memory is left for the key-value cache: of {usable_gib:.1} GiB on each device (there are {devices}), {reserved_gib:.1} GiB \
         are work space, and the weights take {weights_gib:.1} GiB in all; raise gpu_memory_utilization or tensor_parallel_size"
    )]
    NoRoom {
        /// Of one engine.
        devices: u32,
        /// Share of a device's memory that may be used.
        usable_gib: f64,
        /// Of the whole model.
        weights_gib: f64,
        /// On each device.
        reserved_gib: f64,
    },
}

/// Built-in profiles: name and text, in the order in which they are listed.
const BUILT_IN: &[(&str, &str)] = &[
    (
        "a100-qwen2.5-0.5b",
        include_str!("../profiles/a100-qwen2.5-0.5b.toml"),
    ),
    ("gpu-large", include_str!("../profiles/gpu-large.toml")),
    ("gpu-small", include_str!("../profiles/gpu-small.toml")),
    ("cpu", include_str!("../profiles/cpu.toml")),
    ("kv-bound", include_str!("../profiles/kv-bound.toml")),
    ("noisy", include_str!("../profiles/noisy.toml")),
    ("cold-start", include_str!("../profiles/cold-start.toml")),
    ("speculative", include_str!("../profiles/speculative.toml")),
    (
        "prefix-cache",
        include_str!("../profiles/prefix-cache.toml"),
    ),
    ("reject-429", include_str!("../profiles/reject-429.toml")),
    ("natural-eos", include_str!("../profiles/natural-eos.toml")),
    ("demo", include_str!("../profiles/demo.toml")),
    (
        "constant-10ms",
        include_str!("../profiles/constant-10ms.toml"),
    ),
    (
        "constant-20ms",
        include_str!("../profiles/constant-20ms.toml"),
    ),
    ("full-speed", include_str!("../profiles/full-speed.toml")),
];

impl Profile {
    /// Names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Takes a built-in profile by name, or reads a file: anything with a `/` or ending in `.toml` is a path.
    pub fn load(name_or_path: &str) -> Result<Self, ProfileError> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::from_toml(name, text);
        }
        let path = Path::new(name_or_path);
        let names_a_file = name_or_path.contains('/')
            || path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        if !names_a_file {
            return Err(ProfileError::Unknown {
                name: name_or_path.to_owned(),
                nearest: nearest(name_or_path),
            });
        }
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Unreadable {
            path: name_or_path.to_owned(),
            source,
        })?;
        Self::from_toml(name_or_path, &text)
    }

    /// Reads a profile from TOML text; `name` is for messages.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text).map_err(|source| ProfileError::Malformed {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// As the text of a file that [`Profile::load`] reads back the same.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers and words have a TOML form")
    }

    /// This profile with some parameters replaced.
    pub fn with(mut self, overrides: &Overrides) -> Result<Self, ProfileError> {
        fn replace<T: Copy>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        self.rearrange(overrides)?;
        replace(&mut self.max_model_len, overrides.max_model_len);
        replace(&mut self.kv_cache.prefix_caching, overrides.prefix_caching);
        self.queue_limit = overrides.queue_limit.or(self.queue_limit);
        self.kv_cache.tokens = overrides.kv_cache_tokens.or(self.kv_cache.tokens);
        self.check()?;
        Ok(self)
    }

    /// Whether the numbers make an engine.
    pub fn check(&self) -> Result<(), ProfileError> {
        at_least_one("max_num_seqs", self.max_num_seqs)?;
        at_least_one("max_num_batched_tokens", self.max_num_batched_tokens)?;
        at_least_one("max_model_len", self.max_model_len)?;
        at_least_one("default_max_tokens", self.default_max_tokens)?;
        within("request_overhead_ms", self.request_overhead_ms, MILLIS)?;
        self.iteration.check()?;
        self.kv_cache.check()?;
        if let Some(devices) = &self.devices {
            devices.check(self)?;
        }
        self.check_options()
    }

    fn check_options(&self) -> Result<(), ProfileError> {
        if let Some(speculative) = &self.speculative {
            let drafts = f64::from(speculative.draft_tokens);
            within("speculative.draft_tokens", drafts, (1.0, 64.0, "1 to 64"))?;
            within("speculative.acceptance", speculative.acceptance, SHARE)?;
            if self.max_num_batched_tokens <= speculative.draft_tokens {
                return Err(ProfileError::OutOfRange {
                    field: "max_num_batched_tokens",
                    rule: "more than speculative.draft_tokens",
                });
            }
        }
        if let Some(stalls) = &self.stalls {
            within("stalls.every_s", stalls.every_s, POSITIVE_SECONDS)?;
            within("stalls.duration_s", stalls.duration_s, SECONDS)?;
        }
        if let Some(drift) = &self.drift {
            let below_one = (0.0, 0.99, "0 to 0.99");
            within("drift.amplitude", drift.amplitude, below_one)?;
            within("drift.period_s", drift.period_s, POSITIVE_SECONDS)?;
        }
        if let Some(cold) = &self.cold_start {
            within("cold_start.duration_s", cold.duration_s, POSITIVE_SECONDS)?;
            let factor = (1.0, 1e4, "1 to 10000");
            within("cold_start.slowdown", cold.slowdown, factor)?;
        }
        if let Some(eos) = &self.eos {
            within(
                "eos.median_tokens",
                eos.median_tokens,
                (1.0, 1e7, "1 or more"),
            )?;
            within("eos.sigma", eos.sigma, (0.0, 5.0, "0 to 5"))?;
        }
        Ok(())
    }
}

impl Default for Profile {
    /// A quiet engine of middle speed without a memory limit.
    fn default() -> Self {
        Self {
            summary: String::new(),
            max_num_seqs: 256,
            max_num_batched_tokens: 2048,
            max_model_len: 32_768,
            queue_limit: None,
            request_overhead_ms: 0.0,
            default_max_tokens: 256,
            iteration: Iteration::default(),
            kv_cache: KvCache::default(),
            devices: None,
            speculative: None,
            stalls: None,
            drift: None,
            cold_start: None,
            eos: None,
        }
    }
}

impl Default for Iteration {
    fn default() -> Self {
        Self {
            base_ms: 5.0,
            prefill_us_per_token: 20.0,
            decode_us_per_sequence: 50.0,
            kv_ns_per_token: 10.0,
            decode_ns_per_sequence_squared: 0.0,
            parallel_batches: 1,
            noise: 0.0,
        }
    }
}

impl Default for KvCache {
    fn default() -> Self {
        Self {
            tokens: None,
            block_size: 16,
            policy: KvPolicy::Recompute,
            prefix_caching: false,
        }
    }
}

impl Iteration {
    fn check(&self) -> Result<(), ProfileError> {
        within("iteration.base_ms", self.base_ms, MILLIS)?;
        for (field, value) in [
            ("iteration.prefill_us_per_token", self.prefill_us_per_token),
            (
                "iteration.decode_us_per_sequence",
                self.decode_us_per_sequence,
            ),
            ("iteration.kv_ns_per_token", self.kv_ns_per_token),
            (
                "iteration.decode_ns_per_sequence_squared",
                self.decode_ns_per_sequence_squared,
            ),
        ] {
            within(field, value, (0.0, 1e9, "0 to 1e9"))?;
        }
        at_least_one("iteration.parallel_batches", self.parallel_batches)?;
        within("iteration.noise", self.noise, (0.0, 2.0, "0 to 2"))
    }
}

impl AnswerLength {
    /// Length at which the `index`-th answer would end by itself, at least 1. The same seed and index give the same length.
    pub fn draw(&self, seed: u64, index: u64) -> u32 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let tokens = LogNormal::new(self.median_tokens.ln(), self.sigma)
            .map_or(self.median_tokens, |lengths| lengths.sample(&mut rng));
        tokens.round().max(1.0) as u32
    }
}

impl KvCache {
    /// Capacity in whole blocks; `None` is no limit.
    pub fn blocks(&self) -> Option<u64> {
        self.tokens
            .map(|tokens| tokens / u64::from(self.block_size))
    }

    fn check(&self) -> Result<(), ProfileError> {
        at_least_one("kv_cache.block_size", self.block_size)?;
        let (field, rule) = match self.blocks() {
            Some(0) => ("kv_cache.tokens", "at least one block"),
            Some(blocks) if blocks > u64::from(u32::MAX) => {
                ("kv_cache.tokens", "fewer than 2^32 blocks")
            }
            None if self.prefix_caching => ("kv_cache.tokens", "given where prefix_caching is on"),
            _ => return Ok(()),
        };
        Err(ProfileError::OutOfRange { field, rule })
    }
}

/// Lowest and highest value, and both in words.
type Range = (f64, f64, &'static str);

const MILLIS: Range = (0.0, 3.6e6, "0 ms to one hour");
const SECONDS: Range = (0.0, 3.6e6, "0 s to a thousand hours");
const POSITIVE_SECONDS: Range = (1e-3, 3.6e6, "0.001 s to a thousand hours");
const SHARE: Range = (0.0, 1.0, "0 to 1");

fn within(field: &'static str, value: f64, range: Range) -> Result<(), ProfileError> {
    let (low, high, rule) = range;
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(ProfileError::OutOfRange { field, rule })
    }
}

fn at_least_one(field: &'static str, value: u32) -> Result<(), ProfileError> {
    if value == 0 {
        let rule = "at least 1";
        return Err(ProfileError::OutOfRange { field, rule });
    }
    Ok(())
}

/// The built-in name with the smallest edit distance, where that is less than half of the word.
fn nearest(name: &str) -> Option<&'static str> {
    Profile::names()
        .map(|known| (edit_distance(name, known), known))
        .min()
        .filter(|(distance, known)| distance * 2 < known.len().max(name.len()))
        .map(|(_, known)| known)
}

/// Levenshtein distance over bytes.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests;
