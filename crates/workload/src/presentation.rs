//! How a prompt is put to the server, and how long it then is.
//!
//! Knows nothing of where prompts come from.

use std::sync::Arc;

use crestline_core::request::{Message, Prompt};
use serde_json::{Map, Value};

use crate::plan::PromptForm;
use crate::template::{ChatTemplate, TemplateError};
use crate::tokenizer::Tokenizer;

/// A prompt as a data set holds it, before it is put to a server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// What a user says.
    Text(String),
    /// A conversation.
    Messages(Vec<Message>),
    /// A whole request body.
    Body(Map<String, Value>),
}

/// The form of all prompts of a run, with what is needed to bring them into it and to count them.
#[derive(Debug)]
pub(crate) struct Presentation {
    pub(crate) form: PromptForm,
    pub(crate) tokenizer: Option<Arc<Tokenizer>>,
    pub(crate) template: Option<ChatTemplate>,
}

impl Presentation {
    /// Messages go through a chat template before the model sees them.
    pub(crate) fn is_chat(&self) -> bool {
        matches!(
            self.form,
            PromptForm::Chat | PromptForm::TokenIds { chat: true }
        )
    }

    /// A prompt in the form in which it is sent.
    pub(crate) fn put(&self, content: &Content) -> Prompt {
        match (content, self.form) {
            (Content::Body(body), _) => Prompt::Body(body.clone()),
            // Opening a workload has made sure that there is a tokenizer and that the template takes the messages.
            (_, PromptForm::TokenIds { .. }) => {
                Prompt::TokenIds(self.encode(content).ok().flatten().unwrap_or_default())
            }
            (Content::Text(text), _) => self.put_text(text.clone()),
            (Content::Messages(messages), _) => Prompt::Messages(messages.clone()),
        }
    }

    /// A text as a user's message or as it is.
    pub(crate) fn put_text(&self, text: String) -> Prompt {
        if self.is_chat() {
            Prompt::Messages(vec![Message::user(text)])
        } else {
            Prompt::Text(text)
        }
    }

    /// Length in tokens as the server sees it: after the chat template, or with the tokens that the tokenizer puts around a
    /// plain prompt. `None` without a tokenizer, and where the template refuses the messages.
    pub(crate) fn count(&self, content: &Content) -> Option<u32> {
        let tokenizer = self.tokenizer.as_ref()?;
        let tokens = match (content, &self.template) {
            (Content::Text(text), Some(template)) => {
                template.count(&[Message::user(text.as_str())]).ok()?
            }
            (Content::Messages(messages), Some(template)) => template.count(messages).ok()?,
            (Content::Text(text), None) => tokenizer.count(text) + self.added_tokens(tokenizer),
            (Content::Body(body), _) => self.count_body(body)?,
            (Content::Messages(_), None) => return None,
        };
        u32::try_from(tokens).ok()
    }

    fn added_tokens(&self, tokenizer: &Tokenizer) -> usize {
        match self.form {
            PromptForm::TokenIds { .. } => 0,
            PromptForm::Chat | PromptForm::Text => tokenizer.added_to_prompts(),
        }
    }

    fn count_body(&self, body: &Map<String, Value>) -> Option<usize> {
        if let Some(text) = body.get("prompt").and_then(Value::as_str) {
            let tokenizer = self.tokenizer.as_ref()?;
            return Some(tokenizer.count(text) + tokenizer.added_to_prompts());
        }
        let messages: Vec<Message> = serde_json::from_value(body.get("messages")?.clone()).ok()?;
        self.template.as_ref()?.count(&messages).ok()
    }

    /// The tokens of a prompt; `None` without a tokenizer.
    pub(crate) fn encode(&self, content: &Content) -> Result<Option<Vec<u32>>, TemplateError> {
        let Some(tokenizer) = &self.tokenizer else {
            return Ok(None);
        };
        match (content, &self.template) {
            (Content::Text(text), Some(template)) => {
                template.encode(&[Message::user(text.as_str())]).map(Some)
            }
            (Content::Messages(messages), Some(template)) => template.encode(messages).map(Some),
            (Content::Text(text), None) => Ok(Some(tokenizer.encode(text))),
            (Content::Messages(_), None) | (Content::Body(_), _) => Ok(None),
        }
    }

    /// Length in tokens by the full algorithm, no short cut taken.
    pub(crate) fn count_whole(&self, text: &str) -> Result<usize, TemplateError> {
        let Some(tokenizer) = &self.tokenizer else {
            return Ok(0);
        };
        match &self.template {
            Some(template) => {
                let rendered = template.render(&[Message::user(text)])?;
                Ok(tokenizer.encode_whole(&rendered).len())
            }
            None => Ok(tokenizer.encode_whole(text).len() + self.added_tokens(tokenizer)),
        }
    }
}
