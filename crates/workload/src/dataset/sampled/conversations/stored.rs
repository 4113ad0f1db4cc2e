//! What people said in stored conversations: the answers of then are left out, for the service gives its own.

use std::path::{Path, PathBuf};

use crestline_core::request::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Opening;
use super::super::listing::Listing;
use super::super::share_gpt::{self, Lengths};
use super::super::{media, share_gpt::Turn};
use super::{Said, refuse};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::existing;
use crate::plan::{PromptSamples, ShareGptSamples, TurnCounts};
use crate::presentation::{Content, Presentation};

/// Conversations that were read.
#[derive(Debug)]
pub(super) struct Stored(Vec<Vec<Said>>);

/// One turn as the file has it.
#[derive(Debug)]
struct Read {
    messages: Vec<Message>,
    /// What was answered then; `None` where the conversation ends before.
    answer: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    messages: Option<Vec<Message>>,
    conversations: Option<Vec<Turn>>,
    #[serde(default)]
    output_tokens: Option<u32>,
}

impl Stored {
    /// Of a JSON array of objects with `conversations`.
    pub(super) fn of_array(
        opening: Opening<'_>,
        samples: &ShareGptSamples,
        counts: TurnCounts,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let listing = Listing::open(opening)?;
        let path = existing("sharegpt", &samples.path)?;
        listing.tokenizer("leaving out conversations that are too short or too long")?;
        let mut taken = Taken::new(opening, path.clone(), counts);
        for conversation in listing.ordered(share_gpt::read(&path)?) {
            if taken.is_full() {
                break;
            }
            let parts = [
                conversation.image.as_ref().map(media::image_part),
                conversation.video.as_ref().map(media::video_part),
            ];
            let parts: Vec<Value> = parts
                .into_iter()
                .flatten()
                .collect::<Result<_, _>>()
                .map_err(refuse)?;
            let read = turns_of(of_people(conversation.conversations, &parts));
            if is_usable(&read, samples.output_length, &listing) {
                taken.take(said(read, samples.output_length, &listing));
            } else {
                taken.invalid += 1;
            }
        }
        Ok(taken.finish(notes)?)
    }

    /// Of lines with `messages` or `conversations`.
    pub(super) fn of_lines(
        opening: Opening<'_>,
        samples: &PromptSamples,
        counts: TurnCounts,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let mut listing = Listing::open(opening)?;
        let (path, lines) = listing.lines::<Line>("custom", &samples.path)?;
        let mut taken = Taken::new(opening, path.clone(), counts);
        for (number, line) in lines {
            if taken.is_full() {
                break;
            }
            let malformed = |reason: &str| DatasetError::Malformed {
                path: path.clone(),
                line: Some(number),
                reason: reason.to_owned(),
            };
            let messages = match (line.messages, line.conversations) {
                (Some(messages), _) => messages,
                (None, Some(turns)) => of_people(turns, &[]),
                (None, None) => {
                    return Err(malformed("it has neither `messages` nor `conversations`").into());
                }
            };
            if messages.iter().any(|message| message.role == "tool") {
                let reason = "it has the result of a tool, which only fits the answer of then";
                return Err(malformed(reason).into());
            }
            let output = samples.output_length.or(line.output_tokens);
            let output = output.ok_or_else(|| {
                malformed("it has no `output_tokens`, and no length of answers is set")
            })?;
            taken.take(said(turns_of(messages), Some(output), &listing));
        }
        Ok(taken.finish(notes)?)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn most_turns(&self) -> u32 {
        self.0.iter().map(Vec::len).max().unwrap_or(1) as u32
    }

    pub(super) fn get(&self, row: usize) -> &[Said] {
        &self.0[row]
    }
}

/// As messages; the first of a user's has these parts beside it. Where it is not said who speaks, they take turns.
fn of_people(turns: Vec<Turn>, parts: &[Value]) -> Vec<Message> {
    let mut parts = Some(parts).filter(|parts| !parts.is_empty());
    let message = |(at, turn): (usize, Turn)| {
        let role = match turn.from.as_deref() {
            Some("system") => "system",
            Some("gpt" | "assistant" | "chatgpt" | "bing" | "bard") => "assistant",
            None if at % 2 == 1 => "assistant",
            _ => "user",
        };
        let beside = parts.take_if(|_| role == "user");
        let content = match beside {
            Some(parts) => {
                let text = json!({"type": "text", "text": turn.value});
                std::iter::once(text).chain(parts.iter().cloned()).collect()
            }
            None => Value::String(turn.value),
        };
        Message {
            role: role.to_owned(),
            content,
            rest: Map::new(),
        }
    };
    turns.into_iter().enumerate().map(message).collect()
}

/// What is said between two answers is a turn; answers to nothing are left out.
fn turns_of(messages: Vec<Message>) -> Vec<Read> {
    let mut turns: Vec<Read> = Vec::new();
    for message in messages {
        let open = turns.last_mut().filter(|turn| turn.answer.is_none());
        match (open, message.role == "assistant") {
            (Some(turn), true) => turn.answer = Some(text(&message.content)),
            (None, true) => {}
            (Some(turn), false) => turn.messages.push(message),
            (None, false) => turns.push(Read {
                messages: vec![message],
                answer: None,
            }),
        }
    }
    turns
}

fn text(content: &Value) -> String {
    content
        .as_str()
        .map_or_else(|| content.to_string(), str::to_owned)
}

/// The first question and its answer are of a length that is worth sending.
fn is_usable(turns: &[Read], output_length: Option<u32>, listing: &Listing<'_>) -> bool {
    let counted = |text: &str| listing.plain_count(text).unwrap_or(0);
    let Some(first) = turns.first() else {
        return false;
    };
    let question: u32 = first
        .messages
        .iter()
        .map(|message| counted(&text(&message.content)))
        .sum();
    let answer = first.answer.as_deref().map_or(0, counted);
    Lengths {
        prompt: question,
        answer: output_length.unwrap_or(answer),
        forced: output_length.is_some(),
    }
    .are_usable()
}

/// With the length that is asked for, or else that of the answer of then; without either a turn is left out.
fn said(turns: Vec<Read>, output_length: Option<u32>, listing: &Listing<'_>) -> Vec<Said> {
    let said = |turn: Read| {
        let answer = turn.answer.as_deref();
        let stored = answer.and_then(|answer| listing.plain_count(answer));
        Some(Said {
            messages: turn.messages,
            output: output_length.or(stored)?.max(1),
        })
    };
    turns.into_iter().filter_map(said).collect()
}

/// Conversations that are kept.
struct Taken<'a> {
    opening: Opening<'a>,
    path: PathBuf,
    counts: TurnCounts,
    kept: Vec<Vec<Said>>,
    invalid: usize,
    too_short: usize,
    cut: usize,
    too_long: usize,
}

impl<'a> Taken<'a> {
    fn new(opening: Opening<'a>, path: PathBuf, counts: TurnCounts) -> Self {
        Self {
            opening,
            path,
            counts,
            kept: Vec::new(),
            invalid: 0,
            too_short: 0,
            cut: 0,
            too_long: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.kept.len() as u64 >= self.opening.sampling.requests
    }

    /// Cuts a conversation where it becomes too long, and takes it where it is long enough.
    fn take(&mut self, mut turns: Vec<Said>) {
        if let Some(most) = self.counts.most {
            turns.truncate(most as usize);
        }
        let least = self.counts.least as usize;
        if turns.len() < least {
            self.too_short += 1;
            return;
        }
        if let Some(longest) = self.opening.sampling.longest {
            let fitting = fitting(&turns, longest, self.opening.presentation);
            if fitting < least {
                self.too_long += 1;
                return;
            }
            self.cut += usize::from(fitting < turns.len());
            turns.truncate(fitting);
        }
        self.kept.push(turns);
    }

    fn finish(self, notes: &mut Vec<String>) -> Result<Stored, DatasetError> {
        let Self { opening, path, .. } = self;
        let longest = opening.sampling.longest;
        if self.kept.is_empty() {
            return Err(match self.invalid + self.too_short + self.too_long {
                0 => DatasetError::Empty { path },
                _ if self.too_short > 0 => too_few_turns(&path, self.counts.least),
                _ => DatasetError::NoneLeft {
                    path,
                    invalid: self.invalid,
                    too_long: self.too_long,
                    longest,
                },
            });
        }
        if self.too_short > 0 {
            notes.push(format!(
                "{} conversations of {} are left out: they have fewer than {} turns",
                self.too_short,
                path.display(),
                self.counts.least
            ));
        }
        if self.cut + self.too_long > 0 {
            notes.push(format!(
                "{} conversations of {} are cut and {} are left out: their input and output together come to more than {} tokens",
                self.cut,
                path.display(),
                self.too_long,
                longest.unwrap_or_default()
            ));
        }
        Ok(Stored(self.kept))
    }
}

fn too_few_turns(path: &Path, least: u32) -> DatasetError {
    refuse(format!(
        "none of {} that could be sent has {least} turns or more",
        path.display()
    ))
}

/// Turns from the begin that, with all that was said before and answers as long as they may be, are within a length.
fn fitting(turns: &[Said], longest: u32, presentation: &Presentation) -> usize {
    let mut whole = 0_u64;
    let fits = |turn: &&Said| {
        let content = Content::Messages(turn.messages.clone());
        let tokens = presentation.count(&content).unwrap_or(0);
        whole += u64::from(tokens) + u64::from(turn.output);
        whole <= u64::from(longest)
    };
    turns.iter().take_while(fits).count()
}
