//! Bodies of requests for vectors and scores.

use crestline_core::request::Message;
use serde::Deserialize;
use serde_json::Value;

use super::{Ask, Encoding, Length, Prompt, prompt, read};
use crate::server::refusal::Refusal;

/// Most inputs of one request.
const MOST_INPUTS: usize = 2048;

#[derive(Deserialize)]
struct VectorBody {
    model: Option<String>,
    input: Option<Value>,
    messages: Option<Vec<Message>>,
    encoding_format: Option<Encoding>,
}

#[derive(Deserialize)]
struct RankingBody {
    model: Option<String>,
    query: String,
    documents: Vec<String>,
}

/// Embeddings and pooling: a conversation, or one or several inputs.
pub(super) fn vectors(body: &[u8]) -> Result<Ask, Refusal> {
    let body: VectorBody = read(body)?;
    let prompt = match (body.messages, body.input) {
        (Some(messages), _) => super::messages(Some(messages))?,
        (None, Some(Value::Array(items))) if items.len() > 1 && !items[0].is_number() => {
            Prompt::Several(
                items
                    .into_iter()
                    .map(|item| prompt(Some(item)))
                    .collect::<Result<_, _>>()?,
            )
        }
        (None, Some(input)) => prompt(Some(input))?,
        (None, None) => return Err(Refusal::BadRequest("input is missing".to_owned())),
    };
    ask(body.model, prompt, body.encoding_format.unwrap_or_default())
}

/// A ranking reads the query once with each document.
pub(super) fn ranking(body: &[u8]) -> Result<Ask, Refusal> {
    let body: RankingBody = read(body)?;
    if body.documents.is_empty() {
        return Err(Refusal::BadRequest(
            "documents must not be empty".to_owned(),
        ));
    }
    let pairs = body
        .documents
        .into_iter()
        .map(|document| Prompt::Pair(body.query.clone(), document));
    ask(
        body.model,
        Prompt::Several(pairs.collect()),
        Encoding::Float,
    )
}

/// Nothing is generated: the engine's first token stands for the end of the reading.
fn ask(model: Option<String>, prompt: Prompt, encoding: Encoding) -> Result<Ask, Refusal> {
    let inputs = match &prompt {
        Prompt::Several(inputs) => inputs.len(),
        _ => 1,
    };
    if inputs > MOST_INPUTS {
        return Err(Refusal::BadRequest(format!(
            "there must be at most {MOST_INPUTS} inputs, not {inputs}"
        )));
    }
    let length = Length {
        most: Some(1),
        ..Length::default()
    };
    Ok(Ask {
        model,
        choices: inputs as u32,
        encoding,
        ..Ask::of(prompt, "max_tokens", length)?
    })
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn text(text: &str) -> Prompt {
        Prompt::Text(text.to_owned())
    }

    #[test]
    fn inputs_are_texts_token_ids_or_conversations() {
        let ask = |body: &str| Ask::parse(Kind::Embedding, "", body.as_bytes()).unwrap();
        assert_eq!(ask(r#"{"input":"a"}"#).prompt, text("a"));
        assert_eq!(
            ask(r#"{"input":[1,2]}"#).prompt,
            Prompt::TokenIds(vec![1, 2])
        );
        let several = ask(r#"{"input":["a","b"],"encoding_format":"bytes_only"}"#);
        assert_eq!(several.prompt, Prompt::Several(vec![text("a"), text("b")]));
        assert_eq!(
            (several.choices, several.encoding),
            (2, Encoding::BytesOnly)
        );
        let ids = ask(r#"{"input":[[1],[2,3]]}"#).prompt;
        let each = vec![Prompt::TokenIds(vec![1]), Prompt::TokenIds(vec![2, 3])];
        assert_eq!(ids, Prompt::Several(each));
        let chat = ask(r#"{"messages":[{"role":"user","content":"a"}]}"#);
        assert_eq!(chat.prompt, Prompt::Messages(vec![Message::user("a")]));
    }

    #[test]
    fn a_ranking_pairs_the_query_with_each_document() {
        let body = br#"{"query":"q","documents":["a","b"]}"#;
        let ask = Ask::parse(Kind::Ranking, "", body).unwrap();
        let pair = |document: &str| Prompt::Pair("q".to_owned(), document.to_owned());
        assert_eq!(ask.prompt, Prompt::Several(vec![pair("a"), pair("b")]));
        let none = Ask::parse(Kind::Ranking, "", br#"{"query":"q","documents":[]}"#);
        assert!(none.is_err());
    }
}
