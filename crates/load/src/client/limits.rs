//! How long a request may take, and when it has taken too long.
//!
//! Knows nothing of connections: whoever reads says when something was heard.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crestline_core::record::{Failure, FailureKind};
use crestline_core::units::Nanos;
use tokio::time::Sleep;

use crate::clock::Clock;

/// The longest times a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest silence.
    pub read: Option<Nanos>,
    /// Longest time in all.
    pub total: Nanos,
}

/// One request under its limits.
#[derive(Debug)]
pub struct Watch {
    clock: Clock,
    limits: Limits,
    began: Nanos,
    /// The last read, or the write of the request.
    heard: Nanos,
    timer: Pin<Box<Sleep>>,
    /// When the timer fires.
    fires_at: Nanos,
    /// The timer knows whom to wake.
    armed: bool,
    /// Something was heard since the last look at the timer.
    news: bool,
}

impl Watch {
    /// A request that was sent at `began`.
    pub fn new(clock: Clock, began: Nanos, limits: Limits) -> Self {
        let first = began.saturating_add(limits.total.min(limits.read.unwrap_or(Nanos::MAX)));
        let timer = Box::pin(tokio::time::sleep_until(clock.deadline(first)));
        Self {
            clock,
            limits,
            began,
            heard: began,
            timer,
            fires_at: first,
            armed: false,
            news: false,
        }
    }

    /// When something was last heard.
    pub fn heard(&self) -> Nanos {
        self.heard
    }

    /// Something was heard: the silence is over.
    pub fn hear(&mut self, at: Nanos) {
        self.heard = at;
        self.news = true;
    }

    /// Ready when a limit is passed.
    ///
    /// The timer itself is only looked at where it may have fired: a stream that has just been heard, at a time before
    /// the timer's, is woken again if it fires after all.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let news = std::mem::take(&mut self.news);
        if news && self.armed && self.heard < self.fires_at {
            return Poll::Pending;
        }
        // After many reads the runtime may put this look off; a look without news is never put off.
        self.armed |= !news;
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = self.clock.now();
            let total = self.began.saturating_add(self.limits.total);
            let silence = self
                .limits
                .read
                .map_or(Nanos::MAX, |read| self.heard.saturating_add(read));
            if now >= total {
                let limit = self.limits.total;
                let text = format!("no whole response within the total time-out of {limit}");
                let kind = FailureKind::TotalTimeout;
                return Poll::Ready(Failure { kind, text });
            }
            if now >= silence {
                let limit = self.limits.read.unwrap_or_default();
                let text = format!("no byte for the read time-out of {limit}");
                let kind = FailureKind::ReadTimeout;
                return Poll::Ready(Failure { kind, text });
            }
            self.fires_at = total.min(silence);
            let deadline = self.clock.deadline(self.fires_at);
            self.timer.as_mut().reset(deadline);
        }
    }
}
