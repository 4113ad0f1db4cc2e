//! A server and its descendants, as their keeper sees them: who has ended, and how all are made to.
//!
//! On Linux the keeper adopts whoever loses its parent, so no process of the server gets out of sight, whatever group or
//! session it is in. Elsewhere only the server's own group is known.

use std::collections::BTreeSet;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::keeper::{Ending, Wish, Wishes};
use super::processes::Processes;

/// Time until the end by force where nobody waits patiently: the program was interrupted or has been killed.
pub(super) const HURRIED_GRACE: Nanos = Nanos::from_secs(5);
/// Between two looks for processes that have ended.
const LOOK: Duration = Duration::from_millis(10);
/// Looks for ended processes before the next for such as are to end.
const LOOKS_PER_LIST: u32 = 5;

/// The processes.
#[derive(Debug)]
pub(super) struct Family {
    server: Pid,
    grace: Nanos,
    wishes: Wishes,
    /// When the end was asked for.
    asked: Option<Nanos>,
    /// The server's own process has ended.
    is_headless: bool,
    /// Adopted ones that were asked to end.
    told: BTreeSet<Pid>,
    looks: u32,
}

impl Family {
    pub(super) fn new(server: Pid, grace: Nanos, wishes: Wishes) -> Self {
        Self {
            server,
            grace,
            wishes,
            asked: None,
            is_headless: false,
            told: BTreeSet::new(),
            looks: 0,
        }
    }

    /// The server's own process.
    pub(super) fn server(&self) -> u32 {
        self.server.as_raw().cast_unsigned()
    }

    /// Waits for the end of the server's own process, then for that of all others, which is `None`.
    pub(super) fn watch(&mut self) -> Option<Ending> {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => {
                    self.end_if_wished();
                    clock::sleep(LOOK);
                }
                Ok(status) => {
                    if let Some(ending) = self.ended(status) {
                        return Some(ending);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }

    fn ended(&mut self, status: WaitStatus) -> Option<Ending> {
        let (pid, ending) = match status {
            WaitStatus::Exited(pid, code) => (pid, Ending::Code(code)),
            WaitStatus::Signaled(pid, signal, _) => (pid, Ending::Signal(signal as i32)),
            _ => return None,
        };
        // Its number may be given to another process now.
        self.told.remove(&pid);
        if pid != self.server {
            return None;
        }
        self.is_headless = true;
        Some(ending)
    }

    /// A server that has ended by itself leaves nobody behind either.
    fn end_if_wished(&mut self) {
        if !self.is_headless && !self.wishes.is_at_least(Wish::End) {
            return;
        }
        let now = clock::monotonic();
        if self.asked.is_none() {
            self.signal_group(Signal::SIGTERM);
        }
        let asked = *self.asked.get_or_insert(now);
        let waited = now.saturating_sub(asked);
        if self.grace().is_none_or(|grace| waited >= grace) {
            self.kill_all();
            return;
        }
        if self.looks.is_multiple_of(LOOKS_PER_LIST) {
            self.ask_adopted();
        }
        self.looks = self.looks.wrapping_add(1);
    }

    /// `None`: by force, at once.
    fn grace(&self) -> Option<Nanos> {
        if self.wishes.is_at_least(Wish::Force) {
            None
        } else if self.wishes.is_at_least(Wish::Hurry) {
            Some(self.grace.min(HURRIED_GRACE))
        } else {
            Some(self.grace)
        }
    }

    /// Whoever is outside the server's group has a parent that ends it, or no other than the keeper.
    fn ask_adopted(&mut self) {
        for orphan in Processes::now().children() {
            if orphan != self.server && self.told.insert(orphan) {
                let _ = kill(orphan, Signal::SIGTERM);
            }
        }
    }

    fn kill_all(&self) {
        self.signal_group(Signal::SIGKILL);
        for process in Processes::now().descendants() {
            let _ = kill(process, Signal::SIGKILL);
        }
    }

    /// The group's number is the server's: with the server it may have gone to somebody else, where others than its group
    /// are known.
    fn signal_group(&self, signal: Signal) {
        if !self.is_headless || cfg!(not(target_os = "linux")) {
            let _ = killpg(self.server, signal);
        }
    }
}
