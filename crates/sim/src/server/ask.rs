//! Bodies of generation requests: what is asked for, checked.
//!
//! Counts no tokens and knows no engine. Fields that change no timing (temperature and the like) are not looked at.

mod form;
mod native;
mod pooled;

use crestline_core::request::Message;
pub(super) use native::kind as native_kind;
use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;

/// Most answers to one request.
pub(super) const MOST_CHOICES: u32 = 128;
/// Longest answer to a completion that names none, as in the completion API.
const COMPLETION_TOKENS: u32 = 16;

/// Which API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Completion,
    Response,
    Transcription,
    /// Text Generation Inference.
    Tgi,
    TensorRt,
    Embedding,
    Pooling,
    Ranking,
}

impl Kind {
    /// The prompt is read, and nothing is generated.
    pub(super) fn only_reads(self) -> bool {
        matches!(self, Self::Embedding | Self::Pooling | Self::Ranking)
    }
}

/// A checked request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    pub(super) model: Option<String>,
    pub(super) prompt: Prompt,
    /// `None` leaves it to the profile.
    pub(super) max_tokens: Option<u32>,
    pub(super) min_tokens: u32,
    pub(super) ending: Ending,
    pub(super) choices: u32,
    pub(super) delivery: Delivery,
    pub(super) encoding: Encoding,
}

/// How a vector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    #[default]
    Float,
    Base64,
    /// Raw bytes, with what JSON would say in a header.
    Bytes,
    /// Raw bytes and nothing else.
    BytesOnly,
}

/// What the model is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Prompt {
    Text(String),
    TokenIds(Vec<u32>),
    Messages(Vec<Message>),
    /// Each is a sequence of its own.
    Several(Vec<Prompt>),
    /// Two texts in one sequence.
    Pair(String, String),
    /// A recording, whose length in tokens is known without a tokenizer.
    Sound(u32),
}

/// Whether an answer may end before `max_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Natural,
    /// `ignore_eos`.
    AtMaxTokens,
}

/// How the answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// At once, as one JSON object.
    Whole,
    /// As events.
    Events,
    /// As events, with a usage event before the end.
    EventsAndUsage,
    /// The same, and the usage so far in every event.
    EventsAndRunningUsage,
}

#[derive(Deserialize)]
struct Body {
    model: Option<String>,
    messages: Option<Vec<Message>>,
    prompt: Option<Value>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    min_tokens: Option<i64>,
    ignore_eos: Option<bool>,
    n: Option<i64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

#[derive(Deserialize)]
struct ResponseBody {
    model: Option<String>,
    input: Option<Value>,
    max_output_tokens: Option<i64>,
    min_tokens: Option<i64>,
    ignore_eos: Option<bool>,
    stream: Option<bool>,
}

/// Reads a body of JSON.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::BadRequest(format!("the body is not valid: {error}")))
}

/// How long an answer may and must be.
#[derive(Debug, Clone, Copy, Default)]
struct Length {
    most: Option<i64>,
    least: Option<i64>,
    ignore_eos: Option<bool>,
}

impl Ask {
    /// Reads the body of a request; `content_type` says where the parts of a form end.
    pub(super) fn parse(kind: Kind, content_type: &str, body: &[u8]) -> Result<Self, Refusal> {
        match kind {
            Kind::Chat | Kind::Completion => Self::of_openai(kind, body),
            Kind::Response => Self::of_response(body),
            Kind::Transcription => form::transcription(content_type, body),
            Kind::Tgi => native::tgi(body),
            Kind::TensorRt => native::tensor_rt(body),
            Kind::Embedding | Kind::Pooling => pooled::vectors(body),
            Kind::Ranking => pooled::ranking(body),
        }
    }

    fn of_openai(kind: Kind, body: &[u8]) -> Result<Self, Refusal> {
        let body: Body = read(body)?;
        let prompt = match kind {
            Kind::Chat => messages(body.messages)?,
            _ => prompt(body.prompt)?,
        };
        let length = Length {
            most: body.max_completion_tokens.or(body.max_tokens),
            least: body.min_tokens,
            ignore_eos: body.ignore_eos,
        };
        let choices = count("n", body.n, 1)?.unwrap_or(1);
        if choices > MOST_CHOICES {
            return Err(Refusal::BadRequest(format!(
                "n must be at most {MOST_CHOICES}"
            )));
        }
        let ask = Self::of(prompt, "max_tokens", length)?;
        Ok(Self {
            model: body.model,
            max_tokens: match kind {
                Kind::Chat => ask.max_tokens,
                _ => ask
                    .max_tokens
                    .or(Some(COMPLETION_TOKENS.max(ask.min_tokens))),
            },
            choices,
            delivery: delivery(body.stream, body.stream_options.as_ref()),
            ..ask
        })
    }

    fn of_response(body: &[u8]) -> Result<Self, Refusal> {
        let body: ResponseBody = read(body)?;
        let prompt = match body.input {
            Some(Value::Array(items)) if items.first().is_some_and(Value::is_object) => {
                let items = serde_json::from_value(Value::Array(items));
                let wrong = |error| Refusal::BadRequest(format!("input is not valid: {error}"));
                Prompt::Messages(items.map_err(wrong)?)
            }
            Some(input) => prompt(Some(input))?,
            None => return Err(Refusal::BadRequest("input is missing".to_owned())),
        };
        let length = Length {
            most: body.max_output_tokens,
            least: body.min_tokens,
            ignore_eos: body.ignore_eos,
        };
        Ok(Self {
            model: body.model,
            delivery: match body.stream {
                Some(true) => Delivery::EventsAndUsage,
                _ => Delivery::Whole,
            },
            ..Self::of(prompt, "max_output_tokens", length)?
        })
    }

    /// One whole answer to a prompt. `most` names the field with the longest length.
    fn of(prompt: Prompt, most: &str, length: Length) -> Result<Self, Refusal> {
        let max_tokens = count(most, length.most, 1)?;
        let min_tokens = count("min_tokens", length.least, 0)?.unwrap_or(0);
        if max_tokens.is_some_and(|most| min_tokens > most) {
            let message = format!("min_tokens must not be above {most}");
            return Err(Refusal::BadRequest(message));
        }
        Ok(Self {
            model: None,
            prompt,
            max_tokens,
            min_tokens,
            ending: match length.ignore_eos {
                Some(true) => Ending::AtMaxTokens,
                _ => Ending::Natural,
            },
            choices: 1,
            delivery: Delivery::Whole,
            encoding: Encoding::Float,
        })
    }
}

fn delivery(stream: Option<bool>, options: Option<&StreamOptions>) -> Delivery {
    let asked = |field: fn(&StreamOptions) -> Option<bool>| options.and_then(field) == Some(true);
    let usage = asked(|options| options.include_usage);
    match stream {
        Some(true) if usage && asked(|options| options.continuous_usage_stats) => {
            Delivery::EventsAndRunningUsage
        }
        Some(true) if usage => Delivery::EventsAndUsage,
        Some(true) => Delivery::Events,
        _ => Delivery::Whole,
    }
}

fn messages(messages: Option<Vec<Message>>) -> Result<Prompt, Refusal> {
    match messages {
        Some(messages) if !messages.is_empty() => Ok(Prompt::Messages(messages)),
        Some(_) => Err(Refusal::BadRequest("messages must not be empty".to_owned())),
        None => Err(Refusal::BadRequest("messages is missing".to_owned())),
    }
}

fn prompt(prompt: Option<Value>) -> Result<Prompt, Refusal> {
    let refuse = |message: &str| Err(Refusal::BadRequest(message.to_owned()));
    match prompt {
        Some(Value::String(text)) => Ok(Prompt::Text(text)),
        Some(Value::Array(items)) if items.is_empty() => refuse("prompt must not be empty"),
        Some(Value::Array(items)) if items[0].is_number() => {
            let ids: Option<Vec<u32>> = items
                .iter()
                .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
                .collect();
            match ids {
                Some(ids) => Ok(Prompt::TokenIds(ids)),
                None => refuse("the token ids of prompt must be whole numbers from 0 to 2^32-1"),
            }
        }
        Some(Value::Array(mut items)) if items.len() == 1 => prompt_of_list(items.remove(0)),
        Some(Value::Array(_)) => {
            refuse("a list of prompts is not supported: send each in a request of its own")
        }
        Some(_) => refuse("prompt must be a text or a list of token ids"),
        None => refuse("prompt is missing"),
    }
}

/// The only prompt of a list.
fn prompt_of_list(item: Value) -> Result<Prompt, Refusal> {
    match item {
        Value::Array(inner) if inner.first().is_some_and(Value::is_array) => Err(
            Refusal::BadRequest("prompt is nested too deeply".to_owned()),
        ),
        item => prompt(Some(item)),
    }
}

fn count(field: &str, value: Option<i64>, least: u32) -> Result<Option<u32>, Refusal> {
    let Some(value) = value else {
        return Ok(None);
    };
    match u32::try_from(value) {
        Ok(count) if count >= least => Ok(Some(count)),
        _ => Err(Refusal::BadRequest(format!(
            "{field} must be at least {least}, not {value}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: Kind, body: &str) -> String {
        match Ask::parse(kind, "", body.as_bytes()) {
            Err(Refusal::BadRequest(message)) => message,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn a_chat_request_is_read_with_all_that_changes_timing() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"max_completion_tokens":7,
            "min_tokens":2,"n":3,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,"temperature":0.5}"#;
        let expected = Ask {
            model: Some("m".into()),
            prompt: Prompt::Messages(vec![Message::user("hi")]),
            max_tokens: Some(7),
            min_tokens: 2,
            ending: Ending::AtMaxTokens,
            choices: 3,
            delivery: Delivery::EventsAndUsage,
            encoding: Encoding::Float,
        };
        assert_eq!(Ask::parse(Kind::Chat, "", body.as_bytes()), Ok(expected));
    }

    #[test]
    fn a_completion_takes_text_or_token_ids_and_has_16_tokens_unless_said() {
        let prompt = |body: &str| Ask::parse(Kind::Completion, "", body.as_bytes()).unwrap();
        let text = prompt(r#"{"prompt":"hi"}"#);
        assert_eq!(text.prompt, Prompt::Text("hi".into()));
        assert_eq!(text.max_tokens, Some(16));
        assert_eq!(text.delivery, Delivery::Whole);
        let ids = Prompt::TokenIds(vec![1, 2]);
        assert_eq!(prompt(r#"{"prompt":[1,2]}"#).prompt, ids);
        assert_eq!(prompt(r#"{"prompt":[[1,2]]}"#).prompt, ids);
        assert_eq!(prompt(r#"{"prompt":["hi"]}"#).prompt, text.prompt);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (kind, body, words) in [
            (Kind::Chat, "{", "the body is not valid"),
            (Kind::Chat, r#"{"prompt":"hi"}"#, "messages is missing"),
            (
                Kind::Chat,
                r#"{"messages":[]}"#,
                "messages must not be empty",
            ),
            (Kind::Completion, r#"{"messages":[]}"#, "prompt is missing"),
            (
                Kind::Completion,
                r#"{"prompt":["a","b"]}"#,
                "list of prompts",
            ),
            (
                Kind::Completion,
                r#"{"prompt":[[1],[2]]}"#,
                "list of prompts",
            ),
            (Kind::Completion, r#"{"prompt":[1,-2]}"#, "token ids"),
            (
                Kind::Completion,
                r#"{"prompt":"a","max_tokens":0}"#,
                "max_tokens must be at least 1",
            ),
            (
                Kind::Completion,
                r#"{"prompt":"a","n":129}"#,
                "n must be at most 128",
            ),
            (
                Kind::Completion,
                r#"{"prompt":"a","max_tokens":2,"min_tokens":3}"#,
                "min_tokens",
            ),
        ] {
            let message = refusal(kind, body);
            assert!(message.contains(words), "{body}: {message}");
        }
    }

    #[test]
    fn a_response_takes_a_text_or_a_conversation_and_always_ends_with_its_usage() {
        let ask = |body: &str| Ask::parse(Kind::Response, "", body.as_bytes()).unwrap();
        let text = ask(r#"{"input":"hi","max_output_tokens":5,"stream":true}"#);
        assert_eq!(text.prompt, Prompt::Text("hi".into()));
        assert_eq!(
            (text.max_tokens, text.delivery),
            (Some(5), Delivery::EventsAndUsage)
        );
        let chat = ask(r#"{"input":[{"role":"user","content":"hi"}],"ignore_eos":true}"#);
        assert_eq!(chat.prompt, Prompt::Messages(vec![Message::user("hi")]));
        assert_eq!(
            (chat.ending, chat.delivery),
            (Ending::AtMaxTokens, Delivery::Whole)
        );
        assert!(refusal(Kind::Response, "{}").contains("input is missing"));
    }

    #[test]
    fn usage_in_every_event_must_be_asked_for_twice() {
        let delivery = |options: &str| {
            let body = format!(r#"{{"prompt":"a","stream":true,"stream_options":{options}}}"#);
            Ask::parse(Kind::Completion, "", body.as_bytes())
                .unwrap()
                .delivery
        };
        assert_eq!(
            delivery(r#"{"continuous_usage_stats":true}"#),
            Delivery::Events
        );
        assert_eq!(
            delivery(r#"{"include_usage":true,"continuous_usage_stats":true}"#),
            Delivery::EventsAndRunningUsage
        );
    }
}
