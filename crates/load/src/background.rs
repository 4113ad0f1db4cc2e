//! Threads beside a load give way to those that measure.

/// Priority of such a thread, 0 being that of those that send and receive: a tenth of their share where the processor is full.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread, on Linux, where a priority is a thread's; elsewhere it would be the
/// process's. Refused, all stays as it was.
pub fn step_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}
