//! The monotonic clock as the service's truth file has it, so that times of several processes can be compared.

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in ns.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}
