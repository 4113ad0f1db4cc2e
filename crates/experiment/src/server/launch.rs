//! How a keeper starts what it keeps: by way of this program once more, which becomes the server.
//!
//! Only a process can say of itself what is needed: which signals reach it, although the keeper's own are blocked and would
//! stay so; and that it ends with the keeper.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::keeper::{Order, Task};
use super::kept::KeeperCommand;

/// What a process becomes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Launch {
    command: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    keeper: i32,
}

/// Starts it in a group of its own; an error where the program cannot be run.
pub(super) fn start(task: &Task, launcher: &KeeperCommand) -> io::Result<Pid> {
    let order = Order::Launch(Launch {
        command: task.command.clone(),
        environment: task.environment.clone(),
        log: task.log.clone(),
        keeper: std::process::id().cast_signed(),
    });
    let mut child = Command::new(&launcher.program)
        .args(&launcher.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // Where it has ended already, what it said tells why.
        drop(writeln!(input, "{}", serde_json::to_string(&order)?));
    }
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said)?;
    }
    if said.is_empty() {
        return Ok(Pid::from_raw(child.id().cast_signed()));
    }
    child.wait()?;
    Err(io::Error::other(said))
}

/// Becomes the program. Says why on the standard output where it cannot; that is closed without a word where it can.
pub(super) fn launch(launch: &Launch) -> io::Result<()> {
    // The copy is closed by a successful start, which puts the log in place of the original.
    let kept = io::stdout().as_fd().try_clone_to_owned()?;
    let Err(error) = replaced(launch);
    write!(File::from(kept), "{error}")
}

fn replaced(launch: &Launch) -> io::Result<std::convert::Infallible> {
    end_with(launch.keeper)?;
    let (program, arguments) = launch
        .command
        .split_first()
        .ok_or_else(|| io::Error::other("there is no command"))?;
    let log = File::options().create(true).append(true).open(&launch.log);
    let log =
        log.map_err(|error| io::Error::other(format!("{}: {error}", launch.log.display())))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(launch.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    SigSet::empty().thread_set_mask()?;
    Err(command.exec())
}

/// Asks the system to kill this process together with the keeper, which may have been killed just now.
#[cfg(target_os = "linux")]
fn end_with(keeper: i32) -> io::Result<()> {
    use nix::sys::signal::Signal;

    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if nix::unistd::getppid() == Pid::from_raw(keeper) {
        Ok(())
    } else {
        Err(io::Error::other("its keeper was killed"))
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_keeper: i32) -> io::Result<()> {
    Ok(())
}
