//! Fitting prompts to a length, with and without a prefix.

use super::*;
use crate::plan::{Fit, FitMode, PrefixRole};

fn fitted(
    dataset: impl Fn(Source) -> Dataset,
    name: &str,
    fit: Fit,
    form: PromptForm,
) -> WorkloadPlan {
    let source = Source {
        fit: Some(fit),
        ..source(name)
    };
    with_tokenizer(plan(dataset(source), form))
}

fn fit(target_input_len: u32, mode: FitMode) -> Fit {
    Fit {
        target_input_len,
        mode,
        prefix_file: None,
        prefix_role: PrefixRole::System,
    }
}

fn filled(target_input_len: u32, prefix_role: PrefixRole) -> Fit {
    Fit {
        prefix_file: Some(fixture("prefix.txt")),
        prefix_role,
        ..fit(target_input_len, FitMode::Cap)
    }
}

fn content_tokens(prompt: &Prompt) -> usize {
    let tokenizer = crate::tokenizer::builtin();
    match prompt {
        Prompt::Text(text) => tokenizer.encode(text).len(),
        Prompt::Messages(messages) => messages
            .iter()
            .map(|message| tokenizer.encode(message.content.as_str().unwrap()).len())
            .sum(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fitted_prompts_are_cut_and_shorter_ones_stay() {
    let base = fitted(
        Dataset::LineByLine,
        "plain_lines.txt",
        fit(8, FitMode::Cap),
        PromptForm::Chat,
    );
    let workload = open_plan(&base);
    let lengths: Vec<usize> = (0..3)
        .map(|index| content_tokens(&workload.item(index).prompt))
        .collect();
    assert!(lengths[0] < 8 && lengths[1..] == [8, 8], "{lengths:?}");
    assert!(workload.notes().is_empty());
}

#[test]
fn shorter_prompts_are_skipped_where_asked() {
    let base = fitted(
        Dataset::LineByLine,
        "plain_lines.txt",
        fit(8, FitMode::Drop),
        PromptForm::Chat,
    );
    let workload = open_plan(&base);
    assert_eq!(workload.len(), Some(2));
    assert!(
        workload.notes()[0].starts_with("1 prompts of"),
        "{:?}",
        workload.notes()
    );
    let base = fitted(
        Dataset::LineByLine,
        "plain_lines.txt",
        fit(4000, FitMode::Drop),
        PromptForm::Chat,
    );
    assert!(
        refused(&base)
            .to_string()
            .contains("none of its 3 prompts can be fitted to 4000 tokens")
    );
}

#[test]
fn a_cut_through_a_character_leaves_it_out() {
    let base = fitted(
        Dataset::OpenQa,
        "open_qa.jsonl",
        fit(10, FitMode::Cap),
        PromptForm::Text,
    );
    let Prompt::Text(text) = open_plan(&base).item(1).prompt else {
        panic!("text was asked for")
    };
    assert_eq!(text, "怎样向");
}

#[test]
fn of_a_conversation_only_the_last_turn_is_cut() {
    let base = fitted(
        Dataset::ShareGptEn,
        "common_en_70k.jsonl",
        fit(3, FitMode::Cap),
        PromptForm::Chat,
    );
    let Prompt::Messages(messages) = open_plan(&base).item(0).prompt else {
        panic!("messages were asked for")
    };
    assert_eq!(messages[0].content, "Hello, can you help me plan a garden?");
    assert_eq!(
        crate::tokenizer::builtin()
            .encode(messages[4].content.as_str().unwrap())
            .len(),
        3
    );
}

#[test]
fn a_prefix_fills_prompts_up_to_the_exact_length() {
    for (target, tiled) in [(30, false), (200, true)] {
        let base = fitted(
            Dataset::LineByLine,
            "plain_lines.txt",
            filled(target, PrefixRole::System),
            PromptForm::Chat,
        );
        let workload = open_plan(&base);
        for index in 0..3 {
            let item = workload.item(index);
            assert_eq!(content_tokens(&item.prompt), target as usize);
        }
        let Prompt::Messages(messages) = workload.item(0).prompt else {
            panic!("messages were asked for")
        };
        assert_eq!(messages[0].role, "system");
        assert!(
            messages[0]
                .content
                .as_str()
                .unwrap()
                .starts_with("You are a careful assistant")
        );
        assert_eq!(messages[1].content, "Short.");
        let told = workload
            .notes()
            .iter()
            .any(|note| note.contains("it is repeated in 3 prompts"));
        assert_eq!(told, tiled, "{:?}", workload.notes());
    }
}

#[test]
fn a_prefix_may_stand_in_front_of_the_first_message_and_does_in_text() {
    let check = |role, form, expected: &[&str]| {
        let base = fitted(
            Dataset::LineByLine,
            "plain_lines.txt",
            filled(12, role),
            form,
        );
        let shown = match open_plan(&base).item(0).prompt {
            Prompt::Text(text) => vec![text],
            Prompt::Messages(messages) => messages
                .iter()
                .map(|message| message.content.to_string())
                .collect(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, expected);
    };
    let joined = "You are a careful assistant ofShort.";
    check(
        PrefixRole::User,
        PromptForm::Chat,
        &[&format!("{joined:?}")],
    );
    check(PrefixRole::System, PromptForm::Text, &[joined]);
    let apart = [r#""You are a careful assistant of""#, r#""Short.""#];
    check(PrefixRole::System, PromptForm::Chat, &apart);
}

#[test]
fn conversations_longer_than_the_target_are_skipped_when_filling() {
    let base = fitted(
        Dataset::ShareGptEn,
        "common_en_70k.jsonl",
        filled(40, PrefixRole::User),
        PromptForm::Chat,
    );
    let workload = open_plan(&base);
    assert_eq!(workload.len(), Some(2));
    for index in 0..2 {
        let length = content_tokens(&workload.item(index).prompt);
        assert!(length.abs_diff(40) <= 1, "{length}");
    }
}

#[test]
fn fitting_needs_a_tokenizer() {
    let base = fitted(
        Dataset::OpenQa,
        "open_qa.jsonl",
        fit(10, FitMode::Cap),
        PromptForm::Chat,
    );
    let error = refused(&WorkloadPlan {
        tokenizer: None,
        ..base
    });
    assert_eq!(error.to_string(), "`target_input_len` needs a tokenizer");
    let base = plan(
        Dataset::OpenQa(source("open_qa.jsonl")),
        PromptForm::TokenIds { chat: true },
    );
    assert_eq!(
        refused(&base).to_string(),
        "sending prompts as token ids needs a tokenizer"
    );
}

#[test]
fn json_lines_cannot_be_fitted() {
    let base = fitted(
        Dataset::LineByLine,
        "line_by_line.txt",
        fit(10, FitMode::Cap),
        PromptForm::Chat,
    );
    let text = refused(&base).to_string();
    assert!(
        text.ends_with(
            "line_by_line.txt, line 4: a line that is JSON cannot be fitted to `target_input_len`"
        ),
        "{text}"
    );
}

#[test]
fn lists_of_messages_are_refused_for_text_endpoints() {
    let text = refused(&plan(
        Dataset::LineByLine(source("line_by_line.txt")),
        PromptForm::Text,
    ))
    .to_string();
    assert!(
        text.ends_with("line_by_line.txt, line 5: a list of messages needs a chat endpoint"),
        "{text}"
    );
}
