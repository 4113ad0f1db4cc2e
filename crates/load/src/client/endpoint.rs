//! The endpoints that crestline speaks: how an item and the settings become a request body.
//!
//! How an answer is read is the same for both, and stands in [`super::answer`].

use crestline_core::request::{Generation, Item, Prompt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is posted, and how the answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    OpenAiChat,
    /// `/v1/completions`.
    OpenAiCompletions,
}

impl Endpoint {
    /// The end of the URL's path.
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "chat/completions",
            Self::OpenAiCompletions => "completions",
        }
    }
}

/// The request body for an item: prompt, model and settings, then the user's extra fields.
///
/// A body that comes from the data set wins over all settings; they only fill in what it leaves out. A `null` among the
/// extra fields takes a field away. `stream_options.include_usage` is asked for exactly when the body asks for a stream.
pub fn body(item: Item, model: &str, generation: &Generation) -> Map<String, Value> {
    let max_tokens = item.max_tokens;
    let own = item.extra;
    let (mut body, fill_only) = base(item.prompt);
    for (name, value) in settings(model, max_tokens, generation) {
        if !fill_only || !body.contains_key(name) {
            body.insert(name.to_owned(), value);
        }
    }
    for (name, value) in &generation.extra {
        if !fill_only || !body.contains_key(name) {
            set(&mut body, name, value);
        }
    }
    own.iter()
        .for_each(|(name, value)| set(&mut body, name, value));
    settle_stream(&mut body);
    body
}

fn set(body: &mut Map<String, Value>, name: &str, value: &Value) {
    if value.is_null() {
        body.shift_remove(name);
    } else {
        body.insert(name.to_owned(), value.clone());
    }
}

/// The prompt; true where settings must not overwrite.
fn base(prompt: Prompt) -> (Map<String, Value>, bool) {
    let (name, value) = match prompt {
        Prompt::Body(body) => return (body, true),
        Prompt::Text(text) => ("prompt", Value::String(text)),
        Prompt::TokenIds(ids) => ("prompt", json!(ids)),
        Prompt::Messages(messages) => ("messages", json!(messages)),
        Prompt::Texts(texts) => ("prompt", json!(texts)),
        Prompt::Media { text, parts } => ("messages", json!([with_media(&text, parts)])),
        // Goes as a form, not as JSON.
        Prompt::Audio(audio) => ("file", Value::String(audio.file_name.clone())),
    };
    (Map::from_iter([(name.to_owned(), value)]), false)
}

/// One user's message: the text, then the rest.
fn with_media(text: &str, parts: Vec<Value>) -> Value {
    let text = json!({"type": "text", "text": text});
    let content: Vec<Value> = std::iter::once(text).chain(parts).collect();
    json!({"role": "user", "content": content})
}

fn settings(
    model: &str,
    max_tokens: Option<u32>,
    with: &Generation,
) -> impl Iterator<Item = (&'static str, Value)> {
    [
        ("model", Some(json!(model))),
        ("max_tokens", max_tokens.map(Value::from)),
        ("min_tokens", with.min_tokens.map(Value::from)),
        ("frequency_penalty", with.frequency_penalty.map(Value::from)),
        (
            "repetition_penalty",
            with.repetition_penalty.map(Value::from),
        ),
        ("logprobs", with.logprobs.map(Value::from)),
        ("n", with.choices.map(Value::from)),
        ("seed", with.seed.map(Value::from)),
        ("stop", with.stop.as_ref().map(|stop| json!(stop))),
        ("stream", Some(json!(with.stream))),
        (
            "stop_token_ids",
            with.stop_token_ids.as_ref().map(|ids| json!(ids)),
        ),
        ("temperature", with.temperature.map(Value::from)),
        ("top_p", with.top_p.map(Value::from)),
        ("top_k", with.top_k.map(Value::from)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

fn settle_stream(body: &mut Map<String, Value>) {
    if body.get("stream") == Some(&Value::Bool(true)) {
        let options = body.entry("stream_options").or_insert_with(|| json!({}));
        if let Value::Object(options) = options {
            options.entry("include_usage").or_insert(Value::Bool(true));
        }
    } else {
        body.shift_remove("stream_options");
    }
}

#[cfg(test)]
mod tests {
    use crestline_core::request::Message;
    use expect_test::expect;

    use super::*;

    fn item(prompt: Prompt) -> Item {
        Item {
            max_tokens: Some(16),
            ..Item::new(0, prompt)
        }
    }

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    fn streamed() -> Generation {
        Generation {
            stream: true,
            temperature: Some(0.0),
            ..Generation::default()
        }
    }

    fn text(body: &Map<String, Value>) -> String {
        serde_json::to_string(body).unwrap()
    }

    #[test]
    fn a_chat_body_has_messages_model_and_the_settings_that_are_set() {
        let messages = Prompt::Messages(vec![Message::user("hi é")]);
        let body = body(item(messages), "m", &streamed());
        expect![[r#"{"messages":[{"role":"user","content":"hi é"}],"model":"m","max_tokens":16,"stream":true,"temperature":0.0,"stream_options":{"include_usage":true}}"#]]
        .assert_eq(&text(&body));
    }

    #[test]
    fn every_setting_has_its_field() {
        let generation = Generation {
            min_tokens: Some(1),
            frequency_penalty: Some(0.5),
            repetition_penalty: Some(1.5),
            logprobs: Some(true),
            choices: Some(2),
            seed: Some(-3),
            stop: Some(vec!["x".into()]),
            stop_token_ids: Some(vec![7]),
            stream: false,
            temperature: Some(0.25),
            top_p: Some(0.75),
            top_k: Some(4),
            extra: object(r#"{"ignore_eos":true}"#),
        };
        let body = body(item(Prompt::TokenIds(vec![1, 2])), "m", &generation);
        expect![[r#"{"prompt":[1,2],"model":"m","max_tokens":16,"min_tokens":1,"frequency_penalty":0.5,"repetition_penalty":1.5,"logprobs":true,"n":2,"seed":-3,"stop":["x"],"stream":false,"stop_token_ids":[7],"temperature":0.25,"top_p":0.75,"top_k":4,"ignore_eos":true}"#]]
        .assert_eq(&text(&body));
    }

    #[test]
    fn extra_fields_win_a_null_removes_and_the_stream_options_follow_the_stream() {
        let extra = object(r#"{"temperature":null,"stream":false,"max_tokens":5}"#);
        let body = body(
            item(Prompt::Text("a".into())),
            "m",
            &Generation {
                extra,
                ..streamed()
            },
        );
        expect![[r#"{"prompt":"a","model":"m","max_tokens":5,"stream":false}"#]]
            .assert_eq(&text(&body));
    }

    #[test]
    fn fields_of_one_request_win_over_those_of_all() {
        let mut item = item(Prompt::Text("a".into()));
        item.extra = object(r#"{"temperature":0.5,"stream":null,"tools":[]}"#);
        let generation = Generation {
            extra: object(r#"{"temperature":1,"top_k":3}"#),
            ..streamed()
        };
        let body = body(item, "m", &generation);
        expect![[
            r#"{"prompt":"a","model":"m","max_tokens":16,"temperature":0.5,"top_k":3,"tools":[]}"#
        ]]
        .assert_eq(&text(&body));
    }

    #[test]
    fn media_stand_beside_the_text_in_one_message() {
        let picture = json!({"type": "image_url", "image_url": {"url": "data:x"}});
        let prompt = Prompt::Media {
            text: "what?".into(),
            parts: vec![picture],
        };
        let body = body(item(prompt), "m", &streamed());
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:x"}}]}],"model":"m","max_tokens":16,"stream":true,"temperature":0.0,"stream_options":{"include_usage":true}}"#]]
            .assert_eq(&text(&body));
    }

    #[test]
    fn a_body_from_the_data_set_is_only_filled_up() {
        let prompt = Prompt::Body(object(r#"{"messages":[],"temperature":1,"stream":false}"#));
        let body = body(item(prompt), "m", &streamed());
        expect![[r#"{"messages":[],"temperature":1,"stream":false,"model":"m","max_tokens":16}"#]]
            .assert_eq(&text(&body));
    }
}
