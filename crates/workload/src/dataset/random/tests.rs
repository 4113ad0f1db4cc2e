//! Tests of random prompts.

use std::collections::HashSet;

use crestline_core::request::Prompt;
use proptest::prelude::*;

use super::*;
use crate::Workload;
use crate::plan::Dataset;

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
        Prompt::Body(_) => panic!("random prompts are no bodies"),
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
