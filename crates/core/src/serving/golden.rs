//! Every figure of three sets of requests, beside values that were computed from the definitions in exact fractions by
//! a separate program (and rounded to the nearest `f64` at the end).
//!
//! Checks sums and definitions, not how rows come about.

mod expected;

use expected::Expected;

use super::{Basis, Counting, EventTokens, Figures, Limits, Quantity, Row};

/// Due, start, queue, time to first token.
type Begin = [f64; 4];

fn answered(begin: Begin, itls_s: &[f64], tokens: &[u32], prompt_tokens: u64) -> Row {
    let [due_s, start_s, queue_s, ttft_s] = begin;
    let latency_s = ttft_s + itls_s.iter().sum::<f64>();
    Row {
        due_s,
        start_s,
        queue_s,
        ttft_s,
        itls_s: itls_s.to_vec(),
        latency_s,
        end_s: start_s + latency_s,
        prompt_tokens,
        output_tokens: tokens.iter().map(|&count| u64::from(count)).sum(),
        event_tokens: EventTokens::Known(tokens.to_vec()),
        succeeded: true,
        ..Row::default()
    }
}

/// Six requests: one that fails, one with an answer of a single token, one whose three tokens came in one event, one
/// whose events brought 1, 3 and 2 tokens.
///
/// By hand, for 2.5 s: 5 successes, 2/s; input 10 + 25 + 7 + 30 + 20 = 92, output 4 + 6 + 1 + 4 + 3 = 18, so 7.2 and
/// 44 tokens/s. Speech 1.5 + 2.5 s, so 1.6. Input sequences 1 + 1 + 3 + 1 + 1 = 7, so 2.8/s.
/// Good: the first, the fourth and the sixth, 1.2/s; the second is too late with its first token (300 ms), the fifth
/// with the others (950 / 3 ms each).
/// Events of the second second, from 101.0 on: one of the second request, one of the fourth, three of the fifth, one of
/// the sixth: 6, as in the first second; they brought 2 + 1 + 3 + 3 = 9 tokens, those of the first second 8.
/// Successes in flight during the second second: 4. In flight at 101.15: the second, fourth and fifth, 3.
fn normal() -> Vec<Row> {
    vec![
        Row {
            audio_s: 1.5,
            ..answered(
                [99.95, 100.0, 0.04, 0.12],
                &[0.02, 0.03, 0.025],
                &[1; 4],
                10,
            )
        },
        Row {
            audio_s: 2.5,
            end_s: 101.52,
            ..answered([100.1, 100.2, 0.1, 0.3], &[0.4, 0.6], &[1, 3, 2], 25)
        },
        Row {
            due_s: 100.4,
            start_s: 100.4,
            latency_s: 0.5,
            end_s: 100.9,
            prompt_tokens: 12,
            ..Row::default()
        },
        Row {
            input_sequences: 3,
            ..answered([101.0, 101.1, 0.1, 0.25], &[], &[1], 7)
        },
        answered([101.15, 101.15, 0.0, 0.08], &[0.05, 0.0, 0.9], &[1; 4], 30),
        answered([101.6, 101.6, 0.0, 0.1], &[], &[3], 20),
    ]
}

/// One request of 16 tokens, answered with 5 in events of 1, 2 and 2: TTFT 200 ms, latency 600 ms, TPOT 400 / 4 ms.
fn single() -> Vec<Row> {
    vec![answered([5.0, 5.5, 0.5, 0.2], &[0.1, 0.3], &[1, 2, 2], 16)]
}

fn figures(rows: &[Row], duration_s: f64, counting: Counting) -> Figures {
    Figures::of(
        rows,
        &Basis {
            duration_s,
            counting,
            percentiles: vec![50.0, 90.0, 99.0, 99.9],
            limits: Limits {
                ttft_ms: Some(260.0),
                tpot_ms: Some(260.0),
                latency_ms: Some(1200.0),
            },
        },
    )
}

fn run_figures(figures: &Figures) -> [f64; 14] {
    [
        figures.completed as f64,
        figures.failed as f64,
        figures.duration_s,
        figures.input_tokens as f64,
        figures.output_tokens as f64,
        figures.input_sequences as f64,
        figures.request_throughput,
        figures.goodput.unwrap(),
        figures.sequence_throughput,
        figures.output_throughput,
        figures.token_throughput,
        figures.peak_output_per_s,
        figures.peak_concurrency as f64,
        figures.speech_rate,
    ]
}

fn spread_figures(figures: &Figures, quantity: Quantity) -> Vec<f64> {
    let spread = figures.spread(quantity);
    let mut found = vec![spread.mean_ms, spread.median_ms, spread.deviation_ms];
    found.extend(spread.percentiles_ms.iter().map(|(_, value)| *value));
    found
}

fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() < 1e-9,
            "{what}, number {place}: {a} and not {b}"
        );
    }
}

fn check(figures: &Figures, expected: &Expected) {
    assert_near("the run", &run_figures(figures), &expected.run);
    for (quantity, expected) in Quantity::ALL.into_iter().zip(&expected.spreads) {
        let found = spread_figures(figures, quantity);
        assert_near(&format!("{quantity:?}"), &found, expected);
    }
}

#[test]
fn a_run_with_failures_and_a_single_token_has_the_figures_of_the_definitions() {
    let rows = normal();
    check(
        &figures(&rows, 2.5, Counting::Events),
        &expected::NORMAL_EVENTS,
    );
    check(
        &figures(&rows, 2.5, Counting::Tokens),
        &expected::NORMAL_TOKENS,
    );
}

#[test]
fn a_run_without_requests_is_all_zero() {
    check(
        &figures(&[], 0.75, Counting::Events),
        &expected::EMPTY_EVENTS,
    );
    check(
        &figures(&[], 0.75, Counting::Tokens),
        &expected::EMPTY_TOKENS,
    );
}

#[test]
fn a_run_of_one_request_has_its_figures() {
    let rows = single();
    check(
        &figures(&rows, 1.6, Counting::Events),
        &expected::SINGLE_EVENTS,
    );
    check(
        &figures(&rows, 1.6, Counting::Tokens),
        &expected::SINGLE_TOKENS,
    );
}

#[test]
fn a_run_of_failures_only_and_a_run_without_duration_divide_by_nothing() {
    let failed = vec![Row::default(); 3];
    let found = figures(&failed, 1.0, Counting::Tokens);
    assert_eq!((found.completed, found.failed), (0, 3));
    assert!(run_figures(&found)[5..].iter().all(|value| *value == 0.0));
    let no_time = figures(&single(), 0.0, Counting::Events);
    assert!(run_figures(&no_time).iter().all(|value| value.is_finite()));
}

#[test]
fn without_limits_there_is_no_goodput_and_each_limit_counts_alone() {
    let goodput = |limits| {
        let basis = Basis {
            duration_s: 1.0,
            counting: Counting::Tokens,
            percentiles: Vec::new(),
            limits,
        };
        Figures::of(&normal(), &basis).goodput
    };
    let none = Limits::default();
    assert_eq!(goodput(none), None);
    let ttft_ms = Some(100.0);
    assert_eq!(goodput(Limits { ttft_ms, ..none }), Some(2.0));
    let tpot_ms = Some(26.0);
    assert_eq!(goodput(Limits { tpot_ms, ..none }), Some(3.0));
    let latency_ms = Some(1100.0);
    assert_eq!(goodput(Limits { latency_ms, ..none }), Some(4.0));
}
