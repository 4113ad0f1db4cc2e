//! What a search session found, as whole runs: for each load that was tried a result with vLLM's keys.
//!
//! Computes by `core::serving`, as a single run does, from the requests that were sent while the load was steady. What a
//! second's work was is taken from the session itself: its requests end in the dwells after theirs. Writes nothing.

use std::num::NonZeroU32;

use crestline_core::request::{Load, LoadPoint};
use crestline_core::search::Variable;
use crestline_core::units::Rate;
use crestline_experiment::search::loads::{self, LoadRecords};
use crestline_experiment::search::outcome::Tried;
use serde_json::{Map, Value};

use super::super::super::plan::ReportPlan;
use super::super::super::result_json;
use super::super::super::run_figures::{Run, Sent, Stored};
use super::super::python;
use super::crest::Searched;
use crate::moment;
use crate::problem::Problem;
use crestline_experiment::client_health::health;

/// A load and its result.
#[derive(Debug, Clone)]
pub(crate) struct LoadDocument {
    /// Users, or requests a second.
    pub(crate) load: f64,
    /// As a run at this load would have written it.
    pub(crate) document: Map<String, Value>,
}

/// One for each load that was tried, in increasing load.
pub(crate) fn of(searched: &Searched, variable: Variable) -> Result<Vec<LoadDocument>, Problem> {
    let plan = &searched.translation.plan;
    let session = loads::read(&searched.outcome, &plan.output.folder).map_err(|error| {
        Problem::failed("the search's database cannot be read back").because(&error)
    })?;
    let epoch = session.epoch;
    let tried = searched.outcome.tried.iter();
    let documents = session.loads.into_iter().zip(tried).map(|(load, tried)| {
        let stored = Stored {
            sent: Sent::of(plan, &load.records),
            records: load.records.clone(),
            epoch,
        };
        LoadDocument {
            load: load.load,
            document: document(searched, variable, &load, (tried, stored)),
        }
    });
    Ok(documents.collect())
}

fn document(
    searched: &Searched,
    variable: Variable,
    load: &LoadRecords,
    (tried, stored): (&Tried, Stored),
) -> Map<String, Value> {
    let report = report(&searched.translation.report, variable, load);
    let seed = searched.translation.plan.workload.seed;
    let mut run = Run::of(stored, &point(variable, load), seed, &report);
    // All of it is steady: what came before is not in it.
    run.steady = None;
    run.figures.duration_s = load.counted.as_secs_f64();
    if let Some(pace) = load.pace {
        let figures = &mut run.figures;
        let input = figures.input_tokens as f64 / (figures.output_tokens as f64).max(1.0);
        figures.request_throughput = pace.requests_per_s;
        figures.output_throughput = pace.output_tokens_per_s;
        figures.token_throughput = pace.output_tokens_per_s * (1.0 + input);
    }
    let mut client = match tried.runs.first() {
        Some(summary) => health(&searched.outcome.health, summary),
        None => Value::Null,
    };
    // The lags are of the whole session; stretches of it in which the client did not keep up are not among the records.
    if client.is_object() {
        client["void"] = false.into();
        client["reasons"] = Value::Array(Vec::new());
    }
    result_json::document(&run, &report, client, &moment::result_stamp())
}

/// The report of a run at this load.
fn report(report: &ReportPlan, variable: Variable, load: &LoadRecords) -> ReportPlan {
    let mut report = report.clone();
    report.num_prompts = i64::try_from(load.records.len()).unwrap_or(i64::MAX);
    match variable {
        Variable::Rate => report.request_rate = load.load,
        Variable::Users => report.max_concurrency = Some(load.load as i64),
    }
    report
}

fn point(variable: Variable, load: &LoadRecords) -> LoadPoint {
    let users = NonZeroU32::new(load.load as u32).unwrap_or(NonZeroU32::MIN);
    let rate = Rate::per_second(load.load).map(Load::open);
    LoadPoint {
        load: match (variable, rate) {
            (Variable::Rate, Ok(open)) => open,
            _ => Load::closed(users),
        },
        requests: load.records.len() as u64,
        warmup: 0,
        duration: None,
    }
}

/// Output tokens a second at a load, between the loads that were tried and from none at none.
pub(crate) fn tokens_at(documents: &[LoadDocument], load: f64) -> Option<f64> {
    let tokens = |one: &LoadDocument| one.document.get("output_throughput")?.as_f64();
    let points = documents.iter();
    let points = points.filter_map(|one| Some((one.load, tokens(one)?)));
    let mut below = (0.0, 0.0);
    for (at, tokens) in points {
        if at >= load {
            let share = (load - below.0) / (at - below.0);
            return Some(below.1 + share * (tokens - below.1));
        }
        below = (at, tokens);
    }
    (below.0 > 0.0).then_some(below.1)
}

/// A load as a number in files: whole ones without a point, as vLLM's search has them.
pub(crate) fn number(load: f64) -> Value {
    if load.fract() == 0.0 && load.abs() < 1e15 {
        (load as i64).into()
    } else {
        load.into()
    }
}

/// The same in names of folders.
pub(crate) fn text(load: f64) -> String {
    python::str(&number(load))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn throughput_at_a_load_lies_between_those_of_its_neighbours() {
        let documents = [(10.0, 100.0), (20.0, 150.0)].map(|(load, tokens)| LoadDocument {
            load,
            document: Map::from_iter([("output_throughput".to_owned(), json!(tokens))]),
        });
        let check = |load: f64, expected: f64| {
            let found = tokens_at(&documents, load).unwrap();
            assert!((found - expected).abs() < 1e-9, "{load}: {found}");
        };
        check(5.0, 50.0);
        check(10.0, 100.0);
        check(16.0, 130.0);
        check(40.0, 150.0);
        assert_eq!(tokens_at(&[], 1.0), None);
    }

    #[test]
    fn whole_loads_have_no_point() {
        assert_eq!(text(8.0), "8");
        assert_eq!(text(0.5), "0.5");
        assert_eq!(number(8192.0), json!(8192));
    }
}
