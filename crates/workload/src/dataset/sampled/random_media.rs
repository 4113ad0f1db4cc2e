//! Random words with pictures and films of random noise: JPEG, and MP4 with a JPEG picture a frame.

use crestline_core::request::Prompt;
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::{Rng as _, RngExt as _};
use serde_json::{Value, json};

use super::random::RandomSource;
use super::{Opening, Sample, jpeg, media, mp4};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::draw::{Purpose, scramble, stream};
use crate::plan::{MediaSize, PromptForm, RandomMedia};

const NAME: &str = "random-mm";
/// Most pixels of all frames of a film together: its pictures then fit into one file of its format, and into memory.
const MOST_PIXELS: u64 = 1 << 28;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Picture,
    Film,
}

impl Kind {
    const BOTH: [Self; 2] = [Self::Picture, Self::Film];

    /// As limits call it.
    fn name(self) -> &'static str {
        match self {
            Self::Picture => "image",
            Self::Film => "video",
        }
    }
}

/// What can be drawn.
#[derive(Debug, Clone, Copy)]
struct Size {
    width: u16,
    height: u16,
    frames: u32,
}

impl Size {
    fn kind(self) -> Kind {
        if self.frames > 1 {
            Kind::Film
        } else {
            Kind::Picture
        }
    }
}

/// A source of prompts with pictures and films.
#[derive(Debug)]
pub(super) struct Pictured {
    text: RandomSource,
    seed: u64,
    /// Least and most items of a request.
    items: (u32, u32),
    /// Most pictures and most films of a request.
    limits: [u32; 2],
    sizes: Vec<Size>,
    all: WeightedIndex<f64>,
    /// The sizes of one kind alone, for when the other has come to its limit.
    alone: [Option<WeightedIndex<f64>>; 2],
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
        let sizes: Vec<Size> = drawn.iter().map(size_of).collect::<Result<_, _>>()?;
        let limits = limits(samples, &sizes)?;
        let weights = |of: fn(Size, Kind) -> bool, kind: Kind| {
            let pairs = drawn.iter().zip(&sizes);
            WeightedIndex::new(pairs.map(
                |(drawn, size)| {
                    if of(*size, kind) { drawn.weight } else { 0.0 }
                },
            ))
        };
        let all = weights(|_, _| true, Kind::Picture)
            .map_err(|error| refused(format!("sizes cannot be drawn from: {error}")))?;
        Ok(Self {
            text: RandomSource::open(opening, &samples.text, notes)?,
            seed: opening.plan.seed,
            items: items(samples, limits)?,
            limits,
            all,
            // Without a size of the kind there is none.
            alone: Kind::BOTH.map(|kind| weights(|size, kind| size.kind() == kind, kind).ok()),
            sizes,
        })
    }

    /// The text and what is beside it. What that comes to in tokens only the server knows: the text alone is counted.
    pub(super) fn sample(&self, position: u64, like: u64) -> Sample {
        let (text, tokens, output) = self.text.text(position, like);
        let (least, most) = self.items;
        let mut random = stream(self.seed, position, Purpose::Media);
        let count = random.random_range(least..=most);
        let mut left = self.limits;
        let parts = (0..count).map_while(|item| {
            let size = self.sizes[self.weights(left)?.sample(&mut random)];
            left[size.kind() as usize] -= 1;
            Some(self.part(scramble(position, 3, u64::from(item)), size))
        });
        let parts = parts.collect();
        Sample::new(Prompt::Media { text, parts }, Some(tokens), Some(output))
    }

    /// The texts, whose lengths may be limited.
    pub(super) fn texts(&self) -> &RandomSource {
        &self.text
    }

    /// What is drawn from where so many of each kind may still come.
    fn weights(&self, left: [u32; 2]) -> Option<&WeightedIndex<f64>> {
        match left {
            [0, 0] => None,
            [_, 0] => self.alone[Kind::Picture as usize].as_ref(),
            [0, _] => self.alone[Kind::Film as usize].as_ref(),
            _ => Some(&self.all),
        }
    }

    fn part(&self, which: u64, size: Size) -> Value {
        match size.kind() {
            Kind::Picture => {
                let url = media::data_url("image/jpeg", &self.noise(which, size));
                json!({"type": "image_url", "image_url": {"url": url}})
            }
            Kind::Film => {
                let frames = (0..size.frames).map(|frame| scramble(which, 4, u64::from(frame)));
                let frames: Vec<Vec<u8>> = frames.map(|which| self.noise(which, size)).collect();
                let film = mp4::film((size.width, size.height), &frames);
                let url = media::data_url("video/mp4", &film);
                json!({"type": "video_url", "video_url": {"url": url}})
            }
        }
    }

    fn noise(&self, which: u64, size: Size) -> Vec<u8> {
        let mut pixels = vec![0; 3 * usize::from(size.width) * usize::from(size.height)];
        stream(self.seed, which, Purpose::Pixels).fill_bytes(&mut pixels);
        jpeg::encode(size.width, size.height, &pixels)
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
    Ok(drawn)
}

fn size_of(format: &MediaSize) -> Result<Size, DatasetError> {
    let side = |length: u32| u16::try_from(length).ok().filter(|length| *length > 0);
    let (Some(width), Some(height)) = (side(format.width), side(format.height)) else {
        return Err(refused(format!(
            "a picture cannot be {} x {}: sides are from 1 to {}",
            format.height,
            format.width,
            u16::MAX
        )));
    };
    let pixels = u64::from(format.width) * u64::from(format.height) * u64::from(format.frames);
    if format.frames == 0 || (format.frames > 1 && pixels > MOST_PIXELS) {
        return Err(refused(format!(
            "a film cannot be {} x {} with {} frames: it has at least one, and {MOST_PIXELS} pixels at most",
            format.height, format.width, format.frames
        )));
    }
    Ok(Size {
        width,
        height,
        frames: format.frames,
    })
}

/// Most pictures and most films of a request; none of a kind that is not drawn.
fn limits(samples: &RandomMedia, sizes: &[Size]) -> Result<[u32; 2], DatasetError> {
    let mut limits = [0; 2];
    for kind in Kind::BOTH {
        if sizes.iter().any(|size| size.kind() == kind) {
            let limit = samples.limits.get(kind.name()).copied();
            limits[kind as usize] =
                limit.ok_or_else(|| refused(format!("there is no limit for `{}`", kind.name())))?;
        }
    }
    Ok(limits)
}

/// Least and most items of a request.
fn items(samples: &RandomMedia, limits: [u32; 2]) -> Result<(u32, u32), DatasetError> {
    if !(0.0..=1.0).contains(&samples.spread) {
        return Err(refused(format!(
            "the spread of the number of pictures must be from 0 to 1, not {}",
            samples.spread
        )));
    }
    let middle = f64::from(samples.items);
    let limit = limits.into_iter().fold(0, u32::saturating_add);
    let least = (middle * (1.0 - samples.spread)).floor() as u32;
    let most = ((middle * (1.0 + samples.spread)).ceil() as u32).min(limit);
    if least > most {
        return Err(refused(format!(
            "at least {least} pictures a request are above the limit of {limit}"
        )));
    }
    Ok((least, most))
}
