//! Runs [`Search`] on a live service or the simulated engine: records into one database, dwells into the journal, and
//! whoever watches is told. Decides nothing.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use crestline_core::health::{ClientHealth, HealthVerdict};
use crestline_core::record::RequestRecord;
use crestline_core::search::{Abort, Answer, Outcome, Question, Search, Status};
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::engine::{SessionPlan, Stop};
use crestline_store::runs::{RunHeader, RunWriter, WriteOptions};
use crestline_workload::Workload;

use super::drive::{Happening, LoadSession, Shape, drive};
use super::journal::{Applied, Entry, Fingerprint, Journal};
use super::ledger::Ledger;
use super::outcome::SearchOutcome;
use super::past::{BackTo, Past};
use super::sessions::{Dials, LiveLoad, VirtualLoad};
use crate::error::RunError;
use crate::event::{Event, SearchProgress};
use crate::plan::{Plan, Resume, SearchPlan};
use crate::run::{DATABASE, is_there, make_folder};
use crate::subject::Subject;
use crate::virtual_subject::Until;

/// Shortest time between two reports of progress, on the wall clock.
const REPORT_EVERY: Nanos = Nanos::from_millis(250);

/// Requests of a dwell from which the client's health is judged.
const JUDGED_REQUESTS: u64 = 50;

/// Runs a search until every group has its answer, or it is interrupted.
pub(super) fn run(
    plan: &Plan,
    search_plan: &SearchPlan,
    stop: &Stop,
    each: &mut dyn FnMut(Event),
) -> Result<SearchOutcome, RunError> {
    let workload = Arc::new(Workload::open(&plan.workload)?);
    for note in workload.notes() {
        each(Event::Note(note.clone()));
    }
    let begun = Begun::open(plan, search_plan)?;
    let subject = Subject::open_at(plan, &workload, begun.first_item)?;
    // Before anything is on disk: a service that is not there leaves no search behind.
    is_there(plan, &subject, stop)?;
    let (run, past, journal) = begun.go_on(plan, search_plan)?;
    let writer = open_writer(plan, search_plan.resume, &subject, run.from)?;
    each(Event::SearchStarted(plan.output.folder.clone()));
    let mut search = Search::new(search_plan.question.clone());
    let mut ledger = Ledger::new(&search_plan.question, run.shape);
    if let Some(past) = past {
        past.tell(&mut search, &mut ledger);
    }
    let desk = Desk {
        question: &search_plan.question,
        stop,
        each,
        journal,
        writer,
        ledger,
        dials: Rc::default(),
        health: ClientHealth::default(),
        first_item: run.first_item,
        clock: Clock::start(),
        told: None,
        loss_told: false,
        now: run.from,
        error: None,
    };
    run.on(subject, search, desk)
}

/// What is on disk before a command sends anything.
struct Begun {
    fingerprint: Fingerprint,
    journal: Option<Journal>,
    past: Option<Past>,
    first_item: u64,
}

impl Begun {
    fn open(plan: &Plan, search: &SearchPlan) -> Result<Self, RunError> {
        let folder = &plan.output.folder;
        let fingerprint = Fingerprint::of(plan, search);
        let (journal, past) = match search.resume {
            Resume::No => (None, None),
            Resume::Yes => {
                let (journal, entries) = Journal::resume(folder, &fingerprint)?;
                let past = Past::read(entries, &folder.join(DATABASE))?;
                (Some(journal), Some(past))
            }
        };
        let first_item = past.as_ref().map_or(0, |past| past.first_item);
        Ok(Self {
            fingerprint,
            journal,
            past,
            first_item,
        })
    }

    /// Makes the folder and the journal where they are not there yet.
    fn go_on<'a>(
        self,
        plan: &'a Plan,
        search: &SearchPlan,
    ) -> Result<(Run<'a>, Option<Past>, Journal), RunError> {
        let folder = &plan.output.folder;
        make_folder(folder)?;
        let mut journal = match self.journal {
            Some(journal) => journal,
            None => Journal::create(folder, self.fingerprint)?,
        };
        let run = Run {
            plan,
            shape: Shape {
                variable: search.question.variable,
                fixed_parallel: search.fixed_parallel,
            },
            first_item: self.first_item,
            from: self.past.as_ref().map_or(Nanos::ZERO, |past| past.from),
            back_to: self.past.as_ref().and_then(|past| past.back_to),
        };
        for line in self.past.iter().flat_map(Past::lines) {
            journal.add(&line)?;
        }
        Ok((run, self.past, journal))
    }
}

/// A new database, or the one that is there.
fn open_writer(
    plan: &Plan,
    resume: Resume,
    subject: &Subject,
    from: Nanos,
) -> Result<RunWriter, RunError> {
    let options = WriteOptions {
        commit_rows: plan.output.commit_rows,
        keep_text: plan.output.keep_text,
    };
    let path = plan.output.folder.join(DATABASE);
    let wall = subject.epoch_wall();
    Ok(match resume {
        Resume::Yes if path.exists() => {
            RunWriter::append(&path, options, wall.saturating_sub(from))?.0
        }
        _ => {
            let header = RunHeader {
                tool_version: env!("CARGO_PKG_VERSION").to_owned(),
                start: wall,
                plan: serde_json::to_value(plan).expect("a plan has a JSON form"),
            };
            RunWriter::create(&path, options, &header)?
        }
    })
}

/// What a search is run on.
struct Run<'a> {
    plan: &'a Plan,
    shape: Shape,
    first_item: u64,
    from: Nanos,
    back_to: Option<BackTo>,
}

impl Run<'_> {
    fn on(
        &self,
        subject: Subject,
        mut search: Search,
        mut desk: Desk<'_>,
    ) -> Result<SearchOutcome, RunError> {
        match subject {
            Subject::Virtual { mut session, .. } => {
                drop(session.run_until(Until::Time(self.from)));
                let mut load = VirtualLoad {
                    session,
                    dials: Rc::clone(&desk.dials),
                };
                self.drive(&mut search, &mut load, &mut desk)?;
                // Of these, no record will say what arrived.
                for flight in load.session.in_flight() {
                    if let Some(first) = flight.first_token {
                        desk.ledger.arrived(flight.output_tokens, first, desk.now);
                    }
                }
            }
            Subject::Live {
                engine,
                target,
                tokenizer,
                ..
            } => {
                let session = engine.open_session(SessionPlan {
                    most: self.shape.load(desk.question.bounds.highest),
                    first_item: self.first_item,
                })?;
                let mut load = LiveLoad {
                    offset: self.from,
                    looked: session.now(),
                    session,
                    stop: desk.stop,
                    target: &target,
                    tokenizer,
                    dials: Rc::clone(&desk.dials),
                };
                self.drive(&mut search, &mut load, &mut desk)?;
                let grace = if desk.stop.is_asked() {
                    self.plan.client.grace
                } else {
                    Nanos::ZERO
                };
                load.close(grace, &mut |record| desk.record(record))?;
            }
        }
        desk.close(&search)
    }

    fn drive<S: LoadSession<Error = RunError>>(
        &self,
        search: &mut Search,
        session: &mut S,
        desk: &mut Desk<'_>,
    ) -> Result<(), RunError> {
        if let Some(back_to) = self.back_to {
            self.bring_back(back_to, search, session, desk)?;
        }
        drive(search, session, self.shape, &mut |search, happening| {
            desk.see(search, happening)
        })?;
        desk.now = session.now();
        match desk.error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Run<'_> {
    /// Applies the load at which an earlier command was cut off, until the service is as busy as it was then: the search
    /// believes that it still is.
    fn bring_back<S: LoadSession<Error = RunError>>(
        &self,
        back_to: BackTo,
        search: &mut Search,
        session: &mut S,
        desk: &mut Desk<'_>,
    ) -> Result<(), RunError> {
        let join_over = back_to.settle / 2;
        session.change(self.shape.load(back_to.load), join_over, Abort::Nothing)?;
        let until = session.now() + back_to.settle;
        session.advance(until, &mut |record| {
            search.ended(&record);
            desk.record(record);
        })
    }
}

/// Where everything that happens is put down.
struct Desk<'a> {
    question: &'a Question,
    stop: &'a Stop,
    each: &'a mut dyn FnMut(Event),
    journal: Journal,
    writer: RunWriter,
    ledger: Ledger<'a>,
    dials: Rc<Dials>,
    /// Of all dwells that have ended.
    health: ClientHealth,
    first_item: u64,
    clock: Clock,
    /// When progress was last told, on the wall clock.
    told: Option<Nanos>,
    loss_told: bool,
    now: Nanos,
    error: Option<RunError>,
}

impl Desk<'_> {
    fn see(&mut self, search: &mut Search, happening: Happening) -> ControlFlow<String> {
        match happening {
            Happening::Record(record) => self.record(record),
            Happening::Changed { at, change, status } => {
                let applied = Applied {
                    at,
                    load: change.load,
                    stage: status.stage.to_owned(),
                };
                self.put_down(&Entry::Change(applied));
                let ended = self.dials.health.take();
                self.health.merge(ended);
                self.look(search, at, &status);
            }
            Happening::Looked { at, status } => {
                self.judge_client(search);
                self.look(search, at, &status);
            }
        }
        if self.error.is_some() {
            ControlFlow::Break("the journal cannot be written".to_owned())
        } else if self.stop.is_asked() {
            ControlFlow::Break("interrupted".to_owned())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn record(&mut self, mut record: RequestRecord) {
        self.ledger.record(&record);
        record.index += self.first_item;
        self.writer.write(record);
    }

    fn put_down(&mut self, entry: &Entry) {
        if let Err(error) = self.journal.add(entry) {
            self.error.get_or_insert(error.into());
        }
    }

    fn look(&mut self, search: &Search, at: Nanos, status: &Status) {
        self.now = at;
        self.sync(search, status.stage);
        self.tell_loss();
        let wall = self.clock.now();
        if self
            .told
            .is_some_and(|told| wall.saturating_sub(told) < REPORT_EVERY)
        {
            return;
        }
        self.told = Some(wall);
        let spent = self.ledger.spent(at);
        let open = search.answers().iter().position(Option::is_none);
        (self.each)(Event::Search(Box::new(SearchProgress {
            elapsed: spent.time,
            variable: self.question.variable,
            status: status.clone(),
            verdict: self.ledger.verdict(open.unwrap_or_default()),
            ended: spent.requests,
            failed: spent.failed,
            in_flight: self.dials.in_flight.get(),
        })));
    }

    fn sync(&mut self, search: &Search, stage: &str) {
        for dwelt in self.ledger.sync(search.spans(), stage) {
            self.put_down(&Entry::Dwell(dwelt));
        }
    }

    /// A load at which the client was the bottleneck says nothing of the service.
    fn judge_client(&mut self, search: &mut Search) {
        let Some(present) = self.ledger.present() else {
            return;
        };
        if present.total() < JUDGED_REQUESTS {
            return;
        }
        if let HealthVerdict::Void(reasons) = self.dials.health.borrow().verdict(present)
            && let Some(reason) = reasons.first()
        {
            search.void(&reason.to_string());
        }
    }

    fn tell_loss(&mut self) {
        if self.loss_told {
            return;
        }
        if let Some(error) = self.writer.status().error {
            self.loss_told = true;
            (self.each)(Event::Note(format!(
                "the database cannot be written ({error}): the search goes on, requests are missing from the database"
            )));
        }
    }

    fn close(mut self, search: &Search) -> Result<SearchOutcome, RunError> {
        self.sync(search, "");
        let interrupted = self.stop.is_asked();
        if !interrupted {
            self.put_down(&Entry::End { at: self.now });
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        let last = self.dials.health.take();
        self.health.merge(last);
        let answers = search.answers().into_iter();
        Ok(SearchOutcome {
            answers: answers
                .map(|answer| answer.cloned().unwrap_or_else(open_answer))
                .collect(),
            tried: self.ledger.tried(self.now),
            dwells: self.ledger.dwells(self.now),
            spent: self.ledger.spent(self.now),
            health: self.health,
            interrupted,
            loss: self.writer.finish().err().map(|error| error.to_string()),
        })
    }
}

/// Of a group that the search did not get to.
pub(super) fn open_answer() -> Answer {
    Answer {
        outcome: Outcome::Inconclusive,
        load: None,
        estimate: None,
        interval: None,
        best: None,
        binding: None,
        knee: None,
        requests: 0,
        requests_needed: None,
        reason: "interrupted".to_owned(),
    }
}
