//! What is refused, and with which words.

use super::*;

#[test]
fn files_that_hold_something_else_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let check = |dataset: fn(Source) -> Dataset, text: &str, expected: &str| {
        let path = folder.path().join("data");
        fs::write(&path, text).unwrap();
        let source = Source {
            path: Some(path.clone()),
            fit: None,
        };
        let message = refused(&plan(dataset(source), PromptForm::Chat)).to_string();
        assert_eq!(
            message,
            expected.replace("FILE", &path.display().to_string())
        );
    };
    check(
        Dataset::OpenQa,
        "{\"question\": \"a\"}\n{\"q\": 1}\n",
        "FILE, line 2: missing field `question`",
    );
    check(
        Dataset::OpenQa,
        "\n \n",
        "dataset is empty: FILE holds no prompt",
    );
    check(
        Dataset::ShareGptZh,
        "{\"conversation\": [{\"user\": 1}]}",
        "FILE, line 1: missing field `human`",
    );
    check(
        Dataset::ShareGptZh,
        "{\"conversation\": []}",
        "dataset is empty: FILE holds no prompt",
    );
    check(
        Dataset::LineByLine,
        "",
        "dataset is empty: FILE holds no prompt",
    );
    check(
        Dataset::Custom,
        "\n\n",
        "dataset is empty: FILE holds no prompt",
    );
    check(
        Dataset::LongAlpaca,
        "[]",
        "dataset is empty: FILE holds no prompt",
    );
    check(
        Dataset::LongAlpaca,
        "[{\"instruction\": \"a\"},\n {}]",
        "FILE, line 2: not a JSON array of objects with `instruction`: missing field `instruction` at line 2 column 3",
    );
}

#[test]
fn files_that_are_not_there_are_refused_with_where_they_were_looked_for() {
    let caches = HubCaches {
        hugging_face: vec![],
        model_scope: vec!["/scope".into()],
    };
    let nowhere = Source {
        path: None,
        fit: None,
    };
    for (dataset, file) in [
        (
            Dataset::OpenQa(nowhere.clone()),
            "hub/datasets/AI-ModelScope/HC3-Chinese/open_qa.jsonl",
        ),
        (
            Dataset::LongAlpaca(nowhere.clone()),
            "hub/datasets/AI-ModelScope/LongAlpaca-12k/LongAlpaca-12k.json",
        ),
        (
            Dataset::ShareGptZh(nowhere.clone()),
            "hub/datasets/swift/sharegpt/common_zh_70k.jsonl",
        ),
        (
            Dataset::ShareGptEn(nowhere.clone()),
            "hub/datasets/swift/sharegpt/common_en_70k.jsonl",
        ),
    ] {
        let error = Workload::open_with(&plan(dataset, PromptForm::Chat), &caches).unwrap_err();
        assert!(
            error.to_string().contains(&format!("/scope/{file}")),
            "{error}"
        );
        assert!(
            error
                .hint()
                .unwrap()
                .contains("modelscope download --dataset"),
            "{:?}",
            error.hint()
        );
    }
    let error = refused(&plan(
        Dataset::Custom(Source {
            path: Some("/none.txt".into()),
            fit: None,
        }),
        PromptForm::Chat,
    ));
    assert_eq!(
        error.to_string(),
        "no file of data set `custom` on this machine; looked for /none.txt"
    );
    assert!(error.hint().unwrap().contains("--dataset-path"));
    let error = refused(&plan(Dataset::LineByLine(nowhere), PromptForm::Chat));
    assert_eq!(error.to_string(), "data set `line_by_line` needs a file");
}

#[test]
fn data_sets_are_found_in_the_local_hub_caches() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("hub/datasets/AI-ModelScope/HC3-Chinese");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(fixture("open_qa.jsonl"), folder.join("open_qa.jsonl")).unwrap();
    let caches = HubCaches {
        hugging_face: vec![],
        model_scope: vec![root.path().to_owned()],
    };
    let plan = plan(Dataset::OpenQa(Source::default()), PromptForm::Chat);
    assert_eq!(Workload::open_with(&plan, &caches).unwrap().len(), Some(8));
}

#[test]
fn messages_that_the_template_refuses_are_an_error_as_ids_and_a_note_as_messages() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");
    fs::copy(
        format!("{fixtures}/tokenizer/tokenizer.json"),
        folder.path().join("tokenizer.json"),
    )
    .unwrap();
    fs::copy(
        format!("{fixtures}/templates/mistral_style.jinja"),
        folder.path().join("chat_template.jinja"),
    )
    .unwrap();
    let lines = folder.path().join("lines.txt");
    fs::write(
        &lines,
        json!([{"role": "assistant", "content": "first"}]).to_string(),
    )
    .unwrap();
    let source = Source {
        path: Some(lines),
        fit: None,
    };
    let plan = |form| WorkloadPlan {
        tokenizer: Some(folder.path().to_str().unwrap().to_owned()),
        ..plan(Dataset::LineByLine(source.clone()), form)
    };
    let error = refused(&plan(PromptForm::TokenIds { chat: true })).to_string();
    assert!(error.contains("must take turns"), "{error}");
    let workload = open_plan(&plan(PromptForm::Chat));
    assert!(
        workload.notes()[0].contains("must take turns"),
        "{:?}",
        workload.notes()
    );
    assert_eq!(workload.item(0).prompt_tokens, None);
}

#[test]
fn a_reversed_range_of_answers_is_refused() {
    let base = WorkloadPlan {
        max_tokens: Some((5, 3)),
        ..plan(Dataset::Fixed(String::new()), PromptForm::Chat)
    };
    assert_eq!(
        refused(&base).to_string(),
        "lengths from 5 to 3: the least is above the most"
    );
}
