//! Bodies of servers with an API of their own: Text Generation Inference, TensorRT-LLM, DeepSpeed-MII.
//!
//! None of them takes all settings; those that it has no name for are left out.

use crestline_core::request::{Generation, Item, Prompt};
use serde_json::{Map, Value, json};

use super::set;

/// Asks for an answer of the full length, under the name that users of vLLM know.
const IGNORE_EOS: &str = "ignore_eos";

/// Text Generation Inference.
///
/// It takes neither a temperature of 0 nor a `top_p` of 1, so that the nearest are the defaults. The details of the last
/// event hold the number of tokens.
pub(super) fn tgi(item: Item, with: &Generation) -> Map<String, Value> {
    let settings = [
        ("max_new_tokens", item.max_tokens.map(Value::from)),
        ("do_sample", Some(json!(true))),
        ("temperature", Some(json!(with.temperature.unwrap_or(0.01)))),
        ("top_p", Some(json!(with.top_p.unwrap_or(0.99)))),
        ("top_k", with.top_k.map(Value::from)),
        ("seed", with.seed.map(Value::from)),
        ("stop", with.stop.as_ref().map(|stop| json!(stop))),
        (
            "repetition_penalty",
            with.repetition_penalty.map(Value::from),
        ),
        ("details", Some(json!(true))),
    ];
    let mut body = start("inputs", item.prompt);
    let parameters = present(settings).collect();
    body.insert("parameters".to_owned(), Value::Object(parameters));
    for (name, value) in with.extra.iter().chain(&item.extra) {
        match (name.as_str(), value) {
            (IGNORE_EOS, value) => set_parameter(&mut body, "ignore_eos_token", value),
            ("parameters", Value::Object(own)) => {
                own.iter()
                    .for_each(|(name, value)| set_parameter(&mut body, name, value));
            }
            _ => set(&mut body, name, value),
        }
    }
    body
}

fn set_parameter(body: &mut Map<String, Value>, name: &str, value: &Value) {
    if let Some(Value::Object(parameters)) = body.get_mut("parameters") {
        set(parameters, name, value);
    }
}

/// TensorRT-LLM behind Triton. Greedy unless said.
pub(super) fn tensor_rt(item: Item, with: &Generation) -> Map<String, Value> {
    let settings = [
        ("accumulate_tokens", Some(json!(true))),
        ("temperature", Some(json!(with.temperature.unwrap_or(0.0)))),
        ("top_p", Some(json!(with.top_p.unwrap_or(1.0)))),
        ("top_k", with.top_k.map(Value::from)),
        ("max_tokens", item.max_tokens.map(Value::from)),
        ("stream", Some(json!(true))),
    ];
    let mut body = start("text_input", item.prompt);
    body.extend(present(settings));
    for (name, value) in with.extra.iter().chain(&item.extra) {
        match (name.as_str(), value, item.max_tokens) {
            (IGNORE_EOS, Value::Bool(true), Some(length)) => {
                body.insert("min_length".to_owned(), json!(length));
            }
            (IGNORE_EOS, ..) => {}
            _ => set(&mut body, name, value),
        }
    }
    body
}

/// DeepSpeed-MII.
pub(super) fn mii(item: Item, with: &Generation) -> Map<String, Value> {
    let settings = [
        ("max_tokens", item.max_tokens.map(Value::from)),
        ("temperature", Some(json!(with.temperature.unwrap_or(0.01)))),
        ("top_p", Some(json!(with.top_p.unwrap_or(1.0)))),
    ];
    let mut body = start("prompt", item.prompt);
    body.extend(present(settings));
    for (name, value) in with.extra.iter().chain(&item.extra) {
        set(&mut body, name, value);
    }
    body
}

/// The prompt as it is. What is no text is left to the server to refuse.
fn start(name: &str, prompt: Prompt) -> Map<String, Value> {
    let value = match prompt {
        Prompt::Body(body) => return body,
        Prompt::Text(text) | Prompt::Media { text, .. } => Value::String(text),
        Prompt::TokenIds(ids) => json!(ids),
        Prompt::Messages(messages) => json!(messages),
        Prompt::Texts(texts) => json!(texts),
        Prompt::Audio(audio) => Value::String(audio.file_name.clone()),
    };
    Map::from_iter([(name.to_owned(), value)])
}

fn present<const N: usize>(
    settings: [(&'static str, Option<Value>); N],
) -> impl Iterator<Item = (String, Value)> {
    settings
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::Endpoint;
    use super::super::samples::{item, object, plain, text};
    use super::*;

    fn hello() -> Item {
        item(Prompt::Text("hi".into()))
    }

    #[test]
    fn each_server_has_its_own_names_and_defaults() {
        expect![[r#"{"inputs":"hi","parameters":{"max_new_tokens":16,"do_sample":true,"temperature":0.01,"top_p":0.99,"details":true}}"#]]
            .assert_eq(&plain(Endpoint::TgiGenerate, hello()));
        expect![[r#"{"text_input":"hi","accumulate_tokens":true,"temperature":0.0,"top_p":1.0,"max_tokens":16,"stream":true}"#]]
            .assert_eq(&plain(Endpoint::TensorRtGenerate, hello()));
        expect![[r#"{"prompt":"hi","max_tokens":16,"temperature":0.01,"top_p":1.0}"#]]
            .assert_eq(&plain(Endpoint::DeepSpeedMii, hello()));
    }

    #[test]
    fn an_answer_of_the_full_length_is_asked_for_in_the_server_s_words() {
        let generation = Generation {
            extra: object(r#"{"ignore_eos":true}"#),
            ..Generation::default()
        };
        let of = |endpoint: Endpoint| text(&endpoint.request(hello(), "m", &generation).fields);
        expect![[r#"{"inputs":"hi","parameters":{"max_new_tokens":16,"do_sample":true,"temperature":0.01,"top_p":0.99,"details":true,"ignore_eos_token":true}}"#]]
            .assert_eq(&of(Endpoint::TgiGenerate));
        expect![[r#"{"text_input":"hi","accumulate_tokens":true,"temperature":0.0,"top_p":1.0,"max_tokens":16,"stream":true,"min_length":16}"#]]
            .assert_eq(&of(Endpoint::TensorRtGenerate));
    }

    #[test]
    fn extra_parameters_are_added_to_those_that_are_there() {
        let mut item = hello();
        item.extra = object(r#"{"parameters":{"typical_p":0.5,"do_sample":null},"adapter":"a"}"#);
        expect![[r#"{"inputs":"hi","parameters":{"max_new_tokens":16,"temperature":0.01,"top_p":0.99,"details":true,"typical_p":0.5},"adapter":"a"}"#]]
            .assert_eq(&plain(Endpoint::TgiGenerate, item));
    }
}
