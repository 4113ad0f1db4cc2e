//! Prompts of the length that a server counts: where its tokenizer finds more tokens in a text than the client's, the text
//! is cut at the token that is asked for.
//!
//! Speaks `/tokenize` and `/detokenize` as vLLM has them. Knows nothing of where texts come from, and changes none itself.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde::Deserialize;
use serde_json::json;

use crate::aside::{Aside, AsideError};
use crate::engine::Stop;

/// Texts that are counted at the same time.
const AT_ONCE: u64 = 64;

/// A text with the tokens that the client counts in it, without those that are put around a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Its length in tokens by the client's tokenizer.
    pub tokens: u32,
}

/// Where texts are counted.
#[derive(Debug, Clone, Copy)]
pub struct Counter<'a> {
    /// Name that the server knows the model by.
    pub model: &'a str,
    /// What stands before `/tokenize` and `/detokenize` in their paths; mostly nothing.
    pub prefix: &'a str,
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alignment {
    /// There is no text to compare.
    Nothing,
    /// The first text has as many tokens for the server as for the client; the others were not looked at.
    Same,
    /// It has not, and all texts were counted.
    Counted(Counted),
}

/// What a server counts in texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Texts that were counted.
    pub texts: u64,
    /// Those that were longer, by index, as they are after the cut.
    pub cut: BTreeMap<u64, String>,
    /// Most tokens that one of them was too long by.
    pub longest_by: u32,
    /// Texts that were shorter. They stay as they are.
    pub shorter: u64,
}

#[derive(Deserialize)]
struct Tokenized {
    count: u32,
    tokens: Vec<u32>,
}

#[derive(Deserialize)]
struct Detokenized {
    prompt: String,
}

/// Compares the first of `texts` texts; where server and client differ on it, all of them, 64 at a time.
///
/// `text` gives the text at an index, or `None` where that is sent in another form. Nothing is counted any more once a stop
/// is asked for. An error says that the server counts no tokens, or not in this way.
pub fn align(
    aside: &mut Aside,
    counter: Counter<'_>,
    texts: u64,
    text: &(dyn Fn(u64) -> Option<Text> + Sync),
    stop: &Stop,
) -> Result<Alignment, AsideError> {
    let Some(first) = (texts > 0).then(|| text(0)).flatten() else {
        return Ok(Alignment::Nothing);
    };
    if counter.count(aside, &first.text)?.count == first.tokens {
        return Ok(Alignment::Same);
    }
    let work = Work {
        next: AtomicU64::new(0),
        texts,
        text,
        counter,
        stop,
        failed: AtomicBool::new(false),
        counted: Mutex::default(),
    };
    thread::scope(|scope| {
        let asides = (0..texts.min(AT_ONCE)).map(|_| aside.another());
        let asides: Vec<Aside> = asides.collect::<Result<_, _>>()?;
        let workers: Vec<_> = asides
            .into_iter()
            .map(|mut aside| {
                let work = &work;
                scope.spawn(move || work.go(&mut aside))
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("counting does not panic"))
    })?;
    let seen = work.counted.into_inner();
    Ok(Alignment::Counted(seen.expect("counting does not panic")))
}

/// What threads that count have in common.
struct Work<'a> {
    next: AtomicU64,
    texts: u64,
    text: &'a (dyn Fn(u64) -> Option<Text> + Sync),
    counter: Counter<'a>,
    stop: &'a Stop,
    /// One of them got no answer.
    failed: AtomicBool,
    counted: Mutex<Counted>,
}

impl Work<'_> {
    /// Counts one text after the other until there is none left.
    fn go(&self, aside: &mut Aside) -> Result<(), AsideError> {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let is_over = self.stop.is_asked() || self.failed.load(Ordering::Relaxed);
            if index >= self.texts || is_over {
                return Ok(());
            }
            if let Some(text) = (self.text)(index) {
                self.compare(aside, index, &text)
                    .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
            }
        }
    }

    fn compare(&self, aside: &mut Aside, index: u64, text: &Text) -> Result<(), AsideError> {
        let seen = self.counter.count(aside, &text.text)?;
        let cut = if seen.count > text.tokens {
            let kept = &seen.tokens[..seen.tokens.len().min(text.tokens as usize)];
            Some(self.counter.text_of(aside, kept)?)
        } else {
            None
        };
        let mut counted = self.counted.lock().expect("counting does not panic");
        counted.texts += 1;
        counted.shorter += u64::from(seen.count < text.tokens);
        counted.longest_by = counted
            .longest_by
            .max(seen.count.saturating_sub(text.tokens));
        counted.cut.extend(cut.map(|cut| (index, cut)));
        Ok(())
    }
}

impl Counter<'_> {
    fn count(&self, aside: &mut Aside, text: &str) -> Result<Tokenized, AsideError> {
        let body = json!({"model": self.model, "prompt": text, "add_special_tokens": false});
        aside.post_json(&format!("{}/tokenize", self.prefix), &body)
    }

    fn text_of(&self, aside: &mut Aside, tokens: &[u32]) -> Result<String, AsideError> {
        let body = json!({"model": self.model, "tokens": tokens});
        let text: Detokenized = aside.post_json(&format!("{}/detokenize", self.prefix), &body)?;
        Ok(text.prompt)
    }
}
