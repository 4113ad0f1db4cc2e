//! `line_by_line` and `custom`: a prompt each line of the user's file.

use std::path::Path;

use crestline_core::request::Message;
use serde_json::Value;

use super::DatasetError;
use super::file::for_each_line;
use crate::presentation::Content;

/// A prompt of `line_by_line`, and whether it was written as JSON: such prompts are sent as they are, whatever their length.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) content: Content,
    pub(super) is_json: bool,
}

/// Each line that is not blank: plain text, or JSON (a string, a list of messages, or an object, which is a whole body).
pub(super) fn read_line_by_line(path: &Path) -> Result<Vec<Line>, DatasetError> {
    let mut lines = Vec::new();
    for_each_line(path, |number, text| {
        let text = text.trim();
        if !text.is_empty() {
            let json = json_content(text);
            lines.push(Line {
                number,
                is_json: json.is_some(),
                content: json.unwrap_or_else(|| Content::Text(text.to_owned())),
            });
        }
        Ok(())
    })?;
    Ok(lines)
}

/// JSON of another kind than the three, such as a number, is plain text.
fn json_content(text: &str) -> Option<Content> {
    if !text.starts_with(['"', '[', '{']) {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Value::String(text) => Some(Content::Text(text)),
        Value::Object(body) => Some(Content::Body(body)),
        Value::Array(messages) if messages.is_empty() => None,
        messages => {
            let messages: Vec<Message> = serde_json::from_value(messages).ok()?;
            Some(Content::Messages(messages))
        }
    }
}

/// Each line without the white space around it. An empty line is an empty prompt.
pub(super) fn read_custom(path: &Path) -> Result<Vec<Content>, DatasetError> {
    let mut prompts = Vec::new();
    for_each_line(path, |_, text| {
        prompts.push(Content::Text(text.trim().to_owned()));
        Ok(())
    })?;
    Ok(prompts)
}
