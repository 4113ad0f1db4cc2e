//! `speed_benchmark` and `speed_benchmark_long`: one character, which many vocabularies have as one token, over and over.

use super::Entry;
use crate::presentation::{Content, Presentation};

const CHARACTER: &str = "\u{71B5}";
const SHORT: [usize; 4] = [1, 6144, 14_336, 30_720];
const LONG: [usize; 2] = [63_488, 129_024];

/// How long the prompts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    Short,
    Long,
}

impl Range {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Short => "speed_benchmark",
            Self::Long => "speed_benchmark_long",
        }
    }

    fn lengths(self) -> &'static [usize] {
        match self {
            Self::Short => &SHORT,
            Self::Long => &LONG,
        }
    }
}

/// Each length twice.
pub(super) fn prompts(range: Range, presentation: &Presentation) -> Vec<Entry> {
    let lengths = range.lengths().iter();
    lengths
        .flat_map(|length| {
            let content = Content::Text(CHARACTER.repeat(*length));
            let tokens = count(*length, &content, presentation);
            [
                Entry::with_tokens(content.clone(), tokens),
                Entry::with_tokens(content, tokens),
            ]
        })
        .collect()
}

/// Where the count grows by the same number for each character, long texts need not be encoded.
fn count(length: usize, content: &Content, presentation: &Presentation) -> Option<u32> {
    let of = |times: u32| presentation.count(&Content::Text(CHARACTER.repeat(times as usize)));
    let (one, two, many) = (of(1)?, of(2)?, of(65)?);
    let each = two.checked_sub(one)?;
    if many == one + 64 * each {
        return Some(one + (length as u32 - 1) * each);
    }
    presentation.count(content)
}
