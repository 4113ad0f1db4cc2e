//! Drives [`Bisect`] with separate runs, as EvalScope makes them: a folder, a database and fresh prompts for each.
//!
//! Decides nothing: which load comes next, and what a load is worth, is `core`'s.

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use crestline_core::health::ClientHealth;
use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::search::bisect::{Bisect, BisectQuestion, Selection, requests_of};
use crestline_core::search::{Answer, Outcome, Question, Variable};
use crestline_core::sla::{Measure as Metric, Probe};
use crestline_core::summary::RunSummary;
use crestline_core::units::{Nanos, Rate};
use crestline_load::engine::Stop;
use crestline_load::files::make_room_for;
use crestline_store::runs::RunReader;
use crestline_workload::Workload;

use super::journal::{Applied, Entry, Fingerprint, Journal, RunEnd};
use super::outcome::{Dwell, SearchOutcome, Spent, Tried, open_answer};
use crate::distributed::Senders;
use crate::error::RunError;
use crate::event::{Event, PointResult};
use crate::plan::{BisectPlan, Plan, Resume, SearchPlan, Spacing, warmup_requests};
use crate::run::{DATABASE, Measure, is_there, make_folder, measure};
use crate::subject::Subject;

/// Where the runs' folders are, inside the search's.
const RUNS: &str = "sla_tuning";

/// What a stage of this search is called.
const STAGE: &str = "bisect";

/// Runs a bisection until every group has its row, or it is interrupted.
pub(super) fn run(
    plan: &Plan,
    search: &SearchPlan,
    senders: Senders,
    (stop, each): (&Stop, &mut dyn FnMut(Event)),
) -> Result<SearchOutcome, RunError> {
    let mut session = Session::open(plan, search, senders, (stop, each))?;
    let mut interrupted = stop.is_asked();
    while let Some(value) = session.bisect.ask().filter(|_| !interrupted) {
        if !session.probe(value, stop, each)? {
            interrupted = true;
        }
    }
    session.close()
}

/// A bisection that goes on.
struct Session<'a> {
    plan: &'a Plan,
    search: &'a SearchPlan,
    question: &'a Question,
    probe_plan: BisectPlan,
    subject: Subject,
    journal: Journal,
    bisect: Bisect,
    runs: Vec<Run>,
    /// Of the loads that this command applied.
    health: ClientHealth,
    first_item: u64,
    loss: Option<String>,
}

/// One run of one load.
struct Run {
    value: u64,
    summary: RunSummary,
    /// Requests that keep to the limits of a good one, where a group asks for that and all records could be read.
    good: Option<u64>,
    interrupted: bool,
}

impl<'a> Session<'a> {
    fn open(
        plan: &'a Plan,
        search: &'a SearchPlan,
        senders: Senders,
        (stop, each): (&Stop, &mut dyn FnMut(Event)),
    ) -> Result<Self, RunError> {
        let probe_plan = match search.method {
            crate::plan::Method::Bisect(plan) => plan,
            crate::plan::Method::Crest => unreachable!("a bisection is run for its own method"),
        };
        let workload = Arc::new(Workload::open(&plan.workload)?);
        for note in workload.notes() {
            each(Event::Note(note.clone()));
        }
        let folder = &plan.output.folder;
        let fingerprint = Fingerprint::of(plan, search);
        let (journal, entries) = match search.resume {
            Resume::No => (None, Vec::new()),
            Resume::Yes => {
                let (journal, entries) = Journal::resume(folder, &fingerprint)?;
                (Some(journal), entries)
            }
        };
        let question = &search.question;
        let first_item = next_item(search, &probe_plan, &entries);
        let mut subject = Subject::open_at(plan, &workload, senders, first_item)?;
        // Before anything is on disk: a service that is not there leaves no search behind.
        if is_there(plan, &mut subject, stop)? {
            subject.find_metrics(plan)?;
        }
        make_folder(folder)?;
        let journal = match journal {
            Some(journal) => journal,
            None => Journal::create(folder, fingerprint)?,
        };
        each(Event::SearchStarted(folder.clone()));
        let mut session = Self {
            plan,
            search,
            question,
            probe_plan,
            subject,
            journal,
            bisect: Bisect::new(BisectQuestion {
                groups: question.groups.clone(),
                start: question.first as u64,
                lower: question.bounds.lowest as u64,
                upper: question.bounds.highest as u64,
            }),
            runs: Vec::new(),
            health: ClientHealth::default(),
            first_item,
            loss: None,
        };
        session.restore(&entries)?;
        Ok(session)
    }

    /// Takes over the runs of earlier commands; one that was cut off is made again.
    fn restore(&mut self, entries: &[Entry]) -> Result<(), RunError> {
        for entry in entries {
            if let Entry::Run(end) = entry {
                let run = self.read_run(end)?;
                self.runs.push(run);
            }
        }
        let mut values: Vec<u64> = self.runs.iter().map(|run| run.value).collect();
        values.dedup();
        for value in values {
            self.tell(value);
        }
        Ok(())
    }

    fn read_run(&self, end: &RunEnd) -> Result<Run, RunError> {
        let path = self.plan.output.folder.join(&end.folder).join(DATABASE);
        let reader = RunReader::open(&path)?;
        let mut summary = RunSummary::new(self.point(end.load));
        let mut good = 0;
        for record in reader.records() {
            let record = record?;
            good += u64::from(self.question.slo.met_by(&record));
            summary.add(&record);
        }
        summary.sort();
        Ok(Run {
            value: end.load,
            summary,
            good: self.asks_for_goodput().then_some(good),
            interrupted: false,
        })
    }

    fn asks_for_goodput(&self) -> bool {
        let measures = |group: &crestline_core::sla::Group| {
            group.measures().any(|measure| measure == Metric::Goodput)
        };
        self.question.groups.iter().any(measures)
    }

    /// Runs a load as often as is asked for; false where the user did not wait for it.
    fn probe(
        &mut self,
        value: u64,
        stop: &Stop,
        each: &mut dyn FnMut(Event),
    ) -> Result<bool, RunError> {
        while self.runs_of(value).count() < self.probe_plan.runs.get() as usize {
            if self.runs_of(value).count() > 0 {
                each(Event::Pause(self.plan.pause));
                self.subject.pause(self.plan.pause, || stop.is_asked());
            }
            let checked = self.runs.is_empty() || is_there(self.plan, &mut self.subject, stop)?;
            if stop.is_asked() || !checked {
                return Ok(false);
            }
            self.run_once(value, stop, each)?;
            if self.runs.last().is_some_and(|run| run.interrupted) {
                return Ok(false);
            }
        }
        self.tell(value);
        Ok(true)
    }

    fn runs_of(&self, value: u64) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.value == value)
    }

    fn run_once(
        &mut self,
        value: u64,
        stop: &Stop,
        each: &mut dyn FnMut(Event),
    ) -> Result<(), RunError> {
        let point = self.point(value);
        if matches!(self.subject, Subject::Live { .. }) {
            let users = point.load.concurrency;
            make_room_for(users.map_or(0, |limit| limit.get().into()))?;
        }
        let (name, folder) = self.free_folder(value)?;
        self.journal.add(&Entry::Change(Applied {
            at: self.spent().time,
            load: value as f64,
            stage: STAGE.to_owned(),
        }))?;
        each(Event::PointStarted {
            number: self.runs.len(),
            of: None,
            point,
            folder: folder.clone(),
        });
        let what = Measure {
            point: &point,
            first_item: self.first_item,
            folder: &folder,
            stop,
        };
        let result = measure(self.plan, &mut self.subject, &what, each)?;
        self.first_item += point.warmup + point.requests;
        self.keep(value, name, &result)?;
        each(Event::PointDone(Box::new(result)));
        Ok(())
    }

    /// Adds a run to the evidence. One that was interrupted is none.
    fn keep(&mut self, value: u64, folder: String, result: &PointResult) -> Result<(), RunError> {
        let end = RunEnd {
            load: value,
            run: self.runs_of(value).count() as u32,
            folder,
            next_item: self.first_item,
        };
        self.health.merge(result.health.clone());
        self.loss = self.loss.take().or_else(|| result.loss.clone());
        let good = match (self.asks_for_goodput(), &result.loss) {
            (true, None) => self.read_run(&end)?.good,
            _ => None,
        };
        self.runs.push(Run {
            value,
            summary: result.summary.clone(),
            good,
            interrupted: result.interrupted,
        });
        if !result.interrupted && result.loss.is_none() {
            self.journal.add(&Entry::Run(end))?;
        }
        Ok(())
    }

    /// Hands a load to the search once all of its runs are there.
    fn tell(&mut self, value: u64) {
        let complete = || self.runs_of(value).filter(|run| !run.interrupted);
        if complete().count() < self.probe_plan.runs.get() as usize {
            return;
        }
        let runs: Vec<RunSummary> = complete().map(|run| run.summary.clone()).collect();
        let good: Option<u64> = complete().map(|run| run.good).sum();
        let probe = Probe::average(&runs, good, &self.question.groups);
        self.bisect.tell(value, probe);
    }

    fn point(&self, value: u64) -> LoadPoint {
        point(self.search, &self.probe_plan, value)
    }

    /// A folder that no run has used, also none that was cut off.
    fn free_folder(&self, value: u64) -> Result<(String, PathBuf), RunError> {
        let variable = match self.question.variable {
            Variable::Users => "parallel",
            Variable::Rate => "rate",
        };
        let run = self.runs_of(value).count();
        let name = format!("{RUNS}/sla_{variable}_{value}_run_{run}");
        let mut free = name.clone();
        let mut turn = 2;
        while fs::exists(self.plan.output.folder.join(&free).join(DATABASE)).unwrap_or(false) {
            free = format!("{name}_{turn}");
            turn += 1;
        }
        let folder = self.plan.output.folder.join(&free);
        make_folder(&folder)?;
        Ok((free, folder))
    }

    fn spent(&self) -> Spent {
        self.runs.iter().fold(Spent::default(), |spent, run| Spent {
            time: spent.time + run.summary.duration(),
            requests: spent.requests + run.summary.total(),
            failed: spent.failed + run.summary.failed(),
            given_up: 0,
            input_tokens: spent.input_tokens + run.summary.input().tokens,
            output_tokens: spent.output_tokens + run.summary.output().tokens,
        })
    }

    /// Where loads are still asked for, the user ended it, or a machine was lost.
    fn close(mut self) -> Result<SearchOutcome, RunError> {
        let is_left = self.bisect.ask().is_some();
        let lost = self.subject.lost().map(ToString::to_string);
        let interrupted = is_left && lost.is_none();
        if !is_left {
            let at = self.spent().time;
            self.journal.add(&Entry::End { at, drained: true })?;
        }
        Ok(SearchOutcome {
            answers: self.answers(),
            tried: self.tried(),
            dwells: self.dwells(),
            began: Nanos::ZERO,
            spent: self.spent(),
            health: self.health,
            interrupted,
            loss: self.loss.or(lost),
        })
    }

    fn answers(&self) -> Vec<Answer> {
        let found = self.bisect.selections();
        let groups = 0..self.question.groups.len();
        groups
            .map(|group| match found.get(group) {
                Some(selection) => self.answer(selection),
                None => open_answer(),
            })
            .collect()
    }

    fn answer(&self, selection: &Selection) -> Answer {
        let highest = self.question.bounds.highest as u64;
        let outcome = match selection.selected {
            None => Outcome::Infeasible,
            Some(load) if load == highest => Outcome::NotReached,
            Some(_) => Outcome::Value,
        };
        let load = selection.selected.map(|load| load as f64);
        let probe = selection
            .selected
            .and_then(|load| self.bisect.probes().get(&load));
        let above = selection
            .selected
            .map_or(self.question.bounds.lowest as u64, |load| load + 1);
        let group = &self.question.groups[selection.group];
        let binding = self.bisect.probes().get(&above).and_then(|probe| {
            let verdict = group.judge(probe);
            verdict.unmet().next().map(|finding| finding.criterion)
        });
        Answer {
            outcome,
            load,
            estimate: None,
            interval: None,
            best: selection.best,
            binding,
            knee: None,
            requests: probe.map_or(0, |probe| probe.total),
            requests_needed: None,
            reason:
                "a bisection takes each comparison as final, so nothing is known of how sure it is"
                    .to_owned(),
        }
    }

    /// Increasing; loads of which a run is whole.
    fn tried(&self) -> Vec<Tried> {
        let mut values: Vec<u64> = self.runs.iter().map(|run| run.value).collect();
        values.sort_unstable();
        values.dedup();
        values
            .into_iter()
            .map(|value| Tried {
                load: value as f64,
                runs: self.runs_of(value).map(|run| run.summary.clone()).collect(),
                pace: None,
            })
            .collect()
    }

    fn dwells(&self) -> Vec<Dwell> {
        let mut start = Nanos::ZERO;
        let numbered = (1..).zip(&self.runs);
        numbered
            .map(|(number, run)| {
                let end = start + run.summary.duration();
                let dwell = Dwell {
                    number,
                    load: run.value as f64,
                    stage: STAGE.to_owned(),
                    start,
                    counted_from: Some(start),
                    end,
                    ending: if run.interrupted {
                        "interrupted"
                    } else {
                        "all requests sent"
                    }
                    .to_owned(),
                    is_void: false,
                    probe: Probe::of(&run.summary, run.good, &self.question.groups),
                };
                start = end;
                dwell
            })
            .collect()
    }
}

/// One run of a load.
fn point(search: &SearchPlan, plan: &BisectPlan, value: u64) -> LoadPoint {
    let requests = requests_of(value, plan.multiplier);
    let users = u32::try_from(value).ok().and_then(NonZeroU32::new);
    let rate = Rate::per_second(value.max(1) as f64).expect("a whole number above 0 is a rate");
    let load = match search.question.variable {
        Variable::Users => Load::closed(users.unwrap_or(NonZeroU32::MIN)),
        Variable::Rate => Load {
            arrivals: match plan.arrivals {
                Spacing::Random => Arrivals::Poisson(rate),
                Spacing::Even => Arrivals::Constant(rate),
            },
            concurrency: search.fixed_parallel,
        },
    };
    LoadPoint {
        load,
        requests,
        warmup: warmup_requests(plan.warmup, requests),
        duration: plan.duration,
    }
}

/// The first item that no run has sent, also none that was cut off.
fn next_item(search: &SearchPlan, plan: &BisectPlan, entries: &[Entry]) -> u64 {
    entries.iter().fold(0, |next, entry| match entry {
        Entry::Change(applied) => {
            let point = point(search, plan, applied.load as u64);
            next + point.warmup + point.requests
        }
        Entry::Run(end) => end.next_item,
        _ => next,
    })
}
