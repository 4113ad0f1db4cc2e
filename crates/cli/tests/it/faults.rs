//! Every fault of the simulated engine, end to end: each kind's failure kind, and what else it must and must not do.
//!
//! Judges classification and counts, not times, but for the lower bounds that a fault itself sets.

mod ledger;

use crestline_sim::fault::FaultKind;
use serde_json::json;

use ledger::{Load, Outcome, Row, TOKENS};

/// What becomes of a request that is not lost on its way: failure kind and HTTP status; no kind is success.
pub(crate) type Fate = (Option<&'static str>, Option<i64>);

/// Where a request ends up for whose last attempt the truth names this fault.
fn fate(fault: Option<FaultKind>) -> Fate {
    let Some(fault) = fault else {
        return (None, Some(200));
    };
    match fault {
        FaultKind::Http500 => (Some("server_error"), Some(500)),
        FaultKind::Http429 => (Some("rate_limited"), Some(429)),
        FaultKind::Reset => (Some("connection_closed"), None),
        FaultKind::ResetMidStream => (Some("cut_mid_stream"), Some(200)),
        FaultKind::Stall => (Some("read_timeout"), Some(200)),
        FaultKind::TruncatedJson | FaultKind::MalformedSse => (Some("malformed_json"), Some(200)),
        FaultKind::ErrorInStream => (Some("error_in_body"), Some(200)),
        // Befalls those that connect meanwhile.
        FaultKind::Refuse
        | FaultKind::SlowHeaders
        | FaultKind::MissingUsage
        | FaultKind::MergedChunks
        | FaultKind::OddCuts
        | FaultKind::SilentClose => (None, Some(200)),
    }
}

/// A run in which one fault in twenty requests makes each of them fail, with this text.
fn check_failing(fault: FaultKind, text: &str) -> Outcome {
    let outcome = Load::closed(&format!("{fault}=0.05")).run();
    let struck = outcome.struck(fault);
    assert!((10..=50).contains(&struck.len()), "{}", struck.len());
    assert_eq!(outcome.summary["Failed Requests"], struck.len());
    for row in struck {
        let told = row.text.as_deref().unwrap();
        assert!(told.contains(text), "{told}");
    }
    outcome
}

/// A run in which one fault in twenty requests makes none of them fail.
fn check_harmless(fault: FaultKind, parameter: &str) -> Outcome {
    let outcome = Load::closed(&format!("{fault}=0.05{parameter}")).run();
    let times = outcome.times(fault);
    assert!((10..=50).contains(&times), "{times}");
    assert_eq!(outcome.summary["Failed Requests"], 0);
    outcome
}

#[test]
fn status_500_is_a_server_error() {
    check_failing(FaultKind::Http500, "HTTP 500: {");
}

#[test]
fn status_429_is_a_rate_limit_with_its_retry_after() {
    check_failing(FaultKind::Http429, "HTTP 429 (retry after 1)");
}

#[test]
fn a_refused_connection_is_refused_and_the_request_before_it_is_answered() {
    let outcome = Load::closed("refuse=0.05").run();
    assert!(outcome.times(FaultKind::Refuse) > 0);
    assert!(outcome.unheard() > 0);
    assert_eq!(outcome.summary["Failed Requests"], outcome.unheard());
    let refused = &outcome.summary["crestline_failures"]["connect_refused"];
    assert!(refused.as_u64().unwrap() > 0);
}

#[test]
fn a_reset_before_the_response_is_sent_again_once_on_a_new_connection() {
    let outcome = Load::closed("reset=0.05").run();
    let resets = outcome.times(FaultKind::Reset);
    assert!((10..=50).contains(&resets), "{resets}");
    let saved = outcome
        .rows
        .iter()
        .filter(|row| row.success && row.reconnects == 1);
    assert!(saved.count() > 0);
    let twice = outcome.struck(FaultKind::Reset);
    assert_eq!(outcome.summary["Failed Requests"], twice.len());
    assert_eq!(outcome.reconnects() + twice.len(), resets);
}

#[test]
fn a_reset_on_a_fresh_connection_is_a_failure_and_never_sent_again() {
    let load = Load {
        flags: "--headers Connection=close",
        ..Load::closed("reset=0.05")
    };
    let outcome = load.run();
    let resets = outcome.times(FaultKind::Reset);
    assert!((10..=50).contains(&resets), "{resets}");
    assert_eq!(outcome.reconnects(), 0);
    assert_eq!(
        outcome.summary["crestline_failures"],
        json!({"connection_closed": resets})
    );
}

#[test]
fn a_reset_inside_the_answer_is_a_cut() {
    let outcome = check_failing(FaultKind::ResetMidStream, "inside the response");
    for row in outcome.struck(FaultKind::ResetMidStream) {
        assert_eq!(row.chunks, TOKENS / 2, "what arrived is kept: {row:?}");
    }
}

#[test]
fn a_stall_is_a_read_time_out() {
    let load = Load {
        flags: "--read-timeout 2",
        ..Load::closed("stall=0.05")
    };
    let outcome = load.run();
    let struck = outcome.struck(FaultKind::Stall);
    assert!((10..=50).contains(&struck.len()), "{}", struck.len());
    assert_eq!(outcome.summary["Failed Requests"], struck.len());
    for row in struck {
        assert!(
            row.end - row.first_token.unwrap() >= 2_000_000_000,
            "{row:?}"
        );
        assert_eq!(row.chunks, TOKENS / 2, "{row:?}");
    }
}

#[test]
fn a_stall_is_a_total_time_out_where_only_the_whole_time_is_limited() {
    let load = Load {
        flags: "--total-timeout 2",
        fate: |fault| match fault {
            Some(FaultKind::Stall) => (Some("total_timeout"), Some(200)),
            other => fate(other),
        },
        ..Load::closed("stall=0.05")
    };
    let outcome = load.run();
    assert!(outcome.times(FaultKind::Stall) >= 10);
    for row in outcome.struck(FaultKind::Stall) {
        assert!(row.end - row.sent >= 2_000_000_000, "{row:?}");
    }
}

#[test]
fn a_stall_shorter_than_the_read_time_out_is_only_slow() {
    let load = Load {
        fate: |_| (None, Some(200)),
        ..Load::closed("stall=0.05:0.2")
    };
    let outcome = load.run();
    assert!(outcome.times(FaultKind::Stall) >= 10);
    for row in outcome.struck(FaultKind::Stall) {
        assert!(row.end - row.sent >= 200_000_000, "{row:?}");
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_only_slow() {
    let outcome = check_harmless(FaultKind::SlowHeaders, ":0.3");
    let struck = outcome.struck(FaultKind::SlowHeaders);
    for row in &struck {
        let first_token = row.first_token.unwrap();
        assert!(first_token - row.sent >= 300_000_000, "{row:?}");
    }
    let head = |row: &&Row| row.first_token.unwrap() - row.first_byte.unwrap();
    assert!(struck.iter().map(head).any(|time| time >= 200_000_000));
}

#[test]
fn an_event_that_ends_inside_its_json_is_malformed() {
    check_failing(FaultKind::TruncatedJson, "not the JSON of a completion");
}

#[test]
fn an_event_run_into_bytes_that_are_no_text_is_malformed() {
    check_failing(FaultKind::MalformedSse, "not UTF-8");
}

#[test]
fn an_error_object_inside_a_good_stream_is_a_failure() {
    check_failing(
        FaultKind::ErrorInStream,
        "the engine failed on this request",
    );
}

#[test]
fn without_usage_the_tokenizer_counts() {
    let outcome = check_harmless(FaultKind::MissingUsage, "");
    let times = outcome.times(FaultKind::MissingUsage);
    let sources = json!({"usage": 500 - times, "tokenizer": times});
    assert_eq!(outcome.summary["crestline_output_token_sources"], sources);
}

#[test]
fn several_tokens_in_an_event_are_counted_by_usage() {
    check_harmless(FaultKind::MergedChunks, "");
}

#[test]
fn events_cut_at_odd_bytes_are_whole() {
    check_harmless(FaultKind::OddCuts, "");
}

#[test]
fn a_kept_connection_closed_in_silence_costs_a_reconnect_and_no_request() {
    let outcome = check_harmless(FaultKind::SilentClose, "");
    // A connection that is found closed before it is written to, or not used again, costs none.
    let closed = outcome.times(FaultKind::SilentClose);
    assert!((1..=closed).contains(&outcome.reconnects()));
}

/// 1000 requests, each kind of fault at one in fifty.
fn mixed(flags: &'static str) -> Load {
    let parameter = |kind| match kind {
        FaultKind::Refuse => ":0.001",
        FaultKind::SlowHeaders => ":0.3",
        _ => "",
    };
    let faults = FaultKind::ALL.map(|kind| format!("{kind}=0.02{}", parameter(kind)));
    Load {
        number: 1000,
        flags,
        ..Load::closed(&faults.join(" "))
    }
}

/// Runs it, and checks that each of these kinds strikes.
fn check_mixed(load: &Load, kinds: impl Fn(&FaultKind) -> bool) {
    let outcome = load.run();
    for kind in FaultKind::ALL.into_iter().filter(kinds) {
        assert!(outcome.times(kind) > 0, "{kind}");
    }
    assert!(outcome.rows.iter().any(|row| row.success));
}

#[test]
fn all_faults_at_once_are_told_apart() {
    check_mixed(&mixed("--read-timeout 2"), |_| true);
}

#[test]
fn all_faults_at_once_are_told_apart_in_answers_that_are_not_streamed() {
    let load = mixed("--read-timeout 2 --no-stream");
    check_mixed(&load, |kind| kind.befalls_whole_answers());
}

#[test]
fn all_faults_at_once_are_told_apart_when_requests_come_at_their_own_times() {
    let load = Load {
        pace: "--open-loop --rate 400",
        path: "/completions",
        ..mixed("--read-timeout 2")
    };
    check_mixed(&load, |_| true);
}

/// A run whose answers are not streamed. Checks that the fault strikes where it can.
fn check_whole(kind: FaultKind, parameter: &str) {
    let load = Load {
        flags: "--no-stream --read-timeout 2",
        ..Load::closed(&format!("{kind}=0.05{parameter}"))
    };
    let outcome = load.run();
    assert!(outcome.rows.iter().all(|row| !row.streamed));
    let strikes = outcome.times(kind) > 0;
    assert_eq!(strikes, kind.befalls_whole_answers(), "{kind}");
}

#[test]
fn each_fault_has_the_same_failure_kind_where_the_answer_is_not_streamed() {
    let waits = |kind: &FaultKind| matches!(kind, FaultKind::Stall | FaultKind::SlowHeaders);
    for kind in FaultKind::ALL.into_iter().filter(|kind| !waits(kind)) {
        check_whole(kind, "");
    }
}

#[test]
fn faults_that_make_wait_are_the_same_where_the_answer_is_not_streamed() {
    check_whole(FaultKind::SlowHeaders, ":0.3");
    check_whole(FaultKind::Stall, "");
}

/// Texts of 30 answers that came one after the other.
fn answers(faults: &str) -> Vec<String> {
    let load = Load {
        number: 30,
        pace: "--parallel 1",
        ..Load::closed(faults)
    };
    let outcome = load.run();
    let answer = |row: &Row| row.answer.clone().unwrap();
    outcome.rows.iter().map(answer).collect()
}

#[test]
fn faults_that_harm_nothing_change_no_letter_of_an_answer() {
    let faultless = answers("");
    assert!(faultless[0].len() > 60, "{}", faultless[0]);
    for faults in [
        "odd-cuts=0.9",
        "merged-chunks=0.9",
        "slow-headers=0.9:0.01",
        "missing-usage=0.9",
        "silent-close=0.9",
    ] {
        assert_eq!(answers(faults), faultless, "{faults}");
    }
}

/// Which of 60 requests, one after the other, are struck.
fn struck(seed: u64) -> Vec<bool> {
    let load = Load {
        number: 60,
        pace: "--parallel 1",
        seed,
        ..Load::closed("http-500=0.3")
    };
    let outcome = load.run();
    outcome.rows.iter().map(|row| !row.success).collect()
}

#[test]
fn a_seed_decides_which_requests_are_struck() {
    let first = struck(11);
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(struck(11), first);
    assert_ne!(struck(13), first);
}
