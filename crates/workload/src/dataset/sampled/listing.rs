//! A list of samples as it grows: how questions are put, which samples are too long, and when there are enough.

use std::path::{Path, PathBuf};

use crestline_core::request::{Message, Prompt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::{existing, for_each_numbered, with_ending};
use crate::draw::shuffle;
use crate::plan::{PlainTemplate, PromptForm, SampleOrder};
use crate::presentation::{Content, Presentation};
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;

/// Samples that have been read.
pub(super) struct Listing<'a> {
    opening: Opening<'a>,
    /// For questions that are sent as plain text.
    template: Option<ChatTemplate>,
    samples: Vec<Sample>,
    too_long: usize,
    invalid: usize,
    path: PathBuf,
    notes: Vec<String>,
}

impl<'a> Listing<'a> {
    /// Loads the chat template where plain prompts need it.
    pub(super) fn open(opening: Opening<'a>) -> Result<Self, WorkloadError> {
        let template = match (&opening.sampling.template, opening.presentation.form) {
            (PlainTemplate::Applied(variables), PromptForm::Text) => {
                let tokenizer = opening.presentation.tokenizer.as_ref();
                let tokenizer = tokenizer.ok_or(WorkloadError::NeedsTokenizer {
                    what: "putting prompts through the chat template",
                })?;
                let mut template = ChatTemplate::of(tokenizer)?;
                template.set_variables(variables.clone());
                Some(template)
            }
            _ => None,
        };
        Ok(Self {
            opening,
            template,
            samples: Vec::new(),
            too_long: 0,
            invalid: 0,
            path: PathBuf::new(),
            notes: Vec::new(),
        })
    }

    /// The source that is read, for messages.
    pub(super) fn read_from(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
    }

    /// The objects of a file that ends in `.jsonl`, each with the number of its line, in the order in which they are to be
    /// tried; and the file that was found.
    pub(super) fn lines<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        path: &Path,
    ) -> Result<(PathBuf, Vec<(usize, T)>), WorkloadError> {
        let path = existing(name, path)?;
        with_ending(&path, "jsonl")?;
        self.read_from(&path);
        let mut records = Vec::new();
        for_each_numbered(&path, |line, record| {
            records.push((line, record));
            Ok(())
        })?;
        Ok((path, self.ordered(records)))
    }

    /// Something that a user should know.
    pub(super) fn tell(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn presentation(&self) -> &'a Presentation {
        self.opening.presentation
    }

    pub(super) fn opening(&self) -> Opening<'a> {
        self.opening
    }

    pub(super) fn seed(&self) -> u64 {
        self.opening.plan.seed
    }

    /// The tokenizer, for a source that cannot do without.
    pub(super) fn tokenizer(&self, what: &'static str) -> Result<&'a Tokenizer, WorkloadError> {
        let tokenizer = self.presentation().tokenizer.as_deref();
        tokenizer.ok_or(WorkloadError::NeedsTokenizer { what })
    }

    /// Tokens of a text with those that are put around a plain prompt.
    pub(super) fn plain_count(&self, text: &str) -> Option<u32> {
        let tokenizer = self.presentation().tokenizer.as_deref()?;
        u32::try_from(tokenizer.count(text) + tokenizer.added_to_prompts()).ok()
    }

    /// Records in the order in which they are to be tried.
    pub(super) fn ordered<T>(&self, mut records: Vec<T>) -> Vec<T> {
        if self.opening.sampling.order == SampleOrder::Shuffled {
            shuffle(&mut records, self.seed());
        }
        records
    }

    pub(super) fn is_full(&self) -> bool {
        self.samples.len() as u64 >= self.opening.sampling.requests
    }

    /// Samples so far.
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// A question as it is sent: a user's message, tokens, or a text that has gone through the template where it must.
    pub(super) fn question(&self, text: &str) -> Result<(Prompt, Option<u32>), WorkloadError> {
        match &self.template {
            None => self.as_it_is(text),
            Some(template) => self.as_it_is(&template.render(&[Message::user(text)])?),
        }
    }

    /// A conversation as it is sent. Plain text has no messages: it goes through the template, or is what was said, line by line.
    pub(super) fn conversation(
        &self,
        messages: Vec<Message>,
    ) -> Result<(Prompt, Option<u32>), WorkloadError> {
        let presentation = self.presentation();
        if presentation.form == PromptForm::Chat {
            let content = Content::Messages(messages);
            return Ok((presentation.put(&content), presentation.count(&content)));
        }
        if let Some(template) = self.template.as_ref().or(presentation.template.as_ref()) {
            return self.untouched(&template.render(&messages)?);
        }
        let said: Vec<&str> = messages
            .iter()
            .filter_map(|message| message.content.as_str())
            .collect();
        self.untouched(&said.join("\n\n"))
    }

    /// A text that is ready: as text, or as its tokens.
    fn untouched(&self, text: &str) -> Result<(Prompt, Option<u32>), WorkloadError> {
        if self.presentation().form == PromptForm::Text {
            return self.as_it_is(text);
        }
        let ids = self.tokenizer("sending prompts as token ids")?.encode(text);
        let tokens = u32::try_from(ids.len()).ok();
        Ok((Prompt::TokenIds(ids), tokens))
    }

    /// A text that no client puts through a template, as it is sent.
    pub(super) fn as_it_is(&self, text: &str) -> Result<(Prompt, Option<u32>), WorkloadError> {
        let content = Content::Text(text.to_owned());
        let presentation = self.presentation();
        if let PromptForm::TokenIds { .. } = presentation.form {
            let ids = presentation.encode(&content)?.unwrap_or_default();
            let tokens = u32::try_from(ids.len()).ok();
            return Ok((Prompt::TokenIds(ids), tokens));
        }
        let tokens = presentation.count(&content);
        Ok((presentation.put(&content), tokens))
    }

    /// A text with pictures or films beside it. What these come to in tokens only the server knows.
    pub(super) fn with_media(&self, text: &str, parts: Vec<Value>, output: Option<u32>) -> Sample {
        let tokens = self.presentation().count(&Content::Text(text.to_owned()));
        let text = text.to_owned();
        Sample::new(Prompt::Media { text, parts }, tokens, output)
    }

    /// Takes a sample, where input and output together are within the limit.
    pub(super) fn take(&mut self, sample: Sample) {
        let whole = sample
            .tokens
            .unwrap_or(0)
            .saturating_add(sample.output.unwrap_or(0));
        match self.opening.sampling.longest {
            Some(longest) if whole > longest => self.too_long += 1,
            _ => self.samples.push(sample),
        }
    }

    /// Counts a record that the source's own rule leaves out.
    pub(super) fn leave_out(&mut self) {
        self.invalid += 1;
    }

    /// All samples; at least one.
    pub(super) fn finish(self, notes: &mut Vec<String>) -> Result<Vec<Sample>, DatasetError> {
        notes.extend(self.notes);
        if self.samples.is_empty() {
            if self.too_long + self.invalid == 0 {
                return Err(DatasetError::Empty { path: self.path });
            }
            return Err(DatasetError::NoneLeft {
                path: self.path,
                invalid: self.invalid,
                too_long: self.too_long,
                longest: self.opening.sampling.longest,
            });
        }
        if self.too_long > 0 {
            notes.push(format!(
                "{} samples of {} are left out: their input and output together are above {} tokens",
                self.too_long,
                self.path.display(),
                self.opening.sampling.longest.unwrap_or_default()
            ));
        }
        Ok(self.samples)
    }
}
