//! Pictures, films and recordings as content parts of the chat API.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// A picture that a record names by its address or its path, or holds as bytes.
pub(super) fn image_part(value: &Value) -> Result<Value, String> {
    let url = address(value, "a picture")?;
    Ok(json!({"type": "image_url", "image_url": {"url": url}}))
}

/// A film, likewise.
pub(super) fn video_part(value: &Value) -> Result<Value, String> {
    let url = address(value, "a film")?;
    Ok(json!({"type": "video_url", "video_url": {"url": url}}))
}

/// A picture as part of the body.
pub(super) fn inlined_image(bytes: &[u8]) -> Result<Value, String> {
    let kind = image_kind(bytes).ok_or("it is no PNG, JPEG, GIF, WebP or BMP picture")?;
    let url = data_url(kind, bytes);
    Ok(json!({"type": "image_url", "image_url": {"url": url}}))
}

/// A film as part of the body.
pub(super) fn inlined_film(bytes: &[u8]) -> Result<Value, String> {
    let kind = film_kind(bytes).ok_or("it is no MP4, WebM or AVI film")?;
    let url = data_url(kind, bytes);
    Ok(json!({"type": "video_url", "video_url": {"url": url}}))
}

/// A recording as part of the body; `format` is the ending of its file's name.
pub(super) fn inlined_audio(bytes: &[u8], format: &str) -> Value {
    let data = BASE64_STANDARD.encode(bytes);
    json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
}

fn address(value: &Value, what: &str) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(place(text)),
        _ => Err(format!("{what} must be an address or a path, not {value}")),
    }
}

/// An address as it is; anything else is a path on the server.
pub(super) fn place(text: &str) -> String {
    let is_address = ["http://", "https://", "file://", "data:"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if is_address {
        text.to_owned()
    } else {
        format!("file://{text}")
    }
}

pub(super) fn data_url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", BASE64_STANDARD.encode(bytes))
}

/// What kind of picture it is, by its first bytes.
fn image_kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
    ];
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    let found = KINDS.iter().find(|(start, _)| bytes.starts_with(start));
    found.map(|(_, kind)| *kind)
}

/// What kind of film it is, by its first bytes.
fn film_kind(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some("video/mp4");
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ") {
        return Some("video/x-msvideo");
    }
    bytes
        .starts_with(b"\x1A\x45\xDF\xA3")
        .then_some("video/webm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_and_paths_are_files_of_the_server() {
        let url = |text: &str| image_part(&json!(text)).unwrap()["image_url"]["url"].clone();
        assert_eq!(url("https://a/b.png"), "https://a/b.png");
        assert_eq!(
            url("data:image/png;base64,AA=="),
            "data:image/png;base64,AA=="
        );
        assert_eq!(url("/data/b.png"), "file:///data/b.png");
        assert_eq!(
            video_part(&json!("b.mp4")).unwrap(),
            json!({"type": "video_url", "video_url": {"url": "file://b.mp4"}})
        );
        assert_eq!(
            image_part(&json!(7)).unwrap_err(),
            "a picture must be an address or a path, not 7"
        );
    }

    #[test]
    fn the_kind_of_a_film_is_told_by_its_first_bytes() {
        let kind = |bytes: &[u8]| {
            let part = inlined_film(bytes)?;
            let url = part["video_url"]["url"].as_str().unwrap().to_owned();
            Ok::<_, String>(url.split(';').next().unwrap().to_owned())
        };
        assert_eq!(kind(b"\0\0\0\x18ftypisom").unwrap(), "data:video/mp4");
        assert_eq!(kind(b"\x1A\x45\xDF\xA3\0").unwrap(), "data:video/webm");
        assert_eq!(kind(b"RIFF\0\0\0\0AVI ").unwrap(), "data:video/x-msvideo");
        assert_eq!(kind(b"text").unwrap_err(), "it is no MP4, WebM or AVI film");
    }

    #[test]
    fn the_kind_of_a_picture_is_told_by_its_first_bytes() {
        let url = |bytes: &[u8]| inlined_image(bytes).unwrap()["image_url"]["url"].clone();
        assert_eq!(url(b"\xff\xd8\xff\x00"), "data:image/jpeg;base64,/9j/AA==");
        let webp = url(b"RIFF\0\0\0\0WEBP");
        assert!(
            webp.as_str()
                .unwrap()
                .starts_with("data:image/webp;base64,")
        );
        assert!(inlined_image(b"text").is_err());
    }
}
