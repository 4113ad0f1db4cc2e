//! What follows on a request that has ended, by when it is due: later turns of conversations.
//!
//! Goes beside a [`Schedule`](crate::schedule::Schedule), in which a conversation is one long request that keeps its slot. Has no
//! clock: whoever drives it, in real or in virtual time, says what time it is.

use std::collections::BTreeMap;

use crate::units::Nanos;

/// Things that will be due, each with what is then to be sent.
#[derive(Debug)]
pub struct FollowUps<T> {
    waiting: BTreeMap<(Nanos, u64), T>,
    /// Tells those apart that are due at the same time: the first that was added comes first.
    added: u64,
    /// Nothing that is due then or later is sent.
    until: Option<Nanos>,
}

impl<T> Default for FollowUps<T> {
    fn default() -> Self {
        Self::until(None)
    }
}

impl<T> FollowUps<T> {
    /// None yet, and none that is due at `until` or later.
    pub fn until(until: Option<Nanos>) -> Self {
        Self {
            waiting: BTreeMap::new(),
            added: 0,
            until,
        }
    }

    /// This is due then. False where nothing is sent any more at that time: it is dropped.
    pub fn add(&mut self, due: Nanos, next: T) -> bool {
        let goes_on = self.until.is_none_or(|until| due < until);
        if goes_on {
            self.added += 1;
            self.waiting.insert((due, self.added), next);
        }
        goes_on
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<Nanos> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// One that is due by now, and when it was, the earliest first.
    pub fn take(&mut self, now: Nanos) -> Option<(Nanos, T)> {
        let first = self.waiting.first_entry()?;
        let due = first.key().0;
        (due <= now).then(|| (due, first.remove()))
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nothing more is sent. Gives the number of those that were dropped.
    pub fn stop(&mut self) -> usize {
        self.until = Some(Nanos::ZERO);
        std::mem::take(&mut self.waiting).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_comes_in_the_order_in_which_it_is_due_and_not_after_the_end() {
        let mut follow_ups = FollowUps::until(Some(Nanos(10)));
        for (due, name) in [(5, "b"), (3, "a"), (5, "c"), (9, "d")] {
            assert!(follow_ups.add(Nanos(due), name));
        }
        assert!(!follow_ups.add(Nanos(10), "late"));
        assert_eq!(follow_ups.next_due(), Some(Nanos(3)));
        assert_eq!(follow_ups.take(Nanos(2)), None);
        for expected in [(3, "a"), (5, "b"), (5, "c")] {
            let taken = follow_ups.take(Nanos(6));
            assert_eq!(taken, Some((Nanos(expected.0), expected.1)));
        }
        assert_eq!(follow_ups.take(Nanos(6)), None);
        assert_eq!((follow_ups.is_empty(), follow_ups.stop()), (false, 1));
        assert!(follow_ups.is_empty() && !follow_ups.add(Nanos(1), "after a stop"));
    }
}
