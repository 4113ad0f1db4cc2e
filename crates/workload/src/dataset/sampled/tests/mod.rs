//! Tests of samples: how they are made, read, repeated and refused.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::Workload;
use crate::plan::{Dataset, PlainTemplate, PromptForm, SampleOrder};

mod hub;
mod made;
mod media;
mod read;
mod traces;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/datasets")
        .join(name)
}

fn sampling(source: SampleSource, requests: u64) -> Sampling {
    Sampling {
        source,
        requests,
        copies: 0,
        order: SampleOrder::Stored,
        longest: None,
        template: PlainTemplate::Skipped,
    }
}

fn plan(sampling: Sampling, form: PromptForm) -> WorkloadPlan {
    WorkloadPlan {
        dataset: Dataset::Sampled(Box::new(sampling)),
        tokenizer: Some("builtin".to_owned()),
        form,
        min_prompt_length: 0,
        max_prompt_length: 0,
        prefix_length: 0,
        max_tokens: None,
        offset: 0,
        seed: 3,
    }
}

fn text_plan(source: SampleSource, requests: u64) -> WorkloadPlan {
    plan(sampling(source, requests), PromptForm::Text)
}

fn open(plan: &WorkloadPlan) -> Workload {
    Workload::open_with(plan, &HubCaches::default()).unwrap()
}

fn refused(plan: &WorkloadPlan) -> String {
    Workload::open_with(plan, &HubCaches::default())
        .unwrap_err()
        .to_string()
}

/// The tokens that a server without a chat template makes of a prompt.
fn ids(workload: &Workload, item: &Item) -> Vec<u32> {
    match &item.prompt {
        Prompt::Text(text) => workload.tokenizer().unwrap().encode_whole(text),
        Prompt::TokenIds(ids) => ids.clone(),
        other => panic!("neither a text nor ids: {other:?}"),
    }
}

fn text(item: &Item) -> &str {
    match &item.prompt {
        Prompt::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

fn texts(item: &Item) -> &[String] {
    match &item.prompt {
        Prompt::Texts(texts) => texts,
        other => panic!("no texts: {other:?}"),
    }
}

/// A file with this name and text in a folder that lives as long as the first of the two.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn without(message: &str, folder: &Path) -> String {
    message.replace(&format!("{}/", folder.display()), "")
}

fn field<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap()
}

#[test]
fn a_plan_of_samples_is_the_same_after_it_was_written_down() {
    let source = SampleSource::Hub(crate::plan::HubSamples {
        name: "openai/gsm8k".to_owned(),
        path: Some(fixture("hub/gsm8k")),
        subset: None,
        split: Some("test".to_owned()),
        output_length: Some(7),
        categories: vec![],
        distance: (0.1, 1.0),
        seconds: (0.0, None),
    });
    let template = json!({"enable_thinking": false});
    let sampling = Sampling {
        template: PlainTemplate::Applied(template.as_object().unwrap().clone()),
        ..sampling(source, 5)
    };
    let plan = plan(sampling, PromptForm::Text);
    let written = serde_json::to_string(&plan).unwrap();
    let read: WorkloadPlan = serde_json::from_str(&written).unwrap();
    assert_eq!(read, plan);
    assert_eq!(open(&read).item(1), open(&plan).item(1));
}
