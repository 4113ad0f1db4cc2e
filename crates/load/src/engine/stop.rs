//! One signal that ends a run early.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Shared by whoever may end a run and all that must end with it. Once asked, never taken back.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Asks to stop sending and to wait for what is in flight; asked again, not to wait either.
    pub fn ask(&self) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |asked| {
                Some(asked.saturating_add(1))
            });
    }

    /// Someone asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Waits until someone asks; looks up each 20 ms, since whoever asks may be a signal handler.
    pub(crate) async fn asked(&self) {
        while !self.is_asked() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Someone asked twice: what is in flight is given up.
    pub fn is_urgent(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}
