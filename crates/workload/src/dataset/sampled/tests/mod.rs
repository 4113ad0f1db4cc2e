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
