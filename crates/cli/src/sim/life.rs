//! How a simulated server starts and ends: flags and what they do to the process.
//!
//! What happens while it listens is the simulated server's own part.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use crestline_load::clock;
use crestline_sim::profile::Profile;
use crestline_sim::server::{Crash, Health, Life};

use crate::problem::Problem;
use crate::{console, values};

/// A warm start takes this share of a cold one, unless it is given.
const WARM_SHARE: f64 = 0.25;

/// How the server starts and ends.
#[derive(Debug, Clone, Args)]
pub(crate) struct LifeArgs {
    /// Time that a start takes, as if a model were loaded.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    startup_delay: f64,
    /// What a client meets meanwhile: refused connections (vLLM), or 503 (llama.cpp).
    #[arg(long, value_enum, default_value_t = Meanwhile::Refused)]
    while_starting: Meanwhile,
    /// Folder in which a start leaves a mark, so that the next one with the same engine is warm.
    #[arg(long, value_name = "FOLDER")]
    startup_cache: Option<PathBuf>,
    /// Time that a warm start takes [default: a quarter of --startup-delay].
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        requires = "startup_cache"
    )]
    warm_startup_delay: Option<f64>,
    /// End where a start would be complete, with the code of --exit-code.
    #[arg(long)]
    exit_at_start: bool,
    /// End by itself when this many requests have been taken and one more comes.
    #[arg(long, value_name = "N")]
    exit_after_requests: Option<u64>,
    /// End by itself after so long.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    exit_after: Option<f64>,
    /// Exit code of an end by itself.
    #[arg(long, value_name = "CODE", default_value_t = 1)]
    pub(super) exit_code: u8,
    /// Answer /health with 503 for ever.
    #[arg(long)]
    never_healthy: bool,
    /// Take no notice of SIGTERM; Ctrl-C still ends it.
    #[arg(long)]
    pub(super) ignore_sigterm: bool,
}

/// What a client meets while the server starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Meanwhile {
    /// Nobody listens yet.
    Refused,
    /// Every request is answered with 503.
    #[value(name = "503")]
    Unavailable,
}

/// How a server's start went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// It can listen.
    Ready,
    /// Someone asked it to stop.
    Stopped,
    /// It is to end here.
    Crashed,
}

/// A start as it is meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    delay: Duration,
    meanwhile: Meanwhile,
    /// Left by a start that is complete.
    mark: Option<PathBuf>,
    crashes: bool,
}

impl LifeArgs {
    /// Flags of what goes wrong, and whether they are given.
    pub(super) fn faults(&self) -> [(&'static str, bool); 4] {
        [
            ("--exit-at-start", self.exit_at_start),
            ("--exit-after-requests", self.exit_after_requests.is_some()),
            ("--exit-after", self.exit_after.is_some()),
            ("--never-healthy", self.never_healthy),
        ]
    }

    /// Flags of how it starts and how it is stopped.
    pub(super) fn start(&self) -> [(&'static str, bool); 2] {
        [
            ("--startup-delay", self.startup_delay > 0.0),
            ("--ignore-sigterm", self.ignore_sigterm),
        ]
    }

    /// What happens while it listens, and before.
    pub(super) fn plan(&self, engine: &Profile) -> Result<(Start, Life), Problem> {
        let mark = self.startup_cache.as_ref().map(|folder| {
            let mut hash = DefaultHasher::new();
            serde_json::to_string(engine)
                .expect("a profile is plain data")
                .hash(&mut hash);
            folder.join(format!("engine-{:016x}", hash.finish()))
        });
        let cold = seconds("--startup-delay", self.startup_delay)?;
        let delay = match (&mark, self.warm_startup_delay) {
            (Some(mark), given) if mark.exists() => given
                .map(|given| seconds("--warm-startup-delay", given))
                .transpose()?
                .unwrap_or(cold.mul_f64(WARM_SHARE)),
            _ => cold,
        };
        let start = Start {
            delay,
            meanwhile: self.while_starting,
            mark,
            crashes: self.exit_at_start,
        };
        let mut after = self
            .exit_after
            .map(|given| seconds("--exit-after", given))
            .transpose()?;
        if start.crashes && start.meanwhile == Meanwhile::Unavailable {
            after = Some(after.unwrap_or(start.delay).min(start.delay));
        }
        let life = Life {
            loading: start.answered_delay(),
            health: if self.never_healthy {
                Health::Never
            } else {
                Health::Good
            },
            crash: Crash {
                after_requests: self.exit_after_requests,
                after,
            },
        };
        Ok((start, life))
    }
}

impl Start {
    /// Time in which it listens and answers with 503.
    fn answered_delay(&self) -> Duration {
        match self.meanwhile {
            Meanwhile::Refused => Duration::ZERO,
            Meanwhile::Unavailable => self.delay,
        }
    }

    /// Waits while nobody listens. Something comes out of `asked` when it is to stop.
    pub(super) fn pass(&self, asked: &Receiver<()>) -> Result<Started, Problem> {
        let silent = self.delay.saturating_sub(self.answered_delay());
        if asked.recv_timeout(silent).is_ok() {
            return Ok(Started::Stopped);
        }
        match self.meanwhile {
            Meanwhile::Refused if self.crashes => return Ok(Started::Crashed),
            Meanwhile::Refused => self.leave_mark()?,
            Meanwhile::Unavailable if self.crashes => {}
            Meanwhile::Unavailable => {
                let start = self.clone();
                // It ends with the process, which may be before the start is complete.
                thread::spawn(move || {
                    clock::sleep(start.delay);
                    if let Err(problem) = start.leave_mark() {
                        console::tell(&problem.to_string());
                    }
                });
            }
        }
        Ok(Started::Ready)
    }

    fn leave_mark(&self) -> Result<(), Problem> {
        let Some(mark) = &self.mark else {
            return Ok(());
        };
        let folder = mark.parent().unwrap_or(mark);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(mark, "a start of this engine was complete\n"))
            .map_err(|error| {
                Problem::failed(format!("--startup-cache cannot hold {}", mark.display()))
                    .because(&error)
            })
    }
}

fn seconds(flag: &str, given: f64) -> Result<Duration, Problem> {
    Ok(values::pause(flag, given)?.to_duration())
}
