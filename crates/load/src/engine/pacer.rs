//! Wakes a worker at a moment, to the precision of the kernel's timers.
//!
//! The runtime's own timers tick once a millisecond, which is a tenth of the gap between two requests at 100 a second.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crestline_core::units::Nanos;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;

/// One timer of the kernel, for one worker.
#[derive(Debug)]
pub(crate) struct Pacer {
    timer: AsyncFd<Timer>,
    clock: Clock,
    armed: Cell<Nanos>,
}

#[derive(Debug)]
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Pacer {
    /// A timer that is not set.
    pub(crate) fn new(clock: Clock) -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        #[expect(
            unsafe_code,
            reason = "the runtime wants to be promised that the descriptor outlives its registration"
        )]
        // SAFETY: `Timer` owns its descriptor, always gives the same one, and lives inside the `AsyncFd`.
        let timer = unsafe { AsyncFd::register_with_interest(Timer(timer), Interest::READABLE) };
        let timer = timer.map_err(io::Error::from)?;
        Ok(Self {
            timer,
            clock,
            armed: Cell::new(Nanos::MAX),
        })
    }

    /// Waits until `at`; returns at once where that is past. Never for [`Nanos::MAX`].
    pub(crate) async fn until(&self, at: Nanos) {
        if self.wait(at).await.is_err() {
            // Without the kernel's timer the runtime's coarser one is left; the send lag shows the difference.
            tokio::time::sleep_until(self.clock.deadline(at)).await;
        }
    }

    async fn wait(&self, at: Nanos) -> io::Result<()> {
        if at == Nanos::MAX {
            return std::future::pending().await;
        }
        while self.clock.now() < at {
            if self.armed.replace(at) != at {
                let absolute = self.clock.epoch().saturating_add(at);
                let time = TimeSpec::nanoseconds(i64::try_from(absolute.0).unwrap_or(i64::MAX));
                self.timer.get_ref().0.set(
                    Expiration::OneShot(time),
                    TimerSetTimeFlags::TFD_TIMER_ABSTIME,
                )?;
            }
            let mut ready = self.timer.readable().await?;
            ready.clear_ready();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_wakes_early_and_wakes_for_each_moment() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let clock = Clock::start();
            let pacer = Pacer::new(clock).unwrap();
            for step in 1..20 {
                let at = Nanos::from_micros(700 * step);
                pacer.until(at).await;
                assert!(clock.now() >= at, "step {step}");
            }
            pacer.until(Nanos::ZERO).await;
        });
    }
}
