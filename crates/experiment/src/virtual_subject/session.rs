//! One session with the engine: sends what a load asks for, hands out records as requests end.
//!
//! Loads are never restarted: what is in flight stays there when the load changes. When requests become due and may be
//! sent is [`Schedule`]'s part, as for a live service.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crestline_core::arrival::Arrival;
use crestline_core::follow_ups::FollowUps;
use crestline_core::record::{InFlight, Phase, RequestRecord, TokenCount, TokenSource, TurnPlace};
use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::schedule::{NextLoad, Schedule, Start, StopRule, evenly, joins};
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use crestline_sim::model::EngineRequest;
use crestline_sim::profile::Profile;
use crestline_sim::virtual_time::{Event, EventKind, VirtualService};

use super::flights::{AnswerForm, Flights, engine_id};
use super::{VirtualConversations, VirtualRequest};

/// A user whose request was refused sends the next one so much later. No client is faster, and without it a closed loop
/// on a service that refuses at once would never let time pass.
const AFTER_REFUSAL: Nanos = Nanos::from_micros(100);

/// Records that [`VirtualSession::measure_each`] holds at most.
const HANDED_OVER: usize = 256;

/// Gives the n-th request of a session, counted from 0 through all its loads.
pub type Source = Box<dyn FnMut(u64) -> VirtualRequest + Send>;

/// What stays the same through a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// Seed of the engine's noise and of the arrivals.
    pub seed: u64,
    /// Answers come as events; otherwise whole.
    pub streamed: bool,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Up to this moment of the session, inclusive. The session's time is then at least this.
    Time(Nanos),
    /// Until so many requests have ended, or nothing more happens.
    Ended(usize),
    /// Until all requests have ended and no more are due. Never comes under a load without an end.
    Idle,
}

/// How one load was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// When the first request that counts could be sent.
    pub start: Nanos,
    /// It was stopped before its end.
    pub interrupted: bool,
}

/// A session with the simulated engine. Its epoch is the engine's start.
///
/// ```
/// use crestline_core::request::{Load, LoadPoint};
/// use crestline_experiment::virtual_subject::{SessionSettings, VirtualRequest, VirtualSession};
/// use crestline_sim::profile::Profile;
///
/// let settings = SessionSettings { seed: 1, streamed: true };
/// let request = VirtualRequest { prompt_tokens: 100, answers: vec![20], ..VirtualRequest::default() };
/// let mut session = VirtualSession::new(
///     &Profile::load("gpu-small").unwrap(),
///     settings,
///     Box::new(move |_| request.clone()),
/// );
/// let load = Load::closed(4.try_into().unwrap());
/// let records = session.measure(&LoadPoint { load, requests: 12, warmup: 0, duration: None });
/// assert_eq!(records.len(), 12);
/// ```
pub struct VirtualSession {
    service: VirtualService,
    source: Source,
    conversations: Option<VirtualConversations>,
    /// Later turns of conversations, which have their slots already.
    follow_ups: FollowUps<(TurnPlace, VirtualRequest)>,
    seed: u64,
    due_times: Arc<[Nanos]>,
    flights: Flights,
    now: Nanos,
    schedule: Schedule<DueTimes>,
    phase: Phase,
    /// Items taken from the source.
    sent: u64,
    /// The item that has index 0.
    first_item: u64,
    changes: u64,
    ended: Vec<RequestRecord>,
}

impl VirtualSession {
    /// An idle engine at time zero. The profile must pass [`Profile::check`].
    pub fn new(profile: &Profile, settings: SessionSettings, source: Source) -> Self {
        let form = AnswerForm {
            streamed: settings.streamed,
            tells_cached: profile.kv_cache.prefix_caching,
        };
        Self {
            service: VirtualService::new(profile, settings.seed),
            source,
            conversations: None,
            follow_ups: FollowUps::default(),
            seed: settings.seed,
            due_times: Arc::default(),
            flights: Flights::new(form),
            now: Nanos::ZERO,
            schedule: nothing(),
            phase: Phase::Measured,
            sent: 0,
            first_item: 0,
            changes: 0,
            ended: Vec::new(),
        }
    }

    /// The same session with the due times of requests for loads whose arrivals are recorded, from the start of each
    /// load: as many requests as there are times are sent. Without them there are none.
    pub fn with_due_times(mut self, times: Arc<[Nanos]>) -> Self {
        self.due_times = times;
        self
    }

    /// The same session with conversations in place of single requests. A load counts, limits and begins conversations then; a
    /// later turn is due at the end of the one before plus its think time.
    pub fn with_conversations(mut self, conversations: VirtualConversations) -> Self {
        self.conversations = Some(conversations);
        self
    }

    /// The session's time.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Requests in flight, by index.
    pub fn in_flight(&self) -> Vec<InFlight> {
        let mut list = Vec::new();
        self.list_in_flight(&mut list);
        list
    }

    /// Writes the requests in flight, by index, over what the list held: for callers who look often.
    pub fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        self.flights.list(list);
    }

    /// [Changes](Self::change) the load at once, and gives nothing up.
    pub fn set_load(&mut self, load: Load) {
        self.change(load, Nanos::ZERO, Abort::Nothing);
    }

    /// Applies another load from now on, without an end; what is in flight or waits for a slot stays, unless `abort`
    /// gives it up.
    ///
    /// Further users join evenly over `join_over`, the first at once. After a lower concurrency, slots are not filled
    /// again until it is met. Each call draws arrivals of its own.
    pub fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) {
        self.changes += 1;
        let endless = StopRule {
            requests: u64::MAX,
            until: None,
        };
        let seed = self.seed.wrapping_add(self.changes);
        let arrival = self.arrival(load, seed);
        self.begin(load, arrival, join_over, abort);
        self.schedule.set_stop(endless);
        if self.follow_ups.is_empty() {
            // It may have been held before.
            self.follow_ups = FollowUps::default();
        }
        match abort {
            Abort::Nothing => {}
            Abort::Surplus | Abort::All => self.abort_surplus(),
            Abort::Queue => self.abort_queue(),
        }
    }

    /// Gives up as many requests as are in flight above the concurrency, evenly over age: the rest stay as mixed as they
    /// were.
    pub fn abort_surplus(&mut self) {
        let flights = self.in_flight();
        for at in evenly(flights.len(), self.schedule.surplus()) {
            self.abort(flights[at].index);
        }
    }

    /// Gives up all requests without a first token, and drops those that wait for a slot: the latter were never sent and
    /// leave no record.
    pub fn abort_queue(&mut self) {
        self.schedule.drop_waiting();
        for flight in self.in_flight() {
            if flight.first_token.is_none() {
                self.abort(flight.index);
            }
        }
    }

    /// Sends nothing more; what is in flight goes on.
    pub fn hold(&mut self) {
        self.schedule.stop();
        for _ in 0..self.follow_ups.stop() {
            self.schedule.release(self.now);
        }
    }

    /// Gives a request up: its record, a failure, is the next to be returned. Says whether it was in flight.
    pub fn abort(&mut self, index: u64) -> bool {
        let Some((record, ids)) = self.flights.cancel(index, self.now) else {
            return false;
        };
        for id in ids {
            self.service.abort(self.now, id);
        }
        self.free_slot(self.now);
        self.ended.push(record);
        true
    }

    /// Lets time pass and returns the records of the requests that ended, in the order in which they did.
    pub fn run_until(&mut self, until: Until) -> Vec<RequestRecord> {
        let (limit, wanted) = match until {
            Until::Time(limit) => (limit, usize::MAX),
            Until::Ended(wanted) => (Nanos::MAX, wanted),
            Until::Idle => (Nanos::MAX, usize::MAX),
        };
        self.send_ready();
        while self.ended.len() < wanted && self.step(limit) {
            self.send_ready();
        }
        if let Until::Time(limit) = until {
            self.now = self.now.max(limit);
        }
        std::mem::take(&mut self.ended)
    }

    /// Measures one load: warm-up requests, all of them awaited, then those that count. Indices count from 0.
    pub fn measure(&mut self, point: &LoadPoint) -> Vec<RequestRecord> {
        let mut records = Vec::new();
        self.measure_each(point, |record| {
            records.push(record);
            ControlFlow::Continue(())
        });
        records
    }

    /// As [`measure`](Self::measure), handing each record over soon after its request has ended.
    ///
    /// After a break nothing more is sent; what is in flight is awaited and handed over too.
    pub fn measure_each(
        &mut self,
        point: &LoadPoint,
        mut each: impl FnMut(RequestRecord) -> ControlFlow<()>,
    ) -> Measured {
        self.first_item = self.sent;
        let warm_up = StopRule {
            requests: point.warmup,
            until: None,
        };
        let mut flow = self.run_phase(Phase::Warmup, point.load, warm_up, &mut each);
        let start = self.now;
        if flow.is_continue() {
            let counted = StopRule {
                requests: point.requests,
                until: point.duration.map(|span| start.saturating_add(span)),
            };
            flow = self.run_phase(Phase::Measured, point.load, counted, &mut each);
        }
        Measured {
            start,
            interrupted: flow.is_break(),
        }
    }

    /// The arrivals of all phases and points have the session's seed: the same users at another pace.
    fn run_phase(
        &mut self,
        phase: Phase,
        load: Load,
        stop: StopRule,
        each: &mut impl FnMut(RequestRecord) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        self.phase = phase;
        let arrival = self.arrival(load, self.seed);
        self.begin(load, arrival, Nanos::ZERO, Abort::Nothing);
        self.schedule.set_stop(stop);
        self.follow_ups = FollowUps::until(stop.until);
        loop {
            let records = self.run_until(Until::Ended(HANDED_OVER));
            if records.is_empty() {
                break;
            }
            for record in records {
                if each(record).is_break() {
                    flow = ControlFlow::Break(());
                    self.hold();
                }
            }
        }
        self.phase = Phase::Measured;
        flow
    }

    fn arrival(&self, load: Load, seed: u64) -> Option<Arrival> {
        match load.arrivals {
            Arrivals::Recorded(_) => Some(Arrival::recorded(Arc::clone(&self.due_times))),
            drawn => Arrival::new(drawn, seed),
        }
    }

    fn begin(&mut self, load: Load, arrival: Option<Arrival>, join_over: Nanos, abort: Abort) {
        let base = self.now;
        let slots = load.concurrency.map(|limit| limit.get() as usize);
        let have = match abort {
            Abort::All => 0,
            _ => self.schedule.slots().unwrap_or(self.schedule.in_flight()),
        };
        let further = slots.unwrap_or(0).saturating_sub(have);
        let next = NextLoad {
            arrivals: arrival.map(|arrival| DueTimes { arrival, base }),
            slots,
            joins: joins(further, base, join_over).collect(),
            anew: abort == Abort::All,
        };
        self.schedule.change(base, next);
    }

    /// Takes whichever comes first: the schedule's next moment or the engine's. Nothing after `limit`.
    fn step(&mut self, limit: Nanos) -> bool {
        let wakes = [self.schedule.wakes_at(), self.follow_ups.next_due()];
        let own = wakes.into_iter().flatten().min();
        let engine = self.service.next_event_time();
        let Some(at) = [own, engine].into_iter().flatten().min() else {
            return false;
        };
        if at > limit {
            return false;
        }
        self.now = self.now.max(at);
        if own != Some(at)
            && let Some(event) = self.service.next_event()
        {
            self.take_event(event);
        }
        true
    }

    fn take_event(&mut self, event: Event) {
        let Event { at, id, kind } = event;
        match kind {
            EventKind::Tokens(tokens) => self.flights.tokens(id, at, tokens),
            EventKind::Finished { cached_tokens } => {
                if let Some(record) = self.flights.finished(id, at, cached_tokens) {
                    if !self.goes_on(&record) {
                        self.free_slot(at);
                    }
                    self.ended.push(record);
                }
            }
            EventKind::Rejected(why) => {
                let (record, others) = self.flights.rejected(id, at, why);
                for other in others {
                    self.service.abort(at, other);
                }
                self.free_slot(at.saturating_add(AFTER_REFUSAL));
                self.ended.push(record);
            }
            EventKind::Quiet => {}
        }
    }

    /// A request ended, and its user is ready for the next one at `at`.
    fn free_slot(&mut self, at: Nanos) {
        if at <= self.now {
            self.schedule.release(at);
        } else {
            self.schedule.release_later(at);
        }
    }

    /// A turn was answered: its conversation goes on, and keeps its slot.
    fn goes_on(&mut self, record: &RequestRecord) -> bool {
        let (Some(conversations), Some(place)) = (&mut self.conversations, record.turn) else {
            return false;
        };
        if place.turn >= place.turns {
            return false;
        }
        let number = place.turn + 1;
        let turn = (conversations.turn)(self.first_item + place.conversation, number);
        let next = TurnPlace {
            turn: number,
            ..place
        };
        let due = record.end.saturating_add(turn.pause);
        self.follow_ups.add(due, (next, turn.request))
    }

    fn send_ready(&mut self) {
        while let Some((due, (place, request))) = self.follow_ups.take(self.now) {
            let item = self.first_item + place.conversation;
            self.send(due, request, self.record_of(item, Some(place)));
        }
        while let Some(start) = self.schedule.take(self.now) {
            self.begin_item(start);
        }
    }

    /// Sends the next request, or the first turn of the next conversation.
    fn begin_item(&mut self, start: Start) {
        let item = self.sent;
        self.sent += 1;
        let Some(conversations) = &mut self.conversations else {
            let request = (self.source)(item);
            return self.send(start.due, request, self.record_of(item, None));
        };
        let turn = (conversations.turn)(item, 1);
        let place = TurnPlace {
            conversation: item - self.first_item,
            turn: 1,
            turns: turn.turns,
        };
        self.send(start.due, turn.request, self.record_of(item, Some(place)));
    }

    fn record_of(&self, item: u64, place: Option<TurnPlace>) -> RequestRecord {
        let position = item - self.first_item;
        let (index, name) =
            if let Some((place, conversations)) = place.zip(self.conversations.as_ref()) {
                let first = position * u64::from(conversations.most_turns);
                let index = first + u64::from(place.turn - 1);
                (index, format!("{item}-{}", place.turn))
            } else {
                (position, item.to_string())
            };
        let mut record = RequestRecord::new(index, self.phase);
        record.request_id = format!("virtual-{:x}-{name}", self.seed);
        record.turn = place;
        record
    }

    fn send(&mut self, due: Nanos, request: VirtualRequest, mut record: RequestRecord) {
        record.due = due;
        // Nothing else can delay a request here.
        record.slot_wait = self.now.saturating_sub(due);
        record.sent = self.now;
        record.exchange = request.exchange;
        record.asked_output = request.asked_output;
        record.prompt_tokens = Some(TokenCount {
            count: request.prompt_tokens,
            source: TokenSource::Usage,
        });
        let expected = request.is_forced.then(|| request.answers.iter().sum());
        let seat = self.flights.board(record, request.answers.len(), expected);
        for (choice, &output_tokens) in request.answers.iter().enumerate() {
            let engine_request = EngineRequest {
                prompt_tokens: request.prompt_tokens,
                output_tokens,
                hashes: request.hashes.clone(),
            };
            self.service
                .submit(self.now, engine_id(seat, choice), engine_request);
        }
    }
}

impl fmt::Debug for VirtualSession {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("VirtualSession")
            .field("now", &self.now)
            .field("phase", &self.phase)
            .field("sent", &self.sent)
            .field("in_flight", &self.flights.len())
            .finish_non_exhaustive()
    }
}

/// New arrivals from `base` on.
#[derive(Debug)]
struct DueTimes {
    arrival: Arrival,
    base: Nanos,
}

impl Iterator for DueTimes {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let base = self.base;
        self.arrival.next().map(|due| base.saturating_add(due))
    }
}

/// The schedule of a session without a load.
fn nothing() -> Schedule<DueTimes> {
    let stop = StopRule {
        requests: 0,
        until: None,
    };
    Schedule::closed(0, stop)
}

#[cfg(test)]
mod tests;
