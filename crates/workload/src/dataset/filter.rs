//! Leaves out prompts that are too short or too long.

use std::num::NonZeroUsize;
use std::path::Path;

use super::{DatasetError, last_text};
use crate::presentation::{Content, Presentation};

/// Bounds of a prompt's length, inclusive: tokens where there is a tokenizer, else characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct LengthFilter {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl LengthFilter {
    /// Which prompts are within the bounds, and a note of how many are not.
    pub(super) fn judge(
        self,
        prompts: &[&Content],
        path: &Path,
        presentation: &Presentation,
        notes: &mut Vec<String>,
    ) -> Result<Vec<bool>, DatasetError> {
        let lengths = self.lengths(prompts, presentation);
        let verdicts: Vec<bool> = lengths.iter().map(|length| self.holds(*length)).collect();
        let left_out = verdicts.iter().filter(|kept| !**kept).count();
        let unit = if presentation.tokenizer.is_some() {
            "tokens"
        } else {
            "characters"
        };
        if left_out > 0 && left_out == prompts.len() {
            return Err(self.all_left_out(&lengths, path, unit));
        }
        if left_out > 0 {
            notes.push(format!(
                "{left_out} of {} prompts of {} are left out: they are not {} to {} {unit} long",
                prompts.len(),
                path.display(),
                self.min,
                self.max
            ));
        }
        Ok(verdicts)
    }

    fn holds(self, length: Length) -> bool {
        match length {
            Length::Within => true,
            Length::Counted(length) => (self.min..=self.max).contains(&length),
        }
    }

    fn all_left_out(self, lengths: &[Length], path: &Path, unit: &'static str) -> DatasetError {
        let counted = lengths.iter().filter_map(|length| match length {
            Length::Counted(length) => Some(*length),
            Length::Within => None,
        });
        DatasetError::AllLeftOut {
            path: path.to_owned(),
            count: lengths.len(),
            min: self.min,
            max: self.max,
            unit,
            shortest: counted.clone().min().unwrap_or(0),
            longest: counted.max().unwrap_or(0),
        }
    }

    /// Counting is slow, so all processors share it.
    fn lengths(self, prompts: &[&Content], presentation: &Presentation) -> Vec<Length> {
        let room = presentation
            .count(&Content::Text(String::new()))
            .unwrap_or(0);
        let measure = |prompt: &&Content| self.measure(prompt, room, presentation);
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = prompts.len().div_ceil(threads).max(1);
        if threads == 1 || prompts.len() < 64 {
            return prompts.iter().map(measure).collect();
        }
        std::thread::scope(|scope| {
            let parts: Vec<_> = prompts
                .chunks(share)
                .map(|part| scope.spawn(move || part.iter().map(measure).collect::<Vec<_>>()))
                .collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().expect("counting tokens does not panic"))
                .collect()
        })
    }

    /// Of a conversation only what is said last counts.
    fn measure(self, prompt: &Content, around: u32, presentation: &Presentation) -> Length {
        let Some(text) = last_text(prompt) else {
            return Length::Within;
        };
        if presentation.tokenizer.is_none() {
            return Length::Counted(text.chars().count() as u32);
        }
        // An ASCII text has no more tokens than bytes; a few more may arise where it meets the template.
        let most = text.len() as u64 + u64::from(around) + 16;
        if self.min == 0 && text.is_ascii() && most <= u64::from(self.max) {
            return Length::Within;
        }
        match presentation.count(&Content::Text(text.to_owned())) {
            Some(tokens) => Length::Counted(tokens),
            None => Length::Within,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Length {
    /// Surely within the bounds, not counted.
    Within,
    Counted(u32),
}
