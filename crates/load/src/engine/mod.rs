//! Applies a load: shards it among workers, collects what they report.
//!
//! A worker owns its connections, its part of the schedule and its gauges; nothing is shared or locked while requests
//! are in flight. Finished records go down one bounded channel to the caller's thread.

mod check;
mod conversation;
mod crew;
mod flight;
mod head;
mod ids;
mod lag;
mod links;
mod live;
mod outbox;
mod pacer;
mod part;
mod prepare;
mod roster;
mod session;
mod setup;
mod stop;
mod worker;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crestline_core::health::ClientHealth;
use crestline_core::record::{Failure, Phase, RequestRecord};
use crestline_core::request::{Item, LoadPoint};
use crestline_core::units::Nanos;
use tokio::runtime::{Builder, LocalOptions};

pub use head::HeaderError;
pub use live::Live;
pub use part::Part;
pub use session::{Session, SessionPlan};
pub use setup::Setup;
pub use stop::Stop;

use crate::client::connect::{Route, RouteError};
use crate::client::trust::{ExtraRoots, Trust};
use crate::clock::Clock;
use crew::{Crew, Order};
use head::RequestHead;
pub(crate) use head::headers;
use ids::RequestIds;
use outbox::Delivery;
use setup::{Share, most_workers};
use worker::PhaseSpan;

/// Finished records on the way to the collector, at most.
const DELIVERIES_ON_THE_WAY: usize = 64;
/// From the moment at which all workers are ready to the start of a phase.
const HEAD_START: Nanos = Nanos::from_millis(2);

/// A service and the way to it, ready for load.
#[derive(Debug)]
pub struct Engine {
    setup: Arc<Setup>,
    route: Route,
    head: Arc<RequestHead>,
    clock: Clock,
    ids: RequestIds,
    part: Part,
}

/// A load that could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The way to the service.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The connection before the load, which shows how the service is spoken to.
    #[error("no connection to the service: {}", .0.text)]
    Unreachable(Failure),
    /// A header of the user's.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// What is the user's own cannot make the first request.
    #[error("the first request cannot be made: {}", .0.text)]
    NotMade(Failure),
    /// Conversations of several turns, where the body has no list of messages to put the history into.
    #[error("the requests have no messages of their own, which turns of conversations need")]
    NoMessages,
    /// A thread, a runtime or a timer.
    #[error("a worker cannot be started")]
    Worker(#[from] io::Error),
    /// A worker has panicked.
    #[error("a worker ended before its work was done; this is a fault in crestline")]
    WorkerLost,
}

/// A service that does not answer as it should, before any load.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The runtime cannot be started.
    #[error("the connection cannot be tested")]
    Runtime(#[from] io::Error),
    /// Someone asked to stop before there was an answer.
    #[error("stopped before the service answered")]
    Stopped,
    /// The request failed.
    #[error("{}", .0.text)]
    Failed(Failure),
}

impl From<Failure> for CheckError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What happens while a load is applied.
#[derive(Debug)]
pub enum Happening {
    /// The counted requests begin.
    Counting,
    /// A request has ended.
    Record(Box<RequestRecord>),
    /// Some time has passed.
    Tick(Live),
}

/// What is applied, and who may end it early.
#[derive(Debug, Clone, Copy)]
pub struct Applying<'a> {
    /// The load.
    pub point: &'a LoadPoint,
    /// Index in the workload of the first request.
    pub first_item: u64,
    /// Ends it.
    pub stop: &'a Stop,
}

/// Asked once everything is ready for a phase: gives the moment on the engine's clock at which it begins. `None`, where a stop
/// was asked for meanwhile: it does not begin then.
pub type Gate<'a> = dyn FnMut(Phase) -> Option<Nanos> + 'a;

/// How a load was applied.
#[derive(Debug)]
pub struct Applied {
    /// How well the client kept up.
    pub health: ClientHealth,
    /// When the counted requests began, on the engine's clock.
    pub start: Nanos,
    /// It was stopped before its end.
    pub interrupted: bool,
}

impl Engine {
    /// Finds the way to the service; where it is encrypted, a first connection shows that it can be used and whether
    /// HTTP/2 is spoken. `run_id` begins the id of each request; `env` gives the proxy variables.
    pub fn new(
        setup: Setup,
        run_id: &str,
        roots: &ExtraRoots,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, EngineError> {
        let has_messages = || setup.own.builder().is_none() && conversation::fit(&setup);
        if setup.workload.most_turns().is_some() && !has_messages() {
            return Err(EngineError::NoMessages);
        }
        setup.try_first().map_err(EngineError::NotMade)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let target = &setup.target;
        let opening = target.connect_timeout.unwrap_or(target.total_timeout);
        let mut route = runtime.block_on(Route::find(
            &target.url,
            opening,
            Trust::of(target, roots),
            env,
        ))?;
        runtime
            .block_on(route.try_out())
            .map_err(EngineError::Unreachable)?;
        Ok(Self {
            head: Arc::new(RequestHead::new(&setup, &route)?),
            setup: Arc::new(setup),
            route,
            clock: Clock::start(),
            ids: RequestIds::of_run(run_id),
            part: Part::whole(),
        })
    }

    /// The same engine, which applies one part of each load.
    pub fn as_part(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// The same engine, whose counted requests are named by this prefix and their position among them; those of the
    /// warm-up have `warmup-` between.
    pub fn with_id_prefix(self, prefix: &str) -> Self {
        Self {
            ids: RequestIds::prefixed(prefix),
            ..self
        }
    }

    /// The clock that all times are read from.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Sends one short request and waits for its first token, or for the whole answer where it is not streamed.
    pub fn check(&self, stop: &Stop) -> Result<(), CheckError> {
        alone(check::check(self), stop)
    }

    /// Sends one item over a connection of its own and waits for the whole answer; nothing of it is in any record.
    pub fn try_item(&self, item: Item, stop: &Stop) -> Result<(), CheckError> {
        alone(check::whole(self, item), stop)
    }

    /// Applies a load, warm-up first, and hands over each record as it ends. `first_item` is the index in the workload
    /// of the first request. Returns when all requests have ended or were given up. `u64::MAX` requests go on until a stop is
    /// asked for.
    pub fn apply(
        &self,
        point: &LoadPoint,
        first_item: u64,
        stop: &Stop,
        each: &mut dyn FnMut(Happening),
    ) -> Result<Applied, EngineError> {
        let clock = self.clock;
        let at_once = &mut |_| Some(clock.now().saturating_add(HEAD_START));
        let what = Applying {
            point,
            first_item,
            stop,
        };
        self.apply_together(what, at_once, each)
    }

    /// The same for one of several parts, which begin together: each phase when `gate` says.
    pub fn apply_together(
        &self,
        what: Applying<'_>,
        gate: &mut Gate<'_>,
        each: &mut dyn FnMut(Happening),
    ) -> Result<Applied, EngineError> {
        let Applying {
            point,
            first_item,
            stop,
        } = what;
        let most = most_workers(point);
        let workers = self.part.all_workers(self.setup.workers, &point.load, most);
        let (sender, deliveries) = sync_channel(DELIVERIES_ON_THE_WAY);
        let mut crew = Crew::hire(self, workers, &sender, stop)?;
        drop(sender);
        let mut collector = Collector {
            engine: self,
            point,
            workers,
            deliveries,
            gate,
            each,
        };
        let items = [
            (Phase::Warmup, point.warmup, first_item),
            (Phase::Measured, point.requests, first_item + point.warmup),
        ];
        let mut applied = Applied {
            health: ClientHealth::default(),
            start: self.clock.now(),
            interrupted: false,
        };
        for (phase, requests, item) in items {
            if requests > 0
                && !stop.is_asked()
                && let Some((health, start)) = collector.phase(&crew, phase, requests, item)?
            {
                (applied.health, applied.start) = (health, start);
            }
        }
        applied.interrupted = stop.is_asked();
        crew.dismiss()?;
        Ok(applied)
    }
}

/// One exchange before any load, unless someone asks to stop.
fn alone(
    exchange: impl Future<Output = Result<(), Failure>>,
    stop: &Stop,
) -> Result<(), CheckError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        tokio::select! {
            answer = exchange => Ok(answer?),
            () = stop.asked() => Err(CheckError::Stopped),
        }
    })
}

/// The caller's side of a load.
struct Collector<'a, 'g> {
    engine: &'a Engine,
    point: &'a LoadPoint,
    /// Of all parts.
    workers: NonZeroUsize,
    deliveries: Receiver<Delivery>,
    gate: &'a mut Gate<'g>,
    each: &'a mut dyn FnMut(Happening),
}

impl Collector<'_, '_> {
    /// Runs one phase on all workers; gives the client's health and the start. `None` where it was not to begin.
    fn phase(
        &mut self,
        crew: &Crew,
        phase: Phase,
        requests: u64,
        first_item: u64,
    ) -> Result<Option<(ClientHealth, Nanos)>, EngineError> {
        let lost = |_| EngineError::WorkerLost;
        let numbers = self.engine.part.workers(self.workers);
        for (worker, hand) in numbers.zip(&crew.0) {
            let share = Share {
                phase,
                load: self.point.load,
                requests,
                first_item,
                first_index: if phase == Phase::Warmup {
                    0
                } else {
                    self.point.warmup
                },
                seed: self.engine.setup.seed,
                worker,
                workers: self.workers,
            };
            hand.orders
                .send(Order::Prepare(share))
                .map_err(|_| EngineError::WorkerLost)?;
        }
        crew.0
            .iter()
            .try_for_each(|hand| hand.ready.recv().map_err(lost))?;
        let Some(start) = (self.gate)(phase) else {
            return Ok(None);
        };
        let until = self.point.duration.filter(|_| phase == Phase::Measured);
        let span = PhaseSpan {
            start,
            until: until.map(|duration| start.saturating_add(duration)),
        };
        for hand in &crew.0 {
            hand.orders
                .send(Order::Run(span))
                .map_err(|_| EngineError::WorkerLost)?;
        }
        if phase == Phase::Measured {
            (self.each)(Happening::Counting);
        }
        Ok(Some((self.collect(crew)?, start)))
    }

    /// Takes deliveries until every worker has reported.
    fn collect(&mut self, crew: &Crew) -> Result<ClientHealth, EngineError> {
        let mut health = ClientHealth::default();
        let mut reports = 0;
        while reports < crew.0.len() {
            match self.deliveries.recv_timeout(Duration::from_millis(100)) {
                Ok(Delivery::Records(records)) => {
                    for record in records {
                        health.add(&record);
                        (self.each)(Happening::Record(Box::new(record)));
                    }
                }
                Ok(Delivery::Report(report)) => {
                    health.merge(*report);
                    reports += 1;
                }
                Err(RecvTimeoutError::Timeout) if crew.has_lost_one() => {
                    return Err(EngineError::WorkerLost);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(EngineError::WorkerLost),
            }
            (self.each)(Happening::Tick(crew.live()));
        }
        Ok(health)
    }
}
