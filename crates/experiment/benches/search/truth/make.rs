//! Makes the table of truths, and draws the random scenarios that belong in it.

use std::sync::{Mutex, MutexGuard};

use crestline_core::sla::{Criterion, Measure, Statistic, Timed};

use super::solve::{Crossing, Solver, Truth};
use super::table::{Row, TruthTable};
use crate::plant::load_of;
use crate::scenario::{
    Draft, FAMILY_SIZE, Family, Half, Placement, Scenario, limits_a_mean, named,
};
use crate::threads;

/// Requests of a long run of a named scenario.
const LONG: usize = 200_000;

/// Requests of a long run of a random scenario.
const LONG_RANDOM: usize = 100_000;

/// Requests of the run at which the limits of a random scenario are measured.
const MEASURING: usize = 30_000;

/// Draws from a family at most.
const DRAWS: u64 = 200;

/// Finds the truths that are missing from the table, of the scenarios whose name contains `only`. The table is written
/// after each.
pub(crate) fn make(only: &str) -> anyhow::Result<()> {
    let table = Mutex::new(TruthTable::load()?);
    let missing = jobs(only, &locked(&table));
    let outcomes = threads::each(&missing, |job| match job {
        Job::Named(scenario) => keep(&table, solve_named(scenario)),
        Job::Random(family) => draw_family(*family, &table),
    });
    outcomes.into_iter().collect()
}

/// What one thread does at a time.
enum Job {
    Named(Box<Scenario>),
    Random(Family),
}

/// The tuning half comes first: it is wanted first.
fn jobs(only: &str, table: &TruthTable) -> Vec<Job> {
    let mut singles: Vec<Scenario> = named()
        .into_iter()
        .filter(|scenario| scenario.name.contains(only) && table.of(scenario).is_empty())
        .collect();
    singles.sort_by_key(|scenario| scenario.half() == Half::HeldOut);
    let mut families: Vec<Family> = Family::all()
        .into_iter()
        .filter(|family| {
            family.name(0).contains(only) && accepted(*family, table).len() < FAMILY_SIZE
        })
        .collect();
    families.sort_by_key(|family| family.half() == Half::HeldOut);
    let singles = singles
        .into_iter()
        .map(|scenario| Job::Named(Box::new(scenario)));
    singles
        .chain(families.into_iter().map(Job::Random))
        .collect()
}

fn locked(table: &Mutex<TruthTable>) -> MutexGuard<'_, TruthTable> {
    table
        .lock()
        .expect("no thread panics while it holds the table")
}

fn keep(table: &Mutex<TruthTable>, rows: Vec<Row>) -> anyhow::Result<()> {
    for row in &rows {
        announce(row);
    }
    let mut table = locked(table);
    table.put(rows);
    table.save()
}

fn solve_named(scenario: &Scenario) -> Vec<Row> {
    let mut solver = Solver::new(scenario, LONG, 16.0);
    let groups = scenario.groups.iter().enumerate();
    groups
        .map(|(at, group)| Row::new(scenario, at, solver.solve(group)))
        .collect()
}

/// Numbers of the family's draws that are in the table, in order.
fn accepted(family: Family, table: &TruthTable) -> Vec<u64> {
    let draw = |position| table.draw_of(&family.name(position));
    (0..FAMILY_SIZE).map_while(draw).collect()
}

/// Draws until enough are accepted, from where an earlier command stopped.
fn draw_family(family: Family, table: &Mutex<TruthTable>) -> anyhow::Result<()> {
    let known = accepted(family, &locked(table));
    let mut position = known.len();
    let first = known.last().map_or(0, |last| last + 1);
    for number in first..DRAWS {
        if position == FAMILY_SIZE {
            break;
        }
        let name = family.name(position);
        if let Some(row) = try_draw(family.draw(number), &name, number) {
            keep(table, vec![row])?;
            position += 1;
        }
    }
    Ok(())
}

/// Measures the limits of a draw and finds its truth; `None` where it is rejected: a flat knee, an uncertain truth, answers
/// of more than a minute, or limits that some load below meets no better.
fn try_draw(draft: Draft, name: &str, number: u64) -> Option<Row> {
    let blank = draft.clone().with_limits(name, &[]);
    let criteria = &blank.groups[0].criteria;
    let load = place(&blank, draft.aim);
    let run = Solver::new(&blank, MEASURING, load).run(load, MEASURING);
    if run.mean_latency.as_secs_f64() > 60.0 || run.has_failures() {
        return None;
    }
    let limits: Vec<f64> = criteria
        .iter()
        .enumerate()
        .map(|(at, criterion)| {
            // A second limit binds a little later than the first.
            let slack = if at == 0 { 1.0 } else { 1.05 };
            three_digits(run.value(criterion) * slack)
        })
        .collect();
    let scenario = draft.with_limits(name, &limits);
    if is_flat(&scenario, load) {
        return None;
    }
    let truth = Solver::new(&scenario, LONG_RANDOM, load).solve(&scenario.groups[0]);
    let Truth::Crossing(crossing) = &truth else {
        return None;
    };
    is_accepted(crossing).then(|| Row {
        drawn: Some((number, limits)),
        ..Row::new(&scenario, 0, truth)
    })
}

/// Whether a tenth more load makes so little difference that the truth need not be found: saves most of the work on
/// draws that would be rejected for it.
fn is_flat(scenario: &Scenario, load: f64) -> bool {
    let criteria = &scenario.groups[0].criteria;
    if limits_a_mean(criteria[0].measure) {
        return false;
    }
    let run = Solver::new(scenario, MEASURING, load).run((load * 1.1).max(load + 1.0), MEASURING);
    let distances = criteria
        .iter()
        .map(|criterion| run.distance(criterion, &scenario.slo).value);
    distances.fold(f64::NEG_INFINITY, f64::max) < 0.25
}

fn is_accepted(crossing: &Crossing) -> bool {
    let is_sharp = limits_a_mean(crossing.binding.measure) || crossing.beta >= 4.0;
    is_sharp && crossing.error <= 0.008
}

/// The load at which the limits are measured.
fn place(scenario: &Scenario, aim: Placement) -> f64 {
    match aim {
        Placement::Users(users) => users,
        Placement::Utilization(share) => {
            let mut saturated = scenario.clone();
            saturated.variable = crestline_core::search::Variable::Users;
            let users = f64::from(scenario.profile.max_num_seqs) * 1.2;
            let capacity = Solver::new(&saturated, MEASURING, users)
                .run(users, MEASURING)
                .requests_per_s;
            debug_assert!(load_of(scenario.variable, capacity).rate().is_some());
            share * capacity
        }
    }
}

fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}")
        .parse()
        .expect("a number as text is a number")
}

/// Prints what the engine does at fixed loads: for choosing limits.
#[expect(clippy::print_stdout, reason = "the figures are what is asked for")]
pub(crate) fn inspect(scenario: &Scenario, loads: &[f64]) {
    for &load in loads {
        let run = Solver::new(scenario, MEASURING, load).run(load, MEASURING);
        println!(
            "{} at {load}: {:.3} requests/s, {:.1} tokens/s",
            scenario.name, run.requests_per_s, run.tokens_per_s
        );
        for time in [Timed::Ttft, Timed::Tpot, Timed::Latency] {
            let statistics = [
                Statistic::Mean,
                Statistic::Quantile(0.5),
                Statistic::Quantile(0.9),
                Statistic::Quantile(0.99),
            ];
            let values = statistics.map(|statistic| run.statistic(statistic, time));
            println!("  {time:?} mean, p50, p90, p99: {values:.4?} s");
        }
        for criterion in scenario.groups.iter().flat_map(|group| &group.criteria) {
            let distance = run.distance(criterion, &scenario.slo);
            println!(
                "  {criterion}: {:+.2} ± {:.2}",
                distance.value, distance.error
            );
        }
    }
}

#[expect(clippy::print_stderr, reason = "shows that a long command goes on")]
fn announce(row: &Row) {
    eprintln!("{} {}: {:?}", row.scenario, row.group, row.truth);
}

impl super::steady::Steady {
    /// The value that a criterion limits, in seconds.
    fn value(&self, criterion: &Criterion) -> f64 {
        match criterion.measure {
            Measure::Time(statistic, time) => self.statistic(statistic, time),
            Measure::Throughput(_) | Measure::SuccessRate | Measure::Goodput => {
                unreachable!("random scenarios limit times")
            }
        }
    }

    fn statistic(&self, statistic: Statistic, time: Timed) -> f64 {
        match statistic {
            Statistic::Mean => self.mean(time),
            Statistic::Quantile(quantile) => self.quantile(quantile, time),
        }
    }
}
