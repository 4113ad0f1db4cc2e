//! The keeper of a process: it stands between this program and a server, and ends the server with all its descendants when its
//! standard input is closed.
//!
//! That input is a pipe from the program that measures. It is closed when that program wishes so, and by the system when it
//! ends, panics or is killed. Here are the words of both sides and the keeper's course; `family` ends processes,
//! `launch` starts them.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use nix::sys::signal::{SigSet, Signal};
use serde::{Deserialize, Serialize};

use super::family::Family;
use super::kept::KeeperCommand;
use super::launch::{self, Launch};
use super::port::Address;

/// Between two looks at a file that somebody else has locked.
const LOOK: Duration = Duration::from_millis(20);
/// How long another keeper may take to end what it keeps: far more than one takes whose program was killed, unless the
/// system cannot end a process at once, such as one that gives back the memory of a device.
const TURN_PATIENCE: Nanos = Nanos::from_secs(60);

/// How long the port of a server that is gone may still be taken.
const PORT_PATIENCE: Nanos = Nanos::from_secs(1);

/// The first line of the input.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Start this and keep it.
    Keep(Task),
    /// Become this.
    Launch(Launch),
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables in addition to this program's own.
    pub environment: Vec<(String, String)>,
    /// File that all that it prints is appended to.
    pub log: PathBuf,
    /// Time between the request to end and the end by force.
    pub grace: Nanos,
    /// File that is locked as long as any of its processes lives, so that no two of a kind do at once. Waited for.
    pub lock: Option<PathBuf>,
    /// Where nobody may listen when it starts.
    pub free: Option<Address>,
}

impl Task {
    /// A command that is nobody's server.
    pub fn of_command(command: Vec<String>, log: PathBuf, grace: Nanos) -> Self {
        Self {
            command,
            environment: Vec::new(),
            log,
            grace,
            lock: None,
            free: None,
        }
    }
}

/// What the keeper is told later, a line each; the end of the input is [`Wish::Hurry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wish {
    /// End within the grace.
    End = 1,
    /// End within [`super::family::HURRIED_GRACE`].
    Hurry = 2,
    /// End by force.
    Force = 3,
}

/// What the keeper says, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// It runs as this process.
    Started(u32),
    /// It cannot be started.
    Failed(String),
    /// Somebody listens where nobody should.
    Taken,
    /// Another keeper still has the file locked.
    Locked,
    /// Its first process has ended; others may be left.
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

/// What was wished last, by its number; 0 for nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes(Arc<AtomicU8>);

impl Wishes {
    pub(super) fn is_at_least(&self, wish: Wish) -> bool {
        self.0.load(Ordering::Relaxed) >= wish as u8
    }

    fn put(&self, wish: Wish) {
        self.0.fetch_max(wish as u8, Ordering::Relaxed);
    }
}

/// Is the keeper, or what it starts by way of `launcher`: reads the order, and returns when nothing is left to keep.
pub fn keep(
    input: impl Read + Send + 'static,
    out: impl Write,
    launcher: &KeeperCommand,
) -> io::Result<()> {
    let mut input = io::BufReader::new(input);
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(());
    }
    match serde_json::from_str(&line)? {
        Order::Launch(launch) => launch::launch(&launch),
        Order::Keep(task) => keep_task(&task, input, out, launcher),
    }
}

fn keep_task(
    task: &Task,
    input: impl BufRead + Send + 'static,
    mut out: impl Write,
    launcher: &KeeperCommand,
) -> io::Result<()> {
    set_apart()?;
    let wishes = listen(input);
    let (mut family, _lock) = match start(task, &wishes, launcher) {
        Ok(started) => started,
        Err(word) => return say(&mut out, &word),
    };
    let started = Word::Started(family.server());
    // Where nobody hears it any more, the input is closed too.
    drop(say(&mut out, &started));
    while let Some(ending) = family.watch() {
        drop(say(&mut out, &Word::Ended(ending)));
    }
    drop(say(&mut out, &Word::Gone));
    Ok(())
}

/// Interruptions, from the terminal or by name, are for the program that measures: it closes the input then.
fn set_apart() -> io::Result<()> {
    SigSet::all().thread_block()?;
    // Not possible for who leads a group already, which is as good.
    let _ = nix::unistd::setsid();
    adopt_orphans()
}

#[cfg(target_os = "linux")]
fn adopt_orphans() -> io::Result<()> {
    // Another name than the program's, so that `killall crestline` does not meet it.
    let _ = nix::sys::prctl::set_name(c"server-keeper");
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// The processes, and the lock that is held for them.
fn start(
    task: &Task,
    wishes: &Wishes,
    launcher: &KeeperCommand,
) -> Result<(Family, Option<File>), Word> {
    let lock = task.lock.as_deref().map(|path| turn(path, wishes));
    let lock = lock.transpose()?;
    if let Some(address) = &task.free {
        free(address, wishes)?;
    }
    let server = launch::start(task, launcher).map_err(|error| Word::Failed(error.to_string()))?;
    Ok((Family::new(server, task.grace, wishes.clone()), lock))
}

/// Waits a moment for a port: a server that was killed is gone from the list of processes just before its sockets are.
fn free(address: &Address, wishes: &Wishes) -> Result<(), Word> {
    let began = clock::monotonic();
    while address.is_taken() {
        let waited = clock::monotonic().saturating_sub(began);
        if waited > PORT_PATIENCE || wishes.is_at_least(Wish::End) {
            return Err(Word::Taken);
        }
        clock::sleep(LOOK);
    }
    Ok(())
}

/// The file, locked.
fn turn(path: &Path, wishes: &Wishes) -> Result<File, Word> {
    let failed = |error: &io::Error| Word::Failed(format!("{}: {error}", path.display()));
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|error| failed(&error))?;
    let began = clock::monotonic();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
            Err(TryLockError::WouldBlock) => {}
        }
        let is_late = clock::monotonic().saturating_sub(began) > TURN_PATIENCE;
        if is_late || wishes.is_at_least(Wish::End) {
            return Err(Word::Locked);
        }
        clock::sleep(LOOK);
    }
}

fn say(out: &mut impl Write, word: &Word) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(word)?)?;
    out.flush()
}

/// Hears wishes until the end of the input.
fn listen(input: impl BufRead + Send + 'static) -> Wishes {
    let wishes = Wishes::default();
    let heard = wishes.clone();
    thread::spawn(move || {
        for line in input.lines().map_while(Result::ok) {
            if let Ok(wish) = serde_json::from_str(&line) {
                heard.put(wish);
            }
        }
        heard.put(Wish::Hurry);
    });
    wishes
}
