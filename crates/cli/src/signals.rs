//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends the process at once.
//!
//! A thread waits for the signals, so that no code ever runs inside a signal handler.

use std::io;
use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// Calls `then` at the first SIGINT or SIGTERM. Must be called before other threads are started, because threads take
/// over which signals they leave to others.
pub(crate) fn on_interrupt(then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || wait(&signals, then))
        .map(drop)
}

fn wait(signals: &SigSet, then: impl FnOnce()) {
    if signals.wait().is_ok() {
        // From here on this thread takes signals with their usual effect, which is the end of the process.
        drop(signals.thread_unblock());
        then();
        loop {
            thread::park();
        }
    }
}
