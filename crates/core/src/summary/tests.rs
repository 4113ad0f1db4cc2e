//! Tests of the summary: hand-computed figures, what counts and what does not, merging in any order.

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, proptest};

use super::RunSummary;
use crate::metrics::Metric;
use crate::record::{Failure, FailureKind, Gaps, Phase, RequestRecord, TokenCount, TokenSource};
use crate::request::{Load, LoadPoint};
use crate::units::Nanos;

fn point() -> LoadPoint {
    LoadPoint {
        load: Load::closed(NonZeroU32::new(2).unwrap()),
        requests: 10,
        warmup: 0,
        duration: None,
    }
}

/// Due at `due_ms`, sent 5 ms later, first token 100 ms after that, then `tokens - 1` more, 20 ms apart.
fn record(due_ms: u64, tokens: u32) -> RequestRecord {
    let due = Nanos::from_millis(due_ms);
    let sent = due + Nanos::from_millis(5);
    let first = sent + Nanos::from_millis(100);
    let last = first + Nanos::from_millis(20) * u64::from(tokens - 1);
    RequestRecord {
        index: 0,
        phase: Phase::Measured,
        due,
        slot_wait: Nanos::ZERO,
        sent,
        connect: None,
        first_byte: Some(sent + Nanos::from_millis(30)),
        first_token: Some(first),
        first_reasoning: None,
        first_answer: Some(first),
        last_token: Some(last),
        end: last + Nanos::from_millis(10),
        gaps: (1..tokens).map(|_| Nanos::from_millis(20)).collect(),
        chunks: tokens,
        chunk_tokens: Vec::new(),
        bare_events: Vec::new(),
        streamed: true,
        prompt_tokens: Some(TokenCount {
            count: 50,
            source: TokenSource::Tokenizer,
        }),
        asked_output: None,
        output_tokens: Some(TokenCount {
            count: tokens,
            source: TokenSource::Usage,
        }),
        cached_tokens: None,
        status: Some(200),
        failure: None,
        reconnects: 0,
        request_id: String::new(),
        turn: None,
        exchange: None,
    }
}

fn failed(due_ms: u64, kind: FailureKind) -> RequestRecord {
    RequestRecord {
        failure: Some(Failure {
            kind,
            text: "broken".to_owned(),
        }),
        end: Nanos::from_millis(due_ms + 2000),
        ..record(due_ms, 1)
    }
}

fn summary<'a>(records: impl IntoIterator<Item = &'a RequestRecord>) -> RunSummary {
    let mut summary = RunSummary::new(point());
    records.into_iter().for_each(|record| summary.add(record));
    summary
}

fn json(summary: &RunSummary) -> String {
    serde_json::to_string(summary).unwrap()
}

/// Equal to nine digits.
fn check(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!(
        (found - expected).abs() <= expected.abs() * 1e-9,
        "{found} is not {expected}"
    );
}

#[test]
fn the_figures_of_two_requests_are_those_computed_by_hand() {
    // The first: sent 5 ms, tokens 105 to 285 ms, end 295 ms. The second: sent 1005, tokens 1105 to 1485, end 1495.
    let summary = summary(&[record(0, 10), record(1000, 20)]);
    assert_eq!(
        (summary.total(), summary.succeeded(), summary.streamed()),
        (2, 2, 2)
    );
    assert_eq!(summary.duration(), Nanos::from_millis(1490));
    check(Some(summary.rps()), 2.0 / 1.49);
    check(Some(summary.output_tps()), 30.0 / 1.49);
    check(Some(summary.total_tps()), 130.0 / 1.49);
    check(summary.mean(Metric::Ttft), 0.1);
    check(summary.mean(Metric::TtftFromDue), 0.105);
    check(summary.mean(Metric::Latency), f64::midpoint(0.29, 0.49));
    check(
        summary.mean(Metric::LatencyFromDue),
        f64::midpoint(0.295, 0.495),
    );
    check(summary.quantile(Metric::Latency, 0.9), 0.47);
    check(summary.mean(Metric::Tpot), 0.02);
    check(summary.mean(Metric::TimeToFirstByte), 0.03);
    check(summary.mean(Metric::TimeToFirstAnswer), 0.1);
    check(summary.mean(Metric::DecodeRate), 50.0);
    check(summary.quantile(Metric::OutputRate, 0.0), 34.482_759);
    check(summary.quantile(Metric::TotalRate, 0.0), 142.857_143);
    check(summary.mean(Metric::ChunksPerRequest), 15.0);
    check(summary.mean(Metric::InputTokens), 50.0);
    check(summary.deviation(Metric::OutputTokens), 5.0);
    check(summary.mean(Metric::SuccessRate), 1.0);
    assert_eq!(summary.sample(Metric::Itl).len(), 9 + 19);
    check(summary.quantile(Metric::Itl, 0.99), 0.02);
    assert_eq!(summary.mean(Metric::TimeToFirstReasoning), None);
}

#[test]
fn failures_are_in_no_latency_but_in_counts_and_duration() {
    let summary = summary(&[
        record(0, 10),
        failed(10, FailureKind::RateLimited),
        failed(20, FailureKind::RateLimited),
        failed(30, FailureKind::ReadTimeout),
    ]);
    assert_eq!((summary.succeeded(), summary.failed()), (1, 3));
    assert_eq!(summary.failures()[&FailureKind::RateLimited], 2);
    check(Some(summary.success_rate()), 0.25);
    assert_eq!(summary.sample(Metric::Latency).len(), 1);
    assert_eq!(summary.output().tokens, 10);
    assert_eq!(summary.duration(), Nanos::from_millis(2030 - 5));
}

#[test]
fn the_warm_up_counts_nowhere() {
    let warmup = RequestRecord {
        phase: Phase::Warmup,
        ..record(0, 10)
    };
    assert_eq!(json(&summary(&[warmup])), json(&RunSummary::new(point())));
}

#[test]
fn an_answer_of_one_token_has_no_tpot_and_does_not_pull_it_down() {
    let summary = summary(&[record(0, 1), record(0, 11)]);
    assert_eq!(summary.sample(Metric::Tpot).len(), 1);
    check(summary.mean(Metric::Tpot), 0.02);
    assert_eq!(summary.sample(Metric::DecodeRate).len(), 1);
}

#[test]
fn an_answer_that_was_not_streamed_has_neither_gaps_nor_tpot() {
    let whole = RequestRecord {
        streamed: false,
        ..record(0, 10)
    };
    let summary = summary(&[whole]);
    assert_eq!(summary.streamed(), 0);
    assert!(summary.sample(Metric::Itl).is_empty());
    assert!(summary.sample(Metric::Tpot).is_empty());
    assert_eq!(summary.sample(Metric::Ttft).len(), 1);
}

#[test]
fn a_summary_of_nothing_has_no_figures() {
    let empty = RunSummary::new(point());
    assert_eq!(empty.duration(), Nanos::ZERO);
    for metric in Metric::all() {
        assert_eq!(
            (empty.mean(metric), empty.quantile(metric, 0.5)),
            (None, None),
            "{metric:?}"
        );
    }
}

#[test]
fn token_sources_and_cached_tokens_are_counted() {
    let mut guessed = record(0, 3);
    guessed.output_tokens = Some(TokenCount {
        count: 3,
        source: TokenSource::Chunks,
    });
    guessed.prompt_tokens = None;
    let mut cached = record(0, 3);
    cached.cached_tokens = Some(20);
    let summary = summary(&[guessed, cached]);
    assert_eq!(summary.output().counted_by(TokenSource::Chunks), 1);
    assert_eq!(summary.output().counted_by(TokenSource::Usage), 1);
    assert_eq!(summary.input().unknown, 1);
    assert_eq!(summary.cached().share(), Some(0.4));
}

fn records() -> impl Strategy<Value = Vec<RequestRecord>> {
    let one = (
        0..100_000_u64,
        1..6_u32,
        0..4_u8,
        any::<bool>(),
        0..10_000_000_000_u64,
    );
    vec(one, 0..24).prop_map(|facts| {
        facts
            .into_iter()
            .map(|(due, tokens, kind, streamed, gap)| match kind {
                0 => failed(due, FailureKind::ServerError),
                1 => failed(due, FailureKind::Dns),
                _ => RequestRecord {
                    streamed,
                    gaps: (0..tokens)
                        .map(|k| Nanos(gap / u64::from(k + 1)))
                        .collect::<Gaps>(),
                    ..record(due, tokens)
                },
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_merge_to_the_same_bytes_in_any_order(records in records(), parts in 1..5_usize, turn in 0..5_usize) {
        let whole = summary(&records);
        let mut shares: Vec<_> = (0..parts)
            .map(|part| summary(records.iter().skip(part).step_by(parts)))
            .collect();
        shares.rotate_left(turn % parts);
        let mut merged = RunSummary::new(point());
        for share in shares {
            merged.merge(share);
        }
        prop_assert_eq!(&json(&merged), &json(&whole));
        let read: RunSummary = serde_json::from_str(&json(&whole)).unwrap();
        prop_assert_eq!(json(&read), json(&whole));
    }
}

#[test]
fn several_tokens_an_event_are_seen_and_one_is_not() {
    let plain = summary(&[record(0, 10)]);
    check(plain.mean(Metric::TokensPerGap), 1.0);
    assert!(!plain.has_several_tokens_an_event());
    check(plain.share_without_step(), 0.0);
    let merged = RequestRecord {
        gaps: Gaps::from_iter([Nanos(5); 3]),
        chunks: 4,
        ..record(0, 10)
    };
    let whole = RequestRecord {
        streamed: false,
        ..record(0, 10)
    };
    let one_event = RequestRecord {
        gaps: Gaps::default(),
        ..record(0, 10)
    };
    let run = summary(&[record(0, 10), merged, whole, one_event]);
    assert!(run.has_several_tokens_an_event());
    check(run.mean(Metric::TokensPerGap), 2.0);
    check(run.share_without_step(), 0.5);
    assert_eq!(summary([]).share_without_step(), None);
}
