//! Tests of data sets that are read from files: what is read, what is left out, what is refused.

use std::fs;

use crestline_core::request::{Message, Prompt};
use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::Workload;
use crate::plan::{Fit, FitMode, PrefixRole, PromptForm};

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
    let lines: String = (1..=300)
        .map(|count| format!("{}\n", "word ".repeat(count)))
        .collect();
    fs::write(&path, lines).unwrap();
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
