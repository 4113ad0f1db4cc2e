//! Run, search, sweep: what the user asked for, start to end.

pub mod client_health;
pub mod digest;
pub mod distributed;
pub mod error;
pub mod event;
pub mod plan;
pub mod probe;
mod recorder;
pub mod run;
pub mod search;
pub mod server;
mod server_metrics;
mod subject;
pub mod virtual_subject;
