//! Counters for whoever watches a run while it lasts. Each worker writes its own.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crestline_core::record::RequestRecord;
use serde::{Deserialize, Serialize};

/// One worker's counters since the start of the run, warm-up included.
#[derive(Debug, Default)]
pub(crate) struct LiveCounters {
    pub(crate) sent: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) chunks: AtomicU64,
}

/// Counters of all workers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Live {
    /// Requests sent.
    pub sent: u64,
    /// Requests that ended, well or not.
    pub ended: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Events with content.
    pub chunks: u64,
}

impl LiveCounters {
    pub(crate) fn count_end(&self, record: &RequestRecord) {
        self.ended.fetch_add(1, Relaxed);
        if !record.succeeded() {
            self.failed.fetch_add(1, Relaxed);
        }
    }
}

impl Live {
    /// Requests in flight.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.ended)
    }

    /// Of both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            ended: self.ended + other.ended,
            failed: self.failed + other.failed,
            chunks: self.chunks + other.chunks,
        }
    }

    pub(crate) fn add(mut self, of: &LiveCounters) -> Self {
        self.sent += of.sent.load(Relaxed);
        self.ended += of.ended.load(Relaxed);
        self.failed += of.failed.load(Relaxed);
        self.chunks += of.chunks.load(Relaxed);
        self
    }
}
