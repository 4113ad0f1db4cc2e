//! How near searches come to the truth, and what they cost: algorithms on scenarios in virtual time.
//!
//! `tuning`, `held-out` and `all` run searches and print tables; `live` runs a few in real time; `trace NAME` shows one
//! search; `truth` and `pchip` write the tables of what is expensive; `inspect NAME LOAD…` shows what an engine does.
//! docs/search-bench.md explains all.

mod algorithm;
mod bounds;
mod live;
mod pchip_table;
mod plant;
mod report;
mod scenario;
mod score;
mod table;
mod threads;
mod trace;
mod truth;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use algorithm::Algorithm;
use report::Selection;
use scenario::{Half, Scenario};
use truth::TruthTable;

/// Measures search algorithms in virtual time.
#[derive(Debug, Parser)]
struct Arguments {
    /// Passed by cargo.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Search the scenarios on which a search may be tuned.
    Tuning(Options),
    /// Search the scenarios that are held out.
    HeldOut(Options),
    /// Search all scenarios.
    All(Options),
    /// Search three engines in real time with the built binary, and compare with the truth in virtual time.
    Live(live::Options),
    /// Show one search step by step.
    Trace {
        /// The scenario.
        name: String,
        /// The search's seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// How often the bounds that a race goes by exclude the truth, at any look of a search.
    Bounds(Options),
    /// Show what an engine does at fixed loads.
    Inspect {
        /// The scenario.
        name: String,
        /// Users or requests a second.
        loads: Vec<f64>,
    },
    /// Find the truths that are missing from the table.
    Truth {
        /// Only of scenarios whose names contain this.
        #[arg(default_value = "")]
        name: String,
    },
    /// Make the searches of pchip that are missing from the table.
    Pchip,
}

#[derive(Debug, Args)]
struct Options {
    /// Searches of each scenario.
    #[arg(long, default_value_t = 40)]
    seeds: u64,
    /// Algorithms, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "crest,bisect,pchip")]
    algorithms: Vec<Algorithm>,
    /// Only scenarios whose names contain this.
    #[arg(long, default_value = "")]
    scenario: String,
    /// Write every single answer to this file.
    #[arg(long)]
    answers: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Tuning(options) => options.run(&[Half::Tuning]),
        Task::HeldOut(options) => options.run(&[Half::HeldOut]),
        Task::All(options) => options.run(&[Half::Tuning, Half::HeldOut]),
        Task::Live(options) => options.run(),
        Task::Bounds(options) => bounds::run(&options.scenario, options.seeds),
        Task::Trace { name, seed } => {
            let table = TruthTable::load()?;
            let scenario = scenario(&table, &name)?;
            trace::trace(&scenario, &table.of(&scenario), seed);
            Ok(())
        }
        Task::Inspect { name, loads } => {
            truth::inspect(&scenario(&TruthTable::load()?, &name)?, &loads);
            Ok(())
        }
        Task::Truth { name } => truth::make(&name),
        Task::Pchip => pchip_table::make(),
    }
}

impl Options {
    fn run(&self, halves: &[Half]) -> anyhow::Result<()> {
        report::run(&Selection {
            halves,
            name: &self.scenario,
            algorithms: &self.algorithms,
            seeds: self.seeds,
            answers: self.answers.as_deref(),
        })
    }
}

fn scenario(table: &TruthTable, name: &str) -> anyhow::Result<Scenario> {
    let mut scenarios = table.scenarios().into_iter();
    scenarios
        .find(|scenario| scenario.name == name)
        .with_context(|| format!("no scenario `{name}`"))
}
