//! Conversations of two turns or more: the first is the prompt, the second tells how long the answer is.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::Sample;
use super::listing::Listing;
use super::media;
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::{existing, read_array};
use crate::plan::ShareGptSamples;

const NAME: &str = "sharegpt";

#[derive(Deserialize)]
pub(super) struct Conversation {
    #[serde(default)]
    pub(super) conversations: Vec<Turn>,
    #[serde(default)]
    pub(super) image: Option<Value>,
    #[serde(default)]
    pub(super) video: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Turn {
    /// Who says it.
    #[serde(default)]
    pub(super) from: Option<String>,
    #[serde(default)]
    pub(super) value: String,
}

/// Lengths of a conversation that is worth sending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    pub(super) prompt: u32,
    pub(super) answer: u32,
    /// Whether the answer's length was asked for: then it may be short.
    pub(super) forced: bool,
}

impl Lengths {
    /// Neither shorter than 4 tokens nor longer than 1024 (the prompt) or 2048 (all).
    pub(super) fn are_usable(self) -> bool {
        self.are_within(1024, 2048)
    }

    /// Neither shorter than 4 tokens nor longer than these.
    pub(super) fn are_within(self, longest_prompt: u32, longest: u32) -> bool {
        self.prompt >= 4
            && (self.forced || self.answer >= 4)
            && self.prompt <= longest_prompt
            && self.prompt.saturating_add(self.answer) <= longest
    }
}

/// Reads conversations until there are enough samples.
pub(super) fn list(
    listing: &mut Listing<'_>,
    samples: &ShareGptSamples,
) -> Result<(), WorkloadError> {
    let path = existing(NAME, &samples.path)?;
    listing.read_from(&path);
    let conversations = listing.ordered(read(&path)?);
    for conversation in conversations {
        if listing.is_full() {
            break;
        }
        take(listing, &conversation, samples.output_length)?;
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Vec<Conversation>, DatasetError> {
    let mut conversations: Vec<Conversation> = read_array(path, "objects with `conversations`")?;
    conversations.retain(|conversation| conversation.conversations.len() >= 2);
    Ok(conversations)
}

/// Takes a conversation as a sample, where its lengths are usable.
pub(super) fn take(
    listing: &mut Listing<'_>,
    conversation: &Conversation,
    output_length: Option<u32>,
) -> Result<(), WorkloadError> {
    let [question, answer, ..] = &conversation.conversations[..] else {
        listing.leave_out();
        return Ok(());
    };
    listing.tokenizer("leaving out conversations that are too short or too long")?;
    let counted = |text: &str| listing.plain_count(text).unwrap_or(0);
    let lengths = Lengths {
        prompt: counted(&question.value),
        answer: output_length.unwrap_or_else(|| counted(&answer.value)),
        forced: output_length.is_some(),
    };
    if !lengths.are_usable() {
        listing.leave_out();
        return Ok(());
    }
    let image = conversation.image.as_ref().map(media::image_part);
    let video = conversation.video.as_ref().map(media::video_part);
    let parts = [image, video].into_iter().flatten();
    let parts: Vec<Value> = parts
        .collect::<Result<_, _>>()
        .map_err(|reason| DatasetError::Unusable { name: NAME, reason })?;
    let sample = if parts.is_empty() {
        let (prompt, tokens) = listing.as_it_is(&question.value)?;
        Sample::new(prompt, tokens, Some(lengths.answer))
    } else {
        listing.with_media(&question.value, parts, Some(lengths.answer))
    };
    listing.take(sample);
    Ok(())
}
