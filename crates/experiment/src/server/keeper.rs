//! The keeper of a server: a process between this program and the server, that ends the server and all its descendants when
//! its standard input is closed.
//!
//! That input is a pipe from the program that measures. It is closed when that program wishes so, and by the system when it
//! ends, panics or is killed. Orphans of the server become the keeper's children, so that it knows when none is left.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Between two looks at the processes.
const LOOK: Duration = Duration::from_millis(20);

/// What is kept, as the first line of the keeper's input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables in addition to the keeper's own.
    pub environment: Vec<(String, String)>,
    /// File for all that it prints.
    pub log: PathBuf,
    /// Time between the request to end and the end by force.
    pub grace: Nanos,
}

/// What the keeper says, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The server runs as this process.
    Started(u32),
    /// It cannot be started.
    Failed(String),
    /// Its process has ended; others of it may be left.
    Ended(Ending),
    /// None of its processes is left.
    Gone,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody saw it: its keeper was killed.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(out, "with exit code {code}"),
            Self::Signal(signal) => match Signal::try_from(*signal) {
                Ok(signal) => write!(out, "by {signal}"),
                Err(_) => write!(out, "by signal {signal}"),
            },
            Self::Unknown => write!(out, "together with its keeper"),
        }
    }
}

/// Is the keeper: reads the task, starts the server, and returns when nothing of it is left.
pub fn keep(input: impl Read + Send + 'static, mut out: impl Write) -> io::Result<()> {
    // Interruptions from the terminal are for the program that measures, which closes the input then.
    SigSet::all().thread_block()?;
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    adopt_orphans()?;
    let mut input = io::BufReader::new(input);
    let mut line = String::new();
    input.read_line(&mut line)?;
    let task: Task = serde_json::from_str(&line)?;
    let server = match spawn(&task) {
        Ok(server) => server,
        Err(error) => return say(&mut out, &Word::Failed(error.to_string())),
    };
    say(&mut out, &Word::Started(server.as_raw().cast_unsigned()))?;
    let mut family = Family {
        server,
        grace: task.grace,
        wished: closing(input),
        asked: None,
        ending: None,
    };
    // Where nobody listens any more, the input is closed too.
    while let Some(word) = family.watch() {
        let _ = say(&mut out, &word);
    }
    let _ = say(&mut out, &Word::Gone);
    Ok(())
}

fn say(out: &mut impl Write, word: &Word) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(word)?)?;
    out.flush()
}

#[cfg(target_os = "linux")]
fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

fn spawn(task: &Task) -> io::Result<Pid> {
    let (program, arguments) = task
        .command
        .split_first()
        .ok_or_else(|| io::Error::other("there is no command"))?;
    let log = File::create(&task.log)
        .map_err(|error| io::Error::other(format!("{}: {error}", task.log.display())))?;
    let child = Command::new(program)
        .args(arguments)
        .envs(task.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// Becomes true at the end of the input.
fn closing(mut input: impl Read + Send + 'static) -> Arc<AtomicBool> {
    let closed = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&closed);
    thread::spawn(move || {
        // Whatever ends it, there is nobody any more who could wish anything.
        let _ = io::copy(&mut input, &mut io::sink());
        done.store(true, Ordering::Relaxed);
    });
    closed
}

/// The server and its descendants.
struct Family {
    server: Pid,
    grace: Nanos,
    wished: Arc<AtomicBool>,
    /// When the end was asked for.
    asked: Option<Nanos>,
    ending: Option<Ending>,
}

impl Family {
    /// The end of the server's own process, once; `None` when nobody is left.
    fn watch(&mut self) -> Option<Word> {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => {
                    self.end_if_wished();
                    clock::sleep(LOOK);
                }
                Ok(status) => {
                    if status.pid() == Some(self.server)
                        && let Some(ending) = ending(status)
                    {
                        self.ending = Some(ending);
                        return Some(Word::Ended(ending));
                    }
                }
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// A server that has ended leaves nobody behind.
    fn end_if_wished(&mut self) {
        if !self.wished.load(Ordering::Relaxed) && self.ending.is_none() {
            return;
        }
        let now = clock::monotonic();
        match self.asked {
            None => {
                self.asked = Some(now);
                self.signal(Signal::SIGTERM);
            }
            Some(asked) if now.saturating_sub(asked) >= self.grace => self.signal(Signal::SIGKILL),
            Some(_) => {}
        }
    }

    /// To the server's group, and to those who have left it and lost their parents.
    fn signal(&self, signal: Signal) {
        let _ = killpg(self.server, signal);
        for orphan in children() {
            let _ = kill(orphan, signal);
        }
    }
}

fn ending(status: WaitStatus) -> Option<Ending> {
    match status {
        WaitStatus::Exited(_, code) => Some(Ending::Code(code)),
        WaitStatus::Signaled(_, signal, _) => Some(Ending::Signal(signal as i32)),
        _ => None,
    }
}

/// Processes whose parent is this one, by the system's own list.
fn children() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent(*pid) == Some(own))
        .map(Pid::from_raw)
        .collect()
}

/// The fourth field; the second, the program's name, may have blanks and brackets.
fn parent(pid: i32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Ends a server whose keeper was killed.
pub(super) fn kill_group(server: u32) {
    if server > 0 {
        let _ = killpg(Pid::from_raw(server.cast_signed()), Signal::SIGKILL);
    }
}
