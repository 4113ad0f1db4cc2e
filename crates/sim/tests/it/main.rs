//! Tests of the simulated engine from outside: calibration, and the server over a socket.
//!
//! Uses only public items; rules of one module are tested beside it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and checks lower bounds of time on the real clock"
)]

mod apis;
mod calibration;
mod closed_loop;
mod faults;
mod profiles;
mod server;
mod truth;
mod wire;
