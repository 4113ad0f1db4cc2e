//! Lengths and block names are those that a server would see.

use serde_json::json;

use super::*;

fn profile(name: &str) -> Profile {
    Profile::load(name).unwrap()
}

fn view(name: &str, generation: &Generation) -> EngineView {
    EngineView::new(&profile(name), generation, None, 3)
}

fn item(prompt: Prompt) -> Item {
    Item::new(0, prompt)
}

fn text(words: &str) -> Prompt {
    Prompt::Text(words.to_owned())
}

fn body(value: Value) -> Prompt {
    match value {
        Value::Object(fields) => Prompt::Body(fields),
        other => panic!("{other} is no body"),
    }
}

fn extra(value: Value) -> Generation {
    match value {
        Value::Object(extra) => Generation {
            extra,
            ..Generation::default()
        },
        other => panic!("{other} is no object"),
    }
}

#[test]
fn a_prompt_is_as_long_as_the_workload_says_or_as_its_tokens() {
    let view = view("gpu-small", &Generation::default());
    let known = Item {
        prompt_tokens: Some(77),
        ..item(text("hello"))
    };
    assert_eq!(view.request(&known).prompt_tokens, 77);
    let ids = item(Prompt::TokenIds(vec![1, 2, 3]));
    assert_eq!(view.request(&ids).prompt_tokens, 3);
    let said = view.request(&item(text("once upon a time"))).prompt_tokens;
    assert_eq!(
        said as usize,
        tokenizer::builtin().encode_prompt("once upon a time").len()
    );
    let chat = view.request(&item(Prompt::Messages(vec![Message::user(
        "once upon a time",
    )])));
    assert!(chat.prompt_tokens > said, "the chat template counts");
    let as_body = body(json!({"messages": [{"role": "user", "content": "once upon a time"}]}));
    assert_eq!(
        view.request(&item(as_body)).prompt_tokens,
        chat.prompt_tokens
    );
    let as_body = body(json!({"prompt": "once upon a time"}));
    assert_eq!(view.request(&item(as_body)).prompt_tokens, said);
}

#[test]
fn an_answer_has_the_length_that_is_asked_for() {
    let check = |generation: Generation, item: Item, answers: &[u32]| {
        assert_eq!(
            view("gpu-small", &generation).request(&item).answers,
            answers,
            "{item:?}"
        );
    };
    let plain = Generation::default;
    let asked = |prompt| Item {
        max_tokens: Some(9),
        ..item(prompt)
    };
    let length = |generation: Generation, item: Item| {
        view("gpu-small", &generation).request(&item).asked_output
    };
    assert_eq!(length(plain(), asked(text("a"))), Some(9));
    assert_eq!(length(plain(), item(text("a"))), None);
    check(plain(), asked(text("a")), &[9]);
    check(plain(), item(text("a")), &[16]);
    let default = profile("gpu-small").default_max_tokens;
    check(
        plain(),
        item(Prompt::Messages(vec![Message::user("a")])),
        &[default],
    );
    let choices = Generation {
        choices: Some(3),
        ..plain()
    };
    check(choices, asked(text("a")), &[9, 9, 9]);
    check(
        plain(),
        asked(body(json!({"prompt": "a", "max_tokens": 4, "n": 2}))),
        &[4, 4],
    );
    check(
        extra(json!({"max_tokens": 6})),
        asked(body(json!({"prompt": "a", "max_tokens": 4}))),
        &[6],
    );
}

#[test]
fn answers_end_by_themselves_where_the_profile_says_so_and_nothing_forbids_it() {
    let long = |index| Item {
        max_tokens: Some(1000),
        prompt_tokens: Some(10),
        ..Item::new(index, text("a"))
    };
    let lengths = |generation: &Generation| -> Vec<u32> {
        let view = view("natural-eos", generation);
        (0..2001)
            .map(|index| view.request(&long(index)).answers[0])
            .collect()
    };
    let mut natural = lengths(&Generation::default());
    assert_eq!(natural, lengths(&Generation::default()));
    natural.sort_unstable();
    let median = profile("natural-eos").eos.unwrap().median_tokens;
    assert!(
        (f64::from(natural[1000]) / median - 1.0).abs() < 0.1,
        "median {}",
        natural[1000]
    );
    assert_eq!(*natural.last().unwrap(), 1000);
    assert!(
        lengths(&extra(json!({"ignore_eos": true})))
            .iter()
            .all(|&length| length == 1000)
    );
    let least = Generation {
        min_tokens: Some(150),
        ..Generation::default()
    };
    assert_eq!(lengths(&least).into_iter().min(), Some(150));
}

#[test]
fn blocks_have_names_where_there_is_a_prefix_cache() {
    let prompt = |last: u32| {
        let mut ids: Vec<u32> = (0..64).collect();
        ids[63] = last;
        item(Prompt::TokenIds(ids))
    };
    let view_with_cache = view("prefix-cache", &Generation::default());
    let left = view_with_cache.request(&prompt(1)).hashes.unwrap();
    let right = view_with_cache.request(&prompt(2)).hashes.unwrap();
    assert_eq!(
        left.len(),
        64 / profile("prefix-cache").kv_cache.block_size as usize
    );
    assert_eq!(left[0], right[0]);
    assert_ne!(left.last(), right.last());
    assert_eq!(
        view("gpu-small", &Generation::default())
            .request(&prompt(1))
            .hashes,
        None
    );
}

#[test]
fn a_length_is_forced_where_the_body_names_it_and_forbids_to_end_before() {
    let check = |generation: Generation, max_tokens: Option<u32>, expected: bool| {
        let asked = Item {
            max_tokens,
            ..item(text("a"))
        };
        let request = view("natural-eos", &generation).request(&asked);
        assert_eq!(request.is_forced, expected, "{generation:?} {max_tokens:?}");
    };
    let ignoring = || extra(json!({"ignore_eos": true}));
    let at_least = |min_tokens| Generation {
        min_tokens: Some(min_tokens),
        ..Generation::default()
    };
    check(Generation::default(), Some(9), false);
    check(ignoring(), Some(9), true);
    check(ignoring(), None, false);
    check(at_least(8), Some(9), false);
    check(at_least(9), Some(9), true);
    check(at_least(9), None, false);
}
