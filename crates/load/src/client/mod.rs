//! One request to one service: connections, HTTP, server-sent events, endpoints.

pub mod endpoint;
