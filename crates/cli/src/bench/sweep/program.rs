//! Programs of the user that a sweep runs: found, run to their end, ended when the user asks to stop.
//!
//! Reads the result that a benchmark has written, and no flags.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crestline_experiment::server::keeper::Ending;
use crestline_load::engine::Stop;
use nix::unistd::{AccessFlags, access};
use serde_json::Value;

use super::bench_command::{Output, Ran, Run, measured};
use super::follow::Follower;
use super::kept::{self, Done};
use crate::problem::Problem;
use crate::secrets::Redaction;

/// What a program printed, in the folder of its records.
const LOG: &str = "output.log";

/// The file of a program, as a shell would find it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(is_program);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(is_program)
}

/// Runs a benchmark that writes its result into a file.
pub(super) fn run(run: &Run<'_>, result: &Path, stop: &Stop) -> Result<Ran, Problem> {
    let log = run.folder.join(LOG);
    let redaction = Redaction::of(run.command);
    let shown = (run.output == Output::Shown).then(|| {
        let redaction = redaction.clone();
        Follower::start(log.clone(), 0, move |line| redaction.redacted(line))
    });
    let done = kept::run(run.command, &log, stop)?;
    drop(shown);
    match done {
        Done::Interrupted => return Ok(Ran::Interrupted),
        Done::Ended(Ending::Code(0), _) => {}
        Done::Ended(ending, printed) => {
            let printed = redaction.redacted(&printed);
            return Err(Problem::failed(format!("the benchmark ended {ending}")).cause(printed));
        }
    }
    let written = fs::read_to_string(result).map_err(|error| {
        Problem::failed(format!("the benchmark wrote no {}", result.display()))
            .because(&error)
            .hint("it must take --save-result, --result-dir and --result-filename as `vllm bench serve` does")
    })?;
    let document: Value = serde_json::from_str(&written).map_err(|error| {
        Problem::failed(format!("{} is no JSON", result.display())).because(&error)
    })?;
    if !document.is_object() {
        return Err(Problem::failed(format!(
            "{} holds no result",
            result.display()
        )));
    }
    measured(document, None)
}
