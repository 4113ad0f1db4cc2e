//! Samples that are read from files of prompts.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::plan::{PoemSamples, PromptSamples, QuestionSamples, QuestionShape, ShareGptSamples};

fn share_gpt(path: PathBuf, output_length: Option<u32>) -> SampleSource {
    SampleSource::ShareGpt(ShareGptSamples {
        path,
        output_length,
    })
}

fn prompts(path: PathBuf, output_length: Option<u32>) -> SampleSource {
    SampleSource::Prompts(PromptSamples {
        path,
        output_length,
    })
}

fn poem(input_length: u32, prefix_length: u32) -> SampleSource {
    SampleSource::Poem(PoemSamples {
        path: fixture("poem.txt"),
        input_length,
        output_length: 150,
        prefix_length,
    })
}

#[test]
fn conversations_give_their_first_turn_and_the_length_of_the_second() {
    let workload = open(&text_plan(
        share_gpt(fixture("sharegpt_like.json"), None),
        10,
    ));
    // Those with one turn, a short prompt or a short answer are left out.
    assert_eq!(workload.len(), Some(3));
    let tokenizer = workload.tokenizer().unwrap();
    let first = workload.item(0);
    assert_eq!(
        text(&first),
        "How do I keep bread from going stale in a warm kitchen?"
    );
    let answer = "Wrap it in a cloth, keep it in a wooden box and eat it within three days.";
    assert_eq!(first.max_tokens, Some(tokenizer.count(answer) as u32));
    assert_eq!(
        first.prompt_tokens,
        Some(tokenizer.count(text(&first)) as u32)
    );
    let Prompt::Media { text, parts } = workload.item(2).prompt else {
        panic!("the third has a picture")
    };
    assert_eq!(text, "What can be seen in this picture of a harbour?");
    assert_eq!(
        field(&parts[0], "/image_url/url"),
        "file:///pictures/harbour.png"
    );
}

#[test]
fn a_short_answer_is_no_reason_where_its_length_is_asked_for() {
    let workload = open(&text_plan(
        share_gpt(fixture("sharegpt_like.json"), Some(7)),
        10,
    ));
    assert_eq!(workload.len(), Some(4));
    assert!((0..4).all(|index| workload.item(index).max_tokens == Some(7)));
}

#[test]
fn a_shuffle_follows_the_seed_and_only_so_many_samples_are_taken() {
    let lines: Vec<String> = (0..40)
        .map(|line| format!("{{\"prompt\": \"line {line}\"}}"))
        .collect();
    let (_folder, path) = file("many.jsonl", &lines.join("\n"));
    let order = |seed, order, requests| {
        let sampling = Sampling {
            order,
            ..sampling(prompts(path.clone(), Some(5)), requests)
        };
        let workload = open(&WorkloadPlan {
            seed,
            ..plan(sampling, PromptForm::Text)
        });
        let items = (0..workload.len().unwrap()).map(|index| workload.item(index));
        items
            .map(|item| text(&item).to_owned())
            .collect::<Vec<String>>()
    };
    let stored = order(1, SampleOrder::Stored, 40);
    assert_eq!(stored[..2], ["line 0", "line 1"]);
    let shuffled = order(1, SampleOrder::Shuffled, 40);
    assert_ne!(shuffled, stored);
    assert_ne!(shuffled, order(2, SampleOrder::Shuffled, 40));
    assert_eq!(shuffled, order(1, SampleOrder::Shuffled, 40));
    let all: BTreeSet<&String> = shuffled.iter().collect();
    assert_eq!(all.len(), 40);
    assert_eq!(order(1, SampleOrder::Shuffled, 10), shuffled[..10]);
}

#[test]
fn items_behind_the_last_sample_repeat_all_of_them_in_a_drawn_order() {
    let workload = open(&text_plan(prompts(fixture("prompts.jsonl"), None), 100));
    assert_eq!(workload.len(), Some(3));
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let repeats: Vec<String> = (3..303)
        .map(|index| text(&workload.item(index)).to_owned())
        .collect();
    for prompt in &repeats {
        *counts.entry(prompt.clone()).or_default() += 1;
    }
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|count| *count > 60), "{counts:?}");
    assert!(repeats[..3] != repeats[3..6] || repeats[3..6] != repeats[6..9]);
    let again = open(&text_plan(prompts(fixture("prompts.jsonl"), None), 100));
    assert_eq!(workload.item(200), again.item(200));
}

#[test]
fn a_line_says_how_long_its_answer_is_unless_a_length_is_set() {
    let outputs = |output_length| {
        let workload = open(&text_plan(
            prompts(fixture("prompts.jsonl"), output_length),
            9,
        ));
        (0..3)
            .map(|index| workload.item(index).max_tokens.unwrap())
            .collect::<Vec<u32>>()
    };
    assert_eq!(outputs(None), [40, 120, 25]);
    assert_eq!(outputs(Some(8)), [8, 8, 8]);
}

#[test]
fn a_template_is_put_on_once_by_the_client_for_text_and_by_the_server_for_chats() {
    let templated = |form, variables| {
        let sampling = Sampling {
            template: PlainTemplate::Applied(variables),
            ..sampling(prompts(fixture("prompts.jsonl"), None), 9)
        };
        open(&plan(sampling, form))
    };
    let text_form = templated(PromptForm::Text, Map::new());
    let first = text_form.item(0);
    assert_eq!(
        text(&first),
        "<|im_start|>user\nExplain why the sea is salt.<|im_end|>\n<|im_start|>assistant\n"
    );
    let chat = templated(PromptForm::Chat, Map::new()).item(0);
    let Prompt::Messages(messages) = &chat.prompt else {
        panic!("a chat has messages")
    };
    assert_eq!(messages[0].content, "Explain why the sea is salt.");
    assert_eq!(chat.prompt_tokens, first.prompt_tokens);
    let as_ids = templated(PromptForm::TokenIds { chat: true }, Map::new()).item(0);
    assert_eq!(ids(&text_form, &as_ids), ids(&text_form, &first));
}

#[test]
fn variables_reach_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/tokenizer/tokenizer.json"
    );
    std::fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();
    let template = "{{ mood }}: {{ messages[0]['content'] }}{{ messages is defined }}";
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let variables = json!({"mood": "calm", "messages": "no"});
    let sampling = Sampling {
        template: PlainTemplate::Applied(variables.as_object().unwrap().clone()),
        ..sampling(prompts(fixture("prompts.jsonl"), None), 9)
    };
    let workload = open(&WorkloadPlan {
        tokenizer: Some(folder.path().to_str().unwrap().to_owned()),
        ..plan(sampling, PromptForm::Text)
    });
    assert_eq!(
        text(&workload.item(0)).to_lowercase(),
        "calm: explain why the sea is salt.true"
    );
}

#[test]
fn wrong_lines_of_prompts_are_named() {
    let check = |name: &str, text: &str, expected: &str| {
        let (folder, path) = file(name, text);
        let message = refused(&text_plan(prompts(path, None), 9));
        assert_eq!(without(&message, folder.path()), expected);
    };
    check(
        "a.jsonl",
        "{\"prompt\": \"a\", \"output_tokens\": 3}\n{\"text\": \"b\"}\n",
        "a.jsonl, line 2: missing field `prompt`",
    );
    check(
        "a.jsonl",
        "\n{\"prompt\": \"a\"}\n",
        "a.jsonl, line 2: it has no `output_tokens`, and no length of answers is set",
    );
    check(
        "a.jsonl",
        "{\"prompt\": \"a\", \"output_tokens\": \"many\"}\n",
        "a.jsonl, line 1: invalid type: string \"many\", expected u32",
    );
    check(
        "a.json",
        "",
        "a.json is not read: the name must end in `.jsonl`",
    );
    check("a.jsonl", "\n", "dataset is empty: a.jsonl holds no prompt");
    let nowhere = text_plan(prompts("/none.jsonl".into(), None), 9);
    assert_eq!(
        refused(&nowhere),
        "no file of data set `custom` on this machine; looked for /none.jsonl"
    );
}

#[test]
fn wrong_conversations_are_named() {
    let check = |text: &str, expected: &str| {
        let (folder, path) = file("a.json", text);
        let message = refused(&text_plan(share_gpt(path, None), 9));
        assert_eq!(without(&message, folder.path()), expected);
    };
    check(
        "[{\"conversations\": 1}]",
        "a.json, line 1: not a JSON array of objects with `conversations`: invalid type: integer `1`, expected a sequence at line \
         1 column 20",
    );
    check("[]", "dataset is empty: a.json holds no prompt");
    check(
        "[{\"conversations\": [{\"value\": \"a\"}, {\"value\": \"b\"}]}]",
        "dataset is empty: no sample of a.json is left: 1 are too short, too long or not whole",
    );
}

#[test]
fn samples_above_the_limit_are_left_out_and_told() {
    let limited = |longest| {
        let sampling = Sampling {
            longest: Some(longest),
            ..sampling(prompts(fixture("prompts.jsonl"), None), 9)
        };
        plan(sampling, PromptForm::Text)
    };
    let workload = open(&limited(60));
    assert_eq!(workload.len(), Some(2));
    assert!(
        workload.notes()[0].starts_with("1 samples of "),
        "{:?}",
        workload.notes()
    );
    let message = refused(&limited(10));
    assert!(
        message.ends_with("3 have input and output together above 10 tokens"),
        "{message}"
    );
}

#[test]
fn what_can_be_done_is_said_where_samples_cannot_be_used() {
    let hint = |plan: &WorkloadPlan| {
        let error = Workload::open_with(plan, &HubCaches::default()).unwrap_err();
        error.hint().unwrap_or_default()
    };
    let (_folder, path) = file("a.txt", "one");
    let ending = hint(&text_plan(prompts(path, Some(1)), 9));
    assert!(ending.contains("name end in `.jsonl`"), "{ending}");
    let limited = Sampling {
        longest: Some(3),
        ..sampling(prompts(fixture("prompts.jsonl"), None), 9)
    };
    let long = hint(&plan(limited, PromptForm::Text));
    assert!(long.starts_with("raise the limit"), "{long}");
    let uncounted = WorkloadPlan {
        tokenizer: None,
        ..text_plan(share_gpt(fixture("sharegpt_like.json"), None), 9)
    };
    assert_eq!(
        refused(&uncounted),
        "leaving out conversations that are too short or too long needs a tokenizer"
    );
}

#[test]
fn prompts_need_no_tokenizer_where_nothing_has_to_be_counted() {
    let workload = open(&WorkloadPlan {
        tokenizer: None,
        ..text_plan(prompts(fixture("prompts.jsonl"), None), 9)
    });
    let item = workload.item(0);
    assert_eq!((item.prompt_tokens, item.max_tokens), (None, Some(40)));
}

#[test]
fn verses_fill_the_input_behind_the_same_first_lines() {
    let workload = open(&text_plan(poem(200, 60), 20));
    assert_eq!(workload.len(), Some(20));
    let poem: Vec<String> = std::fs::read_to_string(fixture("poem.txt"))
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let mut different = BTreeSet::new();
    let mut common: Option<usize> = None;
    for index in 0..20 {
        let item = workload.item(index);
        let tokens = item.prompt_tokens.unwrap();
        assert!((150..=200).contains(&tokens), "{tokens}");
        assert_eq!(ids(&workload, &item).len() as u32, tokens);
        let lines: Vec<&str> = text(&item).lines().skip(1).collect();
        let same = lines
            .iter()
            .zip(&poem)
            .take_while(|(one, other)| one == other)
            .count();
        common = Some(common.map_or(same, |least| least.min(same)));
        assert!(
            lines
                .iter()
                .all(|line| poem.iter().any(|verse| verse == line))
        );
        different.insert(text(&item).to_owned());
    }
    assert_eq!(different.len(), 20);
    assert!((2..=8).contains(&common.unwrap()), "{common:?}");
    let chat = open(&plan(
        sampling(super::read::poem(200, 60), 3),
        PromptForm::Chat,
    ));
    assert!(chat.item(0).prompt_tokens.unwrap() <= 200);
}

#[test]
fn a_poem_that_cannot_fill_what_is_asked_is_refused() {
    let message = refused(&text_plan(poem(5, 0), 3));
    assert!(message.contains("leaves no room for lines"), "{message}");
    let message = refused(&text_plan(poem(100, 200), 3));
    assert!(message.contains("longer than an input of 100"), "{message}");
    let message = refused(&text_plan(poem(2000, 1500), 3));
    assert!(message.contains("poem.txt has 16"), "{message}");
}

#[test]
fn questions_are_first_turns_of_the_asked_category() {
    let questions = |name: &str, shape, category: Option<&str>| {
        text_plan(
            SampleSource::Questions(QuestionSamples {
                path: fixture(name),
                shape,
                category: category.map(str::to_owned),
                output_length: 256,
            }),
            9,
        )
    };
    let turns = open(&questions(
        "questions.jsonl",
        QuestionShape::Turns,
        Some("writing"),
    ));
    assert_eq!(turns.len(), Some(2));
    assert_eq!(text(&turns.item(1)), "Describe a market at dawn.");
    assert_eq!(turns.item(1).max_tokens, Some(256));
    let messages = open(&questions(
        "speed_bench/qualitative.jsonl",
        QuestionShape::Messages,
        None,
    ));
    assert_eq!(messages.len(), Some(2));
    assert_eq!(
        text(&messages.item(0)),
        "Write a function that reverses a list."
    );
    let message = refused(&questions(
        "questions.jsonl",
        QuestionShape::Turns,
        Some("law"),
    ));
    assert!(
        message.ends_with("questions.jsonl has no category `law`, but writing, maths"),
        "{message}"
    );
    let message = refused(&questions("questions.jsonl", QuestionShape::Messages, None));
    assert!(
        message.ends_with("line 1: it has no `messages` whose first has a text as its `content`"),
        "{message}"
    );
}
