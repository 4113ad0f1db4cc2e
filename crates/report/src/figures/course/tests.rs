//! Figures of a course: what is drawn of a digest.

use crestline_core::digest::{Digest, Limits, Window};
use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;

use proptest::prelude::*;

use super::*;
use crate::figures::within::check;

/// `index` tenths of a second after the start, with a stall in the middle.
fn record(index: u64) -> RequestRecord {
    let sent = Nanos::from_millis(index * 100);
    let slow = if (500..520).contains(&index) { 40 } else { 1 };
    let first = sent + Nanos::from_millis(50 + index % 37) * slow;
    let last = first + Nanos::from_millis(60);
    RequestRecord {
        due: sent,
        sent,
        first_token: Some(first),
        last_token: Some(last),
        end: last + Nanos::from_millis(1),
        gaps: [20 + index % 11, 40 - index % 11]
            .map(Nanos::from_millis)
            .into_iter()
            .collect(),
        chunks: 3,
        streamed: true,
        output_tokens: Some(TokenCount {
            count: 3,
            source: TokenSource::Usage,
        }),
        ..RequestRecord::new(index, Phase::Measured)
    }
}

fn course(records: &[RequestRecord]) -> Course {
    let last = records.iter().map(|record| record.end).max().unwrap();
    let window = Window::of(Nanos::ZERO, last, records.len() as u64);
    let mut digest = Digest::new(window, Limits::default());
    for record in records {
        digest.add(record);
    }
    digest.course
}

fn failure() -> Failure {
    Failure {
        kind: FailureKind::ServerError,
        text: String::new(),
    }
}

fn count(svg: &str, element: &str) -> usize {
    svg.matches(element).count()
}

#[test]
fn each_time_has_a_part_with_its_quantiles_and_extremes() {
    let records: Vec<RequestRecord> = (0..1200).map(record).collect();
    let svg = course_times("m on sim", &course(&records)).unwrap().svg();
    check(&svg);
    // Three parts, of which that of gaps is parted by the stall; and the key.
    for line in [
        "line-0",
        "line-1 weight-2",
        "line-3 weight-2",
        "line-5 weight-2",
    ] {
        assert_eq!(
            count(&svg, &format!(r#"<polyline class="{line}""#)),
            4 + 1,
            "{line}"
        );
    }
    assert_eq!(count(&svg, r#"<polygon class="band-0""#), 4);
    for words in [
        "m on sim · each point is of 1 s",
        ">TTFT (ms)<",
        ">ITL (ms)<",
        ">Latency (ms)<",
        ">99th percentile<",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    // A stall of forty times the usual: on an axis of ratios both can be read.
    assert!(svg.contains(">100<") && svg.contains(">3000<"), "{svg}");
}

#[test]
fn a_part_without_values_is_a_gap_in_the_line() {
    let mut records: Vec<RequestRecord> = (0..400).map(record).collect();
    records.extend((800..1200).map(record));
    let svg = course_times("", &course(&records)).unwrap().svg();
    check(&svg);
    assert_eq!(count(&svg, r#"<polyline class="line-0""#), 3 * 2 + 1);
    assert_eq!(count(&svg, r#"<polygon class="band-0""#), 3 * 2);
}

#[test]
fn waiting_before_a_request_is_sent_has_parts_of_its_own() {
    let waited = |index| RequestRecord {
        due: record(index).sent.saturating_sub(Nanos::from_secs(3)),
        ..record(index)
    };
    let records: Vec<RequestRecord> = (0..300).map(waited).collect();
    let svg = course_times("", &course(&records)).unwrap().svg();
    assert!(svg.contains(">TTFT from due (s)<") && svg.contains(">Latency from due (s)<"));
    let never: Vec<RequestRecord> = (0..300).map(record).collect();
    let svg = course_times("", &course(&never)).unwrap().svg();
    assert!(!svg.contains("from due"));
}

#[test]
fn a_run_without_a_success_has_rates_and_no_times() {
    let failed = |index| RequestRecord {
        failure: Some(failure()),
        ..record(index)
    };
    let course = course(&(0..50).map(failed).collect::<Vec<_>>());
    assert_eq!(course_times("", &course), None);
    let svg = course_rates("", &course).svg();
    check(&svg);
    assert!(svg.contains(">failed</text>"));
    assert_eq!(count(&svg, r#"<polyline class="line-3""#), 1 + 1);
}

#[test]
fn rates_have_requests_tokens_and_what_is_in_flight() {
    let records: Vec<RequestRecord> = (0..1200).map(record).collect();
    let svg = course_rates("m", &course(&records)).svg();
    check(&svg);
    for (line, lines) in [
        ("line-0", 2),
        ("line-2", 2),
        ("line-4", 2),
        ("line-1", 2),
        ("line-3", 0),
    ] {
        assert_eq!(
            count(&svg, &format!(r#"<polyline class="{line}""#)),
            lines,
            "{line}"
        );
    }
    assert!(svg.contains(">Tokens/s<") && svg.contains(">Time since the first request (min:s)<"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_leaves_the_figures_whatever_a_run_was(
        times in proptest::collection::vec((0..u64::MAX >> 1, 0..40_u32, 0..40_u32, any::<bool>()), 1..40),
        scale in 0..63_u32,
    ) {
        let odd = |(index, (sent, first, last, good)): (u64, (u64, u32, u32, bool))| {
            let sent = Nanos(sent >> scale);
            let first = sent.saturating_add(Nanos(1 << first));
            let last = first.saturating_add(Nanos(1 << last));
            RequestRecord {
                sent,
                first_token: Some(first),
                last_token: Some(last),
                end: last,
                gaps: [last.saturating_sub(first)].into_iter().collect(),
                failure: (!good).then(failure),
                ..record(index)
            }
        };
        let records: Vec<RequestRecord> = (0..).zip(times).map(odd).collect();
        let course = course(&records);
        check(&course_rates("any", &course).svg());
        if let Some(picture) = course_times("any", &course) {
            check(&picture.svg());
        }
    }
}
