//! What trackers are told of a session, in the keys of its files.
//!
//! Decides nothing about trackers: how they are told, and what is lost on the way, is [`crate::track`]'s.

use std::path::{Path, PathBuf};

use crestline_core::health::HealthVerdict;
use crestline_core::metrics::Metric;
use crestline_core::request::LoadPoint;
use crestline_core::search::{Answer as Found, Variable};
use crestline_core::sla::Group;
use crestline_core::summary::RunSummary;
use crestline_core::units::{Nanos, Rate};
use crestline_experiment::event::{PointResult, Progress, SearchProgress};
use crestline_experiment::plan::{Method, SearchPlan};
use crestline_experiment::search::outcome::{SearchOutcome, Tried};
use crestline_experiment::search::summary_json::SUMMARY;
use crestline_report::load_tables as tables;
use crestline_report::search_tables;
use serde_json::{Map, Value};

use super::search::FIGURE;
use super::{Place, Session, files};
use crate::exit::Exit;
use crate::moment;
use crate::problem::Problem;
use crate::track::told::{
    Answer, AnswerRow, Artifact, ArtifactKind, Begin, Client, End, LoadDone, Status, Table, Told,
    Varied,
};
use crate::track::{Flights, Pulse, Trackers};

/// What evalscope files its runs under.
const PROJECT: &str = "perf_benchmark";

/// What evalscope writes where there is no value; trackers are told nothing there.
const NOT_APPLICABLE: f64 = -1.0;

/// The trackers of a session, and what they have been told.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    trackers: Trackers,
    pulse: Pulse,
    /// The folder of results.
    folder: PathBuf,
    patience: Nanos,
    /// Why the command ends before the first load.
    pub(super) refused: Option<Problem>,
}

impl Tracked {
    /// A load begins, or a search.
    pub(super) fn start(&mut self, load: String) {
        self.pulse.start(load);
    }

    /// How far a load is, a second later.
    pub(super) fn pulse(&mut self, progress: &Progress) {
        let live = self.pulse.load(progress);
        self.trackers.tell(&Told::Live(live));
    }

    /// How far a search is, a second later.
    pub(super) fn search_pulse(&mut self, progress: &SearchProgress) {
        let live = self.pulse.search(progress);
        self.trackers.tell(&Told::Live(live));
    }

    /// A file of results is there. One that could not be written is not told of.
    pub(super) fn artifact(&self, path: &Path, kind: ArtifactKind) {
        if self.trackers.is_empty() || !path.is_file() {
            return;
        }
        let inside = path.strip_prefix(&self.folder).unwrap_or(path);
        self.trackers.tell(&Told::Artifact(Artifact {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            name: inside.display().to_string(),
            kind,
        }));
    }
}

impl Session<'_> {
    /// Makes all trackers ready when all else is checked: where one is not, the plan is stopped.
    pub(super) fn begin_tracking(&mut self) {
        if let Err(problem) = self.open_trackers() {
            self.tracked.refused = Some(problem);
            self.stop.ask();
        }
    }

    /// Makes all trackers ready before a search.
    pub(in crate::perf) fn track_search(&mut self) -> Result<(), Problem> {
        self.open_trackers().inspect_err(|_| self.clear_away())
    }

    /// Makes all trackers ready, before any load.
    fn open_trackers(&mut self) -> Result<(), Problem> {
        let plan = &self.translation.track;
        if plan.trackers.is_empty() {
            return Ok(());
        }
        let folder = &self.translation.plan.output.folder;
        std::fs::create_dir_all(folder).map_err(|error| {
            Problem::usage(format!("{} cannot be made", folder.display())).because(&error)
        })?;
        self.tracked.folder.clone_from(folder);
        self.tracked.patience = plan.patience;
        self.tracked.pulse = Pulse::new(match self.translation.address.place {
            Place::Live(_) => Flights::Seen,
            Place::Virtual(_) => Flights::Unseen,
        });
        let begin = self.begin();
        for tracker in &plan.trackers {
            let name = tracker.name();
            self.tell(&format!("tracker {name}: waiting until its run has begun"));
            let opened = tracker.open(&begin, self.stop);
            let added = opened.and_then(|opened| {
                let Some(opened) = opened else { return Ok(()) };
                for note in &opened.notes {
                    self.tell(&format!("tracker {name}: {note}"));
                }
                self.tracked.trackers.add(opened).map_err(|error| {
                    Problem::usage(format!("tracker {name} cannot be told")).because(&error)
                })
            });
            if let Err(problem) = added {
                self.close_trackers(&Err(problem.clone()));
                return Err(problem);
            }
        }
        Ok(())
    }

    fn begin(&self) -> Begin {
        let plan = &self.translation.plan;
        let folder = &self.tracked.folder;
        let varied = match &plan.search {
            Some(search) => varied(search.question.variable),
            None => along(&plan.points),
        };
        let stamped = format!("{}_{}", plan.name, moment::folder_stamp());
        let given = self
            .args
            .output
            .name
            .clone()
            .filter(|name| !name.is_empty());
        let place = match self.translation.address.place {
            Place::Live(_) => "live",
            Place::Virtual(_) => "virtual time",
        };
        let tags = [
            ("tool", "crestline"),
            ("model", plan.model.as_str()),
            ("service", place),
        ];
        Begin {
            project: PROJECT.to_owned(),
            name: given.unwrap_or(stamped),
            folder: std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
            varied,
            config: files::of_command(self.args, self.translation),
            tags: tags
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        }
    }

    /// Shows what has become of trackers.
    pub(super) fn tell_of_trackers(&mut self) {
        for line in self.tracked.trackers.failures() {
            self.tell(&line);
        }
    }

    /// A load has ended, and its files are written.
    pub(super) fn track_load(&mut self, result: &PointResult) {
        if self.tracked.trackers.is_empty() {
            return;
        }
        let run = &result.summary;
        let summary = files::summary(run, &result.health);
        let folder = &result.folder;
        let key = folder.strip_prefix(&self.tracked.folder).unwrap_or(folder);
        let done = LoadDone {
            key: key.display().to_string(),
            number: self.tracked.pulse.number(),
            client: client(&result.health.verdict(run)),
            interrupted: result.interrupted,
            ..load_done(run, &summary)
        };
        self.tracked.trackers.tell(&Told::LoadDone(done));
        for name in ["args", "summary", "percentile"] {
            let path = folder.join(format!("benchmark_{name}.json"));
            self.tracked.artifact(&path, ArtifactKind::Json);
        }
    }

    /// A search has ended, and its files but the page are written.
    pub(super) fn track_answer(&mut self, search: &SearchPlan, outcome: &SearchOutcome) {
        if self.tracked.trackers.is_empty() {
            return;
        }
        // Separate runs were told as they ended.
        if search.method == Method::Crest {
            let verdict = outcome.health.clone();
            for (index, tried) in outcome.tried.iter().enumerate() {
                let Some(run) = merged(tried) else { continue };
                let variable = search.question.variable;
                let done = LoadDone {
                    load: search_tables::load_name(variable, tried.load),
                    key: format!("{}_{}", variable_name(variable), tried.load),
                    number: index + 1,
                    client: client(&verdict.verdict(&run)),
                    interrupted: false,
                    ..load_done(&run, &files::figures(&run))
                };
                self.tracked.trackers.tell(&Told::LoadDone(done));
            }
        }
        let groups = search.question.groups.iter().zip(&outcome.answers);
        let rows = groups.map(|(group, found)| answer_row(group, found, search));
        let answer = Answer {
            rows: rows.collect(),
        };
        self.tracked.trackers.tell(&Told::Answer(answer));
        let folder = &self.tracked.folder;
        for (name, kind) in [
            (SUMMARY, ArtifactKind::Json),
            ("performance_summary.txt", ArtifactKind::Text),
            (FIGURE, ArtifactKind::Figure),
        ] {
            self.tracked.artifact(&folder.join(name), kind);
        }
    }

    /// Tells trackers how it ended, waits for them, and shows what became of them.
    pub(super) fn close_trackers(&mut self, ended: &Result<Exit, Problem>) {
        let trackers = std::mem::take(&mut self.tracked.trackers);
        if trackers.is_empty() {
            return;
        }
        let exit = match ended {
            Ok(exit) => *exit,
            Err(problem) => problem.exit(),
        };
        let status = match exit {
            Exit::Done | Exit::SlaNotMet => Status::Done,
            Exit::Interrupted => Status::Interrupted,
            _ => Status::Failed,
        };
        let end = End {
            status,
            exit: exit.code(),
        };
        for line in trackers.close(end, self.tracked.patience, self.stop) {
            self.tell(&line);
        }
    }
}

/// What is told of any load.
fn load_done(run: &RunSummary, summary: &Map<String, Value>) -> LoadDone {
    let LoadPoint { load, .. } = run.point();
    let mut values = Vec::new();
    flatten("", summary, &mut values);
    LoadDone {
        load: tables::load_name(load),
        key: String::new(),
        number: 0,
        parallel: load.concurrency.map(std::num::NonZeroU32::get),
        rate: load.rate().map(Rate::value),
        values,
        percentiles: percentiles(run),
        client: Client::Sound,
        interrupted: false,
    }
}

/// The numbers of an object, those of objects in it with a dot between the names.
fn flatten(prefix: &str, object: &Map<String, Value>, into: &mut Vec<(String, f64)>) {
    for (key, value) in object {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(inner) => flatten(&format!("{name}."), inner, into),
            value => into.extend(
                value
                    .as_f64()
                    .filter(|value| *value != NOT_APPLICABLE)
                    .map(|value| (name, value)),
            ),
        }
    }
}

fn percentiles(run: &RunSummary) -> Table {
    let rows = files::percentiles(run);
    let columns = rows.first().into_iter().flat_map(Map::keys);
    let cell = |value: Value| match value.as_f64() {
        Some(number) if number == NOT_APPLICABLE => Value::Null,
        _ => value,
    };
    Table {
        columns: columns.cloned().collect(),
        rows: rows
            .into_iter()
            .map(|row| row.into_iter().map(|(_, value)| cell(value)).collect())
            .collect(),
    }
}

fn client(verdict: &HealthVerdict) -> Client {
    match verdict {
        HealthVerdict::Sound => Client::Sound,
        HealthVerdict::Void(reasons) => {
            Client::Void(reasons.iter().map(ToString::to_string).collect())
        }
    }
}

fn answer_row(group: &Group, found: &Found, search: &SearchPlan) -> AnswerRow {
    let status = serde_json::to_value(found.outcome).ok();
    AnswerRow {
        criteria: group.to_string(),
        variable: varied(search.question.variable),
        status: status
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        max_satisfied: found.load,
        low: found.interval.map(|interval| interval.low),
        high: found.interval.map(|interval| interval.high),
        probability: found.interval.and_then(|interval| interval.probability),
        binding: found.binding.map(|criterion| criterion.to_string()),
        requests: found.requests,
        reason: found.reason.clone(),
    }
}

/// All requests at a load; `None` where none was measured.
fn merged(tried: &Tried) -> Option<RunSummary> {
    let all = tried.runs.iter().cloned();
    let run = all.reduce(|mut all, run| {
        all.merge(run);
        all
    })?;
    run.mean(Metric::Latency).is_some().then_some(run)
}

fn varied(variable: Variable) -> Varied {
    match variable {
        Variable::Users => Varied::Parallel,
        Variable::Rate => Varied::Rate,
    }
}

/// What differs between loads; in flight, where nothing does.
fn along(points: &[LoadPoint]) -> Varied {
    let parallel = |point: &LoadPoint| point.load.concurrency;
    let rate = |point: &LoadPoint| point.load.rate().map(Rate::value);
    let is_open = points.iter().all(|point| parallel(point).is_none());
    let limits_differ = points
        .iter()
        .any(|point| parallel(point) != parallel(&points[0]));
    let rates_differ = points.iter().any(|point| rate(point) != rate(&points[0]));
    if is_open || (rates_differ && !limits_differ) {
        Varied::Rate
    } else {
        Varied::Parallel
    }
}

fn variable_name(variable: Variable) -> &'static str {
    match variable {
        Variable::Users => "parallel",
        Variable::Rate => "rate",
    }
}
