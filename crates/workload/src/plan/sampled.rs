//! Samples: data sets of which a run takes a number of requests, each with the length of its own answer.
//!
//! Says what is meant and checks nothing: opening a workload does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Samples of a source. They need none of the plan's own lengths: a source says what it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Where samples come from.
    pub source: SampleSource,
    /// Requests that the run will make, those before the measurement included, but not the copies: no more samples are read or
    /// drawn than that.
    ///
    /// Where there are fewer, later items repeat them in a drawn order; `Workload::len` tells how many there are.
    pub requests: u64,
    /// So many of the first items are copies of the one behind them, and no samples of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copies: u64,
    /// In which order a file's samples are taken.
    pub order: SampleOrder,
    /// Longest input and output together, in tokens; longer samples are left out. Requests that generate nothing have no limit.
    pub longest: Option<u32>,
    /// Whether the client puts plain prompts through the model's chat template.
    pub template: PlainTemplate,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(copies: &u64) -> bool {
    *copies == 0
}

/// The order of a file's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleOrder {
    /// Shuffled by the seed of the plan.
    Shuffled,
    /// As the file has them.
    Stored,
}

/// What happens to questions that are sent as plain text ([`super::PromptForm::Text`]). Messages are put through the template by
/// the server, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlainTemplate {
    /// They stay as they are.
    Skipped,
    /// Sources of questions render them as one user's message, with these variables for the template.
    Applied(Map<String, Value>),
}

/// Where samples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleSource {
    /// Random words of exact token length.
    Random(RandomSamples),
    /// Random words with pictures of noise.
    RandomMedia(RandomMedia),
    /// A query and documents of random words.
    Rerank(RerankSamples),
    /// Random words behind prefixes that several requests share.
    PrefixRepetition(PrefixRepetition),
    /// The first two turns of conversations.
    ShareGpt(ShareGptSamples),
    /// A prompt a line.
    Prompts(PromptSamples),
    /// Prompts with pictures, one a line.
    Pictures(PictureSamples),
    /// Recordings, one a line.
    Recordings(RecordingSamples),
    /// Lines of a poem.
    Poem(PoemSamples),
    /// Lengths of real requests.
    Burst(BurstSamples),
    /// Lengths, due times and shared blocks of real requests.
    Trace(TraceSamples),
    /// The first turn of questions by category.
    Questions(QuestionSamples),
    /// A data set as the hub stores it.
    Hub(HubSamples),
}

/// Uniform lengths around a length: whole numbers of `[floor(length * (1 - spread)), ceil(length * (1 + spread))]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AroundLength {
    /// The middle, in tokens.
    pub tokens: u32,
    /// Share of the middle to either side, at least 0 and below 1.
    pub spread: f64,
}

/// Random prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RandomSamples {
    /// Input, the tokens included that a server puts around a plain prompt.
    pub input: AroundLength,
    /// Output, at least 1.
    pub output: AroundLength,
    /// Tokens that all prompts begin with, in addition to the input.
    pub prefix_length: u32,
    /// Texts in a request, at least 1. With more than one nothing is generated.
    pub texts: u32,
    /// Prompts that begin alike, in place of the common prefix.
    pub warm: Option<WarmPrompts>,
}

/// Prompts that find a part of themselves in a server's prefix cache, among others that do not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WarmPrompts {
    /// Share of the requests that begin with a shared prefix, from 0 to 1.
    pub requests: f64,
    /// Share of such a prompt that is the shared prefix, from 0 to 1.
    pub tokens: f64,
    /// Number of different prefixes, at least 1.
    pub prefixes: u32,
}

/// Random prompts with pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RandomMedia {
    /// The text.
    pub text: RandomSamples,
    /// Middle number of pictures a request.
    pub items: u32,
    /// Share of the middle to either side, from 0 to 1.
    pub spread: f64,
    /// Most items of a kind (`image`, `video`) in a request.
    pub limits: BTreeMap<String, u32>,
    /// Sizes that are drawn from.
    pub sizes: Vec<MediaSize>,
}

/// A size of pictures or films, and how often it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MediaSize {
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
    /// Frames: 1 is a picture, more are a film.
    pub frames: u32,
    /// Relative frequency, at least 0; a size with 0 is never drawn.
    pub weight: f64,
}

/// A query with documents to rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RerankSamples {
    /// Input.
    pub input: AroundLength,
    /// Texts in a request, the query included where `pairing` is `Separate`.
    pub texts: u32,
    /// How the server reads them.
    pub pairing: Pairing,
}

/// How a server reads a query and its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Query, separator and document as one input for each document; the input length is that of a pair.
    Joined,
    /// Each text by itself, of the input length.
    Separate,
}

/// Random prompts behind shared prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixRepetition {
    /// Tokens of a prefix.
    pub prefix_length: u32,
    /// Tokens of what follows it.
    pub suffix_length: u32,
    /// Number of prefixes; each is used for as many requests, so that a rest of the requests is not made.
    pub prefixes: u32,
    /// Longest answer asked for.
    pub output_length: u32,
}

/// Conversations: a JSON array of objects with `conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareGptSamples {
    /// The file.
    pub path: PathBuf,
    /// Longest answer asked for; `None` takes the length of the stored answer.
    pub output_length: Option<u32>,
}

/// Prompts: objects with `prompt`, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptSamples {
    /// The file, `.jsonl`.
    pub path: PathBuf,
    /// Longest answer asked for; `None` takes `output_tokens` of the line.
    pub output_length: Option<u32>,
}

/// Prompts with pictures: objects with `prompt` and `image_files`, or with `content`, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureSamples {
    /// The file, `.jsonl`.
    pub path: PathBuf,
    /// Longest answer asked for; `None` takes `output_tokens` of the line.
    pub output_length: Option<u32>,
    /// What is sent of a picture's file.
    pub files: PictureFiles,
}

/// What is sent of a picture that lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureFiles {
    /// Its place: the server reads it.
    Named,
    /// The picture itself.
    Inlined,
}

/// Recordings: objects with `audio` and perhaps `prompt`, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingSamples {
    /// The file, `.jsonl`.
    pub path: PathBuf,
    /// Longest answer asked for; `None` takes `output_tokens` of the line.
    pub output_length: Option<u32>,
    /// How they are sent.
    pub sent: RecordingForm,
}

/// How a recording is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingForm {
    /// As a file to be written down.
    File,
    /// As a part of a user's message.
    Part,
}

/// Prompts of lines of a poem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoemSamples {
    /// A text file.
    pub path: PathBuf,
    /// Longest input, after the chat template.
    pub input_length: u32,
    /// Longest answer asked for.
    pub output_length: u32,
    /// Part of the input that is the same for all: the poem's first lines.
    pub prefix_length: u32,
}

/// Lengths of a CSV file with the columns `Timestamp`, `Model`, `Request tokens` and `Response tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstSamples {
    /// The file.
    pub path: PathBuf,
    /// Whether requests are due as they were.
    pub times: TraceTimes,
}

/// What is made of the times of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceTimes {
    /// Nothing: requests are drawn from the trace.
    Ignored,
    /// Requests are due as the trace has them, from the first on.
    Kept,
}

/// A trace: an object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceSamples {
    /// The file.
    pub path: PathBuf,
    /// Tokens that one hash stands for.
    pub block_length: u32,
    /// From the trace's unit of time to seconds.
    pub seconds: f64,
    /// Names of the fields.
    pub fields: TraceFields,
}

/// Names of the fields of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFields {
    /// When the request came.
    pub time: String,
    /// Input tokens.
    pub input: String,
    /// Output tokens.
    pub output: String,
    /// Blocks of the input: equal hashes are equal tokens.
    pub hashes: String,
}

/// Questions by category, an object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionSamples {
    /// The file.
    pub path: PathBuf,
    /// Where a line has its question.
    pub shape: QuestionShape,
    /// Only this category; `None` is all.
    pub category: Option<String>,
    /// Longest answer asked for.
    pub output_length: u32,
}

/// Where a line has its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionShape {
    /// The first of `turns`, a list of texts.
    Turns,
    /// The `content` of the first of `messages`.
    Messages,
}

/// A data set of the hub, in local files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HubSamples {
    /// Its name there, `org/name`: it tells how the rows are read.
    pub name: String,
    /// File or folder; `None` looks in the local hub caches.
    pub path: Option<PathBuf>,
    /// Part of the data set, as a folder or in the files' names.
    pub subset: Option<String>,
    /// `train`, `test`, …; `None` takes what the data set has.
    pub split: Option<String>,
    /// Longest answer asked for; `None` takes what the data set has.
    pub output_length: Option<u32>,
    /// Categories of function calls.
    pub categories: Vec<String>,
    /// Least and most of the distance between a text and its edit, from 0 to 1.
    pub distance: (f64, f64),
    /// Least and most length of a recording, in seconds; `None` is no limit.
    pub seconds: (f64, Option<f64>),
}
