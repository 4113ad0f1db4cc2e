//! How often the bounds that a race goes by exclude the truth: at any look of a search, from its first bound to its end.

use std::collections::BTreeMap;

use crestline_core::search::race::Race;

use crate::algorithm::search;
use crate::scenario::Scenario;
use crate::score::Class;
use crate::table::Table;
use crate::threads;
use crate::truth::{Truth, TruthTable};

/// Configurations of the race whose bounds these would be, and how sure it is.
const LANES: usize = 6;
const CONFIDENCE: f64 = 0.9;

/// Excesses of a bound over the truth that are told, in log load.
const EXCESSES: [f64; 3] = [0.002, 0.05, 0.15];

/// What was seen in one search of one group.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The furthest that a bound was beyond the truth, in log load: the lower one above it, the upper one below.
    low: f64,
    high: f64,
    /// Shares of the search after which there was an upper bound, and one within a quarter of the truth.
    bounded: f64,
    near: f64,
}

/// Prints how bounds did, by class and scenario.
pub(crate) fn run(name: &str, seeds: u64) -> anyhow::Result<()> {
    let table = TruthTable::load()?;
    let scenarios = table.scenarios().into_iter();
    let cases: Vec<(Scenario, Vec<Truth>)> = scenarios
        .filter(|scenario| scenario.name.contains(name))
        .map(|scenario| {
            let rows = table.of(&scenario);
            let truths = rows.iter().map(|row| row.truth.clone()).collect();
            (scenario, truths)
        })
        .collect();
    let jobs: Vec<(usize, u64)> = (0..cases.len())
        .flat_map(|case| (1..=seeds).map(move |seed| (case, seed)))
        .collect();
    let seen = threads::each(&jobs, |&(case, seed)| watched(&cases[case], seed));
    let mut lines: BTreeMap<(Class, String), Vec<Seen>> = BTreeMap::new();
    for (&(case, _), groups) in jobs.iter().zip(&seen) {
        let (scenario, truths) = &cases[case];
        for (truth, seen) in truths.iter().zip(groups) {
            if let (Truth::Crossing(_), Some(seen)) = (truth, seen) {
                let class = Class::of(scenario, truth);
                for name in ["all", &scenario.name] {
                    let line = lines.entry((class, name.to_owned())).or_default();
                    line.push(*seen);
                }
            }
        }
    }
    print(&lines);
    Ok(())
}

/// Of each group; `None` where there is no crossing to compare with.
fn watched((scenario, truths): &(Scenario, Vec<Truth>), seed: u64) -> Vec<Option<Seen>> {
    let tail = Race::new(&vec![vec![true]; LANES], CONFIDENCE).tail();
    let mut all: Vec<Option<Seen>> = truths
        .iter()
        .map(|truth| matches!(truth, Truth::Crossing(_)).then(Seen::default))
        .collect();
    let mut looks = 0.0;
    search(scenario, seed, &mut |search, _| {
        looks += 1.0;
        for (group, (truth, beyond)) in truths.iter().zip(&mut all).enumerate() {
            let (Truth::Crossing(crossing), Some(beyond)) = (truth, beyond) else {
                continue;
            };
            let reach = search.reach(group, tail);
            if reach.low > 0.0 {
                beyond.low = beyond.low.max((reach.low / crossing.load).ln());
            }
            let Some(high) = reach.high.filter(|high| *high > 0.0) else {
                continue;
            };
            // A whole number of users stands for all up to the next one.
            let whole = if scenario.variable == crestline_core::search::Variable::Users {
                crossing.load.floor()
            } else {
                crossing.load
            };
            beyond.high = beyond.high.max((whole / high).ln());
            if beyond.bounded <= 0.0 {
                beyond.bounded = looks;
            }
            if beyond.near <= 0.0 && high < 1.25 * crossing.load {
                beyond.near = looks;
            }
        }
    });
    for beyond in all.iter_mut().flatten() {
        let share = |at: f64| if at > 0.0 { at / looks } else { 1.0 };
        (beyond.bounded, beyond.near) = (share(beyond.bounded), share(beyond.near));
    }
    all
}

fn print(lines: &BTreeMap<(Class, String), Vec<Seen>>) {
    let mut names = vec!["class".to_owned(), "scenario".to_owned(), "n".to_owned()];
    for bound in ["low", "high"] {
        names.extend(EXCESSES.map(|excess| format!("{bound} > {excess}")));
    }
    names.extend(["bounded", "near"].map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = Table::new(
        "Searches in which a bound excluded the truth, in percent",
        &names,
    );
    for ((class, name), all) in lines {
        let n = all.len() as f64;
        let percent = |of: &dyn Fn(&Seen) -> f64| {
            format!("{:.1}", 100.0 * all.iter().map(of).sum::<f64>() / n)
        };
        let mut cells = vec![class.name().to_owned(), name.clone(), format!("{n}")];
        cells.extend(EXCESSES.map(|excess| percent(&|seen| f64::from(seen.low > excess))));
        cells.extend(EXCESSES.map(|excess| percent(&|seen| f64::from(seen.high > excess))));
        cells.push(percent(&|seen| seen.bounded));
        cells.push(percent(&|seen| seen.near));
        table.row(cells);
    }
    table.print();
}
