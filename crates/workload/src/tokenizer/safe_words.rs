//! Words that are exactly one token wherever they stand, and the short cut that they allow.
//!
//! A *safe word* is made of ASCII letters and encodes to one and the same token behind any text that ends in a letter and a
//! space. Where no token of the vocabulary reaches over the end of a word, a text may then be cut in front of a safe word and
//! behind it without changing its tokens: runs of safe words are looked up, and only what lies between them is encoded.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Tokenizer;

/// Most words that are looked for, by ascending id: in trained vocabularies the most frequent ones.
const MOST_CANDIDATES: usize = 16_384;
/// Most words that are looked for at the start of a text.
const MOST_STARTS: usize = 1024;
/// Most words that are tried in another order at the end.
const MOST_JOINED: usize = 2048;
/// Words that are tried in one text.
const TRIED_TOGETHER: usize = 32;
/// Below this many bytes the full algorithm is as fast.
const SHORT_TEXT: usize = 48;
/// Marks of a word's begin in vocabularies: byte-level, sentence pieces, plain bytes.
const MARKS: [char; 3] = ['Ġ', '▁', ' '];

/// A word and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeWord {
    /// Letters only, without the space.
    pub text: Box<str>,
    /// The token of the space and the word; of the bare word for those of [`SafeWords::starts`].
    pub id: u32,
}

/// The safe words of a tokenizer.
#[derive(Debug, Default)]
pub struct SafeWords {
    words: Vec<SafeWord>,
    starts: Vec<SafeWord>,
    ids: FxHashMap<Box<str>, u32>,
    anchor: String,
    anchor_tokens: usize,
    steady: bool,
    cuttable: bool,
}

impl SafeWords {
    /// Whether words in one text, in another order than that of their ids, turned out to be one token each.
    pub fn are_steady(&self) -> bool {
        self.steady
    }

    /// Words that follow another word and a space, by ascending id.
    pub fn words(&self) -> &[SafeWord] {
        &self.words
    }

    /// Safe words that are one token at the start of a text too, by ascending id.
    pub fn starts(&self) -> &[SafeWord] {
        &self.starts
    }

    pub(super) fn find(tokenizer: &Tokenizer) -> Self {
        let vocabulary = tokenizer.vocabulary();
        let candidates = candidates(&vocabulary, tokenizer.special_ids());
        let anchor = candidates
            .iter()
            .find(|word| tokenizer.encode_whole(word).len() == 1)
            .copied()
            .unwrap_or("a");
        let mut found = Self {
            anchor: anchor.to_owned(),
            anchor_tokens: tokenizer.encode_whole(anchor).len(),
            ..Self::default()
        };
        let texts: FxHashMap<u32, &str> = vocabulary
            .iter()
            .map(|(id, text)| (*id, text.as_str()))
            .collect();
        for words in candidates.chunks(TRIED_TOGETHER) {
            found.examine(words, tokenizer, &texts);
        }
        found.find_starts(tokenizer, &texts);
        let crossings: Vec<&str> = vocabulary
            .iter()
            .flat_map(|(_, text)| words_reached_over_to(text))
            .collect();
        found.leave_out(&crossings);
        found.words.sort_by_key(|word| word.id);
        found.starts.sort_by_key(|word| word.id);
        found.steady = found.joined_words_stay_themselves(tokenizer);
        found.cuttable = found.steady && crossings.is_empty();
        found
    }

    /// Leaves out the words that a token reaches over to from the word before.
    fn leave_out(&mut self, crossings: &[&str]) {
        if crossings.is_empty() {
            return;
        }
        let is_reached = |word: &str| crossings.iter().any(|begin| word.starts_with(begin));
        self.words.retain(|word| !is_reached(&word.text));
        self.starts.retain(|word| !is_reached(&word.text));
        self.ids.retain(|word, _| !is_reached(word));
    }

    /// Tries words in one text; where that has not one token each, one by one.
    fn examine(&mut self, words: &[&str], tokenizer: &Tokenizer, texts: &FxHashMap<u32, &str>) {
        let text = format!("{} {}", self.anchor, words.join(" "));
        let ids = tokenizer.encode_whole(&text);
        let behind = ids.get(self.anchor_tokens..).unwrap_or_default();
        if behind.len() == words.len()
            && behind
                .iter()
                .zip(words)
                .all(|(id, word)| is_word(*id, word, texts))
        {
            for (id, word) in behind.iter().zip(words) {
                self.words.push(SafeWord {
                    text: (*word).into(),
                    id: *id,
                });
                self.ids.insert((*word).into(), *id);
            }
        } else if words.len() > 1 {
            for word in words {
                self.examine(&[word], tokenizer, texts);
            }
        }
    }

    /// Tries words at the start of a text: those whose bare form is in the vocabulary, or all where the tokenizer itself puts a
    /// space in front.
    fn find_starts(&mut self, tokenizer: &Tokenizer, texts: &FxHashMap<u32, &str>) {
        let puts_space = match tokenizer.encode_whole(&self.anchor)[..] {
            [id] => texts.get(&id).is_some_and(|text| text.starts_with(MARKS)),
            _ => false,
        };
        let bare: FxHashSet<&str> = texts.values().copied().collect();
        let likely = self
            .words
            .iter()
            .filter(|word| puts_space || bare.contains(&*word.text));
        self.starts = likely
            .filter_map(|word| match tokenizer.encode_whole(&word.text)[..] {
                [id] if is_word(id, &word.text, texts) => Some(SafeWord {
                    text: word.text.clone(),
                    id,
                }),
                _ => None,
            })
            .take(MOST_STARTS)
            .collect();
    }

    /// Encodes many words in one text, in an order that is not that of their ids.
    fn joined_words_stay_themselves(&self, tokenizer: &Tokenizer) -> bool {
        let count = self.words.len().min(MOST_JOINED);
        // 7919 is a prime above most counts' factors; where it is one, the order merely repeats words.
        let place = |i: usize| i * 7919 % self.words.len();
        let order: Vec<&SafeWord> = (0..count).map(|i| &self.words[place(i)]).collect();
        let mut text = self.anchor.clone();
        for word in &order {
            text.push(' ');
            text.push_str(&word.text);
        }
        let ids = tokenizer.encode_whole(&text);
        ids.len() == count + self.anchor_tokens
            && ids[self.anchor_tokens..]
                .iter()
                .eq(order.iter().map(|word| &word.id))
    }

    /// Number of tokens; `None` where the short cut cannot be taken or is not worth it.
    pub(super) fn count(&self, text: &str, tokenizer: &Tokenizer) -> Option<usize> {
        let mut words = 0;
        let rests = self.split(text, |_, _| words += 1)?;
        let slow = rests
            .iter()
            .map(|rest| self.encode_rest(text, rest, tokenizer).len());
        Some(words + slow.sum::<usize>())
    }

    /// The tokens; `None` where the short cut cannot be taken or is not worth it.
    pub(super) fn encode(&self, text: &str, tokenizer: &Tokenizer) -> Option<Vec<u32>> {
        let mut found = Vec::with_capacity(text.len() / 4);
        let rests = self.split(text, |at, id| found.push((at, id)))?;
        let mut ids = Vec::with_capacity(found.len() + 16);
        let mut words = found.into_iter().peekable();
        for rest in rests {
            while let Some((_, id)) = words.next_if(|(at, _)| *at < rest.start) {
                ids.push(id);
            }
            ids.extend(self.encode_rest(text, &rest, tokenizer));
        }
        ids.extend(words.map(|(_, id)| id));
        Some(ids)
    }

    /// Hands every safe word that may be looked up to `on_word` (with its place) and returns what lies between them.
    fn split(&self, text: &str, mut on_word: impl FnMut(usize, u32)) -> Option<Vec<Range<usize>>> {
        if !self.cuttable || text.len() < SHORT_TEXT {
            return None;
        }
        let mut rests: Vec<Range<usize>> = Vec::new();
        let mut rest_bytes = 0;
        let mut open = Some(0);
        let mut at = text.find(' ').unwrap_or(text.len());
        // `at` is the place of the space in front of the next part.
        while at < text.len() {
            let begin = at + 1;
            let end = text[begin..]
                .find(' ')
                .map_or(text.len(), |length| begin + length);
            match (self.ids.get(&text[begin..end]), open) {
                (Some(&id), None) => on_word(at, id),
                (Some(&id), Some(start)) if ends_in_letter(&text[..at]) => {
                    rest_bytes += at - start;
                    rests.push(start..at);
                    open = None;
                    on_word(at, id);
                }
                (None, None) => open = Some(at),
                (_, Some(_)) => {}
            }
            at = end;
        }
        if let Some(start) = open {
            rest_bytes += text.len() - start;
            rests.push(start..text.len());
        }
        (rest_bytes * 2 <= text.len()).then_some(rests)
    }

    /// The tokens of a part of a text; one that does not begin the text is encoded behind a word, as it stands.
    fn encode_rest(&self, text: &str, rest: &Range<usize>, tokenizer: &Tokenizer) -> Vec<u32> {
        if rest.start == 0 {
            return tokenizer.encode_whole(&text[rest.clone()]);
        }
        let anchored = format!("{}{}", self.anchor, &text[rest.clone()]);
        tokenizer
            .encode_whole(&anchored)
            .split_off(self.anchor_tokens)
    }
}

/// Words of the vocabulary, each once, by ascending id. Where the vocabulary marks the begin of words, only those with a mark.
fn candidates<'a>(vocabulary: &'a [(u32, String)], special: &[u32]) -> Vec<&'a str> {
    let words = || {
        vocabulary
            .iter()
            .filter(|(_, text)| !letters(text).is_empty())
    };
    let marks = words().any(|(_, text)| text.starts_with(MARKS));
    let mut seen = FxHashSet::default();
    words()
        .filter(|(id, text)| text.starts_with(MARKS) == marks && special.binary_search(id).is_err())
        .map(|(_, text)| letters(text))
        .filter(|word| seen.insert(*word))
        .take(MOST_CANDIDATES)
        .collect()
}

fn is_word(id: u32, word: &str, texts: &FxHashMap<u32, &str>) -> bool {
    texts.get(&id).is_some_and(|text| letters(text) == word)
}

fn ends_in_letter(text: &str) -> bool {
    text.as_bytes().last().is_some_and(u8::is_ascii_alphabetic)
}

fn all_letters(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The word that a token is, without its mark; empty where it is none.
fn letters(token: &str) -> &str {
    let word = token.strip_prefix(MARKS).unwrap_or(token);
    if all_letters(word) { word } else { "" }
}

/// What a token holds of the words behind a place where a text might be cut.
fn words_reached_over_to(token: &str) -> impl Iterator<Item = &str> {
    let parts: Vec<&str> = token.split(MARKS).collect();
    let reached = |pair: &[&'_ str]| {
        ends_in_letter(pair[0]) && (all_letters(pair[0]) || all_letters(pair[1]))
    };
    let places: Vec<usize> = (1..parts.len())
        .filter(|place| reached(&parts[place - 1..=*place]))
        .collect();
    places.into_iter().map(move |place| parts[place])
}
