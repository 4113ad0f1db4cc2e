//! What came and was in flight in each second, and the most of both.
//!
//! Counts; which requests count and how is the caller's to say.

use super::{Counting, Row};

/// A second of a run. Seconds begin at the earliest start of a success.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Second {
    /// Output tokens (events, counted by events) of successes that came in it.
    pub output: u64,
    /// Mean number of requests in flight, failed ones too; counted by events, the number of successes that were in
    /// flight at some moment of it.
    pub concurrency: f64,
}

/// The seconds of a run from its first to the last in which something came or was in flight; none without successes.
pub fn seconds(rows: &[Row], counting: Counting) -> Vec<Second> {
    let Some(origin) = earliest_start(rows) else {
        return Vec::new();
    };
    let mut seconds = Vec::new();
    for arrived in successes(rows).flat_map(|row| row.arrived(counting)) {
        at(&mut seconds, whole_seconds(arrived.at_s - origin)).output += arrived.tokens;
    }
    match counting {
        Counting::Tokens => {
            let spans = rows.iter().map(|row| (row.start_s, row.end_s));
            spans.for_each(|(from, to)| cover(&mut seconds, from - origin, to - origin));
        }
        Counting::Events => {
            for row in successes(rows) {
                let last = whole_seconds(row.served_s() - origin);
                (whole_seconds(row.start_s - origin)..=last)
                    .for_each(|second| at(&mut seconds, second).concurrency += 1.0);
            }
        }
    }
    seconds
}

/// A second, and all before it.
fn at(seconds: &mut Vec<Second>, second: usize) -> &mut Second {
    if seconds.len() <= second {
        seconds.resize(second + 1, Second::default());
    }
    &mut seconds[second]
}

/// Adds to each second how long of it a request was in flight.
fn cover(seconds: &mut Vec<Second>, from_s: f64, to_s: f64) {
    let mut from_s = from_s.max(0.0);
    while from_s < to_s {
        let second = whole_seconds(from_s);
        let until_s = to_s.min((second + 1) as f64);
        at(seconds, second).concurrency += until_s - from_s;
        from_s = until_s;
    }
}

/// Most output tokens, or events, of the successes in any second.
pub(super) fn peak_output_per_s(rows: &[Row], counting: Counting) -> f64 {
    let seconds = seconds(rows, counting).into_iter();
    seconds.map(|second| second.output).max().unwrap_or(0) as f64
}

/// Counted by tokens: the highest number of requests in flight at one moment, failed ones too; a request is in flight
/// from its start up to, but not including, its end. Counted by events: the highest number of successes that were in
/// flight at some moment of the same second, which is more than were ever in flight together.
pub(super) fn peak_concurrency(rows: &[Row], counting: Counting) -> u64 {
    let numbers: Vec<u64> = match counting {
        Counting::Tokens => in_flight(rows.iter().map(|row| (row.start_s, row.end_s)))
            .into_iter()
            .map(|(_, number)| number)
            .collect(),
        Counting::Events => seconds(rows, counting)
            .into_iter()
            .map(|second| second.concurrency as u64)
            .collect(),
    };
    numbers.into_iter().max().unwrap_or(0)
}

/// How the number in flight goes: each moment at which it changes, with the number from then on.
pub(super) fn in_flight(spans: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, u64)> {
    let mut steps: Vec<(f64, i64)> = spans
        .map(|(start, end)| (snapped(start), snapped(end)))
        .filter(|(start, end)| start < end)
        .flat_map(|(start, end)| [(start, 1), (end, -1)])
        .collect();
    // An end comes before a start at the same moment.
    steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut number = 0_i64;
    steps
        .into_iter()
        .map(|(at, step)| {
            number += step;
            (at, number as u64)
        })
        .collect()
}

/// To whole nanoseconds: a sum of a start and a latency is not quite the moment at which the next request started.
fn snapped(at_s: f64) -> f64 {
    (at_s * 1e9).round() / 1e9
}

fn successes(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.succeeded)
}

fn earliest_start(rows: &[Row]) -> Option<f64> {
    successes(rows)
        .map(|row| row.start_s)
        .min_by(f64::total_cmp)
}

/// Seconds that have passed whole.
fn whole_seconds(span_s: f64) -> usize {
    span_s.floor() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn row(start_s: f64, latency_s: f64) -> Row {
        Row {
            start_s,
            latency_s,
            ttft_s: latency_s,
            end_s: start_s + latency_s,
            output_tokens: 1,
            succeeded: true,
            ..Row::default()
        }
    }

    fn failed(start_s: f64, latency_s: f64) -> Row {
        Row {
            succeeded: false,
            ..row(start_s, latency_s)
        }
    }

    #[test]
    fn eight_slots_with_short_requests_are_eight_and_not_as_many_as_they_serve_in_a_second() {
        // Requests of 0.1 s follow each other in 8 slots.
        let rows: Vec<_> = (0..240)
            .map(|index| row(f64::from(index / 8) * 0.125, 0.1))
            .collect();
        assert_eq!(peak_concurrency(&rows, Counting::Tokens), 8);
        assert_eq!(peak_concurrency(&rows, Counting::Events), 64);
    }

    #[test]
    fn a_request_that_starts_when_another_ends_is_not_beside_it() {
        let rows = [row(0.0, 1.0), row(1.0, 1.0), row(1.5, 0.0)];
        assert_eq!(peak_concurrency(&rows, Counting::Tokens), 1);
    }

    #[test]
    fn sums_that_are_off_by_a_rounding_are_the_same_moment() {
        // 0.1 + 0.2 is above 0.3.
        let rows = [row(0.1, 0.2), row(0.3, 0.1)];
        assert_eq!(peak_concurrency(&rows, Counting::Tokens), 1);
    }

    #[test]
    fn a_failed_request_is_in_flight_until_it_fails() {
        let rows = [row(5.0, 1.0), failed(5.5, 2.0), failed(5.75, 0.25)];
        assert_eq!(peak_concurrency(&rows, Counting::Tokens), 3);
        assert_eq!(peak_concurrency(&rows, Counting::Events), 1);
    }

    #[test]
    fn seconds_begin_at_the_earliest_start() {
        let rows = [row(7.5, 0.75), row(7.75, 0.5), row(8.0, 0.75)];
        // First tokens at 8.25, 8.25 and 8.75: after 0.75, 0.75 and 1.25 s.
        for (counting, expected) in [(Counting::Tokens, 2.0), (Counting::Events, 2.0)] {
            assert!((peak_output_per_s(&rows, counting) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_second_holds_the_mean_number_in_flight_and_what_came_in_it() {
        let rows = [row(10.5, 1.0), row(11.0, 2.25), failed(10.0, 1.25)];
        // From 10.5 on: 1 s and 0.5 s, and 0.75 s of the failed one; then 1 s, then 0.75 s.
        let second = |output, concurrency| Second {
            output,
            concurrency,
        };
        let expected = [second(0, 2.25), second(1, 1.0), second(1, 0.75)];
        assert_eq!(seconds(&rows, Counting::Tokens), expected);
        let touched = [second(0, 2.0), second(1, 2.0), second(1, 1.0)];
        assert_eq!(seconds(&rows, Counting::Events), touched);
    }

    #[test]
    fn without_successes_there_is_no_peak() {
        let rows = [failed(1.0, 0.0)];
        for counting in [Counting::Tokens, Counting::Events] {
            assert_eq!(peak_concurrency(&rows, counting), 0);
            assert!(peak_output_per_s(&rows, counting).abs() < 1e-12);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_peak_is_the_number_in_flight_at_some_start(
            spans in proptest::collection::vec((0..40_u32, 1..20_u32), 1..40),
        ) {
            let rows: Vec<_> = spans
                .iter()
                .map(|&(start, length)| row(f64::from(start) / 4.0, f64::from(length) / 4.0))
                .collect();
            let beside = |at: u32| {
                let covers = |&&(start, length): &&(u32, u32)| start <= at && at < start + length;
                spans.iter().filter(covers).count() as u64
            };
            let expected = spans.iter().map(|&(start, _)| beside(start)).max().unwrap();
            let found = peak_concurrency(&rows, Counting::Tokens);
            prop_assert_eq!(found, expected);
            prop_assert!(found <= peak_concurrency(&rows, Counting::Events));
        }
    }
}
