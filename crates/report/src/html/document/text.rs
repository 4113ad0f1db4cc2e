//! Running text: plain words, words that are stressed, code and links within the page.
//!
//! Holds no markup.

use std::fmt::Write as _;

use super::names::id;
use crate::figures::escaped;

/// Words of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(Vec<Run>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Run {
    Plain(String),
    Strong(String),
    Quiet(String),
    Code(String),
    Link { words: String, to: String },
}

impl Text {
    /// Plain words.
    pub fn plain(words: impl Into<String>) -> Self {
        Self::default().and(words)
    }

    /// The same with plain words behind it.
    #[must_use]
    pub fn and(self, words: impl Into<String>) -> Self {
        self.with(Run::Plain(words.into()))
    }

    /// With words that are stressed.
    #[must_use]
    pub fn strong(self, words: impl Into<String>) -> Self {
        self.with(Run::Strong(words.into()))
    }

    /// With words that matter less.
    #[must_use]
    pub fn quiet(self, words: impl Into<String>) -> Self {
        self.with(Run::Quiet(words.into()))
    }

    /// With a flag, a name or a value as it is typed.
    #[must_use]
    pub fn code(self, text: impl Into<String>) -> Self {
        self.with(Run::Code(text.into()))
    }

    /// With a link to a tab or a sub-page, by its id.
    #[must_use]
    pub fn link(self, words: impl Into<String>, to: impl Into<String>) -> Self {
        self.with(Run::Link {
            words: words.into(),
            to: to.into(),
        })
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    fn with(mut self, run: Run) -> Self {
        self.0.push(run);
        self
    }

    /// Whether no word of it differs from the others.
    pub(super) fn is_plain(&self) -> bool {
        self.0.iter().all(|run| matches!(run, Run::Plain(_)))
    }

    /// Without any form.
    pub(super) fn words(&self) -> String {
        let words = self.0.iter().map(|run| match run {
            Run::Plain(words)
            | Run::Strong(words)
            | Run::Quiet(words)
            | Run::Code(words)
            | Run::Link { words, .. } => words.as_str(),
        });
        words.collect()
    }

    pub(super) fn markup(&self) -> String {
        let mut out = String::new();
        for run in &self.0 {
            let _ = match run {
                Run::Plain(words) => write!(out, "{}", escaped(words)),
                Run::Strong(words) => write!(out, "<strong>{}</strong>", escaped(words)),
                Run::Quiet(words) => write!(out, "<span class=\"quiet\">{}</span>", escaped(words)),
                Run::Code(text) => write!(out, "<code>{}</code>", escaped(text)),
                Run::Link { words, to } => {
                    write!(out, "<a href=\"#{}\">{}</a>", id(to), escaped(words))
                }
            };
        }
        out
    }
}

impl From<&str> for Text {
    fn from(words: &str) -> Self {
        Self::plain(words)
    }
}

impl From<String> for Text {
    fn from(words: String) -> Self {
        Self::plain(words)
    }
}
