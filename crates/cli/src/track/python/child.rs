//! The process in which a tracker's client runs, and what is said to it and by it: JSON, an object a line.
//!
//! Knows no tracker. What the client prints is kept to its last lines and shown where it fails, without the key.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::MASK;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::super::told::Told;
use super::super::tracker::{Opened, Sink, SinkError};
use super::Opening;
use crate::console;

/// What the child runs.
const SCRIPT: &str = include_str!("../../../../../python/crestline/_track.py");
/// How it gets to it: the script is the first line of the input, so that the command line stays short.
const BOOTSTRAP: &str =
    "import json, sys; exec(compile(json.loads(sys.stdin.readline()), '_track.py', 'exec'))";
/// How long a client may take to begin a run: as long as the slowest of them gives itself, and some more.
const READY_WITHIN: Nanos = Nanos::from_secs(120);
/// Between two looks at whether someone asks to stop.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of what the client prints that are kept.
const LINES_KEPT: usize = 5;
/// Letters of those that are shown.
const LETTERS_SHOWN: usize = 600;
/// How long the output of a process that has ended may take to be read.
const LAST_WORDS: Nanos = Nanos::from_millis(500);

/// Why a client is not told anything.
#[derive(Debug)]
pub(super) enum Refusal {
    /// This Python cannot be started, or is none.
    NotThere(String),
    /// It lacks the tracker's package.
    NoPackage,
    /// It lacks the package that shows runs on this machine.
    NoDashboard,
    /// The tracker wants an account.
    Login(String),
    /// Anything else, as the client tells it.
    Other(String),
    /// Someone asked to stop meanwhile.
    Stopped,
}

/// What the client says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Word {
    Refused { refused: String, why: String },
    Ready { ready: Vec<String> },
    Lost { lost: String },
    Ended { ended: Vec<String> },
}

/// A client that is being told.
#[derive(Debug)]
pub(super) struct Child {
    name: &'static str,
    process: Arc<Mutex<process::Child>>,
    pid: Pid,
    input: Option<ChildStdin>,
    words: Receiver<Result<Word, String>>,
    printed: Arc<Mutex<VecDeque<String>>>,
    secret: Option<String>,
    /// What it said last.
    farewell: Vec<String>,
}

/// A client whose run has begun.
#[derive(Debug)]
pub(super) struct Ready {
    child: Child,
    notes: Vec<String>,
}

impl Child {
    /// Starts the client and says how it is to be opened.
    pub(super) fn start(python: &OsStr, opening: &Opening, stop: &Stop) -> Result<Self, Refusal> {
        if stop.is_asked() {
            return Err(Refusal::Stopped);
        }
        let mut process = Command::new(python)
            .args(["-c", BOOTSTRAP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Refusal::NotThere(format!("{}: {error}", python.display())))?;
        let (input, words) = (process.stdin.take(), listen(process.stdout.take()));
        let printed = Arc::<Mutex<VecDeque<String>>>::default();
        keep_last_lines(process.stderr.take(), &printed);
        let mut child = Self {
            name: opening.package.name(),
            pid: Pid::from_raw(process.id().cast_signed()),
            process: Arc::new(Mutex::new(process)),
            input,
            words,
            printed,
            secret: opening.key.clone().filter(|key| !key.is_empty()),
            farewell: Vec::new(),
        };
        child.send(&SCRIPT);
        child.send(opening);
        Ok(child)
    }

    /// Says something before it is ready; short enough that a client that does not read holds nobody up.
    pub(super) fn send(&mut self, line: &impl Serialize) {
        // A client that is gone is asked why, when it does not get ready.
        drop(self.write(line));
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let Some(input) = &mut self.input else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        input.write_all(&text)
    }

    /// Waits until its run has begun.
    pub(super) fn await_ready(self, stop: &Stop) -> Result<Ready, Refusal> {
        let began = clock::monotonic();
        loop {
            let refusal = match self.words.recv_timeout(LOOK) {
                Ok(Ok(Word::Ready { ready: notes })) => return Ok(Ready { child: self, notes }),
                Ok(Ok(Word::Refused { refused, why })) => self.refused(&refused, &why),
                Ok(Ok(word)) => Refusal::Other(format!("it says {word:?} before it is ready")),
                Ok(Err(line)) => Refusal::Other(format!(
                    "it says {:?}, which is not meant for this program",
                    console::brief(&self.redacted(&line), LETTERS_SHOWN)
                )),
                Err(RecvTimeoutError::Disconnected) => Refusal::Other(self.how_it_ended()),
                Err(RecvTimeoutError::Timeout) if stop.is_asked() => Refusal::Stopped,
                Err(RecvTimeoutError::Timeout) => {
                    if clock::monotonic().saturating_sub(began) < READY_WITHIN {
                        continue;
                    }
                    Refusal::Other(
                        self.with_last_lines(format!("it was not ready within {READY_WITHIN}")),
                    )
                }
            };
            kill_all(self.pid);
            let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
            drop(process.wait());
            drop(process);
            return Err(refusal);
        }
    }

    fn refused(&self, kind: &str, why: &str) -> Refusal {
        let why = self.redacted(why);
        match kind {
            "package" => Refusal::NoPackage,
            "dashboard" => Refusal::NoDashboard,
            "login" => Refusal::Login(why),
            _ => Refusal::Other(why),
        }
    }

    /// That it has ended, how, and its last words.
    fn how_it_ended(&self) -> String {
        let began = clock::monotonic();
        let mut status = None;
        while status.is_none() && clock::monotonic().saturating_sub(began) < LAST_WORDS {
            status = self.status();
            clock::sleep(LOOK);
        }
        self.with_last_lines(match status {
            Some(status) => format!("its process has ended ({status})"),
            None => "its process does not speak any more".to_owned(),
        })
    }

    fn status(&self) -> Option<process::ExitStatus> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.try_wait().ok().flatten()
    }

    fn with_last_lines(&self, text: String) -> String {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if printed.is_empty() {
            return text;
        }
        let lines: Vec<&str> = printed.iter().map(String::as_str).collect();
        let last = console::brief(&self.redacted(&lines.join(" ")), LETTERS_SHOWN);
        format!("{text}: {last}")
    }

    fn redacted(&self, text: &str) -> String {
        match &self.secret {
            Some(secret) => text.replace(secret, MASK),
            None => text.to_owned(),
        }
    }

    /// What the client has said since: pieces that it could not pass on, and why the last of them.
    fn heard(&self) -> Result<(), SinkError> {
        let (mut pieces, mut last) = (0, String::new());
        loop {
            match self.words.try_recv() {
                Ok(Ok(Word::Lost { lost })) => (pieces, last) = (pieces + 1, self.redacted(&lost)),
                // It prints beside what it says: that is no reason to end it.
                Ok(_) => {}
                Err(TryRecvError::Empty) if pieces == 0 => return Ok(()),
                Err(TryRecvError::Empty) => return Err(SinkError::Lost { pieces, why: last }),
                Err(TryRecvError::Disconnected) => {
                    return Err(SinkError::Over(self.how_it_ended()));
                }
            }
        }
    }

    /// Waits until it says that everything is delivered.
    fn await_end(&mut self) -> Result<(), SinkError> {
        drop(self.input.take());
        let (mut pieces, mut last) = (0, String::new());
        loop {
            match self.words.recv() {
                Ok(Ok(Word::Ended { ended })) => {
                    self.farewell = ended.iter().map(|line| self.redacted(line)).collect();
                    break;
                }
                Ok(Ok(Word::Lost { lost })) => (pieces, last) = (pieces + 1, self.redacted(&lost)),
                Ok(_) => {}
                Err(_) => return Err(SinkError::Over(self.how_it_ended())),
            }
        }
        self.wait_aside();
        match pieces {
            0 => Ok(()),
            pieces => Err(SinkError::Lost { pieces, why: last }),
        }
    }

    /// Leaves the process to end in its own time, and nothing of it behind.
    fn wait_aside(&self) {
        let process = Arc::clone(&self.process);
        thread::spawn(move || {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            drop(process.wait());
        });
    }
}

impl Sink for Child {
    fn take(&mut self, batch: Vec<Told>) -> Result<(), SinkError> {
        for told in &batch {
            if self.write(told).is_err() {
                return Err(SinkError::Over(self.how_it_ended()));
            }
        }
        match batch.last() {
            Some(Told::End(_)) => self.await_end(),
            _ => self.heard(),
        }
    }

    fn farewell(&mut self) -> Vec<String> {
        std::mem::take(&mut self.farewell)
    }
}

impl Ready {
    /// To be told of the measurement.
    pub(super) fn opened(self) -> Opened {
        let pid = self.child.pid;
        let process = Arc::clone(&self.child.process);
        Opened {
            name: self.child.name,
            notes: self
                .notes
                .iter()
                .map(|note| self.child.redacted(note))
                .collect(),
            abandon: Box::new(move || {
                let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                // Once it has been waited for, its number may be another's.
                if matches!(process.try_wait(), Ok(None)) {
                    kill_all(pid);
                    drop(process.wait());
                }
            }),
            sink: Box::new(self.child),
        }
    }
}

/// Ends a process and its group, where it leads one; that it is gone already is as well.
fn kill_all(pid: Pid) {
    let _ = killpg(pid, Signal::SIGKILL);
    let _ = kill(pid, Signal::SIGKILL);
}

/// What the client says, from a thread of its own; a line that is none of its words as it is.
fn listen(output: Option<impl Read + Send + 'static>) -> Receiver<Result<Word, String>> {
    let (sender, receiver) = channel();
    if let Some(output) = output {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let word = serde_json::from_str(&line).map_err(|_| line);
                if sender.send(word).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Keeps the last lines of what is printed.
fn keep_last_lines(
    output: Option<impl Read + Send + 'static>,
    printed: &Arc<Mutex<VecDeque<String>>>,
) {
    let Some(output) = output else { return };
    let printed = Arc::clone(printed);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            if printed.len() == LINES_KEPT {
                printed.pop_front();
            }
            printed.push_back(line);
        }
    });
}
