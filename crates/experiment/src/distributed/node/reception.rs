//! Takes what comes over a worker's link, on a thread of its own: answers at once what must not wait, stops what is to be
//! stopped, and hands the rest to the thread that works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock::{Clock, monotonic};
use crestline_load::engine::Stop;

use super::WorkError;
use super::outgoing::Outgoing;
use crate::distributed::link::{Delivery, Gone};
use crate::distributed::wire::{Frame, Order, Report};

/// Between two signs of life.
const BEAT_EVERY: Nanos = Nanos::from_secs(1);
/// How long to wait at most before it is looked up whether all is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A coordinator that was not heard of for so long is gone. It says something each second.
const ORPHANED_AFTER: Nanos = Nanos::from_secs(30);

/// An order, and what stops the load that it is of.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) order: Order,
    pub(super) stop: Stop,
}

/// The thread that listens.
#[derive(Debug)]
pub(super) struct Reception {
    from: Receiver<Delivery>,
    out: Outgoing,
    orders: Sender<Given>,
    /// Of the load that was ordered last.
    stop: Stop,
    clock: Clock,
    heard: Nanos,
    beat: Nanos,
}

impl Reception {
    pub(super) fn new(from: Receiver<Delivery>, out: Outgoing, orders: Sender<Given>) -> Self {
        Self {
            from,
            out,
            orders,
            stop: Stop::default(),
            clock: Clock::start(),
            heard: Nanos::ZERO,
            beat: Nanos::ZERO,
        }
    }

    /// Until the worker is let go, or all is over otherwise. Whatever is applied when the coordinator goes is stopped.
    pub(super) fn receive(mut self, over: &AtomicBool) -> Result<(), WorkError> {
        let ended = loop {
            if over.load(Ordering::Relaxed) {
                break Ok(());
            }
            match self.next() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
            let now = self.clock.now();
            if now.saturating_sub(self.beat) >= BEAT_EVERY {
                self.beat = now;
                self.out.beat();
            }
        };
        self.stop.ask();
        self.stop.ask();
        ended
    }

    /// Takes one frame, where one comes; false after the last one.
    fn next(&mut self) -> Result<bool, WorkError> {
        let silence = self.clock.now().saturating_sub(self.heard);
        let order = match self.from.recv_timeout(LOOK_EVERY) {
            Ok(Ok(frame)) => Frame::read_order(&frame)?,
            Ok(Err(Gone(why))) => return Err(WorkError::Gone(why)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(WorkError::Gone("the link has ended".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) if silence >= ORPHANED_AFTER => {
                let seconds = ORPHANED_AFTER.as_secs_f64();
                let why = format!("nothing was heard of it for {seconds} s");
                return Err(WorkError::Gone(why));
            }
            Err(RecvTimeoutError::Timeout) => return Ok(true),
        };
        self.heard = self.clock.now();
        Ok(self.take(order))
    }

    fn take(&mut self, order: Order) -> bool {
        match order {
            Order::Ping { number } => {
                let at = monotonic();
                self.out.say(&Report::Pong { number, at });
                return true;
            }
            Order::Beat => return true,
            Order::Stop => {
                self.stop.ask();
                return true;
            }
            Order::Check | Order::Apply { .. } | Order::OpenSession { .. } => {
                self.stop = Stop::default();
            }
            _ => {}
        }
        let goes_on = !matches!(order, Order::Leave);
        let stop = self.stop.clone();
        self.orders.send(Given { order, stop }).is_ok() && goes_on
    }
}
