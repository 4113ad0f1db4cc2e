//! The exit codes, the same for every sub-command.

use std::process::ExitCode;

/// How the program ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All that was asked for was done. Failed requests are data and do not change this.
    Done = 0,
    /// The run could not be carried through: no request succeeded, a result could not be written, or a search has no answer
    /// because the client was the bottleneck.
    Failed = 1,
    /// Wrong arguments or an unusable set-up, found before any load was sent.
    Usage = 2,
    /// Measured well, but the service does not meet its SLA at any load that was asked for, or what was to be spent did not
    /// suffice to tell.
    SlaNotMet = 3,
    /// Interrupted by Ctrl-C or SIGTERM; what was measured until then is kept.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
