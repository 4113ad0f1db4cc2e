//! The simulated engine as a process of its own, on a core of its own.
//!
//! Accuracy starts a fresh one for each turn, so that none finds the truth of another; the others share one within a load.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use tempfile::TempDir;

/// The core that the service runs on; clients run on the other.
const CORE: &str = "0";

/// What the service writes down of what it really did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Nothing.
    Silent,
    /// A row for each request.
    Requests,
    /// That, and a row for each chunk.
    Chunks,
}

/// A running service.
pub(crate) struct Service {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

/// The truth about one request; times are `CLOCK_MONOTONIC` in ns.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Truth {
    /// The id that the client sent.
    pub(crate) request_id: String,
    /// The whole request was read.
    pub(crate) arrival_ns: u64,
    /// The first chunk was handed to the socket.
    pub(crate) first_token_ns: Option<u64>,
    /// The last chunk was handed to the socket.
    pub(crate) last_ns: Option<u64>,
    /// Chunks with tokens.
    pub(crate) chunks: u64,
}

/// When one chunk was handed to the socket.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sent {
    /// The id that the client sent.
    pub(crate) request_id: String,
    /// `CLOCK_MONOTONIC` in ns.
    pub(crate) sent_ns: u64,
}

/// The path of the binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_crestline");

impl Service {
    /// Starts a service with a profile, and waits until it answers.
    pub(crate) fn start(profile: &str, witness: Witness) -> anyhow::Result<Self> {
        Self::start_with(profile, witness, &[])
    }

    /// The same, with further flags.
    pub(crate) fn start_with(
        profile: &str,
        witness: Witness,
        flags: &[&str],
    ) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let mut command = Command::new("taskset");
        command.args([
            "-c",
            CORE,
            BINARY,
            "sim",
            "--profile",
            profile,
            "--port",
            "0",
        ]);
        command.args(flags);
        if witness != Witness::Silent {
            command.arg("--truth").arg(requests_file(folder.path()));
        }
        if witness == Witness::Chunks {
            command
                .arg("--truth-chunks")
                .arg(chunks_file(folder.path()));
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("`taskset` of util-linux starts the service")?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let address = address(&mut BufReader::new(stdout))?;
        let service = Self {
            child,
            address,
            folder,
        };
        await_answer(address)?;
        Ok(service)
    }

    /// Ends the service and waits for it, so that its truth is whole.
    pub(crate) fn stop(mut self) -> anyhow::Result<Ended> {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )?;
        self.child.wait()?;
        let folder = std::mem::replace(&mut self.folder, TempDir::new()?);
        Ok(Ended { folder })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already where `stop` was called.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a service that has ended leaves behind.
pub(crate) struct Ended {
    folder: TempDir,
}

impl Ended {
    /// The truth about all requests, in the order in which they ended.
    pub(crate) fn requests(&self) -> anyhow::Result<Vec<Truth>> {
        rows(&requests_file(self.folder.path()))
    }

    /// When each chunk was sent; those of one request stand together and in order.
    pub(crate) fn chunks(&self) -> anyhow::Result<Vec<Sent>> {
        rows(&chunks_file(self.folder.path()))
    }
}

fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path)?;
    Ok(reader.deserialize().collect::<Result<_, _>>()?)
}

fn requests_file(folder: &Path) -> PathBuf {
    folder.join("requests.csv")
}

fn chunks_file(folder: &Path) -> PathBuf {
    folder.join("chunks.csv")
}

/// Waits for the answer to a first request: the service may listen before it is ready.
fn await_answer(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    write!(
        socket,
        "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    ensure!(
        answer.starts_with("HTTP/1.1 200 "),
        "the service is not ready: {answer}"
    );
    Ok(())
}

/// The address in the line that the service prints when it listens.
fn address(stdout: &mut impl BufRead) -> anyhow::Result<SocketAddr> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let address = line
        .split_once("http://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map(|(address, _)| address.parse());
    match address {
        Some(address) => Ok(address?),
        None => bail!("the service does not listen: {line}"),
    }
}
