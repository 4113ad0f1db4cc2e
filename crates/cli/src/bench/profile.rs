//! A profile that a service makes of itself while its batch is full.
//!
//! Looks at the service's gauge over a connection of its own; the load knows nothing of it.

use std::thread::{self, JoinHandle};

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::clock::{self, Clock};
use crestline_load::counters::requests_running;
use crestline_load::engine::Stop;

/// Between two looks at the gauge: a page costs the service some milliseconds.
const LOOK_EVERY: Nanos = Nanos::from_millis(200);
/// Between two looks at whether the load has ended.
const NAP: Nanos = Nanos::from_millis(20);

/// Waits for a full batch, and has it profiled.
#[derive(Debug)]
pub(super) struct FullBatch {
    wanted: Wanted,
    ended: Stop,
    thread: JoinHandle<Result<Seen, AsideError>>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It was profiled, with so many requests running at the beginning.
    Profiled(u64),
    /// The most that were seen; `None` where the service does not say.
    AtMost(Option<u64>),
}

/// How many requests are waited for, and how long the profile is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) requests: u64,
    pub(super) length: Nanos,
}

impl FullBatch {
    /// Begins to look. The profiler is not asked for anything before the batch is full.
    pub(super) fn begin(aside: Aside, wanted: Wanted) -> Self {
        let ended = Stop::default();
        let until = ended.clone();
        Self {
            wanted,
            ended,
            thread: thread::spawn(move || watch(aside, wanted, &until)),
        }
    }

    /// The load has ended; gives a line on what came of it.
    pub(super) fn end(self) -> String {
        self.ended.ask();
        let requests = self.wanted.requests;
        match self.thread.join() {
            Ok(Ok(Seen::Profiled(running))) => {
                format!("note: the profile was begun with {running} requests running")
            }
            Ok(Ok(Seen::AtMost(Some(most)))) => format!(
                "warning: no profile was made: at most {most} requests were running, and {requests} are waited for; give a lower \
                 --profile-batch-threshold, or more load"
            ),
            Ok(Ok(Seen::AtMost(None))) => {
                "warning: no profile was made: the service's /metrics do not say how many requests are running"
                    .to_owned()
            }
            Ok(Err(error)) => format!("warning: the profile of the full batch failed: {error}"),
            Err(_) => "warning: the profile of the full batch failed: this is a fault in crestline".to_owned(),
        }
    }
}

fn watch(mut aside: Aside, wanted: Wanted, ended: &Stop) -> Result<Seen, AsideError> {
    let mut most = None;
    while !ended.is_asked() {
        // A page that does not come is no reason to give up: the next one may.
        let page = aside.get("/metrics").ok();
        let running = page.and_then(|page| requests_running(&page.text()));
        most = most.max(running);
        if let Some(running) = running.filter(|running| *running >= wanted.requests) {
            aside.post("/start_profile")?;
            wait(wanted.length, ended);
            aside.post("/stop_profile")?;
            return Ok(Seen::Profiled(running));
        }
        wait(LOOK_EVERY, ended);
    }
    Ok(Seen::AtMost(most))
}

fn wait(span: Nanos, ended: &Stop) {
    let clock = Clock::start();
    while clock.now() < span && !ended.is_asked() {
        clock::sleep(span.saturating_sub(clock.now()).min(NAP).to_duration());
    }
}
