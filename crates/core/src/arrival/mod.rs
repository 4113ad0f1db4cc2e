//! When requests become due: each load shape is an iterator of offsets from the start of a run.
//!
//! Does not wait, send or know of a concurrency limit: that is the engine's. A closed loop has no due times of its
//! own, so [`Arrivals::Immediate`] has no [`Arrival`]. The times of a trace are the workload's: [`Arrival::recorded`].
//!
//! The enum is the registry: a new shape is a file with an iterator, and a variant here.

mod constant;
mod draws;
mod paced;
mod poisson;
mod recorded;

use std::iter::{Skip, StepBy};
use std::num::NonZeroUsize;
use std::sync::Arc;

pub use constant::Constant;
pub use paced::Paced;
pub use poisson::Poisson;
pub use recorded::Recorded;

use crate::request::Arrivals;
use crate::units::Nanos;

/// A never decreasing sequence of due times; the k-th belongs to the k-th request of the workload. Only a recorded one
/// has an end.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// Evenly spaced.
    Constant(Constant),
    /// A Poisson process.
    Poisson(Poisson),
    /// All at the start.
    AtOnce,
    /// A run of known length.
    Paced(Paced),
    /// A trace.
    Recorded(Recorded),
}

/// Every n-th due time of an [`Arrival`]; see [`Arrival::shard`].
pub type Shard = StepBy<Skip<Arrival>>;

impl Arrival {
    /// The due times of a load, the same for the same seed; `None` for a closed loop, where a request is due when its
    /// slot becomes free, and for recorded arrivals, whose times only the workload has.
    pub fn new(arrivals: Arrivals, seed: u64) -> Option<Self> {
        match arrivals {
            Arrivals::Immediate | Arrivals::Recorded(_) => None,
            Arrivals::AtOnce => Some(Self::AtOnce),
            Arrivals::Paced(pacing) => Some(Self::Paced(Paced::new(pacing, seed))),
            Arrivals::Constant(rate) => Some(Self::Constant(Constant::new(rate))),
            Arrivals::Poisson(rate) => Some(Self::Poisson(Poisson::new(rate, seed))),
        }
    }

    /// The due times of a trace, in the order of its requests, as offsets from its start. A time before that of an
    /// earlier request becomes the earlier one's: requests keep their order.
    pub fn recorded(times: Arc<[Nanos]>) -> Self {
        Self::Recorded(Recorded::new(times))
    }

    /// The share of worker `index` of `shards` (`index < shards`): arrivals `index`, `index + shards`,
    /// `index + 2 * shards`, … Together the shares are the whole sequence, each arrival once.
    ///
    /// Each share draws the whole sequence and keeps its part, so the times do not depend on the number of workers.
    pub fn shard(self, index: usize, shards: NonZeroUsize) -> Shard {
        self.skip(index).step_by(shards.get())
    }
}

impl Iterator for Arrival {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        match self {
            Self::Constant(times) => times.next(),
            Self::Poisson(times) => times.next(),
            Self::AtOnce => Some(Nanos::ZERO),
            Self::Paced(times) => times.next(),
            Self::Recorded(times) => times.next(),
        }
    }
}

#[cfg(test)]
mod tests;
