//! What makes a server forget the prompts of a run, so that the next is not helped by them.
//!
//! By the pages of the servers that are known, or by a command of the user's. Which of the two is settled before anything is
//! started.

use std::path::Path;

use crestline_core::units::Nanos;
use crestline_experiment::server::keeper::Ending;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::Target;
use serde::Deserialize;

use super::kept::{self, Done};
use super::program;
use super::server_command::Program;
use crate::problem::Problem;

/// How long a server that is still busy is asked again.
const BUSY_PATIENCE: Nanos = Nanos::from_secs(10);
/// Between two such attempts.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// How a server is made to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reset {
    /// By this command.
    Command(Vec<String>),
    /// By vLLM's pages.
    Vllm,
    /// By SGLang's.
    Sglang,
    /// By llama.cpp's, slot after slot.
    Slots,
    /// There is nothing to forget.
    Nothing,
}

impl Reset {
    /// By `--after-bench-cmd`, else by the server's program.
    pub(crate) fn of(command: &[String], after: Option<&str>) -> Result<Self, Problem> {
        if let Some(after) = after {
            return by_command(after);
        }
        match Program::of(command) {
            Program::Vllm | Program::Sim => Ok(Self::Vllm),
            Program::Sglang => Ok(Self::Sglang),
            Program::LlamaServer => Ok(Self::Slots),
            Program::Infinity if command.iter().any(|word| word == "--vector-disk-cache") => {
                Err(Problem::usage(
                    "--serve-cmd: with --vector-disk-cache later runs are answered from the cache",
                )
                .hint("leave it out, or empty the cache with --after-bench-cmd"))
            }
            Program::Infinity => Ok(Self::Nothing),
            Program::Trtllm | Program::Other => Err(Problem::usage(format!(
                "how the caches of {} are emptied between runs is not known",
                command.first().map_or("the server", String::as_str)
            ))
            .hint(
                "give a command that does it with --after-bench-cmd, or --after-bench-cmd '' if there is nothing to empty",
            )),
        }
    }

    /// Tries, right after the start, what will be done after each run, so that it cannot fail only when a run has been made.
    /// A command is not tried: it may be for after a run only.
    pub(crate) fn try_out(&self, target: &Target, stop: &Stop) -> Result<(), Problem> {
        match self {
            Self::Command(_) | Self::Nothing => Ok(()),
            Self::Vllm | Self::Sglang | Self::Slots => self.by_pages(target, stop),
        }
    }

    /// Does it; what a command prints goes to the file `log`.
    pub(crate) fn run(&self, target: &Target, log: &Path, stop: &Stop) -> Result<(), Problem> {
        match self {
            Self::Command(command) => run_command(command, log, stop),
            _ => self.by_pages(target, stop),
        }
    }

    fn by_pages(&self, target: &Target, stop: &Stop) -> Result<(), Problem> {
        if *self == Self::Nothing {
            return Ok(());
        }
        let pages = Aside::new(target, target.total_timeout, &[], |_| None);
        let done = pages.and_then(|mut pages| match self {
            Self::Vllm => vllm(&mut pages),
            Self::Sglang => sglang(&mut pages, stop),
            _ => slots(&mut pages),
        });
        done.map_err(|error| {
            Problem::failed("the server's caches cannot be emptied")
                .because(&error)
                .hint(self.hint())
        })
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Vllm => {
                "it must be started with VLLM_SERVER_DEV_MODE=1, which crestline sets; or use --after-bench-cmd, with '' if there is nothing to empty"
            }
            Self::Slots => {
                "llama.cpp needs --slots and --slot-save-path FOLDER for it; or use --after-bench-cmd, with '' if there is nothing to empty"
            }
            _ => "use --after-bench-cmd, with '' if there is nothing to empty",
        }
    }
}

fn by_command(typed: &str) -> Result<Reset, Problem> {
    let words = shlex::split(typed).ok_or_else(|| {
        Problem::usage("--after-bench-cmd has a quote without its end").hint("close it")
    })?;
    match words.first() {
        None => Ok(Reset::Nothing),
        Some(program) if program == "crestline" || program::find(program).is_some() => {
            Ok(Reset::Command(words))
        }
        Some(program) => Err(Problem::usage(format!(
            "--after-bench-cmd: there is no program {program}"
        ))
        .hint("check its name and PATH; no shell runs it, but it may be one: sh -c '…'")),
    }
}

/// The cache of prompts is in every version that can be asked; the others came later.
fn vllm(pages: &mut Aside) -> Result<(), AsideError> {
    pages.post("/reset_prefix_cache")?;
    for page in ["/reset_mm_cache", "/reset_encoder_cache"] {
        match pages.post(page) {
            Err(error) if error.is_unknown_path() => {}
            answer => drop(answer?),
        }
    }
    Ok(())
}

/// It refuses while requests are at work, of which the last may just be ending.
fn sglang(pages: &mut Aside, stop: &Stop) -> Result<(), AsideError> {
    let began = clock::monotonic();
    loop {
        match pages.post("/flush_cache") {
            Err(AsideError::Status { status: 400, .. })
                if !stop.is_asked() && clock::monotonic().saturating_sub(began) < BUSY_PATIENCE =>
            {
                clock::sleep(LOOK);
            }
            answer => return answer.map(drop),
        }
    }
}

/// What llama.cpp says of itself.
#[derive(Deserialize)]
struct Props {
    total_slots: u32,
}

fn slots(pages: &mut Aside) -> Result<(), AsideError> {
    let props: Props = pages.get_json("/props")?;
    for slot in 0..props.total_slots {
        pages.post(&format!("/slots/{slot}?action=erase"))?;
    }
    Ok(())
}

fn run_command(command: &[String], log: &Path, stop: &Stop) -> Result<(), Problem> {
    match kept::run(command, log, stop)? {
        Done::Interrupted | Done::Ended(Ending::Code(0), _) => Ok(()),
        Done::Ended(ending, printed) => {
            Err(Problem::failed(format!("--after-bench-cmd ended {ending}")).cause(printed))
        }
    }
}

#[cfg(test)]
mod tests;
