//! Bodies of requests for a vector or a score: embeddings, pooling, ranking.
//!
//! Nothing is generated, so none of the settings of the generation has a field here.

use crestline_core::request::{Generation, Item, Message, Prompt};
use serde_json::{Map, Value, json};

use super::completion::with_media;
use super::{Base, Endpoint};

/// The instruction that models of the `VLM2Vec` family take with a picture.
const REPRESENT: &str = "Represent the given image";

/// The request body for an item.
///
/// Servers of vLLM are asked to cut a prompt that is longer than the model's context (`truncate_prompt_tokens` of −1)
/// rather than to refuse it, as its own benchmark does.
pub(super) fn body(
    endpoint: Endpoint,
    item: Item,
    model: &str,
    with: &Generation,
) -> Map<String, Value> {
    let base = base(endpoint, item.prompt, item.index);
    let infinity = matches!(
        endpoint,
        Endpoint::InfinityEmbeddings | Endpoint::InfinityClipEmbeddings
    );
    let cut = (!infinity).then(|| ("truncate_prompt_tokens", json!(-1)));
    let settings = std::iter::once(("model", json!(model))).chain(cut);
    base.with(settings, &with.extra, &item.extra)
}

fn base(endpoint: Endpoint, prompt: Prompt, index: u64) -> Base {
    match (endpoint, prompt) {
        (_, Prompt::Body(body)) => Base::given(body),
        (Endpoint::ChatEmbeddings, prompt) => chat(prompt),
        (Endpoint::ClipEmbeddings, prompt) => chat(without_text(prompt)),
        (Endpoint::Vlm2VecEmbeddings, prompt) => instructed(prompt, index),
        (Endpoint::Rerank, prompt) => ranking(prompt),
        (Endpoint::InfinityEmbeddings, prompt) => infinity(prompt),
        (Endpoint::InfinityClipEmbeddings, prompt) => infinity(without_text(prompt)),
        (_, prompt) => Base::of("input", input(prompt)),
    }
}

/// What is to be embedded as it stands.
fn input(prompt: Prompt) -> Value {
    match prompt {
        Prompt::Text(text) | Prompt::Media { text, .. } => Value::String(text),
        Prompt::Texts(texts) => json!(texts),
        Prompt::TokenIds(ids) => json!(ids),
        Prompt::Messages(messages) => json!(messages),
        Prompt::Body(body) => Value::Object(body),
        Prompt::Audio(audio) => Value::String(audio.file_name.clone()),
    }
}

fn chat(prompt: Prompt) -> Base {
    let messages = match prompt {
        Prompt::Messages(messages) => json!(messages),
        Prompt::Media { text, parts } => json!([with_media(&text, parts)]),
        Prompt::Text(text) => json!([with_media(&text, Vec::new())]),
        other => json!([Message {
            content: input(other),
            ..Message::user("")
        }]),
    };
    Base::of("messages", messages)
}

/// A picture alone, where there is one.
fn without_text(prompt: Prompt) -> Prompt {
    match prompt {
        Prompt::Media { parts, .. } if !parts.is_empty() => Prompt::Media {
            text: String::new(),
            parts,
        },
        other => other,
    }
}

/// Pictures and the instruction; the question goes with each second request.
fn instructed(prompt: Prompt, index: u64) -> Base {
    let Prompt::Media { text, mut parts } = prompt else {
        return chat(prompt);
    };
    let instruction = if index.is_multiple_of(2) {
        format!("{REPRESENT}.")
    } else {
        format!("{REPRESENT} with the following question: {text}")
    };
    parts.push(json!({"type": "text", "text": instruction}));
    Base::of("messages", json!([{"role": "user", "content": parts}]))
}

fn ranking(prompt: Prompt) -> Base {
    let mut texts = match prompt {
        Prompt::Texts(texts) => texts,
        other => match input(other) {
            Value::String(text) => vec![text],
            odd => return Base::of("query", odd),
        },
    }
    .into_iter();
    let mut base = Base::of("query", json!(texts.next().unwrap_or_default()));
    let documents: Vec<String> = texts.collect();
    base.body.insert("documents".to_owned(), json!(documents));
    base
}

/// A text, or the address of what stands in its place and its kind.
fn infinity(prompt: Prompt) -> Base {
    match prompt {
        Prompt::Media { text, parts } if text.is_empty() && !parts.is_empty() => {
            let kind = parts[0]["type"].as_str().unwrap_or_default();
            let modality = kind.split('_').next().unwrap_or_default();
            let mut base = Base::of("input", parts[0][kind]["url"].clone());
            base.body.insert("modality".to_owned(), json!(modality));
            base
        }
        other => Base::of("input", input(other)),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::samples::{item, object, picture, plain, streamed, text};
    use super::*;

    fn texts(texts: &[&str]) -> Item {
        let texts = texts.iter().map(ToString::to_string);
        item(Prompt::Texts(texts.collect()))
    }

    #[test]
    fn an_embedding_is_of_a_text_of_several_or_of_token_ids() {
        let of = |item| plain(Endpoint::OpenAiEmbeddings, item);
        expect![[r#"{"input":"hi","model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(item(Prompt::Text("hi".into()))));
        expect![[r#"{"input":["a","b"],"model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(texts(&["a", "b"])));
        expect![[r#"{"input":[7,8],"model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(item(Prompt::TokenIds(vec![7, 8]))));
    }

    #[test]
    fn a_picture_is_embedded_as_a_conversation_in_the_model_s_way() {
        let of = |endpoint, index| {
            let item = Item {
                index,
                ..item(picture("what?"))
            };
            plain(endpoint, item)
        };
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:x"}}]}],"model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(Endpoint::ChatEmbeddings, 0));
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"text","text":""},{"type":"image_url","image_url":{"url":"data:x"}}]}],"model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(Endpoint::ClipEmbeddings, 0));
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"Represent the given image."}]}],"model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(Endpoint::Vlm2VecEmbeddings, 0));
        expect![[r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"Represent the given image with the following question: what?"}]}],"model":"m","truncate_prompt_tokens":-1}"#]]
            .assert_eq(&of(Endpoint::Vlm2VecEmbeddings, 1));
    }

    #[test]
    fn a_text_alone_stays_a_text_where_pictures_may_stand() {
        for endpoint in [
            Endpoint::ChatEmbeddings,
            Endpoint::ClipEmbeddings,
            Endpoint::Vlm2VecEmbeddings,
        ] {
            let body = plain(endpoint, item(Prompt::Text("hi".into())));
            assert!(
                body.starts_with(
                    r#"{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]"#
                ),
                "{endpoint:?}: {body}"
            );
        }
    }

    #[test]
    fn infinity_takes_a_text_or_an_address() {
        let of = |endpoint, text| plain(endpoint, item(picture(text)));
        expect![[r#"{"input":"what?","model":"m"}"#]]
            .assert_eq(&of(Endpoint::InfinityEmbeddings, "what?"));
        expect![[r#"{"input":"data:x","modality":"image","model":"m"}"#]]
            .assert_eq(&of(Endpoint::InfinityEmbeddings, ""));
        expect![[r#"{"input":"data:x","modality":"image","model":"m"}"#]]
            .assert_eq(&of(Endpoint::InfinityClipEmbeddings, "what?"));
    }

    #[test]
    fn the_first_text_is_the_query_and_extra_fields_reach_a_ranking_too() {
        let mut item = texts(&["q", "d1", "d2"]);
        item.extra = object(r#"{"top_n":1}"#);
        let generation = Generation {
            extra: object(r#"{"top_n":2,"truncate_prompt_tokens":null}"#),
            ..streamed()
        };
        let body = Endpoint::Rerank.request(item, "m", &generation);
        expect![[r#"{"query":"q","documents":["d1","d2"],"model":"m","top_n":1}"#]]
            .assert_eq(&text(&body.fields));
    }

    #[test]
    fn a_body_from_the_data_set_is_pooled_as_it_is() {
        let prompt = Prompt::Body(object(r#"{"data":{"image":"x"},"task":"plugin"}"#));
        expect![[
            r#"{"data":{"image":"x"},"task":"plugin","model":"m","truncate_prompt_tokens":-1}"#
        ]]
        .assert_eq(&plain(Endpoint::Pooling, item(prompt)));
    }
}
