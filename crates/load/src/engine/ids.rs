//! The names that requests are sent under, as `x-request-id`.
//!
//! Knows nothing of headers.

use crestline_core::record::Phase;

/// How requests are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestIds {
    /// By the run and the index of the record.
    OfRun(String),
    /// By a prefix of the user's and the position among the counted requests.
    Prefixed(String),
}

impl RequestIds {
    pub(super) fn of_run(run_id: &str) -> Self {
        Self::OfRun(run_id.to_owned())
    }

    pub(super) fn prefixed(prefix: &str) -> Self {
        Self::Prefixed(prefix.to_owned())
    }

    /// The name of the request that is the `number`-th of its phase and has this index among all.
    pub(super) fn id(&self, phase: Phase, number: u64, index: u64) -> String {
        match (self, phase) {
            (Self::OfRun(run), _) => format!("{run}-{index}"),
            (Self::Prefixed(prefix), Phase::Measured) => format!("{prefix}{number}"),
            (Self::Prefixed(prefix), Phase::Warmup) => format!("{prefix}warmup-{number}"),
        }
    }

    /// The name of a request before any load.
    pub(super) fn of_check(&self) -> String {
        match self {
            Self::OfRun(run) => format!("{run}-check"),
            Self::Prefixed(prefix) => format!("{prefix}check"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_the_user_s_counts_only_what_counts() {
        let ids = RequestIds::prefixed("bench-1-");
        assert_eq!(ids.id(Phase::Warmup, 0, 0), "bench-1-warmup-0");
        assert_eq!(ids.id(Phase::Measured, 0, 3), "bench-1-0");
        assert_eq!(ids.of_check(), "bench-1-check");
        let run = RequestIds::of_run("r");
        assert_eq!(run.id(Phase::Warmup, 0, 0), "r-0");
        assert_eq!(run.id(Phase::Measured, 0, 3), "r-3");
    }
}
