//! The only reader of the machine's clocks.
//!
//! Times are `CLOCK_MONOTONIC` in nanoseconds, so that a server on the same machine can be compared with.

use crestline_core::units::Nanos;
use nix::time::{ClockId, clock_gettime};

/// Longest time that bytes can have lain unread; a stamp before that is one of a clock that was set.
const OLDEST_STAMP: Nanos = Nanos::from_secs(60);

/// The two times of bytes that were read, from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Read {
    /// When the last of them reached this machine.
    pub came: Nanos,
    /// When the program read them.
    pub seen: Nanos,
    /// The system says when they came.
    pub is_stamped: bool,
}

/// The start of a run; all times of the run are offsets from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    epoch: Nanos,
}

impl Clock {
    /// Starts a run now.
    pub fn start() -> Self {
        Self { epoch: monotonic() }
    }

    /// Time since the start.
    pub fn now(&self) -> Nanos {
        monotonic().saturating_sub(self.epoch)
    }

    /// When what was read now came, by a stamp in Unix time. Where there is none, or the system's clock was set since, it
    /// came now.
    pub fn read(&self, stamp: Option<Nanos>) -> Read {
        let seen = self.now();
        let age = stamp.and_then(|stamp| wall().0.checked_sub(stamp.0));
        let age = age.filter(|age| *age < OLDEST_STAMP.0 && *age <= seen.0);
        Read {
            came: Nanos(seen.0 - age.unwrap_or_default()),
            seen,
            is_stamped: age.is_some(),
        }
    }

    /// The start itself on `CLOCK_MONOTONIC`.
    pub fn epoch(&self) -> Nanos {
        self.epoch
    }

    /// As a deadline for tokio's timers.
    pub(crate) fn deadline(self, at: Nanos) -> tokio::time::Instant {
        tokio::time::Instant::now() + at.saturating_sub(self.now()).to_duration()
    }
}

/// `CLOCK_MONOTONIC` now.
pub fn monotonic() -> Nanos {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Unix time now.
pub fn wall() -> Nanos {
    read(ClockId::CLOCK_REALTIME)
}

/// Processor time that the calling thread has used.
pub fn thread_cpu() -> Nanos {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Lets the calling thread sleep: for pauses between loads, never inside one.
pub fn sleep(time: std::time::Duration) {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    std::thread::sleep(time);
}

fn read(clock: ClockId) -> Nanos {
    let time = clock_gettime(clock).expect("Linux has these clocks");
    Nanos(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}
