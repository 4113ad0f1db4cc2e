//! Random texts that are put in place of others.

use std::collections::BTreeMap;

use crestline_core::request::Message;

use super::*;
use crate::plan::{AroundLength, PrefixRepetition, RandomSamples};

fn random(texts: u32) -> SampleSource {
    SampleSource::Random(RandomSamples {
        input: AroundLength {
            tokens: 20,
            spread: 0.5,
        },
        output: AroundLength {
            tokens: 4,
            spread: 0.0,
        },
        prefix_length: 0,
        texts,
        warm: None,
    })
}

fn repeated() -> SampleSource {
    SampleSource::PrefixRepetition(PrefixRepetition {
        prefix_length: 4,
        suffix_length: 8,
        prefixes: 2,
        output_length: 4,
    })
}

#[test]
fn a_random_text_is_that_of_its_item_with_its_own_length() {
    for source in [random(1), repeated()] {
        for form in [PromptForm::Text, PromptForm::Chat] {
            let workload = open(&plan(sampling(source.clone(), 8), form));
            for index in 0..8 {
                let (text, tokens) = workload.random_text(index).unwrap();
                let counted = workload.tokenizer().unwrap().encode_whole(&text).len();
                assert_eq!(tokens as usize, counted);
                let prompt = match form {
                    PromptForm::Chat => Prompt::Messages(vec![Message::user(text)]),
                    _ => Prompt::Text(text),
                };
                assert_eq!(workload.item(index).prompt, prompt);
            }
        }
    }
}

#[test]
fn what_is_no_text_of_random_words_has_none() {
    let ids = PromptForm::TokenIds { chat: false };
    let of_ids = open(&plan(sampling(random(1), 8), ids));
    let several = open(&text_plan(random(3), 8));
    let file = SampleSource::Prompts(crate::plan::PromptSamples {
        path: fixture("prompts.jsonl"),
        output_length: Some(3),
    });
    let read = open(&text_plan(file, 2));
    for workload in [of_ids, several, read] {
        assert_eq!(workload.random_text(0), None);
    }
}

#[test]
fn a_correction_changes_the_text_of_its_item_and_nothing_else() {
    for form in [PromptForm::Text, PromptForm::Chat] {
        let plan = plan(sampling(random(1), 8), form);
        let (untouched, corrected) = (open(&plan), open(&plan));
        corrected.correct(BTreeMap::from([(2, "short".to_owned())]));
        // The first call counts.
        corrected.correct(BTreeMap::from([(3, "late".to_owned())]));
        for index in [0, 1, 3, 4] {
            assert_eq!(corrected.item(index), untouched.item(index));
        }
        let prompt = match form {
            PromptForm::Chat => Prompt::Messages(vec![Message::user("short")]),
            _ => Prompt::Text("short".to_owned()),
        };
        let item = untouched.item(2);
        assert_eq!(corrected.item(2), Item { prompt, ..item });
    }
}
