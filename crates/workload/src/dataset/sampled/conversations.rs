//! Conversations: turns of random words, or what people said in stored ones.
//!
//! A turn is only what is new in it. What the service answered is not known here, and who sends what when is not decided here.

mod made;
mod stored;

use crestline_core::request::{Conversation, History, Item, Message, Prompt, Turn};
use crestline_core::units::Nanos;

use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::plan::{ConversationSamples, ConversationSource, PromptForm, TurnCounts};
use crate::presentation::{Content, Presentation};
use made::Made;
use stored::Stored;

const NAME: &str = "conversations of several turns";

/// A source of conversations.
#[derive(Debug)]
pub(super) struct Conversations {
    source: Source,
    pause: Nanos,
    most: u32,
}

#[derive(Debug)]
enum Source {
    Made(Box<Made>),
    Stored(Stored),
}

/// What a turn says, and how long its answer may be.
#[derive(Debug, Clone)]
struct Said {
    messages: Vec<Message>,
    output: u32,
}

impl Conversations {
    pub(super) fn open(
        opening: Opening<'_>,
        samples: &ConversationSamples,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        check(samples.turns)?;
        if opening.presentation.form != PromptForm::Chat {
            return Err(refuse("turns are messages, so that they need a chat".to_owned()).into());
        }
        let source = match &samples.source {
            ConversationSource::Random(turns) => {
                let made = Made::open(opening, *turns, samples.turns, notes)?;
                Source::Made(Box::new(made))
            }
            ConversationSource::ShareGpt(file) => {
                Source::Stored(Stored::of_array(opening, file, samples.turns, notes)?)
            }
            ConversationSource::Messages(file) => {
                Source::Stored(Stored::of_lines(opening, file, samples.turns, notes)?)
            }
        };
        let most = match &source {
            Source::Made(_) => samples.turns.most.unwrap_or(samples.turns.least),
            Source::Stored(stored) => stored.most_turns(),
        };
        Ok(Self {
            source,
            pause: samples.pause,
            most,
        })
    }

    /// Turns of the longest conversation.
    pub(super) fn most_turns(&self) -> u32 {
        self.most
    }

    /// Number of conversations; `None` where there is no end of them.
    pub(super) fn len(&self) -> Option<u64> {
        match &self.source {
            Source::Made(_) => None,
            Source::Stored(stored) => Some(stored.len() as u64),
        }
    }

    /// Turns of the conversation at a position; `row` gives the one of so many that stands there.
    pub(super) fn turns(&self, position: u64, row: impl Fn(usize) -> usize) -> u32 {
        match &self.source {
            Source::Made(made) => made.turns(position),
            Source::Stored(stored) => stored.get(row(stored.len())).len() as u32,
        }
    }

    /// The first turn of the conversation at a position.
    pub(super) fn first_turn(
        &self,
        position: u64,
        row: impl Fn(usize) -> usize,
        presentation: &Presentation,
    ) -> Sample {
        let conversation = self.conversation((0, position), row, presentation);
        let first = conversation.turns.into_iter().next();
        let item = first.expect("a conversation has a turn").item;
        Sample::new(item.prompt, item.prompt_tokens, item.max_tokens)
    }

    /// The conversation at a position, as the `index`-th of the workload.
    pub(super) fn conversation(
        &self,
        (index, position): (u64, u64),
        row: impl Fn(usize) -> usize,
        presentation: &Presentation,
    ) -> Conversation {
        let (said, history) = match &self.source {
            Source::Made(made) => (made.conversation(position), made.history()),
            Source::Stored(stored) => (stored.get(row(stored.len())).to_vec(), History::Live),
        };
        let turns = said.into_iter().enumerate().map(|(turn, said)| {
            // How long a turn is with all that was said before, is known when it is sent.
            let is_whole = turn == 0 || history == History::Nothing;
            let content = Content::Messages(said.messages);
            let prompt_tokens = is_whole.then(|| presentation.count(&content)).flatten();
            let Content::Messages(messages) = content else {
                unreachable!("made of messages above")
            };
            let item = Item {
                prompt_tokens,
                max_tokens: Some(said.output),
                ..Item::new(index, Prompt::Messages(messages))
            };
            Turn {
                item,
                pause: self.pause,
            }
        });
        Conversation {
            turns: turns.collect(),
            history,
        }
    }
}

fn check(turns: TurnCounts) -> Result<(), DatasetError> {
    if turns.least == 0 {
        return Err(refuse("a conversation has at least one turn".to_owned()));
    }
    match turns.most {
        Some(most) if most < turns.least => Err(refuse(format!(
            "at most {most} turns and at least {} exclude each other",
            turns.least
        ))),
        _ => Ok(()),
    }
}

fn refuse(reason: String) -> DatasetError {
    DatasetError::Unusable { name: NAME, reason }
}
