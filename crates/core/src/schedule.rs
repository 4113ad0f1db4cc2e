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
#[derive(Debug)]
pub struct Schedule<I> {
    arrivals: Option<I>,
    /// The next arrival that is not yet due.
    next: Option<Nanos>,
    /// Arrivals that are due and not sent, oldest first.
    waiting: VecDeque<Nanos>,
    slots: Slots,
    left: u64,
    until: Nanos,
}

/// Room for requests in flight.
#[derive(Debug)]
enum Slots {
    Unlimited,
    /// When each free slot became free, the oldest first; `None` where it was never used.
    Free(VecDeque<Option<Nanos>>),
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
        let slots = slots.map_or(Slots::Unlimited, |slots| {
            Slots::Free(vec![None; slots].into())
        });
        let until = stop.until.unwrap_or(Nanos::MAX);
        Self {
            arrivals,
            next,
            waiting: VecDeque::new(),
            slots,
            left: stop.requests,
            until,
        }
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
        let free_since = match &mut self.slots {
            Slots::Unlimited => None,
            Slots::Free(free) => free.pop_front().flatten(),
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
        if let Slots::Free(free) = &mut self.slots {
            free.push_back(Some(at));
        }
    }

    /// The next moment at which a request may become ready by itself; `None` where only an ending request can help, or
    /// nothing more will be sent.
    pub fn wakes_at(&self) -> Option<Nanos> {
        if self.left == 0 || !self.has_slot() {
            return None;
        }
        self.next.filter(|&next| next < self.until)
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

    /// Moves arrivals that are due by `now` to those that wait.
    fn advance(&mut self, now: Nanos) {
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
            Slots::Free(free) => !free.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Open = Schedule<std::vec::IntoIter<Nanos>>;

    fn requests(requests: u64) -> StopRule {
        StopRule {
            requests,
            until: None,
        }
    }

    fn open(due: &[u64], slots: Option<usize>, stop: StopRule) -> Open {
        let due: Vec<_> = due.iter().copied().map(Nanos).collect();
        Schedule::open(due.into_iter(), slots, stop)
    }

    #[test]
    fn a_closed_loop_sends_when_a_slot_is_free_and_no_more_than_asked() {
        let mut closed = Open::closed(2, requests(3));
        let start = |due| {
            Some(Start {
                due: Nanos(due),
                slot_wait: Nanos::ZERO,
            })
        };
        assert_eq!(
            [
                closed.take(Nanos(6)),
                closed.take(Nanos(6)),
                closed.take(Nanos(6))
            ],
            [start(6), start(6), None]
        );
        assert_eq!(closed.wakes_at(), None);
        closed.release(Nanos(9));
        assert_eq!(
            (closed.take(Nanos(10)), closed.take(Nanos(10))),
            (start(9), None)
        );
        assert!(closed.is_over(Nanos(10)));
    }

    #[test]
    fn an_open_loop_sends_when_due_however_many_are_in_flight() {
        let mut open = open(&[3, 3, 8], None, requests(10));
        assert_eq!(
            (open.take(Nanos(2)), open.wakes_at()),
            (None, Some(Nanos(3)))
        );
        let start = |due| {
            Some(Start {
                due: Nanos(due),
                slot_wait: Nanos::ZERO,
            })
        };
        assert_eq!(
            [
                open.take(Nanos(4)),
                open.take(Nanos(4)),
                open.take(Nanos(4))
            ],
            [start(3), start(3), None]
        );
        assert!(!open.is_over(Nanos(4)) && !open.is_over(Nanos(8)));
        assert_eq!(open.take(Nanos(9)), start(8));
        assert!(open.is_over(Nanos(9)));
    }

    #[test]
    fn the_wait_for_a_slot_is_counted_from_due_to_the_slot_and_lateness_is_not() {
        let mut open = open(&[1, 2], Some(1), requests(2));
        assert_eq!(
            open.take(Nanos(4)),
            Some(Start {
                due: Nanos(1),
                slot_wait: Nanos::ZERO
            })
        );
        assert_eq!((open.take(Nanos(5)), open.wakes_at()), (None, None));
        open.release(Nanos(7));
        assert_eq!(
            open.take(Nanos(8)),
            Some(Start {
                due: Nanos(2),
                slot_wait: Nanos(5)
            })
        );
    }

    #[test]
    fn nothing_is_sent_from_the_end_of_the_duration_on() {
        let stop = StopRule {
            requests: 9,
            until: Some(Nanos(10)),
        };
        let mut open = open(&[1, 2, 10, 11], Some(1), stop);
        assert!(open.take(Nanos(3)).is_some());
        open.release(Nanos(9));
        assert!(open.is_ready(Nanos(9)) && !open.is_over(Nanos(9)));
        assert_eq!(
            (open.take(Nanos(10)), open.is_over(Nanos(10))),
            (None, true)
        );
        let mut closed = Open::closed(1, stop);
        assert!(!closed.is_over(Nanos(9)) && closed.is_over(Nanos(10)));
        assert_eq!(closed.take(Nanos(10)), None);
    }

    #[test]
    fn a_stopped_schedule_sends_nothing_more() {
        let mut open = open(&[1, 2], None, requests(2));
        assert!(open.is_ready(Nanos(5)));
        open.stop();
        assert_eq!(
            (open.take(Nanos(5)), open.wakes_at(), open.is_over(Nanos(5))),
            (None, None, true)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_arrival_is_sent_once_in_order_and_the_limit_holds(
            gaps in prop::collection::vec(0..50u64, 1..60), slots in 1..5usize, service in 1..200u64,
        ) {
            let due: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let mut schedule = open(&due, Some(slots), requests(due.len() as u64));
            let (mut in_flight, mut sent) = (Vec::<u64>::new(), Vec::new());
            for now in 0..100_000 {
                in_flight.retain(|&end| { if end <= now { schedule.release(Nanos(end)); } end > now });
                while let Some(start) = schedule.take(Nanos(now)) {
                    prop_assert_eq!(start.due + start.slot_wait, Nanos(now));
                    sent.push(start.due.0);
                    in_flight.push(now + service);
                }
                prop_assert!(in_flight.len() <= slots);
            }
            prop_assert_eq!(sent, due);
            prop_assert!(schedule.is_over(Nanos(100_000)));
        }
    }
}
