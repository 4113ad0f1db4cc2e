//! What a model answered, as the JSON text of `response_messages`.
//!
//! A list with one message in the form of the chat API. Tool calls are embedded as they were received where they are a
//! JSON list or object, and stand as a string otherwise (a stream that was cut).

use crestline_core::record::Exchange;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Written<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<ToolCalls<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolCalls<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

#[derive(Deserialize)]
struct Read {
    content: String,
    #[serde(default)]
    reasoning_content: String,
    #[serde(default)]
    tool_calls: Option<Box<RawValue>>,
}

/// The answer of an exchange as a JSON list of messages.
pub(super) fn to_json(exchange: &Exchange) -> String {
    let message = Written {
        role: "assistant",
        content: &exchange.answer,
        reasoning_content: &exchange.reasoning,
        tool_calls: tool_calls(&exchange.tool_calls),
    };
    serde_json::to_string(&[message]).expect("text and raw JSON always serialise")
}

/// The exchange of a row; `None` where the answer is not what [`to_json`] writes.
pub(super) fn from_json(request: String, answer: Option<&str>) -> Option<Exchange> {
    let Some(answer) = answer else {
        return Some(Exchange {
            request,
            ..Exchange::default()
        });
    };
    let [message]: [Read; 1] = serde_json::from_str(answer).ok()?;
    let tool_calls = match message.tool_calls {
        None => String::new(),
        Some(raw) if raw.get().starts_with('"') => serde_json::from_str(raw.get()).ok()?,
        Some(raw) => raw.get().to_owned(),
    };
    Some(Exchange {
        request,
        answer: message.content,
        reasoning: message.reasoning_content,
        tool_calls,
        pieces: Vec::new(),
    })
}

fn tool_calls(text: &str) -> Option<ToolCalls<'_>> {
    if text.is_empty() {
        return None;
    }
    let closed = (text.starts_with('[') && text.ends_with(']'))
        || (text.starts_with('{') && text.ends_with('}'));
    match serde_json::from_str(text) {
        Ok(raw) if closed => Some(ToolCalls::Json(raw)),
        _ => Some(ToolCalls::Text(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(exchange: &Exchange, text: &str) {
        assert_eq!(to_json(exchange), text);
        assert_eq!(
            from_json(exchange.request.clone(), Some(text)).as_ref(),
            Some(exchange)
        );
    }

    #[test]
    fn an_answer_is_one_message_and_tool_calls_keep_their_text() {
        let mut exchange = Exchange {
            request: "{}".to_owned(),
            answer: "a \"b\"".to_owned(),
            ..Exchange::default()
        };
        check(&exchange, r#"[{"role":"assistant","content":"a \"b\""}]"#);
        exchange.reasoning = "hm".to_owned();
        exchange.tool_calls = r#"[ {"id" : 1} ]"#.to_owned();
        check(
            &exchange,
            r#"[{"role":"assistant","content":"a \"b\"","reasoning_content":"hm","tool_calls":[ {"id" : 1} ]}]"#,
        );
        exchange.tool_calls = r#"[{"id"#.to_owned();
        check(
            &exchange,
            r#"[{"role":"assistant","content":"a \"b\"","reasoning_content":"hm","tool_calls":"[{\"id"}]"#,
        );
    }
}
