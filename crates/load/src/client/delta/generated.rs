//! Events and bodies of servers with an API of their own, and of transcriptions that are not streamed.
//!
//! Text Generation Inference sends a `token` an event and closes with `generated_text`; TensorRT-LLM sends `text_output`;
//! DeepSpeed-MII answers with a list of `text`, a transcription with one.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Delta, DeltaError, Text, Usage, error_text, join};

/// Reads the data of an event, or a whole body.
pub fn read(data: &[u8]) -> Result<Delta<'_>, DeltaError> {
    let body: Body<'_> = serde_json::from_str(std::str::from_utf8(data)?)?;
    let mut delta = Delta {
        error: error_text(body.error),
        finished: body.generated_text.is_some(),
        ..Delta::default()
    };
    let whole = body.generated_text.filter(|_| body.token.is_none());
    let token = body.token.filter(|token| token.special != Some(true));
    join(&mut delta.answer, token.and_then(|token| token.text));
    join(&mut delta.answer, whole);
    join(&mut delta.answer, body.text_output);
    match body.text {
        Some(text) if text.get().starts_with('"') => {
            join(&mut delta.answer, Some(serde_json::from_str(text.get())?));
        }
        Some(texts) if texts.get().starts_with('[') => {
            let texts: Vec<Text<'_>> = serde_json::from_str(texts.get())?;
            for text in texts {
                join(&mut delta.answer, Some(text));
            }
        }
        _ => {}
    }
    delta.usage = body.details.map(|details| Usage {
        prompt: details.input_length,
        completion: details.generated_tokens,
        cached: None,
    });
    Ok(delta)
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    token: Option<Token<'a>>,
    #[serde(borrow)]
    generated_text: Option<Text<'a>>,
    details: Option<Details>,
    #[serde(borrow)]
    text_output: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    special: Option<bool>,
}

#[derive(Deserialize)]
struct Details {
    generated_tokens: Option<u32>,
    input_length: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, answer: &str, tokens: Option<u32>) {
        let delta = read(json.as_bytes()).unwrap();
        let usage = delta.usage.and_then(|usage| usage.completion);
        assert_eq!((&*delta.answer, usage), (answer, tokens), "{json}");
    }

    #[test]
    fn each_server_s_text_is_found() {
        check(
            r#"{"index":1,"token":{"id":5,"text":" a","logprob":-0.5,"special":false},"generated_text":null,"details":null}"#,
            " a",
            None,
        );
        check(
            r#"{"model_name":"ensemble","sequence_end":false,"text_output":" a\n"}"#,
            " a\n",
            None,
        );
        check(r#"{"text":["one","two"]}"#, "onetwo", None);
        check(
            r#"{"text":"said","usage":{"type":"duration","seconds":2}}"#,
            "said",
            None,
        );
        check(r#"{"generated_text":"all of it"}"#, "all of it", None);
    }

    #[test]
    fn the_last_event_counts_the_tokens_and_does_not_say_the_text_again() {
        let json = r#"{"token":{"text":"</s>","special":true},"generated_text":" a b","details":{"finish_reason":"eos_token","generated_tokens":3}}"#;
        check(json, "", Some(3));
        assert!(read(json.as_bytes()).unwrap().finished);
        check(
            r#"{"token":{"text":" b","special":false},"generated_text":" a b","details":{"generated_tokens":2}}"#,
            " b",
            Some(2),
        );
    }

    #[test]
    fn an_error_is_an_error() {
        let json = r#"{"error":"Request failed during generation","error_type":"generation"}"#;
        let error = read(json.as_bytes()).unwrap().error.unwrap();
        assert!(error.contains("failed during generation"), "{error}");
        assert!(read(b"{\"token\":").is_err());
    }
}
