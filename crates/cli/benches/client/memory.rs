//! Peak memory of `crestline perf` with many open streams, and what one more stream costs.
//!
//! The prompts are long and the answers slow, so that all streams are open at once; whether they were is read from the
//! records.

use std::fs;
use std::io::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::{NamedTempFile, TempDir};

use crate::client::{Finished, Load, Place, load_flags, perf_command};
use crate::records;
use crate::service::{Service, Witness};
use crate::table::{Table, at_most};

const STREAMS: [usize; 3] = [1000, 4096, 10_000];
/// An iteration that is long enough for every stream to be opened before the first one ends.
const SLOW_PROFILE: &str =
    "summary = \"an iteration takes two seconds: for many streams open at once\"
max_num_seqs = 1_000_000
max_num_batched_tokens = 4_000_000_000
max_model_len = 1_000_000

[iteration]
base_ms = 2000.0
prefill_us_per_token = 0.0
decode_us_per_sequence = 0.0
kv_ns_per_token = 0.0
";
/// Largest peak with 4096 streams, in MB of a million bytes.
const ALL_LIMIT_MB: f64 = 100.0;
/// Largest cost of a stream in KiB.
const STREAM_LIMIT_KIB: f64 = 24.0;

/// Runs all numbers of streams and prints their table.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(
        "Memory of the client, prompts of 1024 tokens",
        &[
            "streams",
            "open at once",
            "failed",
            "peak MB",
            "target",
            "client",
        ],
    );
    let mut profile = NamedTempFile::with_suffix(".toml")?;
    profile.write_all(SLOW_PROFILE.as_bytes())?;
    let profile = profile
        .path()
        .to_str()
        .context("temporary paths are text")?;
    let mut peaks = Vec::new();
    for streams in STREAMS {
        let (peak, finished) = measure(profile, streams)?;
        let (open, failed) = records::open_at_once(&finished)?;
        let megabytes = peak as f64 / 1e6;
        peaks.push(peak as f64);
        table.row([
            streams.to_string(),
            open.to_string(),
            failed.to_string(),
            format!("{megabytes:.1}"),
            if streams == 4096 {
                at_most(megabytes, ALL_LIMIT_MB, " MB")
            } else {
                String::new()
            },
            records::health(&finished)?,
        ]);
    }
    let further = (STREAMS[2] - STREAMS[0]) as f64;
    let each = (peaks[2] - peaks[0]) / further / 1024.0;
    table.row([
        "each further one".to_owned(),
        String::new(),
        String::new(),
        format!("{each:.1} KiB"),
        at_most(each, STREAM_LIMIT_KIB, " KiB"),
        String::new(),
    ]);
    table.print();
    Ok(())
}

/// Runs one load and reads the peak of the process's memory, in bytes, while it lives.
fn measure(profile: &str, streams: usize) -> anyhow::Result<(u64, Finished)> {
    let service = Service::start(profile, Witness::Silent)?;
    let load = Load {
        streams,
        requests: 1,
        tokens: 8,
        prompt_tokens: 1024,
    };
    let folder = TempDir::new()?;
    let mut child = perf_command(&service, Place::OneCore, folder.path())
        .args(load_flags(&load))
        .spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let (ended, end) = mpsc::channel();
    let waiting = thread::spawn(move || ended.send(child.wait()));
    let mut peak = 0;
    let status = loop {
        peak = peak.max(high_water_mark(&status_file).unwrap_or_default());
        match end.recv_timeout(Duration::from_millis(20)) {
            Ok(status) => break status?,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(error) => return Err(error.into()),
        }
    };
    ensure!(
        waiting.join().is_ok(),
        "the wait for the client ended early"
    );
    ensure!(
        status.success(),
        "crestline perf failed with {streams} streams"
    );
    Ok((peak, Finished::of(folder)))
}

/// `VmHWM` of a process in bytes; `None` once it has ended.
fn high_water_mark(status_file: &str) -> Option<u64> {
    let status = fs::read_to_string(status_file).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
