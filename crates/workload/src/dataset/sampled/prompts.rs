//! A prompt a line, with the length of its answer where the line says it.

use serde::Deserialize;

use super::Sample;
use super::listing::Listing;
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::plan::PromptSamples;

const NAME: &str = "custom";

#[derive(Deserialize)]
struct Record {
    prompt: String,
    #[serde(default)]
    output_tokens: Option<u32>,
}

/// Reads lines until there are enough samples.
pub(super) fn list(
    listing: &mut Listing<'_>,
    samples: &PromptSamples,
) -> Result<(), WorkloadError> {
    let (path, records) = listing.lines::<Record>(NAME, &samples.path)?;
    for (line, record) in records {
        if listing.is_full() {
            break;
        }
        let output = samples.output_length.or(record.output_tokens);
        let output = output.ok_or_else(|| DatasetError::Malformed {
            path: path.clone(),
            line: Some(line),
            reason: "it has no `output_tokens`, and no length of answers is set".to_owned(),
        })?;
        let (prompt, tokens) = listing.question(&record.prompt)?;
        listing.take(Sample::new(prompt, tokens, Some(output)));
    }
    Ok(())
}
