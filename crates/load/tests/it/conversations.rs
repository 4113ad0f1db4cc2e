//! Conversations: what each turn is sent with and when, how many go on at once, and what is left of those that break off.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crestline_core::record::{FailureKind, RequestRecord, TokenSource};
use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::units::{Nanos, Rate};
use crestline_load::client::endpoint::Endpoint;
use crestline_load::engine::{Engine, EngineError, HeaderError, Setup, Stop};
use crestline_load::target::{Header, Secret};
use crestline_workload::Workload;
use crestline_workload::plan::{
    AroundLength, ConversationSamples, ConversationSource, Dataset, PlainTemplate, PromptForm,
    RandomTurns, SampleOrder, SampleSource, Sampling, SharedTurns, TurnCounts, WorkloadPlan,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::certificate::Certificate;
use crate::http2_script::{Http2Script, Manners, Reply};
use crate::script::{
    Script, Step, answer, apply, apply_by, check_times, closed, events, pause, plan, setup,
};

/// Conversations of random words.
fn samples(turns: (u32, u32), pause: Nanos) -> ConversationSamples {
    let length = |tokens| AroundLength {
        tokens,
        spread: 0.0,
    };
    ConversationSamples {
        source: ConversationSource::Random(RandomTurns {
            input: length(12),
            output: length(4),
            shared: None,
        }),
        turns: TurnCounts {
            least: turns.0,
            most: Some(turns.1),
        },
        pause,
    }
}

fn workload(samples: ConversationSamples, seed: u64) -> Workload {
    let sampling = Sampling {
        source: SampleSource::Conversations(samples),
        requests: 50,
        copies: 0,
        order: SampleOrder::Stored,
        longest: None,
        template: PlainTemplate::Skipped,
    };
    Workload::open(&WorkloadPlan {
        dataset: Dataset::Sampled(Box::new(sampling)),
        tokenizer: Some("builtin".to_owned()),
        form: PromptForm::Chat,
        max_tokens: None,
        seed,
        ..plan()
    })
    .unwrap()
}

fn conversing(script: &Script, samples: ConversationSamples) -> Setup {
    Setup {
        workload: Arc::new(workload(samples, 7)),
        ..setup(&script.url)
    }
}

/// Records by conversation, each in the order of its turns.
fn by_conversation(records: &[RequestRecord]) -> BTreeMap<u64, Vec<&RequestRecord>> {
    let mut all: BTreeMap<u64, Vec<&RequestRecord>> = BTreeMap::new();
    for record in records {
        all.entry(record.turn.unwrap().conversation)
            .or_default()
            .push(record);
    }
    all
}

fn messages(body: &str) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (text(&message["role"]), text(&message["content"])))
        .collect()
}

/// A record knows the length that its body asks for.
fn check_asked_output(record: &RequestRecord) {
    let exchange = record.exchange.as_deref().unwrap();
    let body: serde_json::Value = serde_json::from_str(&exchange.request).unwrap();
    let asked = body["max_tokens"].as_u64();
    assert_eq!(record.asked_output.map(u64::from), asked);
    assert!(asked > Some(0));
}

#[test]
fn each_turn_is_sent_after_the_answer_before_with_all_that_was_said() {
    // Each request is answered with another text.
    let script = Script::serve(|_, all| Step::Send(answer(all + 1)));
    let setup = conversing(&script, samples((3, 3), Nanos::ZERO));
    let (records, _) = apply(setup, closed(2, 5), &Stop::default());
    assert_eq!(records.len(), 15);
    for (conversation, turns) in by_conversation(&records) {
        let mut said: Vec<(String, String)> = Vec::new();
        let mut before: Option<&RequestRecord> = None;
        for (number, record) in turns.iter().enumerate() {
            let place = record.turn.unwrap();
            assert_eq!((place.turn, place.turns), (number as u32 + 1, 3));
            assert_eq!(record.index, conversation * 3 + number as u64);
            assert!(record.succeeded(), "{record:?}");
            check_times(record);
            if let Some(before) = before {
                assert_eq!(record.due, before.end);
                assert!(record.sent >= before.end && record.slot_wait == Nanos::ZERO);
            }
            let exchange = record.exchange.as_deref().unwrap();
            check_asked_output(record);
            let sent = messages(&exchange.request);
            assert_eq!(sent[..said.len()], said, "conversation {conversation}");
            assert_eq!(sent.len(), said.len() + 1);
            assert_eq!(sent[said.len()].0, "user");
            said = sent;
            said.push(("assistant".to_owned(), exchange.answer.clone()));
            before = Some(record);
        }
    }
    // What the records say was sent is what the server got.
    let mut sent: Vec<String> = records
        .iter()
        .map(|record| record.exchange.as_ref().unwrap().request.clone())
        .collect();
    let mut got = script.bodies.lock().unwrap().clone();
    sent.sort();
    got.sort();
    assert_eq!(sent, got);
}

#[test]
fn no_more_conversations_go_on_than_there_are_slots_and_each_has_its_session() {
    let script = Script::serve(|_, _| Step::Send(answer(3)));
    let setup = Setup {
        workers: NonZeroUsize::new(2),
        ..conversing(&script, samples((1, 4), Nanos::from_millis(2)))
    };
    let (records, _) = apply(setup, closed(3, 20), &Stop::default());
    assert!(script.most_in_flight.load(Ordering::SeqCst) <= 3);
    let all = by_conversation(&records);
    assert_eq!(all.len(), 20);
    // From its first turn to the end of its last, think times included, a conversation has a slot.
    let spans: Vec<(Nanos, Nanos)> = all
        .values()
        .map(|turns| (turns[0].sent, turns[turns.len() - 1].end))
        .collect();
    for (begin, _) in &spans {
        let open = spans
            .iter()
            .filter(|(from, to)| from <= begin && begin < to);
        assert!(open.count() <= 3);
    }
    for turns in all.values() {
        assert_eq!(turns.len() as u32, turns[0].turn.unwrap().turns);
    }
    let mut sessions: BTreeMap<String, usize> = BTreeMap::new();
    for head in script.heads.lock().unwrap().iter() {
        let field = |name: &str| {
            let line = head.lines().find_map(|line| {
                let (found, value) = line.split_once(": ")?;
                found.eq_ignore_ascii_case(name).then(|| value.to_owned())
            });
            line.unwrap_or_else(|| panic!("no {name}: {head}"))
        };
        let session = field("x-session-id");
        assert!(field("x-request-id").starts_with(&format!("{session}-")));
        *sessions.entry(session).or_default() += 1;
    }
    let mut expected: Vec<usize> = all.values().map(Vec::len).collect();
    let mut found: Vec<usize> = sessions.into_values().collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_request_that_stands_alone_has_no_session() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    let (records, _) = apply(setup(&script.url), closed(1, 2), &Stop::default());
    assert!(records.iter().all(|record| record.turn.is_none()));
    for head in script.heads.lock().unwrap().iter() {
        assert!(!head.to_lowercase().contains("x-session-id"), "{head}");
    }
}

#[test]
fn a_user_thinks_between_two_turns_and_is_due_then() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let think = Nanos::from_millis(30);
    let setup = conversing(&script, samples((3, 3), think));
    let (records, _) = apply(setup, closed(2, 2), &Stop::default());
    for turns in by_conversation(&records).values() {
        for pair in turns.windows(2) {
            assert_eq!(pair[1].due, pair[0].end + think);
            assert!(pair[1].sent >= pair[1].due);
        }
    }
    assert_eq!(records.len(), 6);
}

#[test]
fn conversations_begin_by_the_arrivals_of_an_open_loop() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let setup = conversing(&script, samples((2, 2), Nanos::ZERO));
    let point = LoadPoint {
        load: Load {
            arrivals: Arrivals::Constant(Rate::per_second(50.0).unwrap()),
            concurrency: None,
        },
        requests: 6,
        warmup: 1,
        duration: None,
    };
    let (records, _) = apply(setup, point, &Stop::default());
    let all = by_conversation(&records);
    assert_eq!(all.len(), 7);
    let begins: Vec<Nanos> = all.values().skip(1).map(|turns| turns[0].due).collect();
    for pair in begins.windows(2) {
        assert_eq!(pair[1].saturating_sub(pair[0]), Nanos::from_millis(20));
    }
    for turns in all.values() {
        assert_eq!(turns[1].due, turns[0].end);
    }
}

#[test]
fn a_turn_that_fails_ends_its_conversation_and_gives_its_slot_to_the_next() {
    let refused = "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";
    // With one slot, the second turn of the first conversation is the second request.
    let script = Script::serve(move |_, all| match all {
        1 => Step::Send(vec![refused.to_owned()]),
        _ => Step::Send(answer(2)),
    });
    let setup = conversing(&script, samples((3, 3), Nanos::ZERO));
    let (records, _) = apply(setup, closed(1, 3), &Stop::default());
    let all = by_conversation(&records);
    let lengths: Vec<usize> = all.values().map(Vec::len).collect();
    assert_eq!(lengths, [2, 3, 3]);
    assert_eq!(
        all[&0][1].failure.as_ref().unwrap().kind,
        FailureKind::ServerError
    );
    assert_eq!(all[&0][1].turn.unwrap().turns, 3);
}

#[test]
fn a_stop_breaks_conversations_off_and_keeps_what_was_measured() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let setup = conversing(&script, samples((40, 40), Nanos::from_millis(20)));
    let stop = Stop::default();
    let asked = stop.clone();
    let timer = std::thread::spawn(move || {
        pause(Duration::from_millis(150));
        asked.ask();
    });
    let (records, applied) = apply(setup, closed(2, 10), &stop);
    timer.join().unwrap();
    assert!(applied.interrupted);
    let all = by_conversation(&records);
    assert_eq!(all.len(), 2, "only those that had a slot were begun");
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    for turns in all.values() {
        assert!(!turns.is_empty() && turns.len() < 40);
    }
}

#[test]
fn nothing_is_sent_after_the_duration() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let setup = conversing(&script, samples((50, 50), Nanos::from_millis(10)));
    let duration = Nanos::from_millis(120);
    let point = LoadPoint {
        duration: Some(duration),
        ..closed(2, 2)
    };
    let (records, applied) = apply(setup, point, &Stop::default());
    assert!(!applied.interrupted && records.len() < 100);
    assert!(
        records
            .iter()
            .all(|record| record.due < applied.start + duration)
    );
}

#[test]
fn turns_with_a_shared_beginning_have_no_history() {
    let script = Script::serve(|_, _| Step::Send(answer(2)));
    let length = |tokens| AroundLength {
        tokens,
        spread: 0.0,
    };
    let samples = ConversationSamples {
        source: ConversationSource::Random(RandomTurns {
            input: length(40),
            output: length(4),
            shared: Some(SharedTurns {
                by_all: 0.25,
                by_conversation: 0.5,
            }),
        }),
        ..samples((2, 2), Nanos::ZERO)
    };
    let (records, _) = apply(conversing(&script, samples), closed(1, 2), &Stop::default());
    let words: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let sent = messages(&record.exchange.as_ref().unwrap().request);
            assert_eq!(sent.len(), 1);
            sent[0].1.split(' ').map(str::to_owned).collect()
        })
        .collect();
    let common = |a: usize, b: usize| {
        let pairs = words[a].iter().zip(&words[b]);
        pairs.take_while(|(one, other)| one == other).count()
    };
    assert!(words.iter().all(|words| words.len() == 40));
    assert_eq!((common(0, 1), common(2, 3)), (30, 30));
    assert_eq!((common(0, 2), common(1, 3)), (10, 10));
}

#[test]
fn the_text_of_a_later_turn_is_kept_until_it_is_counted() {
    let silent = |tokens: usize| {
        let answer = answer(tokens);
        let usage = answer.len() - 3;
        let mut pieces = answer;
        pieces.remove(usage);
        pieces
    };
    let script = Script::serve(move |_, _| Step::Send(silent(2)));
    let setup = Setup {
        keep_text: false,
        ..conversing(&script, samples((2, 2), Nanos::ZERO))
    };
    let workload = Arc::clone(&setup.workload);
    let (records, _) = apply(setup, closed(1, 1), &Stop::default());
    let first = records[0].prompt_tokens.unwrap();
    assert_eq!(first.source, TokenSource::Tokenizer);
    assert_eq!(records[0].exchange.as_ref().unwrap().request, "");
    assert_eq!(records[1].prompt_tokens, None);
    let body = &records[1].exchange.as_ref().unwrap().request;
    let counted = workload.tokens_of_body(body).unwrap();
    // Two messages of 12 tokens, an answer of two words, and what a template puts around them.
    assert!(counted >= first.count + 12 + 2, "{counted}");
}

#[test]
fn only_the_content_of_an_answer_is_said_again() {
    let delta = |delta: Value| {
        let event = serde_json::json!({"choices": [{"delta": delta, "finish_reason": null}]});
        format!("data: {event}\n\n")
    };
    let call = serde_json::json!([{"index": 0, "function": {"name": "look", "arguments": "{}"}}]);
    let events = [
        delta(serde_json::json!({"reasoning_content": "thinking"})),
        delta(serde_json::json!({"content": "said"})),
        delta(serde_json::json!({ "tool_calls": call })),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{events}",
        events.len()
    );
    let script = Script::serve(move |_, _| Step::Send(vec![whole.clone()]));
    let setup = conversing(&script, samples((2, 2), Nanos::ZERO));
    let (records, _) = apply(setup, closed(1, 1), &Stop::default());
    let exchange = records[0].exchange.as_deref().unwrap();
    assert_eq!(exchange.reasoning, "thinking");
    assert!(exchange.tool_calls.contains("look"));
    let body: Value = serde_json::from_str(&script.bodies.lock().unwrap()[1]).unwrap();
    assert_eq!(
        body["messages"][1],
        serde_json::json!({"role": "assistant", "content": "said"})
    );
}

#[test]
fn sessions_are_named_over_http_2_too() {
    let certificate = Certificate::of("127.0.0.1");
    let script = Http2Script::serve(&certificate, Manners::default(), |_, _| {
        Reply::Send(events(2))
    });
    let setup = Setup {
        workload: Arc::new(workload(samples((2, 2), Nanos::ZERO), 7)),
        ..setup(&script.url)
    };
    let engine = Engine::new(setup, "test", &certificate.roots(), |_| None).unwrap();
    let (records, _) = apply_by(&engine, closed(2, 3), &Stop::default());
    assert!(records.len() == 6 && records.iter().all(RequestRecord::succeeded));
    let received = script.received.lock().unwrap();
    let mut names: Vec<(&str, usize)> = received
        .iter()
        .map(|request| {
            let session = request.headers["x-session-id"].to_str().unwrap();
            let body = std::str::from_utf8(&request.body).unwrap();
            (session, messages(body).len())
        })
        .collect();
    names.sort_unstable();
    let expected = ["test-0", "test-1", "test-2"].map(|name| [(name, 1), (name, 3)]);
    assert_eq!(names, expected.concat());
}

#[test]
fn the_header_of_sessions_is_not_the_user_s() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    let mut setup = conversing(&script, samples((2, 2), Nanos::ZERO));
    setup.target.headers.push(Header {
        name: "X-Session-ID".to_owned(),
        value: Secret::new("mine"),
    });
    let refused = Engine::new(setup, "test", &[], |_| None).unwrap_err();
    assert!(
        matches!(&refused, EngineError::Header(HeaderError::Taken(name)) if name == "X-Session-ID"),
        "{refused}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn turns_are_drawn_between_the_least_and_the_most_by_the_seed(
        least in 1..6u32, more in 0..6u32, seed in any::<u64>(),
    ) {
        let most = least + more;
        let counts = |workload: &Workload| -> Vec<u32> {
            (0..200)
                .map(|index| workload.conversation(index).unwrap().turns.len() as u32)
                .collect()
        };
        let conversations = workload(samples((least, most), Nanos::ZERO), seed);
        let drawn = counts(&conversations);
        prop_assert!(drawn.iter().all(|turns| (least..=most).contains(turns)));
        // Of 200 draws among at most 6 numbers each comes up.
        for turns in least..=most {
            prop_assert!(drawn.contains(&turns), "{turns} of {least} to {most}");
        }
        let whole: u64 = drawn.iter().map(|turns| u64::from(*turns)).sum();
        prop_assert_eq!(conversations.requests_of(0..200), whole);
        prop_assert_eq!(conversations.most_turns(), Some(most));
        prop_assert_eq!(counts(&workload(samples((least, most), Nanos::ZERO), seed)), drawn);
    }
}

#[test]
fn a_closed_loop_of_one_slot_has_one_conversation_after_the_other() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    let setup = conversing(&script, samples((2, 2), Nanos::ZERO));
    let point = LoadPoint {
        load: Load::closed(NonZeroU32::MIN),
        ..closed(1, 3)
    };
    let (records, _) = apply(setup, point, &Stop::default());
    let mut sent: Vec<(Nanos, u64)> = records
        .iter()
        .map(|record| (record.sent, record.index))
        .collect();
    sent.sort_unstable();
    let order: Vec<u64> = sent.into_iter().map(|(_, index)| index).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn turns_need_messages_of_their_own() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    let refused = |change: &dyn Fn(&mut Setup)| {
        let mut setup = conversing(&script, samples((2, 2), Nanos::ZERO));
        change(&mut setup);
        let error = Engine::new(setup, "test", &[], |_| None).unwrap_err();
        assert!(matches!(error, EngineError::NoMessages), "{error}");
    };
    refused(&|setup| setup.endpoint = Endpoint::OpenAiCompletions);
    refused(&|setup| {
        let extra = &mut setup.generation.extra;
        extra.insert("messages".to_owned(), Value::Null);
    });
}
