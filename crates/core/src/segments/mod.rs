//! A run cut into stretches of time, and what its figures would be if it were measured again: intervals by bootstrap over
//! the stretches.
//!
//! Requests that are in flight together share the service's iterations and its queue, so they say less than as many
//! independent ones would. Stretches of several latencies are about independent of each other; where they are many,
//! neighbours are drawn together (`resample`). Of what differs from one start of a server to the next a single run says
//! nothing: [`resample()`] takes several.
//!
//! Memory is bounded however long a run is. Requests of the warm-up count nowhere.

mod cut;
mod interval;
mod resample;
mod segment;
mod statistic;
mod table;

use std::collections::BTreeMap;

pub use cut::Cut;
pub use interval::{Interval, Lack, Scale, Spread, Uncertainty};
pub use resample::{Draws, resample};
pub use statistic::Statistic;

use self::segment::{PARTS, Segment, Work};
use crate::record::{Phase, RequestRecord};
use crate::units::Nanos;

/// Stretches that are kept at most; beyond that, they are made twice as long.
const MOST: u64 = 128;
/// Binary digits of the shortest stretch, 2^20 ns or about a millisecond.
const SHORTEST_BITS: u32 = 20;

/// A run's requests by when they were sent, in up to 128 stretches of the same length: 2^k milliseconds or so, as short as
/// the length of the run permits. What it holds does not depend on the order in which requests were added or parts merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    bits: u32,
    stretches: BTreeMap<u64, Segment>,
    first_sent: Nanos,
    last_sent: Nanos,
    last_end: Nanos,
}

impl Default for Segments {
    fn default() -> Self {
        Self {
            bits: SHORTEST_BITS,
            stretches: BTreeMap::new(),
            first_sent: Nanos::MAX,
            last_sent: Nanos::ZERO,
            last_end: Nanos::ZERO,
        }
    }
}

impl Segments {
    /// Counts a request that has ended; ignores one of the warm-up.
    pub fn add(&mut self, record: &RequestRecord) {
        if record.phase == Phase::Warmup {
            return;
        }
        let end = record.end.max(record.sent);
        self.first_sent = self.first_sent.min(record.sent);
        self.last_sent = self.last_sent.max(record.sent);
        self.last_end = self.last_end.max(end);
        self.coarsen();
        let sent_at = self.place(record.sent);
        self.stretches.entry(sent_at).or_default().add(record);
        if record.succeeded() {
            self.share_out(record, end);
        }
    }

    /// A success counts, for throughput, where it was worked on: evenly from sent to end.
    fn share_out(&mut self, record: &RequestRecord, end: Nanos) {
        let last = self.place(end);
        let span = u128::from((end - record.sent).0);
        let mut before = 0;
        for place in self.place(record.sent)..=last {
            let until = (place + 1) << self.bits;
            let by_then = if place == last || span == 0 {
                PARTS
            } else {
                let passed = u128::from(until - record.sent.0);
                u64::try_from(passed * u128::from(PARTS) / span).unwrap_or(PARTS)
            };
            let work = Work::of(record, by_then - before);
            self.stretches.entry(place).or_default().work.add(work);
            before = by_then;
        }
    }

    /// Takes over all requests of another part of the same run.
    pub fn merge(&mut self, other: &Self) {
        if other.stretches.is_empty() {
            return;
        }
        self.first_sent = self.first_sent.min(other.first_sent);
        self.last_sent = self.last_sent.max(other.last_sent);
        self.last_end = self.last_end.max(other.last_end);
        if other.bits > self.bits {
            self.lengthen(other.bits);
        }
        self.coarsen();
        let shift = self.bits - other.bits;
        for (place, theirs) in &other.stretches {
            self.stretches
                .entry(place >> shift)
                .or_default()
                .merge(theirs);
        }
    }

    /// Counted requests.
    pub fn requests(&self) -> u64 {
        self.stretches.values().map(|one| one.requests).sum()
    }

    /// Those of them that ended well.
    pub fn succeeded(&self) -> u64 {
        self.stretches.values().map(|one| one.succeeded).sum()
    }

    /// Intervals that hold what a figure would be on average over many such runs with probability `confidence` (0 to below 1)
    /// each, in the order of `statistics`. `None` where nothing was measured, or the run is too short to tell
    /// ([`Spread`] says which).
    ///
    /// The estimates are those of the whole run; quantiles come from histograms, within
    /// [`crate::stats::RELATIVE_ERROR`].
    pub fn intervals(
        &self,
        statistics: &[Statistic],
        confidence: f64,
        seed: u64,
    ) -> Vec<Option<Interval>> {
        let draws = Draws {
            seed,
            ..Draws::default()
        };
        resample(&[self.cut()], statistics, draws)
            .into_iter()
            .map(|spread| spread?.interval(confidence))
            .collect()
    }

    fn place(&self, time: Nanos) -> u64 {
        time.0 >> self.bits
    }

    /// Makes stretches longer until the whole run fits.
    fn coarsen(&mut self) {
        let mut bits = self.bits;
        while (self.last_end.0 >> bits) - (self.first_sent.0 >> bits) >= MOST {
            bits += 1;
        }
        self.lengthen(bits);
    }

    fn lengthen(&mut self, bits: u32) {
        let shift = bits - self.bits;
        if shift == 0 {
            return;
        }
        self.bits = bits;
        for (place, segment) in std::mem::take(&mut self.stretches) {
            self.stretches
                .entry(place >> shift)
                .or_default()
                .merge(&segment);
        }
    }
}

#[cfg(test)]
mod tests;
