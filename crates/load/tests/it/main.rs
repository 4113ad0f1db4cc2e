//! The engine against scripted servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod loads;
mod script;
