//! The server's clock, and an alarm finer than the runtime's timer.
//!
//! Times are those of `CLOCK_MONOTONIC`, which another program on the same machine can read too, so that its own stamps compare.

use crestline_core::units::Nanos;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

pub(super) use alarm::Alarm;

/// `CLOCK_MONOTONIC` now.
pub(super) fn now() -> Nanos {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Seconds since 1970, for `created` fields.
pub(super) fn unix_seconds() -> u64 {
    read(ClockId::CLOCK_REALTIME).0 / 1_000_000_000
}

/// A time of `CLOCK_REALTIME`, not long ago, on the clock of [`now`].
#[cfg(target_os = "linux")]
pub(super) fn of_stamp(stamp: TimeSpec) -> Nanos {
    let stamp = nanos(stamp);
    let age = read(ClockId::CLOCK_REALTIME).saturating_sub(stamp);
    now().saturating_sub(age)
}

fn read(clock: ClockId) -> Nanos {
    nanos(clock_gettime(clock).expect("the system has both clocks"))
}

fn nanos(time: TimeSpec) -> Nanos {
    Nanos(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

#[cfg(target_os = "linux")]
mod alarm {
    //! A timer of the kernel (`timerfd`), awaited like a socket: tens of microseconds late on an idle machine, where the
    //! runtime's own timer rounds up to whole milliseconds. No processor time is spent on waiting.

    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    use crestline_core::units::Nanos;
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::now;

    #[derive(Debug)]
    pub(in crate::server) struct Alarm(AsyncFd<Descriptor>);

    #[derive(Debug)]
    struct Descriptor(TimerFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Alarm {
        /// Needs a running tokio runtime.
        pub(in crate::server) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is an unsafe function; the descriptor is owned and lives as long as its registration"
            )]
            AsyncFd::with_interest(Descriptor(timer), Interest::READABLE).map(Self)
        }

        /// Returns at `deadline` or a little later. Where that has passed, lets other tasks run once.
        pub(in crate::server) async fn until(&self, deadline: Nanos) -> io::Result<()> {
            if now() >= deadline {
                tokio::task::yield_now().await;
                return Ok(());
            }
            let at = TimeSpec::from_duration(deadline.to_duration());
            let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
            self.0.get_ref().0.set(Expiration::OneShot(at), absolute)?;
            while now() < deadline {
                self.0.readable().await?.clear_ready();
            }
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod alarm {
    //! Sleeps to within two milliseconds, then lets other tasks run until it is time.

    use std::io;
    use std::time::Duration;

    use crestline_core::units::Nanos;

    use super::now;

    #[derive(Debug)]
    pub(in crate::server) struct Alarm;

    impl Alarm {
        pub(in crate::server) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Returns at `deadline` or a little later. Where that has passed, lets other tasks run once.
        pub(in crate::server) async fn until(&self, deadline: Nanos) -> io::Result<()> {
            let coarse = Duration::from_millis(2);
            let left = deadline.saturating_sub(now()).to_duration();
            if left > coarse {
                tokio::time::sleep(left - coarse).await;
            }
            loop {
                tokio::task::yield_now().await;
                if now() >= deadline {
                    return Ok(());
                }
            }
        }
    }
}
