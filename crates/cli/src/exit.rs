//! The exit codes, the same for every sub-command.

use std::process::ExitCode;

/// How the program ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for was done. Failed requests are data and do not change this.
    Done,
    /// The run could not be carried through: no request succeeded, a result could not be written, or a search has no answer
    /// because the client was the bottleneck.
    Failed,
    /// Wrong arguments or an unusable set-up, found before any load was sent.
    Usage,
    /// Measured well, but the service does not meet its SLA at any load that was asked for, or what was to be spent did not
    /// suffice to tell.
    SlaNotMet,
    /// Measured well, but the second of two runs is worse than the first by more than was allowed, for certain.
    Regressed,
    /// Interrupted by Ctrl-C or SIGTERM; what was measured until then is kept.
    Interrupted,
    /// A simulated server has ended by itself, with the code that it was given for that.
    Simulated(u8),
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::SlaNotMet => 3,
            Self::Regressed => 4,
            Self::Interrupted => 130,
            Self::Simulated(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
