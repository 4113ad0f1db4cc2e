//! Which request may be sent when: arrivals, a limit on requests in flight, and a stop rule, composed.
//!
//! Has no clock and sends nothing: whoever drives it, in real or in virtual time, says what time it is.

use std::collections::VecDeque;

use crate::units::Nanos;

/// A request that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// When it should have been sent.
    pub due: Nanos,
    /// How long it then waited for the concurrency limit.
    pub slot_wait: Nanos,
}

/// When the sending ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRule {
    /// After so many requests.
    pub requests: u64,
    /// At this moment, if that is earlier.
    pub until: Option<Nanos>,
}

/// The state of one load: `I` gives the due times of an open loop, in ascending order.
///
/// The load may be [changed](Schedule::change) while requests are in flight; they keep their slots.
#[derive(Debug)]
pub struct Schedule<I> {
    arrivals: Option<I>,
    /// The next arrival that is not yet due.
    next: Option<Nanos>,
    /// Arrivals that are due and not sent, oldest first.
    waiting: VecDeque<Nanos>,
    slots: Slots,
    /// Requests taken and not released.
    in_flight: usize,
    left: u64,
    until: Nanos,
}

/// Room for requests in flight.
#[derive(Debug)]
enum Slots {
    Unlimited,
    Limited(Room),
}

/// Slots that are not taken, and those that will not be again.
#[derive(Debug, Default)]
struct Room {
    /// When each free slot became free, the oldest first; `None` where it was never used.
    free: VecDeque<Option<Nanos>>,
    /// When further slots become free, the earliest first.
    coming: VecDeque<Nanos>,
    /// Slots that vanish when their requests end.
    surplus: usize,
}

impl Room {
    fn of(slots: usize) -> Self {
        Self {
            free: vec![None; slots].into(),
            ..Self::default()
        }
    }

    /// All of `slots` are to be joined, and the requests in flight have none of them.
    fn anew(in_flight: usize, slots: usize, mut joins: Vec<Nanos>) -> Self {
        joins.truncate(slots);
        Self {
            free: vec![None; slots - joins.len()].into(),
            coming: joins.into(),
            surplus: in_flight,
        }
    }

    /// Moves slots that are free by `now` to those that are.
    fn advance(&mut self, now: Nanos) {
        while let Some(at) = self.coming.front().copied().filter(|&at| at <= now) {
            self.coming.pop_front();
            self.free.push_back(Some(at));
        }
    }

    /// A slot that is free from `at` on.
    fn come(&mut self, at: Nanos) {
        let place = self.coming.partition_point(|&other| other <= at);
        self.coming.insert(place, at);
    }

    /// One slot more, unless one was to vanish: that one stays instead.
    fn join(&mut self, at: Option<Nanos>) {
        match at {
            _ if self.surplus > 0 => self.surplus -= 1,
            Some(at) => self.come(at),
            None => self.free.push_back(None),
        }
    }

    /// So many slots less: free ones first, then those that are still to come, the last ones first.
    fn retire(&mut self, slots: usize) {
        let free = slots.min(self.free.len());
        self.free.truncate(self.free.len() - free);
        let coming = (slots - free).min(self.coming.len());
        self.coming.truncate(self.coming.len() - coming);
        self.surplus += slots - free - coming;
    }

    /// A request has ended. False where its slot vanishes.
    fn keeps_slot(&mut self) -> bool {
        match self.surplus.checked_sub(1) {
            Some(left) => {
                self.surplus = left;
                false
            }
            None => true,
        }
    }
}

/// Another load for a schedule that goes on.
#[derive(Debug)]
pub struct NextLoad<I> {
    /// Due times from now on; `None` for a closed loop.
    pub arrivals: Option<I>,
    /// Limit on requests in flight.
    pub slots: Option<usize>,
    /// When slots that are added become free, ascending; those beyond the end of the list do so at once.
    pub joins: Vec<Nanos>,
    /// All slots are added: those of the requests in flight vanish when these end.
    pub anew: bool,
}

/// The moments at which `users` join, evenly over `over` from `from` on: the first at once, the k-th (from 0) at
/// `from + over * k / users`.
pub fn joins(users: usize, from: Nanos, over: Nanos) -> impl ExactSizeIterator<Item = Nanos> {
    (0..users).map(move |user| {
        let offset = u128::from(over.0) * user as u128 / users as u128;
        from.saturating_add(Nanos(offset as u64))
    })
}

/// `pick` of the positions `0..of`, evenly spread and ascending; all where `pick` is more than `of`. The k-th is
/// `floor((k + 1/2) * of / pick)`.
pub fn evenly(of: usize, pick: usize) -> impl ExactSizeIterator<Item = usize> {
    let pick = pick.min(of);
    (0..pick).map(move |k| (2 * k + 1) * of / (2 * pick))
}

impl<I: Iterator<Item = Nanos>> Schedule<I> {
    /// A closed loop: `slots` users who join as soon as the client can let them in. Nothing says when that should be, so
    /// their first requests are due when they are taken.
    pub fn closed(slots: usize, stop: StopRule) -> Self {
        Self::new(None, Some(slots), stop)
    }

    /// An open loop, with a limit on requests in flight where `slots` is given.
    pub fn open(arrivals: I, slots: Option<usize>, stop: StopRule) -> Self {
        Self::new(Some(arrivals), slots, stop)
    }

    fn new(mut arrivals: Option<I>, slots: Option<usize>, stop: StopRule) -> Self {
        let next = arrivals.as_mut().and_then(Iterator::next);
        let slots = slots.map_or(Slots::Unlimited, |slots| Slots::Limited(Room::of(slots)));
        let until = stop.until.unwrap_or(Nanos::MAX);
        Self {
            arrivals,
            next,
            waiting: VecDeque::new(),
            slots,
            in_flight: 0,
            left: stop.requests,
            until,
        }
    }

    /// Applies another load from `now` on. What is in flight stays; so do arrivals that wait for a slot, where the next
    /// load is an open loop too.
    ///
    /// Where slots are taken away, free ones vanish first, then those that were still to come; the rest is
    /// [surplus](Schedule::surplus). Where slots are added, surplus ones stay first, in the place of the earliest joins.
    pub fn change(&mut self, now: Nanos, load: NextLoad<I>) {
        self.advance(now);
        let was_idle = self.arrivals.is_some() || self.left == 0 || now >= self.until;
        if let Slots::Limited(room) = &mut self.slots
            && was_idle
        {
            // How long they were free says nothing about the load that begins.
            room.free.iter_mut().for_each(|since| *since = None);
        }
        if load.arrivals.is_none() {
            self.waiting.clear();
        }
        self.arrivals = load.arrivals;
        self.next = self.arrivals.as_mut().and_then(Iterator::next);
        match load.slots {
            Some(slots) if load.anew => {
                self.slots = Slots::Limited(Room::anew(self.in_flight, slots, load.joins));
            }
            slots => self.resize(slots, load.joins),
        }
    }

    /// Another end: so many requests from now on.
    pub fn set_stop(&mut self, stop: StopRule) {
        self.left = stop.requests;
        self.until = stop.until.unwrap_or(Nanos::MAX);
    }

    fn resize(&mut self, slots: Option<usize>, joins: Vec<Nanos>) {
        let Some(slots) = slots else {
            self.slots = Slots::Unlimited;
            return;
        };
        let have = self.slots().unwrap_or(self.in_flight);
        if matches!(self.slots, Slots::Unlimited) {
            self.slots = Slots::Limited(Room::default());
        }
        if slots < have {
            self.retire(have - slots);
        } else if let Slots::Limited(room) = &mut self.slots {
            let mut joins = joins.into_iter();
            (have..slots).for_each(|_| room.join(joins.next()));
        }
    }

    /// Further slots become free at these moments, and their first requests are due then. Slots that were to vanish
    /// stay instead, in the place of the earliest ones. Nothing without a limit.
    pub fn join(&mut self, moments: impl IntoIterator<Item = Nanos>) {
        if let Slots::Limited(room) = &mut self.slots {
            moments.into_iter().for_each(|at| room.join(Some(at)));
        }
    }

    /// So many slots vanish: free ones at once, then those that were still to come, then those whose requests end next.
    /// Nothing without a limit.
    pub fn retire(&mut self, slots: usize) {
        let most = self.slots().unwrap_or(0);
        if let Slots::Limited(room) = &mut self.slots {
            room.retire(slots.min(most));
        }
    }

    /// The limit on requests in flight that holds once the surplus is gone and all have joined.
    pub fn slots(&self) -> Option<usize> {
        match &self.slots {
            Slots::Unlimited => None,
            Slots::Limited(room) => {
                Some(self.in_flight + room.free.len() + room.coming.len() - room.surplus)
            }
        }
    }

    /// Requests in flight above the limit, after it was lowered.
    pub fn surplus(&self) -> usize {
        match &self.slots {
            Slots::Unlimited => 0,
            Slots::Limited(room) => room.surplus,
        }
    }

    /// Requests taken and not released.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Drops arrivals that wait for a slot; gives their number.
    pub fn drop_waiting(&mut self) -> usize {
        let dropped = self.waiting.len();
        self.waiting.clear();
        dropped
    }

    /// A request may be sent at `now`; [`Schedule::take`] takes it.
    pub fn is_ready(&mut self, now: Nanos) -> bool {
        self.advance(now);
        let has_request = self.arrivals.is_none() || !self.waiting.is_empty();
        self.left > 0 && now < self.until && self.has_slot() && has_request
    }

    /// Takes the request that is ready at `now` and its slot.
    pub fn take(&mut self, now: Nanos) -> Option<Start> {
        if !self.is_ready(now) {
            return None;
        }
        self.left -= 1;
        self.in_flight += 1;
        let free_since = match &mut self.slots {
            Slots::Unlimited => None,
            Slots::Limited(room) => room.free.pop_front().flatten(),
        };
        Some(match self.waiting.pop_front() {
            // Slots are taken in the order in which they became free: one that became free after the arrival says that
            // the arrival found none.
            Some(due) => Start {
                due,
                slot_wait: free_since.map_or(Nanos::ZERO, |free| free.saturating_sub(due)),
            },
            None => Start {
                due: free_since.unwrap_or(now),
                slot_wait: Nanos::ZERO,
            },
        })
    }

    /// A request in flight ended at `at`.
    pub fn release(&mut self, at: Nanos) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Slots::Limited(room) = &mut self.slots
            && room.keeps_slot()
        {
            room.free.push_back(Some(at));
        }
    }

    /// A request in flight ended, and its slot becomes free at `at`, which lies ahead.
    pub fn release_later(&mut self, at: Nanos) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Slots::Limited(room) = &mut self.slots
            && room.keeps_slot()
        {
            room.come(at);
        }
    }

    /// The next moment at which a request may become ready by itself; `None` where only an ending request can help, or
    /// nothing more will be sent.
    pub fn wakes_at(&self) -> Option<Nanos> {
        if self.left == 0 {
            return None;
        }
        let wakes = match &self.slots {
            Slots::Limited(room) if self.arrivals.is_none() || room.free.is_empty() => {
                room.coming.front().copied()
            }
            _ => self.next,
        };
        wakes.filter(|&at| at < self.until)
    }

    /// Nothing will become ready at `now` or after it.
    pub fn is_over(&mut self, now: Nanos) -> bool {
        self.advance(now);
        let none_to_come =
            self.arrivals.is_some() && self.next.is_none() && self.waiting.is_empty();
        self.left == 0 || now >= self.until || none_to_come
    }

    /// Sends nothing more; arrivals that wait are dropped.
    pub fn stop(&mut self) {
        self.left = 0;
        self.waiting.clear();
    }

    /// Requests that may still be sent.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Moves arrivals that are due by `now` to those that wait, and slots that are free by then to those that are.
    fn advance(&mut self, now: Nanos) {
        if let Slots::Limited(room) = &mut self.slots {
            room.advance(now);
        }
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        while let Some(due) = self.next.filter(|&due| due <= now) {
            if due >= self.until || self.waiting.len() as u64 >= self.left {
                self.next = None;
                break;
            }
            self.waiting.push_back(due);
            self.next = arrivals.next();
        }
    }

    fn has_slot(&self) -> bool {
        match &self.slots {
            Slots::Unlimited => true,
            Slots::Limited(room) => !room.free.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests;
