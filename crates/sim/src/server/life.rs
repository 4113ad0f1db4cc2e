//! What happens to a server as a whole: it loads, never becomes healthy, or ends in the middle of its work.
//!
//! Faults of single requests are [`crate::fault`]; how the process ends is for whoever runs the server.

use std::time::Duration;

/// From the first answer to the last. The default is healthy at once and for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// So long every request is answered with 503, as by a server that loads its model.
    pub loading: Duration,
    /// What `/health` says afterwards.
    pub health: Health,
    /// When it ends by itself.
    pub crash: Crash,
}

/// What `/health` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// 200.
    #[default]
    Good,
    /// 503, while requests are served.
    Never,
}

/// When a server ends by itself; whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crash {
    /// After so many generation requests: when the next one comes, in the middle of those under way.
    pub after_requests: Option<u64>,
    /// After so long, from when it listens.
    pub after: Option<Duration>,
}

/// Waits for ever where there is no end.
pub(super) async fn elapsed(after: Option<Duration>) {
    match after {
        Some(after) => tokio::time::sleep(after).await,
        None => std::future::pending().await,
    }
}
