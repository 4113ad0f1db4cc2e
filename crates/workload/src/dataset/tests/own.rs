//! Items that come from outside go through the same presentation as those of files.

use std::sync::Arc;

use crestline_core::request::Item;

use super::*;
use crate::own::{ItemSource, OwnSource, item_of};

/// Gives these values in turn, and says that there is no other.
#[derive(Debug)]
struct Values(Vec<serde_json::Value>);

impl ItemSource for Values {
    fn item(&self, index: u64) -> Result<Item, String> {
        let value = self.0.get(index as usize);
        item_of(index, value.cloned().ok_or("there is no other")?)
    }

    fn number(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

fn own(values: &[serde_json::Value], form: PromptForm) -> WorkloadPlan {
    let source = OwnSource::new("mine", Arc::new(Values(values.to_vec())));
    plan(Dataset::Own(source), form)
}

#[test]
fn items_from_outside_are_presented_and_counted() {
    let text = json!({"prompt": "hello", "max_tokens": 3});
    let body = json!({"input": "hello"});
    let plan = WorkloadPlan {
        max_tokens: Some((9, 9)),
        ..own(&[text, body.clone()], PromptForm::Chat)
    };
    let workload = open_plan(&with_tokenizer(plan));
    assert_eq!(
        (workload.len(), workload.own_name()),
        (Some(2), Some("mine"))
    );
    let first = workload.item(0);
    assert_eq!(first.prompt, Prompt::Messages(vec![Message::user("hello")]));
    assert_eq!(first.max_tokens, Some(3), "its own length wins");
    assert!(first.prompt_tokens.unwrap() > 1, "with the chat template");
    let second = workload.item(1);
    assert_eq!(
        second.prompt,
        Prompt::Body(body.as_object().unwrap().clone())
    );
    assert_eq!((second.max_tokens, workload.fault()), (Some(9), None));
}

#[test]
fn an_item_that_cannot_be_made_says_why() {
    let workload = open_plan(&own(&[json!("a")], PromptForm::Text));
    assert_eq!(workload.try_item(1), Err("there is no other".to_owned()));
    assert_eq!(workload.item(1).prompt, Prompt::Text(String::new()));
    assert_eq!(workload.fault(), Some("there is no other"));
}

#[test]
fn a_data_set_from_outside_has_a_first_item_and_is_at_hand() {
    let why = |plan: &WorkloadPlan| refused(plan).to_string();
    assert_eq!(
        why(&own(&[], PromptForm::Text)),
        "data set `mine` has no items"
    );
    let first = why(&own(&[json!(7)], PromptForm::Text));
    assert!(
        first.starts_with("data set `mine` cannot make its first item: item 0 is `7`"),
        "{first}"
    );
    let written = serde_json::to_value(own(&[json!("a")], PromptForm::Text)).unwrap();
    let read: WorkloadPlan = serde_json::from_value(written).unwrap();
    assert!(why(&read).starts_with("data set `mine` is not at hand"));
}
