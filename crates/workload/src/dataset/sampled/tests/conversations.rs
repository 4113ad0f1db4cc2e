//! Tests of conversations: what stored ones say, where they are cut, and how random ones are made.

use crestline_core::request::{Conversation, History, Message};
use crestline_core::units::Nanos;

use super::*;
use crate::plan::{
    AroundLength, ConversationSamples, ConversationSource, PromptSamples, RandomTurns,
    ShareGptSamples, SharedTurns, TurnCounts,
};

fn counts(least: u32, most: Option<u32>) -> TurnCounts {
    TurnCounts { least, most }
}

fn conversations(source: ConversationSource, turns: TurnCounts) -> WorkloadPlan {
    let samples = ConversationSamples {
        source,
        turns,
        pause: Nanos::from_millis(3),
    };
    let source = SampleSource::Conversations(samples);
    plan(sampling(source, 10), PromptForm::Chat)
}

fn random(tokens: u32, spread: f64, shared: Option<SharedTurns>) -> ConversationSource {
    ConversationSource::Random(RandomTurns {
        input: AroundLength { tokens, spread },
        output: AroundLength {
            tokens: 6,
            spread: 0.5,
        },
        shared,
    })
}

fn share_gpt(path: PathBuf, output_length: Option<u32>) -> ConversationSource {
    ConversationSource::ShareGpt(ShareGptSamples {
        path,
        output_length,
    })
}

fn with_longest(mut plan: WorkloadPlan, longest: u32) -> WorkloadPlan {
    if let Dataset::Sampled(sampling) = &mut plan.dataset {
        sampling.longest = Some(longest);
    }
    plan
}

/// What is said in each turn.
fn said(conversation: &Conversation) -> Vec<Vec<(String, Value)>> {
    let words = |message: &Message| (message.role.clone(), message.content.clone());
    conversation
        .turns
        .iter()
        .map(|turn| match &turn.item.prompt {
            Prompt::Messages(messages) => messages.iter().map(words).collect(),
            other => panic!("no messages: {other:?}"),
        })
        .collect()
}

fn user(text: &str) -> (String, Value) {
    ("user".to_owned(), text.into())
}

#[test]
fn stored_conversations_give_what_people_said_and_the_lengths_of_the_answers() {
    let source = share_gpt(fixture("sharegpt_like.json"), None);
    let workload = open(&conversations(source, counts(1, None)));
    // As for single questions, those that are short are left out; what was never answered has no length.
    assert_eq!((workload.len(), workload.most_turns()), (Some(3), Some(1)));
    let first = workload.conversation(0).unwrap();
    assert_eq!(first.history, History::Live);
    let question = "How do I keep bread from going stale in a warm kitchen?";
    assert_eq!(said(&first), [[user(question)]]);
    let answer = "Wrap it in a cloth, keep it in a wooden box and eat it within three days.";
    let tokens = workload.tokenizer().unwrap().count(answer) as u32;
    assert_eq!(first.turns[0].item.max_tokens, Some(tokens));
    assert_eq!(workload.item(0), first.turns[0].item);
    // With a length that is asked for, the last question counts too.
    let source = share_gpt(fixture("sharegpt_like.json"), Some(9));
    let workload = open(&conversations(source, counts(1, None)));
    let first = workload.conversation(0).unwrap();
    assert_eq!(
        said(&first),
        [[user(question)], [user("And in the summer?")]]
    );
    assert!(
        first
            .turns
            .iter()
            .all(|turn| turn.item.max_tokens == Some(9) && turn.pause == Nanos::from_millis(3))
    );
    assert!(first.turns[0].item.prompt_tokens.is_some());
    assert_eq!(
        first.turns[1].item.prompt_tokens, None,
        "it depends on the answer"
    );
    assert_eq!(workload.requests_of(0..4), 2 + 1 + 1 + 1);
    let picture = workload.conversation(3).unwrap();
    let content = &said(&picture)[0][0].1;
    assert_eq!(
        field(content, "/1/image_url/url"),
        "file:///pictures/harbour.png"
    );
}

#[test]
fn stored_conversations_are_cut_at_the_most_turns_and_left_out_below_the_least() {
    let source = || share_gpt(fixture("sharegpt_like.json"), Some(9));
    let workload = open(&conversations(source(), counts(2, None)));
    assert_eq!((workload.len(), workload.most_turns()), (Some(1), Some(2)));
    assert!(workload.notes().iter().any(|note| {
        note.starts_with("3 conversations of ") && note.ends_with("they have fewer than 2 turns")
    }));
    let workload = open(&conversations(source(), counts(1, Some(1))));
    assert_eq!((workload.len(), workload.most_turns()), (Some(4), Some(1)));
    assert!(
        refused(&conversations(source(), counts(3, None))).ends_with("has 3 turns or more"),
        "{}",
        refused(&conversations(source(), counts(3, None)))
    );
}

#[test]
fn lines_of_messages_are_parted_at_the_answers() {
    let lines = [
        json!({"messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {"role": "assistant", "content": "that is all"},
            {"role": "user", "content": "Two?", "name": "ann"},
            {"role": "user", "content": "And three?"},
        ]}),
        json!({"conversations": [{"value": "Four?"}, {"value": "4"}, {"value": "Five?"}], "output_tokens": 2}),
    ];
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let (_folder, path) = file("c.jsonl", &text.join("\n"));
    let source = |output_length| {
        ConversationSource::Messages(PromptSamples {
            path: path.clone(),
            output_length,
        })
    };
    let workload = open(&conversations(source(Some(5)), counts(1, None)));
    let system = ("system".to_owned(), Value::from("Be brief."));
    assert_eq!(
        said(&workload.conversation(0).unwrap()),
        [
            vec![system, user("One?")],
            vec![user("Two?"), user("And three?")]
        ]
    );
    let second = workload.conversation(1).unwrap();
    assert_eq!(said(&second), [[user("Four?")], [user("Five?")]]);
    let message = refused(&conversations(source(None), counts(1, None)));
    assert!(
        message.contains("line 1: it has no `output_tokens`"),
        "{message}"
    );
}

#[test]
fn lines_that_are_no_conversations_are_told() {
    let check = |line: &str, expected: &str| {
        let (_folder, path) = file("c.jsonl", line);
        let source = ConversationSource::Messages(PromptSamples {
            path,
            output_length: Some(5),
        });
        let message = refused(&conversations(source, counts(1, None)));
        assert!(message.ends_with(expected), "{message}");
    };
    check(
        r#"{"prompt": "hi"}"#,
        "line 1: it has neither `messages` nor `conversations`",
    );
    check(
        r#"{"messages": [{"role": "tool", "content": "7"}]}"#,
        "line 1: it has the result of a tool, which only fits the answer of then",
    );
    check(r#"{"messages": []}"#, "has 1 turns or more");
}

#[test]
fn stored_conversations_are_cut_where_they_become_too_long() {
    let source = share_gpt(fixture("sharegpt_like.json"), Some(9));
    let plan = conversations(source, counts(1, None));
    let first = open(&plan).conversation(0).unwrap();
    let one_turn = first.turns[0].item.prompt_tokens.unwrap() + 9;
    let workload = open(&with_longest(plan.clone(), one_turn));
    assert_eq!(workload.conversation(0).unwrap().turns.len(), 1);
    assert!(
        workload
            .notes()
            .iter()
            .any(|note| note.starts_with("1 conversations of ") && note.contains("are cut and")),
        "{:?}",
        workload.notes()
    );
    assert!(refused(&with_longest(plan, 5)).contains("above 5 tokens"));
}

#[test]
fn random_turns_have_their_own_text_of_the_length_that_is_asked_for() {
    let plan = conversations(random(20, 0.0, None), counts(3, Some(3)));
    let workload = open(&plan);
    let tokenizer = workload.tokenizer().unwrap();
    let mut texts = std::collections::BTreeSet::new();
    for index in 0..10 {
        let conversation = workload.conversation(index).unwrap();
        assert_eq!(
            (conversation.turns.len(), conversation.history),
            (3, History::Live)
        );
        for (turn, words) in conversation.turns.iter().zip(said(&conversation)) {
            let text = words[0].1.as_str().unwrap().to_owned();
            assert_eq!(tokenizer.count(&text), 20);
            assert_eq!(turn.item.index, index);
            let output = turn.item.max_tokens.unwrap();
            assert!((3..=9).contains(&output), "{output}");
            texts.insert(text);
        }
    }
    assert_eq!(texts.len(), 30, "no two turns say the same");
    // Copies go before the first.
    let mut copied = plan.clone();
    if let Dataset::Sampled(sampling) = &mut copied.dataset {
        sampling.copies = 2;
    }
    let copied = open(&copied);
    for (index, like) in [(0, 0), (1, 0), (2, 0), (3, 1)] {
        let found = copied.conversation(index).unwrap();
        assert_eq!(said(&found), said(&workload.conversation(like).unwrap()));
    }
    // Where a run begins, and with which seed, decides what is said.
    let later = open(&WorkloadPlan {
        offset: 4,
        ..plan.clone()
    });
    assert_eq!(
        said(&later.conversation(0).unwrap()),
        said(&workload.conversation(4).unwrap())
    );
    let other = open(&WorkloadPlan { seed: 4, ..plan });
    assert_ne!(
        said(&other.conversation(0).unwrap()),
        said(&workload.conversation(0).unwrap())
    );
}

#[test]
fn random_turns_that_cannot_be_are_refused() {
    let check = |plan: &WorkloadPlan, expected: &str| {
        let message = refused(plan);
        assert!(message.contains(expected), "{message}");
    };
    check(
        &conversations(random(0, 0.0, None), counts(1, None)),
        "a turn would have no token of its own",
    );
    check(
        &conversations(random(9, 0.0, None), counts(0, None)),
        "a conversation has at least one turn",
    );
    check(
        &conversations(random(9, 0.0, None), counts(3, Some(2))),
        "at most 2 turns and at least 3 exclude each other",
    );
    let shared = SharedTurns {
        by_all: 0.5,
        by_conversation: 0.5,
    };
    check(
        &conversations(random(9, 0.0, Some(shared)), counts(1, None)),
        "must be at least 0 and together below 1",
    );
    let long = conversations(random(90, 0.0, None), counts(2, Some(4)));
    check(
        &with_longest(long.clone(), 395),
        "the last of 4 turns may have 396 tokens of input and output, above 395",
    );
    assert_eq!(open(&with_longest(long, 396)).most_turns(), Some(4));
    let text = WorkloadPlan {
        form: PromptForm::Text,
        ..conversations(random(9, 0.0, None), counts(1, None))
    };
    check(&text, "turns are messages, so that they need a chat");
}

#[test]
fn a_plan_of_conversations_is_the_same_after_it_was_written_down() {
    let shared = SharedTurns {
        by_all: 0.25,
        by_conversation: 0.5,
    };
    let plan = conversations(random(40, 0.0, Some(shared)), counts(2, Some(5)));
    let written = serde_json::to_string(&plan).unwrap();
    let read: WorkloadPlan = serde_json::from_str(&written).unwrap();
    assert_eq!(read, plan);
    assert_eq!(open(&read).conversation(3), open(&plan).conversation(3));
}
