//! What a report of many requests costs: time, memory, and the size of its page.
//!
//! `cargo bench -p crestline --bench report` writes runs of ten thousand and of a million requests (1.1 GB, in the folder for
//! temporary files, gone at the end) and reads each twice: its digest alone, and the whole `crestline report`. A word after
//! `--` chooses one: `10k`, `1M`. Every figure stands beside its target; a missed target is shown and does not fail the bench.

#[path = "../client/clock.rs"]
mod clock;
mod stored;
#[path = "../client/table.rs"]
#[expect(dead_code, reason = "of the other bench's table a part is used")]
mod table;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{bail, ensure};
use crestline_core::digest::Limits;

use stored::Run;
use table::{Table, at_most};

/// A run and what its report may cost.
struct Case {
    name: &'static str,
    run: Run,
    digest_s: f64,
    report_s: f64,
    memory_mb: f64,
    page_mb: f64,
}

const CASES: [Case; 2] = [
    Case {
        name: "10k",
        run: Run {
            requests: 10_000,
            tokens: [64, 256],
            rate: 40,
        },
        digest_s: 1.0,
        report_s: 2.0,
        memory_mb: 300.0,
        page_mb: 2.0,
    },
    Case {
        name: "1M",
        run: Run {
            requests: 1_000_000,
            tokens: [64, 64],
            rate: 300,
        },
        digest_s: 20.0,
        report_s: 30.0,
        memory_mb: 1500.0,
        page_mb: 10.0,
    },
];

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [mode, path] = &words[..]
        && mode == "digest"
    {
        return digest(Path::new(path));
    }
    let chosen: Vec<&Case> = CASES
        .iter()
        .filter(|case| words.is_empty() || words.iter().any(|word| word == case.name))
        .collect();
    if chosen.is_empty() {
        bail!("no run `{}`: there are 10k and 1M", words.join(" "));
    }
    let mut table = Table::new(
        "Reports of many requests",
        &[
            "requests",
            "database MB",
            "written s",
            "step",
            "s",
            "time",
            "peak MB",
            "memory",
            "page MB",
            "size",
        ],
    );
    for case in chosen {
        measure(case, &mut table)?;
    }
    table.print();
    Ok(())
}

/// Reads a run as a process of its own.
fn digest(path: &Path) -> anyhow::Result<()> {
    let read = crestline_experiment::digest::read(path, Limits::default())?;
    ensure!(read.summary.total() == read.digest.requests.total());
    Ok(())
}

fn measure(case: &Case, table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("benchmark_data.db");
    let began = clock::now();
    let size = case.run.write(&database)?;
    let written_s = seconds_since(began);
    let page = folder.path().join("report.html");
    let mut reading = Command::new(std::env::current_exe()?);
    reading.arg("digest").arg(&database);
    let mut reporting = Command::new(env!("CARGO_BIN_EXE_crestline"));
    reporting.arg("report").arg(&database).arg("-o").arg(&page);
    for (step, command, limit_s) in [
        ("digest", reading, case.digest_s),
        ("report", reporting, case.report_s),
    ] {
        let (seconds, peak_mb) = watched(command)?;
        let page_mb = fs::metadata(&page).map_or(0.0, |page| page.len() as f64 / 1e6);
        table.row([
            case.run.requests.to_string(),
            format!("{:.0}", size as f64 / 1e6),
            format!("{written_s:.1}"),
            step.to_owned(),
            format!("{seconds:.2}"),
            at_most(seconds, limit_s, " s"),
            format!("{peak_mb:.0}"),
            at_most(peak_mb, case.memory_mb, " MB"),
            if page_mb > 0.0 {
                format!("{page_mb:.2}")
            } else {
                String::new()
            },
            if page_mb > 0.0 {
                at_most(page_mb, case.page_mb, " MB")
            } else {
                String::new()
            },
        ]);
    }
    Ok(())
}

fn seconds_since(began: u64) -> f64 {
    (clock::now() - began) as f64 / 1e9
}

/// Runs a command; how long it took, and the peak of its memory in MB of a million bytes.
fn watched(mut command: Command) -> anyhow::Result<(f64, f64)> {
    let began = clock::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let status = loop {
        peak = peak.max(high_water_mark(&status_file).unwrap_or_default());
        match child.try_wait()? {
            Some(status) => break status,
            None => thread::park_timeout(Duration::from_millis(5)),
        }
    };
    let seconds = seconds_since(began);
    ensure!(status.success(), "{command:?} failed");
    Ok((seconds, peak as f64 / 1e6))
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
