//! One request to one service: connections, HTTP, server-sent events, endpoints.

pub mod address;
pub mod answer;
pub mod connect;
pub mod delta;
pub mod endpoint;
pub mod exchange;
pub mod h1;
pub mod http2;
pub mod limits;
pub mod sse;
pub mod tcp;
pub mod trust;
pub mod wire;
