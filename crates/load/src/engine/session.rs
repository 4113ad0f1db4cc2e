//! One uninterrupted session with a service, whose load is changed in place.
//!
//! Workers are hired once. Requests in flight stay there when the load changes, unless the change gives them up. Decides
//! nothing: which load comes when is the caller's.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crestline_core::health::ClientHealth;
use crestline_core::record::{InFlight, Phase, RequestRecord};
use crestline_core::request::Load;
use crestline_core::schedule::joins;
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use tokio::sync::mpsc;

use super::crew::{Crew, Order};
use super::outbox::Delivery;
use super::setup::Share;
use super::stop::Stop;
use super::worker::{Command, ShareChange, Sight};
use super::{DELIVERIES_ON_THE_WAY, Engine, EngineError, Happening, Setup};

/// How long to wait at most before the caller's stop is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Without an answer for so long, it is looked up whether all workers are still there.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is known of a session before it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionPlan {
    /// The highest load that may come: decides how many workers there are.
    pub most: Load,
    /// Index in the workload of the first request. The request with index `k` is item `first_item + k`; indices are
    /// never used twice, and some may be left out.
    pub first_item: u64,
}

/// A session with a service. Dropped without having been [closed](Session::close), it gives up what is in flight.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    plan: SessionPlan,
    crew: Crew,
    /// Workers of all parts.
    workers: NonZeroUsize,
    commands: Vec<mpsc::UnboundedSender<Command>>,
    deliveries: Receiver<Delivery>,
    /// Of a part without workers: nothing comes, which is no fault.
    _quiet: Option<SyncSender<Delivery>>,
    /// Ends the workers.
    stop: Stop,
    /// Users, where their number is limited.
    users: Option<usize>,
    changes: u64,
    /// Since it was last taken, of the requests that ended.
    health: ClientHealth,
    in_flight: Vec<InFlight>,
    reports: usize,
}

impl Engine {
    /// Hires workers for a session, without a load at first. Returns when they are ready.
    pub fn open_session(&self, plan: SessionPlan) -> Result<Session, EngineError> {
        let engine = self.for_session();
        let users = plan.most.concurrency.map(|users| users.get() as usize);
        let most = users
            .and_then(NonZeroUsize::new)
            .unwrap_or(NonZeroUsize::MAX);
        let workers = engine
            .part
            .all_workers(engine.setup.workers, &plan.most, most);
        let (sender, deliveries) = sync_channel(DELIVERIES_ON_THE_WAY);
        let stop = Stop::default();
        let crew = Crew::hire(&engine, workers, &sender, &stop)?;
        let mut session = Session {
            engine,
            plan,
            _quiet: crew.0.is_empty().then_some(sender),
            crew,
            workers,
            commands: Vec::new(),
            deliveries,
            stop,
            users: Some(0),
            changes: 0,
            health: ClientHealth::default(),
            in_flight: Vec::new(),
            reports: 0,
        };
        session.begin()?;
        Ok(session)
    }

    /// The same engine with workers that wait for what is in flight as long as the session does.
    fn for_session(&self) -> Self {
        let setup = Setup {
            grace: Nanos::MAX,
            ..(*self.setup).clone()
        };
        Self {
            setup: Arc::new(setup),
            route: self.route.clone(),
            head: Arc::clone(&self.head),
            clock: self.clock,
            ids: self.ids.clone(),
            part: self.part,
        }
    }
}

impl Session {
    fn begin(&mut self) -> Result<(), EngineError> {
        let numbers = self.engine.part.workers(self.workers);
        for (worker, hand) in numbers.zip(&self.crew.0) {
            let (commands, inbox) = mpsc::unbounded_channel();
            let share = self.share(self.plan.most, worker);
            hand.orders
                .send(Order::Serve(share, inbox))
                .map_err(|_| EngineError::WorkerLost)?;
            self.commands.push(commands);
        }
        self.crew
            .0
            .iter()
            .try_for_each(|hand| hand.ready.recv().map_err(|_| EngineError::WorkerLost))
    }

    /// One worker's part of a load, by its number among all.
    fn share(&self, load: Load, worker: usize) -> Share {
        Share {
            phase: Phase::Measured,
            load,
            requests: u64::MAX,
            first_item: self.plan.first_item,
            first_index: 0,
            seed: self.engine.setup.seed.wrapping_add(self.changes),
            worker,
            workers: self.workers,
        }
    }

    /// The time of the engine's clock.
    pub fn now(&self) -> Nanos {
        self.engine.clock.now()
    }

    /// Applies another load from now on; what is in flight or waits for a slot stays, unless `abort` gives it up. Gives
    /// the moment from which the load holds.
    ///
    /// Further users join evenly over `join_over`, the first at once; where that is zero, as soon as the client can let
    /// them in. After a lower concurrency, slots are not filled again until it is met. Each call draws arrivals of its
    /// own. A request that is given up loses its connection, which is how the service learns of it, and ends as
    /// [cancelled](crestline_core::record::FailureKind::Cancelled).
    pub fn change(
        &mut self,
        load: Load,
        join_over: Nanos,
        abort: Abort,
    ) -> Result<Nanos, EngineError> {
        let at = self.now();
        self.change_at(at, load, join_over, abort)?;
        Ok(at)
    }

    /// The same from a moment on that was agreed with other parts, and that has just come.
    pub fn change_at(
        &mut self,
        at: Nanos,
        load: Load,
        join_over: Nanos,
        abort: Abort,
    ) -> Result<(), EngineError> {
        self.changes += 1;
        let before = match abort {
            Abort::All => Some(0),
            _ => self.users,
        };
        self.users = load.concurrency.map(|users| users.get() as usize);
        // User `u` belongs to worker `u mod workers`, as slots are shared.
        let moments: Vec<(usize, Nanos)> = match (before, self.users) {
            (Some(before), Some(after)) if join_over > Nanos::ZERO => {
                let further = after.saturating_sub(before);
                (before..).zip(joins(further, at, join_over)).collect()
            }
            _ => Vec::new(),
        };
        let numbers = self.engine.part.workers(self.workers);
        for (worker, commands) in numbers.zip(&self.commands) {
            let mine = |&&(user, _): &&(usize, Nanos)| user % self.workers == worker;
            let change = ShareChange {
                share: self.share(load, worker),
                at,
                joins: moments.iter().filter(mine).map(|&(_, at)| at).collect(),
                abort,
            };
            commands
                .send(Command::Change(Box::new(change)))
                .map_err(|_| EngineError::WorkerLost)?;
        }
        Ok(())
    }

    /// Lets time pass up to `until`, or to a stop that is asked for, and hands over each record soon after its request
    /// has ended.
    ///
    /// On return, every request that was sent was either handed over as a record or is [in flight](Session::in_flight).
    pub fn advance(
        &mut self,
        until: Nanos,
        stop: &Stop,
        each: &mut dyn FnMut(Happening),
    ) -> Result<(), EngineError> {
        while self.now() < until && !stop.is_asked() {
            let left = until.saturating_sub(self.now()).to_duration();
            self.take_delivery(left.min(LOOK_EVERY), each)?;
            each(Happening::Tick(self.crew.live()));
        }
        self.look(each)
    }

    /// Hands over the records that are there, and does not look at what is in flight.
    pub fn take_ended(&mut self, each: &mut dyn FnMut(Happening)) -> Result<(), EngineError> {
        while let Ok(delivery) = self.deliveries.try_recv() {
            self.take(delivery, each);
        }
        if self.crew.has_lost_one() {
            return Err(EngineError::WorkerLost);
        }
        Ok(())
    }

    /// Requests in flight when [`Session::advance`] returned, by index.
    pub fn in_flight(&self) -> &[InFlight] {
        &self.in_flight
    }

    /// How well the client kept up since the last call, or since the session began.
    pub fn take_health(&mut self) -> Result<ClientHealth, EngineError> {
        let mut health = std::mem::take(&mut self.health);
        for part in self.ask(Command::Health)? {
            health.merge(part);
        }
        Ok(health)
    }

    /// Sends nothing more, and waits for what is in flight: for `grace` at most, or until the stop is urgent. What is
    /// left then is given up. Gives the client's health since it was last taken.
    pub fn close(
        mut self,
        grace: Nanos,
        stop: &Stop,
        each: &mut dyn FnMut(Happening),
    ) -> Result<ClientHealth, EngineError> {
        let deadline = self.now().saturating_add(grace);
        self.stop.ask();
        while self.reports < self.crew.0.len() {
            if self.now() >= deadline || stop.is_urgent() {
                self.stop.ask();
            }
            self.take_delivery(LOOK_EVERY, each)?;
            each(Happening::Tick(self.crew.live()));
        }
        self.crew.dismiss()?;
        Ok(std::mem::take(&mut self.health))
    }

    /// Waits for one delivery.
    fn take_delivery(
        &mut self,
        patience: Duration,
        each: &mut dyn FnMut(Happening),
    ) -> Result<(), EngineError> {
        match self.deliveries.recv_timeout(patience) {
            Ok(delivery) => self.take(delivery, each),
            Err(RecvTimeoutError::Timeout) if !self.crew.has_lost_one() => {}
            Err(_) => return Err(EngineError::WorkerLost),
        }
        Ok(())
    }

    fn take(&mut self, delivery: Delivery, each: &mut dyn FnMut(Happening)) {
        match delivery {
            Delivery::Records(records) => self.hand_over(records, each),
            Delivery::Report(report) => {
                self.health.merge(*report);
                self.reports += 1;
            }
        }
    }

    fn hand_over(&mut self, records: Vec<RequestRecord>, each: &mut dyn FnMut(Happening)) {
        for record in records {
            self.health.add(&record);
            each(Happening::Record(Box::new(record)));
        }
    }

    /// Asks all workers what has ended and what is in flight.
    fn look(&mut self, each: &mut dyn FnMut(Happening)) -> Result<(), EngineError> {
        let sights: Vec<Sight> = self.ask(Command::Show)?;
        // A worker may have delivered more since its answer; what is in that has ended, whatever the answer says.
        let mut ended = Vec::new();
        let mut note = |happening: Happening| {
            if let Happening::Record(record) = &happening {
                ended.push(record.index);
            }
            each(happening);
        };
        while let Ok(delivery) = self.deliveries.try_recv() {
            self.take(delivery, &mut note);
        }
        self.in_flight.clear();
        for sight in sights {
            self.hand_over(sight.ended, &mut note);
            self.in_flight.extend(sight.in_flight);
        }
        ended.sort_unstable();
        self.in_flight
            .retain(|flight| ended.binary_search(&flight.index).is_err());
        self.in_flight.sort_unstable_by_key(|flight| flight.index);
        Ok(())
    }

    /// Asks all workers, and waits for their answers.
    fn ask<T>(&self, question: impl Fn(SyncSender<T>) -> Command) -> Result<Vec<T>, EngineError> {
        let (sender, answers) = sync_channel(self.commands.len());
        for commands in &self.commands {
            commands
                .send(question(sender.clone()))
                .map_err(|_| EngineError::WorkerLost)?;
        }
        drop(sender);
        let mut all = Vec::with_capacity(self.commands.len());
        while all.len() < self.commands.len() {
            match answers.recv_timeout(PATIENCE) {
                Ok(answer) => all.push(answer),
                Err(RecvTimeoutError::Timeout) if !self.crew.has_lost_one() => {}
                Err(_) => return Err(EngineError::WorkerLost),
            }
        }
        Ok(all)
    }
}

impl Drop for Session {
    /// The workers end soon, and nobody waits for them.
    fn drop(&mut self) {
        self.stop.ask();
        self.stop.ask();
    }
}
