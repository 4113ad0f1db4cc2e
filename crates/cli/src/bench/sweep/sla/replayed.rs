//! The search of `core::search` over whole runs of another program: each load that it wants is a run, and what the runs
//! recorded of single requests is played back to it.
//!
//! Keeps no journal: the results of the runs are on disk, and the same results lead to the same loads.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use crestline_core::record::RequestRecord;
use crestline_core::request::Load;
use crestline_core::search::{Answer, Question, Search, Variable};
use crestline_experiment::search::drive::{Shape, drive};
use crestline_experiment::search::replay::{NothingToPlay, Replay, WholeRuns};
use serde_json::Value;

use super::super::course::{Course, Halt, Kind};
use super::super::server::Host;
use super::answers;
use super::detailed;
use super::documents::{self, LoadDocument};
use super::plan::{SlaSweep, value_of};
use super::runs::{LoadRuns, Measured, Size};
use crate::console;
use crate::problem::Problem;

/// Requests of the first run, which only shows how long an answer takes.
const FIRST: u64 = 8;
/// Requests of a run for each user, and at least.
const WAVES: u64 = 10;
const LEAST: u64 = 32;
/// Seconds that a run at a rate lasts at most, and its least number of requests.
const SECONDS: f64 = 60.0;
const LEAST_ARRIVALS: u64 = 60;
/// Users who join in a latency, as a share of all.
const JOINING: f64 = 2.0;
/// Significant digits of a rate.
const DIGITS: i32 = 4;

/// What a search over whole runs came to.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// One for each SLA.
    pub(crate) answers: Vec<Answer>,
    /// All runs, in increasing load.
    measured: Vec<Measured>,
}

impl Replayed {
    /// Output tokens a second at a load, as the runs around it had them.
    pub(crate) fn tokens_at(&self, load: f64) -> Option<f64> {
        let documents = self.measured.iter().filter_map(|measured| {
            let document = measured.runs.first()?.as_object()?.clone();
            Some(LoadDocument {
                load: measured.load,
                document,
            })
        });
        documents::tokens_at(&documents.collect::<Vec<_>>(), load)
    }

    /// The results of all runs.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let all = self.measured.iter().flat_map(|measured| &measured.runs);
        all.cloned().collect()
    }
}

/// Why a search over whole runs has no answer.
enum End {
    Halted(Halt),
    /// A run failed, and the rest goes on.
    Failed,
    /// A run is not there, and nothing may be started.
    Missing,
    TooShort(NothingToPlay),
}

impl From<Halt> for End {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}

impl From<Problem> for End {
    fn from(problem: Problem) -> Self {
        Self::Halted(Halt::Failed(Kind::Benchmark, problem))
    }
}

impl From<NothingToPlay> for End {
    fn from(short: NothingToPlay) -> Self {
        Self::TooShort(short)
    }
}

/// A server that runs can be made on.
pub(crate) struct Bench<'a, 'b> {
    pub(crate) course: &'a mut Course<'b>,
    pub(crate) host: &'a mut Host,
}

/// Searches. Without a bench it uses the runs that are there, and gives nothing where more are needed; the same where a run
/// failed and the rest goes on.
pub(crate) fn search(
    runs: LoadRuns<'_>,
    question: &Question,
    bench: Option<Bench<'_, '_>>,
) -> Result<Option<Replayed>, Halt> {
    let mut search = Search::new(question.clone());
    let shape = Shape {
        variable: question.variable,
        fixed_parallel: limit(runs, question.variable),
    };
    let mut session = Replay::new(Maker {
        runs,
        bench,
        made: Vec::new(),
        latency: None,
    });
    let driven = drive(&mut search, &mut session, shape, &mut |_, _| {
        ControlFlow::Continue(())
    });
    match driven {
        Ok(()) => {}
        Err(End::Halted(halt)) => return Err(halt),
        Err(End::Failed | End::Missing) => return Ok(None),
        Err(End::TooShort(short)) => {
            let problem = Problem::failed("the benchmark's runs cannot be searched")
                .because(&short)
                .hint("its --num-prompts must have an effect; add --sla-search pchip to judge whole runs");
            return Err(Halt::Failed(Kind::Benchmark, problem));
        }
    }
    let found = search.answers().into_iter();
    let found = found.map(|answer| {
        answer
            .cloned()
            .expect("a search that is done has its answers")
    });
    let mut measured = session.into_runs().made;
    measured.sort_by(|one, other| one.load.total_cmp(&other.load));
    Ok(Some(Replayed {
        answers: found.collect(),
        measured,
    }))
}

/// The limit on requests in flight of the command, while a rate is varied.
fn limit(runs: LoadRuns<'_>, variable: Variable) -> Option<NonZeroU32> {
    let limit = value_of(&runs.cell.command, "max_concurrency")?;
    limit.parse().ok().filter(|_| variable == Variable::Rate)
}

/// Makes runs, or finds them.
struct Maker<'a, 'b, 'c> {
    runs: LoadRuns<'a>,
    bench: Option<Bench<'b, 'c>>,
    made: Vec<Measured>,
    /// Mean latency of the last run in seconds.
    latency: Option<f64>,
}

impl WholeRuns for Maker<'_, '_, '_> {
    type Error = End;

    fn run(&mut self, load: Load) -> Result<Vec<RequestRecord>, End> {
        let number = number(load);
        let size = Size {
            prompts: self.prompts(load),
            turn: self.made.iter().map(|one| one.runs.len() as u64).sum(),
            joining: self.joining(load),
        };
        let place = self
            .made
            .iter()
            .position(|one| one.load.total_cmp(&number).is_eq());
        let place = place.unwrap_or_else(|| {
            self.made.push(Measured {
                load: number,
                runs: Vec::new(),
            });
            self.made.len() - 1
        });
        let turn = i64::try_from(self.made[place].runs.len()).unwrap_or(i64::MAX);
        let job = self.runs.job(number, turn, size);
        let result = match (job.find()?, &mut self.bench) {
            (Some(result), _) => result,
            (None, None) => return Err(End::Missing),
            (None, Some(bench)) => {
                console::say(&testing(self.runs.sla, number));
                let made = job.make(bench.course, bench.host)?;
                made.ok_or(End::Failed)?
            }
        };
        let records = detailed::records(&result)?;
        self.latency = mean_latency(&records).or(self.latency);
        self.made[place].runs.push(result);
        self.runs.summarise(&self.made[place])?;
        Ok(records)
    }
}

impl Maker<'_, '_, '_> {
    /// Users who begin at the same moment stay in step where answers are of equal length, and wait for each other. At this
    /// rate they join over half a latency; later arrivals wait for their place among those in flight.
    fn joining(&self, load: Load) -> Option<f64> {
        let users = load.concurrency.filter(|_| load.rate().is_none())?;
        let rate = JOINING * f64::from(users.get()) / self.latency?;
        Some(rounded(rate))
    }

    /// Requests of the next run: no more than the user's own.
    fn prompts(&self, load: Load) -> u64 {
        let own = value_of(&self.runs.cell.command, "num_prompts");
        let own: u64 = own.and_then(|own| own.parse().ok()).unwrap_or(1000);
        let users = load.concurrency.map_or(1, |limit| u64::from(limit.get()));
        match load.rate() {
            _ if self.made.is_empty() => FIRST.max(4 * users),
            None => own.min((WAVES * users).max(LEAST)).max(3 * users),
            Some(rate) => {
                let most = (rate.value() * SECONDS).ceil() as u64;
                own.min(most.max(LEAST_ARRIVALS))
            }
        }
    }
}

fn testing(sla: &SlaSweep, load: f64) -> String {
    format!(
        "Testing {}: {}",
        sla.variable.name(),
        answers::load_in_words(sla, load)
    )
}

/// A load as it stands in commands and names of folders: rates with few digits.
fn number(load: Load) -> f64 {
    let Some(rate) = load.rate() else {
        return load.concurrency.map_or(1.0, |limit| f64::from(limit.get()));
    };
    rounded(rate.value())
}

fn rounded(rate: f64) -> f64 {
    let scale = 10_f64.powi(DIGITS - 1 - rate.log10().floor() as i32);
    (rate * scale).round() / scale
}

/// Seconds that an answer takes; `None` where there was none.
fn mean_latency(records: &[RequestRecord]) -> Option<f64> {
    let answered = records.iter().filter(|record| record.succeeded());
    let latencies: Vec<f64> = answered
        .map(|record| record.latency().as_secs_f64())
        .collect();
    let mean = latencies.iter().sum::<f64>() / latencies.len() as f64;
    (mean > 0.0).then_some(mean)
}

#[cfg(test)]
mod tests {
    use crestline_core::units::Rate;

    use super::*;

    #[test]
    fn rates_have_few_digits_and_users_are_whole() {
        let check = |rate: f64, expected: f64| {
            let load = Load::open(Rate::per_second(rate).unwrap());
            assert_eq!(number(load).total_cmp(&expected), std::cmp::Ordering::Equal);
        };
        check(12.345_678, 12.35);
        check(0.012_345_678, 0.012_35);
        check(8191.9, 8192.0);
        let users = Load::closed(NonZeroU32::new(37).unwrap());
        assert_eq!(number(users).total_cmp(&37.0), std::cmp::Ordering::Equal);
    }
}
