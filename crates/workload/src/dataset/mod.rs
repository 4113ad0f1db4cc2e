//! Where prompts come from, one file a data set.

mod edges;
mod error;
mod file;
mod filter;
mod fit;
mod lines;
mod long_alpaca;
mod names;
mod open_qa;
pub(crate) mod random;
mod random_ids;
mod random_text;
pub(crate) mod sampled;
mod share_gpt;
mod speed_benchmark;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use error::DatasetError;
pub use names::DATASET_NAMES;
pub use sampled::{RowContent, row_content};

use crate::WorkloadError;
use crate::hub::HubCaches;
use crate::own::{ItemSource, OwnSource};
use crate::plan::{Dataset, RandomLengths, Sampling, Source, WorkloadPlan};
use crate::presentation::{Content, Presentation};

/// A prompt of a file, and its length once that has been asked for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) content: Content,
    tokens: OnceLock<Option<u32>>,
}

impl Entry {
    fn new(content: Content) -> Self {
        Self {
            content,
            tokens: OnceLock::new(),
        }
    }

    fn with_tokens(content: Content, tokens: Option<u32>) -> Self {
        Self {
            content,
            tokens: OnceLock::from(tokens),
        }
    }

    /// Length in tokens, counted at the first call; `None` where it cannot be told.
    pub(crate) fn tokens(&self, presentation: &Presentation) -> Option<u32> {
        *self
            .tokens
            .get_or_init(|| presentation.count(&self.content))
    }
}

/// The prompts of a data set: read once, or made on demand.
pub(crate) enum Prompts<'a> {
    Listed(Vec<Entry>),
    Random(&'a RandomLengths),
    Sampled(&'a Sampling),
    Own(Arc<dyn ItemSource>),
}

/// Reads what a plan asks for.
pub(crate) fn open<'a>(
    plan: &'a WorkloadPlan,
    presentation: &Presentation,
    caches: &HubCaches,
    notes: &mut Vec<String>,
) -> Result<Prompts<'a>, WorkloadError> {
    let range = match &plan.dataset {
        Dataset::Random(lengths) => return Ok(Prompts::Random(lengths)),
        Dataset::Sampled(sampling) => return Ok(Prompts::Sampled(sampling)),
        Dataset::Own(own) => return open_own(own).map(Prompts::Own),
        Dataset::SpeedBenchmark => speed_benchmark::Range::Short,
        Dataset::SpeedBenchmarkLong => speed_benchmark::Range::Long,
        Dataset::Fixed(text) => return Ok(listed(vec![Content::Text(text.clone())])),
        Dataset::OpenQa(source)
        | Dataset::LongAlpaca(source)
        | Dataset::LineByLine(source)
        | Dataset::Custom(source)
        | Dataset::ShareGptZh(source)
        | Dataset::ShareGptEn(source) => {
            let reading = Reading {
                plan,
                presentation,
                caches,
            };
            return Ok(listed(reading.read(source, notes)?));
        }
    };
    if presentation.is_chat() {
        return Err(DatasetError::TextOnly { name: range.name() }.into());
    }
    Ok(Prompts::Listed(speed_benchmark::prompts(
        range,
        presentation,
    )))
}

/// What makes the items, once it has made the first.
fn open_own(own: &OwnSource) -> Result<Arc<dyn ItemSource>, WorkloadError> {
    let name = || own.name().to_owned();
    let source = own
        .source()
        .ok_or_else(|| DatasetError::OwnAbsent { name: name() })?;
    if source.number() == Some(0) {
        return Err(DatasetError::OwnEmpty { name: name() }.into());
    }
    match source.item(0) {
        Ok(_) => Ok(Arc::clone(source)),
        Err(text) => Err(DatasetError::OwnFailed { name: name(), text }.into()),
    }
}

fn listed<'a>(prompts: Vec<Content>) -> Prompts<'a> {
    Prompts::Listed(prompts.into_iter().map(Entry::new).collect())
}

/// Reading one data set from a file.
struct Reading<'a> {
    plan: &'a WorkloadPlan,
    presentation: &'a Presentation,
    caches: &'a HubCaches,
}

impl Reading<'_> {
    fn read(
        &self,
        source: &Source,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Content>, WorkloadError> {
        let path = source.path.as_deref();
        let prompts = match &self.plan.dataset {
            Dataset::OpenQa(_) => {
                let path = open_qa::WANTED.find(path, self.caches)?;
                self.select(open_qa::read(&path)?, &path, source, notes)?
            }
            Dataset::LongAlpaca(_) => {
                let path = long_alpaca::find(path, self.caches)?;
                self.select(long_alpaca::read(&path)?, &path, source, notes)?
            }
            Dataset::ShareGptZh(_) => self.share_gpt(&share_gpt::CHINESE, source, notes)?,
            Dataset::ShareGptEn(_) => self.share_gpt(&share_gpt::ENGLISH, source, notes)?,
            Dataset::Custom(_) => {
                let path = users_file("custom", path)?;
                self.custom(&path, source, notes)?
            }
            _ => {
                let path = users_file("line_by_line", path)?;
                self.line_by_line(&path, source, notes)?
            }
        };
        Ok(prompts)
    }

    fn share_gpt(
        &self,
        wanted: &file::Wanted,
        source: &Source,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Content>, WorkloadError> {
        let path = wanted.find(source.path.as_deref(), self.caches)?;
        let mut prompts = share_gpt::read(&path)?;
        if !self.presentation.is_chat() {
            // A plain prompt has no place for a history: what the user says last is sent.
            for prompt in &mut prompts {
                if let Some(text) = last_text(prompt) {
                    *prompt = Content::Text(text.to_owned());
                }
            }
        }
        self.select(prompts, &path, source, notes)
    }

    fn custom(
        &self,
        path: &Path,
        source: &Source,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Content>, WorkloadError> {
        let prompts = lines::read_custom(path)?;
        let empty = prompts
            .iter()
            .filter(|prompt| last_text(prompt) == Some(""))
            .count();
        if empty > 0 && empty < prompts.len() && self.plan.min_prompt_length == 0 {
            notes.push(format!(
                "{empty} lines of {} are empty and are sent as empty prompts",
                path.display()
            ));
        }
        if empty == prompts.len() {
            return Err(DatasetError::Empty {
                path: path.to_owned(),
            }
            .into());
        }
        self.select(prompts, path, source, notes)
    }

    /// Lines that are JSON are sent as they are; the others are fitted or filtered.
    fn line_by_line(
        &self,
        path: &Path,
        source: &Source,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Content>, WorkloadError> {
        let lines = lines::read_line_by_line(path)?;
        for line in &lines {
            self.check_line(line, source, path)?;
        }
        if lines.iter().all(|line| !line.is_json) {
            let prompts = lines.into_iter().map(|line| line.content).collect();
            return self.select(prompts, path, source, notes);
        }
        let plain: Vec<&Content> = lines
            .iter()
            .filter(|line| !line.is_json)
            .map(|line| &line.content)
            .collect();
        let verdicts = match self.filter().judge(&plain, path, self.presentation, notes) {
            Ok(verdicts) => verdicts,
            Err(error) => {
                // The lines that are JSON remain.
                notes.push(error.to_string());
                vec![false; plain.len()]
            }
        };
        let mut verdicts = verdicts.into_iter();
        let kept = lines
            .into_iter()
            .filter(|line| line.is_json || verdicts.next() == Some(true));
        Ok(kept.map(|line| line.content).collect())
    }

    fn filter(&self) -> filter::LengthFilter {
        filter::LengthFilter {
            min: self.plan.min_prompt_length,
            max: self.plan.max_prompt_length,
        }
    }

    fn check_line(
        &self,
        line: &lines::Line,
        source: &Source,
        path: &Path,
    ) -> Result<(), DatasetError> {
        let reason = if line.is_json && source.fit.is_some() {
            "a line that is JSON cannot be fitted to `target_input_len`"
        } else if matches!(line.content, Content::Messages(_)) && !self.presentation.is_chat() {
            "a list of messages needs a chat endpoint"
        } else {
            return Ok(());
        };
        Err(DatasetError::Malformed {
            path: path.to_owned(),
            line: Some(line.number),
            reason: reason.to_owned(),
        })
    }

    /// Fits the prompts, or leaves out those that are too short or too long.
    fn select(
        &self,
        prompts: Vec<Content>,
        path: &Path,
        source: &Source,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Content>, WorkloadError> {
        if prompts.is_empty() {
            return Err(DatasetError::Empty {
                path: path.to_owned(),
            }
            .into());
        }
        let Some(fit) = &source.fit else {
            let all: Vec<&Content> = prompts.iter().collect();
            let verdicts = self.filter().judge(&all, path, self.presentation, notes)?;
            let kept = prompts.into_iter().zip(verdicts).filter(|(_, kept)| *kept);
            return Ok(kept.map(|(prompt, _)| prompt).collect());
        };
        let tokenizer = self.presentation.tokenizer.as_deref();
        let tokenizer = tokenizer.ok_or(WorkloadError::NeedsTokenizer {
            what: "`target_input_len`",
        })?;
        let fitting = fit::Fitting::new(fit, tokenizer, self.presentation)?;
        Ok(fitting.apply(prompts, path, notes)?)
    }
}

fn users_file(name: &'static str, path: Option<&Path>) -> Result<PathBuf, DatasetError> {
    file::existing(name, path.ok_or(DatasetError::NeedsPath { name })?)
}

/// What is said last; `None` where that is no text.
fn last_text(prompt: &Content) -> Option<&str> {
    match prompt {
        Content::Text(text) => Some(text),
        Content::Messages(messages) => messages.last()?.content.as_str(),
        Content::Body(_) => None,
    }
}

#[cfg(test)]
mod tests;
