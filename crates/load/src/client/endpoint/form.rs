//! Bodies that are forms (RFC 7578): a recording that is to be written down, and the fields beside it.

use std::sync::Arc;

use crestline_core::request::{Audio, Generation, Item, Prompt};
use serde_json::{Map, Value, json};

use super::Base;

/// Stands between the parts. Long enough never to be met in a recording.
const BOUNDARY: &str = "crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83";
/// The value of `Content-Type`.
pub(super) const CONTENT_TYPE: &str =
    "multipart/form-data; boundary=crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83";

/// The recording of an item, where it has one.
pub(super) fn audio_of(item: &Item) -> Option<Arc<Audio>> {
    match &item.prompt {
        Prompt::Audio(audio) => Some(Arc::clone(audio)),
        _ => None,
    }
}

/// The fields beside the recording. A server that streams is asked to keep count of the tokens in every event.
pub(super) fn fields(item: Item, model: &str, with: &Generation) -> Map<String, Value> {
    let base = match item.prompt {
        Prompt::Body(body) => Base::given(body),
        _ => Base {
            body: Map::new(),
            fill_only: false,
        },
    };
    let streams = with.stream.then_some(json!(true));
    let settings = [
        ("model", Some(json!(model))),
        ("max_completion_tokens", item.max_tokens.map(Value::from)),
        ("language", Some(json!("en"))),
        ("temperature", with.temperature.map(Value::from)),
        ("top_p", with.top_p.map(Value::from)),
        ("top_k", with.top_k.map(Value::from)),
        ("seed", with.seed.map(Value::from)),
        ("frequency_penalty", with.frequency_penalty.map(Value::from)),
        (
            "repetition_penalty",
            with.repetition_penalty.map(Value::from),
        ),
        ("stream", streams.clone()),
        ("stream_include_usage", streams.clone()),
        ("stream_continuous_usage_stats", streams),
    ];
    let settings = settings
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    base.with(settings, &with.extra, &item.extra)
}

/// Adds the form to the end of `to`: the file first, then each field as text.
pub(super) fn write(fields: &Map<String, Value>, file: &Audio, to: &mut Vec<u8>) {
    to.reserve(file.bytes.len() + 256 * (fields.len() + 2));
    let name = file.file_name.replace(['"', '\r', '\n'], "_");
    let kind = media_type(&name);
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
    );
    to.extend_from_slice(head.as_bytes());
    to.extend_from_slice(&file.bytes);
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name = name.replace(['"', '\r', '\n'], "_");
        let part = format!(
            "\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}"
        );
        to.extend_from_slice(part.as_bytes());
    }
    to.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
}

fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit('.').next().unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "ogg" | "opus" => "audio/ogg",
        "m4a" | "mp4" => "audio/mp4",
        "webm" => "audio/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use crestline_core::units::Nanos;
    use expect_test::expect;

    use super::super::samples::{item, object, streamed};
    use super::super::{Body, Endpoint};
    use super::*;

    fn recording(file_name: &str) -> Prompt {
        Prompt::Audio(Arc::new(Audio {
            file_name: file_name.to_owned(),
            bytes: b"RIFF\r\n--".to_vec(),
            length: Nanos::from_secs(1),
        }))
    }

    fn written(body: &Body) -> String {
        let mut bytes = Vec::new();
        body.write(&mut bytes);
        String::from_utf8(bytes).unwrap().replace('\r', "")
    }

    #[test]
    fn the_content_type_names_the_boundary() {
        assert!(CONTENT_TYPE.ends_with(&format!("boundary={BOUNDARY}")));
    }

    #[test]
    fn a_recording_goes_with_its_fields_as_texts() {
        let mut item = item(recording("audio.wav"));
        item.extra = object(r#"{"prompt":"names: Ada","language":null}"#);
        let body = Endpoint::OpenAiTranscription.request(item, "m", &streamed());
        expect![[r#"
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="file"; filename="audio.wav"
            Content-Type: audio/wav

            RIFF
            --
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="model"

            m
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="max_completion_tokens"

            16
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="temperature"

            0.0
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="stream"

            true
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="stream_include_usage"

            true
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="stream_continuous_usage_stats"

            true
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83
            Content-Disposition: form-data; name="prompt"

            names: Ada
            --crestline-form-7d1f0c39a86e4b52b0c5d2e94716fa83--
        "#]]
        .assert_eq(&written(&body));
    }

    #[test]
    fn a_file_name_cannot_break_the_form() {
        let body = Endpoint::OpenAiTranscription.request(
            item(recording("a\"\r\nx.mp3")),
            "m",
            &Generation::default(),
        );
        let text = written(&body);
        assert!(
            text.contains("filename=\"a___x.mp3\"\nContent-Type: audio/mpeg"),
            "{text}"
        );
        assert!(!text.contains("stream"), "{text}");
    }
}
