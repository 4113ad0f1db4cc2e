//! A process of somebody else's program that is kept: it and all its descendants end when this program does, however that
//! happens.
//!
//! Knows nothing of servers: the same is for a benchmark or any other command.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use crestline_load::engine::Stop;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::keeper::{Ending, Order, Task, Wish, Word};
use super::port::Address;
use super::processes;

/// Between two looks at whether someone asks to stop.
const LOOK: Duration = Duration::from_millis(20);
/// How long a keeper may take to start, waiting for another included.
const START_PATIENCE: Nanos = Nanos::from_secs(90);
/// How long a keeper may take to end beyond the grace of what it keeps.
const KEEPER_PATIENCE: Nanos = Nanos::from_secs(30);
/// How long a keeper that has not started anything yet may take to end.
const SILENT_PATIENCE: Nanos = Nanos::from_secs(2);
/// The variable by which processes are found whose keeper was killed.
const MARK: &str = "CRESTLINE_KEPT";

/// How the keeper is started: this program again, with the argument that makes it one.
#[derive(Debug, Clone)]
pub struct KeeperCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else would be measured.
    #[error("something listens at {0} already")]
    PortTaken(Address),
    /// What it must not be beside is still there.
    #[error("an earlier server has not ended: {} is locked", .0.display())]
    Locked(PathBuf),
    /// The keeper cannot be started or spoken to.
    #[error("the keeper of a process cannot be started")]
    Keeper(#[source] io::Error),
    /// The command cannot be run.
    #[error("{program} cannot be started: {why}")]
    Start {
        /// First word of the command.
        program: String,
        /// The system's error.
        why: String,
    },
    /// Someone asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// A process that runs. Dropped, it is ended.
#[derive(Debug)]
pub struct Kept {
    keeper: Child,
    /// Closed, it tells the keeper to end.
    wishes: Option<ChildStdin>,
    words: Receiver<Word>,
    grace: Nanos,
    /// The variable that its processes have.
    mark: String,
    pid: u32,
    ending: Option<Ending>,
    is_gone: bool,
}

impl Kept {
    /// Starts it. Waits for locks, and for nothing else.
    pub fn start(task: &Task, keeper: &KeeperCommand, stop: &Stop) -> Result<Self, StartError> {
        let mut child = Command::new(&keeper.program)
            .args(&keeper.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(StartError::Keeper)?;
        let value = format!("{}-{}", std::process::id(), clock::monotonic().0);
        let mut kept = Self {
            wishes: child.stdin.take(),
            words: listen(&mut child),
            keeper: child,
            grace: task.grace,
            mark: format!("{MARK}={value}"),
            pid: 0,
            ending: None,
            is_gone: false,
        };
        let mut task = task.clone();
        task.environment.push((MARK.to_owned(), value));
        kept.send(&Order::Keep(task.clone()))
            .map_err(StartError::Keeper)?;
        kept.await_start(&task, stop)?;
        Ok(kept)
    }

    fn await_start(&mut self, task: &Task, stop: &Stop) -> Result<(), StartError> {
        let began = clock::monotonic();
        loop {
            match self.words.recv_timeout(LOOK) {
                Ok(Word::Started(pid)) => {
                    self.pid = pid;
                    return Ok(());
                }
                Ok(word) => return Err(self.refused(word, task)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(StartError::Keeper(io::ErrorKind::UnexpectedEof.into()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if stop.is_asked() {
                return Err(StartError::Interrupted);
            }
            if clock::monotonic().saturating_sub(began) > START_PATIENCE {
                return Err(StartError::Keeper(io::ErrorKind::TimedOut.into()));
            }
        }
    }

    /// The keeper has nothing to keep, and ends.
    fn refused(&mut self, word: Word, task: &Task) -> StartError {
        self.is_gone = true;
        let program = task.command.first().cloned().unwrap_or_default();
        match (word, &task.free, &task.lock) {
            (Word::Failed(why), _, _) => StartError::Start { program, why },
            (Word::Taken, Some(address), _) => StartError::PortTaken(address.clone()),
            (Word::Locked, _, Some(file)) => StartError::Locked(file.clone()),
            _ => StartError::Keeper(io::ErrorKind::InvalidData.into()),
        }
    }

    fn send(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let Some(wishes) = &mut self.wishes else {
            return Ok(());
        };
        writeln!(wishes, "{}", serde_json::to_string(line)?)?;
        wishes.flush()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How the process ended, once it has.
    pub fn ending(&mut self) -> Option<Ending> {
        loop {
            match self.words.try_recv() {
                Ok(word) => self.hear(&word),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.ending.get_or_insert(Ending::Unknown);
                    break;
                }
            }
        }
        self.ending
    }

    /// Waits until the process has ended by itself; `None` where someone asks to stop before.
    pub fn wait(&mut self, stop: &Stop) -> Option<Ending> {
        loop {
            if let Some(ending) = self.ending() {
                return Some(ending);
            }
            if stop.is_asked() {
                return None;
            }
            clock::sleep(LOOK);
        }
    }

    /// Ends the process and all its descendants and waits until none is left. Where someone has asked to stop, they have less
    /// time for it; where someone asks twice, none.
    pub fn end(mut self, stop: &Stop) {
        self.end_now(Wish::End, stop);
    }

    fn end_now(&mut self, wish: Wish, stop: &Stop) {
        // What cannot be told to a keeper is told by the end of its input.
        drop(self.send(&wish));
        let mut told = wish;
        let began = clock::monotonic();
        let patience = match self.pid {
            0 => SILENT_PATIENCE,
            _ => self.grace.saturating_add(KEEPER_PATIENCE),
        };
        while !self.is_gone && clock::monotonic().saturating_sub(began) < patience {
            match self.words.recv_timeout(LOOK) {
                Ok(word) => self.hear(&word),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let asked = asked(stop);
                    if asked > Some(told) {
                        told = asked.unwrap_or(told);
                        drop(self.send(&told));
                    }
                }
            }
        }
        drop(self.wishes.take());
        if !self.is_gone {
            drop(self.keeper.kill());
            self.kill_rest();
        }
        drop(self.keeper.wait());
    }

    fn hear(&mut self, word: &Word) {
        match word {
            Word::Ended(ending) => self.ending = Some(*ending),
            Word::Gone => self.is_gone = true,
            Word::Started(_) | Word::Failed(_) | Word::Taken | Word::Locked => {}
        }
    }

    /// The keeper has been killed, and the process with it, where the system can do that; not so its descendants.
    fn kill_rest(&self) {
        if cfg!(not(target_os = "linux")) && self.pid > 0 {
            let _ = killpg(Pid::from_raw(self.pid.cast_signed()), Signal::SIGKILL);
        }
        let began = clock::monotonic();
        while clock::monotonic().saturating_sub(began) < KEEPER_PATIENCE {
            let rest = processes::with_variable(&self.mark);
            if rest.is_empty() {
                return;
            }
            for process in rest {
                let _ = kill(process, Signal::SIGKILL);
            }
            clock::sleep(LOOK);
        }
    }
}

/// What someone who asks to stop wishes.
fn asked(stop: &Stop) -> Option<Wish> {
    if stop.is_urgent() {
        Some(Wish::Force)
    } else {
        stop.is_asked().then_some(Wish::Hurry)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.wishes.is_some() {
            self.end_now(Wish::Hurry, &Stop::default());
        }
    }
}

/// What the keeper says, from a thread of its own.
fn listen(keeper: &mut Child) -> Receiver<Word> {
    let (sender, receiver) = channel();
    if let Some(said) = keeper.stdout.take() {
        thread::spawn(move || {
            let lines = BufReader::new(said).lines().map_while(Result::ok);
            for word in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(word).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}
