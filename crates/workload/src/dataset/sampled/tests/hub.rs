//! Samples of data sets of the hub, from files as it stores them.

use super::*;
use crate::plan::HubSamples;

fn samples(name: &str, path: Option<PathBuf>) -> HubSamples {
    HubSamples {
        name: name.to_owned(),
        path,
        subset: None,
        split: None,
        output_length: None,
        categories: vec![],
        distance: (0.0, 1.0),
        seconds: (0.0, None),
    }
}

fn hub(path: &str) -> PathBuf {
    fixture("hub").join(path)
}

fn open_hub(samples: HubSamples) -> Workload {
    open(&text_plan(SampleSource::Hub(samples), 100))
}

/// A workload of rows that are written as JSON lines.
fn of_rows(name: &str, rows: &[Value]) -> Workload {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let (_folder, path) = file("rows.jsonl", &lines.join("\n"));
    open_hub(samples(name, Some(path)))
}

#[test]
fn a_folder_gives_its_usual_subset_and_split() {
    let workload = open_hub(samples("openai/gsm8k", Some(hub("gsm8k"))));
    assert_eq!(workload.len(), Some(2));
    assert_eq!(text(&workload.item(1)), "What is half of 90?");
    assert_eq!(workload.item(1).max_tokens, Some(256));
    let other = open_hub(HubSamples {
        subset: Some("socratic".to_owned()),
        output_length: Some(9),
        ..samples("openai/gsm8k", Some(hub("gsm8k")))
    });
    assert_eq!(text(&other.item(0)), "How would you begin?");
    assert_eq!(other.item(0).max_tokens, Some(9));
    let inside = open_hub(HubSamples {
        subset: Some("socratic".to_owned()),
        ..samples("openai/gsm8k", Some(hub("gsm8k/socratic")))
    });
    assert_eq!(inside.item(0).prompt, other.item(0).prompt);
    let train = open_hub(HubSamples {
        split: Some("train".to_owned()),
        ..samples("openai/gsm8k", Some(hub("gsm8k")))
    });
    assert_eq!(text(&train.item(0)), "What is 1 + 1?");
}

#[test]
fn a_snapshot_in_the_hubs_cache_is_found_by_name() {
    let root = tempfile::tempdir().unwrap();
    let data_set = root.path().join("datasets--philschmid--mt-bench");
    let snapshot = data_set.join("snapshots/abc/data");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(data_set.join("refs")).unwrap();
    std::fs::write(data_set.join("refs/main"), "abc").unwrap();
    let stored = snapshot.join("train-00000-of-00001.parquet");
    std::fs::copy(hub("mt-bench.parquet"), stored).unwrap();
    let caches = HubCaches {
        hugging_face: vec![root.path().to_owned()],
        model_scope: vec![],
    };
    let plan = text_plan(SampleSource::Hub(samples("philschmid/mt-bench", None)), 5);
    let workload = Workload::open_with(&plan, &caches).unwrap();
    assert_eq!(text(&workload.item(0)), "Plan a day in a small town.");
    assert_eq!(text(&workload.item(1)), "Who was first to fly?");
}

#[test]
fn a_data_set_that_is_not_there_is_refused_with_what_to_get() {
    let plan = text_plan(
        SampleSource::Hub(samples("openai/openai_humaneval", None)),
        5,
    );
    let caches = HubCaches {
        hugging_face: vec!["/caches/hub".into()],
        model_scope: vec![],
    };
    let error = Workload::open_with(&plan, &caches).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no file of data set `openai/openai_humaneval` on this machine; looked for \
         /caches/hub/datasets--openai--openai_humaneval, /caches/datasets/openai___openai_humaneval"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("hf download --repo-type dataset openai/openai_humaneval"),
        "{hint}"
    );
    let near = samples("openai/gsm8", None);
    assert_eq!(
        refused(&text_plan(SampleSource::Hub(near), 5)),
        "data set `hf`: how rows of `openai/gsm8` are read is not known; did you mean `openai/gsm8k`?"
    );
    let unknown = refused(&text_plan(
        SampleSource::Hub(samples("some/other", None)),
        5,
    ));
    assert!(
        unknown.starts_with(
            "data set `hf`: how rows of `some/other` are read is not known; there are `Aeala/"
        ),
        "{unknown}"
    );
}

#[test]
fn pictures_go_with_their_question_as_they_are_stored() {
    let workload = open_hub(samples("Lin-Chen/MMStar", Some(hub("mmstar.parquet"))));
    let Prompt::Media { text, parts } = workload.item(0).prompt else {
        panic!("there is a picture")
    };
    assert_eq!(text, "What colour is it?");
    let url = field(&parts[0], "/image_url/url").as_str().unwrap();
    assert!(
        url.starts_with("data:image/png;base64,iVBORw0KGgo"),
        "{url}"
    );
    assert_eq!(workload.item(0).max_tokens, Some(128));
    assert_ne!(workload.item(0).prompt, workload.item(1).prompt);
}

#[test]
fn questions_of_each_data_set_are_read_from_their_columns() {
    let coder = of_rows(
        "likaixin/InstructCoder",
        &[json!({"input": "x = 1", "instruction": "Double it."})],
    );
    assert!(text(&coder.item(0)).starts_with("x = 1\n\nDouble it. "));
    assert_eq!(coder.item(0).max_tokens, Some(200));
    let eval = of_rows("openai/openai_humaneval", &[json!({"prompt": "def f():"})]);
    assert_eq!(
        (text(&eval.item(0)), eval.item(0).max_tokens),
        ("def f():", Some(256))
    );
    let aime = of_rows(
        "AI-MO/aimo-validation-aime",
        &[
            json!({"problem": "What is the sum of all even numbers below ten?", "solution": "It is 2 + 4 + 6 + 8 = 20."}),
            json!({"problem": "Hm?", "solution": "It is 2 + 4 + 6 + 8 = 20."}),
        ],
    );
    assert_eq!(aime.len(), Some(1), "a problem of few tokens is left out");
    let solution = aime.tokenizer().unwrap().count("It is 2 + 4 + 6 + 8 = 20.") as u32;
    assert_eq!(aime.item(0).max_tokens, Some(solution));
    let arena = of_rows(
        "lmarena-ai/VisionArena-Chat",
        &[json!({
            "conversation": [[{"role": "user", "content": "What is it?"}]],
            "images": ["https://pictures/a.png"],
        })],
    );
    let Prompt::Media { text: asked, parts } = arena.item(0).prompt else {
        panic!("there is a picture")
    };
    assert_eq!(asked, "What is it?");
    assert_eq!(field(&parts[0], "/image_url/url"), "https://pictures/a.png");
    let film = of_rows(
        "yale-nlp/MMVU",
        &[json!({
            "question": "What falls?",
            "choices": {"A": "a leaf", "B": "a cup", "C": ""},
            "video": "https://films/a.mp4",
        })],
    );
    let Prompt::Media { text: asked, parts } = film.item(0).prompt else {
        panic!("there is a film")
    };
    assert_eq!(asked, "What falls? A. a leaf B. a cup");
    assert_eq!(field(&parts[0], "/video_url/url"), "https://films/a.mp4");
}

#[test]
fn an_edit_asks_for_the_tokens_of_its_region_or_is_filtered_by_distance() {
    let zeta = of_rows(
        "zed-industries/zeta",
        &[json!({
            "events": "User edited a file",
            "input": "let a = 1;",
            "output": "a\n<|editable_region_start|>\nlet b = 2;\n<|editable_region_end|>",
        })],
    );
    let region = "<|editable_region_start|>\nlet b = 2;\n<|editable_region_end|>";
    let tokens = zeta.tokenizer().unwrap().count(region) as u32;
    assert_eq!(zeta.item(0).max_tokens, Some(tokens));
    assert!(text(&zeta.item(0)).contains("User edited a file"));
    let rows = [0.1, 0.5, 0.9].map(|distance| {
        json!({"code": format!("a = {distance}"), "change_request": "Rename a.", "norm_distance": distance})
    });
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let (_folder, path) = file("rows.jsonl", &lines.join("\n"));
    let edits = open_hub(HubSamples {
        distance: (0.3, 0.6),
        ..samples("vdaita/edit_5k_char", Some(path))
    });
    assert_eq!(edits.len(), Some(1));
    assert!(text(&edits.item(0)).contains("a = 0.5"));
    assert_eq!(edits.item(0).max_tokens, Some(4000));
}

#[test]
fn a_system_message_goes_with_the_question_and_a_reference_tells_the_length() {
    let rows = [json!({
        "system_prompt": "Answer in verse.",
        "question": "Why is the sky blue?",
        "output": "The air is kind to what is short and blue, and so it sends it down to you.",
    })];
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let (_folder, path) = file("rows.jsonl", &lines.join("\n"));
    let source = SampleSource::Hub(samples("mgoin/mlperf-inference-llama2-data", Some(path)));
    let templated = Sampling {
        template: PlainTemplate::Applied(Map::new()),
        ..sampling(source.clone(), 5)
    };
    let plain = open(&plan(templated, PromptForm::Text));
    assert!(
        text(&plain.item(0))
            .starts_with("<|im_start|>system\nAnswer in verse.<|im_end|>\n<|im_start|>user\n")
    );
    let chat = open(&plan(sampling(source, 5), PromptForm::Chat));
    let Prompt::Messages(messages) = chat.item(0).prompt else {
        panic!("a chat has messages")
    };
    assert_eq!(messages.len(), 2);
    assert_eq!(chat.item(0).prompt_tokens, plain.item(0).prompt_tokens);
    assert_eq!(chat.item(0).max_tokens, plain.item(0).max_tokens);
}

#[test]
fn functions_go_with_their_request_in_the_types_of_json_schema() {
    let name = "gorilla-llm/Berkeley-Function-Calling-Leaderboard";
    let source = SampleSource::Hub(samples(name, Some(hub("functions"))));
    let workload = open(&plan(sampling(source.clone(), 9), PromptForm::Chat));
    assert_eq!(workload.len(), Some(3));
    let item = workload.item(0);
    let Prompt::Messages(messages) = &item.prompt else {
        panic!("a chat has messages")
    };
    assert_eq!(messages[0].content, "How warm is it in Turin?");
    assert_eq!(item.max_tokens, Some(512));
    assert_eq!(item.extra["tool_choice"], "auto");
    let parameters = field(&item.extra["tools"], "/0/function/parameters");
    assert_eq!(
        parameters,
        &json!({
            "type": "object",
            "properties": {
                "town": {"type": "string"},
                "height": {"type": "number"},
                "range": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["town"],
        })
    );
    let message = refused(&plan(sampling(source, 9), PromptForm::Text));
    assert!(
        message.ends_with("calls of functions need a chat endpoint"),
        "{message}"
    );
    let missing = SampleSource::Hub(HubSamples {
        categories: vec!["simple".to_owned(), "java".to_owned()],
        ..samples(name, Some(hub("functions")))
    });
    let message = refused(&plan(sampling(missing, 9), PromptForm::Chat));
    assert!(
        message.ends_with("functions/BFCL_v3_java.json"),
        "{message}"
    );
}

#[test]
fn of_many_pictures_only_the_first_are_looked_at_and_that_is_told() {
    let line = |row: u32| json!({"question": row.to_string(), "image": "/a.png"}).to_string();
    let lines: Vec<String> = (0..1010).map(line).collect();
    let (_folder, path) = file("rows.jsonl", &lines.join("\n"));
    let shuffled = Sampling {
        order: SampleOrder::Shuffled,
        ..sampling(SampleSource::Hub(samples("Lin-Chen/MMStar", Some(path))), 3)
    };
    let workload = open(&plan(shuffled, PromptForm::Text));
    assert_eq!(workload.len(), Some(3));
    assert_eq!(
        workload.notes(),
        ["samples are taken from the first 1006 rows of `Lin-Chen/MMStar`"]
    );
}

#[test]
fn a_row_of_another_kind_is_named() {
    let (folder, path) = file("rows.jsonl", "{\"prompt\": \"a\"}\n{\"question\": \"b\"}\n");
    let message = refused(&text_plan(
        SampleSource::Hub(samples("openai/openai_humaneval", Some(path))),
        5,
    ));
    assert_eq!(
        without(&message, folder.path()),
        "rows.jsonl: row 2 has no text `prompt`"
    );
    let (folder, path) = file("rows.csv", "a,b\n");
    let message = refused(&text_plan(
        SampleSource::Hub(samples("openai/gsm8k", Some(path))),
        5,
    ));
    assert_eq!(
        without(&message, folder.path()),
        "data set `openai/gsm8k`: rows.csv is no Parquet, Arrow, JSON or JSONL file by its name"
    );
}
