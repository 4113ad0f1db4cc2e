//! What the simulated engine makes of a workload's item: lengths and block names.
//!
//! Reads settings as a server would read them from the body. The engine never sees a text.

use std::sync::Arc;

use crestline_core::request::{Generation, Item, Message, Prompt};
use crestline_sim::model::prefix::block_hashes;
use crestline_sim::profile::Profile;
use crestline_workload::template::ChatTemplate;
use crestline_workload::tokenizer::{self, Tokenizer};
use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde_json::{Map, Value};

use super::VirtualRequest;

/// Longest answer to a completion request that names no `max_tokens`, as the API has it.
const COMPLETION_TOKENS: u32 = 16;

/// Separates the draws of answer lengths from those that others make with the same seed.
const STREAM: u64 = 0x61_6e_73_77_65_72; // "answer"
/// Separates the draws of words from those of lengths.
const WORDS: u64 = 0x77_6f_72_64_73; // "words"

/// Reads items for the engine.
#[derive(Debug)]
pub struct EngineView {
    tokenizer: Arc<Tokenizer>,
    template: ChatTemplate,
    generation: Generation,
    /// Blocks have names: the engine has a prefix cache.
    block_size: Option<u32>,
    chat_tokens: u32,
    context: u32,
    eos: Option<LogNormal<f64>>,
    seed: u64,
}

impl EngineView {
    /// For an engine and the settings of a run. Prompts are counted by `tokenizer`, or by the builtin one; `seed` decides
    /// where answers end by themselves.
    pub fn new(
        profile: &Profile,
        generation: &Generation,
        tokenizer: Option<Arc<Tokenizer>>,
        seed: u64,
    ) -> Self {
        let tokenizer = tokenizer.unwrap_or_else(tokenizer::builtin);
        let template = ChatTemplate::of(&tokenizer)
            .or_else(|_| ChatTemplate::of(&tokenizer::builtin()))
            .expect("the builtin tokenizer has a template");
        let eos = profile.eos.as_ref().map(|eos| {
            LogNormal::new(eos.median_tokens.ln(), eos.sigma)
                .expect("a checked profile has a finite median and deviation")
        });
        let cache = &profile.kv_cache;
        Self {
            tokenizer,
            template,
            generation: generation.clone(),
            block_size: cache.prefix_caching.then_some(cache.block_size),
            chat_tokens: profile.default_max_tokens,
            context: profile.max_model_len,
            eos,
            seed,
        }
    }

    /// What the engine has to know of an item. The texts are left to the caller.
    pub fn request(&self, item: &Item) -> VirtualRequest {
        let tokens = self.block_size.map(|_| self.tokens(&item.prompt));
        let prompt_tokens = match (&tokens, item.prompt_tokens) {
            (_, Some(count)) => count,
            (Some(tokens), None) => tokens.len() as u32,
            (None, None) => self.tokens(&item.prompt).len() as u32,
        };
        let longest = self.longest_answer(item, prompt_tokens);
        let choices = self.number(item, "n").or(self.generation.choices);
        VirtualRequest {
            prompt_tokens,
            answers: self.answers(item, longest, choices.unwrap_or(1).max(1)),
            asked_output: self.named_length(item),
            is_forced: self.is_forced(item),
            hashes: tokens
                .zip(self.block_size)
                .map(|(tokens, block_size)| block_hashes(&tokens, block_size)),
            exchange: None,
        }
    }

    /// An answer of so many words of one token each; the same index gives the same words.
    pub(super) fn words(&self, index: u64, count: u32) -> String {
        let safe = self.tokenizer.safe_words();
        let mut rng = self.rng(index);
        rng.set_stream(WORDS);
        let word = |place| {
            let words = if place == 0 {
                safe.starts()
            } else {
                safe.words()
            };
            match words.len() {
                0 => "word",
                known => &*words[rng.random_range(0..known)].text,
            }
        };
        let drawn: Vec<&str> = (0..count).map(word).collect();
        drawn.join(" ")
    }

    fn tokens(&self, prompt: &Prompt) -> Vec<u32> {
        match prompt {
            Prompt::TokenIds(ids) => ids.clone(),
            Prompt::Text(text) => self.tokenizer.encode_prompt(text),
            Prompt::Messages(messages) => self.conversation(messages),
            Prompt::Body(body) => self.body_tokens(body),
            Prompt::Texts(texts) => texts
                .iter()
                .flat_map(|text| self.tokenizer.encode_prompt(text))
                .collect(),
            // What a picture or a sound costs is the model's affair.
            Prompt::Media { text, .. } => self.conversation(&[Message::user(text.as_str())]),
            Prompt::Audio(_) => Vec::new(),
        }
    }

    /// A template may refuse a conversation; its bare texts then count.
    fn conversation(&self, messages: &[Message]) -> Vec<u32> {
        self.template.encode(messages).unwrap_or_else(|_| {
            messages
                .iter()
                .flat_map(|message| self.tokenizer.encode(&message.content.to_string()))
                .collect()
        })
    }

    fn body_tokens(&self, body: &Map<String, Value>) -> Vec<u32> {
        let messages = body
            .get("messages")
            .and_then(|messages| serde_json::from_value::<Vec<Message>>(messages.clone()).ok());
        if let Some(messages) = messages {
            return self.conversation(&messages);
        }
        match body.get("prompt") {
            Some(Value::String(text)) => self.tokenizer.encode_prompt(text),
            Some(prompt) => serde_json::from_value(prompt.clone()).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// The `max_tokens` that the server reads, or its own default within the context.
    fn longest_answer(&self, item: &Item, prompt_tokens: u32) -> u32 {
        self.named_length(item).unwrap_or_else(|| {
            let default = if is_chat(&item.prompt) {
                self.chat_tokens
            } else {
                COMPLETION_TOKENS
            };
            default.min(self.context.saturating_sub(prompt_tokens))
        })
    }

    fn named_length(&self, item: &Item) -> Option<u32> {
        self.number(item, "max_completion_tokens")
            .or_else(|| self.number(item, "max_tokens"))
            .or(item.max_tokens)
    }

    fn least_length(&self, item: &Item) -> Option<u32> {
        self.number(item, "min_tokens")
            .or(self.generation.min_tokens)
    }

    fn ignores_eos(&self, item: &Item) -> bool {
        self.setting(item, "ignore_eos").and_then(Value::as_bool) == Some(true)
    }

    /// The body names a length, and answers may not end before it.
    fn is_forced(&self, item: &Item) -> bool {
        let least = self.least_length(item);
        self.named_length(item)
            .is_some_and(|most| self.ignores_eos(item) || least >= Some(most))
    }

    fn answers(&self, item: &Item, longest: u32, choices: u32) -> Vec<u32> {
        let Some(eos) = self.eos.filter(|_| !self.ignores_eos(item)) else {
            return vec![longest; choices as usize];
        };
        let least = self
            .least_length(item)
            .unwrap_or(1)
            .clamp(1, longest.max(1));
        let mut rng = self.rng(item.index);
        (0..choices)
            .map(|_| (eos.sample(&mut rng).round() as u32).clamp(least, longest.max(1)))
            .collect()
    }

    /// Draws depend on the seed and the item alone, not on what was read before.
    fn rng(&self, index: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(STREAM);
        rng
    }

    fn number(&self, item: &Item, name: &str) -> Option<u32> {
        let number = self.setting(item, name)?.as_u64()?;
        u32::try_from(number).ok()
    }

    /// A field of the body: the request's own are merged last and the run's extra ones before, so they go first here.
    fn setting<'a>(&'a self, item: &'a Item, name: &str) -> Option<&'a Value> {
        let body = match &item.prompt {
            Prompt::Body(body) => Some(body),
            _ => None,
        };
        let own = item.extra.get(name);
        own.or_else(|| self.generation.extra.get(name))
            .or_else(|| body?.get(name))
    }
}

fn is_chat(prompt: &Prompt) -> bool {
    match prompt {
        Prompt::Messages(_) | Prompt::Media { .. } => true,
        Prompt::Body(body) => body.contains_key("messages"),
        Prompt::Text(_) | Prompt::TokenIds(_) | Prompt::Texts(_) | Prompt::Audio(_) => false,
    }
}

#[cfg(test)]
mod tests;
