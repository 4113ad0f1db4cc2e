//! Prompts with the user's own pictures, an object a line.

use std::path::Path;

use crestline_core::request::{Message, Prompt};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::listing::Listing;
use super::{Sample, media};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::plan::{PictureFiles, PictureSamples};
use crate::presentation::Content;

const NAME: &str = "custom_image";

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    image_files: Option<Vec<String>>,
    #[serde(default)]
    content: Option<Vec<Value>>,
    #[serde(default)]
    output_tokens: Option<u32>,
}

/// Reads lines until there are enough samples.
pub(super) fn list(
    listing: &mut Listing<'_>,
    samples: &PictureSamples,
) -> Result<(), WorkloadError> {
    let (path, records) = listing.lines::<Record>(NAME, &samples.path)?;
    for (line, record) in records {
        if listing.is_full() {
            break;
        }
        let sample =
            sample(listing, record, samples).map_err(|reason| DatasetError::Malformed {
                path: path.clone(),
                line: Some(line),
                reason,
            })?;
        listing.take(sample);
    }
    Ok(())
}

fn sample(
    listing: &Listing<'_>,
    record: Record,
    samples: &PictureSamples,
) -> Result<Sample, String> {
    let output = samples.output_length.or(record.output_tokens);
    let output = output.ok_or("it has no `output_tokens`, and no length of answers is set")?;
    match (record.content, record.prompt, record.image_files) {
        (Some(content), None, None) => parts(listing, content, samples.files, output),
        (None, Some(prompt), Some(files)) => {
            let parts = files.iter().map(|file| {
                let url = url(file, samples.files)?;
                Ok(json!({"type": "image_url", "image_url": {"url": url}}))
            });
            let parts = parts.collect::<Result<Vec<Value>, String>>()?;
            Ok(listing.with_media(&prompt, parts, Some(output)))
        }
        _ => Err("it must have either `prompt` and `image_files` or `content`".to_owned()),
    }
}

/// A message of parts in their own order.
fn parts(
    listing: &Listing<'_>,
    content: Vec<Value>,
    files: PictureFiles,
    output: u32,
) -> Result<Sample, String> {
    let mut texts = Vec::new();
    let mut parts = Vec::with_capacity(content.len());
    for given in content {
        let part = part(given, files)?;
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            texts.push(text.to_owned());
        }
        parts.push(part);
    }
    let tokens = listing
        .presentation()
        .count(&Content::Text(texts.join("\n")));
    let message = Message {
        role: "user".to_owned(),
        content: Value::Array(parts),
        rest: Map::new(),
    };
    Ok(Sample::new(
        Prompt::Messages(vec![message]),
        tokens,
        Some(output),
    ))
}

/// A part as the chat API has it. Further fields of a picture, such as its detail, stay.
fn part(given: Value, files: PictureFiles) -> Result<Value, String> {
    let place = |value: &Value| {
        let place = value.as_str().map(str::to_owned);
        place.ok_or_else(|| format!("a picture must be an address or a path, not {value}"))
    };
    match given.get("type").and_then(Value::as_str) {
        Some("text") if given.get("text").is_some_and(Value::is_string) => Ok(given),
        Some("image") => {
            let image = place(given.get("image").unwrap_or(&Value::Null))?;
            Ok(json!({"type": "image_url", "image_url": {"url": url(&image, files)?}}))
        }
        Some("image_url") => {
            let mut details = match given.get("image_url") {
                Some(Value::Object(details)) => details.clone(),
                Some(address) => Map::from_iter([("url".to_owned(), address.clone())]),
                None => return Err("a part `image_url` has no `image_url`".to_owned()),
            };
            let image = place(details.get("url").unwrap_or(&Value::Null))?;
            details.insert("url".to_owned(), Value::String(url(&image, files)?));
            Ok(json!({"type": "image_url", "image_url": details}))
        }
        _ => Err(format!(
            "a part must be of type `text`, `image` or `image_url`, not {given}"
        )),
    }
}

/// The address of a picture, or the picture itself.
fn url(image: &str, files: PictureFiles) -> Result<String, String> {
    if files == PictureFiles::Named || image.starts_with("data:") {
        return Ok(media::place(image));
    }
    if image.starts_with("http://") || image.starts_with("https://") {
        return Err(format!(
            "{image} would have to be downloaded to be part of the request: store it as a file and name that"
        ));
    }
    let path = Path::new(image.strip_prefix("file://").unwrap_or(image));
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {image}: {error}"))?;
    let part = media::inlined_image(&bytes).map_err(|reason| format!("{image}: {reason}"))?;
    let url = part.pointer("/image_url/url").and_then(Value::as_str);
    Ok(url.unwrap_or_default().to_owned())
}
