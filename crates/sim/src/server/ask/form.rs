//! Forms with a recording (RFC 7578).
//!
//! No sound is decoded: how long a recording is follows from the head of a WAV file, or else from the file's size.

use super::{Ask, Delivery, Length, Prompt};
use crate::server::refusal::Refusal;

/// Tokens that a second of sound is: those of Whisper's encoder.
const TOKENS_PER_SECOND: f64 = 50.0;
/// Bytes of a second where the file does not say: 16-bit samples, 16,000 of them.
const BYTES_PER_SECOND: f64 = 32_000.0;

/// A transcription or a translation.
pub(super) fn transcription(content_type: &str, body: &[u8]) -> Result<Ask, Refusal> {
    let wrong = |message: &str| Refusal::BadRequest(message.to_owned());
    let boundary = content_type
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"'))
        .ok_or_else(|| wrong("the content type is not that of a form with a boundary"))?;
    let parts = parts(boundary, body).ok_or_else(|| wrong("the form is not valid"))?;
    let field = |name: &str| {
        let part = parts.iter().find(|part| part.name == name)?;
        std::str::from_utf8(part.content).ok()
    };
    let file = parts.iter().find(|part| part.name == "file");
    let file = file.ok_or_else(|| wrong("file is missing"))?;
    let most = field("max_completion_tokens").map(|count| {
        count
            .parse()
            .map_err(|_| wrong("max_completion_tokens must be a whole number"))
    });
    let is_true = |name| field(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let length = Length {
        most: most.transpose()?,
        least: None,
        ignore_eos: Some(is_true("ignore_eos")),
    };
    let tokens = (seconds(file.content) * TOKENS_PER_SECOND).ceil() as u32;
    let usage = is_true("stream_include_usage");
    Ok(Ask {
        model: field("model").map(str::to_owned),
        delivery: match is_true("stream") {
            true if usage && is_true("stream_continuous_usage_stats") => {
                Delivery::EventsAndRunningUsage
            }
            true if usage => Delivery::EventsAndUsage,
            true => Delivery::Events,
            false => Delivery::Whole,
        },
        ..Ask::of(
            Prompt::Sound(tokens.max(1)),
            "max_completion_tokens",
            length,
        )?
    })
}

/// How long a recording is.
fn seconds(file: &[u8]) -> f64 {
    let word = |at: usize| {
        let bytes = file.get(at..at + 4)?;
        Some(f64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
    };
    let is_wav = file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE");
    let rate = word(28).filter(|rate| is_wav && *rate >= 1.0);
    file.len() as f64 / rate.unwrap_or(BYTES_PER_SECOND)
}

/// One field or file.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    name: String,
    content: &'a [u8],
}

/// The parts of a form; `None` where it has no end.
fn parts<'a>(boundary: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let line = format!("--{boundary}");
    let mut rest = body.strip_prefix(line.as_bytes())?;
    let next = format!("\r\n{line}");
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
        let content = &rest[head_end + 4..];
        let end = find(content, next.as_bytes())?;
        parts.push(Part {
            name: name(&head)?,
            content: &content[..end],
        });
        rest = &content[end + next.len()..];
    }
}

/// The `name` in the head of a part.
fn name(head: &str) -> Option<String> {
    let line = head.lines().find(|line| {
        line.to_ascii_lowercase()
            .starts_with("content-disposition:")
    })?;
    let value = line
        .split(';')
        .find_map(|part| part.trim().strip_prefix("name="))?;
    Some(value.trim_matches('"').to_owned())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=xyz";

    fn form(fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
        let mut body = b"--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n".to_vec();
        body.extend_from_slice(file);
        for (name, value) in fields {
            body.extend_from_slice(
                format!(
                    "\r\n--xyz\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}"
                )
                .as_bytes(),
            );
        }
        body.extend_from_slice(b"\r\n--xyz--\r\n");
        body
    }

    #[test]
    fn a_form_has_its_fields_and_a_recording_of_a_known_length() {
        let mut wav = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        wav.resize(28, 0);
        wav.extend_from_slice(&1000_u32.to_le_bytes());
        wav.resize(2000, 0);
        let fields = [
            ("model", "m"),
            ("stream", "true"),
            ("stream_include_usage", "True"),
            ("stream_continuous_usage_stats", "true"),
            ("max_completion_tokens", "7"),
        ];
        let ask = Ask::parse(Kind::Transcription, TYPE, &form(&fields, &wav)).unwrap();
        assert_eq!(ask.prompt, Prompt::Sound(100));
        assert_eq!((ask.model.as_deref(), ask.max_tokens), (Some("m"), Some(7)));
        assert_eq!(ask.delivery, Delivery::EventsAndRunningUsage);
        let other = Ask::parse(Kind::Transcription, TYPE, &form(&[], &vec![7; 32_000])).unwrap();
        assert_eq!(
            (other.prompt, other.delivery),
            (Prompt::Sound(50), Delivery::Whole)
        );
    }

    #[test]
    fn what_is_no_form_is_refused_by_name() {
        let refusal = |kind: &str, body: &[u8]| match Ask::parse(Kind::Transcription, kind, body) {
            Err(Refusal::BadRequest(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(refusal("application/json", b"{}").contains("boundary"));
        assert!(refusal(TYPE, b"{}").contains("not valid"));
        assert!(refusal(TYPE, b"--xyz--\r\n").contains("file is missing"));
        let fields = [("max_completion_tokens", "many")];
        assert!(refusal(TYPE, &form(&fields, b"x")).contains("whole number"));
    }
}
