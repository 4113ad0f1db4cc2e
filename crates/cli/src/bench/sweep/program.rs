//! Programs of the user that a sweep runs: found, run to their end, ended when the user asks to stop.
//!
//! Reads the result that a benchmark has written, and no flags.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use crestline_load::engine::Stop;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};
use serde_json::Value;

use super::bench_command::{Output, Ran, Run, measured};
use crate::problem::Problem;

/// Between two looks at a program.
const LOOK: Duration = Duration::from_millis(50);
/// Time between the request to end and the end by force.
const GRACE: Nanos = Nanos::from_secs(10);
/// What a program printed, in the folder of its records.
const LOG: &str = "output.log";
/// Letters of it that are shown.
const SHOWN: usize = 2000;

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
    let child = spawn(run, &log).map_err(|error| {
        Problem::failed(format!("{} cannot be run", run.command[0])).because(&error)
    })?;
    let status = until_its_end(child, stop).map_err(|error| {
        Problem::failed(format!("{} cannot be waited for", run.command[0])).because(&error)
    })?;
    let Some(status) = status else {
        return Ok(Ran::Interrupted);
    };
    if !status.success() {
        let printed = fs::read_to_string(&log).unwrap_or_default();
        let from = printed
            .char_indices()
            .rev()
            .nth(SHOWN)
            .map_or(0, |(at, _)| at);
        return Err(
            Problem::failed(format!("the benchmark ended with {status}")).cause(&printed[from..]),
        );
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

fn spawn(run: &Run<'_>, log: &Path) -> io::Result<Child> {
    let mut command = Command::new(&run.command[0]);
    command
        .args(&run.command[1..])
        .stdin(Stdio::null())
        .process_group(0);
    if run.output == Output::Dropped {
        let log = File::create(log)?;
        command.stdout(log.try_clone()?).stderr(log);
    }
    command.spawn()
}

/// `None` where it was ended because the user asked to stop.
fn until_its_end(mut child: Child, stop: &Stop) -> io::Result<Option<ExitStatus>> {
    let group = Pid::from_raw(child.id().cast_signed());
    let mut asked: Option<Nanos> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(asked.is_none().then_some(status));
        }
        match asked {
            None if stop.is_asked() => {
                asked = Some(clock::monotonic());
                let _ = killpg(group, Signal::SIGTERM);
            }
            Some(at) if clock::monotonic().saturating_sub(at) > GRACE => {
                let _ = killpg(group, Signal::SIGKILL);
            }
            _ => {}
        }
        clock::sleep(LOOK);
    }
}
