//! Where a run is cut: segments that are long enough to be about independent, and as many as that permits.
//!
//! Draws nothing and estimates nothing.

use super::Segments;
use super::segment::Segment;
use crate::metrics::Metric;
use crate::units::Nanos;

/// Segments at most.
const MOST: u64 = 64;
/// Segments below which they are made shorter, down to [`SHORTEST`].
const WANTED: f64 = 24.0;
/// Mean latencies that a segment lasts where the run is long enough.
const LONG: f64 = 4.0;
/// Mean latencies that a segment lasts at least.
const SHORTEST: f64 = 2.0;
/// Blocks of neighbouring segments that there are at least, where there are so many segments.
const BLOCKS: usize = 16;
/// Share of the run in which requests are sent, below which they are sent all at once.
const AT_ONCE: f64 = 0.25;
/// Segments without which nothing is said of how a figure varies.
pub(super) const FEWEST: usize = 8;

/// A run in segments of one length; the first and the last may be shorter or longer.
#[derive(Debug, Clone)]
pub struct Cut {
    pub(super) segments: Vec<Segment>,
    /// First and one past the last segment in which load was applied from begin to end: not that in which the first
    /// request was sent, nor any after the last was.
    pub(super) inner: std::ops::Range<usize>,
    /// First counted request sent to last ended.
    pub(super) duration: Nanos,
    /// First counted request sent to last sent.
    sending: Nanos,
    /// Mean latencies that the run lasted.
    latencies: f64,
}

impl Segments {
    /// Cuts into 24 to 64 segments of four mean latencies or more; in a short run they are shorter, two at least.
    pub fn cut(&self) -> Cut {
        let duration = self.last_end.saturating_sub(self.first_sent);
        let latency = self.mean_latency_s();
        let latencies = duration.as_secs_f64() / latency.max(1e-9);
        let width = Nanos(1 << self.bits).as_secs_f64();
        let wanted = duration.as_secs_f64() / WANTED;
        let length = (LONG * latency).min(wanted).max(SHORTEST * latency);
        let Some((&first, &last)) = self
            .stretches
            .first_key_value()
            .map(|it| it.0)
            .zip(self.stretches.last_key_value().map(|it| it.0))
        else {
            return Cut {
                segments: Vec::new(),
                inner: 0..0,
                duration,
                sending: Nanos::ZERO,
                latencies: 0.0,
            };
        };
        let stretches = last - first + 1;
        let together = ((length / width).ceil() as u64)
            .max(stretches.div_ceil(MOST))
            .clamp(1, stretches);
        let count = stretches / together;
        let mut segments = vec![Segment::default(); count as usize];
        for (place, stretch) in &self.stretches {
            // What is left over at the end belongs to the last one.
            let at = ((place - first) / together).min(count - 1);
            segments[at as usize].merge(stretch);
        }
        let last_sent = (self.last_sent.0 >> self.bits) - first;
        let until = (last_sent / together).min(count - 1) as usize;
        Cut {
            segments,
            inner: 1..until.max(1),
            duration,
            sending: self.last_sent.saturating_sub(self.first_sent),
            latencies,
        }
    }

    fn mean_latency_s(&self) -> f64 {
        let latencies = || {
            self.stretches
                .values()
                .filter_map(|one| one.values(Metric::Latency))
        };
        let count: u64 = latencies().map(crate::stats::Histogram::count).sum();
        let sum: u128 = latencies().map(crate::stats::Histogram::sum).sum();
        sum as f64 / count.max(1) as f64 / 1e9
    }
}

impl Cut {
    /// Number of segments.
    pub fn count(&self) -> usize {
        self.segments.len()
    }

    /// Counted requests.
    pub fn requests(&self) -> u64 {
        self.segments.iter().map(|one| one.requests).sum()
    }

    /// Those of them that ended well.
    pub fn succeeded(&self) -> u64 {
        self.segments.iter().map(|one| one.succeeded).sum()
    }

    /// First counted request sent to last counted request ended.
    pub fn duration(&self) -> Nanos {
        self.duration
    }

    /// Neighbouring segments that are drawn together: an even number, so that a block has halves.
    pub(super) fn block(&self) -> usize {
        (self.count() / BLOCKS).max(2)
    }

    /// Requests were sent in enough segments to say how figures vary.
    pub(super) fn is_long(&self) -> bool {
        self.segments.iter().filter(|one| one.requests > 0).count() >= FEWEST
            && self.inner.len() + 2 >= FEWEST
    }

    /// Requests of the same load that would make it long enough; `None` where more would not, since all are sent at once.
    pub(super) fn requests_for_length(&self) -> Option<u64> {
        if self.sending.as_secs_f64() < self.duration.as_secs_f64() * AT_ONCE {
            return None;
        }
        let latencies = FEWEST as f64 * SHORTEST * 1.25;
        let times = latencies / self.latencies.max(1e-9);
        Some((self.requests() as f64 * times.max(1.25)).ceil() as u64)
    }
}
