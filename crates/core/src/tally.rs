//! What a load has come to so far, in counts that only ever grow: for monitoring systems that ask while it goes on.
//!
//! Much coarser than [`crate::summary::RunSummary`], and of fixed size: counts, and each time in a few dozen buckets whose
//! bounds never change, so that counts of several loads or clients can be added up. Knows no format of any such system.

use std::collections::BTreeMap;

use crate::health::never_sent;
use crate::metrics::Metric;
use crate::record::{FailureKind, Phase, RequestRecord};

/// Times that are counted in buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timing {
    /// [`Metric::Latency`] of successes.
    Latency,
    /// [`Metric::LatencyFromDue`] of successes.
    LatencyFromDue,
    /// [`Metric::Ttft`] of streamed successes.
    Ttft,
    /// [`Metric::TtftFromDue`] of streamed successes.
    TtftFromDue,
    /// [`Metric::Tpot`] of successes.
    Tpot,
    /// [`Metric::Itl`] of successes.
    Itl,
    /// [`RequestRecord::send_lag`] of the same requests as in [`crate::health::ClientHealth::send_lag`].
    SendLag,
}

/// Upper bounds of whole answers, in microseconds: doubling from 10 ms, as OpenTelemetry's conventions for generative AI
/// have them up to 82 s, and on to 11 minutes.
const WHOLE_US: [u64; 17] = [
    10_000,
    20_000,
    40_000,
    80_000,
    160_000,
    320_000,
    640_000,
    1_280_000,
    2_560_000,
    5_120_000,
    10_240_000,
    20_480_000,
    40_960_000,
    81_920_000,
    163_840_000,
    327_680_000,
    655_360_000,
];

/// Upper bounds of first tokens: those of the same conventions for first tokens up to 10 s, and on to 160 s.
const FIRST_US: [u64; 20] = [
    1_000,
    5_000,
    10_000,
    20_000,
    40_000,
    60_000,
    80_000,
    100_000,
    250_000,
    500_000,
    750_000,
    1_000_000,
    2_500_000,
    5_000_000,
    7_500_000,
    10_000_000,
    20_000_000,
    40_000_000,
    80_000_000,
    160_000_000,
];

/// Upper bounds of the times between tokens: those of the same conventions for output tokens, with finer ones below 10 ms
/// and two above 2.5 s.
const BETWEEN_US: [u64; 19] = [
    1_000, 2_500, 5_000, 7_500, 10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000,
    400_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Upper bounds of the client's own lag.
const LAG_US: [u64; 12] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
];

impl Timing {
    /// Every one of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Latency,
        Self::LatencyFromDue,
        Self::Ttft,
        Self::TtftFromDue,
        Self::Tpot,
        Self::Itl,
        Self::SendLag,
    ];

    /// Upper bounds of its buckets in microseconds, ascending; a bucket without a bound comes after them.
    pub fn bounds_us(self) -> &'static [u64] {
        match self {
            Self::Latency | Self::LatencyFromDue => &WHOLE_US,
            Self::Ttft | Self::TtftFromDue => &FIRST_US,
            Self::Tpot | Self::Itl => &BETWEEN_US,
            Self::SendLag => &LAG_US,
        }
    }

    /// The metric that it counts; the client's own lag is none.
    pub fn metric(self) -> Option<Metric> {
        Some(match self {
            Self::Latency => Metric::Latency,
            Self::LatencyFromDue => Metric::LatencyFromDue,
            Self::Ttft => Metric::Ttft,
            Self::TtftFromDue => Metric::TtftFromDue,
            Self::Tpot => Metric::Tpot,
            Self::Itl => Metric::Itl,
            Self::SendLag => return None,
        })
    }

    fn is_of_streams(self) -> bool {
        matches!(self, Self::Ttft | Self::TtftFromDue)
    }
}

/// Upper bounds of lengths in tokens: those of the same conventions, to the last that a context can be long.
pub const TOKENS: [u64; 11] = [
    1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576,
];

/// Nanoseconds in the unit of the bounds of times.
const NS_IN_US: u64 = 1_000;

/// Values in buckets of fixed bounds: nanoseconds, or tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    bounds: &'static [u64],
    /// Values in one unit of the bounds.
    unit: u64,
    counts: Vec<u64>,
    sum: u128,
}

impl Buckets {
    fn new(bounds: &'static [u64], unit: u64) -> Self {
        Self {
            bounds,
            unit,
            counts: vec![0; bounds.len() + 1],
            sum: 0,
        }
    }

    /// Counts a value; one that is equal to a bound is below it.
    fn add(&mut self, value: u64) {
        let unit = self.unit;
        let bucket = self.bounds.partition_point(|bound| bound * unit < value);
        self.counts[bucket] += 1;
        self.sum += u128::from(value);
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    /// Values in each bucket, not added up; the last has no upper bound.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of times in seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum as f64 / 1e9
    }

    /// Their sum in nanoseconds or tokens, exact.
    pub fn sum(&self) -> u128 {
        self.sum
    }
}

/// Counts of the requests that have ended. Those of the warm-up are counted, and are in nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Requests of the warm-up that have ended, however they did.
    pub warmup: u64,
    /// Counted requests that ended well.
    pub succeeded: u64,
    /// Counted requests that did not, by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Prompt tokens of successes, where they are known: one value a request.
    pub prompt_tokens: Buckets,
    /// Answer tokens of successes.
    pub output_tokens: Buckets,
    timings: [Buckets; 7],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            warmup: 0,
            succeeded: 0,
            failures: BTreeMap::new(),
            prompt_tokens: Buckets::new(&TOKENS, 1),
            output_tokens: Buckets::new(&TOKENS, 1),
            timings: Timing::ALL.map(|timing| Buckets::new(timing.bounds_us(), NS_IN_US)),
        }
    }
}

impl Tally {
    /// Counts a request that has ended.
    pub fn add(&mut self, record: &RequestRecord) {
        if record.phase == Phase::Warmup {
            self.warmup += 1;
            return;
        }
        if record.reconnects == 0 && !never_sent(record) {
            self.timings[Timing::SendLag as usize].add(record.send_lag().0);
        }
        if let Some(failure) = &record.failure {
            *self.failures.entry(failure.kind).or_default() += 1;
            return;
        }
        self.succeeded += 1;
        for (length, lengths) in [
            (record.prompt_tokens, &mut self.prompt_tokens),
            (record.output_tokens, &mut self.output_tokens),
        ] {
            if let Some(length) = length {
                lengths.add(u64::from(length.count));
            }
        }
        for timing in Timing::ALL {
            let metric = timing
                .metric()
                .filter(|_| record.streamed || !timing.is_of_streams());
            if let Some(ns) = metric.and_then(|metric| metric.of_request(record)) {
                self.timings[timing as usize].add(ns);
            }
        }
        if record.streamed {
            let gaps = &mut self.timings[Timing::Itl as usize];
            record.gaps.iter().for_each(|gap| gaps.add(gap.0));
        }
    }

    /// Takes over the counts of other requests.
    pub fn merge(&mut self, other: &Self) {
        self.warmup += other.warmup;
        self.succeeded += other.succeeded;
        for (kind, count) in &other.failures {
            *self.failures.entry(*kind).or_default() += count;
        }
        self.prompt_tokens.merge(&other.prompt_tokens);
        self.output_tokens.merge(&other.output_tokens);
        for (mine, theirs) in self.timings.iter_mut().zip(&other.timings) {
            mine.merge(theirs);
        }
    }

    /// Counted requests that failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// The values of a time.
    pub fn of(&self, timing: Timing) -> &Buckets {
        &self.timings[timing as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Failure, TokenCount, TokenSource};
    use crate::units::Nanos;

    fn answered(sent_ms: u64, first_ms: u64, gaps_ms: &[u64]) -> RequestRecord {
        let mut last = first_ms;
        let gaps = gaps_ms.iter().map(|gap| {
            last += gap;
            Nanos::from_millis(*gap)
        });
        let gaps = gaps.collect();
        RequestRecord {
            sent: Nanos::from_millis(sent_ms),
            first_byte: Some(Nanos::from_millis(first_ms)),
            first_token: Some(Nanos::from_millis(first_ms)),
            last_token: Some(Nanos::from_millis(last)),
            end: Nanos::from_millis(last),
            gaps,
            chunks: gaps_ms.len() as u32 + 1,
            streamed: true,
            prompt_tokens: Some(TokenCount {
                count: 5,
                source: TokenSource::Usage,
            }),
            output_tokens: Some(TokenCount {
                count: gaps_ms.len() as u32 + 1,
                source: TokenSource::Usage,
            }),
            ..RequestRecord::new(0, Phase::Measured)
        }
    }

    #[test]
    fn a_success_is_in_every_time_once_and_in_gaps_as_often_as_it_has_some() {
        let mut tally = Tally::default();
        tally.add(&answered(10, 30, &[7, 8, 9]));
        let counts = Timing::ALL.map(|timing| tally.of(timing).count());
        assert_eq!(counts, [1, 1, 1, 1, 1, 3, 1]);
        assert_eq!(tally.of(Timing::Itl).sum(), 24_000_000);
        assert_eq!(tally.of(Timing::Ttft).sum(), 20_000_000);
        assert_eq!(tally.of(Timing::TtftFromDue).sum(), 30_000_000);
        assert_eq!(
            (tally.prompt_tokens.sum(), tally.output_tokens.sum()),
            (5, 4)
        );
    }

    #[test]
    fn a_value_equal_to_a_bound_is_within_it() {
        let mut tally = Tally::default();
        tally.add(&answered(0, 20, &[10, 11]));
        let of = |timing: Timing| {
            tally
                .of(timing)
                .counts()
                .iter()
                .position(|count| *count > 0)
        };
        let bound = |timing: Timing, us| timing.bounds_us().iter().position(|at| *at == us);
        assert_eq!(of(Timing::Ttft), bound(Timing::Ttft, 20_000));
        assert_eq!(of(Timing::Itl), bound(Timing::Itl, 10_000));
        assert_eq!(tally.of(Timing::Itl).counts()[5], 1, "11 ms is above 10");
    }

    #[test]
    fn failures_and_the_warm_up_are_in_no_time_of_answers() {
        let mut tally = Tally::default();
        tally.add(&RequestRecord {
            phase: Phase::Warmup,
            ..answered(0, 1, &[1])
        });
        tally.add(&RequestRecord {
            failure: Some(Failure {
                kind: FailureKind::ServerError,
                text: String::new(),
            }),
            ..answered(0, 1, &[1])
        });
        assert_eq!((tally.warmup, tally.succeeded, tally.failed()), (1, 0, 1));
        assert_eq!(tally.failures[&FailureKind::ServerError], 1);
        for timing in Timing::ALL {
            let expected = u64::from(timing == Timing::SendLag);
            assert_eq!(tally.of(timing).count(), expected, "{timing:?}");
        }
    }

    #[test]
    fn an_answer_at_once_has_no_first_token_and_no_gaps() {
        let mut tally = Tally::default();
        tally.add(&RequestRecord {
            streamed: false,
            ..answered(0, 40, &[5])
        });
        let counts = Timing::ALL.map(|timing| tally.of(timing).count());
        assert_eq!(counts, [1, 1, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn bounds_ascend() {
        for timing in Timing::ALL {
            assert!(timing.bounds_us().is_sorted_by(|one, other| one < other));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn parts_add_up_to_the_whole(
            requests in prop::collection::vec((0u64..50, 0u64..9000, prop::collection::vec(0u64..3000, 0..6)), 0..20),
            cut in 0usize..20,
        ) {
            let records: Vec<_> = requests
                .iter()
                .map(|(sent, first, gaps)| answered(*sent, sent + first, gaps))
                .collect();
            let tally = |part: &[RequestRecord]| {
                let mut tally = Tally::default();
                for record in part {
                    tally.add(record);
                }
                tally
            };
            let (one, other) = records.split_at(cut.min(records.len()));
            let mut merged = tally(one);
            merged.merge(&tally(other));
            prop_assert_eq!(merged, tally(&records));
        }
    }
}
