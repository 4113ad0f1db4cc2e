//! How long the command takes to begin: `--help`, and from the start of the process to the first request at the service.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::client::{Load, Place, load_flags, perf};
use crate::clock;
use crate::service::{BINARY, Service, Witness};
use crate::table::{Table, at_most, median, quantile};

const TURNS: usize = 20;
const HELP_LIMIT_MS: f64 = 20.0;
const FIRST_REQUEST_LIMIT_MS: f64 = 100.0;

/// Measures both and prints their table.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new("Start, ms", &["what", "median", "slowest of 20", "target"]);
    for (what, times, limit) in [
        ("`crestline --help`", help()?, HELP_LIMIT_MS),
        (
            "start of the process to first request",
            first_request()?,
            FIRST_REQUEST_LIMIT_MS,
        ),
    ] {
        let middle = median(&times);
        table.row([
            what.to_owned(),
            format!("{middle:.1}"),
            format!("{:.1}", quantile(&times, 1.0)),
            at_most(middle, limit, " ms"),
        ]);
    }
    table.print();
    Ok(())
}

fn help() -> anyhow::Result<Vec<f64>> {
    let once = || {
        let begun = clock::now();
        let status = Command::new(BINARY)
            .arg("--help")
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "crestline --help failed");
        Ok((clock::now() - begun) as f64 / 1e6)
    };
    (0..TURNS).map(|_| once()).collect()
}

/// From before the process is made to the arrival of its request, as the service saw it.
fn first_request() -> anyhow::Result<Vec<f64>> {
    let service = Service::start("full-speed", Witness::Requests)?;
    let flags = load_flags(&Load {
        streams: 1,
        requests: 1,
        tokens: 2,
        prompt_tokens: 32,
    });
    let begun: Vec<u64> = (0..TURNS)
        .map(|_| {
            let begun = clock::now();
            perf(&service, Place::AllCores, &flags).map(|_| begun)
        })
        .collect::<Result<_, _>>()?;
    let arrivals = service.stop()?.requests()?;
    ensure!(arrivals.len() == TURNS, "a request is missing in the truth");
    begun
        .iter()
        .zip(arrivals)
        .map(|(begun, truth)| {
            let waited = truth.arrival_ns.checked_sub(*begun);
            Ok(waited.context("arrived before it was sent")? as f64 / 1e6)
        })
        .collect()
}
