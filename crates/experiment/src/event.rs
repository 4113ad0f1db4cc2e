//! What a front end is told while an experiment runs. Shows nothing itself.

use std::path::PathBuf;

use crestline_core::health::ClientHealth;
use crestline_core::request::LoadPoint;
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;

/// Something a front end may show.
#[derive(Debug)]
pub enum Event {
    /// Something the user should know; not an error.
    Note(String),
    /// A load begins.
    PointStarted {
        /// Position in the plan, from 0.
        number: usize,
        /// Loads in the plan.
        of: usize,
        /// What is applied.
        point: LoadPoint,
        /// Where its files go.
        folder: PathBuf,
    },
    /// How far the load is; a few times a second at most.
    Progress(Progress),
    /// A load has ended.
    PointDone(Box<PointResult>),
    /// Nothing is sent for a while, between two loads.
    Pause(Nanos),
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Since the load began.
    pub elapsed: Nanos,
    /// Requests that the load has in all, warm-up included.
    pub total: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests that have ended.
    pub ended: u64,
    /// Of these, failures.
    pub failed: u64,
    /// Requests ended a second, since the last report.
    pub requests_per_s: f64,
    /// Chunks of answers received a second, since the last report: tokens, where each chunk is one.
    pub chunks_per_s: f64,
    /// Median time to first token of all requests that ended.
    pub ttft_p50: Option<Nanos>,
    /// 99th percentile of the same.
    pub ttft_p99: Option<Nanos>,
}

impl Progress {
    /// Requests in flight.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.ended)
    }

    /// Time left at the pace so far; `None` before anything has ended.
    pub fn remaining(&self) -> Option<Nanos> {
        let left = self.total.saturating_sub(self.ended);
        (self.ended > 0).then(|| {
            Nanos::from_secs_f64(self.elapsed.as_secs_f64() * left as f64 / self.ended as f64)
        })
    }
}

/// What came of one load.
#[derive(Debug, Clone)]
pub struct PointResult {
    /// What was measured.
    pub summary: RunSummary,
    /// How well the client kept up.
    pub health: ClientHealth,
    /// Where its files are.
    pub folder: PathBuf,
    /// The load was ended before all of its requests were sent and answered.
    pub interrupted: bool,
    /// What could not be written, in words: the measurement is whole, its database is not.
    pub loss: Option<String>,
}
