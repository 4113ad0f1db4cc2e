//! Conversations of random words: each turn has a text of its own, of exact length.

use crestline_core::request::{History, Message};
use rand::RngExt as _;

use super::super::Opening;
use super::super::words::{Words, range_around};
use super::{NAME, Said, refuse};
use crate::WorkloadError;
use crate::dataset::random_text::{Shared, Wanted};
use crate::draw::{Purpose, scramble, stream};
use crate::plan::{RandomTurns, SharedTurns, TurnCounts};

/// Set apart the shared texts of all conversations and of each from those that others draw.
const BY_ALL: u64 = 3;
const BY_CONVERSATION: u64 = 4;

/// A source of random turns.
#[derive(Debug)]
pub(super) struct Made {
    words: Words,
    seed: u64,
    offset: u64,
    turns: (u32, u32),
    /// Least and most tokens of a turn's text.
    input: (u32, u32),
    output: (u32, u32),
    shared: Option<SharedTurns>,
}

impl Made {
    pub(super) fn open(
        opening: Opening<'_>,
        samples: RandomTurns,
        counts: TurnCounts,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let words = Words::open(opening, notes)?;
        let input = range_around(samples.input, words.around(), NAME)?;
        let output = range_around(samples.output, 0, NAME)?;
        let made = Self {
            words,
            seed: opening.plan.seed,
            offset: opening.plan.offset,
            turns: (counts.least, counts.most.unwrap_or(counts.least)),
            input,
            output: (output.0.max(1), output.1.max(1)),
            shared: samples.shared,
        };
        made.check(opening.sampling.longest)?;
        let first = |index: u64| made.wanted(index.wrapping_add(made.offset), 0);
        made.words
            .note_inexact(opening.sampling.requests, first, notes);
        Ok(made)
    }

    fn check(&self, longest: Option<u32>) -> Result<(), WorkloadError> {
        if self.input.0 == 0 {
            return Err(refuse(format!(
                "a turn would have no token of its own: {} tokens stand around every prompt",
                self.words.around()
            ))
            .into());
        }
        if let Some(SharedTurns {
            by_all,
            by_conversation,
        }) = self.shared
            && (by_all < 0.0 || by_conversation < 0.0 || by_all + by_conversation >= 1.0)
        {
            return Err(refuse(format!(
                "the shares of a turn that others have too must be at least 0 and together below 1, not {by_all} and \
                 {by_conversation}"
            ))
            .into());
        }
        let together = match self.history() {
            History::Live => self.turns.1,
            History::Nothing => 1,
        };
        let turn = u64::from(self.input.1) + u64::from(self.words.around() + self.output.1);
        let whole = turn * u64::from(together);
        match longest {
            Some(longest) if whole > u64::from(longest) => Err(refuse(format!(
                "the last of {together} turns may have {whole} tokens of input and output, above {longest}: take fewer or \
                 shorter turns"
            ))
            .into()),
            _ => Ok(()),
        }
    }

    pub(super) fn history(&self) -> History {
        match self.shared {
            None => History::Live,
            Some(_) => History::Nothing,
        }
    }

    /// Turns of the conversation at a position.
    pub(super) fn turns(&self, position: u64) -> u32 {
        let (least, most) = self.turns;
        stream(self.seed, position, Purpose::Turns).random_range(least..=most)
    }

    pub(super) fn conversation(&self, position: u64) -> Vec<Said> {
        let said = |turn: u32| Said {
            messages: vec![Message::user(
                self.words.text(self.wanted(position, turn)).0,
            )],
            output: self.output_at(self.place(position, turn)),
        };
        (0..self.turns(position)).map(said).collect()
    }

    /// No two turns have the same place.
    fn place(&self, position: u64, turn: u32) -> u64 {
        position
            .wrapping_mul(u64::from(self.turns.1))
            .wrapping_add(u64::from(turn))
    }

    fn wanted(&self, position: u64, turn: u32) -> Wanted {
        let place = self.place(position, turn);
        let (least, most) = self.input;
        let tokens = stream(self.seed, place, Purpose::InputLength).random_range(least..=most);
        let part = |share: f64| (f64::from(tokens) * share) as u32;
        let (by_all, by_conversation) = self.shared.map_or((0, 0), |shared| {
            (part(shared.by_all), part(shared.by_conversation))
        });
        Wanted {
            position: place,
            tokens,
            shared: Shared {
                which: scramble(self.offset, BY_ALL, 0),
                tokens: by_all,
            },
            also: Shared {
                which: scramble(self.offset, BY_CONVERSATION, position),
                tokens: by_conversation,
            },
        }
    }

    fn output_at(&self, place: u64) -> u32 {
        let (least, most) = self.output;
        stream(self.seed, place, Purpose::OutputLength).random_range(least..=most)
    }
}
