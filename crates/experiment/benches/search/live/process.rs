//! The two processes of a search in real time: a simulated engine and `crestline perf`.
//!
//! Does not know the truth.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use crestline_core::search::{Interval, Outcome};
use serde::Deserialize;

/// A running simulated engine on a free port.
pub(super) struct Service {
    child: Child,
    address: SocketAddr,
}

/// What a search says of itself.
#[derive(Debug)]
pub(super) struct Report {
    /// Kind of answer.
    pub(super) outcome: Outcome,
    /// The load that is reported as met.
    pub(super) load: Option<f64>,
    /// The best estimate.
    pub(super) estimate: Option<f64>,
    /// Where the truth lies with 90 %.
    pub(super) interval: Option<Interval>,
    /// Requests sent.
    pub(super) requests: u64,
    /// Time of load.
    pub(super) seconds: f64,
    /// How late requests were sent: p99 and the most.
    pub(super) send_lag_ms: [f64; 2],
    /// By how much the engine moved its schedule because its process was late.
    pub(super) late_s: f64,
}

/// The fields of `sla_summary.json` that are read.
#[derive(Debug, Deserialize)]
struct Summary {
    selections: Vec<Selection>,
    totals: Totals,
    client: Client,
}

#[derive(Debug, Deserialize)]
struct Selection {
    status: Outcome,
    max_satisfied: Option<f64>,
    estimate: Option<f64>,
    interval: Option<Interval>,
}

#[derive(Debug, Deserialize)]
struct Totals {
    time_s: f64,
    requests: u64,
}

#[derive(Debug, Deserialize)]
struct Client {
    send_lag_ms: Lag,
}

#[derive(Debug, Deserialize)]
struct Lag {
    p99: Option<f64>,
    max: Option<f64>,
}

impl Service {
    /// Starts an engine with a profile's file, and waits until it listens.
    pub(super) fn start(binary: &Path, profile: &Path, seed: u64) -> anyhow::Result<Self> {
        let mut child = Command::new(binary)
            .args(["sim", "--port", "0", "--seed", &seed.to_string()])
            .arg("--profile")
            .arg(profile)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .with_context(|| format!("the engine does not listen: {line}"))?
            .0
            .parse()?;
        Ok(Self { child, address })
    }

    /// Seconds by which the engine moved its schedule so far, because its process was too late.
    pub(super) fn late_s(&self) -> anyhow::Result<f64> {
        let mut socket = TcpStream::connect(self.address)?;
        let host = self.address;
        write!(
            socket,
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        let mut page = String::new();
        socket.read_to_string(&mut page)?;
        page.lines()
            .find(|line| line.starts_with("crestline_sim:schedule_slip_seconds_total"))
            .and_then(|line| line.split_whitespace().last()?.parse().ok())
            .context("the engine does not say how late it was")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a search to its end; it is bounded by its own default budget.
pub(super) fn search(
    binary: &Path,
    service: &Service,
    seed: u64,
    flags: &[String],
    folder: &Path,
) -> anyhow::Result<Report> {
    let url = format!("http://{}/v1/chat/completions", service.address);
    let output = Command::new(binary)
        .args(["perf", "--model", "crestline-sim", "--url", &url])
        .args(["--seed", &seed.to_string()])
        .args(["--name", "live", "--no-timestamp", "--outputs-dir"])
        .arg(folder)
        .args(flags)
        .stdin(Stdio::null())
        .output()?;
    // Inconclusive and void are answers too; where nothing could be asked there is no file.
    let file = folder.join("live/sla_summary.json");
    ensure!(
        file.is_file(),
        "the search failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = std::fs::read_to_string(file)?;
    let summary: Summary = serde_json::from_str(&file)?;
    let selection = summary
        .selections
        .into_iter()
        .next()
        .context("a search answers each group")?;
    let lag = summary.client.send_lag_ms;
    Ok(Report {
        outcome: selection.status,
        load: selection.max_satisfied,
        estimate: selection.estimate,
        interval: selection.interval,
        requests: summary.totals.requests,
        seconds: summary.totals.time_s,
        send_lag_ms: [lag.p99, lag.max].map(Option::unwrap_or_default),
        late_s: 0.0,
    })
}
