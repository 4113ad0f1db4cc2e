//! Tests of the simulated engine from outside: calibration, and the server over a socket.
//!
//! Uses only public items; rules of one module are tested beside it.

mod calibration;
mod closed_loop;
mod faults;
mod server;
mod truth;
mod wire;
