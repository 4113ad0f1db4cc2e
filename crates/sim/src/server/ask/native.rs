//! Bodies of Text Generation Inference and of TensorRT-LLM, which share a path.

use serde::Deserialize;

use super::{Ask, Delivery, Kind, Length, Prompt, read};
use crate::server::refusal::Refusal;

/// Longest answer where none is named, as in Text Generation Inference.
const TGI_TOKENS: i64 = 100;

#[derive(Deserialize)]
struct TgiBody {
    inputs: String,
    parameters: Option<Parameters>,
}

#[derive(Deserialize, Default)]
struct Parameters {
    max_new_tokens: Option<i64>,
    ignore_eos_token: Option<bool>,
}

#[derive(Deserialize)]
struct TensorRtBody {
    text_input: String,
    max_tokens: Option<i64>,
    min_length: Option<i64>,
}

/// Whose body it is.
pub(in crate::server) fn kind(body: &[u8]) -> Kind {
    #[derive(Deserialize)]
    struct Either {
        text_input: Option<serde::de::IgnoredAny>,
    }
    let is_tensor_rt =
        serde_json::from_slice::<Either>(body).is_ok_and(|body| body.text_input.is_some());
    if is_tensor_rt {
        Kind::TensorRt
    } else {
        Kind::Tgi
    }
}

pub(super) fn tgi(body: &[u8]) -> Result<Ask, Refusal> {
    let body: TgiBody = read(body)?;
    let parameters = body.parameters.unwrap_or_default();
    let length = Length {
        most: parameters.max_new_tokens.or(Some(TGI_TOKENS)),
        least: None,
        ignore_eos: parameters.ignore_eos_token,
    };
    Ok(Ask {
        delivery: Delivery::EventsAndUsage,
        ..Ask::of(Prompt::Text(body.inputs), "max_new_tokens", length)?
    })
}

pub(super) fn tensor_rt(body: &[u8]) -> Result<Ask, Refusal> {
    let body: TensorRtBody = read(body)?;
    let length = Length {
        most: body.max_tokens,
        least: body.min_length,
        ignore_eos: None,
    };
    Ok(Ask {
        delivery: Delivery::Events,
        ..Ask::of(Prompt::Text(body.text_input), "max_tokens", length)?
    })
}

#[cfg(test)]
mod tests {
    use super::super::Ending;
    use super::*;

    #[test]
    fn the_two_servers_are_told_apart_by_the_name_of_the_prompt() {
        let tgi = br#"{"inputs":"a","parameters":{"max_new_tokens":7,"ignore_eos_token":true}}"#;
        assert_eq!(kind(tgi), Kind::Tgi);
        let ask = Ask::parse(Kind::Tgi, "", tgi).unwrap();
        assert_eq!((ask.max_tokens, ask.ending), (Some(7), Ending::AtMaxTokens));
        let tensor_rt = br#"{"text_input":"a","max_tokens":7,"min_length":7}"#;
        assert_eq!(kind(tensor_rt), Kind::TensorRt);
        let ask = Ask::parse(Kind::TensorRt, "", tensor_rt).unwrap();
        assert_eq!((ask.max_tokens, ask.min_tokens), (Some(7), 7));
    }
}
