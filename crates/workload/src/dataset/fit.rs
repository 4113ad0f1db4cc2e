//! Fits real prompts to a length in tokens: longer ones are cut, shorter ones stay, are skipped, or are filled up.
//!
//! Lengths are those of the content alone, without chat template, as the first tokens of a text are what is kept of it.

use std::path::{Path, PathBuf};

use crestline_core::request::Message;
use serde_json::{Map, Value};

use super::{DatasetError, last_text};
use crate::plan::{Fit, FitMode, PrefixRole};
use crate::presentation::{Content, Presentation};
use crate::tokenizer::Tokenizer;

/// Corrections of a filling after which it is taken as it is.
const MOST_ROUNDS: usize = 10;

/// Fits the prompts of one data set.
#[derive(Debug)]
pub(super) struct Fitting<'a> {
    tokenizer: &'a Tokenizer,
    target: usize,
    mode: FitMode,
    filling: Option<Filling>,
    presentation: &'a Presentation,
    /// Prompts that needed more filling than the file has.
    tiled: usize,
    /// Prompts whose filling has not exactly the wanted length.
    inexact: usize,
}

#[derive(Debug)]
struct Filling {
    path: PathBuf,
    ids: Vec<u32>,
    role: PrefixRole,
}

impl<'a> Fitting<'a> {
    /// Reads the file of the filling.
    pub(super) fn new(
        fit: &Fit,
        tokenizer: &'a Tokenizer,
        presentation: &'a Presentation,
    ) -> Result<Self, DatasetError> {
        let filling = match &fit.prefix_file {
            None => None,
            Some(path) => Some(Filling {
                ids: tokenizer.encode(&read_prefix(path)?),
                path: path.clone(),
                role: fit.prefix_role,
            }),
        };
        Ok(Self {
            tokenizer,
            target: fit.target_input_len as usize,
            mode: fit.mode,
            filling,
            presentation,
            tiled: 0,
            inexact: 0,
        })
    }

    /// Fits all prompts, in their order.
    pub(super) fn apply(
        mut self,
        prompts: Vec<Content>,
        path: &Path,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Content>, DatasetError> {
        let count = prompts.len();
        let fitted: Vec<Content> = prompts
            .into_iter()
            .filter_map(|prompt| self.fit(prompt))
            .collect();
        if fitted.is_empty() && count > 0 {
            return Err(DatasetError::Malformed {
                path: path.to_owned(),
                line: None,
                reason: format!(
                    "dataset is empty: none of its {count} prompts can be fitted to {} tokens",
                    self.target
                ),
            });
        }
        self.note(count - fitted.len(), path, notes);
        Ok(fitted)
    }

    fn note(&self, skipped: usize, path: &Path, notes: &mut Vec<String>) {
        let (target, path) = (self.target, path.display());
        if skipped > 0 {
            notes.push(format!(
                "{skipped} prompts of {path} are skipped: they cannot be fitted to {target} tokens"
            ));
        }
        if let (true, Some(filling)) = (self.tiled > 0, &self.filling) {
            let (file, tokens) = (filling.path.display(), filling.ids.len());
            notes.push(format!(
                "{file} has only {tokens} tokens: it is repeated in {} prompts",
                self.tiled
            ));
        }
        if self.inexact > 0 {
            notes.push(format!(
                "{} prompts of {path} are some tokens off {target}",
                self.inexact
            ));
        }
    }

    /// `None` skips the prompt.
    fn fit(&mut self, prompt: Content) -> Option<Content> {
        if self.filling.is_some() {
            return self.fill(prompt);
        }
        let text = last_text(&prompt)?;
        let ids = self.tokenizer.encode(text);
        if ids.len() < self.target {
            return (self.mode == FitMode::Cap).then_some(prompt);
        }
        let text = if ids.len() > self.target {
            self.cut(&ids)
        } else {
            text.to_owned()
        };
        Some(with_last_text(prompt, text))
    }

    /// The text of the first tokens. A character that the cut goes through is left out.
    fn cut(&self, ids: &[u32]) -> String {
        let mut text = self.tokenizer.decode(&ids[..self.target]);
        let whole = text.trim_end_matches('\u{FFFD}').len();
        text.truncate(whole);
        text
    }

    /// A single prompt that is too long is cut, a conversation is skipped.
    fn fill(&mut self, prompt: Content) -> Option<Content> {
        let total = self.content_tokens(&prompt);
        match prompt {
            Content::Text(text) if total > self.target => {
                Some(Content::Text(self.cut(&self.tokenizer.encode(&text))))
            }
            _ if total > self.target => None,
            _ if total == self.target => Some(prompt),
            prompt => {
                let filling = self.filling_of(self.target - total);
                Some(self.join(filling, prompt))
            }
        }
    }

    fn content_tokens(&self, prompt: &Content) -> usize {
        match prompt {
            Content::Text(text) => self.tokenizer.count(text),
            Content::Messages(messages) => messages
                .iter()
                .filter_map(|message| message.content.as_str())
                .map(|text| self.tokenizer.count(text))
                .sum(),
            Content::Body(_) => 0,
        }
    }

    /// A text of exactly `budget` tokens from the begin of the file, as far as that can be had.
    fn filling_of(&mut self, budget: usize) -> String {
        let Some(filling) = &self.filling else {
            return String::new();
        };
        let source = || filling.ids.iter().copied().cycle();
        let mut text = self
            .tokenizer
            .decode(&source().take(budget).collect::<Vec<_>>());
        let mut exact = false;
        for _ in 0..MOST_ROUNDS {
            let mut ids = self.tokenizer.encode(&text);
            exact = ids.len() == budget;
            if exact {
                break;
            }
            let missing = budget.saturating_sub(ids.len());
            ids.truncate(budget);
            ids.extend(source().skip(budget % filling.ids.len()).take(missing));
            text = self.tokenizer.decode(&ids);
        }
        self.tiled += usize::from(budget > filling.ids.len());
        self.inexact += usize::from(!exact);
        text
    }

    fn join(&self, filling: String, prompt: Content) -> Content {
        let role = self
            .filling
            .as_ref()
            .map_or(PrefixRole::System, |filling| filling.role);
        match (prompt, role) {
            (Content::Text(text), PrefixRole::System) if self.presentation.is_chat() => {
                Content::Messages(vec![system(filling), Message::user(text)])
            }
            (Content::Text(text), _) => Content::Text(filling + &text),
            (Content::Messages(mut messages), PrefixRole::System) => {
                messages.insert(0, system(filling));
                Content::Messages(messages)
            }
            (Content::Messages(mut messages), PrefixRole::User) => {
                if let Some(Value::String(first)) =
                    messages.first_mut().map(|message| &mut message.content)
                {
                    first.insert_str(0, &filling);
                }
                Content::Messages(messages)
            }
            (body @ Content::Body(_), _) => body,
        }
    }
}

fn system(text: String) -> Message {
    Message {
        role: "system".to_owned(),
        content: Value::String(text),
        rest: Map::new(),
    }
}

fn with_last_text(prompt: Content, text: String) -> Content {
    match prompt {
        Content::Messages(mut messages) => {
            if let Some(last) = messages.last_mut() {
                last.content = Value::String(text);
            }
            Content::Messages(messages)
        }
        Content::Text(_) => Content::Text(text),
        body @ Content::Body(_) => body,
    }
}

/// The text of a prefix file, which must not be empty.
pub(super) fn read_prefix(path: &Path) -> Result<String, DatasetError> {
    let text = std::fs::read_to_string(path).map_err(|source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    if text.is_empty() {
        return Err(DatasetError::Malformed {
            path: path.to_owned(),
            line: None,
            reason: "a prefix file must hold some text".to_owned(),
        });
    }
    Ok(text)
}
