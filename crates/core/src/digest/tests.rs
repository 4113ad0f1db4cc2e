//! Tests of the digest: hand-computed courses, merging in any order, what is kept of many requests.

use std::num::NonZeroU32;

use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::metrics::Metric;
use crate::record::{Failure, FailureKind, Gaps, TokenCount, TokenSource};
use crate::request::{Load, LoadPoint};
use crate::summary::RunSummary;
use crate::units::Nanos;

pub(super) fn point() -> LoadPoint {
    LoadPoint {
        load: Load::closed(NonZeroU32::MIN),
        requests: 10,
        warmup: 0,
        duration: None,
    }
}

fn tokens(count: u32) -> TokenCount {
    TokenCount {
        count,
        source: TokenSource::Usage,
    }
}

/// Sent at `index` seconds; first token after 100 ms, then two more, 250 ms apart; three events with four tokens.
pub(super) fn success(index: u64) -> RequestRecord {
    let sent = Nanos::from_secs(index);
    let first = sent + Nanos::from_millis(100);
    RequestRecord {
        due: sent.saturating_sub(Nanos::from_millis(20)),
        sent,
        first_token: Some(first),
        last_token: Some(first + Nanos::from_millis(500)),
        end: first + Nanos::from_millis(510),
        gaps: [Nanos::from_millis(250); 2].into_iter().collect(),
        chunks: 3,
        streamed: true,
        prompt_tokens: Some(tokens(50)),
        output_tokens: Some(tokens(4)),
        request_id: format!("r-{index}"),
        ..RequestRecord::new(index, Phase::Measured)
    }
}

fn failed(index: u64, text: &str) -> RequestRecord {
    RequestRecord {
        failure: Some(Failure {
            kind: FailureKind::ServerError,
            text: text.to_owned(),
        }),
        first_token: None,
        output_tokens: None,
        gaps: Gaps::default(),
        ..success(index)
    }
}

fn window_of(records: &[RequestRecord]) -> Window {
    let first = records.iter().map(|record| record.sent).min();
    let last = records.iter().map(|record| record.end).max();
    Window::of(
        first.unwrap_or_default(),
        last.unwrap_or_default(),
        records.len() as u64,
    )
}

fn digest(records: &[RequestRecord], window: Window, limits: Limits) -> Digest {
    let mut digest = Digest::new(window, limits);
    for record in records {
        digest.add(record);
    }
    digest
}

const FEW: Limits = Limits {
    rows: 5,
    waterfalls: 3,
    extremes: 2,
    failures: 2,
};

#[test]
fn a_course_has_times_by_sending_gaps_by_arrival_and_the_mean_in_flight() {
    // 24 bins of half a second: requests go on into the next.
    let records: Vec<RequestRecord> = (0..12).map(success).collect();
    let window = Window::of(Nanos::ZERO, Nanos::from_secs(12), 12);
    assert_eq!(
        (window.bins(), window.width()),
        (24, Nanos::from_millis(500))
    );
    let points = digest(&records, window, Limits::default()).course.points();
    let [even, odd] = [&points[6], &points[7]];
    assert_eq!((even.sent, even.succeeded), (1, 0));
    assert_eq!((odd.sent, odd.succeeded), (0, 1));
    // Events at 100, 350 and 600 ms bring one token, one and two.
    assert_eq!((even.output_tokens, odd.output_tokens), (2, 2));
    assert!((even.in_flight - 1.0).abs() < 1e-12 && (odd.in_flight - 0.22).abs() < 1e-9);
    let ttft = even.spread(Metric::Ttft).unwrap();
    assert_eq!((ttft.count, ttft.min_s, ttft.max_s), (1, 0.1, 0.1));
    assert!((even.spread(Metric::TtftFromDue).unwrap().max_s - 0.12).abs() < 1e-12);
    assert!(odd.spread(Metric::Ttft).is_none() && odd.spread(Metric::Tpot).is_none());
    let gaps = [even, odd].map(|point| point.spread(Metric::Itl).unwrap().count);
    assert_eq!(gaps, [1, 1]);
    assert!((even.per_second(even.sent) - 2.0).abs() < 1e-12);
}

#[test]
fn failures_have_a_count_their_span_and_the_texts_that_came_first() {
    let texts = ["d", "a", "b", "a", "c", ""];
    let records: Vec<RequestRecord> = (0..)
        .zip(texts)
        .map(|(at, text)| failed(at, text))
        .collect();
    let digest = digest(&records, window_of(&records), Limits::default());
    let kinds: Vec<_> = digest.failures.kinds().collect();
    let [(kind, facts)] = kinds[..] else {
        panic!("{kinds:?}")
    };
    assert_eq!((kind, facts.count), (FailureKind::ServerError, 6));
    assert_eq!((facts.first, facts.last), (records[0].end, records[5].end));
    assert_eq!(facts.texts(), ["d", "a", "b"]);
    let points = digest.course.points();
    assert_eq!(points.iter().map(|point| point.failed).sum::<u64>(), 6);
    assert!(
        points
            .iter()
            .all(|point| point.spread(Metric::Latency).is_none())
    );
}

#[test]
fn long_texts_of_failures_are_shortened() {
    let records = [failed(0, &"é".repeat(5000))];
    let digest = digest(&records, window_of(&records), Limits::default());
    let (_, facts) = digest.failures.kinds().next().unwrap();
    assert_eq!(facts.texts()[0].chars().count(), 401);
}

#[test]
fn all_requests_are_kept_up_to_the_limit() {
    let records: Vec<RequestRecord> = (0..200).map(success).collect();
    let digest = digest(&records, window_of(&records), Limits::default());
    let rows = digest.requests.rows();
    let indices: Vec<u64> = rows.iter().map(|row| row.index).collect();
    assert_eq!(indices, (0..200).collect::<Vec<_>>());
    assert_eq!(digest.requests.total(), 200);
    assert_eq!(digest.requests.waterfalls().len(), 200);
    assert_eq!(rows[3], RequestRow::from(&records[3]));
}

#[test]
fn beyond_it_the_sample_is_spread_and_the_extremes_are_there() {
    let mut records: Vec<RequestRecord> = (0..1000).map(success).collect();
    records[300].first_token = Some(records[300].sent + Nanos::from_millis(550));
    records[301].end = records[301].sent + Nanos::from_secs(5);
    records[302].end = records[302].sent + Nanos::from_millis(1);
    records[303].gaps = [Nanos::from_secs(3)].into_iter().collect();
    records[304] = failed(304, "x");
    let digest = digest(&records, window_of(&records), FEW);
    let requests = &digest.requests;
    assert_eq!((requests.total(), requests.failed()), (1000, 1));
    let rows = requests.rows();
    assert!(rows.len() <= 5 + 4 * 2 + 2);
    for special in 300..=304 {
        assert!(rows.iter().any(|row| row.index == special), "{special}");
        let in_waterfall = |record: &&RequestRecord| record.index == special;
        assert!(requests.waterfalls().iter().any(in_waterfall), "{special}");
    }
    let first = |which| requests.extremes(which)[0].index;
    assert_eq!(Extreme::ALL.map(first), [300, 301, 303, 302]);
    let sampled: Vec<u64> = rows.iter().map(|row| row.index).collect();
    assert!(sampled.iter().any(|index| *index < 300) && sampled.iter().any(|index| *index > 400));
}

#[test]
fn lengths_got_are_those_of_successes() {
    let mut records: Vec<RequestRecord> = (0..10).map(success).collect();
    records.push(failed(10, ""));
    records[3].output_tokens = Some(tokens(7));
    for (index, asked) in [(0, 4), (1, 3), (2, 8), (10, 9)] {
        records[index].asked_output = Some(asked);
    }
    let lengths = digest(&records, window_of(&records), FEW).lengths;
    assert_eq!((lengths.input.count(), lengths.output.count()), (10, 10));
    // What a failed request was asked for counts, and cannot be compared.
    assert_eq!(lengths.asked.ends(), Some([3, 9]));
    let Held { fewer, equal, more } = lengths.held;
    assert_eq!((fewer, equal, more), (1, 1, 1));
    assert_eq!(lengths.output.ends(), Some([4, 7]));
    let bins = lengths.output.bins(30);
    assert_eq!((bins.low, bins.high), (3.5, 7.5));
    assert_eq!(bins.counts, [9, 0, 0, 1]);
    assert!((bins.mean - 4.3).abs() < 1e-12);
    assert_eq!(LengthCounts::default().bins(3).counts, [0]);
}

#[test]
fn long_lengths_have_bins_that_part_no_count() {
    let records: Vec<RequestRecord> = (0..3000)
        .map(|index| RequestRecord {
            prompt_tokens: Some(tokens(5000 + index as u32)),
            ..success(index)
        })
        .collect();
    let lengths = digest(&records, window_of(&records), FEW).lengths;
    let bins = lengths.input.bins(40);
    // 3000 lengths in steps of 4: 76 a bin, so that equal shares have equal bars.
    assert_eq!((bins.low, bins.counts.len()), (4999.5, 40));
    assert!(
        bins.counts[..39].iter().all(|count| *count == 76),
        "{:?}",
        bins.counts
    );
    let [input, output] = LengthCounts::bins_together([&lengths.input, &lengths.output], 10);
    assert_eq!((input.low, input.high), (output.low, output.high));
    assert_eq!(output.counts[0], 3000);
}

/// A request of any kind within twenty seconds.
fn any_request() -> impl Strategy<Value = RequestRecord> {
    let times = (0..20_000_u64, 0..3_000_u64, 0..5_000_u64);
    let gaps = proptest::collection::vec(0..900_u64, 0..8);
    (0..500_u64, times, gaps, 0..9_u32, 0..6_u8).prop_map(
        |(index, (sent, first, more), gaps, count, kind)| {
            let sent = Nanos::from_millis(sent);
            let first = sent + Nanos::from_millis(first);
            let gaps: Vec<Nanos> = gaps.into_iter().map(Nanos::from_millis).collect();
            let last = first + gaps.iter().copied().sum();
            let streamed = kind != 1;
            RequestRecord {
                failure: (kind == 0).then(|| Failure {
                    kind: FailureKind::ReadTimeout,
                    text: (count % 5).to_string(),
                }),
                sent,
                due: sent.saturating_sub(Nanos::from_millis(more)),
                first_token: Some(first),
                last_token: Some(last),
                end: last + Nanos::from_millis(more),
                chunk_tokens: if kind == 2 {
                    vec![2; gaps.len() + 1]
                } else {
                    Vec::new()
                },
                output_tokens: if kind == 2 {
                    Some(tokens(2 * gaps.len() as u32 + 2))
                } else {
                    Some(tokens(count))
                },
                gaps: if streamed {
                    gaps.into()
                } else {
                    Gaps::default()
                },
                streamed,
                ..RequestRecord::new(
                    index,
                    if kind == 5 {
                        Phase::Warmup
                    } else {
                        Phase::Measured
                    },
                )
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn digests_of_parts_merge_to_that_of_the_whole_in_any_order(
        records in proptest::collection::vec(any_request(), 1..80), cuts in (0..80_usize, 0..80_usize), turned in 0..80_usize,
    ) {
        let mut records = records;
        // No two requests of a run have the same position.
        (0..).zip(&mut records).for_each(|(index, record)| record.index = index);
        let window = window_of(&records);
        let whole = digest(&records, window, FEW);
        let mut shuffled = records.clone();
        shuffled.rotate_left(turned % records.len());
        shuffled.reverse();
        let cut = cuts.0.min(cuts.1).min(records.len());
        let next = cuts.0.max(cuts.1).min(records.len());
        let [one, two, three] = [&shuffled[..cut], &shuffled[cut..next], &shuffled[next..]]
            .map(|part| digest(part, window, FEW));
        let mut merged = three;
        merged.merge(one);
        merged.merge(two);
        prop_assert_eq!(merged.requests.rows(), whole.requests.rows());
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn a_course_loses_nothing(records in proptest::collection::vec(any_request(), 1..60)) {
        let mut summary = RunSummary::new(point());
        for record in &records {
            summary.add(record);
        }
        let points = digest(&records, window_of(&records), FEW).course.points();
        let sum = |of: fn(&CoursePoint) -> u64| points.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|point| point.sent), summary.total());
        prop_assert_eq!(sum(|point| point.succeeded), summary.succeeded());
        prop_assert_eq!(sum(|point| point.failed), summary.failed());
        prop_assert_eq!(sum(|point| point.output_tokens), summary.output().tokens);
        for metric in COURSE_METRICS {
            let spreads = || points.iter().filter_map(|point| point.spread(metric));
            let sample = summary.sample(metric);
            prop_assert_eq!(spreads().map(|it| it.count).sum::<u64>(), sample.len());
            let most = spreads().map(|it| it.max_s).fold(0.0, f64::max);
            prop_assert_eq!((most * 1e9).round() as u64, sample.max().unwrap_or(0));
        }
        // The time in flight of all requests together.
        let flown: f64 = points.iter().map(|point| point.in_flight * point.seconds()).sum();
        let measured = records.iter().filter(|record| record.phase == Phase::Measured);
        let expected: f64 = measured.map(|record| record.latency().as_secs_f64()).sum();
        prop_assert!((flown - expected).abs() < 1e-6, "{flown} and not {expected}");
    }

    #[test]
    fn the_extremes_are_shown_whatever_the_sample_is(records in proptest::collection::vec(any_request(), 1..120)) {
        let mut records = records;
        (0..).zip(&mut records).for_each(|(index, record)| record.index = index);
        let requests = digest(&records, window_of(&records), FEW).requests;
        let rows = requests.rows();
        let measured = || records.iter().filter(|record| record.phase == Phase::Measured);
        let answered = || measured().filter(|record| record.succeeded());
        let slowest = answered().map(RequestRecord::latency_from_due).max();
        let shown = rows.iter().filter(|row| row.failure.is_none());
        prop_assert_eq!(shown.map(|row| row.end.saturating_sub(row.due)).max(), slowest);
        let gap = answered().filter_map(|record| record.gaps.iter().max()).max();
        let drawn = requests.waterfalls();
        let drawn = drawn.iter().filter(|record| record.succeeded());
        prop_assert_eq!(drawn.filter_map(|record| record.gaps.iter().max()).max(), gap);
        let failed = measured().any(|record| !record.succeeded());
        prop_assert_eq!(rows.iter().any(|row| row.failure.is_some()), failed);
        prop_assert!(rows.is_sorted_by_key(|row| (row.sent, row.index)));
    }

    #[test]
    fn odd_records_have_a_digest_too(
        times in proptest::collection::vec(any::<[u64; 6]>(), 1..20), requests in any::<u64>(), counts in any::<[u32; 3]>(),
    ) {
        let odd = |(index, [due, sent, first, last, end, gap]): (u64, [u64; 6])| RequestRecord {
            due: Nanos(due),
            first_token: Some(Nanos(first)),
            last_token: Some(Nanos(last)),
            end: Nanos(end),
            gaps: [Nanos(gap), Nanos(1)].into_iter().collect(),
            chunk_tokens: counts.to_vec(),
            output_tokens: Some(tokens(counts[0])),
            asked_output: Some(counts[1]),
            sent: Nanos(sent),
            ..success(index)
        };
        let records: Vec<RequestRecord> = (0..).zip(times).map(odd).collect();
        let first = records.iter().map(|record| record.sent).max().unwrap_or_default();
        let last = records.iter().map(|record| record.end).min().unwrap_or_default();
        let digest = digest(&records, Window::of(first, last, requests), FEW);
        let points = digest.course.points();
        prop_assert!(points.iter().all(|point| point.in_flight >= 0.0 && point.seconds() >= 0.0));
        let sum = |of: fn(&CoursePoint) -> u64| points.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|point| point.sent), records.len() as u64);
        let [asked, got] = LengthCounts::bins_together([&digest.lengths.asked, &digest.lengths.output], 30);
        prop_assert!(asked.counts.len() <= 30 && asked.counts.len() == got.counts.len());
        prop_assert_eq!(got.counts.iter().sum::<u64>(), records.len() as u64);
    }

    #[test]
    fn the_size_does_not_depend_on_how_many_requests_there_are(
        records in proptest::collection::vec(any_request(), 1..300),
    ) {
        let requests = digest(&records, window_of(&records), FEW).requests;
        prop_assert!(requests.rows().len() <= 5 + 4 * 2 + 2);
        prop_assert!(requests.waterfalls().len() <= 3 + 4 * 2 + 2);
        for which in Extreme::ALL {
            prop_assert!(requests.extremes(which).len() <= 2);
        }
    }
}
