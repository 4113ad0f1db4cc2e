//! What the client costs and how truly it measures, beside a raw reader that is the physical limit.
//!
//! `cargo bench -p crestline --bench client` runs all sections; words after `--` choose some: `throughput`, `accuracy`,
//! `open-loop`, `memory`, `start`, `serving`. Wants two cores and a quiet machine. Every figure stands beside its target; a missed
//! target is shown and does not fail the bench. docs/performance.md explains the tables.

mod accuracy;
mod client;
mod clock;
mod memory;
mod open_loop;
mod raw;
mod records;
mod service;
mod serving;
mod start;
mod table;
mod throughput;

use anyhow::bail;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

type Section = (&'static str, fn() -> anyhow::Result<()>);

/// The sections in the order in which they run.
const SECTIONS: [Section; 6] = [
    ("throughput", throughput::run),
    ("accuracy", accuracy::run),
    ("open-loop", open_loop::run),
    ("memory", memory::run),
    ("start", start::run),
    ("serving", serving::run),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, task] = arguments.as_slice()
        && mode == "raw"
    {
        return Ok(raw::run(task)?);
    }
    let chosen: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--bench")
        .collect();
    for word in &chosen {
        if !SECTIONS.iter().any(|(name, _)| name == word) {
            let names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
            bail!("no section `{word}`: there are {}", names.join(", "));
        }
    }
    allow_many_connections()?;
    for (name, run) in SECTIONS {
        if chosen.is_empty() || chosen.contains(&name) {
            run()?;
        }
    }
    Ok(())
}

/// Raises the limit of open files to the highest allowed; processes started here inherit it.
fn allow_many_connections() -> anyhow::Result<()> {
    let (_, highest) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, highest, highest)?)
}
