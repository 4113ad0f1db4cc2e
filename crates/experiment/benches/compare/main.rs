//! How often a comparison of two runs is right: pairs of the same engine, and pairs in which one takes 5 % longer.
//!
//! `cargo bench -p crestline-experiment --bench compare -- PAIRS NAME` (200, all) prints the counts for the loads whose names contain
//! NAME, in virtual time. Fails where more than one in twenty of the same pairs is reported to differ by more than 2 %.

#![expect(clippy::print_stdout, reason = "a bench shows its table")]

mod pairs;

use anyhow::bail;
use crestline_core::compare::Verdict;
use crestline_core::metrics::Metric;

use pairs::{Engine, Found, Trial, closed, compare, open};

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"));
    let pairs: u64 = words.next().map_or(Ok(200), |word| word.parse())?;
    let part = words.collect::<Vec<_>>().join(" ");
    println!(
        "{pairs} pairs each; the same engine: reported to differ by more than 2 %; 5 % slower: told slower"
    );
    println!(
        "{:34} {:>6} {:>9} {:>7} {:>6} {:>6} {:>8} {:>11} {:>9}",
        "load", "same", "undecided", "slower", "tpot", "ttft", "latency", "throughput", "undecided"
    );
    let mut is_right = true;
    for trial in trials()
        .into_iter()
        .filter(|trial| trial.name.contains(&part))
    {
        let same = compare(trial, Engine::Same, 0..pairs);
        let slower = compare(trial, Engine::Slower(1.05), 0..pairs);
        let differ = count(&same, Found::reports_a_difference);
        is_right &= differ as f64 <= (pairs as f64 / 20.0).max(2.0);
        let throughputs = [Metric::RequestThroughput, Metric::OutputThroughput];
        let worse = |metrics: &[Metric]| count(&slower, |found| is_worse_in(found, metrics));
        println!(
            "{:34} {differ:6} {:9.1} {:7} {:6} {:6} {:8} {:11} {:9.1}",
            trial.name,
            undecided(&same),
            count(&slower, Found::is_slower),
            worse(&[Metric::Tpot, Metric::Itl]),
            worse(&[Metric::Ttft]),
            worse(&[Metric::Latency]),
            worse(&throughputs),
            undecided(&slower),
        );
    }
    if !is_right {
        bail!("runs of the same engine are reported to differ too often");
    }
    Ok(())
}

fn count(all: &[Found], is: impl Fn(&Found) -> bool) -> usize {
    all.iter().filter(|found| is(found)).count()
}

/// B is reported worse in any figure of these metrics.
fn is_worse_in(found: &Found, metrics: &[Metric]) -> bool {
    let Found(figures) = found;
    figures
        .iter()
        .any(|one| metrics.contains(&one.statistic.metric()) && one.verdict == Verdict::Worse)
}

/// Figures without a verdict, of 15, on average.
fn undecided(all: &[Found]) -> f64 {
    let figures = all.iter().flat_map(|Found(figures)| figures);
    let open = figures.filter(|one| matches!(one.verdict, Verdict::Undecided(_)));
    open.count() as f64 / all.len().max(1) as f64
}

fn trials() -> [Trial; 9] {
    let trial = |name, load, requests, repeats| Trial {
        name,
        load,
        requests,
        repeats,
    };
    [
        trial("closed, 1 in flight, 100 requests", closed(1), 100, 1),
        trial("closed, 8 in flight, 200 requests", closed(8), 200, 1),
        trial("closed, 8 in flight, 1200 requests", closed(8), 1200, 1),
        trial("closed, 64 in flight, 3000 requests", closed(64), 3000, 1),
        trial("open, 5 a second, 300 requests", open(5.0), 300, 1),
        trial("open, 20 a second, 1200 requests", open(20.0), 1200, 1),
        trial("open, 60 a second, 3000 requests", open(60.0), 3000, 1),
        trial("closed, 8 in flight, 400 x 3", closed(8), 400, 3),
        trial("closed, 8 in flight, 60 x 3", closed(8), 60, 3),
    ]
}
