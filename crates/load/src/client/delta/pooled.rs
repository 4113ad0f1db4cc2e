//! Answers that are a vector or a score: only how much was read to make them counts.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Delta, DeltaError, Usage, error_text};

/// Reads a whole body, or the part of it that a server puts in a header beside raw bytes.
///
/// `finished` where there is something to be an answer: `data`, `results` or a usage.
pub fn read(data: &[u8]) -> Result<Delta<'_>, DeltaError> {
    let body: Body<'_> = serde_json::from_str(std::str::from_utf8(data)?)?;
    let is_answer = body.data.is_some() || body.results.is_some() || body.usage.is_some();
    let usage = body.usage.unwrap_or_default();
    Ok(Delta {
        usage: Some(Usage {
            // A ranking of some servers only has the sum, and nothing is generated.
            prompt: usage.prompt_tokens.or(usage.total_tokens),
            completion: Some(0),
            cached: None,
        }),
        error: error_text(body.error),
        finished: is_answer,
        ..Delta::default()
    })
}

#[derive(Deserialize)]
struct Body<'a> {
    data: Option<IgnoredAny>,
    results: Option<IgnoredAny>,
    usage: Option<UsageBody>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct UsageBody {
    prompt_tokens: Option<u32>,
    total_tokens: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_counted_and_no_token_comes_out() {
        let check = |json: &str, prompt: Option<u32>, finished: bool| {
            let delta = read(json.as_bytes()).unwrap();
            let usage = delta.usage.unwrap();
            assert_eq!(
                (usage.prompt, usage.completion),
                (prompt, Some(0)),
                "{json}"
            );
            assert_eq!(
                (delta.finished, delta.has_content()),
                (finished, false),
                "{json}"
            );
        };
        check(
            r#"{"data":[{"embedding":[0.5,1e-3]}],"usage":{"prompt_tokens":7,"total_tokens":9}}"#,
            Some(7),
            true,
        );
        check(
            r#"{"results":[{"index":0,"relevance_score":0.5}],"usage":{"total_tokens":9}}"#,
            Some(9),
            true,
        );
        check(r#"{"data":[]}"#, None, true);
        check("{}", None, false);
    }

    #[test]
    fn an_error_is_an_error() {
        let delta = read(br#"{"error":{"message":"too long"}}"#).unwrap();
        assert!(delta.error.unwrap().contains("too long"));
        assert!(read(b"[0.5").is_err());
    }
}
