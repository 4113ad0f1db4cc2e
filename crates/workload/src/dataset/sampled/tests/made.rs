//! Samples of random words.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::plan::{
    AroundLength, Pairing, PrefixRepetition, RandomSamples, RerankSamples, WarmPrompts,
};

fn around(tokens: u32, spread: f64) -> AroundLength {
    AroundLength { tokens, spread }
}

fn random() -> RandomSamples {
    RandomSamples {
        input: around(64, 0.0),
        output: around(16, 0.0),
        prefix_length: 0,
        texts: 1,
        warm: None,
    }
}

fn forms() -> impl Strategy<Value = PromptForm> {
    prop_oneof![
        Just(PromptForm::Text),
        Just(PromptForm::TokenIds { chat: false }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lengths_are_within_their_ranges_and_exact_after_encoding(
        form in forms(), seed: u64, index in 0_u64..1000,
        input in 8_u32..300, output in 1_u32..300, prefix in 0_u32..40,
        spread in 0.0_f64..0.9, answers in 0.0_f64..0.9,
    ) {
        let samples = RandomSamples {
            input: around(input, spread),
            output: around(output, answers),
            prefix_length: prefix,
            ..random()
        };
        let base = plan(sampling(SampleSource::Random(samples), 10), form);
        let workload = open(&WorkloadPlan { seed, ..base });
        let item = workload.item(index);
        let tokens = item.prompt_tokens.unwrap();
        prop_assert_eq!(ids(&workload, &item).len() as u32, tokens);
        let own = f64::from(tokens - prefix);
        let middle = f64::from(input);
        prop_assert!(own >= (middle * (1.0 - spread)).floor(), "{own} of {middle} and {spread}");
        prop_assert!(own <= (middle * (1.0 + spread)).ceil(), "{own} of {middle} and {spread}");
        let asked = f64::from(item.max_tokens.unwrap());
        let middle = f64::from(output);
        prop_assert!(asked >= (middle * (1.0 - answers)).floor().max(1.0));
        prop_assert!(asked <= (middle * (1.0 + answers)).ceil());
        prop_assert_eq!(workload.item(index), item);
    }
}

#[test]
fn both_ends_of_a_range_are_drawn() {
    let samples = RandomSamples {
        input: around(10, 0.2),
        output: around(3, 0.5),
        ..random()
    };
    let workload = open(&text_plan(SampleSource::Random(samples), 10));
    let items: Vec<Item> = (0..400).map(|index| workload.item(index)).collect();
    let inputs: BTreeSet<u32> = items.iter().filter_map(|item| item.prompt_tokens).collect();
    let outputs: BTreeSet<u32> = items.iter().filter_map(|item| item.max_tokens).collect();
    assert_eq!(inputs, BTreeSet::from([8, 9, 10, 11, 12]));
    assert_eq!(outputs, BTreeSet::from([1, 2, 3, 4, 5]));
}

#[test]
fn tokens_that_stand_around_a_prompt_are_part_of_the_input_and_a_chat_template_is_not() {
    let base = text_plan(SampleSource::Random(random()), 4);
    for variety in ["word_level", "sentence_pieces", "word_piece", "phrases"] {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/tokenizer/varieties/"
        );
        let workload = open(&WorkloadPlan {
            tokenizer: Some(format!("{folder}{variety}")),
            ..base.clone()
        });
        let tokenizer = workload.tokenizer().unwrap();
        let item = workload.item(1);
        let sent = tokenizer.encode_prompt(text(&item)).len();
        assert_eq!(item.prompt_tokens, Some(sent as u32), "{variety}");
        assert_eq!(sent, 64, "{variety}: {:?}", workload.notes());
    }

    let chat = open(&WorkloadPlan {
        form: PromptForm::Chat,
        ..base.clone()
    });
    let Prompt::Messages(messages) = chat.item(1).prompt else {
        panic!("a chat has messages")
    };
    let plain = open(&base);
    assert_eq!(messages[0].content, json!(text(&plain.item(1))));
    let counted = chat.template().unwrap().count(&messages).unwrap() as u32;
    assert_eq!(chat.item(1).prompt_tokens, Some(counted));
    assert!(counted > 64);
}

#[test]
fn several_texts_a_request_are_all_different_and_nothing_is_generated() {
    let samples = RandomSamples {
        texts: 3,
        ..random()
    };
    let workload = open(&text_plan(SampleSource::Random(samples), 4));
    let all: BTreeSet<String> = (0..10)
        .flat_map(|index| texts(&workload.item(index)).to_vec())
        .collect();
    assert_eq!(all.len(), 30);
    assert_eq!(workload.item(2).prompt_tokens, Some(3 * 64));
    assert_eq!(workload.item(2).max_tokens, None);
}

#[test]
fn so_many_requests_begin_with_so_much_of_a_shared_prefix() {
    for form in [PromptForm::TokenIds { chat: false }, PromptForm::Text] {
        let samples = RandomSamples {
            warm: Some(WarmPrompts {
                requests: 0.75,
                tokens: 0.5,
                prefixes: 2,
            }),
            prefix_length: 30,
            ..random()
        };
        let workload = open(&plan(sampling(SampleSource::Random(samples), 4), form));
        let mut begins: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for index in 0..1000 {
            let ids = ids(&workload, &workload.item(index));
            assert_eq!(ids.len(), 64, "the prefix is part of the input");
            *begins.entry(ids[..32].to_vec()).or_default() += 1;
        }
        let shared: Vec<u32> = begins
            .values()
            .copied()
            .filter(|count| *count > 1)
            .collect();
        let warm: u32 = shared.iter().sum();
        assert_eq!(shared.len(), 2, "{form:?}");
        assert!((700..800).contains(&warm), "{warm} of 1000, {form:?}");
    }
}

#[test]
fn prompts_that_are_wholly_shared_still_have_a_token_of_their_own() {
    let samples = RandomSamples {
        warm: Some(WarmPrompts {
            requests: 1.0,
            tokens: 1.0,
            prefixes: 1,
        }),
        ..random()
    };
    let workload = open(&plan(
        sampling(SampleSource::Random(samples), 4),
        PromptForm::TokenIds { chat: false },
    ));
    let one = ids(&workload, &workload.item(0));
    let other = ids(&workload, &workload.item(1));
    assert_eq!(one[..63], other[..63]);
    assert_ne!(one, other);
}

#[test]
fn prompts_above_the_limit_are_left_out_and_told() {
    let samples = RandomSamples {
        input: around(100, 0.5),
        output: around(100, 0.5),
        ..random()
    };
    let limited = |longest| {
        let sampling = Sampling {
            longest: Some(longest),
            ..sampling(SampleSource::Random(samples.clone()), 500)
        };
        plan(sampling, PromptForm::Text)
    };
    let workload = open(&limited(200));
    let kept = workload.len().unwrap();
    assert!((200..320).contains(&kept), "{kept}");
    let told = format!("{} of 500 random prompts are left out", 500 - kept);
    assert!(
        workload.notes()[0].starts_with(&told),
        "{:?}",
        workload.notes()
    );
    let prompts: BTreeSet<String> = (0..600)
        .map(|index| {
            let item = workload.item(index);
            assert!(item.prompt_tokens.unwrap() + item.max_tokens.unwrap() <= 200);
            text(&item).to_owned()
        })
        .collect();
    assert_eq!(
        prompts.len(),
        600,
        "later items have the lengths again, not the words"
    );
    assert_eq!(open(&limited(300)).len(), None);
    assert_eq!(
        refused(&limited(50)),
        "data set `random`: input and output together are above 50 tokens for all 500 prompts"
    );
}

#[test]
fn random_samples_that_cannot_be_made_are_refused() {
    let check = |samples: RandomSamples, form, expected: &str| {
        let plan = plan(sampling(SampleSource::Random(samples), 4), form);
        assert_eq!(refused(&plan), format!("data set `random`: {expected}"));
    };
    check(
        RandomSamples {
            input: around(0, 0.0),
            ..random()
        },
        PromptForm::Text,
        "a prompt would have no token of its own: 0 tokens stand around every prompt",
    );
    check(
        RandomSamples {
            output: around(5, 1.0),
            ..random()
        },
        PromptForm::Text,
        "the spread of lengths around 5 must be at least 0 and below 1, not 1",
    );
    check(
        RandomSamples {
            texts: 2,
            ..random()
        },
        PromptForm::TokenIds { chat: false },
        "several texts in a request cannot be token ids",
    );
    let warm = |requests, prefixes| {
        Some(WarmPrompts {
            requests,
            tokens: 0.5,
            prefixes,
        })
    };
    check(
        RandomSamples {
            warm: warm(1.5, 1),
            ..random()
        },
        PromptForm::Text,
        "the share of requests that is shared must be from 0 to 1, not 1.5",
    );
    check(
        RandomSamples {
            warm: warm(0.5, 0),
            ..random()
        },
        PromptForm::Text,
        "shared prefixes need at least one prefix",
    );
    let without_tokenizer = WorkloadPlan {
        tokenizer: None,
        ..text_plan(SampleSource::Random(random()), 4)
    };
    assert_eq!(
        refused(&without_tokenizer),
        "the data set `random` needs a tokenizer"
    );
}

#[test]
fn each_prefix_is_shared_by_as_many_requests_in_a_drawn_order() {
    let samples = PrefixRepetition {
        prefix_length: 20,
        suffix_length: 12,
        prefixes: 3,
        output_length: 9,
    };
    let workload = open(&text_plan(SampleSource::PrefixRepetition(samples), 11));
    assert_eq!(workload.len(), Some(9));
    let mut order = Vec::new();
    let mut counts: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    for index in 0..9 {
        let item = workload.item(index);
        let ids = ids(&workload, &item);
        assert_eq!((ids.len(), item.max_tokens), (32, Some(9)));
        order.push(ids[..20].to_vec());
        *counts.entry(ids[..20].to_vec()).or_default() += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<u32>>(), [3, 3, 3]);
    assert!(!order.is_sorted() || order[0] != order[2], "shuffled");
    let few = text_plan(SampleSource::PrefixRepetition(samples), 2);
    assert_eq!(
        refused(&few),
        "data set `prefix_repetition`: 2 requests are fewer than its 3 prefixes"
    );
    let limited = Sampling {
        longest: Some(40),
        ..sampling(SampleSource::PrefixRepetition(samples), 11)
    };
    assert_eq!(
        refused(&plan(limited, PromptForm::Text)),
        "data set `prefix_repetition`: input and output together are 41 tokens, above 40"
    );
}

#[test]
fn a_query_comes_with_documents_of_its_own_length() {
    let samples = RerankSamples {
        input: around(64, 0.0),
        texts: 4,
        pairing: Pairing::Joined,
    };
    let count =
        |workload: &Workload, text: &str| workload.tokenizer().unwrap().encode_whole(text).len();
    let joined = open(&text_plan(SampleSource::Rerank(samples), 4));
    let (one, other) = (joined.item(0), joined.item(1));
    let lengths: Vec<usize> = texts(&one)
        .iter()
        .map(|text| count(&joined, text))
        .collect();
    // A query of 64 / 2 - 1, a separator, and documents that fill up the 64.
    assert_eq!(lengths, [31, 32, 32, 32, 32]);
    assert_eq!(one.prompt_tokens, Some(4 * 64));
    assert_eq!(texts(&one)[0], texts(&other)[0]);
    let documents: BTreeSet<&String> = texts(&one)[1..].iter().chain(&texts(&other)[1..]).collect();
    assert_eq!(documents.len(), 8);

    let separate = open(&text_plan(
        SampleSource::Rerank(RerankSamples {
            pairing: Pairing::Separate,
            ..samples
        }),
        4,
    ));
    assert_eq!(texts(&separate.item(0)).len(), 4);
    assert_eq!(separate.item(0).prompt_tokens, Some(4 * 64));
    let short = RerankSamples {
        input: around(2, 0.0),
        ..samples
    };
    assert_eq!(
        refused(&text_plan(SampleSource::Rerank(short), 4)),
        "data set `random-rerank`: the input is too short for a query and a document of at least one token"
    );
}

#[test]
fn lengths_that_a_tokenizer_cannot_meet_are_told() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/tokenizer/varieties/unigram"
    );
    let workload = open(&WorkloadPlan {
        tokenizer: Some(folder.to_owned()),
        ..text_plan(SampleSource::Random(random()), 20)
    });
    for index in 0..20 {
        let item = workload.item(index);
        let sent = workload
            .tokenizer()
            .unwrap()
            .encode_prompt(text(&item))
            .len() as u32;
        assert_eq!(item.prompt_tokens, Some(sent));
        let is_told = workload
            .notes()
            .iter()
            .any(|note| note.contains("not the asked length"));
        assert!(sent == 64 || is_told, "{sent}: {:?}", workload.notes());
    }
}

#[test]
fn copies_go_before_the_first_sample_and_move_the_others() {
    let plain = text_plan(SampleSource::Random(random()), 5);
    let mut copied = plain.clone();
    let Dataset::Sampled(sampling) = &mut copied.dataset else {
        panic!("not sampled");
    };
    sampling.copies = 2;
    let (plain, copied) = (open(&plain), open(&copied));
    for index in 0..7_u64 {
        let item = copied.item(index);
        assert_eq!(item.index, index);
        assert_eq!(item.prompt, plain.item(index.saturating_sub(2)).prompt);
    }
    assert_ne!(copied.item(2).prompt, copied.item(3).prompt);
}
