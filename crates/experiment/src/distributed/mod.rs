//! One load from several machines: a coordinator that has the plan, and a worker on each node that applies its part.
//!
//! They speak in frames of bytes over a [`Link`]; who carries the frames (Ray, a pipe, two threads) is no matter of this
//! module, and neither is how workers are started. A worker runs [`serve`]. The coordinator hands its ends of the links to
//! [`run_over`](crate::run::run_over) or [`run_search_over`](crate::search::run_search_over), and gets what a run from one
//! machine gives: the same events, records on its own clock, one database, one verdict. See
//! `docs/decisions/0013-distribution.md`.
//!
//! - [`link`]: the two ends of a link.
//! - `wire/`: what is said over it, as bytes: `message`, `record_frame`, `plan` (the one form of a plan that has its secrets).
//! - `node/`: the worker.
//! - `fleet/`: the coordinator's view of all workers: `listener` hears one of them, `clocks` compares their clocks, `load`
//!   applies a fixed load, `session` one that is changed in place.

mod fleet;
pub mod link;
mod node;
pub mod wire;

pub use fleet::FleetError;
pub(crate) use fleet::{Fleet, FleetSession};
pub use link::{Carrier, Delivery, Gone, Link};
pub use node::{WorkError, serve};

/// Who sends the requests of a plan.
#[derive(Debug, Default)]
pub enum Senders {
    /// This process.
    #[default]
    Here,
    /// The workers at the other ends of these links, each its part.
    Workers(Vec<Link>),
}
