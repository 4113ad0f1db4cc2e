//! Reads what one event or one body of an endpoint says: text, reasoning, tool calls, usage, error.
//!
//! Completions and chats are read here, the others in the modules below. Knows nothing of time. Two ways lead to the same [`Delta`]: JSON in full, and [`Shape`], which recognises an event
//! that differs from an earlier one of the same stream only inside one string, without reading the JSON again.

pub mod generated;
pub mod pooled;
pub mod response;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What one event or one body holds. Texts are empty where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta<'a> {
    /// Text of the answer (`content`, `text`, `refusal`), first choice first.
    pub answer: Cow<'a, str>,
    /// Text of the reasoning, under any of the names in use.
    pub reasoning: Cow<'a, str>,
    /// Tool calls as JSON.
    pub tool_calls: Cow<'a, str>,
    /// There is a choice, with content or without.
    pub has_choice: bool,
    /// The server's token counts.
    pub usage: Option<Usage>,
    /// The `error` value as JSON, where there is one.
    pub error: Option<String>,
    /// The answer is at its end: a choice says why it ended, or the response was said to be complete.
    pub finished: bool,
}

impl Delta<'_> {
    /// Holds at least one token.
    pub fn has_content(&self) -> bool {
        !(self.answer.is_empty() && self.reasoning.is_empty() && self.tool_calls.is_empty())
    }
}

/// Token counts of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input.
    pub prompt: Option<u32>,
    /// Output, all choices together.
    pub completion: Option<u32>,
    /// Part of the input that came from the prefix cache.
    pub cached: Option<u32>,
}

/// Text that is not JSON, or JSON of another kind than an endpoint sends.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Utf8(#[from] std::str::Utf8Error),
    /// Not JSON.
    #[error("it is not the JSON of a completion: {0}")]
    Json(#[from] serde_json::Error),
}

/// Reads the data of an event, or a whole body.
pub fn read(data: &[u8]) -> Result<Delta<'_>, DeltaError> {
    let body: Body<'_> = serde_json::from_str(std::str::from_utf8(data)?)?;
    let mut delta = Delta {
        usage: body.usage.map(UsageBody::read),
        error: error_text(body.error),
        ..Delta::default()
    };
    for choice in body.choices.unwrap_or_default() {
        delta.has_choice = true;
        delta.finished |= choice
            .finish_reason
            .is_some_and(|reason| reason.get() != "null");
        join(&mut delta.answer, choice.text);
        if let Some(message) = choice.delta.or(choice.message) {
            join(&mut delta.answer, message.content);
            join(&mut delta.answer, message.refusal);
            join(
                &mut delta.reasoning,
                message.reasoning_content.or(message.reasoning),
            );
            join_json(&mut delta.tool_calls, message.tool_calls);
            join_json(&mut delta.tool_calls, message.function_call);
            if delta.reasoning.is_empty() {
                join_json(&mut delta.reasoning, message.reasoning_details);
            }
        }
    }
    Ok(delta)
}

/// JSON text around the one string in which the events of a stream differ.
///
/// Sound because JSON is context-free: an event that begins with the same bytes up to inside the string, ends with the
/// same bytes from its closing quote on, and has neither quote, backslash nor control character between, parses to the
/// same values but for that string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    before: Box<[u8]>,
    after: Box<[u8]>,
    place: Place,
}

/// Which string it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Answer,
    Reasoning,
}

impl Shape {
    /// Learns from an event that was read in full: one with a single text in it and nothing else that counts.
    pub fn learn(data: &[u8], delta: &Delta<'_>) -> Option<Self> {
        let plain = delta.usage.is_none()
            && delta.error.is_none()
            && !delta.finished
            && delta.tool_calls.is_empty();
        let (text, place) = match (&delta.answer, &delta.reasoning) {
            (Cow::Borrowed(text), other) if !text.is_empty() && other.is_empty() => {
                (*text, Place::Answer)
            }
            (other, Cow::Borrowed(text)) if !text.is_empty() && other.is_empty() => {
                (*text, Place::Reasoning)
            }
            _ => return None,
        };
        let start = (text.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
        let end = start + text.len();
        let inside =
            plain && end < data.len() && data[end] == b'"' && data[start.checked_sub(1)?] == b'"';
        inside.then(|| Self {
            before: data[..start].into(),
            after: data[end..].into(),
            place,
        })
    }

    /// Reads an event of this shape; `None` where it is of another.
    pub fn read<'a>(&self, data: &'a [u8]) -> Option<Delta<'a>> {
        let text = data
            .strip_prefix(&*self.before)?
            .strip_suffix(&*self.after)?;
        let odd = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
        if text.iter().any(odd) {
            return None;
        }
        let text = Cow::Borrowed(std::str::from_utf8(text).ok()?);
        Some(match self.place {
            Place::Answer => Delta {
                answer: text,
                has_choice: true,
                ..Delta::default()
            },
            Place::Reasoning => Delta {
                reasoning: text,
                has_choice: true,
                ..Delta::default()
            },
        })
    }
}

/// An `error` that is there.
fn error_text(error: Option<&RawValue>) -> Option<String> {
    error
        .map(RawValue::get)
        .filter(|error| *error != "null")
        .map(str::to_owned)
}

fn join<'a>(all: &mut Cow<'a, str>, part: Option<Text<'a>>) {
    let Some(Text(part)) = part else { return };
    if all.is_empty() {
        *all = part;
    } else {
        all.to_mut().push_str(&part);
    }
}

/// Adds JSON that is there and not empty.
fn join_json<'a>(all: &mut Cow<'a, str>, part: Option<&'a RawValue>) {
    let part = part
        .map(RawValue::get)
        .filter(|json| !matches!(*json, "null" | "[]" | "{}" | "\"\""));
    join(all, part.map(|json| Text(Cow::Borrowed(json))));
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<UsageBody>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<MessageBody<'a>>,
    #[serde(borrow)]
    message: Option<MessageBody<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct UsageBody {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u32>,
}

impl UsageBody {
    fn read(self) -> Usage {
        let cached = self
            .prompt_tokens_details
            .and_then(|details| details.cached_tokens);
        Usage {
            prompt: self.prompt_tokens,
            completion: self.completion_tokens,
            cached,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chat(delta: &str) -> String {
        format!(
            r#"{{"id":"c1","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
        )
    }

    #[test]
    fn answer_reasoning_and_tool_calls_are_told_apart() {
        let check = |delta: &str, answer: &str, reasoning: &str, calls: &str| {
            let json = chat(delta);
            let read = read(json.as_bytes()).unwrap();
            assert_eq!(
                (&*read.answer, &*read.reasoning, &*read.tool_calls),
                (answer, reasoning, calls),
                "{delta}"
            );
        };
        check(r#"{"content":"hi"}"#, "hi", "", "");
        check(r#"{"role":"assistant","content":""}"#, "", "", "");
        check(r#"{"content":null,"reasoning_content":"hm"}"#, "", "hm", "");
        check(r#"{"reasoning":"hm"}"#, "", "hm", "");
        check(
            r#"{"reasoning_details":[{"text":"hm"}]}"#,
            "",
            r#"[{"text":"hm"}]"#,
            "",
        );
        check(
            r#"{"tool_calls":[{"index":0}]}"#,
            "",
            "",
            r#"[{"index":0}]"#,
        );
        check(r#"{"tool_calls":[]}"#, "", "", "");
    }

    #[test]
    fn completions_bodies_usage_and_errors_are_read() {
        let text =
            read(br#"{"choices":[{"text":"a","finish_reason":"length"},{"text":"b"}]}"#).unwrap();
        assert_eq!((&*text.answer, text.finished), ("ab", true));
        let body = br#"{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":1,
            "prompt_tokens_details":{"cached_tokens":2}}}"#;
        let usage = Usage {
            prompt: Some(3),
            completion: Some(1),
            cached: Some(2),
        };
        assert_eq!(read(body).unwrap().usage, Some(usage));
        assert!(
            read(br#"{"error":{"message":"no"}}"#)
                .unwrap()
                .error
                .unwrap()
                .contains("no")
        );
        assert_eq!(
            read(br#"{"error":null,"choices":[]}"#).unwrap(),
            Delta::default()
        );
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        assert!(matches!(
            read(br#"{"choices":[{"delta"#),
            Err(DeltaError::Json(_))
        ));
        assert!(matches!(read(b"\xff"), Err(DeltaError::Utf8(_))));
    }

    #[test]
    fn a_shape_is_not_learnt_from_an_event_that_says_more_than_text() {
        for json in [
            r#"{"choices":[{"text":"a"}],"usage":{"prompt_tokens":3}}"#,
            r#"{"choices":[{"text":"a","finish_reason":"stop"}]}"#,
            r#"{"choices":[{"text":""}]}"#,
            r#"{"choices":[{"text":"a\n"}]}"#,
            r#"{"choices":[{"text":"a"},{"text":"b"}]}"#,
        ] {
            assert_eq!(
                Shape::learn(json.as_bytes(), &read(json.as_bytes()).unwrap()),
                None,
                "{json}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Whatever takes the short way says the same as JSON in full.
        #[test]
        fn a_shape_reads_what_the_json_says(first in "[a-z ]{1,9}", text in "[a-z\"\\\\{}:,\u{1}é ]{0,12}", raw in any::<bool>()) {
            let learnt = chat(&format!(r#"{{"content":"{first}"}}"#));
            let shape = Shape::learn(learnt.as_bytes(), &read(learnt.as_bytes()).unwrap()).unwrap();
            let inner = if raw { text.clone() } else { serde_json::to_string(&text).unwrap().trim_matches('"').to_owned() };
            let json = chat(&format!(r#"{{"content":"{inner}"}}"#));
            if let Some(short) = shape.read(json.as_bytes()) {
                prop_assert_eq!(short, read(json.as_bytes()).unwrap());
            } else {
                prop_assert!(text.contains(['"', '\\', '\u{1}']), "{text:?} should have taken the short way");
            }
        }
    }
}
