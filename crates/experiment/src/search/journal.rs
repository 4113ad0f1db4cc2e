//! The journal of a search: one JSON line for each thing that was done, so that a killed search can go on.
//!
//! Holds what the records do not: which load was applied when, and what came of each dwell. The records themselves are in
//! the database beside it. A line that was cut off by a kill is left out when the journal is read, and removed when it is
//! written on.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crestline_core::search::{Answer, Question, Span};
use crestline_core::units::Nanos;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Plan, SearchPlan};

/// The name of the journal in a search's folder.
pub const JOURNAL: &str = "sla_journal.jsonl";

/// Version of the format that this build writes. It reads this one and all before it.
pub const JOURNAL_VERSION: u32 = 2;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The first line: what the search is of.
    Begin(Box<Begin>),
    /// A later command goes on here.
    Resume(Resumed),
    /// A load is applied.
    Change(Applied),
    /// A dwell has begun, or ended.
    Dwell(Dwelt),
    /// A run of a bisection has ended.
    Run(RunEnd),
    /// A group has an answer that more load would not change. From version 2 on.
    Answer(Box<Answered>),
    /// The search has its answers.
    End {
        /// When.
        at: Nanos,
        /// Every request that was sent has ended, and is on file. From version 2 on.
        #[serde(default)]
        drained: bool,
    },
}

/// A group that has its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Its place in the question, from 0.
    pub group: u32,
    /// What was found.
    pub answer: Answer,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Of the format.
    pub version: u32,
    /// What must be the same for the search to go on.
    pub fingerprint: Fingerprint,
}

/// Where a later command goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The offset that its own times are moved by, so that they follow those before.
    pub at: Nanos,
    /// The first item that it sends.
    pub first_item: u64,
    /// Dwells of earlier commands that it goes on from, the first ones; those after them are void. The last of them may have
    /// been cut shorter, which a line of its own says.
    pub dwells: u32,
}

/// A load that is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// When.
    pub at: Nanos,
    /// Users, or requests a second.
    pub load: f64,
    /// What the search is doing.
    pub stage: String,
}

/// A dwell, written when it begins and again when it has ended; the last line of a number holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dwelt {
    /// From 1, in order of time.
    pub number: u32,
    /// What the search was doing.
    pub stage: String,
    /// Its load and its times.
    pub span: Span,
    /// Why it says nothing of the service, where that is so: the client was the bottleneck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// A run of a bisection that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// The load.
    pub load: u64,
    /// Which of its runs, from 0.
    pub run: u32,
    /// Its folder inside the search's.
    pub folder: String,
    /// The first item that no run has sent yet.
    pub next_item: u64,
}

/// What must be the same for a search to go on. Holds no secret: keys and headers are not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Name of the model.
    pub model: String,
    /// Where requests go, secrets in it masked.
    pub url: String,
    /// How the service is spoken to.
    pub endpoint: Value,
    /// What is sent, the seed included.
    pub workload: Value,
    /// Settings of the generation.
    pub generation: Value,
    /// What is asked and by which method; what may be spent can be raised.
    pub search: Value,
}

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Nothing to go on from.
    #[error("there is no `{}`", path.display())]
    Missing {
        /// The journal.
        path: PathBuf,
    },
    /// A search that would overwrite another.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The journal.
        path: PathBuf,
    },
    /// A command is writing it at this moment.
    #[error("another command is at work on `{}`", path.display())]
    Busy {
        /// The journal.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// The journal.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line that is no entry.
    #[error("`{}` is damaged: line {line} cannot be understood", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Written by a later version of the product.
    #[error("`{}` has format version {version}: go on with a newer crestline", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Another search.
    #[error("`{}` is of another search, which differs in {}", path.display(), differing.join(", "))]
    Differs {
        /// The journal.
        path: PathBuf,
        /// What is not the same.
        differing: Vec<&'static str>,
    },
}

impl Fingerprint {
    /// Of a plan and its search.
    pub fn of(plan: &Plan, search: &SearchPlan) -> Self {
        Self {
            model: plan.model.clone(),
            url: plan.shown_url(),
            endpoint: json(&plan.endpoint),
            workload: json(&plan.workload),
            generation: json(&plan.generation),
            search: serde_json::json!({ "question": asked(&search.question), "method": json(&search.method) }),
        }
    }

    /// What is not the same, in words.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        [
            ("the model", self.model != other.model),
            (
                "the URL",
                self.url != other.url || self.endpoint != other.endpoint,
            ),
            ("the workload", self.workload != other.workload),
            (
                "the generation's settings",
                self.generation != other.generation,
            ),
            ("the SLA or the bounds", self.search != other.search),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect()
    }
}

/// The question without what may be spent on it.
fn asked(question: &Question) -> Value {
    let mut asked = json(question);
    if let Some(fields) = asked.as_object_mut() {
        fields.remove("budget");
    }
    asked
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("a plan has a JSON form")
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins a journal. Refuses a folder that has one.
    pub fn create(folder: &Path, fingerprint: Fingerprint) -> Result<Self, JournalError> {
        let path = folder.join(JOURNAL);
        let opened = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(JournalError::Exists { path });
            }
            Err(source) => return Err(JournalError::File { path, source }),
        };
        let mut journal = Self { path, file }.locked()?;
        journal.add(&Entry::Begin(Box::new(Begin {
            version: JOURNAL_VERSION,
            fingerprint,
        })))?;
        Ok(journal)
    }

    /// Goes on with a journal of the same search, and gives the entries after the first.
    pub fn resume(
        folder: &Path,
        fingerprint: &Fingerprint,
    ) -> Result<(Self, Vec<Entry>), JournalError> {
        let path = folder.join(JOURNAL);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JournalError::Missing { path });
            }
            Err(source) => return Err(JournalError::File { path, source }),
        };
        let mut journal = Self { path, file }.locked()?;
        let mut text = Vec::new();
        let read = journal.file.read_to_end(&mut text);
        read.map_err(|source| journal.failed(source))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        let entries = entries(&journal.path, &text[..whole], fingerprint)?;
        let cut = journal.file.set_len(whole as u64);
        cut.and_then(|()| journal.file.seek(SeekFrom::End(0)))
            .map_err(|source| journal.failed(source))?;
        Ok((journal, entries))
    }

    /// Reads a journal without going on with it, and gives what it is of and the entries after the first.
    pub fn read(folder: &Path) -> Result<(Fingerprint, Vec<Entry>), JournalError> {
        let path = folder.join(JOURNAL);
        let text = std::fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => JournalError::Missing { path: path.clone() },
            _ => JournalError::File {
                path: path.clone(),
                source,
            },
        })?;
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let text = &text[..whole.map_or(0, |end| end + 1)];
        let begin = begin(&path, text)?;
        let entries = entries(&path, text, &begin.fingerprint)?;
        Ok((begin.fingerprint, entries))
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::File {
            path: self.path.clone(),
            source,
        }
    }

    /// Nobody else goes on with it as long as this is open.
    fn locked(self) -> Result<Self, JournalError> {
        match self.file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(JournalError::Busy { path: self.path }),
            // Where a file system knows no locks, it is the user's to keep commands apart.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(self),
        }
    }

    /// Adds a line; once this returns it outlives the process.
    pub fn add(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_string(entry).expect("an entry has a JSON form");
        line.push('\n');
        // One call, so that a kill leaves either nothing or a line that lacks its end.
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|source| self.failed(source))
    }
}

/// The first line of a journal.
fn begin(path: &Path, text: &[u8]) -> Result<Begin, JournalError> {
    let damaged = || JournalError::Damaged {
        path: path.to_owned(),
        line: 1,
    };
    let first = lines(text).next().unwrap_or_default();
    let first: Value = serde_json::from_slice(first).map_err(|_| damaged())?;
    let version = first["version"].as_u64().ok_or_else(damaged)?;
    if version > u64::from(JOURNAL_VERSION) {
        return Err(JournalError::Newer {
            path: path.to_owned(),
            version: u32::try_from(version).unwrap_or(u32::MAX),
        });
    }
    match serde_json::from_value(first) {
        Ok(Entry::Begin(begin)) => Ok(*begin),
        _ => Err(damaged()),
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty())
}

fn entries(
    path: &Path,
    text: &[u8],
    fingerprint: &Fingerprint,
) -> Result<Vec<Entry>, JournalError> {
    let differing = begin(path, text)?.fingerprint.differing(fingerprint);
    if !differing.is_empty() {
        return Err(JournalError::Differs {
            path: path.to_owned(),
            differing,
        });
    }
    let numbered = (2..).zip(lines(text).skip(1));
    let entry = |(line, text): (usize, &[u8])| {
        serde_json::from_slice(text).map_err(|_| JournalError::Damaged {
            path: path.to_owned(),
            line,
        })
    };
    numbered.map(entry).collect()
}

#[cfg(test)]
mod tests;
