//! Single requests of a run for tables and pictures: all of them, or a sample of bounded size with the extremes.
//!
//! Which requests are in the sample depends on their positions in the workload alone: a longer run of the same plan shows the
//! same ones as far as there is room.

use std::collections::BTreeMap;

use super::least::Least;
use crate::record::{FailureKind, RequestRecord, TurnPlace};
use crate::units::Nanos;

/// How much is kept of single requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests of the sample.
    pub rows: usize,
    /// Requests of the sample whose single events are kept.
    pub waterfalls: usize,
    /// Requests at each [`Extreme`].
    pub extremes: usize,
    /// Failed requests beyond those of the sample.
    pub failures: usize,
}

impl Default for Limits {
    /// What a page of a few megabytes has room for.
    fn default() -> Self {
        Self {
            rows: 10_000,
            waterfalls: 2_000,
            extremes: 20,
            failures: 200,
        }
    }
}

/// Ends of a run's distributions, whose requests are shown even where a sample leaves others out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extreme {
    /// Longest time from due to the first token, of successes.
    SlowestFirstToken,
    /// Longest latency from due, of successes.
    SlowestAnswer,
    /// Longest gap between two events, of successes.
    LongestGap,
    /// Shortest latency, of successes.
    QuickestAnswer,
}

impl Extreme {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::SlowestFirstToken,
        Self::SlowestAnswer,
        Self::LongestGap,
        Self::QuickestAnswer,
    ];

    /// What is the less, the more extreme a request is; `None` for one that does not count.
    fn rank(self, record: &RequestRecord) -> Option<u64> {
        if !record.succeeded() {
            return None;
        }
        let most = |span: Nanos| u64::MAX - span.0;
        match self {
            Self::SlowestFirstToken => record.ttft_from_due().map(most),
            Self::SlowestAnswer => Some(most(record.latency_from_due())),
            Self::LongestGap => longest_gap(record).map(most),
            Self::QuickestAnswer => Some(record.latency().0),
        }
    }
}

/// One request of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Position in the workload.
    pub index: u64,
    /// The id sent as `x-request-id`.
    pub request_id: String,
    /// When it should have been sent.
    pub due: Nanos,
    /// How long it waited for the limit on requests in flight.
    pub slot_wait: Nanos,
    /// When it was sent.
    pub sent: Nanos,
    /// When its first token came.
    pub first_token: Option<Nanos>,
    /// When its answer was complete, or it failed.
    pub end: Nanos,
    /// Time per output token after the first.
    pub tpot: Option<Nanos>,
    /// Longest gap between two of its events.
    pub longest_gap: Option<Nanos>,
    /// Tokens of the prompt.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer.
    pub output_tokens: Option<u32>,
    /// Tokens that the answer was asked to have.
    pub asked_output: Option<u32>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Why it failed; `None` is success.
    pub failure: Option<FailureKind>,
    /// Its place in a conversation.
    pub turn: Option<TurnPlace>,
}

impl RequestRow {
    /// Time to first token from when it was sent.
    pub fn ttft(&self) -> Option<Nanos> {
        Some(self.first_token?.saturating_sub(self.sent))
    }

    /// From when it was sent to its end.
    pub fn latency(&self) -> Nanos {
        self.end.saturating_sub(self.sent)
    }
}

impl From<&RequestRecord> for RequestRow {
    fn from(record: &RequestRecord) -> Self {
        Self {
            index: record.index,
            request_id: record.request_id.clone(),
            due: record.due,
            slot_wait: record.slot_wait,
            sent: record.sent,
            first_token: record.first_token,
            end: record.end,
            tpot: record.tpot(),
            longest_gap: longest_gap(record),
            input_tokens: record.prompt_tokens.map(|tokens| tokens.count),
            output_tokens: record.output_tokens.map(|tokens| tokens.count),
            asked_output: record.asked_output,
            status: record.status,
            failure: record.failure.as_ref().map(|failure| failure.kind),
            turn: record.turn,
        }
    }
}

fn longest_gap(record: &RequestRecord) -> Option<Nanos> {
    record.gaps.iter().max()
}

/// What a request is drawn by, then what tells it from any other.
type Key = (u64, u64, Nanos);

/// Single requests of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Requests {
    total: u64,
    failed: u64,
    rows: Least<Key, RequestRow>,
    waterfalls: Least<Key, Box<RequestRecord>>,
    extremes: [Least<Key, Box<RequestRecord>>; Extreme::ALL.len()],
    failures: Least<Key, Box<RequestRecord>>,
}

impl Requests {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            total: 0,
            failed: 0,
            rows: Least::new(limits.rows),
            waterfalls: Least::new(limits.waterfalls),
            extremes: Extreme::ALL.map(|_| Least::new(limits.extremes)),
            failures: Least::new(limits.failures),
        }
    }

    /// Requests of the run.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Failed requests of the run.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Requests to be shown in a table, in the order in which they were sent: all, or the sample with the extremes and
    /// failures. There are fewer than [`Self::total`] where some are left out.
    pub fn rows(&self) -> Vec<RequestRow> {
        let mut rows: BTreeMap<(Nanos, u64), RequestRow> = BTreeMap::new();
        for row in self.rows.iter() {
            rows.insert((row.sent, row.index), row.clone());
        }
        for record in self.special() {
            let row = || RequestRow::from(record);
            rows.entry((record.sent, record.index)).or_insert_with(row);
        }
        rows.into_values().collect()
    }

    /// Requests with all of their events, but without texts, in the order in which they were sent: as in [`Self::rows`], of a
    /// smaller sample.
    pub fn waterfalls(&self) -> Vec<&RequestRecord> {
        let sampled = self.waterfalls.iter().map(|record| &**record);
        let all = sampled.chain(self.special());
        let found: BTreeMap<(Nanos, u64), &RequestRecord> = all
            .map(|record| ((record.sent, record.index), record))
            .collect();
        found.into_values().collect()
    }

    /// The requests at an extreme, the most extreme first.
    pub fn extremes(&self, which: Extreme) -> Vec<&RequestRecord> {
        let kept = self.extremes[which as usize].rising();
        kept.into_iter().map(|record| &**record).collect()
    }

    /// What is shown whatever the sample is.
    fn special(&self) -> impl Iterator<Item = &RequestRecord> {
        let extremes = self.extremes.iter().flat_map(Least::iter);
        extremes.chain(self.failures.iter()).map(|record| &**record)
    }

    pub(super) fn add(&mut self, record: &RequestRecord) {
        self.total += 1;
        self.failed += u64::from(!record.succeeded());
        let drawn = (mixed(record.index), record.index, record.sent);
        self.rows.offer(drawn, || RequestRow::from(record));
        self.waterfalls.offer(drawn, || kept(record));
        if !record.succeeded() {
            self.failures.offer(drawn, || kept(record));
        }
        for which in Extreme::ALL {
            if let Some(rank) = which.rank(record) {
                let key = (rank, record.index, record.sent);
                self.extremes[which as usize].offer(key, || kept(record));
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.failed += other.failed;
        self.rows.merge(other.rows);
        self.waterfalls.merge(other.waterfalls);
        self.failures.merge(other.failures);
        for (mine, theirs) in self.extremes.iter_mut().zip(other.extremes) {
            mine.merge(theirs);
        }
    }
}

/// A record without its texts.
fn kept(record: &RequestRecord) -> Box<RequestRecord> {
    let mut record = record.clone();
    record.exchange = None;
    Box::new(record)
}

/// A number as random as its argument is not (the finalizer of splitmix64, Steele et al. 2014).
fn mixed(index: u64) -> u64 {
    let z = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
