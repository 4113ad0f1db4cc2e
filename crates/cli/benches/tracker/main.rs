//! What a tracker that blocks for ever costs the measurement: nothing that can be seen.
//!
//! `cargo bench -p crestline --bench tracker` runs the same load in pairs, one of each with a tracker that says that it is
//! ready and never reads, in turns, and prints TTFT p99 of both beside their ratio. A word after `--` is another number of
//! pairs. The target is shown and does not fail the bench.

#[path = "../client/service.rs"]
#[expect(dead_code, reason = "of the other bench's service a part is used")]
mod service;
#[path = "../client/table.rs"]
#[expect(dead_code, reason = "of the other bench's table a part is used")]
mod table;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use service::{BINARY, Service, Witness};
use table::{Table, at_most, median, quantile};

/// Pairs of runs, of some five seconds each.
const PAIRS: usize = 12;
/// By how much TTFT p99 may differ, in percent.
const LIMIT_PERCENT: f64 = 2.0;
/// In Python's place: it takes nothing that it is told.
const STUB: &str = "#!/bin/sh\necho '{\"ready\": []}'\nexec sleep 600\n";
/// 1,000 requests in five seconds, some hundred kB/s of answers.
const LOAD: &str = "--model m --tokenizer-path builtin --dataset random --max-tokens 8 --min-tokens 8 --min-prompt-length 16 \
    --max-prompt-length 16 --open-loop --rate 200 --arrival constant --number 1000 --no-timestamp --no-html --no-test-connection \
    --threads 1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracker {
    None,
    Blocked,
}

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let pairs = words.next().map_or(Ok(PAIRS), |word| word.parse())?;
    let folder = tempfile::tempdir()?;
    let stub = folder.path().join("stub");
    fs::write(&stub, STUB)?;
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755))?;
    let service = Service::start("constant-20ms", Witness::Silent)?;
    let url = format!("http://{}/v1/chat/completions", service.address);
    // The first run of all finds everything cold.
    run(&url, folder.path(), Tracker::None)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        let turns = match pair % 2 {
            0 => [Tracker::None, Tracker::Blocked],
            _ => [Tracker::Blocked, Tracker::None],
        };
        for tracker in turns {
            let p99_ms = run(&url, folder.path(), tracker)?;
            match tracker {
                Tracker::None => without.push(p99_ms),
                Tracker::Blocked => with.push(p99_ms),
            }
        }
    }
    service.stop()?;
    show(&without, &with);
    Ok(())
}

/// TTFT p99 of one run, in ms.
fn run(url: &str, folder: &Path, tracker: Tracker) -> anyhow::Result<f64> {
    let out = folder.join("out");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let mut command = Command::new(BINARY);
    command
        .args(["perf", "--url", url, "--outputs-dir"])
        .arg(&out)
        .args(LOAD.split_whitespace())
        .env("CRESTLINE_PYTHON", folder.join("stub"))
        .stdout(Stdio::null());
    if tracker == Tracker::Blocked {
        command.args(["--visualizer", "wandb", "--tracker-patience", "0.1"]);
    }
    let ran = command.output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{said}");
    ensure!(
        said.contains("did not end within") == (tracker == Tracker::Blocked),
        "the tracker did not block: {said}"
    );
    let load = out.join("m/rate_200.0_number_1000");
    let rows: Vec<Value> =
        serde_json::from_slice(&fs::read(load.join("benchmark_percentile.json"))?)?;
    let row = rows.iter().find(|row| row["Percentiles"] == "99%");
    row.and_then(|row| row["TTFT (ms)"].as_f64())
        .context("a run has a p99 of TTFT")
}

fn show(without: &[f64], with: &[f64]) {
    let ratios: Vec<f64> = without
        .iter()
        .zip(with)
        .map(|(without, with)| (with / without - 1.0) * 100.0)
        .collect();
    let mut table = Table::new(
        "TTFT p99 with a tracker that blocks for ever",
        &[
            "pairs",
            "without ms",
            "with ms",
            "change %, median",
            "quarters of the pairs",
            "target",
        ],
    );
    let change = median(&ratios);
    table.row([
        ratios.len().to_string(),
        format!("{:.3}", median(without)),
        format!("{:.3}", median(with)),
        format!("{change:+.2}"),
        format!(
            "{:+.2} to {:+.2}",
            quantile(&ratios, 0.25),
            quantile(&ratios, 0.75)
        ),
        at_most(change, LIMIT_PERCENT, " %"),
    ]);
    table.print();
}
