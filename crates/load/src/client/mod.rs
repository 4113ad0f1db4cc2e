//! One request to one service: connections, HTTP, server-sent events, endpoints.

pub mod answer;
pub mod delta;
pub mod endpoint;
pub mod h1;
pub mod sse;
