//! One part of a load that several processes apply together, and which of all workers are its own.
//!
//! The workers of all parts are one crew: worker `w` belongs to part `w mod parts`, so that users, requests and arrivals are
//! shared as evenly as they can be, and are the same as those of one process with so many workers. Knows nothing of how
//! parts speak to each other.

use std::num::NonZeroUsize;
use std::thread;

use crestline_core::request::Load;
use serde::{Deserialize, Serialize};

use super::setup::wanted_workers;

/// One of several parts of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which one, from 0.
    pub number: usize,
    /// Parts in all; more than `number`.
    pub of: NonZeroUsize,
    /// Processors that each part has. All parts must be told the same: into how many shares the load is cut depends on it.
    pub processors: NonZeroUsize,
}

impl Part {
    /// The load as a whole, on this machine.
    pub fn whole() -> Self {
        Self::on_this_machine(0, NonZeroUsize::MIN)
    }

    /// Part `number` of `of`, where each has as many processors as this process.
    pub fn on_this_machine(number: usize, of: NonZeroUsize) -> Self {
        Self {
            number,
            of,
            processors: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }

    /// Workers of all parts: as many in each as were asked for, else as the load needs and the processors allow; but no more
    /// than `most` have something to do.
    pub(super) fn all_workers(
        &self,
        asked: Option<NonZeroUsize>,
        load: &Load,
        most: NonZeroUsize,
    ) -> NonZeroUsize {
        let wanted = wanted_workers(load).div_ceil(self.of.get());
        let needed = NonZeroUsize::new(wanted).unwrap_or(NonZeroUsize::MIN);
        asked
            .unwrap_or_else(|| needed.min(self.processors))
            .saturating_mul(self.of)
            .min(most)
    }

    /// The numbers of this part's workers among all; none where there are fewer workers than parts.
    pub(super) fn workers(self, all: NonZeroUsize) -> impl ExactSizeIterator<Item = usize> {
        (self.number.min(all.get())..all.get()).step_by(self.of.get())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crestline_core::units::Rate;
    use proptest::prelude::*;

    use super::*;

    fn size(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    fn part(number: usize, of: usize) -> Part {
        Part {
            number,
            of: size(of),
            processors: size(4),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_worker_is_in_one_part_and_parts_have_as_many(all in 1..50usize, of in 1..9usize) {
            let parts: Vec<Vec<usize>> = (0..of).map(|number| part(number, of).workers(size(all)).collect()).collect();
            let mut workers = parts.concat();
            workers.sort_unstable();
            prop_assert_eq!(workers, (0..all).collect::<Vec<_>>());
            let most = parts.iter().map(Vec::len).max().unwrap();
            let least = parts.iter().map(Vec::len).min().unwrap();
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn workers_are_added_as_the_load_grows() {
        let closed = |slots| Load::closed(NonZeroU32::new(slots).unwrap());
        let open = |rate| Load::open(Rate::per_second(rate).unwrap());
        let all = |of, load: Load| {
            part(0, of)
                .all_workers(None, &load, NonZeroUsize::MAX)
                .get()
        };
        let of_one = [1, 256, 257, 100_000].map(|slots| all(1, closed(slots)));
        assert_eq!(of_one, [1, 1, 2, 4]);
        let of_three = [1, 256, 769, 100_000].map(|slots| all(3, closed(slots)));
        assert_eq!(of_three, [3, 3, 6, 12]);
        let by_rate = [0.1, 1000.0, 2500.0].map(|rate| all(1, open(rate)));
        assert_eq!(by_rate, [1, 1, 3]);
    }

    #[test]
    fn what_was_asked_for_holds_in_each_part_as_far_as_there_is_work() {
        let load = Load::closed(NonZeroU32::new(5).unwrap());
        assert_eq!(
            part(0, 2).all_workers(Some(size(2)), &load, size(5)),
            size(4)
        );
        assert_eq!(
            part(0, 4).all_workers(Some(size(2)), &load, size(5)),
            size(5)
        );
    }
}
