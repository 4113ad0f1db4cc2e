//! Events and bodies of OpenAI's responses API: what an event says is told by its `type`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Delta, DeltaError, Text, Usage, error_text, join, join_json};

/// Reads the data of an event, or a whole body.
pub fn read(data: &[u8]) -> Result<Delta<'_>, DeltaError> {
    let event: Event<'_> = serde_json::from_str(std::str::from_utf8(data)?)?;
    let mut delta = Delta {
        error: error_text(event.error),
        ..Delta::default()
    };
    let kind = event.kind.as_ref().map(|Text(kind)| &**kind);
    let text = match event.delta {
        Some(text) if text.get().starts_with('"') => Some(serde_json::from_str(text.get())?),
        _ => None,
    };
    match kind {
        Some("response.output_text.delta" | "response.refusal.delta") => {
            join(&mut delta.answer, text);
        }
        Some("response.reasoning_text.delta" | "response.reasoning_summary_text.delta") => {
            join(&mut delta.reasoning, text);
        }
        Some("response.function_call_arguments.delta") => join(&mut delta.tool_calls, text),
        Some("response.completed" | "response.incomplete") => delta.finished = true,
        // Such events say what is wrong in their own fields, or in the response's.
        Some("error" | "response.failed") => {
            let inner = event
                .response
                .as_ref()
                .and_then(|body| error_text(body.error));
            let whole = || String::from_utf8_lossy(data).into_owned();
            delta.error = Some(delta.error.or(inner).unwrap_or_else(whole));
        }
        _ => {}
    }
    if let Some(body) = event.response {
        delta.usage = body.usage.map(UsageBody::read);
        delta.error = delta.error.or(error_text(body.error));
    }
    if let Some(output) = event.output.filter(|_| kind.is_none()) {
        delta.usage = event.usage.map(UsageBody::read);
        delta.finished = true;
        for part in output {
            take_output(&mut delta, part);
        }
    }
    Ok(delta)
}

/// A part of an answer that is not streamed.
fn take_output<'a>(delta: &mut Delta<'a>, part: Output<'a>) {
    if part.arguments.is_some() {
        join_json(&mut delta.tool_calls, part.arguments);
    }
    for content in part.content.unwrap_or_default() {
        let is_reasoning = content
            .kind
            .is_some_and(|Text(kind)| kind.starts_with("reasoning"));
        let place = if is_reasoning {
            &mut delta.reasoning
        } else {
            &mut delta.answer
        };
        join(place, content.text.or(content.refusal));
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<Vec<Output<'a>>>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Response<'a> {
    usage: Option<UsageBody>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    content: Option<Vec<Content<'a>>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct UsageBody {
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u32>,
}

impl UsageBody {
    fn read(self) -> Usage {
        Usage {
            prompt: self.input_tokens,
            completion: self.output_tokens,
            cached: self
                .input_tokens_details
                .and_then(|details| details.cached_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> (String, String, String) {
        let delta = read(json.as_bytes()).unwrap();
        let owned = |text: &str| text.to_owned();
        (
            owned(&delta.answer),
            owned(&delta.reasoning),
            owned(&delta.tool_calls),
        )
    }

    #[test]
    fn an_event_says_by_its_type_what_its_text_is() {
        let check = |kind: &str, answer: &str, reasoning: &str, calls: &str| {
            let json = format!(r#"{{"type":"{kind}","delta":"a\nb","sequence_number":7}}"#);
            let expected = (answer.to_owned(), reasoning.to_owned(), calls.to_owned());
            assert_eq!(texts(&json), expected, "{kind}");
        };
        check("response.output_text.delta", "a\nb", "", "");
        check("response.refusal.delta", "a\nb", "", "");
        check("response.reasoning_text.delta", "", "a\nb", "");
        check("response.reasoning_summary_text.delta", "", "a\nb", "");
        check("response.function_call_arguments.delta", "", "", "a\nb");
        check("response.output_text.done", "", "", "");
    }

    #[test]
    fn events_around_the_text_say_nothing_and_the_last_has_the_usage() {
        for quiet in [
            r#"{"type":"response.created","response":{"id":"r","status":"in_progress","usage":null,"error":null}}"#,
            r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
            r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            r#"{"type":"response.output_text.done","text":"a"}"#,
            r#"{"type":"response.audio.delta","delta":{"odd":1}}"#,
        ] {
            assert_eq!(read(quiet.as_bytes()).unwrap(), Delta::default(), "{quiet}");
        }
        for end in ["completed", "incomplete"] {
            let json = format!(
                r#"{{"type":"response.{end}","response":{{"output":[{{"type":"message","content":[{{"type":"output_text","text":"a"}}]}}],
                "usage":{{"input_tokens":5,"output_tokens":3,"input_tokens_details":{{"cached_tokens":2}}}},"error":null}}}}"#
            );
            let delta = read(json.as_bytes()).unwrap();
            let usage = Usage {
                prompt: Some(5),
                completion: Some(3),
                cached: Some(2),
            };
            assert_eq!((delta.finished, delta.usage), (true, Some(usage)), "{end}");
            assert!(!delta.has_content(), "the text was sent before");
        }
    }

    #[test]
    fn a_failure_is_told_whatever_it_looks_like() {
        for json in [
            r#"{"type":"error","code":"server_error","message":"oom"}"#,
            r#"{"type":"error","error":{"message":"oom"}}"#,
            r#"{"type":"response.failed","response":{"status":"failed","error":{"message":"oom"}}}"#,
            r#"{"error":{"message":"oom"}}"#,
            r#"{"output":[],"error":{"message":"oom"}}"#,
        ] {
            let error = read(json.as_bytes()).unwrap().error.unwrap();
            assert!(error.contains("oom"), "{json}");
        }
    }

    #[test]
    fn a_whole_body_has_all_texts_and_the_usage() {
        let json = r#"{"id":"r","object":"response","status":"completed","error":null,"output":[
            {"type":"reasoning","content":[{"type":"reasoning_text","text":"hm"}]},
            {"type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]},
            {"type":"function_call","name":"f","arguments":"{}x"}],"usage":{"input_tokens":5,"output_tokens":3}}"#;
        assert_eq!(texts(json), ("ab".into(), "hm".into(), "\"{}x\"".into()));
        let delta = read(json.as_bytes()).unwrap();
        assert_eq!(
            (delta.finished, delta.usage.unwrap().completion),
            (true, Some(3))
        );
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        assert!(read(br#"{"type":"response.out"#).is_err());
    }
}
