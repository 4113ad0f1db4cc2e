//! What does not change during a run, and how a load is shared among workers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crestline_core::arrival::{self, Arrival};
use crestline_core::record::{Failure, Phase};
use crestline_core::request::{Adapters, Arrivals, Generation, Load, LoadPoint};
use crestline_core::schedule::{NextLoad, Schedule, StopRule};
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use crestline_workload::Workload;

use crate::client::answer::Answer;
use crate::client::endpoint::Endpoint;
use crate::clock::Clock;
use crate::own::{Asked, Own};
use crate::target::Target;

/// What does not change during a run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The service.
    pub target: Target,
    /// How it is spoken to.
    pub endpoint: Endpoint,
    /// Name sent as `model`.
    pub model: String,
    /// Names that requests send in its place, each one of them.
    pub adapters: Option<Adapters>,
    /// Settings of the generation.
    pub generation: Generation,
    /// What is sent.
    pub workload: Arc<Workload>,
    /// Worker threads at most; `None` chooses by the load.
    pub workers: Option<NonZeroUsize>,
    /// Threads that prepare requests, for each worker.
    pub preparers: NonZeroUsize,
    /// How long requests in flight may take after a stop was asked for.
    pub grace: Nanos,
    /// Seed of the arrival times.
    pub seed: u64,
    /// When each request is due, for a load whose arrivals are recorded: as many requests as there are times are sent.
    pub due_times: Arc<[Nanos]>,
    /// What is the user's own in how the service is spoken to.
    pub own: Arc<Own>,
    /// Keep request bodies in the records.
    pub keep_text: bool,
}

impl Setup {
    /// Makes the first request, where it is the user's own data set or builder that does.
    pub(crate) fn try_first(&self) -> Result<(), Failure> {
        let clock = Clock::start();
        if self.workload.most_turns().is_some() {
            return Ok(());
        }
        let asked = Asked {
            model: self.model_at(0),
            generation: &self.generation,
        };
        let item = self.own.item(&self.workload, 0, clock)?;
        self.own.body(self.endpoint, item, &asked, clock)?;
        // What was measured so far is of no load.
        self.own.take(&self.workload);
        Ok(())
    }

    /// An answer of which nothing is received yet.
    pub(crate) fn blank_answer(&self) -> Answer {
        match self.own.reader() {
            Some(_) => Answer::kept(self.endpoint.answer_form()),
            None => Answer::new(self.endpoint.answer_form()),
        }
    }

    /// The name that the request with this index in its load sends as `model`.
    pub(crate) fn model_at(&self, index: u64) -> &str {
        match &self.adapters {
            Some(adapters) => adapters.of(index),
            None => &self.model,
        }
    }
}

/// One worker's part of one phase of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) phase: Phase,
    pub(crate) load: Load,
    /// Requests of all workers together; `u64::MAX` where there is no end to them.
    pub(crate) requests: u64,
    /// Index in the workload of the phase's first request.
    pub(crate) first_item: u64,
    /// Index of its record.
    pub(crate) first_index: u64,
    pub(crate) seed: u64,
    pub(crate) worker: usize,
    pub(crate) workers: NonZeroUsize,
}

impl Share {
    /// This worker's part of the concurrency limit.
    pub(crate) fn slots(&self) -> Option<usize> {
        let all = self.load.concurrency?.get() as usize;
        Some((all + self.workers.get() - 1 - self.worker) / self.workers.get())
    }

    /// The requests of this worker by their position among all. Where slots are shared out, a slot and the requests
    /// that a fair turn would give it go to the same worker, so that all workers end together.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u64> + Send {
        let workers = self.workers.get() as u64;
        let turns = match (self.load.rate(), self.load.concurrency) {
            (None, Some(concurrency)) if self.requests < u64::MAX => u64::from(concurrency.get()),
            _ => u64::MAX,
        };
        (0..self.requests).filter(move |number| (number % turns) % workers == self.worker as u64)
    }

    /// The due times of this worker's requests, counted from the start; `None` for a closed loop. Of the same load
    /// always the same.
    pub(crate) fn arrivals(&self, recorded: &Arc<[Nanos]>) -> Option<arrival::Shard> {
        let arrival = match self.load.arrivals {
            Arrivals::Recorded(_) => Some(Arrival::recorded(Arc::clone(recorded))),
            drawn => Arrival::new(drawn, self.seed),
        };
        arrival.map(|arrival| arrival.shard(self.worker, self.workers))
    }

    /// When this worker's requests may be sent.
    pub(crate) fn schedule(
        &self,
        arrivals: Option<arrival::Shard>,
        start: Nanos,
        until: Option<Nanos>,
    ) -> Schedule<DueTimes> {
        let requests = match self.requests {
            u64::MAX => u64::MAX,
            _ => self.numbers().count() as u64,
        };
        let stop = StopRule { requests, until };
        match arrivals {
            None => Schedule::closed(self.slots().unwrap_or(1), stop),
            Some(times) => Schedule::open(DueTimes { times, start }, self.slots(), stop),
        }
    }
}

impl Share {
    /// The schedule of a session without a load.
    pub(crate) fn idle() -> Schedule<DueTimes> {
        let endless = StopRule {
            requests: u64::MAX,
            until: None,
        };
        Schedule::closed(0, endless)
    }

    /// This worker's part of the load for a session that goes on, from `at` on.
    pub(crate) fn next_load(
        &self,
        arrivals: Option<arrival::Shard>,
        at: Nanos,
        joins: Vec<Nanos>,
        abort: Abort,
    ) -> NextLoad<DueTimes> {
        NextLoad {
            arrivals: arrivals.map(|times| DueTimes { times, start: at }),
            slots: self.slots(),
            joins,
            anew: abort == Abort::All,
        }
    }
}

/// Arrivals counted from the start of a phase.
#[derive(Debug, Clone)]
pub(crate) struct DueTimes {
    times: arrival::Shard,
    start: Nanos,
}

impl Iterator for DueTimes {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        self.times
            .next()
            .map(|time| time.saturating_add(self.start))
    }
}

/// Workers that have something to do: no more than requests, or than may be in flight.
pub(crate) fn most_workers(point: &LoadPoint) -> NonZeroUsize {
    let slots = point
        .load
        .concurrency
        .map_or(u64::MAX, |slots| slots.get().into());
    let most = slots.min(point.requests.max(point.warmup));
    usize::try_from(most)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(NonZeroUsize::MIN)
}

/// Workers that a load needs: one for each 256 streams or 1000 requests a second. Fewer mean fewer wake-ups; more are only
/// worth it where one would be busy.
pub(crate) fn wanted_workers(load: &Load) -> usize {
    let by_slots = load.concurrency.map(|slots| slots.get().div_ceil(256));
    let by_rate = load
        .rate()
        .map(|rate| (rate.value() / 1000.0).ceil() as u32);
    let wanted = match (by_rate, by_slots) {
        (Some(rate), Some(slots)) => rate.min(slots),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => 1,
    };
    wanted as usize
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crestline_core::units::Rate;
    use proptest::prelude::*;

    use super::*;

    fn share(load: Load, requests: u64, worker: usize, workers: usize) -> Share {
        let workers = NonZeroUsize::new(workers).unwrap();
        Share {
            phase: Phase::Measured,
            load,
            requests,
            first_item: 0,
            first_index: 0,
            seed: 1,
            worker,
            workers,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn workers_share_requests_and_slots_without_loss_or_overlap(
            slots in 1..40u32, requests in 0..200u64, workers in 1..6usize, open in any::<bool>(),
        ) {
            let mut load = Load::closed(NonZeroU32::new(slots).unwrap());
            if open {
                load.arrivals = crestline_core::request::Arrivals::Poisson(Rate::per_second(9.0).unwrap());
            }
            let shares: Vec<_> = (0..workers).map(|worker| share(load, requests, worker, workers)).collect();
            let mut numbers: Vec<u64> = shares.iter().flat_map(|share| share.numbers()).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..requests).collect::<Vec<_>>());
            prop_assert_eq!(shares.iter().filter_map(Share::slots).sum::<usize>(), slots as usize);
        }

        #[test]
        fn in_a_closed_loop_requests_go_where_the_slots_are(slots in 1..20u32, rounds in 1..9u64, workers in 1..6usize) {
            let load = Load::closed(NonZeroU32::new(slots).unwrap());
            for worker in 0..workers {
                let share = share(load, u64::from(slots) * rounds, worker, workers);
                prop_assert_eq!(share.numbers().count() as u64, share.slots().unwrap() as u64 * rounds);
            }
        }
    }

    #[test]
    fn no_worker_is_without_work() {
        let point = |slots, requests, warmup| LoadPoint {
            load: Load::closed(NonZeroU32::new(slots).unwrap()),
            requests,
            warmup,
            duration: None,
        };
        let most = |point| most_workers(&point).get();
        assert_eq!(most(point(4, 100, 0)), 4);
        assert_eq!(most(point(40, 3, 0)), 3);
        assert_eq!(most(point(40, 0, 9)), 9);
        assert_eq!(most(point(40, 0, 0)), 1);
    }
}
