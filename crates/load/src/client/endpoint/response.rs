//! Bodies of the responses API of OpenAI.

use crestline_core::request::{Generation, Item, Message, Prompt};
use serde_json::{Map, Value, json};

use super::Base;
use super::completion::{Api, settings};

/// The request body for an item. The server is asked not to keep the answer: nobody comes back for it.
pub(super) fn body(item: Item, model: &str, generation: &Generation) -> Map<String, Value> {
    let settings = settings(Api::Response, model, item.max_tokens, generation)
        .chain([("store", Value::Bool(false))]);
    base(item.prompt).with(settings, &generation.extra, &item.extra)
}

fn base(prompt: Prompt) -> Base {
    let value = match prompt {
        Prompt::Body(body) => return Base::given(body),
        Prompt::Text(text) => Value::String(text),
        Prompt::TokenIds(ids) => json!(ids),
        Prompt::Messages(messages) => messages.into_iter().map(message).collect(),
        Prompt::Texts(texts) => json!(texts),
        Prompt::Media { text, parts } => json!([with_media(&text, &parts)]),
        // The API takes no sound alone: the server says so.
        Prompt::Audio(audio) => Value::String(audio.file_name.clone()),
    };
    Base::of("input", value)
}

/// One user's message in the API's own names for its parts.
fn with_media(text: &str, parts: &[Value]) -> Value {
    let text = json!({"type": "input_text", "text": text});
    let parts = parts.iter().map(part);
    let content: Vec<Value> = std::iter::once(text).chain(parts).collect();
    json!({"role": "user", "content": content})
}

/// A message with the API's own names for its parts.
fn message(mut message: Message) -> Value {
    if let (Value::Array(parts), "user") = (&message.content, message.role.as_str()) {
        message.content = parts.iter().map(part).collect();
    }
    json!(message)
}

fn part(part: &Value) -> Value {
    match part["type"].as_str() {
        Some("image_url") => {
            let mut picture = json!({"type": "input_image", "image_url": part["image_url"]["url"]});
            if let Some(detail) = part["image_url"].get("detail") {
                picture["detail"] = detail.clone();
            }
            picture
        }
        Some("text") => json!({"type": "input_text", "text": part["text"]}),
        _ => part.clone(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::Endpoint;
    use super::super::samples::{item, object, picture, plain, streamed, text};
    use super::*;

    #[test]
    fn parts_of_messages_have_the_names_of_the_api() {
        let content = json!([
            {"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
        ]);
        let message = Message {
            content,
            ..Message::user("")
        };
        expect![[r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"what?"},{"type":"input_image","image_url":"data:x","detail":"low"}]}],"model":"m","max_output_tokens":16,"stream":false,"store":false}"#]]
            .assert_eq(&plain(Endpoint::OpenAiResponses, item(Prompt::Messages(vec![message]))));
    }

    #[test]
    fn the_input_is_a_text_the_length_has_the_api_s_name_and_nothing_is_stored() {
        let body = body(item(Prompt::Text("hi".into())), "m", &streamed());
        expect![[r#"{"input":"hi","model":"m","max_output_tokens":16,"stream":true,"temperature":0.0,"store":false}"#]]
            .assert_eq(&text(&body));
    }

    #[test]
    fn conversations_and_pictures_are_input_items() {
        let chat = Prompt::Messages(vec![Message::user("hi")]);
        expect![[r#"{"input":[{"role":"user","content":"hi"}],"model":"m","max_output_tokens":16,"stream":false,"store":false}"#]]
            .assert_eq(&plain(Endpoint::OpenAiResponses, item(chat)));
        expect![[r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"what?"},{"type":"input_image","image_url":"data:x"}]}],"model":"m","max_output_tokens":16,"stream":false,"store":false}"#]]
            .assert_eq(&plain(Endpoint::OpenAiResponses, item(picture("what?"))));
    }

    #[test]
    fn extra_fields_win() {
        let generation = Generation {
            extra: object(r#"{"store":true,"max_output_tokens":null}"#),
            ..Generation::default()
        };
        let body = body(item(Prompt::Text("hi".into())), "m", &generation);
        expect![[r#"{"input":"hi","model":"m","stream":false,"store":true}"#]]
            .assert_eq(&text(&body));
    }
}
