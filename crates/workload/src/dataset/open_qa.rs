//! `openqa`: the `question` of each line of a JSONL file, from HC3-Chinese.

use std::path::Path;

use serde::Deserialize;

use super::DatasetError;
use super::file::{Wanted, for_each_record};
use crate::presentation::Content;

pub(super) const WANTED: Wanted = Wanted {
    name: "openqa",
    file: "open_qa.jsonl",
    repository: "AI-ModelScope/HC3-Chinese",
};

#[derive(Deserialize)]
struct Record {
    question: String,
}

pub(super) fn read(path: &Path) -> Result<Vec<Content>, DatasetError> {
    let mut prompts = Vec::new();
    for_each_record(path, |record: Record| {
        prompts.push(Content::Text(record.question));
    })?;
    Ok(prompts)
}
