//! Drives the engine by an event queue: hours of load in moments, the same each time.
//!
//! Reads no clock and does no I/O. What is sent, and when, is the caller's part.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crestline_core::units::Nanos;

use crate::model::{Admission, Counters, Engine, EngineRequest, Gauges, Progress};
use crate::profile::Profile;

/// A service in virtual time.
///
/// A caller keeps its own list of things to do (requests that are due) and takes whichever comes first: its own next thing, or
/// [`next_event_time`](Self::next_event_time). At equal times its own comes first, so that a request due at the moment in which an iteration
/// begins still joins it.
///
/// ```
/// use crestline_sim::{model::EngineRequest, profile::Profile, virtual_time::VirtualService};
/// use crestline_core::units::Nanos;
///
/// let mut service = VirtualService::new(&Profile::load("gpu-small").unwrap(), 1);
/// let request = EngineRequest { prompt_tokens: 100, output_tokens: 3, hashes: None };
/// service.submit(Nanos::ZERO, 7, request);
/// let kinds: Vec<_> = std::iter::from_fn(|| service.next_event()).map(|event| event.kind).collect();
/// assert_eq!(kinds.len(), 4, "three tokens, then the end");
/// ```
#[derive(Debug, Clone)]
pub struct VirtualService {
    engine: Engine,
    overhead: Nanos,
    /// Requests that the scheduler does not know yet.
    arrivals: BinaryHeap<Reverse<Arrival>>,
    submissions: u64,
    ready: VecDeque<Event>,
    iteration: Option<Under>,
    /// No iteration begins before: the end of the last one.
    free_at: Nanos,
    progress: Vec<Progress>,
}

/// The iteration under way.
#[derive(Debug, Clone, Copy)]
struct Under {
    start: Nanos,
    end: Nanos,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrival {
    at: Nanos,
    order: u64,
    id: u64,
    request: EngineRequest,
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Something that has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Nanos,
    /// Which request.
    pub id: u64,
    /// What.
    pub kind: EventKind,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// New tokens of the answer, sent together; at least 1.
    Tokens(u32),
    /// The answer is complete; comes after its last tokens, at the same time.
    Finished {
        /// Prompt tokens that came from the prefix cache.
        cached_tokens: u32,
    },
    /// There is no answer.
    Rejected(Rejection),
    /// An iteration has ended with nothing to show, as when it computed a part of a long prompt. `id` means nothing.
    Quiet,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Too many wait already: HTTP 429.
    QueueFull,
    /// Prompt and answer together are longer than the engine can hold: HTTP 400.
    TooLong,
}

impl VirtualService {
    /// An idle service at time zero. The profile must pass [`Profile::check`].
    pub fn new(profile: &Profile, seed: u64) -> Self {
        Self {
            engine: Engine::new(profile, seed),
            overhead: Nanos::from_secs_f64(profile.request_overhead_ms / 1e3),
            arrivals: BinaryHeap::new(),
            submissions: 0,
            ready: VecDeque::new(),
            iteration: None,
            free_at: Nanos::ZERO,
            progress: Vec::new(),
        }
    }

    /// Sends a request at `at`, which is not before the last event that was returned. `id` must not be in use.
    ///
    /// Requests may be given ahead of time. Those that were given before the service was asked for an event may be given in any order;
    /// one that is given after a later one was already looked at may miss the iteration that it would have joined.
    pub fn submit(&mut self, at: Nanos, id: u64, request: EngineRequest) {
        self.arrivals.push(Reverse(Arrival {
            at: at + self.overhead,
            order: self.submissions,
            id,
            request,
        }));
        self.submissions += 1;
    }

    /// Gives a request up at `at`, which is not before the last event that was returned: its events end, its blocks are free.
    /// Says whether it was there.
    pub fn abort(&mut self, at: Nanos, id: u64) -> bool {
        let before = self.arrivals.len();
        self.arrivals.retain(|Reverse(arrival)| arrival.id != id);
        let found = self.engine.abort(id) || self.arrivals.len() < before;
        self.ready.retain(|event| event.id != id);
        if self.iteration.is_some_and(|under| at <= under.start) && !self.engine.has_work() {
            // The iteration had only been looked at, and now has nothing to do.
            self.engine.finish(&mut self.progress);
            self.iteration = None;
        }
        found
    }

    /// When the next event comes if nothing is submitted before; `None` when all requests are done.
    pub fn next_event_time(&mut self) -> Option<Nanos> {
        self.look_ahead();
        let ready = self.ready.front().map(|event| event.at);
        ready.or(self.iteration.map(|under| under.end))
    }

    /// The next event, in order of time; `None` when all requests are done.
    pub fn next_event(&mut self) -> Option<Event> {
        self.look_ahead();
        if self.ready.is_empty() {
            self.end_iteration();
        }
        self.ready.pop_front()
    }

    /// Forgets all cached prefixes that no sequence uses.
    pub fn reset_prefix_cache(&mut self) {
        self.engine.reset_prefix_cache();
    }

    /// The engine's state after the last event.
    pub fn gauges(&self) -> Gauges {
        self.engine.gauges()
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.engine.counters()
    }

    /// Goes on until there is an event to return, or an iteration under way and no request that enters before its end.
    fn look_ahead(&mut self) {
        while self.ready.is_empty() {
            let next = self.arrivals.peek().map(|Reverse(arrival)| arrival.at);
            match (self.iteration, next) {
                (Some(under), Some(at)) if at < under.end => self.enter_next(),
                (None, _) if self.engine.has_work() => self.begin(self.free_at),
                (None, Some(at)) => self.begin(at.max(self.free_at)),
                (Some(_), _) | (None, None) => return,
            }
        }
    }

    /// Lets in all who are there at `start`, and begins an iteration then.
    fn begin(&mut self, start: Nanos) {
        while self
            .arrivals
            .peek()
            .is_some_and(|Reverse(arrival)| arrival.at <= start)
        {
            self.enter_next();
        }
        self.iteration = self.engine.begin(start).map(|end| Under { start, end });
    }

    /// Tells the scheduler of the next request; it may still join an iteration that begins at this very moment.
    fn enter_next(&mut self) {
        let Some(Reverse(arrival)) = self.arrivals.pop() else {
            return;
        };
        let rejection = match self.engine.submit(arrival.id, arrival.request) {
            Admission::Queued => {
                self.join(arrival.at);
                return;
            }
            Admission::QueueFull => Rejection::QueueFull,
            Admission::TooLong => Rejection::TooLong,
        };
        self.ready.push_back(Event {
            at: arrival.at,
            id: arrival.id,
            kind: EventKind::Rejected(rejection),
        });
    }

    fn join(&mut self, at: Nanos) {
        if let Some(under) = &mut self.iteration
            && at <= under.start
            && let Some(end) = self.engine.join()
        {
            under.end = end;
        }
    }

    /// Ends the iteration under way, if there is one, and lists what it has to show.
    fn end_iteration(&mut self) {
        let Some(Under { end: at, .. }) = self.iteration.take() else {
            return;
        };
        self.free_at = at;
        self.engine.finish(&mut self.progress);
        for progress in self.progress.drain(..) {
            let id = progress.id;
            let kind = EventKind::Tokens(progress.tokens);
            self.ready.push_back(Event { at, id, kind });
            if progress.finished {
                let cached_tokens = progress.cached_tokens;
                let kind = EventKind::Finished { cached_tokens };
                self.ready.push_back(Event { at, id, kind });
            }
        }
        if self.ready.is_empty() {
            let (id, kind) = (u64::MAX, EventKind::Quiet);
            self.ready.push_back(Event { at, id, kind });
        }
    }
}

#[cfg(test)]
mod tests;
