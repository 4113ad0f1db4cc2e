//! Tests of chat templates. What the templates under `fixtures/templates` write was checked against Jinja itself.

use std::fs;

use serde_json::json;

use super::*;
use crate::tokenizer::builtin;

/// The builtin tokenizer with a configuration of its own.
fn tokenizer(config: &serde_json::Value, file: Option<&str>) -> Arc<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/tokenizer/tokenizer.json"
    );
    fs::copy(fixtures, folder.path().join("tokenizer.json")).unwrap();
    fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    if let Some(file) = file {
        fs::write(folder.path().join("chat_template.jinja"), file).unwrap();
    }
    Arc::new(Tokenizer::load(folder.path().to_str().unwrap()).unwrap())
}

fn fixture(name: &str) -> ChatTemplate {
    let path = format!(
        "{}/../../fixtures/templates/{name}.jinja",
        env!("CARGO_MANIFEST_DIR")
    );
    let config = json!({
        "bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": fs::read_to_string(path).unwrap(),
    });
    ChatTemplate::of(&tokenizer(&config, None)).unwrap()
}

fn messages(value: serde_json::Value) -> Vec<Message> {
    serde_json::from_value(value).unwrap()
}

fn check(name: &str, conversation: serde_json::Value, expected: &str) {
    let written = fixture(name).render(&messages(conversation)).unwrap();
    assert_eq!(written, expected, "{name}");
}

#[test]
fn the_builtin_template_wraps_each_message_and_asks_for_an_answer() {
    let template = ChatTemplate::of(&builtin()).unwrap();
    let conversation = [Message::user("hello")];
    let text = template.render(&conversation).unwrap();
    assert_eq!(
        text,
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(template.origin(), Origin::Model);
    assert_eq!(
        template.encode(&conversation).unwrap(),
        builtin().encode_whole(&text)
    );
    assert_eq!(
        template.count(&conversation).unwrap(),
        builtin().encode_whole(&text).len()
    );
}

#[test]
fn the_default_template_writes_what_the_builtin_one_does() {
    let bare = ChatTemplate::of(&tokenizer(&json!({}), None)).unwrap();
    assert_eq!(bare.origin(), Origin::Default);
    let conversation =
        messages(json!([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]));
    let builtin = ChatTemplate::of(&builtin()).unwrap();
    assert_eq!(
        bare.render(&conversation).unwrap(),
        builtin.render(&conversation).unwrap()
    );
}

#[test]
fn special_tokens_of_a_template_are_encoded_as_such() {
    let template = ChatTemplate::of(&builtin()).unwrap();
    let ids = template.encode(&[Message::user("hello")]).unwrap();
    let special = builtin().special_ids()[1];
    assert_eq!(ids.iter().filter(|id| **id == special).count(), 2);
}

#[test]
fn a_template_file_wins_over_the_configuration_and_default_over_other_names() {
    let named = json!({"chat_template": [
        {"name": "tools", "template": "tools"}, {"name": "default", "template": "plain"},
    ]});
    let render = |tokenizer| ChatTemplate::of(&tokenizer).unwrap().render(&[]).unwrap();
    assert_eq!(render(tokenizer(&named, None)), "plain");
    assert_eq!(render(tokenizer(&named, Some("file"))), "file");
}

fn conversation() -> serde_json::Value {
    json!([
        {"role": "system", "content": " Be brief. "},
        {"role": "user", "content": "  hi  "},
        {"role": "assistant", "content": " yes ", "extra": 1},
        {"role": "user", "content": "more"},
    ])
}

#[test]
fn dates_slices_and_trims_are_as_in_jinja() {
    check(
        "llama3_style",
        conversation(),
        "<s><|start|>system<|middle|>\n\nDate: 01 Jan 2026\n\nBe brief.<|stop|><|start|>user<|middle|>\n\nhi<|stop|>\
         <|start|>assistant<|middle|>\n\nyes<|stop|><|start|>user<|middle|>\n\nmore<|stop|><|start|>assistant<|middle|>\n\n",
    );
}

#[test]
fn other_fields_of_a_message_reach_the_template_and_json_is_written_as_python_does() {
    let call = json!({"function": {"name": "find", "arguments": {"q": "<é>", "n": [1, 2]}}});
    check(
        "llama3_style",
        json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [call]}]),
        "<s><|start|>system<|middle|>\n\nDate: 01 Jan 2026\n\n<|stop|><|start|>user<|middle|>\n\nq<|stop|>\
         <|start|>assistant<|middle|>\n\n{\"name\": \"find\", \"arguments\": {\"q\": \"<é>\", \"n\": [1, 2]}}<|stop|>\
         <|start|>assistant<|middle|>\n\n",
    );
}

#[test]
fn namespaces_loop_counters_and_indented_json_are_as_in_jinja() {
    check(
        "mistral_style",
        conversation(),
        "<s>[INST]   hi  [/INST] yes</s>[INST]  Be brief. \n\nmore[/INST]",
    );
    check(
        "mistral_style",
        json!([{"role": "user", "content": "q"}, {"role": "tool", "content": "a & <b>"}]),
        "<s>[INST] q[/INST][RESULT] {\n  \"number\": 1,\n  \"content\": \"a & <b>\"\n}[/RESULT]",
    );
}

#[test]
fn reversed_slices_string_methods_and_training_marks_are_as_in_jinja() {
    check(
        "reasoning_style",
        json!([
            {"role": "user", "content": "q1"},
            {"role": "assistant", "content": "<think>\nold\n</think>\n\na1"},
            {"role": "skip", "content": ""},
            {"role": "user", "content": "q2"},
            {"role": "assistant", "content": "<think>\nnew\n</think>\n\na2"},
            {"role": "user", "content": "<result>r</result>"},
        ]),
        "<|im_start|>user\nq1<|im_end|>\n<|im_start|>assistant\na1<|im_end|>\n<|im_start|>user\nq2<|im_end|>\n<|im_start|>assistant\n<think>\nnew\n</think>\n\na2<|im_end|>\n<|im_start|>user\n<result>r</result><|im_end|>\nb1a2<|im_start|>assistant\n",
    );
}

#[test]
fn a_template_that_goes_through_parts_gets_them() {
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url"}]}]);
    check("parts", parts, "<user>\nlook\n(a picture)\n<assistant>\n");
    check(
        "parts",
        json!([{"role": "user", "content": "plain"}]),
        "<user>\nplain\n<assistant>\n",
    );
}

#[test]
fn a_template_that_takes_text_gets_the_text_of_the_parts() {
    let parts = messages(json!([{"role": "user", "content": [
        {"type": "text", "text": "one"}, {"type": "image_url"}, {"type": "text", "text": "two"},
    ]}]));
    let text = ChatTemplate::of(&builtin())
        .unwrap()
        .render(&parts)
        .unwrap();
    assert_eq!(
        text,
        "<|im_start|>user\none\ntwo<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn only_a_loop_over_the_content_makes_a_template_take_parts() {
    let check = |source: &str, expected: bool| {
        let config = json!({"chat_template": source});
        let template = ChatTemplate::of(&tokenizer(&config, None)).unwrap();
        assert_eq!(template.takes_parts, expected, "{source}");
    };
    check(
        "{% for m in messages %}{% if 'x' in m.content %}{{ m.content }}{% endif %}{% endfor %}",
        false,
    );
    check(
        "{%- for m in messages %}{%- for part in m['content'] %}{{ part }}{% endfor %}{% endfor %}",
        true,
    );
    check(
        "{% for part in content | selectattr('type') %}{% endfor %}",
        true,
    );
}

#[test]
fn a_refusal_is_reported_in_the_template_s_own_words() {
    let wrong = messages(json!([{"role": "assistant", "content": "first"}]));
    let error = fixture("mistral_style").render(&wrong).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("refuses the messages: users and assistants must take turns"),
        "{text}"
    );
}

#[test]
fn a_template_that_is_not_jinja_is_refused_with_the_line() {
    let config = json!({"chat_template": "ok\n{% for x %}"});
    let error = ChatTemplate::of(&tokenizer(&config, None))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot be read") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn the_date_can_be_set_and_formats_as_the_c_library_does() {
    let format = "%A %a %B %b %d %m %Y %y %F %H:%M:%S %I %p %% %j";
    let config = json!({"chat_template": format!("{{{{ strftime_now('{format}') }}}}")});
    let mut template = ChatTemplate::of(&tokenizer(&config, None)).unwrap();
    assert!(template.writes_date());
    let expected = "Thursday Thu January Jan 01 01 2026 26 2026-01-01 00:00:00 12 AM % %j";
    assert_eq!(template.render(&[]).unwrap(), expected);
    template.set_date(Date {
        year: 2024,
        month: 2,
        day: 29,
    });
    let expected = "Thursday Thu February Feb 29 02 2024 24 2024-02-29 00:00:00 12 AM % %j";
    assert_eq!(template.render(&[]).unwrap(), expected);
}
