//! The worker threads of one load, and what they are told.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::lag;
use super::live::{Live, LiveCounters};
use super::outbox::{Delivery, Outbox};
use super::pacer::Pacer;
use super::setup::Share;
use super::stop::Stop;
use super::worker::{Command, Commands, Parts, PhaseSpan, Worker};
use super::{Engine, EngineError};

/// The worker threads of one load.
#[derive(Debug)]
pub(super) struct Crew(pub(super) Vec<Hand>);

/// One worker thread as its employer sees it.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) ready: Receiver<()>,
    live: Arc<LiveCounters>,
    pub(super) thread: JoinHandle<io::Result<()>>,
}

/// What a worker is told.
#[derive(Debug)]
pub(super) enum Order {
    Prepare(Share),
    Run(PhaseSpan),
    Serve(Share, mpsc::UnboundedReceiver<Command>),
}

impl Crew {
    /// Hires those of so many workers that belong to the engine's part.
    pub(super) fn hire(
        engine: &Engine,
        workers: NonZeroUsize,
        to: &SyncSender<Delivery>,
        stop: &Stop,
    ) -> io::Result<Self> {
        let hire_one = |number| {
            let (orders, inbox) = mpsc::unbounded_channel();
            let (ready_sender, ready) = sync_channel(1);
            let live = Arc::new(LiveCounters::default());
            let hired = Hired {
                parts: Parts {
                    clock: engine.clock,
                    route: engine.route.clone(),
                    setup: Arc::clone(&engine.setup),
                    head: Arc::clone(&engine.head),
                    ids: engine.ids.clone(),
                    outbox: Outbox::new(to.clone()),
                    live: Arc::clone(&live),
                },
                inbox,
                ready: ready_sender,
                stop: stop.clone(),
            };
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || hired.work())?;
            Ok(Hand {
                orders,
                ready,
                live,
                thread,
            })
        };
        engine
            .part
            .workers(workers)
            .map(hire_one)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    pub(super) fn live(&self) -> Live {
        self.0
            .iter()
            .fold(Live::default(), |sum, hand| sum.add(&hand.live))
    }

    /// A worker has ended although it has work.
    pub(super) fn has_lost_one(&self) -> bool {
        self.0.iter().any(|hand| hand.thread.is_finished())
    }

    /// Tells all workers that there is no more work, and waits for them.
    pub(super) fn dismiss(&mut self) -> Result<(), EngineError> {
        for hand in self.0.drain(..) {
            drop(hand.orders);
            hand.thread.join().map_err(|_| EngineError::WorkerLost)??;
        }
        Ok(())
    }
}

/// What a worker thread takes with it.
struct Hired {
    parts: Parts,
    inbox: mpsc::UnboundedReceiver<Order>,
    ready: SyncSender<()>,
    stop: Stop,
}

impl Hired {
    fn work(mut self) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        runtime.block_on(async move {
            let clock = self.parts.clock;
            let pacer = Pacer::new(clock)?;
            let worker = Worker::new(self.parts, lag::watch(clock)?);
            while let Some(order) = self.inbox.recv().await {
                match order {
                    Order::Prepare(share) => {
                        worker.prepare(share).await;
                        // The employer may have given up; then the inbox is closed too.
                        let _ = self.ready.send(());
                    }
                    Order::Serve(share, commands) => {
                        worker.prepare_session(share).await;
                        let _ = self.ready.send(());
                        let commands = Commands(Some(commands));
                        let health = worker.serve(commands, &pacer, &self.stop).await;
                        worker.close_phase(health);
                    }
                    Order::Run(span) => {
                        let health = worker.run(span, &pacer, &self.stop).await;
                        worker.close_phase(health);
                    }
                }
            }
            Ok(())
        })
    }
}
