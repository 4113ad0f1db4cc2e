//! What finished runs are worth.

use std::num::NonZeroU32;

use crate::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crate::request::{Load, LoadPoint};
use crate::sla::{Group, Missing, Probe, Slo, Timed, parse_groups};
use crate::summary::RunSummary;
use crate::units::Nanos;

/// Due at 0, sent 100 ms later; first token at `ttft_ms`, ten tokens 10 ms apart.
fn record(ttft_ms: u64) -> RequestRecord {
    let first = Nanos::from_millis(ttft_ms);
    let last = first + Nanos::from_millis(90);
    RequestRecord {
        sent: Nanos::from_millis(100),
        first_token: Some(first),
        last_token: Some(last),
        end: last,
        gaps: (0..9).map(|_| Nanos::from_millis(10)).collect(),
        streamed: true,
        prompt_tokens: Some(tokens(50)),
        output_tokens: Some(tokens(10)),
        ..RequestRecord::new(0, Phase::Measured)
    }
}

fn tokens(count: u32) -> TokenCount {
    let source = TokenSource::Usage;
    TokenCount { count, source }
}

fn failed() -> RequestRecord {
    RequestRecord {
        failure: Some(Failure {
            kind: FailureKind::ServerError,
            text: String::new(),
        }),
        ..record(150)
    }
}

fn run(records: impl IntoIterator<Item = RequestRecord>) -> RunSummary {
    let users = NonZeroU32::new(2).unwrap();
    let mut summary = RunSummary::new(LoadPoint {
        load: Load::closed(users),
        requests: 10,
        warmup: 0,
        duration: None,
    });
    records.into_iter().for_each(|record| summary.add(&record));
    summary
}

/// `failures` of 100 requests fail, the others have TTFTs of 201, 202… ms.
fn hundred(failures: usize) -> RunSummary {
    let good = (201..=300 - failures as u64).map(record);
    run(good.chain((0..failures).map(|_| failed())))
}

fn group(text: &str) -> Group {
    let slo = Slo {
        limits: vec![(Timed::Ttft, 0.25)],
    };
    parse_groups(text, Some(&slo)).unwrap().remove(0)
}

fn met(run: &RunSummary, text: &str) -> bool {
    let group = group(text);
    let probe = Probe::of(run, None, std::slice::from_ref(&group));
    group.judge(&probe).met()
}

/// What is found of the only criterion; infinity for what failures alone decide.
fn value(run: &RunSummary, text: &str) -> Option<f64> {
    let group = group(text);
    let probe = Probe::of(run, None, std::slice::from_ref(&group));
    group.judge(&probe).findings[0].value
}

fn close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn a_time_counts_from_when_the_request_was_due() {
    let run = run([record(200)]);
    close(value(&run, r#"{"p99_ttft": "<=1"}"#), 0.2);
    close(value(&run, r#"{"avg_latency": "<=1"}"#), 0.29);
    assert!(met(&run, r#"{"p99_ttft": "<=200ms"}"#));
    assert!(!met(&run, r#"{"p99_ttft": "<200ms"}"#));
}

#[test]
fn all_criteria_of_a_group_must_hold() {
    let run = run([record(200)]);
    assert!(met(&run, r#"{"p99_ttft": "<1", "avg_tpot": "<=10ms"}"#));
    assert!(!met(&run, r#"{"p99_ttft": "<1", "avg_tpot": "<9ms"}"#));
    // Ten tokens and sixty tokens in 190 ms.
    assert!(met(
        &run,
        r#"{"rps": ">5.2", "tps": ">52", "total_tps": ">315"}"#
    ));
    assert!(!met(&run, r#"{"total_tps": ">316"}"#));
}

#[test]
fn one_failed_request_fails_a_load_unless_a_criterion_says_what_is_enough() {
    let run = hundred(1);
    assert!(!met(&run, r#"{"p50_ttft": "<=1"}"#));
    assert!(met(&run, r#"{"p50_ttft": "<=1", "success_rate": ">=99%"}"#));
    assert!(!met(&run, r#"{"p50_ttft": "<=1", "success_rate": ">99%"}"#));
    let judged = group(r#"{"p50_ttft": "<=1"}"#).judge(&Probe::of(
        &run,
        None,
        &[group(r#"{"p50_ttft": "<=1"}"#)],
    ));
    let unmet: Vec<_> = judged.unmet().map(ToString::to_string).collect();
    assert_eq!(unmet, ["success_rate = 99 %, asked >= 100 %"]);
}

#[test]
fn a_failed_request_is_an_infinite_time_in_every_quantile() {
    // Of 100 requests the slowest two failed: p95 lies at position 94.05, p99 at 98.01, among the failures.
    let run = hundred(2);
    close(value(&run, r#"{"p95_ttft": "<=1"}"#), 0.295_05);
    assert_eq!(value(&run, r#"{"p99_ttft": "<=1"}"#), Some(f64::INFINITY));
    assert!(!met(
        &run,
        r#"{"p99_ttft": "<=1000000", "success_rate": ">50%"}"#
    ));
    assert!(met(&run, r#"{"p95_ttft": "<=1", "success_rate": ">50%"}"#));
    // Gaps: 98 * 9 of 10 ms, and as many for each failure.
    close(value(&run, r#"{"p95_itl": "<=1"}"#), 0.01);
    assert_eq!(value(&run, r#"{"p99_itl": "<=1"}"#), Some(f64::INFINITY));
}

#[test]
fn in_a_mean_a_failed_request_counts_as_ten_limits_and_no_less_than_a_success() {
    let run = run([record(200), record(200), record(200), failed()]);
    close(value(&run, r#"{"avg_ttft": "<=1s"}"#), (0.6 + 10.0) / 4.0);
    close(value(&run, r#"{"avg_ttft": "<=1ms"}"#), 0.2);
}

#[test]
fn a_load_at_which_nothing_ends_well_meets_nothing() {
    let run = run([failed(), failed()]);
    for text in [
        r#"{"p50_ttft": "<=1", "success_rate": ">=0.1%"}"#,
        r#"{"avg_itl": "<=1", "success_rate": ">=0.1%"}"#,
        r#"{"tps": ">=0.1"}"#,
    ] {
        assert!(!met(&run, text), "{text}");
    }
    assert_eq!(value(&run, r#"{"p50_itl": "<=1"}"#), Some(f64::INFINITY));
}

#[test]
fn what_cannot_be_known_is_not_met_and_says_why() {
    let find = |run: &RunSummary, text: &str| {
        let group = group(text);
        let finding = group
            .judge(&Probe::of(run, None, std::slice::from_ref(&group)))
            .findings[0];
        assert_eq!((finding.value, finding.met), (None, false), "{text}");
        finding
    };
    let whole = run([RequestRecord {
        streamed: false,
        ..record(200)
    }]);
    let finding = find(&whole, r#"{"p99_tpot": "<=1"}"#);
    assert_eq!(finding.missing, Some(Missing::NotInAnswers));
    let nothing = find(&run([]), r#"{"tps": ">=1"}"#);
    assert_eq!(nothing.missing, Some(Missing::NoRequests));
    let uncounted = find(&whole, r#"{"goodput": ">=1%"}"#);
    assert_eq!(uncounted.missing, Some(Missing::NotCounted));
    assert_eq!(
        uncounted.to_string(),
        "goodput is not known (good requests were not counted), asked >= 1 %"
    );
    let other = group(r#"{"p99_ttft": "<=1"}"#);
    let finding = other.judge(&Probe::of(&whole, None, &[])).findings[0];
    assert_eq!(finding.missing, Some(Missing::NotAsked));
}

#[test]
fn repeats_add_their_counts_and_average_their_figures() {
    let groups = [group(
        r#"{"p99_ttft": "<=1", "goodput": ">=60%", "tps": "max"}"#,
    )];
    let runs = [run([record(200)]), run([record(400), record(300)])];
    let probe = Probe::average(&runs, Some(2), &groups);
    assert_eq!((probe.total, probe.succeeded), (3, 3));
    let verdict = groups[0].judge(&probe);
    close(verdict.findings[0].value, f64::midpoint(0.2, 0.399));
    close(verdict.findings[1].value, 2.0 / 3.0);
    close(verdict.aim, f64::midpoint(10.0 / 0.19, 20.0 / 0.39));
    assert!(verdict.met());
}

#[test]
fn a_good_request_keeps_to_every_limit() {
    let slo = |time, limit| Slo {
        limits: vec![(Timed::Ttft, 1.0), (time, limit)],
    };
    let good = record(200);
    for (time, limit) in [
        (Timed::Ttft, 0.2),
        (Timed::Latency, 0.29),
        (Timed::Tpot, 0.01),
        (Timed::Itl, 0.01),
    ] {
        assert!(slo(time, limit).met_by(&good), "{time:?}");
        assert!(!slo(time, limit * 0.99).met_by(&good), "{time:?}");
        assert!(!slo(time, 10.0).met_by(&failed()), "{time:?}");
    }
    let whole = RequestRecord {
        streamed: false,
        ..record(200)
    };
    let single = RequestRecord {
        output_tokens: Some(tokens(1)),
        gaps: [].into_iter().collect(),
        ..whole.clone()
    };
    for time in [Timed::Tpot, Timed::Itl] {
        assert!(!slo(time, 10.0).met_by(&whole), "{time:?}");
        assert!(slo(time, 1e-3).met_by(&single), "{time:?}");
    }
}
