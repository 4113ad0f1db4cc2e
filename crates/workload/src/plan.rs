//! Which items a run sends: the data set, the tokenizer and the lengths, as meant by the user.

mod conversations;
mod sampled;

use std::path::PathBuf;

use crate::own::OwnSource;
pub use conversations::{
    ConversationSamples, ConversationSource, RandomTurns, SharedTurns, TurnCounts,
};
pub use sampled::{
    AroundLength, BurstSamples, HubSamples, MediaSize, Pairing, PictureFiles, PictureSamples,
    PlainTemplate, PoemSamples, PrefixRepetition, PromptSamples, QuestionSamples, QuestionShape,
    RandomMedia, RandomSamples, RecordingForm, RecordingSamples, RerankSamples, SampleOrder,
    SampleSource, Sampling, ShareGptSamples, TraceFields, TraceSamples, TraceTimes, WarmPrompts,
};
use serde::{Deserialize, Serialize};

/// What to send. The same plan gives the same items on every machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadPlan {
    /// Where prompts come from.
    pub dataset: Dataset,
    /// Folder, file, hub name or `builtin`; `None` where no token has to be counted by the client.
    pub tokenizer: Option<String>,
    /// How a prompt is put to the server.
    pub form: PromptForm,
    /// Shortest prompt: tokens where a tokenizer is set, else characters. For `random` the lower end of the length.
    pub min_prompt_length: u32,
    /// Longest prompt, inclusive. For `random` the upper end of the length.
    pub max_prompt_length: u32,
    /// Tokens shared by all prompts of a run, before and in addition to their own (`random` only).
    pub prefix_length: u32,
    /// Longest answer asked for, drawn uniformly from this inclusive range; `None` leaves it to the server.
    pub max_tokens: Option<(u32, u32)>,
    /// Index of the first item: a later run of a sweep starts where the one before ended.
    pub offset: u64,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// How a prompt is put to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptForm {
    /// As messages; lengths are counted after the chat template.
    Chat,
    /// As text.
    Text,
    /// As token ids made by the client: through the chat template where `chat` is set.
    TokenIds {
        /// Messages go through the model's chat template, with its generation prompt.
        chat: bool,
    },
}

/// Where prompts come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataset {
    /// Random words of exact token length.
    Random(RandomLengths),
    /// `question` of each line of `open_qa.jsonl`.
    OpenQa(Source),
    /// `instruction` of each object of a JSON array.
    LongAlpaca(Source),
    /// A prompt, a JSON string, a list of messages or a whole body each line.
    LineByLine(Source),
    /// A prompt each line.
    Custom(Source),
    /// Chinese ShareGPT conversations.
    ShareGptZh(Source),
    /// English ShareGPT conversations.
    ShareGptEn(Source),
    /// One fixed text for all requests.
    Fixed(String),
    /// Prompts of 1, 6144, 14336 and 30720 tokens, two each.
    SpeedBenchmark,
    /// Prompts of 63488 and 129024 tokens, two each.
    SpeedBenchmarkLong,
    /// Items that come from outside.
    Own(OwnSource),
    /// A number of samples, each with the length of its own answer.
    Sampled(Box<Sampling>),
}

/// A data set's files, and how its prompts are fitted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Source {
    /// File or folder; `None` looks in the local hub caches.
    pub path: Option<PathBuf>,
    /// Exact length to fit prompts to, in place of the length filter.
    pub fit: Option<Fit>,
}

/// Fitting of real prompts to a token length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Tokens of content; longer prompts are cut.
    pub target_input_len: u32,
    /// What happens to shorter prompts.
    pub mode: FitMode,
    /// Text whose tokens fill up shorter prompts.
    pub prefix_file: Option<PathBuf>,
    /// Where the filling goes.
    pub prefix_role: PrefixRole,
}

/// What happens to prompts shorter than the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitMode {
    /// They stay as they are.
    Cap,
    /// They are skipped.
    Drop,
}

/// Where a prefix file's text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrefixRole {
    /// A system message of its own.
    System,
    /// In front of the first message.
    User,
}

/// Lengths of random prompts and answers; `None` takes the uniform range of the plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RandomLengths {
    /// Input tokens.
    pub input: Option<Lengths>,
    /// Output tokens (`max_tokens`).
    pub output: Option<Lengths>,
    /// Input and output lengths drawn together from the rows of a CSV file (`input,output`).
    pub pairs: Option<PathBuf>,
}

/// A distribution of lengths in tokens; draws are rounded and kept within `[min, max]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "distribution", rename_all = "snake_case", deny_unknown_fields)]
pub enum Lengths {
    /// Always the same.
    Fixed {
        /// Tokens.
        value: u32,
    },
    /// All of `[min, max]` alike.
    Uniform {
        /// Least, inclusive.
        min: u32,
        /// Most, inclusive.
        max: u32,
    },
    /// Bell-shaped.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
        /// Least, inclusive.
        min: u32,
        /// Most, inclusive.
        max: u32,
    },
    /// Skewed, as real answers are: the logarithm is normal.
    LogNormal {
        /// Median in tokens.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
        /// Least, inclusive.
        min: u32,
        /// Most, inclusive.
        max: u32,
    },
    /// One of several, each with its weight.
    Mixture {
        /// The parts.
        parts: Vec<MixturePart>,
    },
}

/// One part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixturePart {
    /// Relative frequency, above 0.
    pub weight: f64,
    /// Its lengths.
    pub lengths: Lengths,
}
