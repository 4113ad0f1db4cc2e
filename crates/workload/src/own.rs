//! Data sets of the user's own: items that come from outside, one by one.
//!
//! Knows nothing of who makes them. What cannot be made says why, and the request that it was for fails with that.

use std::fmt;
use std::sync::Arc;

use crestline_core::request::{Item, Message, Prompt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Makes items, from any thread. Its own rules say whether an item depends on its index alone.
pub trait ItemSource: fmt::Debug + Send + Sync {
    /// The item at an index: a text, messages or a whole body as its prompt. The text of an error says why there is none.
    fn item(&self, index: u64) -> Result<Item, String>;

    /// Number of different items; `None` where it is not known, or there is no end of them.
    fn number(&self) -> Option<u64>;
}

/// A data set by its name, and what makes its items where that is at hand: a plan that was read from a file has the name
/// alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct OwnSource {
    name: String,
    source: Option<Arc<dyn ItemSource>>,
}

impl OwnSource {
    /// A data set of that name.
    pub fn new(name: impl Into<String>, source: Arc<dyn ItemSource>) -> Self {
        Self {
            name: name.into(),
            source: Some(source),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What makes its items, where that is at hand.
    pub fn source(&self) -> Option<&Arc<dyn ItemSource>> {
        self.source.as_ref()
    }
}

impl PartialEq for OwnSource {
    /// By name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl From<String> for OwnSource {
    fn from(name: String) -> Self {
        Self { name, source: None }
    }
}

impl From<OwnSource> for String {
    fn from(own: OwnSource) -> Self {
        own.name
    }
}

/// An item as a JSON value has it: a text, a list of messages, or an object.
///
/// Of an object, `prompt` or `messages` is what is asked, `max_tokens` the longest answer, and its other fields go into the body
/// of this request alone. One without `prompt` and `messages` is a whole body.
pub fn item_of(index: u64, value: Value) -> Result<Item, String> {
    match value {
        Value::String(text) => Ok(Item::new(index, Prompt::Text(text))),
        Value::Array(_) => Ok(Item::new(index, messages(value)?)),
        Value::Object(fields) => item_of_fields(index, fields),
        other => Err(format!(
            "item {index} is `{other}`: a text, a list of messages or an object was expected"
        )),
    }
}

fn item_of_fields(index: u64, mut fields: Map<String, Value>) -> Result<Item, String> {
    let prompt = match (
        fields.shift_remove("prompt"),
        fields.shift_remove("messages"),
    ) {
        (None, None) => return Ok(Item::new(index, Prompt::Body(fields))),
        (Some(_), Some(_)) => {
            return Err(format!("item {index} has both `prompt` and `messages`"));
        }
        (Some(Value::String(text)), None) => Prompt::Text(text),
        (Some(list), None) | (None, Some(list)) => messages(list)?,
    };
    let max_tokens = match fields.shift_remove("max_tokens") {
        None | Some(Value::Null) => None,
        Some(number) => Some(
            number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| {
                    format!("`max_tokens` of item {index} is `{number}`: a count was expected")
                })?,
        ),
    };
    Ok(Item {
        max_tokens,
        extra: fields,
        ..Item::new(index, prompt)
    })
}

fn messages(list: Value) -> Result<Prompt, String> {
    let read: Result<Vec<Message>, _> = serde_json::from_value(list);
    match read {
        Ok(messages) if messages.is_empty() => Err("a list of messages is empty".to_owned()),
        Ok(messages) => Ok(Prompt::Messages(messages)),
        Err(error) => Err(format!("messages need `role` and `content`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_a_text_messages_or_a_body() {
        let prompt = |value| item_of(3, value).map(|item| item.prompt);
        assert_eq!(prompt(json!("hi")), Ok(Prompt::Text("hi".to_owned())));
        let said = json!([{"role": "user", "content": "hi"}]);
        let messages = Prompt::Messages(vec![Message::user("hi")]);
        assert_eq!(prompt(said.clone()), Ok(messages.clone()));
        assert_eq!(prompt(json!({ "messages": said })), Ok(messages));
        let body = json!({"input": "hi", "max_tokens": 3});
        let fields = body.as_object().unwrap().clone();
        assert_eq!(prompt(body), Ok(Prompt::Body(fields)));
    }

    #[test]
    fn other_fields_are_of_this_request_alone() {
        let item = item_of(3, json!({"prompt": "hi", "max_tokens": 7, "user": "u"})).unwrap();
        assert_eq!((item.index, item.max_tokens), (3, Some(7)));
        assert_eq!(item.prompt, Prompt::Text("hi".to_owned()));
        assert_eq!(Value::Object(item.extra), json!({"user": "u"}));
    }

    #[test]
    fn what_is_no_item_is_refused() {
        for (value, why) in [
            (json!(7), "item 0 is `7`"),
            (json!([]), "is empty"),
            (
                json!([{"content": "hi"}]),
                "messages need `role` and `content`",
            ),
            (json!({"prompt": "hi", "messages": []}), "both"),
            (
                json!({"prompt": "hi", "max_tokens": -1}),
                "`max_tokens` of item 0 is `-1`",
            ),
        ] {
            let error = item_of(0, value).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_plan_holds_the_name_alone() {
        let own: OwnSource = serde_json::from_value(json!("mine")).unwrap();
        assert_eq!((own.name(), own.source().is_none()), ("mine", true));
        assert_eq!(serde_json::to_value(own).unwrap(), json!("mine"));
    }
}
