//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second for a quick one, the third ends the process at once.
//!
//! A thread waits for the signals, so that no code ever runs inside a signal handler.

use std::io;
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use crate::front_end::FrontEnd;

/// How often someone may ask before the process just ends.
const ASKED_AT_MOST: u32 = 2;

/// Which signals ask for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heeded {
    /// Ctrl-C and SIGTERM.
    All,
    /// Ctrl-C; SIGTERM does nothing.
    CtrlC,
}

/// Calls `asked` at the first and the second SIGINT or SIGTERM. Must be called before other threads are started, because
/// they take over which signals a thread leaves to others.
pub(crate) fn on_interrupt(asked: impl FnMut() + Send + 'static) -> io::Result<()> {
    on(Heeded::All, asked)
}

/// The same with a choice of signals. Where this thread works for a front end, that one asks, and signals are not touched.
pub(crate) fn on(heeded: Heeded, asked: impl FnMut() + Send + 'static) -> io::Result<()> {
    if let Some(front) = FrontEnd::current() {
        front.on_interrupt(asked);
        return Ok(());
    }
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    if heeded == Heeded::CtrlC {
        // Blocked and waited for by nobody, it stays pending.
        signals.remove(Signal::SIGTERM);
    }
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || wait(&signals, asked))
        .map(drop)
}

fn wait(signals: &SigSet, mut asked: impl FnMut()) {
    for _ in 0..ASKED_AT_MOST {
        if signals.wait().is_err() {
            return;
        }
        asked();
    }
    // From here on this thread takes signals with their usual effect, which is the end of the process.
    if signals.thread_unblock().is_err() {
        return;
    }
    loop {
        thread::park();
    }
}
