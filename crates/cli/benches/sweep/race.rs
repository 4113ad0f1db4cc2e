//! What `--prune` saves, and whether it finds the same winners: each seed with and without it.
//!
//! `-- prune SEEDS VARIABLE`. Load time is that of the journals of all searches. Two winners are the same where they have the
//! same name, or where the whole sweep found both within its tolerance of each other.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::{slas, sweep};

/// Loads of servers whose ratio is nearer to 1 than this are the same.
const SAME: f64 = 0.05;
/// The share of the load time that a race may need.
const HALF: f64 = 0.5;

/// One seed: the load of both sweeps in seconds, and the winners of each SLA.
struct Pair {
    whole_s: f64,
    raced_s: f64,
    winners: Vec<Winner>,
}

/// The winner of one SLA in both.
struct Winner {
    whole: String,
    raced: String,
    /// The load that the whole sweep found for the winner of the race, as a share of the best one.
    share: f64,
}

impl Winner {
    fn is_same(&self) -> bool {
        self.whole == self.raced || self.share >= 1.0 - SAME
    }
}

/// Prints a line for each seed, and says whether all winners are the same for half of the load.
pub(crate) fn run(place: &Path, variable: &str, seeds: u64) -> anyhow::Result<bool> {
    let count = slas().as_array().map_or(0, Vec::len);
    println!(
        "| seed | load of all (s) | load of the race (s) | share | winners of all | winners of the race |"
    );
    println!(
        "| ---- | --------------- | -------------------- | ----- | -------------- | ------------------- |"
    );
    let (mut whole, mut raced, mut same, mut halves) = (0.0, 0.0, 0, 0);
    for seed in 0..seeds {
        let pair = pair(place, variable, seed)?;
        let names = |of: fn(&Winner) -> &str| {
            let names: Vec<&str> = pair.winners.iter().map(of).collect();
            names.join(", ")
        };
        let share = pair.raced_s / pair.whole_s;
        println!(
            "| {seed} | {:.0} | {:.0} | {share:.2} | {} | {} |",
            pair.whole_s,
            pair.raced_s,
            names(|winner| &winner.whole),
            names(|winner| &winner.raced)
        );
        whole += pair.whole_s;
        raced += pair.raced_s;
        halves += usize::from(share <= HALF);
        same += pair
            .winners
            .iter()
            .filter(|winner| winner.is_same())
            .count();
    }
    let all = count * seeds as usize;
    println!(
        "\n{same} of {all} winners are the same, for {:.2} of the load; at most half of it in {halves} of {seeds} seeds",
        raced / whole
    );
    Ok(same * 10 >= all * 9 && raced <= HALF * whole)
}

fn pair(place: &Path, variable: &str, seed: u64) -> anyhow::Result<Pair> {
    let whole = sweep(place, variable, seed, "")?;
    let raced = sweep(place, variable, seed, "--prune")?;
    let count = slas().as_array().map_or(0, Vec::len);
    let winners = (0..count).map(|sla| winner(&whole.1["slas"][sla], &raced.1["slas"][sla]));
    Ok(Pair {
        winners: winners.collect::<anyhow::Result<_>>()?,
        whole_s: load_time(&place.join(whole.0))?,
        raced_s: load_time(&place.join(raced.0))?,
    })
}

fn winner(whole: &Value, raced: &Value) -> anyhow::Result<Winner> {
    let name = |ranking: &Value| -> anyhow::Result<String> {
        let name = ranking["ranking"][0]["serve"].as_str();
        Ok(name.context("a ranking has a first")?.to_owned())
    };
    let raced = name(raced)?;
    let rows = whole["ranking"].as_array().into_iter().flatten();
    let load = |row: &Value| row["load"].as_f64().unwrap_or_default();
    let of_raced = rows
        .clone()
        .find(|row| row["serve"] == raced.as_str())
        .map_or(0.0, load);
    // One whose answer is inconclusive may have the highest load all the same.
    let best = rows.map(load).fold(0.0, f64::max);
    Ok(Winner {
        whole: name(whole)?,
        raced,
        share: of_raced / best,
    })
}

/// Seconds of load of all searches of an experiment.
fn load_time(experiment: &Path) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for folder in fs::read_dir(experiment.join("crestline/searches"))? {
        let journal = fs::read_to_string(folder?.path().join("sla_journal.jsonl"))?;
        let last = journal.lines().last().context("a journal has lines")?;
        let end: Value = serde_json::from_str(last)?;
        sum += end["at"].as_f64().context("a search has its end")? / 1e9;
    }
    Ok(sum)
}
