//! Tests of data sets that are read from files: what is read, what is left out, what is refused.

use std::fs;

use crestline_core::request::{Message, Prompt};
use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::Workload;
use crate::plan::PromptForm;

mod filtered;
mod fitted;
mod own;
mod refused;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/datasets")
        .join(name)
}

fn source(name: &str) -> Source {
    Source {
        path: Some(fixture(name)),
        fit: None,
    }
}

fn plan(dataset: Dataset, form: PromptForm) -> WorkloadPlan {
    WorkloadPlan {
        dataset,
        tokenizer: None,
        form,
        min_prompt_length: 0,
        max_prompt_length: 131_072,
        prefix_length: 0,
        max_tokens: None,
        offset: 0,
        seed: 0,
    }
}

fn with_tokenizer(plan: WorkloadPlan) -> WorkloadPlan {
    WorkloadPlan {
        tokenizer: Some("builtin".to_owned()),
        ..plan
    }
}

fn open_plan(plan: &WorkloadPlan) -> Workload {
    Workload::open_with(plan, &HubCaches::default()).unwrap()
}

fn refused(plan: &WorkloadPlan) -> WorkloadError {
    Workload::open_with(plan, &HubCaches::default()).unwrap_err()
}

/// One line for each item: the roles and texts, or what else it is.
fn show(workload: &Workload) -> String {
    let lines = (0..workload.len().unwrap()).map(|index| {
        let item = workload.item(index);
        let tokens = item
            .prompt_tokens
            .map_or_else(|| "-".to_owned(), |tokens| tokens.to_string());
        match item.prompt {
            Prompt::Text(text) => format!("{tokens} text {text:?}\n"),
            Prompt::Messages(messages) => {
                let shown: Vec<String> = messages
                    .iter()
                    .map(|message| format!("{}: {}", message.role, message.content))
                    .collect();
                format!("{tokens} {}\n", shown.join(" | "))
            }
            Prompt::TokenIds(ids) => format!("{tokens} {} ids\n", ids.len()),
            Prompt::Body(body) => {
                format!("{tokens} body {}\n", serde_json::to_string(&body).unwrap())
            }
            other => format!("{tokens} {other:?}\n"),
        }
    });
    lines.collect()
}

fn check(plan: &WorkloadPlan, expected: &Expect) {
    expected.assert_eq(&show(&open_plan(plan)));
}

#[test]
fn open_qa_takes_the_question_of_each_line() {
    check(
        &plan(Dataset::OpenQa(source("open_qa.jsonl")), PromptForm::Chat),
        &expect![[r#"
            - user: "Why does the sea look blue on a clear day and grey under clouds?"
            - user: "怎样向一个十岁的孩子解释什么是利息？"
            - user: "How do I keep a bicycle chain from rusting in winter?"
            - user: "一周之内学会游泳可能吗？请给出每天的练习安排。"
            - user: "What is the difference between a lake and a pond?"
            - user: "Name three ways to cook potatoes without an oven."
            - user: "为什么铁轨之间要留缝隙？"
            - user: "Which plants grow well on a balcony that faces north?"
        "#]],
    );
}

#[test]
fn open_qa_in_a_folder_is_found_by_the_name_of_its_file() {
    let folder = Source {
        path: Some(fixture("")),
        fit: None,
    };
    let workload = open_plan(&plan(Dataset::OpenQa(folder), PromptForm::Text));
    assert_eq!(workload.len(), Some(8));
    assert_eq!(
        workload.item(2).prompt,
        Prompt::Text("How do I keep a bicycle chain from rusting in winter?".to_owned())
    );
}

#[test]
fn items_start_again_at_the_first_prompt_and_the_offset_comes_first() {
    let base = plan(Dataset::OpenQa(source("open_qa.jsonl")), PromptForm::Text);
    let workload = open_plan(&base);
    let later = open_plan(&WorkloadPlan { offset: 6, ..base });
    assert_eq!(workload.item(9).prompt, workload.item(1).prompt);
    assert_eq!(workload.item(9).index, 9);
    assert_eq!(later.item(3).prompt, workload.item(1).prompt);
}

#[test]
fn long_alpaca_takes_the_instruction_of_each_object() {
    let base = plan(
        Dataset::LongAlpaca(source("long_alpaca.json")),
        PromptForm::Text,
    );
    let workload = open_plan(&base);
    assert_eq!(workload.len(), Some(4));
    let Prompt::Text(text) = workload.item(0).prompt else {
        panic!("text was asked for")
    };
    assert!(
        text.starts_with("Sum up the report below in one sentence.\nThe harbour master"),
        "{text}"
    );
    let folder = Source {
        path: Some(fixture("")),
        fit: None,
    };
    let in_folder = open_plan(&plan(Dataset::LongAlpaca(folder), PromptForm::Text));
    assert_eq!(in_folder.item(0).prompt, Prompt::Text(text));
}

#[test]
fn share_gpt_sends_the_history_and_ends_with_the_user() {
    check(
        &plan(
            Dataset::ShareGptEn(source("common_en_70k.jsonl")),
            PromptForm::Chat,
        ),
        &expect![[r#"
            - user: "Hello, can you help me plan a garden?" | assistant: "Of course. How large is it?" | user: "About twenty square metres, half in shade." | assistant: "Then put herbs in the sun and ferns in the shade." | user: "And what would you plant first?"
            - user: "Write a haiku about a tram." | assistant: "Bells in morning fog" | user: "Now one about its driver."
            - user: "What is 17 times 23?"
        "#]],
    );
}

#[test]
fn share_gpt_as_text_is_what_the_user_says_last() {
    check(
        &with_tokenizer(plan(Dataset::ShareGptZh(source("")), PromptForm::Text)),
        &expect![[r#"
            36 text "再来一个更有海边味道的。"
            33 text "三角形的内角和是多少？"
            18 text "翻译成英文。"
        "#]],
    );
}

#[test]
fn each_line_is_text_or_json() {
    check(
        &with_tokenizer(plan(
            Dataset::LineByLine(source("line_by_line.txt")),
            PromptForm::Chat,
        )),
        &expect![[r#"
            18 user: "Tell me about the tides."
            18 user: "How far is the moon?"
            25 user: "A JSON string with a\nline break."
            36 system: "Answer in one word." | user: "Which season comes after winter?"
            15 body {"messages":[{"role":"user","content":"Say yes."}],"max_tokens":3,"temperature":0.5}
            30 user: "[INST] This line only looks like JSON."
            13 user: "42"
        "#]],
    );
}

#[test]
fn custom_lines_are_stripped_and_empty_ones_are_told() {
    let base = plan(Dataset::Custom(source("custom.txt")), PromptForm::Text);
    check(
        &base,
        &expect![[r#"
        - text "First prompt, with space around it."
        - text ""
        - text "The third line; the second is empty."
        - text "最后一行没有换行"
    "#]],
    );
    let workload = open_plan(&base);
    assert!(
        workload.notes()[0].contains("1 lines of"),
        "{:?}",
        workload.notes()
    );
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_part_of_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.txt");
    fs::write(&path, "\u{feff}one\r\ntwo\r\n").unwrap();
    let source = Source {
        path: Some(path),
        fit: None,
    };
    check(
        &plan(Dataset::LineByLine(source), PromptForm::Text),
        &expect![[r#"
            - text "one"
            - text "two"
        "#]],
    );
}

#[test]
fn token_ids_are_made_with_the_template_for_chats_and_without_for_text() {
    let ids = |chat| {
        let plan = with_tokenizer(plan(
            Dataset::Fixed("hello there".to_owned()),
            PromptForm::TokenIds { chat },
        ));
        open_plan(&plan).item(0)
    };
    let tokenizer = crate::tokenizer::builtin();
    let text = tokenizer.encode("hello there");
    assert_eq!(ids(false).prompt, Prompt::TokenIds(text.clone()));
    let chat = tokenizer.encode("<|im_start|>user\nhello there<|im_end|>\n<|im_start|>assistant\n");
    assert_eq!(ids(true).prompt_tokens, Some(chat.len() as u32));
    assert_eq!(ids(true).prompt, Prompt::TokenIds(chat));
}

#[test]
fn a_fixed_prompt_is_the_same_for_all_items() {
    let plan = with_tokenizer(plan(Dataset::Fixed("hello".to_owned()), PromptForm::Chat));
    let workload = open_plan(&plan);
    assert_eq!(workload.len(), Some(1));
    assert_eq!(
        workload.item(7).prompt,
        Prompt::Messages(vec![Message::user("hello")])
    );
    let counted = workload
        .template()
        .unwrap()
        .count(&[Message::user("hello")])
        .unwrap();
    assert_eq!(workload.item(7).prompt_tokens, Some(counted as u32));
}

#[test]
fn the_speed_benchmark_repeats_one_character() {
    let lengths = |dataset, form| {
        let workload = open_plan(&plan(dataset, form));
        let lengths = (0..workload.len().unwrap()).map(|index| match workload.item(index).prompt {
            Prompt::Text(text) => {
                assert!(text.chars().all(|letter| letter == '\u{71B5}'));
                text.chars().count()
            }
            other => panic!("{other:?}"),
        });
        lengths.collect::<Vec<_>>()
    };
    let short = lengths(Dataset::SpeedBenchmark, PromptForm::Text);
    assert_eq!(short, [1, 1, 6144, 6144, 14_336, 14_336, 30_720, 30_720]);
    let long = lengths(Dataset::SpeedBenchmarkLong, PromptForm::Text);
    assert_eq!(long, [63_488, 63_488, 129_024, 129_024]);
}

#[test]
fn the_speed_benchmark_is_counted_without_encoding_it_all() {
    let workload = open_plan(&with_tokenizer(plan(
        Dataset::SpeedBenchmark,
        PromptForm::Text,
    )));
    // The builtin tokenizer has no Chinese words: three bytes a character.
    assert_eq!(workload.item(2).prompt_tokens, Some(3 * 6144));
    let whole = crate::tokenizer::builtin().encode_whole(&"\u{71B5}".repeat(6144));
    assert_eq!(whole.len(), 3 * 6144);
}

#[test]
fn the_speed_benchmark_is_refused_for_chats() {
    let error = refused(&plan(Dataset::SpeedBenchmark, PromptForm::Chat));
    assert_eq!(
        error.to_string(),
        "data set `speed_benchmark` is for completion endpoints, which take text"
    );
    assert!(error.hint().unwrap().contains("/v1/completions"));
}
