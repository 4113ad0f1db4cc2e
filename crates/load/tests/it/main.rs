//! The engine against scripted servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alignment;
mod aside;
mod backends;
mod certificate;
mod conversations;
mod frames;
mod http2;
mod http2_script;
mod loads;
mod proxy;
mod script;
mod server_metrics;
mod session;
mod sim;
mod sse;
mod streams;
mod tls;
