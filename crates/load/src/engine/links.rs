//! The HTTP/2 connections of a worker: which request takes which, and when another one is opened.
//!
//! HTTP/1.1 connections carry one request at a time and are kept by the worker itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crestline_core::record::Failure;
use crestline_core::units::Nanos;
use tokio::sync::OnceCell;

use crate::client::connect::Route;
use crate::client::http2::{Link, MOST_STREAMS};
use crate::clock::Clock;

/// The connections of a worker, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Links(RefCell<Vec<Rc<Slot>>>);

/// One connection, open or being opened by the first request that waits for it.
#[derive(Debug)]
struct Slot {
    link: OnceCell<Result<Rc<Link>, Failure>>,
    since: Nanos,
    seats: Cell<usize>,
}

/// One request's place on a connection.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Rc<Slot>,
    /// 1 where only closed connections were found.
    pub(crate) closed: u32,
    /// When it was taken.
    pub(crate) at: Nanos,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.slot.seats.set(self.slot.seats.get() - 1);
    }
}

impl Slot {
    fn link(&self) -> Option<&Rc<Link>> {
        self.link.get()?.as_ref().ok()
    }

    fn is_over(&self) -> bool {
        match self.link.get() {
            None => false,
            Some(Ok(link)) => !link.is_open(),
            Some(Err(_)) => true,
        }
    }

    /// Requests that it carries at a time; assumed until it is open.
    fn most(&self) -> usize {
        self.link().map_or(MOST_STREAMS, |link| link.streams())
    }
}

impl Seat {
    fn on(slot: &Rc<Slot>, closed: u32, at: Nanos) -> Self {
        slot.seats.set(slot.seats.get() + 1);
        Self {
            slot: Rc::clone(slot),
            closed,
            at,
        }
    }

    /// The connection, where it is open.
    pub(crate) fn link(&self) -> Option<&Rc<Link>> {
        self.slot.link()
    }

    /// Opens the connection, or waits for whoever does.
    pub(crate) async fn open(&self, route: &Route, clock: Clock) -> Result<Rc<Link>, Failure> {
        let open = || async { route.connect_http2(clock).await.map(Rc::new) };
        self.slot.link.get_or_init(open).await.clone()
    }

    /// The connection carries as many requests as have seats: the server may allow fewer than were assumed.
    pub(crate) fn is_good(&self) -> bool {
        self.slot.seats.get() <= self.slot.most()
    }
}

impl Links {
    /// A place on a connection that was begun at `since` or after it: one with room, or a new one.
    pub(crate) fn take(&self, since: Nanos, now: Nanos) -> Seat {
        let mut slots = self.0.borrow_mut();
        let before = slots.len();
        slots.retain(|slot| !slot.is_over());
        let closed = u32::from(slots.len() < before);
        let has_room =
            |slot: &&Rc<Slot>| slot.since >= since && slot.seats.get() < slot.most().max(1);
        if let Some(slot) = slots.iter().find(has_room) {
            return Seat::on(slot, 0, now);
        }
        let slot = Rc::new(Slot {
            link: OnceCell::new(),
            since: now,
            seats: Cell::new(0),
        });
        slots.push(Rc::clone(&slot));
        Seat::on(&slot, closed, now)
    }
}
