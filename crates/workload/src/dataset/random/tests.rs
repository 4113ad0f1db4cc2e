//! Tests of random prompts.

use std::collections::HashSet;

use crestline_core::request::Prompt;
use proptest::prelude::*;

use super::*;
use crate::Workload;
use crate::plan::{Dataset, PromptForm};

fn plan(form: PromptForm, length: u32) -> WorkloadPlan {
    WorkloadPlan {
        dataset: Dataset::Random(RandomLengths::default()),
        tokenizer: Some("builtin".to_owned()),
        form,
        min_prompt_length: length,
        max_prompt_length: length,
        prefix_length: 0,
        max_tokens: Some((16, 16)),
        offset: 0,
        seed: 1,
    }
}

/// The ids that a server makes of a prompt, by the full algorithm.
fn ids(workload: &Workload, prompt: &Prompt) -> Vec<u32> {
    let tokenizer = workload.tokenizer().unwrap();
    match prompt {
        Prompt::Text(text) => tokenizer.encode_whole(text),
        Prompt::Messages(messages) => {
            tokenizer.encode_whole(&workload.template().unwrap().render(messages).unwrap())
        }
        Prompt::TokenIds(ids) => ids.clone(),
        other => panic!("random prompts are texts, messages or ids, not {other:?}"),
    }
}

fn forms() -> impl Strategy<Value = PromptForm> {
    prop_oneof![
        Just(PromptForm::Chat),
        Just(PromptForm::Text),
        Just(PromptForm::TokenIds { chat: true }),
        Just(PromptForm::TokenIds { chat: false }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_prompt_has_exactly_the_asked_length(
        form in forms(), length in 16_u32..700, seed: u64, index: u64, prefix in 0_u32..40,
    ) {
        let plan = WorkloadPlan { seed, prefix_length: prefix, ..plan(form, length) };
        let workload = Workload::open(&plan).unwrap();
        prop_assert!(workload.notes().is_empty(), "{:?}", workload.notes());
        let item = workload.item(index);
        prop_assert_eq!(item.prompt_tokens, Some(length + prefix));
        prop_assert_eq!(ids(&workload, &item.prompt).len(), (length + prefix) as usize);
        prop_assert_eq!(workload.item(index), item);
    }
}

#[test]
fn no_two_of_a_thousand_items_share_their_first_tokens() {
    for form in [
        PromptForm::Text,
        PromptForm::Chat,
        PromptForm::TokenIds { chat: false },
    ] {
        let workload = Workload::open(&plan(form, 64)).unwrap();
        let overhead = if form == PromptForm::Chat { 3 } else { 0 };
        let starts: HashSet<Vec<u32>> = (0..1000)
            .map(|index| ids(&workload, &workload.item(index).prompt)[..overhead + 16].to_vec())
            .collect();
        assert_eq!(starts.len(), 1000, "{form:?}");
    }
}

fn fixture(path: &str) -> String {
    format!("{}/../../fixtures/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// A folder with the tokenizer of one kind and the chat template of another.
fn folder(variety: &str, template: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        (
            format!("tokenizer/{variety}/tokenizer.json"),
            "tokenizer.json",
        ),
        (
            format!("tokenizer/{variety}/tokenizer_config.json"),
            "tokenizer_config.json",
        ),
        (format!("templates/{template}.jinja"), "chat_template.jinja"),
    ] {
        std::fs::copy(fixture(&from), folder.path().join(to)).unwrap();
    }
    folder
}

/// Length of an item's prompt as a server counts it, by the full algorithm.
fn length_at_server(workload: &Workload, prompt: &Prompt) -> u32 {
    let added = match prompt {
        Prompt::Text(_) => workload.tokenizer().unwrap().added_to_prompts(),
        _ => 0,
    };
    (ids(workload, prompt).len() + added) as u32
}

#[test]
fn lengths_are_exact_for_every_kind_of_tokenizer_and_template() {
    for variety in [
        "",
        "varieties/sentence_pieces",
        "varieties/phrases",
        "varieties/word_level",
        "varieties/word_piece",
    ] {
        for template in ["llama3_style", "mistral_style", "parts", "reasoning_style"] {
            for form in [PromptForm::Chat, PromptForm::Text] {
                let folder = folder(variety, template);
                let tokenizer = Some(folder.path().to_str().unwrap().to_owned());
                let workload = Workload::open(&WorkloadPlan {
                    tokenizer,
                    ..plan(form, 120)
                })
                .unwrap();
                let inexact = workload
                    .notes()
                    .iter()
                    .any(|note| note.contains("not exact"));
                assert!(
                    !inexact,
                    "{variety} {template} {form:?}: {:?}",
                    workload.notes()
                );
                for index in 0..40 {
                    let item = workload.item(index);
                    assert_eq!(
                        item.prompt_tokens,
                        Some(120),
                        "{variety} {template} {form:?}"
                    );
                    assert_eq!(
                        length_at_server(&workload, &item.prompt),
                        120,
                        "{variety} {template} {form:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_tokenizer_with_few_safe_words_gets_random_tokens_whose_true_number_is_told() {
    let folder = folder("varieties/unigram", "parts");
    let tokenizer = Some(folder.path().to_str().unwrap().to_owned());
    for form in [PromptForm::Chat, PromptForm::Text] {
        let workload = Workload::open(&WorkloadPlan {
            tokenizer: tokenizer.clone(),
            ..plan(form, 100)
        })
        .unwrap();
        assert!(
            workload.notes()[0].contains("made of random tokens"),
            "{:?}",
            workload.notes()
        );
        let lengths: Vec<u32> = (0..30)
            .map(|index| {
                let item = workload.item(index);
                assert_eq!(
                    item.prompt_tokens,
                    Some(length_at_server(&workload, &item.prompt)),
                    "{form:?}"
                );
                item.prompt_tokens.unwrap()
            })
            .collect();
        let near = lengths
            .iter()
            .filter(|length| length.abs_diff(100) <= 5)
            .count();
        assert!(near >= 25, "{form:?}: {lengths:?}");
    }
    let ids = PromptForm::TokenIds { chat: false };
    let workload = Workload::open(&WorkloadPlan {
        tokenizer,
        ..plan(ids, 100)
    })
    .unwrap();
    assert_eq!(workload.item(3).prompt_tokens, Some(100));
}

#[test]
fn words_are_drawn_independently() {
    let workload = Workload::open(&plan(PromptForm::TokenIds { chat: false }, 4000)).unwrap();
    let Prompt::TokenIds(ids) = workload.item(0).prompt else {
        panic!("ids were asked for")
    };
    let neighbours = ids.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    assert!(neighbours < 10, "{neighbours}");
    let different: HashSet<u32> = ids.iter().copied().collect();
    // Of 6000 words 4000 draws find about 6000 * (1 - exp(-4000 / 6000)).
    assert!(
        (2700..3200).contains(&different.len()),
        "{}",
        different.len()
    );
}

#[test]
fn items_depend_on_the_seed_and_the_position_alone() {
    let base = plan(PromptForm::Chat, 50);
    let workload = Workload::open(&base).unwrap();
    let other = Workload::open(&WorkloadPlan {
        seed: 2,
        ..base.clone()
    })
    .unwrap();
    let later = Workload::open(&WorkloadPlan {
        offset: 10,
        ..base.clone()
    })
    .unwrap();
    assert_ne!(workload.item(0).prompt, other.item(0).prompt);
    assert_eq!(workload.item(10).prompt, later.item(0).prompt);
    assert_eq!(later.item(0).index, 0);
    let at_once: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|index| {
                scope.spawn({
                    let workload = &workload;
                    move || workload.item(index)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        at_once,
        (0..4).map(|index| workload.item(index)).collect::<Vec<_>>()
    );
    assert_eq!(workload.len(), None);
}

#[test]
fn the_prefix_is_shared_within_a_run_and_new_in_the_next() {
    let base = WorkloadPlan {
        prefix_length: 32,
        ..plan(PromptForm::Text, 64)
    };
    let run = |offset| {
        let workload = Workload::open(&WorkloadPlan {
            offset,
            ..base.clone()
        })
        .unwrap();
        (0..20)
            .map(|index| ids(&workload, &workload.item(index).prompt))
            .collect::<Vec<_>>()
    };
    let (first, second) = (run(0), run(20));
    for run in [&first, &second] {
        for item in run {
            assert_eq!(item.len(), 96);
            assert_eq!(item[..32], run[0][..32]);
        }
        let own: HashSet<&[u32]> = run.iter().map(|item| &item[32..40]).collect();
        assert_eq!(own.len(), 20);
    }
    assert_ne!(first[0][..32], second[0][..32]);
}

#[test]
fn even_the_shortest_items_differ_as_long_as_there_are_words() {
    let workload = Workload::open(&plan(PromptForm::Text, 1)).unwrap();
    let texts: HashSet<String> = (0..200)
        .map(|index| match workload.item(index).prompt {
            Prompt::Text(text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts.len(), 200);
}

fn random(lengths: RandomLengths, plan: WorkloadPlan) -> Workload {
    Workload::open(&WorkloadPlan {
        dataset: Dataset::Random(lengths),
        ..plan
    })
    .unwrap()
}

#[test]
fn lengths_of_the_plan_are_uniform_and_inclusive() {
    let workload = random(
        RandomLengths::default(),
        WorkloadPlan {
            min_prompt_length: 20,
            max_prompt_length: 24,
            max_tokens: Some((3, 4)),
            ..plan(PromptForm::Chat, 0)
        },
    );
    let mut seen = [0; 5];
    let mut answers = [0; 2];
    for item in (0..1000).map(|index| workload.item(index)) {
        seen[item.prompt_tokens.unwrap() as usize - 20] += 1;
        answers[item.max_tokens.unwrap() as usize - 3] += 1;
    }
    assert!(
        seen.iter().all(|count| (150..250).contains(count)),
        "{seen:?}"
    );
    assert!(
        answers.iter().all(|count| (430..570).contains(count)),
        "{answers:?}"
    );
}

#[test]
fn input_and_output_lengths_have_their_own_distributions() {
    use crate::plan::Lengths;
    let lengths = RandomLengths {
        input: Some(Lengths::Fixed { value: 77 }),
        output: Some(Lengths::Normal {
            mean: 200.0,
            sd: 20.0,
            min: 1,
            max: 400,
        }),
        pairs: None,
    };
    let workload = random(lengths, plan(PromptForm::Chat, 10));
    let mut sum = 0;
    for item in (0..500).map(|index| workload.item(index)) {
        assert_eq!(item.prompt_tokens, Some(77));
        sum += item.max_tokens.unwrap();
    }
    assert!((98_000..102_000).contains(&sum), "{sum}");
}

#[test]
fn pairs_are_drawn_together() {
    let lengths = RandomLengths {
        pairs: Some(fixture("datasets/lengths.csv").into()),
        ..RandomLengths::default()
    };
    let workload = random(lengths, plan(PromptForm::Chat, 10));
    let pairs: HashSet<_> = (0..100)
        .map(|index| {
            let item = workload.item(index);
            (item.prompt_tokens.unwrap(), item.max_tokens.unwrap())
        })
        .collect();
    assert_eq!(pairs, HashSet::from([(40, 8), (80, 16), (300, 64)]));
}

#[test]
fn a_length_that_leaves_no_room_for_the_template_is_refused() {
    let error = Workload::open(&plan(PromptForm::Chat, 5)).unwrap_err();
    // <|im_start|> user \n … <|im_end|> \n <|im_start|> assistant \n, with `user` and `assistant` in pieces of their own.
    let overhead = Workload::open(&plan(PromptForm::Chat, 64)).map(|workload| {
        let empty = workload
            .template()
            .unwrap()
            .count(&[crestline_core::request::Message::user("")]);
        empty.unwrap()
    });
    let overhead = overhead.unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "prompts of at most 5 tokens leave no room: {overhead} tokens stand around every prompt"
        )
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains(&format!("at least {} tokens", overhead + 1))
    );
}

#[test]
fn a_least_length_below_what_the_template_takes_is_raised_with_a_note() {
    let range = |min| WorkloadPlan {
        min_prompt_length: min,
        max_prompt_length: 60,
        ..plan(PromptForm::Chat, 0)
    };
    let workload = Workload::open(&range(3)).unwrap();
    assert!(
        workload.notes()[0].contains("shorter lengths, from 3, are raised"),
        "{:?}",
        workload.notes()
    );
    let silent = Workload::open(&range(0)).unwrap();
    assert!(
        silent.notes().is_empty(),
        "nobody asked for 0 tokens: {:?}",
        silent.notes()
    );
}

#[test]
fn random_prompts_without_a_tokenizer_are_refused_with_what_to_do() {
    let error = Workload::open(&WorkloadPlan {
        tokenizer: None,
        ..plan(PromptForm::Chat, 64)
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "the data set `random` needs a tokenizer");
    assert!(error.hint().unwrap().contains("--tokenizer-path builtin"));
}

#[test]
fn a_tokenizer_without_plain_tokens_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"version":"1.0","added_tokens":[{"id":0,"content":"[UNK]","single_word":false,"lstrip":false,
        "rstrip":false,"normalized":false,"special":true}],
        "model":{"type":"WordLevel","vocab":{"[UNK]":0},"unk_token":"[UNK]"}}"#;
    std::fs::write(folder.path().join("tokenizer.json"), text).unwrap();
    let tokenizer = Some(folder.path().to_str().unwrap().to_owned());
    let plan = WorkloadPlan {
        tokenizer,
        ..plan(PromptForm::Text, 10)
    };
    let error = Workload::open(&plan).unwrap_err().to_string();
    assert!(error.ends_with("all its tokens are special"), "{error}");
}
