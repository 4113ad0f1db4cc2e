//! Records for tests: one plain, and any at all.

use crestline_core::record::{
    Exchange, Failure, FailureKind, Gaps, Phase, RequestRecord, TokenCount, TokenSource, TurnPlace,
};
use crestline_core::units::Nanos;
use proptest::prelude::*;

/// The answer in every [`success`].
pub(crate) const ANSWER: &str = "once upon a time, said the model";

/// A streamed answer of three chunks, sent at `index` milliseconds.
pub(crate) fn success(index: u64) -> RequestRecord {
    let at = |micros: u64| Nanos::from_millis(index) + Nanos::from_micros(micros);
    RequestRecord {
        index,
        phase: Phase::Measured,
        due: at(0),
        slot_wait: Nanos(250),
        sent: at(1),
        connect: None,
        first_byte: Some(at(40_000)),
        first_token: Some(at(50_001)),
        first_reasoning: None,
        first_answer: Some(at(50_001)),
        last_token: Some(at(90_001)),
        end: at(91_001),
        gaps: [Nanos::from_millis(15), Nanos::from_millis(25)]
            .into_iter()
            .collect(),
        chunks: 3,
        chunk_tokens: Vec::new(),
        bare_events: Vec::new(),
        streamed: true,
        prompt_tokens: Some(TokenCount {
            count: 7,
            source: TokenSource::Tokenizer,
        }),
        asked_output: None,
        output_tokens: Some(TokenCount {
            count: 5,
            source: TokenSource::Usage,
        }),
        cached_tokens: None,
        status: Some(200),
        failure: None,
        reconnects: 0,
        request_id: format!("r-{index}"),
        turn: None,
        exchange: Some(Box::new(Exchange {
            request: r#"{"prompt":"tell me"}"#.to_owned(),
            answer: ANSWER.to_owned(),
            ..Exchange::default()
        })),
    }
}

/// Any record, however odd.
pub(crate) fn any_record() -> impl Strategy<Value = RequestRecord> {
    (any_times(), any_counts(), any_outcome()).prop_map(|(times, counts, outcome)| RequestRecord {
        request_id: outcome.request_id,
        failure: outcome.failure,
        exchange: outcome.exchange,
        status: outcome.status,
        streamed: outcome.streamed,
        ..RequestRecord {
            index: counts.index,
            chunks: counts.chunks,
            prompt_tokens: counts.prompt_tokens,
            asked_output: counts.asked_output,
            output_tokens: counts.output_tokens,
            cached_tokens: counts.cached_tokens,
            reconnects: counts.reconnects,
            turn: counts.turn,
            ..times
        }
    })
}

fn any_span() -> impl Strategy<Value = Nanos> {
    prop_oneof![8 => 0..10_000_000_000_000_u64, 1 => any::<u64>()].prop_map(Nanos)
}

fn any_times() -> impl Strategy<Value = RequestRecord> {
    let events = proptest::array::uniform6(proptest::option::of(any_span()));
    let moments = proptest::array::uniform4(any_span());
    let gaps = proptest::collection::vec(any_span(), 0..20);
    let tokens = proptest::collection::vec(any::<u32>(), 0..20);
    let bare = proptest::collection::vec(any_span(), 0..5);
    (moments, events, gaps, tokens, bare).prop_map(|(moments, events, gaps, tokens, bare)| {
        RequestRecord {
            chunk_tokens: tokens,
            bare_events: bare,
            due: moments[0],
            slot_wait: moments[1],
            sent: moments[2],
            end: moments[3],
            connect: events[0],
            first_byte: events[1],
            first_token: events[2],
            first_reasoning: events[3],
            first_answer: events[4],
            last_token: events[5],
            gaps: gaps.into_iter().collect::<Gaps>(),
            ..success(0)
        }
    })
}

#[derive(Debug)]
struct Counts {
    index: u64,
    chunks: u32,
    prompt_tokens: Option<TokenCount>,
    asked_output: Option<u32>,
    output_tokens: Option<TokenCount>,
    cached_tokens: Option<u32>,
    reconnects: u32,
    turn: Option<TurnPlace>,
}

fn any_counts() -> impl Strategy<Value = Counts> {
    let tokens = || {
        proptest::option::of(
            (any::<u32>(), any_source()).prop_map(|(count, source)| TokenCount { count, source }),
        )
    };
    (
        any::<u64>(),
        any::<u32>(),
        tokens(),
        tokens(),
        any::<(Option<u32>, Option<u32>)>(),
        any::<u32>(),
        any::<Option<(u64, u32, u32)>>(),
    )
        .prop_map(
            |(index, chunks, prompt_tokens, output_tokens, lengths, reconnects, turn)| {
                let (asked_output, cached_tokens) = lengths;
                Counts {
                    index,
                    chunks,
                    prompt_tokens,
                    asked_output,
                    output_tokens,
                    cached_tokens,
                    reconnects,
                    turn: turn.map(|(conversation, turn, turns)| TurnPlace {
                        conversation,
                        turn,
                        turns,
                    }),
                }
            },
        )
}

fn any_source() -> impl Strategy<Value = TokenSource> {
    prop_oneof![
        Just(TokenSource::Usage),
        Just(TokenSource::Tokenizer),
        Just(TokenSource::Chunks)
    ]
}

#[derive(Debug)]
struct Outcome {
    request_id: String,
    status: Option<u16>,
    streamed: bool,
    failure: Option<Failure>,
    exchange: Option<Box<Exchange>>,
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let failure = (proptest::sample::select(KINDS), any::<String>())
        .prop_map(|(kind, text)| Failure { kind, text });
    let tool_calls = prop_oneof![
        any::<String>(),
        Just(r#"[{"id": "a",  "n":1.50}]"#.to_owned()),
        Just(r#"{"cut":"#.to_owned()),
        Just("\"quoted\"".to_owned()),
        Just("[1] ".to_owned()),
    ];
    let exchange = (
        any::<String>(),
        any::<String>(),
        any::<String>(),
        tool_calls,
    )
        .prop_map(|(request, answer, reasoning, tool_calls)| {
            Box::new(Exchange {
                request,
                answer,
                reasoning,
                tool_calls,
                pieces: Vec::new(),
            })
        });
    let optional = (
        proptest::option::of(failure),
        proptest::option::of(exchange),
    );
    (
        any::<String>(),
        any::<Option<u16>>(),
        any::<bool>(),
        optional,
    )
        .prop_map(
            |(request_id, status, streamed, (failure, exchange))| Outcome {
                request_id,
                status,
                streamed,
                failure,
                exchange,
            },
        )
}

/// All kinds of failure.
pub(crate) const KINDS: &[FailureKind] = &FailureKind::ALL;
