//! What a server says of itself on its `/metrics` page while a load runs.
//!
//! [`MetricsSource`] is where the page is, [`Sampler`] reads it each second on a thread of its own, and
//! [`told`] knows what the names of several servers mean. Writes nothing down: what is read is handed on.

mod page;
mod sampler;
mod source;
mod vocabulary;

pub use sampler::{Sampled, Sampler, Timing};
pub use source::{MetricsError, MetricsSource};
pub use vocabulary::{Told, told};
