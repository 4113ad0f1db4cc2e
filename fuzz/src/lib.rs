//! What fuzz targets share: how an input says where the network cut its bytes, and a plan that reads a data set.
//!
//! Holds no oracle: what must be true is stated in each target.

use crestline_workload::plan::{Dataset, PromptForm, WorkloadPlan};

/// Bytes at the front of an input that say how the rest is cut.
const CUTS: usize = 4;

/// Splits an input into the bytes that it means and the pieces in which they arrive.
///
/// Each of the first four bytes is a length from 0 to 31; pieces take these lengths in turn.
pub fn cut(input: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let (cuts, bytes) = input.split_at(input.len().min(CUTS));
    let mut lengths: Vec<usize> = cuts.iter().map(|cut| usize::from(cut % 32)).collect();
    if lengths.iter().all(|length| *length == 0) {
        lengths = vec![1];
    }
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for length in lengths.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    (bytes, pieces)
}

/// Chat requests with the prompts of a data set, counted by the builtin tokenizer, none too long or too short.
pub fn plan(dataset: Dataset) -> WorkloadPlan {
    WorkloadPlan {
        dataset,
        tokenizer: Some("builtin".to_owned()),
        form: PromptForm::Chat,
        min_prompt_length: 0,
        max_prompt_length: u32::MAX,
        prefix_length: 0,
        max_tokens: Some((1, 8)),
        offset: 0,
        seed: 1,
    }
}
