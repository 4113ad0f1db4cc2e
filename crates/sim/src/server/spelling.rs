//! How each API writes what an answer says: events, their end, and answers that are not streamed.
//!
//! Knows neither sockets nor times. The words go between [`Event::open`] and [`Event::close`]; they need no escapes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ask::{Delivery, Encoding, Kind};
use super::http::Response;

/// Numbers in a vector.
const DIMENSIONS: u32 = 64;

/// What every event of an answer repeats.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
}

/// From `{` up to where the choices or the output begin, the same in every event.
pub(super) fn head(kind: Kind, delivery: Delivery, identity: &Identity) -> Box<str> {
    let object = match (kind, delivery) {
        (Kind::Tgi | Kind::TensorRt, _) => return "".into(),
        (Kind::Response, _) => "response",
        (Kind::Completion, _) => "text_completion",
        (Kind::Chat, Delivery::Whole) => "chat.completion",
        (Kind::Chat, _) => "chat.completion.chunk",
        (Kind::Transcription, _) => "transcription.chunk",
        (Kind::Embedding | Kind::Pooling | Kind::Ranking, _) => "list",
    };
    let text = |text: &str| Value::from(text).to_string();
    let created = match kind {
        Kind::Response => "created_at",
        _ => "created",
    };
    let list = match kind {
        Kind::Response => "",
        Kind::Embedding | Kind::Pooling => ",\"data\":[",
        Kind::Ranking => ",\"results\":[",
        _ => ",\"choices\":[",
    };
    format!(
        "{{\"id\":{},\"object\":\"{object}\",\"{created}\":{},\"model\":{}{list}",
        text(&identity.id),
        identity.created,
        text(&identity.model),
    )
    .into()
}

/// An event of one choice, but for its words.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind,
    pub(super) head: &'a str,
    pub(super) choice: u32,
    /// Events of the choice before this one.
    pub(super) number: u32,
    /// Only in the last one.
    pub(super) last: Option<Last>,
    /// The usage so far, where every event has it.
    pub(super) usage: Option<String>,
}

/// What the last event of a choice adds.
#[derive(Debug)]
pub(super) struct Last {
    /// `length` or `stop`.
    pub(super) reason: &'static str,
    pub(super) prompt_tokens: u32,
    pub(super) tokens: u32,
    /// All words; only where the API repeats them.
    pub(super) text: String,
}

impl Event<'_> {
    /// All before the words.
    pub(super) fn open(&self, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Tgi => {
                out.extend_from_slice(b"data:{\"index\":");
                push_number(out, self.number + 1);
                out.extend_from_slice(b",\"token\":{\"id\":0,\"text\":\"");
            }
            Kind::TensorRt => out.extend_from_slice(
                b"data: {\"model_name\":\"ensemble\",\"model_version\":\"1\",\"sequence_end\":false,\"sequence_id\":0,\"sequence_start\":false,\"text_output\":\"",
            ),
            Kind::Response => self.open_response(out),
            _ => self.open_choice(out),
        }
    }

    fn open_choice(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(b"{\"index\":");
        push_number(out, self.choice);
        out.extend_from_slice(match (self.kind, self.number) {
            (Kind::Completion, _) => b",\"text\":\"".as_slice(),
            (Kind::Chat, 0) => b",\"delta\":{\"role\":\"assistant\",\"content\":\"",
            _ => b",\"delta\":{\"content\":\"",
        });
    }

    fn open_response(&self, out: &mut Vec<u8>) {
        if self.number == 0 {
            out.extend_from_slice(
                b"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":",
            );
            out.extend_from_slice(self.head.as_bytes());
            out.extend_from_slice(
                b",\"status\":\"in_progress\",\"output\":[],\"usage\":null,\"error\":null}}\n\n",
            );
        }
        out.extend_from_slice(
            b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":",
        );
        push_number(out, self.number + 1);
        out.extend_from_slice(
            b",\"item_id\":\"msg\",\"output_index\":0,\"content_index\":0,\"logprobs\":[],\"delta\":\"",
        );
    }

    /// All after the words.
    pub(super) fn close(&self, out: &mut Vec<u8>) {
        match self.kind {
            Kind::TensorRt | Kind::Response => out.extend_from_slice(b"\"}\n\n"),
            Kind::Tgi => self.close_tgi(out),
            _ => self.close_choice(out),
        }
    }

    fn close_choice(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.kind {
            Kind::Completion => b"\",\"logprobs\":null,\"finish_reason\":".as_slice(),
            _ => b"\"},\"logprobs\":null,\"finish_reason\":",
        });
        match &self.last {
            None => out.extend_from_slice(b"null"),
            Some(last) => {
                out.push(b'"');
                out.extend_from_slice(last.reason.as_bytes());
                out.extend_from_slice(b"\",\"stop_reason\":null");
            }
        }
        out.extend_from_slice(b"}]");
        if let Some(usage) = &self.usage {
            out.extend_from_slice(b",\"usage\":");
            out.extend_from_slice(usage.as_bytes());
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn close_tgi(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\",\"logprob\":-0.5,\"special\":false}");
        let Some(last) = &self.last else {
            return out.extend_from_slice(b",\"generated_text\":null,\"details\":null}\n\n");
        };
        let reason = match last.reason {
            "stop" => "eos_token",
            other => other,
        };
        let details = format!(
            ",\"generated_text\":\"{}\",\"details\":{{\"finish_reason\":\"{reason}\",\"generated_tokens\":{},\"seed\":null,\"input_length\":{}}}}}\n\n",
            last.text, last.tokens, last.prompt_tokens
        );
        out.extend_from_slice(details.as_bytes());
    }
}

/// What is known of a whole answer.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    pub(super) kind: Kind,
    pub(super) head: &'a str,
    /// Text and reason of each choice.
    pub(super) choices: Vec<(String, &'static str)>,
    /// JSON; `null` where a fault says so.
    pub(super) usage: String,
    pub(super) prompt_tokens: u32,
    pub(super) encoding: Encoding,
}

impl Whole<'_> {
    /// The last events of a stream, before the end of the body.
    pub(super) fn ending(&self, delivery: Delivery) -> Vec<String> {
        match self.kind {
            Kind::Tgi | Kind::TensorRt => Vec::new(),
            Kind::Response => {
                let kind = match self.choices[0].1 {
                    "length" => "response.incomplete",
                    _ => "response.completed",
                };
                vec![format!(
                    "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{}}}\n\n",
                    self.response()
                )]
            }
            _ => {
                let usage = format!("data: {}],\"usage\":{}}}\n\n", self.head, self.usage);
                let asked = matches!(
                    delivery,
                    Delivery::EventsAndUsage | Delivery::EventsAndRunningUsage
                );
                let usage = (asked && self.usage != "null").then_some(usage);
                usage
                    .into_iter()
                    .chain(["data: [DONE]\n\n".to_owned()])
                    .collect()
            }
        }
    }

    /// An answer that is not streamed.
    pub(super) fn http(&self) -> Response {
        let body = match self.kind {
            Kind::Response => self.response(),
            Kind::Transcription => {
                json!({"text": self.choices[0].0, "usage": {"type": "duration", "seconds": self.prompt_tokens.div_ceil(50)}})
                    .to_string()
            }
            Kind::Embedding | Kind::Pooling => return self.vectors(),
            Kind::Ranking => self.ranking(),
            _ => self.completion(),
        };
        Response {
            body: body.into_bytes(),
            ..Response::json(200, &())
        }
    }

    fn completion(&self) -> String {
        let mut body = self.head.to_owned();
        for (index, (text, reason)) in self.choices.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let content = match self.kind {
                Kind::Chat => {
                    format!("\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}}")
                }
                _ => format!("\"text\":\"{text}\""),
            };
            let _ = write!(
                body,
                "{separator}{{\"index\":{index},{content},\"logprobs\":null,\"finish_reason\":\"{reason}\",\"stop_reason\":null}}",
            );
        }
        let _ = write!(body, "],\"usage\":{}}}", self.usage);
        body
    }

    fn response(&self) -> String {
        let (text, reason) = &self.choices[0];
        let (status, details) = match *reason {
            "length" => ("incomplete", "{\"reason\":\"max_output_tokens\"}"),
            _ => ("completed", "null"),
        };
        format!(
            "{},\"status\":\"{status}\",\"incomplete_details\":{details},\"error\":null,\"output\":[{{\"id\":\"msg\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"{status}\",\"content\":[{{\"type\":\"output_text\",\"text\":\"{text}\",\"annotations\":[]}}]}}],\"usage\":{}}}",
            self.head, self.usage
        )
    }

    fn ranking(&self) -> String {
        let mut body = self.head.to_owned();
        for index in 0..self.choices.len() {
            let separator = if index == 0 { "" } else { "," };
            let score = 1.0 / (index + 1) as f64;
            let _ = write!(
                body,
                "{separator}{{\"index\":{index},\"relevance_score\":{score}}}"
            );
        }
        let _ = write!(body, "],\"usage\":{}}}", self.usage);
        body
    }

    /// Vectors in the form that was asked for. Their numbers mean nothing.
    fn vectors(&self) -> Response {
        let vectors = (0..self.choices.len() as u32).map(vector);
        if matches!(self.encoding, Encoding::Bytes | Encoding::BytesOnly) {
            return self.raw(vectors.flat_map(|vector| little_endian(&vector)).collect());
        }
        let (object, field) = match self.kind {
            Kind::Embedding => ("embedding", "embedding"),
            _ => ("pooling", "data"),
        };
        let mut body = self.head.to_owned();
        for (index, vector) in vectors.enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let value = match self.encoding {
                Encoding::Base64 => json!(STANDARD.encode(little_endian(&vector))),
                _ => json!(vector),
            };
            let _ = write!(
                body,
                "{separator}{{\"index\":{index},\"object\":\"{object}\",\"{field}\":{value}}}"
            );
        }
        let _ = write!(body, "],\"usage\":{}}}", self.usage);
        Response {
            body: body.into_bytes(),
            ..Response::json(200, &())
        }
    }

    fn raw(&self, body: Vec<u8>) -> Response {
        let headers = match self.encoding {
            Encoding::Bytes => {
                format!("metadata: {}],\"usage\":{}}}\r\n", self.head, self.usage)
            }
            _ => String::new(),
        };
        Response {
            status: 200,
            content_type: "application/octet-stream",
            headers,
            body,
        }
    }
}

fn vector(index: u32) -> Vec<f32> {
    (0..DIMENSIONS)
        .map(|place| ((index * 31 + place * 17) % 200) as f32 / 100.0 - 1.0)
        .collect()
}

fn little_endian(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn push_number(out: &mut Vec<u8>, number: u32) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
}
