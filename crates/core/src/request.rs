//! What to send: prompts, generation settings, and the shape of a load.
//!
//! Knows nothing of HTTP: endpoints turn an [`Item`] and a [`Generation`] into a body.

mod adapters;
mod conversation;
mod pacing;

use std::num::NonZeroU32;
use std::sync::Arc;

pub use adapters::{Adapters, Assignment};
pub use conversation::{Conversation, History, Turn};
pub use pacing::{Burstiness, BurstinessError, Pace, Pacing, Ramp};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::units::{Nanos, Rate};

/// One request's content, the n-th of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Position in the workload, from 0. The same index and seed always give the same item.
    pub index: u64,
    /// What the model is asked.
    pub prompt: Prompt,
    /// Input length in tokens by the client's tokenizer, after the chat template; `None` where no tokenizer is set.
    pub prompt_tokens: Option<u32>,
    /// Longest answer to ask for, in tokens; `None` leaves it to the server.
    pub max_tokens: Option<u32>,
    /// Fields of this request's body alone; they win over those of the [`Generation`].
    pub extra: Map<String, Value>,
}

impl Item {
    /// A prompt and nothing else.
    pub fn new(index: u64, prompt: Prompt) -> Self {
        Self {
            index,
            prompt,
            prompt_tokens: None,
            max_tokens: None,
            extra: Map::new(),
        }
    }
}

/// What the model is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Plain text for a completion endpoint.
    Text(String),
    /// A conversation for a chat endpoint.
    Messages(Vec<Message>),
    /// Token ids for a completion endpoint.
    TokenIds(Vec<u32>),
    /// A whole request body from the data set: settings are only added where it has none.
    Body(Map<String, Value>),
    /// Several texts in one request: inputs of an embedding, or a query and the documents to rank.
    Texts(Vec<String>),
    /// A text with pictures, films or sound beside it.
    Media {
        /// The text, perhaps empty.
        text: String,
        /// The rest, as content parts of the chat API have it.
        parts: Vec<Value>,
    },
    /// Speech that is to be written down.
    Audio(Arc<Audio>),
}

/// A recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// Name of the file that the server is told.
    pub file_name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// How long it is.
    pub length: Nanos,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Text, or a list of content parts as the chat API has them.
    pub content: Value,
    /// Other fields of the message (`name`, `tool_calls`, …), passed on as they are.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Message {
    /// A user's message of plain text.
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: "user".to_owned(),
            content: Value::String(text.into()),
            rest: Map::new(),
        }
    }
}

/// Settings of the generation, the same for all requests of a run. `None` leaves a field out of the body.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Generation {
    /// Least number of tokens to generate.
    pub min_tokens: Option<u32>,
    /// Penalty on frequent tokens.
    pub frequency_penalty: Option<f64>,
    /// Penalty on repeated tokens.
    pub repetition_penalty: Option<f64>,
    /// Ask for log-probabilities.
    pub logprobs: Option<bool>,
    /// Ask for those of so many most likely tokens at each place too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// The field that the longest answer of a chat is asked for in.
    #[serde(default, skip_serializing_if = "ChatLength::is_usual")]
    pub chat_length: ChatLength,
    /// Number of answers a request (`n`).
    pub choices: Option<u32>,
    /// Seed of the server's sampling.
    pub seed: Option<i64>,
    /// Texts that end an answer.
    pub stop: Option<Vec<String>>,
    /// Token ids that end an answer.
    pub stop_token_ids: Option<Vec<u32>>,
    /// Ask for server-sent events.
    pub stream: bool,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Top-k sampling.
    pub top_k: Option<i64>,
    /// Merged into the body last; a `null` removes a field.
    pub extra: Map<String, Value>,
}

/// The field that the longest answer of a chat is asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatLength {
    /// `max_tokens`, which all servers know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which has taken its place in OpenAI's API.
    MaxCompletionTokens,
}

impl ChatLength {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// How requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// As soon as a slot is free (closed loop); needs a concurrency.
    Immediate,
    /// At random times, independent of the service: gaps are exponential with mean 1/rate.
    Poisson(Rate),
    /// Evenly, one each 1/rate.
    Constant(Rate),
    /// All at the start; a limit on requests in flight makes them wait. For loads that end after a number of requests.
    AtOnce,
    /// A run of known length, with a burstiness, perhaps fitted to its length, perhaps with a ramp.
    Paced(Pacing),
    /// When the workload says, as in a trace; so many a second on average.
    Recorded(Rate),
}

/// A load: when requests arrive, and how many may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// When requests become due.
    pub arrivals: Arrivals,
    /// Highest number in flight; `None` is no limit (true open loop).
    pub concurrency: Option<NonZeroU32>,
}

impl Load {
    /// So many users who each send the next request when the last one is answered.
    pub fn closed(concurrency: NonZeroU32) -> Self {
        Self {
            arrivals: Arrivals::Immediate,
            concurrency: Some(concurrency),
        }
    }

    /// Requests at random times, whatever the service does.
    pub fn open(rate: Rate) -> Self {
        Self {
            arrivals: Arrivals::Poisson(rate),
            concurrency: None,
        }
    }

    /// The asked arrival rate, of a ramp its highest; `None` where requests go out as fast as the limit on those in
    /// flight lets them.
    pub fn rate(&self) -> Option<Rate> {
        match self.arrivals {
            Arrivals::Immediate | Arrivals::AtOnce => None,
            Arrivals::Poisson(rate) | Arrivals::Constant(rate) | Arrivals::Recorded(rate) => {
                Some(rate)
            }
            Arrivals::Paced(pacing) => Some(pacing.highest_rate()),
        }
    }
}

/// One measurement: a load, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoadPoint {
    /// What to apply.
    pub load: Load,
    /// Requests that count; of a workload of conversations, conversations.
    pub requests: u64,
    /// Requests (or conversations) sent before and not counted.
    pub warmup: u64,
    /// Ends the sending of counted requests earlier than `requests` would; those in flight are awaited.
    pub duration: Option<Nanos>,
}
