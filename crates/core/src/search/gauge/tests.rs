//! What each criterion makes of requests that ended, are in flight, were cut, failed or were dropped.

use super::super::evidence::{Cut, Ending, Evidence, Facts, Pace, Seen};
use super::super::synthetic::record;
use super::{FAILED_IN_MEAN, Gauge};
use crate::record::{Failure, FailureKind, RequestRecord, TokenCount, TokenSource};
use crate::sla::{Slo, Timed, parse_groups};
use crate::units::Nanos;

/// A service on which 21 tokens take 2 s.
const PACE: Pace = Pace {
    latency: 2.0,
    tpot: 0.1,
    tokens: 21.0,
};

fn gauge(criterion: &str) -> Gauge {
    let slo = Slo {
        limits: vec![(Timed::Ttft, 0.5), (Timed::Tpot, 0.2)],
    };
    let groups = parse_groups(&format!("[{{{criterion}}}]"), Some(&slo)).unwrap();
    Gauge::new(groups[0].criteria[0], &slo).unwrap()
}

fn at(seconds: f64) -> Nanos {
    Nanos::from_secs_f64(seconds)
}

/// A request due at 10 s with a first token at 10.4 s.
fn in_flight(first_token: Option<f64>, tokens: u32) -> Seen {
    Seen {
        due: at(10.0),
        sent: at(10.1),
        first_token: first_token.map(at),
        tokens,
        expected: None,
        ending: Ending::InFlight,
        cut: None,
    }
}

/// The same after its end: 21 tokens at 12.4 s, and so a TPOT of 100 ms.
fn ended() -> Seen {
    Seen {
        ending: facts(&answered()),
        ..in_flight(Some(10.4), 21)
    }
}

fn answered() -> RequestRecord {
    RequestRecord {
        output_tokens: Some(TokenCount {
            count: 21,
            source: TokenSource::Usage,
        }),
        gaps: [0.05, 0.05, 0.3, 0.1].into_iter().map(at).collect(),
        ..record(1, 10.0, Some(10.4), 12.4)
    }
}

/// What the evidence keeps of a record.
fn facts(record: &RequestRecord) -> Ending {
    let gauges = vec![gauge(r#""p90_itl":"<=0.25""#)];
    let mut evidence = Evidence::new(gauges, Slo::default());
    evidence.begin(1.0, Nanos::ZERO);
    evidence.take(record);
    evidence.dwells[0].requests[&record.index].ending.clone()
}

#[track_caller]
fn check(criterion: &str, seen: &Seen, now: f64, expected: Option<f64>) {
    let value = gauge(criterion).value(seen, at(now), &PACE);
    match (value, expected) {
        (Some(value), Some(expected)) => {
            let same =
                (value - expected).abs() < 1e-9 || (value.is_infinite() && expected.is_infinite());
            assert!(same, "{criterion}: {value}, not {expected}");
        }
        (value, expected) => assert_eq!(value, expected, "{criterion}"),
    }
}

#[test]
fn a_request_that_ended_has_its_times_as_multiples_of_the_limit() {
    let seen = ended();
    check(r#""p99_ttft":"<=0.5""#, &seen, 20.0, Some(0.4 / 0.5));
    check(r#""p99_latency":"<=2.5""#, &seen, 20.0, Some(2.4 / 2.5));
    check(r#""p99_tpot":"<=0.2""#, &seen, 20.0, Some(0.1 / 0.2));
    check(r#""avg_ttft":"<=0.2""#, &seen, 20.0, Some(0.4 / 0.2));
    check(r#""avg_itl":"<=0.25""#, &seen, 20.0, Some(0.125 / 0.25));
    check(r#""success_rate":">=99%""#, &seen, 20.0, Some(0.0));
}

#[test]
fn a_request_without_a_first_token_is_late_once_the_limit_has_passed() {
    let seen = in_flight(None, 0);
    check(r#""p99_ttft":"<=0.5""#, &seen, 10.4, None);
    check(r#""p99_ttft":"<=0.5""#, &seen, 11.0, Some(1.05 / 0.5));
    check(r#""p99_tpot":"<=0.2""#, &seen, 11.0, None);
    // A latency is projected: the second that has passed, and 21 tokens to come.
    check(
        r#""p99_latency":"<=2.5""#,
        &seen,
        11.0,
        Some((1.0 + 2.1) / 2.5),
    );
}

#[test]
fn a_request_with_a_first_token_is_projected_at_the_present_pace() {
    let seen = in_flight(Some(10.4), 11);
    check(r#""p99_ttft":"<=0.5""#, &seen, 12.4, Some(0.4 / 0.5));
    // 2 s for 11 tokens, and at least half of a mean answer still to come: 10.5 tokens of 0.1 s.
    check(
        r#""p99_tpot":"<=0.2""#,
        &seen,
        12.4,
        Some(3.05 / 20.5 / 0.2),
    );
    check(
        r#""p99_latency":"<=2.5""#,
        &seen,
        12.4,
        Some((2.4 + 1.05) / 2.5),
    );
    let known = Seen {
        expected: Some(16),
        ..seen
    };
    check(
        r#""p99_tpot":"<=0.2""#,
        &known,
        12.4,
        Some(2.5 / 15.0 / 0.2),
    );
    check(
        r#""p99_latency":"<=2.5""#,
        &known,
        12.4,
        Some((2.4 + 0.5) / 2.5),
    );
}

#[test]
fn a_request_that_was_cut_is_judged_by_what_it_had_shown() {
    let cut = Cut {
        at: at(11.4),
        first_token: Some(at(10.4)),
        tokens: 6,
    };
    let seen = Seen {
        cut: Some(cut),
        expected: Some(21),
        ..ended()
    };
    check(r#""p99_ttft":"<=0.5""#, &seen, 20.0, Some(0.4 / 0.5));
    // 1 s for 6 tokens, 15 more at 0.1 s: what it came to under the next load does not count.
    check(r#""p99_tpot":"<=0.2""#, &seen, 20.0, Some(2.5 / 20.0 / 0.2));
    check(
        r#""p99_latency":"<=2.5""#,
        &seen,
        20.0,
        Some((1.4 + 1.5) / 2.5),
    );
    let before_token = Seen {
        cut: Some(Cut {
            first_token: None,
            tokens: 0,
            ..cut
        }),
        ..seen
    };
    check(
        r#""p99_ttft":"<=0.5""#,
        &before_token,
        20.0,
        Some(1.4 * 1.05 / 0.5),
    );
    check(r#""p99_ttft":"<=2""#, &before_token, 20.0, None);
}

#[test]
fn an_answer_of_unknown_length_that_was_cut_has_the_latency_that_it_came_to() {
    let seen = Seen {
        cut: Some(Cut {
            at: at(11.0),
            first_token: Some(at(10.4)),
            tokens: 6,
        }),
        ..ended()
    };
    check(r#""p99_latency":"<=2.5""#, &seen, 20.0, Some(2.4 / 2.5));
}

#[test]
fn a_failure_is_beyond_every_limit_and_weighs_in_a_mean() {
    let seen = Seen {
        ending: Ending::Failed,
        ..in_flight(Some(10.4), 3)
    };
    for criterion in [
        r#""p99_ttft":"<=0.5""#,
        r#""p99_tpot":"<=0.2""#,
        r#""p99_itl":"<=0.25""#,
        r#""success_rate":">=99%""#,
        r#""goodput":">=90%""#,
    ] {
        check(criterion, &seen, 20.0, Some(f64::INFINITY));
    }
    check(r#""avg_ttft":"<=0.5""#, &seen, 20.0, Some(FAILED_IN_MEAN));
}

#[test]
fn a_request_that_was_given_up_says_what_had_passed_by_then() {
    let dropped = |first, by| Seen {
        ending: Ending::Dropped(at(by)),
        ..in_flight(first, 0)
    };
    check(r#""p99_ttft":"<=0.5""#, &dropped(None, 10.3), 20.0, None);
    check(
        r#""p99_ttft":"<=0.5""#,
        &dropped(None, 12.0),
        20.0,
        Some(2.0 / 0.5),
    );
    check(
        r#""p99_ttft":"<=0.5""#,
        &dropped(Some(10.4), 12.0),
        20.0,
        Some(0.4 / 0.5),
    );
    check(
        r#""p99_latency":"<=2.5""#,
        &dropped(Some(10.4), 11.0),
        20.0,
        None,
    );
    check(
        r#""p99_latency":"<=2.5""#,
        &dropped(Some(10.4), 13.0),
        20.0,
        Some(3.0 / 2.5),
    );
    check(
        r#""p99_tpot":"<=0.2""#,
        &dropped(Some(10.4), 12.0),
        20.0,
        None,
    );
    check(
        r#""success_rate":">=99%""#,
        &dropped(None, 12.0),
        20.0,
        None,
    );
}

#[test]
fn goodput_takes_the_worst_of_its_limits_and_needs_all_unless_one_is_broken() {
    let goodput = r#""goodput":">=90%""#;
    // TTFT is 0.8 of its limit, TPOT half.
    check(goodput, &ended(), 20.0, Some(0.8));
    // No token yet: TTFT is broken already, TPOT is unknown.
    check(goodput, &in_flight(None, 0), 11.0, Some(1.05 / 0.5));
    check(goodput, &in_flight(None, 0), 10.4, None);
}

#[test]
fn gaps_count_by_their_share_over_the_limit() {
    let itl = gauge(r#""p90_itl":"<=0.25""#);
    // One of four gaps is longer.
    assert_eq!(itl.counts(&ended(), at(20.0), &PACE), Some((0.25, 1.0)));
    assert_eq!(itl.counts(&in_flight(Some(10.4), 5), at(20.0), &PACE), None);
    let failed = Seen {
        ending: Ending::Failed,
        ..ended()
    };
    assert_eq!(itl.counts(&failed, at(20.0), &PACE), Some((1.0, 1.0)));
    let single = RequestRecord {
        gaps: Vec::new().into(),
        ..answered()
    };
    let single = Seen {
        ending: facts(&single),
        ..ended()
    };
    assert_eq!(itl.counts(&single, at(20.0), &PACE), None);
}

#[test]
fn a_value_above_its_limit_is_one_violation() {
    let latency = gauge(r#""p99_latency":"<=2""#);
    assert_eq!(latency.counts(&ended(), at(20.0), &PACE), Some((1.0, 1.0)));
    let tpot = gauge(r#""p99_tpot":"<=0.2""#);
    assert_eq!(tpot.counts(&ended(), at(20.0), &PACE), Some((0.0, 1.0)));
}

#[test]
fn a_gauge_waits_until_its_requests_can_be_judged() {
    let horizon = |criterion: &str| gauge(criterion).horizon(&PACE);
    for (criterion, seconds) in [
        (r#""p99_ttft":"<=0.5""#, 0.5),
        (r#""p99_tpot":"<=0.2""#, 2.0),
        (r#""p99_latency":"<=3""#, 1.0),
        (r#""avg_ttft":"<=0.5""#, 1.5),
        (r#""avg_latency":"<=3""#, 4.0),
        (r#""success_rate":">=99%""#, 2.0),
        (r#""goodput":">=90%""#, 2.0),
    ] {
        assert!((horizon(criterion) - seconds).abs() < 1e-9, "{criterion}");
    }
    let wait = |criterion: &str| gauge(criterion).longest_wait();
    assert!((wait(r#""p99_latency":"<=3""#) - 3.0).abs() < 1e-9);
    assert!((wait(r#""p99_tpot":"<=0.2""#)).abs() < 1e-9);
}

#[test]
fn throughputs_are_no_matter_of_single_requests() {
    let groups = parse_groups(r#"[{"rps":">=3"}]"#, None).unwrap();
    assert_eq!(Gauge::new(groups[0].criteria[0], &Slo::default()), None);
}

#[test]
fn a_failed_record_is_kept_as_a_failure_and_a_cancelled_one_as_given_up() {
    let with = |kind| RequestRecord {
        failure: Some(Failure {
            kind,
            text: String::new(),
        }),
        ..answered()
    };
    assert_eq!(facts(&with(FailureKind::ServerError)), Ending::Failed);
    assert_eq!(
        facts(&with(FailureKind::Cancelled)),
        Ending::Dropped(at(12.4))
    );
    let Ending::Success(Facts { latency, tpot, .. }) = facts(&answered()) else {
        panic!("it succeeded");
    };
    assert!((latency - 2.4).abs() < 1e-9 && (tpot.unwrap() - 0.1).abs() < 1e-9);
}
