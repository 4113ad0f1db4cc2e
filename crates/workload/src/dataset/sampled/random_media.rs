//! Random words with pictures of random noise, each as JPEG.
//!
//! Films are not made: that needs an encoder of video. They are refused where one would be drawn.

use crestline_core::request::Prompt;
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::{Rng as _, RngExt as _};
use serde_json::{Value, json};

use super::random::RandomSource;
use super::{Opening, Sample, jpeg, media};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::draw::{Purpose, scramble, stream};
use crate::plan::{MediaSize, PromptForm, RandomMedia};

const NAME: &str = "random-mm";
/// What limits call a picture.
const IMAGE: &str = "image";

/// A source of prompts with pictures.
#[derive(Debug)]
pub(super) struct Pictured {
    text: RandomSource,
    seed: u64,
    /// Least and most pictures of a request.
    items: (u32, u32),
    weights: WeightedIndex<f64>,
    /// Width and height of each.
    sizes: Vec<(u16, u16)>,
}

impl Pictured {
    pub(super) fn open(
        opening: Opening<'_>,
        samples: &RandomMedia,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        if matches!(opening.presentation.form, PromptForm::TokenIds { .. }) {
            return Err(refused("prompts with pictures cannot be token ids".to_owned()).into());
        }
        if samples.text.texts > 1 {
            return Err(refused("pictures go with one text a request".to_owned()).into());
        }
        let drawn: Vec<MediaSize> = drawn_sizes(samples)?;
        let sizes = drawn.iter().map(width_and_height);
        Ok(Self {
            text: RandomSource::open(opening, &samples.text, notes)?,
            seed: opening.plan.seed,
            items: items(samples)?,
            weights: WeightedIndex::new(drawn.iter().map(|size| size.weight))
                .map_err(|error| refused(format!("sizes cannot be drawn from: {error}")))?,
            sizes: sizes.collect::<Result<_, _>>()?,
        })
    }

    /// The text and its pictures. What they come to in tokens only the server knows: the text alone is counted.
    pub(super) fn sample(&self, position: u64, like: u64) -> Sample {
        let (text, tokens, output) = self.text.text(position, like);
        let (least, most) = self.items;
        let mut random = stream(self.seed, position, Purpose::Media);
        let count = random.random_range(least..=most);
        let parts = (0..count).map(|item| {
            let size = self.sizes[self.weights.sample(&mut random)];
            self.picture(scramble(position, 3, u64::from(item)), size)
        });
        let parts = parts.collect();
        Sample::new(Prompt::Media { text, parts }, Some(tokens), Some(output))
    }

    /// The texts, whose lengths may be limited.
    pub(super) fn texts(&self) -> &RandomSource {
        &self.text
    }

    fn picture(&self, which: u64, (width, height): (u16, u16)) -> Value {
        let mut pixels = vec![0; 3 * usize::from(width) * usize::from(height)];
        stream(self.seed, which, Purpose::Pixels).fill_bytes(&mut pixels);
        let url = media::data_url("image/jpeg", &jpeg::encode(width, height, &pixels));
        json!({"type": "image_url", "image_url": {"url": url}})
    }
}

fn refused(reason: String) -> DatasetError {
    DatasetError::Unusable { name: NAME, reason }
}

/// The sizes that can be drawn.
fn drawn_sizes(samples: &RandomMedia) -> Result<Vec<MediaSize>, DatasetError> {
    if let Some(size) = samples
        .sizes
        .iter()
        .find(|size| !(size.weight >= 0.0 && size.weight.is_finite()))
    {
        return Err(refused(format!(
            "the share of pictures of {} x {} cannot be {}",
            size.height, size.width, size.weight
        )));
    }
    let drawn: Vec<MediaSize> = samples
        .sizes
        .iter()
        .copied()
        .filter(|size| size.weight > 0.0)
        .collect();
    if drawn.is_empty() {
        return Err(refused("there is no size with a share above 0".to_owned()));
    }
    if let Some(film) = drawn.iter().find(|size| size.frames > 1) {
        return Err(refused(format!(
            "films cannot be made, only pictures: the size {} x {} with {} frames must have the share 0",
            film.height, film.width, film.frames
        )));
    }
    if !samples.limits.contains_key(IMAGE) {
        return Err(refused(format!("there is no limit for `{IMAGE}`")));
    }
    Ok(drawn)
}

fn width_and_height(format: &MediaSize) -> Result<(u16, u16), DatasetError> {
    let side = |length: u32| u16::try_from(length).ok().filter(|length| *length > 0);
    match (side(format.width), side(format.height)) {
        (Some(width), Some(height)) if format.frames == 1 => Ok((width, height)),
        _ => Err(refused(format!(
            "a picture cannot be {} x {} with {} frames: sides are from 1 to {} and a picture is one frame",
            format.height,
            format.width,
            format.frames,
            u16::MAX
        ))),
    }
}

/// Least and most pictures of a request.
fn items(samples: &RandomMedia) -> Result<(u32, u32), DatasetError> {
    if !(0.0..=1.0).contains(&samples.spread) {
        return Err(refused(format!(
            "the spread of the number of pictures must be from 0 to 1, not {}",
            samples.spread
        )));
    }
    let middle = f64::from(samples.items);
    let limit = samples.limits.get(IMAGE).copied().unwrap_or(0);
    let least = (middle * (1.0 - samples.spread)).floor() as u32;
    let most = ((middle * (1.0 + samples.spread)).ceil() as u32).min(limit);
    if least > most {
        return Err(refused(format!(
            "at least {least} pictures a request are above the limit of {limit}"
        )));
    }
    Ok((least, most))
}
