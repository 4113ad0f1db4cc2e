//! Runs algorithms on scenarios and prints what they come to.

use std::collections::BTreeMap;
use std::path::Path;

use crestline_core::search::Variable;

use crate::algorithm::{Algorithm, Searched};
use crate::pchip_table::PchipTable;
use crate::scenario::{Half, Scenario};
use crate::score::{Class, Line};
use crate::table::Table;
use crate::threads;
use crate::truth::{Truth, TruthTable};

/// What to run.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    /// Of which scenarios.
    pub(crate) halves: &'a [Half],
    /// Only those whose names contain this.
    pub(crate) name: &'a str,
    /// With which algorithms.
    pub(crate) algorithms: &'a [Algorithm],
    /// Searches of each scenario; of pchip as many as are kept.
    pub(crate) seeds: u64,
    /// Where every single answer is written.
    pub(crate) answers: Option<&'a Path>,
}

/// A scenario and the truths of its groups.
struct Case {
    scenario: Scenario,
    truths: Vec<Truth>,
}

/// All searches of one case by one algorithm.
struct Results<'a> {
    case: &'a Case,
    algorithm: Algorithm,
    runs: Vec<Searched>,
}

/// One line of the long table.
struct Entry<'a> {
    case: &'a Case,
    group: usize,
    algorithm: Algorithm,
    line: Line,
}

/// Runs the selection and prints both tables.
pub(crate) fn run(selection: &Selection<'_>) -> anyhow::Result<()> {
    let table = TruthTable::load()?;
    let cases = cases(selection, &table);
    let pchip = PchipTable::load()?;
    let results = search_all(selection, &cases, &pchip);
    if let Some(path) = selection.answers {
        write_answers(path, &results)?;
    }
    let entries: Vec<Entry<'_>> = results.iter().flat_map(entries).collect();
    scenario_table(&entries).print();
    let rivals: BTreeMap<(String, usize), f64> = cases
        .iter()
        .filter(|case| !pchip.of(&case.scenario).is_empty())
        .flat_map(|case| {
            let results = Results {
                case,
                algorithm: Algorithm::Pchip,
                runs: pchip.of(&case.scenario),
            };
            entries_of_costs(&results)
        })
        .collect();
    class_table(&entries, &rivals).print();
    Ok(())
}

/// Scenarios without a truth are left out; the missing names are printed.
fn cases(selection: &Selection<'_>, table: &TruthTable) -> Vec<Case> {
    let wanted = |scenario: &Scenario| {
        selection.halves.contains(&scenario.half()) && scenario.name.contains(selection.name)
    };
    let mut cases = Vec::new();
    let mut missing = Vec::new();
    for scenario in table.scenarios().into_iter().filter(wanted) {
        let truths: Vec<Truth> = table
            .of(&scenario)
            .iter()
            .map(|row| row.truth.clone())
            .collect();
        if truths.is_empty() {
            missing.push(scenario.name);
        } else {
            cases.push(Case { scenario, truths });
        }
    }
    if !missing.is_empty() {
        warn(&format!(
            "no truth of {}: run `just bench-search-truth`",
            missing.join(", ")
        ));
    }
    cases
}

fn search_all<'a>(
    selection: &Selection<'_>,
    cases: &'a [Case],
    pchip: &PchipTable,
) -> Vec<Results<'a>> {
    let pairs: Vec<(&Case, Algorithm)> = cases
        .iter()
        .flat_map(|case| {
            selection
                .algorithms
                .iter()
                .map(move |&algorithm| (case, algorithm))
        })
        .filter(|(case, algorithm)| algorithm.can_answer(&case.scenario))
        .collect();
    let jobs: Vec<(usize, u64)> = (0..pairs.len())
        .filter(|&pair| pairs[pair].1 != Algorithm::Pchip)
        .flat_map(|pair| (1..=selection.seeds).map(move |seed| (pair, seed)))
        .collect();
    let searched = threads::each(&jobs, |&(pair, seed)| {
        let (case, algorithm) = pairs[pair];
        algorithm.search(&case.scenario, seed)
    });
    let mut runs: Vec<Vec<Searched>> = pairs
        .iter()
        .map(|(case, algorithm)| match algorithm {
            Algorithm::Pchip => pchip.of(&case.scenario),
            _ => Vec::new(),
        })
        .collect();
    for ((pair, _), searched) in jobs.into_iter().zip(searched) {
        runs[pair].push(searched);
    }
    pairs
        .into_iter()
        .zip(runs)
        .filter(|(_, runs)| !runs.is_empty())
        .map(|((case, algorithm), runs)| Results {
            case,
            algorithm,
            runs,
        })
        .collect()
}

fn entries<'a>(results: &Results<'a>) -> Vec<Entry<'a>> {
    let case = results.case;
    let groups = case.truths.iter().enumerate();
    groups
        .map(|(group, truth)| Entry {
            case,
            group,
            algorithm: results.algorithm,
            line: Line::of_runs(&case.scenario, truth, group, &results.runs),
        })
        .collect()
}

fn entries_of_costs(results: &Results<'_>) -> Vec<((String, usize), f64)> {
    entries(results)
        .into_iter()
        .map(|entry| {
            let key = (entry.case.scenario.name.clone(), entry.group);
            (key, entry.line.log_seconds)
        })
        .collect()
}

fn scenario_table(entries: &[Entry<'_>]) -> Table {
    let names = [
        "scenario",
        "half",
        "truth",
        "beta",
        "algorithm",
        "runs",
        "near %",
        "unsafe %",
        "bad %",
        ">10 %",
        "covers %",
        "right %",
        "inconcl. %",
        "error % (p5, p50, p95)",
        "requests",
        "load s",
        "tokens",
    ];
    let mut table = Table::new("By scenario", &names);
    for entry in entries {
        let scenario = &entry.case.scenario;
        let truth = &entry.case.truths[entry.group];
        let line = &entry.line;
        let name = if entry.case.truths.len() > 1 {
            format!("{} #{}", scenario.name, entry.group + 1)
        } else {
            scenario.name.clone()
        };
        let (load, beta) = truth_cells(scenario.variable, truth);
        let error = line.error.map_or("-".to_owned(), |error| {
            error.map(|part| format!("{:+.1}", 100.0 * part)).join(" ")
        });
        let mut row = vec![
            name,
            scenario.half().name().to_owned(),
            load,
            beta,
            entry.algorithm.name().to_owned(),
            line.runs.to_string(),
        ];
        row.extend(quality(line));
        row.extend([
            error,
            format!("{:.0}", line.requests),
            format!("{:.1}", line.seconds),
            format!("{:.0}", line.tokens),
        ]);
        table.row(row);
    }
    table
}

fn truth_cells(variable: Variable, truth: &Truth) -> (String, String) {
    let dash = || "-".to_owned();
    match truth {
        Truth::Infeasible => ("infeasible".to_owned(), dash()),
        Truth::NotReached => ("not reached".to_owned(), dash()),
        Truth::Best(best) => (
            format!("{:.1} ({:.0} tok/s)", best.load, best.tokens_per_s),
            dash(),
        ),
        Truth::Crossing(crossing) => {
            let unit = match variable {
                Variable::Users => "",
                Variable::Rate => "/s",
            };
            (
                format!("{:.2}{unit}", crossing.load),
                format!("{:.1}", crossing.beta),
            )
        }
    }
}

fn quality(line: &Line) -> Vec<String> {
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let [above, five, ten] = line.above.map(|share| format!("{:.1}", 100.0 * share));
    vec![
        percent(line.near),
        above,
        five,
        ten,
        line.covers.map_or("-".to_owned(), percent),
        percent(line.right),
        percent(line.inconclusive),
    ]
}

/// `rivals` holds the mean logarithm of pchip's seconds for each question.
fn class_table(entries: &[Entry<'_>], rivals: &BTreeMap<(String, usize), f64>) -> Table {
    let names = [
        "group",
        "half",
        "algorithm",
        "questions",
        "runs",
        "near %",
        "unsafe %",
        "bad %",
        ">10 %",
        "covers %",
        "right %",
        "inconcl. %",
        "requests",
        "load s",
        "geo-mean s",
        "of pchip's",
        "tokens",
    ];
    let mut table = Table::new("By group", &names);
    let mut groups: BTreeMap<(Class, &str, &str), Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in entries {
        let class = Class::of(&entry.case.scenario, &entry.case.truths[entry.group]);
        let key = (
            class,
            entry.case.scenario.half().name(),
            entry.algorithm.name(),
        );
        groups.entry(key).or_default().push(entry);
    }
    for ((class, half, algorithm), members) in groups {
        let lines: Vec<&Line> = members.iter().map(|entry| &entry.line).collect();
        let line = Line::mean(&lines);
        let mut row = vec![
            class.name().to_owned(),
            half.to_owned(),
            algorithm.to_owned(),
            line.questions.to_string(),
            line.runs.to_string(),
        ];
        row.extend(quality(&line));
        row.extend([
            format!("{:.0}", line.requests),
            format!("{:.0}", line.seconds),
            format!("{:.0}", line.log_seconds.exp()),
            ratio(&members, rivals),
            format!("{:.0}", line.tokens),
        ]);
        table.row(row);
    }
    table
}

/// Ratio of the geometric means over the questions of which both are known.
fn ratio(members: &[&Entry<'_>], rivals: &BTreeMap<(String, usize), f64>) -> String {
    let logs: Vec<f64> = members
        .iter()
        .filter_map(|entry| {
            let key = (entry.case.scenario.name.clone(), entry.group);
            Some(entry.line.log_seconds - rivals.get(&key)?)
        })
        .collect();
    if logs.is_empty() {
        return "-".to_owned();
    }
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    format!("{:.3}", mean.exp())
}

/// One row a search and group.
fn write_answers(path: &Path, results: &[Results<'_>]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record([
        "scenario",
        "group",
        "algorithm",
        "seed",
        "truth",
        "outcome",
        "load",
        "estimate",
        "low",
        "high",
        "best",
        "requests",
        "seconds",
        "tokens",
    ])?;
    for result in results {
        for (at, run) in result.runs.iter().enumerate() {
            for (group, found) in run.found.iter().enumerate() {
                let number = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
                let variable = result.case.scenario.variable;
                writer.write_record([
                    result.case.scenario.name.clone(),
                    group.to_string(),
                    result.algorithm.name().to_owned(),
                    (at + 1).to_string(),
                    truth_cells(variable, &result.case.truths[group]).0,
                    format!("{:?}", found.outcome),
                    number(found.load),
                    number(found.estimate),
                    number(found.interval.map(|interval| interval.low)),
                    number(found.interval.map(|interval| interval.high)),
                    number(found.best),
                    run.cost.requests.to_string(),
                    format!("{:.2}", run.cost.seconds),
                    run.cost.tokens.to_string(),
                ])?;
            }
        }
    }
    Ok(writer.flush()?)
}

#[expect(clippy::print_stderr, reason = "a table with gaps must say so")]
fn warn(text: &str) {
    eprintln!("{text}");
}
