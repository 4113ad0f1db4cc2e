//! Text to tokens and back, the way a model's own tokenizer does it.
//!
//! Reads local files only. Chat templates are the matter of [`crate::template`].

pub mod error;
mod find;
mod hugging_face;
mod safe_words;
mod tiktoken;

use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use error::TokenizerError;
pub use safe_words::{SafeWord, SafeWords};

use crate::hub::HubCaches;
use find::Location;

const BUILTIN_TOKENIZER: &[u8] = include_bytes!("../../../../fixtures/tokenizer/tokenizer.json");
const BUILTIN_CONFIG: &str = include_str!("../../../../fixtures/tokenizer/tokenizer_config.json");

/// A model's tokenizer with what its files say of special tokens and chat templates.
#[derive(Debug)]
pub struct Tokenizer {
    name: String,
    engine: Engine,
    settings: Settings,
    notes: Vec<String>,
    safe_words: OnceLock<SafeWords>,
}

#[derive(Debug)]
enum Engine {
    HuggingFace(Box<hugging_face::Engine>),
    Tiktoken(Box<tiktoken::Engine>),
}

/// What lies beside a vocabulary: special tokens and chat templates.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Settings {
    /// `tokenizer_config.json`, or nothing.
    pub(crate) config: serde_json::Map<String, serde_json::Value>,
    /// `chat_template.jinja`, which wins over the one in the configuration.
    pub(crate) chat_template: Option<String>,
}

impl Tokenizer {
    /// Loads a tokenizer by what a user calls it: `builtin`, a folder, a file, the name of a tiktoken encoding, or a
    /// hub name `org/name` that is looked up in the local hub caches. Nothing is downloaded.
    pub fn load(name: &str) -> Result<Self, TokenizerError> {
        Self::load_with(name, &HubCaches::from_environment())
    }

    /// As [`Tokenizer::load`], with the hub caches given.
    pub fn load_with(name: &str, caches: &HubCaches) -> Result<Self, TokenizerError> {
        match find::locate(name, caches)? {
            Location::Builtin => Ok(Self::builtin()),
            Location::HuggingFace { vocabulary, folder } => {
                let engine = hugging_face::Engine::read(&vocabulary)?;
                let engine = Engine::HuggingFace(Box::new(engine));
                Ok(Self::assemble(name, engine, Settings::read(&folder)?))
            }
            Location::TiktokenFile { ranks, folder } => {
                let settings = Settings::read(&folder)?;
                let engine = tiktoken::Engine::read(&ranks, &settings.config)?;
                let mut tokenizer =
                    Self::assemble(name, Engine::Tiktoken(Box::new(engine)), settings);
                tokenizer.notes.push(format!(
                    "{} does not say how text is split: the rule of cl100k_base is assumed",
                    ranks.display()
                ));
                Ok(tokenizer)
            }
            Location::Encoding(encoding) => {
                let engine = Engine::Tiktoken(Box::new(tiktoken::Engine::named(encoding)?));
                Ok(Self::assemble(name, engine, Settings::default()))
            }
        }
    }

    /// The small English tokenizer that is part of the program: byte-level, so any text encodes.
    pub fn builtin() -> Self {
        let engine = hugging_face::Engine::parse(BUILTIN_TOKENIZER)
            .expect("the builtin tokenizer is checked by the tests");
        let config = serde_json::from_str(BUILTIN_CONFIG)
            .expect("the builtin configuration is checked by the tests");
        let settings = Settings {
            config,
            chat_template: None,
        };
        Self::assemble("builtin", Engine::HuggingFace(Box::new(engine)), settings)
    }

    fn assemble(name: &str, engine: Engine, settings: Settings) -> Self {
        Self {
            name: name.to_owned(),
            engine,
            settings,
            notes: Vec::new(),
            safe_words: OnceLock::new(),
        }
    }

    /// What it was loaded by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a user should know of it, such as assumptions made.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Number of tokens of a text: the length of [`Tokenizer::encode`], without making the tokens where it can.
    pub fn count(&self, text: &str) -> usize {
        self.safe_words()
            .count(text, self)
            .unwrap_or_else(|| self.encode_whole(text).len())
    }

    /// The tokens of a text. Special tokens written in it are recognised; none are added.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.safe_words()
            .encode(text, self)
            .unwrap_or_else(|| self.encode_whole(text))
    }

    /// The tokens of a text with those that the tokenizer puts around a prompt, as a server does for a completion.
    pub fn encode_prompt(&self, text: &str) -> Vec<u32> {
        match &self.engine {
            Engine::HuggingFace(engine) if self.added_to_prompts() > 0 => {
                engine.encode_prompt(text)
            }
            _ => self.encode(text),
        }
    }

    /// Tokens that the tokenizer puts around every prompt, such as a begin-of-sequence token.
    pub fn added_to_prompts(&self) -> usize {
        match &self.engine {
            Engine::HuggingFace(engine) => engine.added_to_prompts(),
            Engine::Tiktoken(_) => 0,
        }
    }

    /// The tokens of a text by the full algorithm, no short cut taken.
    pub fn encode_whole(&self, text: &str) -> Vec<u32> {
        match &self.engine {
            Engine::HuggingFace(engine) => engine.encode(text),
            Engine::Tiktoken(engine) => engine.encode(text),
        }
    }

    /// The text of tokens, special ones included. Bytes that are not UTF-8 become U+FFFD, ids without a token nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.engine {
            Engine::HuggingFace(engine) => engine.decode(ids),
            Engine::Tiktoken(engine) => engine.decode(ids),
        }
    }

    /// Words that are one token each wherever they stand; found at the first call.
    pub fn safe_words(&self) -> &SafeWords {
        self.safe_words.get_or_init(|| SafeWords::find(self))
    }

    /// One more than the highest token id.
    pub fn vocab_size(&self) -> u32 {
        match &self.engine {
            Engine::HuggingFace(engine) => engine.vocab_size(),
            Engine::Tiktoken(engine) => engine.vocab_size(),
        }
    }

    /// Ids of special tokens, ascending.
    pub fn special_ids(&self) -> &[u32] {
        match &self.engine {
            Engine::HuggingFace(engine) => engine.special_ids(),
            Engine::Tiktoken(engine) => engine.special_ids(),
        }
    }

    /// Ids that a random prompt may be made of: neither special nor a piece of raw bytes (`<0x0A>`); ascending.
    pub fn plain_ids(&self) -> Vec<u32> {
        let special = self.special_ids();
        self.vocabulary()
            .into_iter()
            .filter(|(id, text)| special.binary_search(id).is_err() && !is_byte_fallback(text))
            .map(|(id, _)| id)
            .collect()
    }

    /// All tokens as the vocabulary writes them, by ascending id.
    fn vocabulary(&self) -> Vec<(u32, String)> {
        match &self.engine {
            Engine::HuggingFace(engine) => engine.vocabulary(),
            Engine::Tiktoken(engine) => engine.vocabulary(),
        }
    }
}

/// `<0x00>` to `<0xFF>`.
fn is_byte_fallback(text: &str) -> bool {
    text.strip_prefix("<0x")
        .and_then(|rest| rest.strip_suffix('>'))
        .is_some_and(|hex| hex.len() == 2 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl Settings {
    /// Reads what lies in a tokenizer's folder; missing files mean nothing is set.
    fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let config_path = folder.join("tokenizer_config.json");
        let config = match error::read_optional(&config_path)? {
            None => serde_json::Map::new(),
            Some(text) => {
                serde_json::from_str(&text).map_err(|source| TokenizerError::Invalid {
                    path: config_path,
                    reason: source.to_string(),
                })?
            }
        };
        let chat_template = error::read_optional(&folder.join("chat_template.jinja"))?;
        Ok(Self {
            config,
            chat_template,
        })
    }

    /// The text of a special token by its name in the configuration, such as `bos_token`.
    pub(crate) fn special_text(&self, name: &str) -> Option<&str> {
        let value = self.config.get(name)?;
        value
            .as_str()
            .or_else(|| value.get("content").and_then(serde_json::Value::as_str))
    }
}

/// The builtin tokenizer, shared: loading it takes some milliseconds.
pub fn builtin() -> Arc<Tokenizer> {
    static BUILTIN: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    Arc::clone(BUILTIN.get_or_init(|| Arc::new(Tokenizer::builtin())))
}

#[cfg(test)]
mod tests;
