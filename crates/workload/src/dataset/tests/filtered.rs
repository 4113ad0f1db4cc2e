//! Which prompts the length filter leaves out.

use super::*;

#[test]
fn prompts_are_filtered_by_characters_without_a_tokenizer() {
    let base = WorkloadPlan {
        min_prompt_length: 10,
        max_prompt_length: 60,
        ..plan(
            Dataset::LineByLine(source("plain_lines.txt")),
            PromptForm::Chat,
        )
    };
    let workload = open_plan(&base);
    check(
        &base,
        &expect![[r#"
        - user: "A line of middle length about boats and harbours."
    "#]],
    );
    let note = &workload.notes()[0];
    assert!(
        note.starts_with("2 of 3 prompts of") && note.ends_with("not 10 to 60 characters long"),
        "{note}"
    );
}

#[test]
fn prompts_are_filtered_by_tokens_after_the_template_with_one() {
    let all = with_tokenizer(plan(
        Dataset::LineByLine(source("plain_lines.txt")),
        PromptForm::Chat,
    ));
    let lengths: Vec<u32> = (0..3)
        .map(|index| open_plan(&all).item(index).prompt_tokens.unwrap())
        .collect();
    let exactly = |length| WorkloadPlan {
        min_prompt_length: length,
        max_prompt_length: length,
        ..all.clone()
    };
    for (index, length) in lengths.iter().enumerate() {
        let workload = open_plan(&exactly(*length));
        assert_eq!(workload.len(), Some(1));
        assert_eq!(
            workload.item(0).prompt,
            open_plan(&all).item(index as u64).prompt
        );
    }
    let text = WorkloadPlan {
        form: PromptForm::Text,
        ..exactly(lengths[1])
    };
    assert!(matches!(
        refused(&text),
        WorkloadError::Dataset(DatasetError::AllLeftOut { .. })
    ));
}

#[test]
fn the_filter_is_the_same_on_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.txt");
    let lines: Vec<String> = (1..=300).map(|count| "word ".repeat(count)).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    let source = Source {
        path: Some(path),
        fit: None,
    };
    let base = WorkloadPlan {
        min_prompt_length: 100,
        max_prompt_length: 200,
        ..with_tokenizer(plan(Dataset::LineByLine(source), PromptForm::Text))
    };
    let workload = open_plan(&base);
    let lengths: Vec<u32> = (0..workload.len().unwrap())
        .map(|index| workload.item(index).prompt_tokens.unwrap())
        .collect();
    assert_eq!(
        lengths,
        (lengths[0]..lengths[0] + lengths.len() as u32).collect::<Vec<_>>()
    );
    assert_eq!((lengths[0], *lengths.last().unwrap()), (100, 200));
}

#[test]
fn only_what_is_said_last_is_filtered() {
    let base = WorkloadPlan {
        max_prompt_length: 28,
        ..plan(
            Dataset::ShareGptEn(source("common_en_70k.jsonl")),
            PromptForm::Chat,
        )
    };
    assert_eq!(open_plan(&base).len(), Some(2));
}

#[test]
fn json_lines_pass_the_filter_whatever_their_length() {
    let base = WorkloadPlan {
        max_prompt_length: 1,
        ..plan(
            Dataset::LineByLine(source("line_by_line.txt")),
            PromptForm::Chat,
        )
    };
    let workload = open_plan(&base);
    assert_eq!(workload.len(), Some(3));
    assert!(
        workload.notes()[0].contains("all 4 prompts"),
        "{:?}",
        workload.notes()
    );
}

#[test]
fn a_filter_that_leaves_nothing_says_what_lengths_there_are() {
    let base = WorkloadPlan {
        min_prompt_length: 5000,
        max_prompt_length: 6000,
        ..plan(
            Dataset::LineByLine(source("plain_lines.txt")),
            PromptForm::Chat,
        )
    };
    let error = refused(&base);
    let text = error.to_string();
    assert!(
        text.starts_with("dataset is empty: all 3 prompts of"),
        "{text}"
    );
    assert!(
        text.ends_with("their length is not from 5000 to 6000 characters but from 6 to 140"),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("--min-prompt-length"));
}
