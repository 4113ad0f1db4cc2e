//! The runs of one side, by the load that was applied.
//!
//! Runs at the same load are repeats. Compares nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crestline_core::metrics::{Metric, Over};
use crestline_core::segments::{Cut, Draws, Scale, Spread, Statistic, resample};
use crestline_report::facts::{Applied, Client, Facts, LoadFacts};
use crestline_report::number::{counted, trimmed};

use crate::problem::Problem;

/// Parameters that say where a run was read from, not what was done.
const OF_PLACES: [&str; 2] = ["run", "model"];

/// A or B.
#[derive(Debug)]
pub(super) struct Side {
    /// `A` or `B`.
    pub(super) name: &'static str,
    pub(super) loads: Vec<Load>,
    /// What was left out of it, in sentences.
    pub(super) warnings: Vec<String>,
}

/// Runs at one load.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) key: Key,
    pub(super) runs: Vec<LoadFacts>,
}

/// What was applied: two loads of the same are compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    parameters: BTreeMap<String, String>,
    applied: Applied,
}

impl Key {
    fn of(run: &LoadFacts) -> Self {
        let mut parameters = run.parameters.clone();
        parameters.retain(|name, _| !OF_PLACES.contains(&name.as_str()));
        Self {
            parameters,
            applied: run.applied,
        }
    }

    /// In words: `8 in flight`, `2.5 requests/s`.
    pub(super) fn title(&self) -> String {
        let number = |value| trimmed(Some(value), 6);
        let limit = self.applied.concurrency.map(number);
        let rate = self.applied.rate.map(number);
        let load = match (rate, limit) {
            (Some(rate), Some(limit)) => format!("{rate} requests/s, at most {limit} in flight"),
            (Some(rate), None) => format!("{rate} requests/s"),
            (None, Some(limit)) => format!("{limit} in flight"),
            (None, None) => "all at once".to_owned(),
        };
        let named = self.parameters.iter();
        let named: Vec<String> = named.map(|(key, value)| format!("{key}={value}")).collect();
        if named.is_empty() {
            load
        } else {
            format!("{}, {load}", named.join(" "))
        }
    }
}

impl Side {
    /// Sorts what was read of a side by load.
    pub(super) fn new(
        name: &'static str,
        paths: &[PathBuf],
        facts: Facts,
    ) -> Result<Self, Problem> {
        let mut warnings: Vec<String> = facts
            .left_out
            .iter()
            .map(|line| format!("{name}: left out: {line}"))
            .collect();
        if !facts.searches.is_empty() {
            warnings.push(format!(
                "{name}: a search is left out: its load changes all the time; compare runs at fixed loads"
            ));
        }
        let mut loads: Vec<Load> = Vec::new();
        for run in facts.loads {
            let key = Key::of(&run);
            match loads.iter_mut().find(|load| load.key == key) {
                Some(load) => load.runs.push(run),
                None => loads.push(Load {
                    key,
                    runs: vec![run],
                }),
            }
        }
        if loads.is_empty() {
            let names: Vec<_> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            return Err(Problem::usage(format!(
                "{} holds no run at a fixed load",
                names.join(", ")
            ))
            .cause(warnings.join("\n"))
            .hint("compare folders of `crestline perf`, or results of `bench serve`"));
        }
        Ok(Self {
            name,
            loads,
            warnings,
        })
    }

    pub(super) fn load(&self, key: &Key) -> Option<&Load> {
        self.loads.iter().find(|load| load.key == *key)
    }
}

impl Load {
    /// Runs in which the client kept up; all of them, where it did in none.
    pub(super) fn sound(&self) -> Vec<&LoadFacts> {
        let is_sound = |run: &&LoadFacts| !matches!(run.client, Client::Void(..));
        let sound: Vec<_> = self.runs.iter().filter(is_sound).collect();
        if sound.is_empty() {
            self.runs.iter().collect()
        } else {
            sound
        }
    }

    /// Why nothing can be said of the service: the client was the bottleneck in all runs.
    pub(super) fn void(&self) -> Option<String> {
        let mut reasons: Vec<String> = Vec::new();
        for run in &self.runs {
            let Client::Void(why, _) = &run.client else {
                return None;
            };
            for reason in why {
                if !reasons.contains(reason) {
                    reasons.push(reason.clone());
                }
            }
        }
        Some(reasons.join("; "))
    }

    pub(super) fn requests(&self) -> u64 {
        self.sound().iter().map(|run| run.figures.requests).sum()
    }

    pub(super) fn failed(&self) -> u64 {
        self.sound().iter().map(|run| run.figures.failed).sum()
    }

    /// Mean length of prompts or answers in all runs.
    pub(super) fn mean(&self, metric: Metric) -> Option<f64> {
        let runs = self.sound();
        let means = runs
            .iter()
            .map(|run| run.figures.spreads.get(&metric)?.mean);
        let means: Vec<f64> = means.collect::<Option<_>>()?;
        Some(means.iter().sum::<f64>() / means.len() as f64)
    }

    /// How each figure varies: by segments, where every run's requests are known, else from run to run.
    pub(super) fn spreads(&self, statistics: &[Statistic], draws: Draws) -> Vec<Option<Spread>> {
        let runs = self.sound();
        let cuts: Option<Vec<Cut>> = runs
            .iter()
            .map(|run| Some(run.detail.as_ref()?.segments.as_ref()?.cut()))
            .collect();
        match cuts {
            Some(cuts) => resample(&cuts, statistics, draws),
            None => statistics
                .iter()
                .map(|&statistic| self.of_figures(statistic))
                .collect(),
        }
    }

    fn of_figures(&self, statistic: Statistic) -> Option<Spread> {
        let runs = self.sound();
        let figures: Vec<f64> = runs
            .iter()
            .map(|run| figure(run, statistic))
            .collect::<Option<_>>()?;
        let scale = match statistic.metric() {
            Metric::SuccessRate => Scale::Share {
                effective: self.requests() as f64,
            },
            _ => Scale::Factor,
        };
        Spread::of_figures(&figures, scale)
    }

    /// In words: `2 runs, 4,000 requests`.
    pub(super) fn size(&self) -> String {
        let runs = self.sound().len() as u64;
        let requests = counted(self.requests(), "request");
        if runs == 1 {
            requests
        } else {
            format!("{} with {requests}", counted(runs, "run"))
        }
    }
}

/// A figure of a run as its file has it.
fn figure(run: &LoadFacts, statistic: Statistic) -> Option<f64> {
    let figures = &run.figures;
    match statistic {
        Statistic::Mean(metric) if metric.over() == Over::Run => {
            figures.totals.get(&metric).copied()
        }
        Statistic::Mean(metric) => figures.spreads.get(&metric)?.mean,
        Statistic::Quantile(metric, q) => {
            let quantiles = &figures.spreads.get(&metric)?.quantiles;
            let found = quantiles.iter().find(|(at, _)| (at - q).abs() < 1e-9);
            found.map(|(_, value)| *value)
        }
    }
}

/// Refuses a path that is there twice.
pub(super) fn apart(a: &[PathBuf], b: &[PathBuf]) -> Result<(), Problem> {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut seen: Vec<(PathBuf, &str)> = Vec::new();
    for (side, path) in a
        .iter()
        .map(|path| ("A", path))
        .chain(b.iter().map(|path| ("B", path)))
    {
        let path = whole(path);
        if let Some((_, before)) = seen.iter().find(|(known, _)| *known == path) {
            let place = if *before == side {
                format!("given twice in {side}")
            } else {
                "both A and B".to_owned()
            };
            return Err(Problem::usage(format!("{} is {place}", path.display()))
                .hint("give each run once: what is compared with itself does not differ"));
        }
        seen.push((path, side));
    }
    Ok(())
}
