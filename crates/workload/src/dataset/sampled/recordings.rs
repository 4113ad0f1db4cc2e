//! The user's own recordings, an object a line.

use std::path::Path;
use std::sync::Arc;

use crestline_core::request::{Audio, Prompt};
use serde::Deserialize;

use super::listing::Listing;
use super::{Sample, audio, media};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::plan::{RecordingForm, RecordingSamples};

const NAME: &str = "custom_audio";

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    prompt: String,
    audio: Sound,
    #[serde(default)]
    output_tokens: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sound {
    Path(String),
    Samples { array: Vec<f64>, sampling_rate: u32 },
}

/// Reads lines until there are enough samples.
pub(super) fn list(
    listing: &mut Listing<'_>,
    samples: &RecordingSamples,
) -> Result<(), WorkloadError> {
    let (path, records) = listing.lines::<Record>(NAME, &samples.path)?;
    for (line, record) in records {
        if listing.is_full() {
            break;
        }
        let malformed = |reason: String| DatasetError::Malformed {
            path: path.clone(),
            line: Some(line),
            reason,
        };
        let output = samples.output_length.or(record.output_tokens);
        let output = output.ok_or_else(|| {
            malformed("it has no `output_tokens`, and no length of answers is set".to_owned())
        })?;
        let recording = recording(&record.audio, line).map_err(malformed)?;
        listing.take(put(
            listing,
            recording,
            &record.prompt,
            (samples.sent, output),
        ));
    }
    Ok(())
}

/// A recording in the form in which it is sent.
pub(super) fn put(
    listing: &Listing<'_>,
    recording: Audio,
    text: &str,
    (sent, output): (RecordingForm, u32),
) -> Sample {
    match sent {
        RecordingForm::File => {
            let tokens = listing.plain_count(text);
            Sample::new(Prompt::Audio(Arc::new(recording)), tokens, Some(output))
        }
        RecordingForm::Part => {
            let format = Path::new(&recording.file_name).extension();
            let format = format.and_then(|format| format.to_str()).unwrap_or("wav");
            let part = media::inlined_audio(&recording.bytes, format);
            listing.with_media(text, vec![part], Some(output))
        }
    }
}

fn recording(sound: &Sound, line: usize) -> Result<Audio, String> {
    match sound {
        Sound::Samples {
            array,
            sampling_rate,
        } => {
            if *sampling_rate == 0 {
                return Err("`sampling_rate` must be above 0".to_owned());
            }
            named(format!("{line}.wav"), audio::wav(array, *sampling_rate))
        }
        Sound::Path(path) => {
            let bytes =
                std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
            let name = Path::new(path)
                .file_name()
                .map(|name| name.to_string_lossy());
            named(name.unwrap_or_default().into_owned(), bytes)
                .map_err(|reason| format!("{path}: {reason}"))
        }
    }
}

/// A file with its length.
pub(super) fn named(file_name: String, bytes: Vec<u8>) -> Result<Audio, String> {
    Ok(Audio {
        length: audio::length(&bytes)?,
        file_name,
        bytes,
    })
}
