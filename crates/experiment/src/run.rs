//! Runs a plan: each of its loads in turn, every record into the store and into the summary.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crestline_core::record::FailureKind;
use crestline_core::request::{Arrivals, LoadPoint};
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::engine::{CheckError, Stop};
use crestline_load::files::make_room_for;
use crestline_load::own::Api;
use crestline_load::target::masked_url;
use crestline_store::runs::{RunHeader, RunWriter, StoreError, WriteOptions};
use crestline_workload::Workload;

use crate::distributed::{Link, Senders};
use crate::error::RunError;
use crate::event::{Event, PointResult};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::subject::{Subject, wait};

/// The name of the database in each load's folder.
pub const DATABASE: &str = "benchmark_data.db";

/// What is noted in it of the client: see [`crate::client_health`].
pub const CLIENT: &str = "client";
/// What is noted in it of the load: a [`LoadPoint`]. A search has none.
pub const POINT: &str = "point";
/// Whether it is noted in it that the load was ended early.
pub const INTERRUPTED: &str = "interrupted";

/// How often a service that is not ready yet is asked again.
const ASK_EVERY: Nanos = Nanos::from_secs(5);

/// What came of a plan.
#[derive(Debug)]
pub struct Outcome {
    /// One for each load that was begun, in the plan's order.
    pub points: Vec<PointResult>,
    /// It was ended before all loads were done.
    pub interrupted: bool,
}

/// Runs a plan. Nothing is sent before everything that can be checked is checked.
///
/// A failure after the first load has ended is an error of that load alone: what was measured before is on disk, and
/// was handed over by [`Event::PointDone`].
pub fn run(plan: &Plan, stop: &Stop, each: &mut dyn FnMut(Event)) -> Result<Outcome, RunError> {
    run_by(plan, Senders::Here, stop, each)
}

/// The same from several machines. One that is lost ends the load for all; it is handed over with what had arrived, as void,
/// and the error tells which one it was.
pub fn run_over(
    plan: &Plan,
    workers: Vec<Link>,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<Outcome, RunError> {
    run_by(plan, Senders::Workers(workers), stop, each)
}

/// The same from whoever sends.
pub fn run_by(
    plan: &Plan,
    senders: Senders,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<Outcome, RunError> {
    run_loads(
        plan,
        senders,
        &mut |_| ControlFlow::Continue(()),
        (stop, each),
    )
}

/// The same as [`run`], and calls `ready` when the service has answered, before the first load: what is to be sent may be
/// corrected by what the service says of it. A break ends the run as an interruption does.
pub fn run_when_ready(
    plan: &Plan,
    stop: &Stop,
    ready: &mut dyn FnMut(&Workload) -> ControlFlow<()>,
    each: &mut dyn FnMut(Event),
) -> Result<Outcome, RunError> {
    run_loads(plan, Senders::Here, ready, (stop, each))
}

/// Runs all loads of a plan, for someone who may stop it and is told what happens.
fn run_loads(
    plan: &Plan,
    senders: Senders,
    ready: &mut dyn FnMut(&Workload) -> ControlFlow<()>,
    (stop, each): (&Stop, &mut dyn FnMut(Event)),
) -> Result<Outcome, RunError> {
    let workload = Arc::new(Workload::open(&plan.workload)?);
    for note in workload.notes() {
        each(Event::Note(note.clone()));
    }
    check_prompts(plan, &workload)?;
    if let Senders::Here = senders {
        make_room_for(plan.points.iter().map(most_in_flight).max().unwrap_or(0))?;
    }
    let mut subject = Subject::open(plan, &workload, senders)?;
    let folders = make_folders(plan)?;
    let mut outcome = Outcome {
        points: Vec::new(),
        interrupted: false,
    };
    let mut first_item = 0;
    for (number, (point, folder)) in plan.points.iter().zip(&folders).enumerate() {
        if number > 0 {
            each(Event::Pause(plan.pause));
            subject.pause(plan.pause, || stop.is_asked());
        }
        if stop.is_asked() || !is_there(plan, &mut subject, stop)? {
            outcome.interrupted = true;
            break;
        }
        if number == 0 {
            subject.find_metrics(plan)?;
        }
        if number == 0 {
            each(Event::Ready);
        }
        if number == 0 && (stop.is_asked() || ready(&workload).is_break()) {
            outcome.interrupted = true;
            break;
        }
        each(Event::PointStarted {
            number,
            of: Some(folders.len()),
            point: *point,
            folder: folder.clone(),
        });
        let what = Measure {
            point,
            first_item,
            folder,
            stop,
        };
        let result = measure(plan, &mut subject, &what, each)?;
        first_item += point.warmup + point.requests;
        outcome.interrupted |= result.interrupted;
        each(Event::PointDone(Box::new(result.clone())));
        outcome.points.push(result);
        if let Some(lost) = subject.lost() {
            return Err(lost.clone().into());
        }
    }
    Ok(outcome)
}

/// Finds prompts that have no place in the requests of a plan.
pub fn check_prompts(plan: &Plan, workload: &Workload) -> Result<(), RunError> {
    let endpoint = plan.endpoint;
    match workload.find_prompt(|prompt| endpoint.misfit(prompt)) {
        Some(misfit) => Err(RunError::Unsendable { misfit, endpoint }),
        None => Ok(()),
    }
}

/// Requests that are certainly in flight together at some time; 0 where the rate decides.
pub(crate) fn most_in_flight(point: &LoadPoint) -> u64 {
    let limit = point.load.concurrency.map(|limit| u64::from(limit.get()));
    match point.load.arrivals {
        Arrivals::AtOnce => limit.map_or(point.requests, |limit| limit.min(point.requests)),
        _ => limit.unwrap_or(0),
    }
}

/// The folders of all loads, made before the first is applied, and none of them used before.
fn make_folders(plan: &Plan) -> Result<Vec<PathBuf>, RunError> {
    let mut folders = Vec::new();
    for name in point_folders(&plan.points) {
        let folder = plan.output.folder.join(name);
        make_folder(&folder)?;
        let path = folder.join(DATABASE);
        if path.exists() {
            return Err(StoreError::Exists { path }.into());
        }
        folders.push(folder);
    }
    Ok(folders)
}

/// Asks the service for one short answer, where the plan wants that; false where the user did not wait for it.
pub(crate) fn is_there(plan: &Plan, subject: &mut Subject, stop: &Stop) -> Result<bool, RunError> {
    if !plan.test_connection {
        return Ok(true);
    }
    let clock = Clock::start();
    loop {
        let left = plan.ready_within.saturating_sub(clock.now());
        match subject.check(stop) {
            Ok(()) => return Ok(true),
            Err(CheckError::Stopped) => return Ok(false),
            Err(error) if left == Nanos::ZERO => return Err(refused(plan, &error)),
            Err(_) => wait(left.min(ASK_EVERY), || stop.is_asked()),
        }
    }
}

/// What reads answers in place of the endpoint; an error where it should be the user's own and is not at hand.
pub(crate) fn reader(plan: &Plan) -> Result<Option<Arc<dyn Api>>, RunError> {
    let Some(own) = &plan.own_api else {
        return Ok(None);
    };
    let api = own.api().ok_or_else(|| RunError::OwnApi {
        name: own.name().to_owned(),
    })?;
    Ok(api.reads().then(|| Arc::clone(api)))
}

/// One load of a plan.
pub(crate) struct Measure<'a> {
    pub(crate) point: &'a LoadPoint,
    pub(crate) first_item: u64,
    pub(crate) folder: &'a Path,
    pub(crate) stop: &'a Stop,
}

/// Applies one load, its records into a database of its own.
pub(crate) fn measure(
    plan: &Plan,
    subject: &mut Subject,
    what: &Measure<'_>,
    each: &mut dyn FnMut(Event),
) -> Result<PointResult, RunError> {
    let options = WriteOptions {
        commit_rows: plan.output.commit_rows,
        keep_text: plan.output.keep_text,
    };
    let header = RunHeader {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        start: subject.epoch_wall(),
        plan: serde_json::to_value(plan).expect("a plan has a JSON form"),
    };
    let writer = RunWriter::create(&what.folder.join(DATABASE), options, &header)?;
    let workload = subject.workload();
    let mut recorder = Recorder::new(*what.point, what.first_item, writer, workload, each)
        .with_tallies(plan.output.tallies)
        .read_by(reader(plan)?);
    let mut applied = subject.apply(what.point, what.first_item, what.stop, &mut recorder)?;
    if let Some(own) = &plan.own_api {
        applied.health.own.extend(recorder.reading(own.name()));
    }
    let (summary, loss) = recorder.finish(&applied);
    Ok(PointResult {
        summary,
        health: applied.health,
        folder: what.folder.to_owned(),
        interrupted: applied.interrupted,
        probes: applied.probes,
        loss,
    })
}

/// A folder name for each load: what is applied and how many requests; a number more where two loads are alike.
pub fn point_folders(points: &[LoadPoint]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for point in points {
        let name = match (point.load.rate(), point.load.concurrency) {
            (Some(rate), None) => format!("rate_{:?}_number_{}", rate.value(), point.requests),
            (_, limit) => format!(
                "parallel_{}_number_{}",
                limit.map_or(0, std::num::NonZeroU32::get),
                point.requests
            ),
        };
        let twin = |turn: usize| {
            if turn == 1 {
                name.clone()
            } else {
                format!("{name}_{turn}")
            }
        };
        let free = (1..=points.len())
            .map(twin)
            .find(|name| !names.contains(name));
        names.extend(free);
    }
    names
}

pub(crate) fn make_folder(path: &Path) -> Result<(), RunError> {
    fs::create_dir_all(path).map_err(|source| RunError::Folder {
        path: path.to_owned(),
        source,
    })
}

fn refused(plan: &Plan, error: &CheckError) -> RunError {
    let (kind, text) = match error {
        CheckError::Failed(failure) => (failure.kind, failure.text.clone()),
        error => (FailureKind::Connect, error.to_string()),
    };
    RunError::Refused {
        url: masked_url(plan.url()),
        kind,
        text,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crestline_core::request::Load;
    use crestline_core::units::Rate;

    use super::*;

    #[test]
    fn every_load_has_a_folder_of_its_own() {
        let point = |load, requests| LoadPoint {
            load,
            requests,
            warmup: 0,
            duration: None,
        };
        let closed = Load::closed(NonZeroU32::new(4).unwrap());
        let open = Load::open(Rate::per_second(5.0).unwrap());
        let points = [
            point(closed, 8),
            point(open, 100),
            point(closed, 8),
            point(closed, 8),
        ];
        let names = [
            "parallel_4_number_8",
            "rate_5.0_number_100",
            "parallel_4_number_8_2",
            "parallel_4_number_8_3",
        ];
        assert_eq!(point_folders(&points), names);
    }
}
