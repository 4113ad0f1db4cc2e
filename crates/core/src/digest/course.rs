//! A run over time: what its requests showed in each part of a window.
//!
//! Keeps a small histogram a part and metric, so that extremes are exact and quantiles within 0.8 %.

use super::Window;
use crate::metrics::Metric;
use crate::record::RequestRecord;
use crate::stats::CoarseHistogram;
use crate::units::Nanos;

/// Metrics whose course is kept: times of successful requests by when these were sent, gaps by when they ended.
pub const COURSE_METRICS: [Metric; 5] = [
    Metric::Ttft,
    Metric::TtftFromDue,
    Metric::Itl,
    Metric::Latency,
    Metric::LatencyFromDue,
];
/// The place of the gaps among them.
const ITL: usize = 2;

/// Figures of each part of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    window: Window,
    bins: Vec<Bin>,
    /// How many more requests are in flight throughout a part than throughout the one before it.
    throughout: Vec<i64>,
}

/// One part.
#[derive(Debug, Clone, Default, PartialEq)]
struct Bin {
    spreads: [CoarseHistogram; COURSE_METRICS.len()],
    sent: u64,
    succeeded: u64,
    failed: u64,
    output_tokens: u64,
    /// Time in flight of requests that are so in a piece of the part only, all together in nanoseconds.
    pieces: u128,
}

/// What a run showed in one part of its window.
#[derive(Debug, Clone, PartialEq)]
pub struct CoursePoint {
    /// From when to when, in seconds from the beginning of the window.
    pub span_s: [f64; 2],
    /// Requests sent in it.
    pub sent: u64,
    /// Successful ends in it.
    pub succeeded: u64,
    /// Failures in it.
    pub failed: u64,
    /// Tokens of successful answers that came in it. An answer whose events do not say how many tokens they bring has them in
    /// equal parts, one that was not streamed has them when it came.
    pub output_tokens: u64,
    /// Mean number of requests in flight.
    pub in_flight: f64,
    /// In the order of [`COURSE_METRICS`]; `None` where there is no value.
    spreads: [Option<PointSpread>; COURSE_METRICS.len()],
}

/// How times are spread in one part of a window, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointSpread {
    /// Values.
    pub count: u64,
    /// Least, exact.
    pub min_s: f64,
    /// Median, within 0.8 %; so are the other quantiles.
    pub p50_s: f64,
    /// 90th percentile.
    pub p90_s: f64,
    /// 99th percentile.
    pub p99_s: f64,
    /// Greatest, exact.
    pub max_s: f64,
}

impl CoursePoint {
    /// How a metric of [`COURSE_METRICS`] is spread; `None` for any other, and where nothing was measured.
    pub fn spread(&self, metric: Metric) -> Option<PointSpread> {
        let place = COURSE_METRICS.iter().position(|kept| *kept == metric)?;
        self.spreads[place]
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.span_s[1] - self.span_s[0]
    }

    /// So many in it, a second; 0 where it has no length.
    pub fn per_second(&self, count: u64) -> f64 {
        if self.seconds() > 0.0 {
            count as f64 / self.seconds()
        } else {
            0.0
        }
    }
}

impl Course {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            bins: vec![Bin::default(); window.bins()],
            throughout: vec![0; window.bins() + 1],
        }
    }

    /// The time that it is of.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Its parts in their order.
    pub fn points(&self) -> Vec<CoursePoint> {
        let zero = self.window.from();
        let mut whole = 0_i64;
        let parts = self.bins.iter().zip(&self.throughout).enumerate();
        parts
            .map(|(place, (bin, more))| {
                whole += more;
                let span = self.window.span(place);
                let long = span[1].saturating_sub(span[0]).0.max(1) as f64;
                CoursePoint {
                    span_s: span.map(|at| at.saturating_sub(zero).as_secs_f64()),
                    sent: bin.sent,
                    succeeded: bin.succeeded,
                    failed: bin.failed,
                    output_tokens: bin.output_tokens,
                    in_flight: whole as f64 + bin.pieces as f64 / long,
                    spreads: bin.spreads.each_ref().map(spread),
                }
            })
            .collect()
    }

    pub(super) fn add(&mut self, record: &RequestRecord) {
        let sent = self.window.bin(record.sent);
        let end = self.window.bin(record.end);
        self.bins[sent].sent += 1;
        self.add_flight(record.sent, record.end);
        if !record.succeeded() {
            self.bins[end].failed += 1;
            return;
        }
        self.bins[end].succeeded += 1;
        let bin = &mut self.bins[sent];
        for (metric, values) in COURSE_METRICS.iter().zip(&mut bin.spreads) {
            if let Some(ticks) = metric.of_request(record) {
                values.add(ticks);
            }
        }
        self.add_events(record);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        assert_eq!(self.window, other.window, "parts of a run have one window");
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.throughout.iter_mut().zip(&other.throughout) {
            *mine += theirs;
        }
    }

    /// Counts a request as in flight.
    fn add_flight(&mut self, sent: Nanos, end: Nanos) {
        let within = |at: Nanos| at.clamp(self.window.from(), self.window.to());
        let (from, to) = (within(sent), within(end.max(sent)));
        let [first, last] = [from, to].map(|at| self.window.bin(at));
        let mut piece = |bin: usize, from: Nanos, to: Nanos| {
            self.bins[bin].pieces += u128::from(to.saturating_sub(from).0);
        };
        if first == last {
            piece(first, from, to);
            return;
        }
        piece(first, from, self.window.span(first)[1]);
        piece(last, self.window.span(last)[0], to);
        self.throughout[first + 1] += 1;
        self.throughout[last] -= 1;
    }

    /// Counts the gaps and the tokens of an answer.
    fn add_events(&mut self, record: &RequestRecord) {
        let mut at = record.first_token.unwrap_or(record.end);
        let mut place = self.window.bin(at);
        let mut until = self.window.span(place)[1];
        let tokens = EventTokens::of(record);
        self.bins[place].output_tokens += tokens.of_event(0);
        if !record.streamed {
            return;
        }
        for (event, gap) in (1..).zip(record.gaps.iter()) {
            at = at.saturating_add(gap);
            while at >= until && place + 1 < self.bins.len() {
                place += 1;
                until = self.window.span(place)[1];
            }
            let bin = &mut self.bins[place];
            bin.spreads[ITL].add(gap.0);
            bin.output_tokens += tokens.of_event(event);
        }
    }
}

impl Bin {
    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.spreads.iter_mut().zip(&other.spreads) {
            mine.merge(theirs);
        }
        self.sent += other.sent;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.output_tokens += other.output_tokens;
        self.pieces += other.pieces;
    }
}

fn spread(values: &CoarseHistogram) -> Option<PointSpread> {
    let seconds = |ticks: f64| ticks / 1e9;
    let quantile = |q| values.quantile(q).map(seconds);
    Some(PointSpread {
        count: values.count(),
        min_s: seconds(values.min()? as f64),
        p50_s: quantile(0.5)?,
        p90_s: quantile(0.9)?,
        p99_s: quantile(0.99)?,
        max_s: seconds(values.max()? as f64),
    })
}

/// How many tokens each event of an answer brought; together as many as the answer has.
#[derive(Debug, Clone, Copy)]
enum EventTokens<'a> {
    /// As the server said.
    Known(&'a [u32]),
    /// The first brought one, the later ones the rest in parts as equal as whole tokens can be.
    Even { tokens: u64, later: u64 },
}

impl<'a> EventTokens<'a> {
    fn of(record: &'a RequestRecord) -> Self {
        let tokens = record.output_tokens.map_or(0, |it| u64::from(it.count));
        let later = if record.streamed {
            record.gaps.len() as u64
        } else {
            0
        };
        let told = &record.chunk_tokens;
        let is_whole = || told.iter().map(|&it| u64::from(it)).sum::<u64>() == tokens;
        if told.len() as u64 == later + 1 && is_whole() {
            Self::Known(told)
        } else {
            Self::Even { tokens, later }
        }
    }

    fn of_event(self, event: u64) -> u64 {
        match self {
            Self::Known(told) => u64::from(told[event as usize]),
            Self::Even { tokens, later: 0 } => tokens,
            Self::Even { tokens, .. } if event == 0 => tokens.min(1),
            Self::Even { tokens, later } if tokens == later + 1 => 1,
            Self::Even { tokens, later } => {
                let rest = u128::from(tokens.saturating_sub(1));
                let up_to = |event: u64| (rest * u128::from(event) / u128::from(later)) as u64;
                up_to(event) - up_to(event - 1)
            }
        }
    }
}
