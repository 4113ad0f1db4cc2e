//! Runs one client to its end, on the core that the service does not use, and says what that cost.
//!
//! The clients are the raw reader and `crestline perf`. Both are processes of their own, so that the same question to
//! the system (`getrusage` of children that have ended) gives the CPU time of either, start-up included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::raw::{self, CLOSING_EVENTS, Seen, Task, Totals};
use crate::records;
use crate::service::{BINARY, Service};

/// The core that clients run on.
pub(crate) const CORE: &str = "1";

/// A closed loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Requests in flight.
    pub(crate) streams: usize,
    /// Requests of each stream, one after the other.
    pub(crate) requests: usize,
    /// Length of each answer in tokens; one chunk each.
    pub(crate) tokens: u32,
    /// Length of each prompt in tokens.
    pub(crate) prompt_tokens: u32,
}

impl Load {
    /// Requests of all streams.
    pub(crate) fn total(&self) -> usize {
        self.streams * self.requests
    }

    /// Chunks of all answers.
    pub(crate) fn chunks(&self) -> u64 {
        self.total() as u64 * u64::from(self.tokens)
    }
}

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// CPU time of the client's process in seconds, user and system.
    pub(crate) cpu_s: f64,
    /// Chunks received.
    pub(crate) chunks: u64,
    /// From the first write to the end of the last answer, in seconds.
    pub(crate) seconds: f64,
    /// Events received by one read of a socket, on average; those without content count.
    pub(crate) events_per_read: f64,
}

/// Runs the raw reader.
pub(crate) fn run_raw(service: &Service, load: &Load) -> anyhow::Result<Cost> {
    Ok(raw_reader(service, load, None)?.0)
}

/// Runs the raw reader and keeps what it saw of each request.
pub(crate) fn watch_raw(service: &Service, load: &Load) -> anyhow::Result<Vec<Seen>> {
    let folder = TempDir::new()?;
    let file = folder.path().join("requests.json");
    raw_reader(service, load, Some(file.clone()))?;
    Ok(raw::read_requests(&file)?)
}

fn raw_reader(
    service: &Service,
    load: &Load,
    requests_file: Option<PathBuf>,
) -> anyhow::Result<(Cost, Totals)> {
    let task = Task {
        address: service.address,
        connections: load.streams,
        requests: load.requests,
        prompt: "word ".repeat(load.prompt_tokens as usize),
        tokens: load.tokens,
        requests_file,
    };
    let before = cpu_of_ended_children();
    let output = Command::new("taskset")
        .args(["-c", CORE])
        .arg(std::env::current_exe()?)
        .args(["raw", &serde_json::to_string(&task)?])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the raw reader failed");
    let cpu_s = cpu_of_ended_children() - before;
    let totals: Totals = serde_json::from_slice(&output.stdout)?;
    ensure!(
        totals.chunks == load.chunks(),
        "the raw reader counted {} chunks of {}",
        totals.chunks,
        load.chunks()
    );
    let cost = Cost {
        cpu_s,
        chunks: totals.chunks,
        seconds: totals.seconds,
        events_per_read: (totals.chunks + load.total() as u64 * CLOSING_EVENTS as u64) as f64
            / totals.reads as f64,
    };
    Ok((cost, totals))
}

/// Where the client's process may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the core that the service does not use.
    OneCore,
    /// Anywhere.
    AllCores,
}

/// What a finished `crestline perf` leaves behind.
pub(crate) struct Finished {
    folder: TempDir,
    /// CPU time of the process in seconds.
    pub(crate) cpu_s: f64,
}

/// The command line of `crestline perf` against a service, up to the flags of the load.
pub(crate) fn perf_command(service: &Service, place: Place, folder: &Path) -> Command {
    let mut command = match place {
        Place::AllCores => Command::new(BINARY),
        Place::OneCore => {
            let mut command = Command::new("taskset");
            command.args(["-c", CORE, BINARY]);
            command
        }
    };
    let url = format!("http://{}/v1/chat/completions", service.address);
    command
        .args(["perf", "--model", "crestline-sim", "--url", &url])
        .args(["--dataset", "random", "--tokenizer-path", "builtin"])
        .args(["--extra-args", r#"{"ignore_eos":true}"#])
        .args(["--no-test-connection", "--no-timestamp", "--name", "bench"])
        .arg("--outputs-dir")
        .arg(folder)
        .stdout(Stdio::null());
    command
}

/// The flags of a closed loop.
pub(crate) fn load_flags(load: &Load) -> Vec<String> {
    let mut flags = vec!["--parallel".to_owned(), load.streams.to_string()];
    flags.extend(["--number".to_owned(), load.total().to_string()]);
    flags.extend(length_flags(load.prompt_tokens, load.tokens));
    flags
}

/// The flags that fix the lengths of prompts and answers.
pub(crate) fn length_flags(prompt_tokens: u32, tokens: u32) -> Vec<String> {
    let prompt = prompt_tokens.to_string();
    let mut flags = vec!["--min-prompt-length".to_owned(), prompt.clone()];
    flags.extend(["--max-prompt-length".to_owned(), prompt]);
    flags.extend(["--max-tokens".to_owned(), tokens.to_string()]);
    flags
}

/// Runs `crestline perf` to its end.
pub(crate) fn perf(service: &Service, place: Place, flags: &[String]) -> anyhow::Result<Finished> {
    let folder = TempDir::new()?;
    let before = cpu_of_ended_children();
    let status = perf_command(service, place, folder.path())
        .args(flags)
        .stderr(Stdio::null())
        .status()?;
    let cpu_s = cpu_of_ended_children() - before;
    ensure!(status.success(), "crestline perf failed: {flags:?}");
    Ok(Finished { folder, cpu_s })
}

/// Runs `crestline perf` with a closed loop.
pub(crate) fn run_perf(service: &Service, load: &Load) -> anyhow::Result<Cost> {
    let finished = perf(service, Place::OneCore, &load_flags(load))?;
    let database = finished.database()?;
    let (good, chunks, nanos): (i64, i64, i64) = database.query_row(
        "SELECT sum(success), sum(chunks), max(end_ns) - min(sent_ns) FROM result",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    ensure!(
        good as usize == load.total() && chunks as u64 == load.chunks(),
        "crestline perf got {good} answers of {} and {chunks} chunks of {}",
        load.total(),
        load.chunks()
    );
    Ok(Cost {
        cpu_s: finished.cpu_s,
        chunks: load.chunks(),
        seconds: nanos as f64 / 1e9,
        events_per_read: records::events_per_read(&finished)?,
    })
}

impl Finished {
    /// What a run that was started elsewhere left in a folder; its CPU time is not known.
    pub(crate) fn of(folder: TempDir) -> Self {
        Self {
            folder,
            cpu_s: f64::NAN,
        }
    }

    /// The database of its one load.
    pub(crate) fn database(&self) -> anyhow::Result<Connection> {
        let path = self.file("benchmark_data.db")?;
        Connection::open(&path).with_context(|| format!("{}", path.display()))
    }

    /// The content of a file of its one load.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        Ok(fs::read(self.file(name)?)?)
    }

    /// A file of its one load.
    fn file(&self, name: &str) -> anyhow::Result<PathBuf> {
        for entry in fs::read_dir(self.folder.path().join("bench"))? {
            let path = entry?.path().join(name);
            if path.is_file() {
                return Ok(path);
            }
        }
        bail!("crestline perf left no {name}")
    }
}

/// CPU time in seconds, user and system, of all children that have ended and were waited for.
fn cpu_of_ended_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts CPU time");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as f64 / 1e6
}
