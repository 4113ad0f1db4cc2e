//! What pchip found and spent, kept in a file: one of its searches costs as much as ten of the others.
//!
//! `pchip.csv` beside this file is written by `just bench-search pchip`; rows of scenarios that have changed since are not
//! used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context, bail};
use crestline_core::search::Outcome;

use crate::algorithm::{Algorithm, Cost, Found, Searched};
use crate::scenario::Scenario;
use crate::threads;
use crate::truth::TruthTable;

/// Searches of each scenario.
const SEEDS: u64 = 5;

/// The columns of the file.
const COLUMNS: [&str; 8] = [
    "scenario",
    "seed",
    "outcomes",
    "loads",
    "requests",
    "seconds",
    "tokens",
    "fingerprint",
];

/// All searches that are kept, by scenario and seed.
#[derive(Debug, Default)]
pub(crate) struct PchipTable {
    rows: BTreeMap<(String, u64), (u64, Searched)>,
}

impl PchipTable {
    /// Reads the file; empty where there is none.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let path = path();
        let mut table = Self::default();
        if !path.exists() {
            return Ok(table);
        }
        let mut reader = csv::Reader::from_path(&path)?;
        for cells in reader.records() {
            let (key, row) =
                read(&cells?).with_context(|| format!("cannot read {}", path.display()))?;
            table.rows.insert(key, row);
        }
        Ok(table)
    }

    fn has(&self, scenario: &Scenario, seed: u64) -> bool {
        let row = self.rows.get(&(scenario.name.clone(), seed));
        row.is_some_and(|(fingerprint, _)| *fingerprint == scenario.fingerprint())
    }

    /// The searches of a scenario as it is now.
    pub(crate) fn of(&self, scenario: &Scenario) -> Vec<Searched> {
        (1..=SEEDS)
            .filter_map(|seed| self.rows.get(&(scenario.name.clone(), seed)))
            .filter(|(fingerprint, _)| *fingerprint == scenario.fingerprint())
            .map(|(_, searched)| searched.clone())
            .collect()
    }

    fn save(&self) -> anyhow::Result<()> {
        let mut writer = csv::Writer::from_path(path())?;
        writer.write_record(COLUMNS)?;
        for ((scenario, seed), (fingerprint, searched)) in &self.rows {
            let words = |word: &dyn Fn(&Found) -> String| {
                let words: Vec<String> = searched.found.iter().map(word).collect();
                words.join(" ")
            };
            let load = |found: &Found| found.load.map_or("-".to_owned(), |load| load.to_string());
            writer.write_record([
                scenario.clone(),
                seed.to_string(),
                words(&|found| outcome_name(found.outcome).to_owned()),
                words(&load),
                searched.cost.requests.to_string(),
                format!("{:.2}", searched.cost.seconds),
                searched.cost.tokens.to_string(),
                fingerprint.to_string(),
            ])?;
        }
        Ok(writer.flush()?)
    }
}

/// Makes the searches that are missing, of scenarios with a truth. The file is written after each.
pub(crate) fn make() -> anyhow::Result<()> {
    let truths = TruthTable::load()?;
    let table = PchipTable::load()?;
    let missing: Vec<(Scenario, u64)> = truths
        .scenarios()
        .into_iter()
        .filter(|scenario| Algorithm::Pchip.can_answer(scenario))
        .filter(|scenario| !truths.of(scenario).is_empty())
        .flat_map(|scenario| (1..=SEEDS).map(move |seed| (scenario.clone(), seed)))
        .filter(|(scenario, seed)| !table.has(scenario, *seed))
        .collect();
    let table = Mutex::new(table);
    let saved = threads::each(&missing, |(scenario, seed)| {
        let row = (
            scenario.fingerprint(),
            Algorithm::Pchip.search(scenario, *seed),
        );
        let mut table = table
            .lock()
            .expect("no thread panics while it holds the table");
        table.rows.insert((scenario.name.clone(), *seed), row);
        table.save()
    });
    saved.into_iter().collect()
}

type Keyed = ((String, u64), (u64, Searched));

fn read(cells: &csv::StringRecord) -> anyhow::Result<Keyed> {
    let [
        scenario,
        seed,
        outcomes,
        loads,
        requests,
        seconds,
        tokens,
        fingerprint,
    ] = cells.iter().collect::<Vec<_>>()[..]
    else {
        bail!("a row has {} cells", COLUMNS.len());
    };
    let found: anyhow::Result<Vec<Found>> = outcomes
        .split(' ')
        .zip(loads.split(' '))
        .map(|(outcome, load)| {
            let load = if load == "-" {
                None
            } else {
                Some(load.parse()?)
            };
            Ok(Found {
                outcome: outcome_of(outcome)?,
                load,
                estimate: load,
                interval: None,
                best: None,
            })
        })
        .collect();
    let cost = Cost {
        requests: requests.parse()?,
        seconds: seconds.parse()?,
        tokens: tokens.parse()?,
    };
    let searched = Searched {
        found: found?,
        cost,
    };
    let fingerprint = fingerprint.parse()?;
    Ok((
        (scenario.to_owned(), seed.parse()?),
        (fingerprint, searched),
    ))
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Value => "value",
        _ => "not_reached",
    }
}

fn outcome_of(name: &str) -> anyhow::Result<Outcome> {
    match name {
        "value" => Ok(Outcome::Value),
        "not_reached" => Ok(Outcome::NotReached),
        other => bail!("pchip has no outcome `{other}`"),
    }
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "benches/search/pchip.csv"]
        .iter()
        .collect()
}
