//! The real binary against the simulated engine on loopback, and the tidiness of the repository.

mod harness;
mod perf_virtual;
mod tidy;
mod wrong_use;
