//! What went wrong in a run, by kind.
//!
//! Keeps a few texts of each kind, never all.

use std::collections::BTreeMap;

use crate::record::{FailureKind, RequestRecord};
use crate::units::Nanos;

/// Different texts that are kept of a kind: those that came first.
pub const TEXTS: usize = 3;
/// Letters that are kept of a text.
const LETTERS: usize = 400;

/// Failures of each kind that occurred.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failures(BTreeMap<FailureKind, FailureFacts>);

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureFacts {
    /// How many.
    pub count: u64,
    /// When the first of them ended.
    pub first: Nanos,
    /// When the last of them ended.
    pub last: Nanos,
    /// Each text with when it first came, and in which request.
    texts: BTreeMap<String, (Nanos, u64)>,
}

impl Failures {
    /// By kind.
    pub fn kinds(&self) -> impl Iterator<Item = (FailureKind, &FailureFacts)> {
        self.0.iter().map(|(kind, facts)| (*kind, facts))
    }

    pub(super) fn add(&mut self, record: &RequestRecord) {
        let Some(failure) = &record.failure else {
            return;
        };
        let mut facts = FailureFacts {
            count: 1,
            first: record.end,
            last: record.end,
            texts: BTreeMap::new(),
        };
        let text = shortened(&failure.text);
        if !text.is_empty() {
            facts.texts.insert(text, (record.end, record.index));
        }
        self.add_facts(failure.kind, facts);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (kind, facts) in other.0 {
            self.add_facts(kind, facts);
        }
    }

    fn add_facts(&mut self, kind: FailureKind, facts: FailureFacts) {
        match self.0.get_mut(&kind) {
            Some(known) => known.merge(facts),
            None => drop(self.0.insert(kind, facts)),
        }
    }
}

impl FailureFacts {
    /// Up to [`TEXTS`] different texts, in the order in which they first came; long ones shortened.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<(&(Nanos, u64), &str)> = self
            .texts
            .iter()
            .map(|(text, first)| (first, text.as_str()))
            .collect();
        texts.sort_unstable();
        texts.into_iter().map(|(_, text)| text).collect()
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (text, first) in other.texts {
            let known = self.texts.entry(text).or_insert(first);
            *known = (*known).min(first);
        }
        // A text that is given up here came later than three others, and cannot be among the first three of a whole.
        while self.texts.len() > TEXTS {
            let latest = self
                .texts
                .iter()
                .max_by_key(|(text, first)| (**first, *text));
            let Some(text) = latest.map(|(text, _)| text.clone()) else {
                return;
            };
            self.texts.remove(&text);
        }
    }
}

/// So that it fits a table.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
