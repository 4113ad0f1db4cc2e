//! Bodies of the completion and the chat API of OpenAI, with the fields that vLLM and others add to them.

use crestline_core::request::{ChatLength, Generation, Item, Prompt};
use serde_json::{Map, Value, json};

use super::Base;

/// The request body for an item: prompt, model and settings, then the user's extra fields.
///
/// A body that comes from the data set wins over all settings; they only fill in what it leaves out. A `null` among the
/// extra fields takes a field away. `stream_options.include_usage` is asked for exactly when the body asks for a stream.
pub fn body(item: Item, model: &str, generation: &Generation) -> Map<String, Value> {
    let base = base(item.prompt);
    let api = if base.body.contains_key("messages") {
        Api::Chat(generation.chat_length)
    } else {
        Api::Completion
    };
    let settings = settings(api, model, item.max_tokens, generation);
    let mut body = base.with(settings, &generation.extra, &item.extra);
    settle_stream(&mut body);
    body
}

/// Texts as a user's message.
pub(super) fn as_chat(item: Item) -> Item {
    let prompt = match item.prompt {
        Prompt::Text(text) => Prompt::Media {
            text,
            parts: Vec::new(),
        },
        other => other,
    };
    Item { prompt, ..item }
}

fn base(prompt: Prompt) -> Base {
    let (name, value) = match prompt {
        Prompt::Body(body) => return Base::given(body),
        Prompt::Text(text) => ("prompt", Value::String(text)),
        Prompt::TokenIds(ids) => ("prompt", json!(ids)),
        Prompt::Messages(messages) => ("messages", json!(messages)),
        Prompt::Texts(texts) => ("prompt", json!(texts)),
        Prompt::Media { text, parts } => ("messages", json!([with_media(&text, parts)])),
        // Neither API takes sound alone: the server says so.
        Prompt::Audio(audio) => ("prompt", Value::String(audio.file_name.clone())),
    };
    Base::of(name, value)
}

/// One user's message: the text, then the rest.
pub(super) fn with_media(text: &str, parts: Vec<Value>) -> Value {
    let text = json!({"type": "text", "text": text});
    let content: Vec<Value> = std::iter::once(text).chain(parts).collect();
    json!({"role": "user", "content": content})
}

/// Which names the settings have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Api {
    Completion,
    Chat(ChatLength),
    Response,
}

impl Api {
    fn length(self) -> &'static str {
        match self {
            Self::Completion | Self::Chat(ChatLength::MaxTokens) => "max_tokens",
            Self::Chat(ChatLength::MaxCompletionTokens) => "max_completion_tokens",
            Self::Response => "max_output_tokens",
        }
    }

    /// `logprobs`, and `top_logprobs`.
    fn logprobs(self, with: &Generation) -> (Option<Value>, Option<Value>) {
        let plain = with.logprobs.map(Value::from);
        let top = with.top_logprobs.map(Value::from);
        match self {
            Self::Completion => (top.or(plain), None),
            Self::Chat(_) if top.is_some() => (Some(Value::Bool(true)), top),
            Self::Chat(_) => (plain, None),
            Self::Response => (None, top),
        }
    }
}

pub(super) fn settings(
    api: Api,
    model: &str,
    max_tokens: Option<u32>,
    with: &Generation,
) -> impl Iterator<Item = (&'static str, Value)> {
    let (logprobs, top_logprobs) = api.logprobs(with);
    [
        ("model", Some(json!(model))),
        (api.length(), max_tokens.map(Value::from)),
        ("min_tokens", with.min_tokens.map(Value::from)),
        ("frequency_penalty", with.frequency_penalty.map(Value::from)),
        (
            "repetition_penalty",
            with.repetition_penalty.map(Value::from),
        ),
        ("logprobs", logprobs),
        ("top_logprobs", top_logprobs),
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
    use crestline_core::request::{ChatLength, Message};
    use expect_test::expect;

    use super::super::Endpoint;
    use super::super::samples::{item, object, picture, plain, streamed, text};
    use super::*;

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
            top_logprobs: None,
            chat_length: ChatLength::MaxTokens,
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
        let body = body(item(picture("what?")), "m", &streamed());
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

    #[test]
    fn a_text_for_a_chat_is_one_message_whose_content_is_a_list() {
        let body = plain(Endpoint::OpenAiChat, item(Prompt::Text("hi".into())));
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"model":"m","max_tokens":16,"stream":false}"#]]
            .assert_eq(&body);
        let ready = Prompt::Messages(vec![Message::user("hi")]);
        let body = plain(Endpoint::OpenAiChat, item(ready));
        expect![[r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","max_tokens":16,"stream":false}"#]]
            .assert_eq(&body);
    }

    #[test]
    fn the_newer_name_of_the_length_is_for_chats_only() {
        let generation = Generation {
            chat_length: ChatLength::MaxCompletionTokens,
            ..Generation::default()
        };
        let of = |endpoint: Endpoint| {
            let body = endpoint.request(item(Prompt::Text("a".into())), "m", &generation);
            text(&body.fields)
        };
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"model":"m","max_completion_tokens":16,"stream":false}"#]]
            .assert_eq(&of(Endpoint::OpenAiChat));
        expect![[r#"{"prompt":"a","model":"m","max_tokens":16,"stream":false}"#]]
            .assert_eq(&of(Endpoint::OpenAiCompletions));
    }

    #[test]
    fn log_probabilities_of_the_most_likely_tokens_are_asked_for_in_each_api_s_own_way() {
        let generation = Generation {
            top_logprobs: Some(3),
            ..Generation::default()
        };
        let of = |endpoint: Endpoint| {
            let body = endpoint.request(item(Prompt::Text("a".into())), "m", &generation);
            text(&body.fields)
        };
        expect![[r#"{"prompt":"a","model":"m","max_tokens":16,"logprobs":3,"stream":false}"#]]
            .assert_eq(&of(Endpoint::OpenAiCompletions));
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"model":"m","max_tokens":16,"logprobs":true,"top_logprobs":3,"stream":false}"#]]
            .assert_eq(&of(Endpoint::OpenAiChat));
    }
}
