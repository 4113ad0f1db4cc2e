//! A worker: one thread, one runtime, its own connections, its share of the schedule.
//!
//! A request that is due is written by whatever task is running when it becomes due, not by a task that waits its turn
//! behind all the streams that have just received something.

mod commands;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use crestline_core::arrival;
use crestline_core::follow_ups::FollowUps;
use crestline_core::health::{ClientHealth, Starved, WorkerUse};
use crestline_core::record::RequestRecord;
use crestline_core::schedule::{Schedule, Start};
use crestline_core::units::Nanos;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use super::conversation::Thread;
use super::flight::{Flight, into_text};
use super::head::RequestHead;
use super::ids::RequestIds;
use super::lag::Lags;
use super::links::Links;
use super::live::LiveCounters;
use super::outbox::Outbox;
use super::pacer::Pacer;
use super::prepare::{Prepared, Queue, Written};
use super::roster::{Roster, Track};
use super::setup::{DueTimes, Setup, Share};
use super::stop::Stop;
use crate::client::answer::Answer;
use crate::client::connect::Route;
use crate::client::exchange::{Desk, Limits, Outgoing};
use crate::client::wire::Wire;
use crate::clock::{Clock, thread_cpu};
pub(crate) use commands::{Command, Commands, ShareChange, Sight};

/// Requests started in one go before the sockets are looked at again.
const BATCH: usize = 4;
/// How often a stop that was asked for is looked at.
const STOP_POLL: Nanos = Nanos::from_millis(20);

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) desk: Desk,
    pub(crate) route: Route,
    setup: Arc<Setup>,
    pub(crate) head: Arc<RequestHead>,
    pub(crate) links: Links,
    ids: RequestIds,
    idle: RefCell<Vec<Wire>>,
    phase: RefCell<Option<Current>>,
    next_due: Cell<Nanos>,
    /// Requests that may still be sent by ending ones, before the sockets are looked at.
    at_once: Cell<usize>,
    tasks: RefCell<JoinSet<()>>,
    /// Processor time and moment at which the gauges were last taken.
    window: Cell<(Nanos, Nanos)>,
    wake: Notify,
    outbox: RefCell<Outbox>,
    live: Arc<LiveCounters>,
    lags: Lags,
}

/// The phase that is running.
#[derive(Debug)]
struct Current {
    share: Share,
    /// Of a phase that was made ready: drawn before its start, so that the draws do not delay it.
    arrivals: Option<arrival::Shard>,
    schedule: Schedule<DueTimes>,
    /// Later turns of conversations, which have their slots already.
    follow_ups: FollowUps<Box<Thread>>,
    queue: Queue,
    held: Option<Prepared>,
    in_flight: u64,
    starving_since: Option<Nanos>,
    starved: Starved,
    /// Only in a session.
    roster: Option<Roster>,
}

impl Current {
    /// Sends nothing more; conversations are broken off.
    fn stop(&mut self) {
        self.schedule.stop();
        for _ in 0..self.follow_ups.stop() {
            self.schedule.release(Nanos::ZERO);
        }
    }

    /// Nothing is in flight, and nothing will be sent.
    fn is_over(&mut self, now: Nanos) -> bool {
        self.in_flight == 0 && self.follow_ups.is_empty() && self.schedule.is_over(now)
    }

    /// Whether something is to be sent now, and when the next request will be due by itself.
    fn outlook(&mut self, now: Nanos) -> (bool, Option<Nanos>) {
        let follows_at = self.follow_ups.next_due();
        let follows = follows_at.is_some_and(|due| due <= now);
        if self.starving_since.is_some() {
            return (follows, follows_at);
        }
        let is_ready = self.schedule.is_ready(now);
        let begins_at = self.schedule.wakes_at();
        let next = begins_at.into_iter().chain(follows_at).min();
        (is_ready || follows, next)
    }
}

/// When a phase begins, and when it sends no more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PhaseSpan {
    pub(crate) start: Nanos,
    pub(crate) until: Option<Nanos>,
}

/// What a worker is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) route: Route,
    pub(crate) setup: Arc<Setup>,
    pub(crate) head: Arc<RequestHead>,
    pub(crate) ids: RequestIds,
    pub(crate) outbox: Outbox,
    pub(crate) live: Arc<LiveCounters>,
}

impl Worker {
    pub(crate) fn new(parts: Parts, lags: Lags) -> Rc<Self> {
        Rc::new(Self {
            desk: Desk::new(parts.clock),
            route: parts.route,
            setup: parts.setup,
            head: parts.head,
            links: Links::default(),
            ids: parts.ids,
            idle: RefCell::default(),
            phase: RefCell::default(),
            next_due: Cell::new(Nanos::MAX),
            at_once: Cell::new(0),
            tasks: RefCell::default(),
            window: Cell::default(),
            wake: Notify::new(),
            outbox: RefCell::new(parts.outbox),
            live: parts.live,
            lags,
        })
    }

    /// Makes ready for a phase, up to its first request, so that the start is not delayed by it.
    pub(crate) async fn prepare(&self, share: Share) {
        let arrivals = share.arrivals(&self.setup.due_times);
        self.begin(share, arrivals, None).await;
    }

    /// Makes ready for a session that has no load yet.
    pub(crate) async fn prepare_session(&self, share: Share) {
        self.begin(share, None, Some(Roster::default())).await;
    }

    async fn begin(&self, share: Share, arrivals: Option<arrival::Shard>, roster: Option<Roster>) {
        let mut queue = Queue::start(&self.setup, share, self.setup.preparers);
        let held = queue.next().await;
        *self.phase.borrow_mut() = Some(Current {
            share,
            arrivals,
            schedule: Share::idle(),
            follow_ups: FollowUps::default(),
            queue,
            held,
            in_flight: 0,
            starving_since: None,
            starved: Starved::default(),
            roster,
        });
    }

    /// Runs the phase that was made ready: until everything is sent and answered, or given up after a stop.
    pub(crate) async fn run(
        self: &Rc<Self>,
        span: PhaseSpan,
        pacer: &Pacer,
        stop: &Stop,
    ) -> ClientHealth {
        self.with_current(|current| {
            let arrivals = current.arrivals.take();
            current.schedule = current.share.schedule(arrivals, span.start, span.until);
            current.follow_ups = FollowUps::until(span.until);
        });
        pacer.until(span.start).await;
        self.serve(Commands(None), pacer, stop).await
    }

    /// Sends what the load asks for, and does what it is told, until everything is answered or given up after a stop.
    pub(crate) async fn serve(
        self: &Rc<Self>,
        mut commands: Commands,
        pacer: &Pacer,
        stop: &Stop,
    ) -> ClientHealth {
        self.take_window();
        self.drive(&mut commands, pacer, stop).await;
        let health = self.take_window();
        self.phase.take();
        health
    }

    /// How well it kept up since the last call.
    fn take_window(&self) -> ClientHealth {
        let now = (thread_cpu(), self.desk.clock.now());
        let (cpu, from) = self.window.replace(now);
        let used = WorkerUse {
            cpu: now.0.saturating_sub(cpu),
            wall: now.1.saturating_sub(from),
        };
        let gauges = self.desk.take_gauges();
        let starved = self.with_current(|current| std::mem::take(&mut current.starved));
        ClientHealth {
            read_lag: gauges.lag,
            unstamped: gauges.unstamped,
            loop_lag: self.lags.take(),
            reads: gauges.reads,
            events: gauges.events,
            workers: vec![used],
            starved: starved.unwrap_or_default(),
            own: self.setup.own.take(&self.setup.workload),
            ..ClientHealth::default()
        }
    }

    /// Longest times a request may take.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            read: self.setup.target.read_timeout,
            total: self.setup.target.total_timeout,
        }
    }

    /// A socket read was handled: sends what has become due in the meantime.
    pub(crate) fn heard(self: &Rc<Self>, at: Nanos, chunks: u64) {
        if chunks > 0 {
            self.live.chunks.fetch_add(chunks, Relaxed);
        }
        if at >= self.next_due.get() && self.dispatch(at) {
            self.wake.notify_one();
        }
    }

    /// Delivers all records of the phase, and how it went.
    pub(crate) fn close_phase(&self, health: ClientHealth) {
        self.outbox.borrow_mut().close_phase(health);
    }

    /// An answer of which nothing is received yet.
    pub(crate) fn blank_answer(&self) -> Answer {
        self.setup.blank_answer()
    }

    /// A request body as the record keeps it: none that is a form, for a recording is no text. One that is still to be
    /// counted is kept in any case.
    pub(crate) fn text_of(&self, body: Bytes, record: &RequestRecord) -> String {
        let is_counted = record.turn.is_none() || record.prompt_tokens.is_some();
        let is_kept = self.setup.keep_text || !is_counted || self.setup.own.reader().is_some();
        if is_kept && !self.setup.endpoint.sends_form() {
            into_text(body)
        } else {
            String::new()
        }
    }

    /// Keeps an open connection for the next request.
    pub(crate) fn keep(&self, wire: Wire) {
        self.idle.borrow_mut().push(wire);
    }

    /// A request has ended: frees its slot, which may send the next one at once, unless a turn follows after a pause.
    pub(crate) fn finish(
        self: &Rc<Self>,
        record: RequestRecord,
        next: Option<(Nanos, Box<Thread>)>,
    ) {
        self.live.count_end(&record);
        if let Some(current) = self.phase.borrow_mut().as_mut() {
            current.in_flight -= 1;
            let follows = next.is_some_and(|(pause, thread)| {
                let due = record.end.saturating_add(pause);
                current.follow_ups.add(due, thread)
            });
            if !follows {
                current.schedule.release(record.end);
            }
            if let Some(roster) = &mut current.roster {
                roster.remove(record.index);
            }
        }
        self.outbox.borrow_mut().add(record);
        // Where hundreds of requests end together, their successors are sent in batches between socket reads.
        let at_once = self.at_once.get();
        if at_once > 0 {
            self.at_once.set(at_once - 1);
            self.dispatch(self.desk.clock.now());
        }
        self.wake.notify_one();
    }

    async fn drive(self: &Rc<Self>, commands: &mut Commands, pacer: &Pacer, stop: &Stop) {
        let mut deadline = None;
        loop {
            self.obey_all(commands);
            if deadline.is_none() && stop.is_asked() {
                deadline = Some(self.desk.clock.now().saturating_add(self.setup.grace));
                self.with_current(Current::stop);
            }
            if deadline
                .is_some_and(|deadline| self.desk.clock.now() >= deadline || stop.is_urgent())
            {
                self.give_up().await;
            }
            self.at_once.set(BATCH);
            if self.dispatch(self.desk.clock.now()) {
                // More is due: lets the sockets be looked at between two batches.
                tokio::task::yield_now().await;
                continue;
            }
            if self.is_over() {
                return;
            }
            let tick = self.desk.clock.now().saturating_add(STOP_POLL);
            tokio::select! {
                () = pacer.until(self.next_due.get()) => {}
                () = self.wake.notified() => {}
                () = self.fed() => {}
                command = commands.next() => self.obey(command),
                () = tokio::time::sleep_until(self.desk.clock.deadline(tick)) => {}
            }
            while self.tasks.borrow_mut().try_join_next().is_some() {}
            self.outbox.borrow_mut().deliver(self.desk.clock.now());
        }
    }

    /// Drops all requests in flight; each reports itself as cancelled.
    async fn give_up(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        tasks.shutdown().await;
    }

    fn is_over(&self) -> bool {
        let now = self.desk.clock.now();
        self.with_current(|current| current.is_over(now))
            .unwrap_or(true)
    }

    /// Waits for the next prepared request, where one is missing.
    async fn fed(&self) {
        let starving = self
            .with_current(|current| current.starving_since.is_some())
            .unwrap_or(false);
        if !starving {
            return std::future::pending().await;
        }
        std::future::poll_fn(|cx| {
            let mut phase = self.phase.borrow_mut();
            let Some(current) = phase.as_mut() else {
                return std::task::Poll::Pending;
            };
            let next = std::pin::pin!(current.queue.next()).as_mut().poll(cx);
            next.map(|next| current.held = next)
        })
        .await;
    }

    fn with_current<T>(&self, with: impl FnOnce(&mut Current) -> T) -> Option<T> {
        self.phase.borrow_mut().as_mut().map(with)
    }

    /// Sends what may be sent now, a batch at most; true where more is left.
    fn dispatch(self: &Rc<Self>, now: Nanos) -> bool {
        let mut sent = 0;
        while sent < BATCH {
            if let Some((due, thread, share)) = self.take_turn(now) {
                self.follow_up(due, thread, share);
            } else if let Some((start, prepared, share)) = self.take_next(now) {
                self.launch(start, prepared, share);
            } else {
                break;
            }
            sent += 1;
        }
        let wakes = self.with_current(|current| current.outlook(now));
        let (more, wakes_at) = wakes.unwrap_or((false, None));
        self.next_due.set(wakes_at.unwrap_or(Nanos::MAX));
        more
    }

    /// A turn that follows on an answer.
    fn take_turn(&self, now: Nanos) -> Option<(Nanos, Box<Thread>, Share)> {
        let mut phase = self.phase.borrow_mut();
        let current = phase.as_mut()?;
        let (due, thread) = current.follow_ups.take(now)?;
        current.in_flight += 1;
        Some((due, thread, current.share))
    }

    fn take_next(&self, now: Nanos) -> Option<(Start, Prepared, Share)> {
        let mut phase = self.phase.borrow_mut();
        let current = phase.as_mut()?;
        if !current.schedule.is_ready(now) {
            return None;
        }
        let Some(prepared) = current.held.take().or_else(|| current.queue.try_next()) else {
            current.starving_since.get_or_insert(now);
            return None;
        };
        if let Some(since) = current.starving_since.take() {
            current.starved.sends += 1;
            current.starved.wait += now.saturating_sub(since);
        }
        let start = current.schedule.take(now)?;
        current.in_flight += 1;
        Some((start, prepared, current.share))
    }

    /// Sends a request, or the first turn of a conversation.
    fn launch(self: &Rc<Self>, start: Start, prepared: Prepared, share: Share) {
        let Prepared {
            number,
            written,
            mut thread,
        } = prepared;
        let mut record = RequestRecord::new(share.first_index + number, share.phase);
        record.due = start.due;
        record.slot_wait = start.slot_wait;
        record.request_id = self.ids.id(share.phase, number, record.index);
        if let Some(thread) = &mut thread {
            thread.call(std::mem::take(&mut record.request_id));
            thread.begin(&mut record);
        }
        self.send(record, written, thread);
    }

    /// Sends a later turn.
    fn follow_up(self: &Rc<Self>, due: Nanos, mut thread: Box<Thread>, share: Share) {
        let mut record = RequestRecord::new(0, share.phase);
        record.due = due;
        thread.begin(&mut record);
        let written = thread.take_next().expect("a turn that is due is ready");
        self.send(record, written, Some(thread));
    }

    /// Writes a request to an idle connection, or lets it open one.
    fn send(
        self: &Rc<Self>,
        mut record: RequestRecord,
        written: Written,
        thread: Option<Box<Thread>>,
    ) {
        self.live.sent.fetch_add(1, Relaxed);
        record.asked_output = written.asked_output;
        if let Some(fault) = written.fault {
            return Flight::new(Rc::clone(self), record, written.body).fail(fault);
        }
        let track = self.track(&record, written.expected_tokens);
        let mut flight = Flight::new(Rc::clone(self), record, written.body);
        flight.prompt_tokens = written.prompt_tokens;
        flight.thread = thread;
        flight.track.clone_from(&track);
        let task = if self.route.is_http2() {
            let begun = flight.begin_http2();
            self.tasks.borrow_mut().spawn_local(flight.run_http2(begun))
        } else {
            self.launch_http1(flight)
        };
        if let Some(track) = track {
            self.with_current(|current| {
                if let Some(roster) = &mut current.roster {
                    roster.add(track, task);
                }
            });
        }
    }

    /// What can be seen of a request that is about to be sent, where someone looks.
    fn track(&self, record: &RequestRecord, expected_tokens: Option<u32>) -> Option<Rc<Track>> {
        let seen = self.with_current(|current| current.roster.is_some());
        let now = || self.desk.clock.now();
        seen?.then(|| Track::new(record.index, record.due, now(), expected_tokens))
    }

    fn launch_http1(&self, mut flight: Flight) -> AbortHandle {
        let head = self.head.http1(flight.names(), flight.body.len());
        let mut out = Outgoing::new(head, flight.body.clone());
        let (mut wire, closed) = self.idle_connection();
        flight.record.reconnects += closed;
        if let Some(wire) = &mut wire {
            flight.record.sent = self.desk.clock.now();
            // A failed write is seen by the exchange, as the end of the connection.
            let _ = out.write_now(wire);
        }
        self.tasks.borrow_mut().spawn_local(flight.run(out, wire))
    }

    /// An idle connection that is still open; and 1 where only closed ones were found.
    fn idle_connection(&self) -> (Option<Wire>, u32) {
        let mut idle = self.idle.borrow_mut();
        let mut closed = 0;
        while let Some(wire) = idle.pop() {
            if wire.is_idle_and_open() {
                return (Some(wire), 0);
            }
            closed = 1;
        }
        (None, closed)
    }
}
