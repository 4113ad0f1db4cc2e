//! Runs [`Search`] on a live service or the simulated engine: records into one database, dwells into the journal, and
//! whoever watches is told. Decides nothing.

mod subjects;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use crestline_core::health::ClientHealth;
use crestline_core::record::RequestRecord;
use crestline_core::search::{Abort, Question, Search, Status, Variable};
use crestline_core::tally::Tally;
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::engine::Stop;
use crestline_load::files::{make_room_for, most_connections};
use crestline_store::runs::{RunHeader, RunWriter, WriteOptions};
use crestline_workload::Workload;
use serde_json::Value;

use super::Watch;
use super::client_watch::ClientWatch;
use super::drive::{Happening, LoadSession, Shape, drive};
use super::journal::{Answered, Applied, Entry, Fingerprint, Journal};
use super::ledger::Ledger;
use super::outcome::{SearchOutcome, Tried, as_asked, open_answer};
use super::past::{BackTo, Past};
use super::sessions::Dials;
use crate::client_health;
use crate::distributed::Senders;
use crate::error::RunError;
use crate::event::{Event, SearchProgress};
use crate::plan::{Plan, Resume, SearchPlan, Tallies};
use crate::recorder::PULSE_EVERY;
use crate::run::{CLIENT, DATABASE, INTERRUPTED, is_there, make_folder};
use crate::subject::Subject;

/// Shortest time between two reports of progress, on the wall clock.
const REPORT_EVERY: Nanos = Nanos::from_millis(250);

/// Who takes part in a search beside the service.
pub(super) struct Around<'a, 'w> {
    pub(super) stop: &'a Stop,
    pub(super) each: &'a mut dyn FnMut(Event),
    pub(super) onlooker: &'a mut Watch<'w>,
}

/// Runs a search until every group has its answer, or it is interrupted.
pub(super) fn run(
    plan: &Plan,
    search_plan: &SearchPlan,
    senders: Senders,
    around: Around<'_, '_>,
) -> Result<SearchOutcome, RunError> {
    let Around {
        stop,
        each,
        onlooker,
    } = around;
    let workload = Arc::new(Workload::open(&plan.workload)?);
    for note in workload.notes() {
        each(Event::Note(note.clone()));
    }
    let begun = Begun::open(plan, search_plan)?;
    let mut subject = Subject::open_at(plan, &workload, senders, begun.first_item)?;
    let (question, room) = within_reach(&subject, &search_plan.question, each)?;
    // Before anything is on disk: a service that is not there leaves no search behind.
    if is_there(plan, &mut subject, stop)? {
        subject.find_metrics(plan)?;
    }
    let (run, past, journal) = begun.go_on(plan, search_plan)?;
    let writer = open_writer(plan, search_plan.resume, &subject, run.from)?;
    each(Event::SearchStarted(plan.output.folder.clone()));
    let mut search = Search::new(question.clone());
    let mut ledger = Ledger::new(&question, run.shape);
    if let Some(past) = past {
        past.tell(&mut search, &mut ledger);
    }
    let desk = Desk {
        question: &question,
        asked: &search_plan.question,
        room,
        crowded: false,
        stop,
        each,
        onlooker,
        answered: search.settled().map(|(group, _)| group).collect(),
        is_broken_off: false,
        unended: 0,
        journal,
        writer,
        ledger,
        dials: Rc::default(),
        watch: ClientWatch::default(),
        tally: (plan.output.tallies == Tallies::Told).then(Tally::default),
        first_item: run.first_item,
        clock: Clock::start(),
        told: None,
        pulsed: None,
        loss_told: false,
        now: run.from,
        journal_loss: None,
    };
    run.on(subject, search, desk)
}

/// The question with bounds that the client can drive, and the number of requests in flight beyond which it cannot.
fn within_reach(
    subject: &Subject,
    question: &Question,
    each: &mut dyn FnMut(Event),
) -> Result<(Question, u64), RunError> {
    let mut question = question.clone();
    let most = match subject {
        Subject::Virtual { .. } => return Ok((question, u64::MAX)),
        Subject::Live { .. } => most_connections()?,
        Subject::Remote { fleet, .. } => fleet.most_connections(),
    };
    let bounds = &mut question.bounds;
    if question.variable == Variable::Rate {
        return Ok((question, most));
    }
    if matches!(subject, Subject::Live { .. }) {
        make_room_for(bounds.lowest as u64)?;
    }
    if bounds.highest > most as f64 {
        each(Event::Note(format!(
            "the system lets a process have {most} connections: the search goes no higher than {most} users"
        )));
        bounds.highest = most as f64;
        question.first = question.first.min(bounds.highest);
    }
    // A user has one connection, so that those within the bounds always fit.
    Ok((question, u64::MAX))
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
    fn drive<S: LoadSession<Error = RunError>>(
        &self,
        search: &mut Search,
        session: &mut S,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), RunError> {
        if let ControlFlow::Break(why) = desk.show(search, session.now()) {
            search.give_up(&why);
        }
        let spent = desk.ledger.spent(session.now());
        let is_open = search.open().is_some();
        let may_go_on = is_open && spent.share_of(&desk.question.budget) < 1.0;
        match self.back_to {
            Some(back_to) if may_go_on => self.bring_back(back_to, search, session, desk)?,
            Some(_) => {}
            None => search.begin_idle(),
        }
        drive(search, session, self.shape, &mut |search, happening| {
            desk.see(search, happening)
        })?;
        desk.end(search, session.now());
        Ok(())
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
        desk: &mut Desk<'_, '_>,
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
struct Desk<'a, 'w> {
    /// With bounds that can be driven.
    question: &'a Question,
    asked: &'a Question,
    /// Requests in flight that there are connections for.
    room: u64,
    /// There was no room when the present load was applied.
    crowded: bool,
    stop: &'a Stop,
    each: &'a mut dyn FnMut(Event),
    onlooker: &'a mut Watch<'w>,
    /// Groups whose answers are in the journal.
    answered: BTreeSet<usize>,
    /// The search was ended before it was done.
    is_broken_off: bool,
    /// Requests that had not ended when the session was closed.
    unended: usize,
    journal: Journal,
    writer: RunWriter,
    ledger: Ledger<'a>,
    dials: Rc<Dials>,
    watch: ClientWatch,
    /// Kept where it is asked for.
    tally: Option<Tally>,
    first_item: u64,
    clock: Clock,
    /// When progress was last told, on the wall clock.
    told: Option<Nanos>,
    /// The same on the search's own clock.
    pulsed: Option<Nanos>,
    loss_told: bool,
    now: Nanos,
    /// Why the journal has not all of the search.
    journal_loss: Option<String>,
}

/// Whether the last time is so long ago; then this is the last time.
fn is_due(last: &mut Option<Nanos>, now: Nanos, every: Nanos) -> bool {
    let is_due = last.is_none_or(|last| now.saturating_sub(last) >= every);
    if is_due {
        *last = Some(now);
    }
    is_due
}

impl Desk<'_, '_> {
    fn see(&mut self, search: &mut Search, happening: Happening) -> ControlFlow<String> {
        let looked = match happening {
            Happening::Record(record) => {
                self.record(*record);
                None
            }
            Happening::Changed { at, change, status } => {
                let applied = Applied {
                    at,
                    load: change.load,
                    stage: status.stage.to_owned(),
                };
                self.put_down(&Entry::Change(applied));
                self.crowded = self.dials.in_flight.get() >= self.room;
                self.look(search, at, &status);
                Some(at)
            }
            Happening::Looked { at, status } => {
                self.judge_client(search, at);
                self.look(search, at, &status);
                Some(at)
            }
        };
        let flow = if self.journal_loss.is_some() {
            // What follows could not be told apart by a command that goes on: it ends here, with what is known.
            ControlFlow::Break("the journal cannot be written".to_owned())
        } else if self.stop.is_asked() {
            ControlFlow::Break("interrupted".to_owned())
        } else if let Some(lost) = &*self.dials.lost.borrow() {
            ControlFlow::Break(lost.clone())
        } else if let Some(at) = looked {
            self.show(search, at)
        } else {
            ControlFlow::Continue(())
        };
        self.is_broken_off |= flow.is_break();
        flow
    }

    /// Lets whoever watches look at the search.
    fn show(&mut self, search: &mut Search, at: Nanos) -> ControlFlow<String> {
        let flow = (self.onlooker)(search, self.ledger.spent(at).time);
        self.is_broken_off |= flow.is_break();
        flow
    }

    fn record(&mut self, mut record: RequestRecord) {
        self.ledger.record(&record);
        if let Some(tally) = &mut self.tally {
            tally.add(&record);
        }
        record.index += self.first_item;
        self.writer.write(record);
    }

    fn put_down(&mut self, entry: &Entry) {
        if let Err(error) = self.journal.add(entry) {
            self.journal_loss
                .get_or_insert_with(|| format!("the journal cannot be written: {error}"));
        }
    }

    fn look(&mut self, search: &Search, at: Nanos, status: &Status) {
        self.now = at;
        self.sync(search, status.stage);
        self.put_down_answers(search);
        self.tell_loss();
        if is_due(&mut self.told, self.clock.now(), REPORT_EVERY) {
            self.tell_tally();
            let progress = self.progress(search, at, status);
            (self.each)(Event::Search(Box::new(progress)));
        }
        if is_due(&mut self.pulsed, at, PULSE_EVERY) {
            let progress = self.progress(search, at, status);
            (self.each)(Event::SearchPulse(Box::new(progress)));
        }
    }

    fn progress(&self, search: &Search, at: Nanos, status: &Status) -> SearchProgress {
        let spent = self.ledger.spent(at);
        let open = search.answers().iter().position(Option::is_none);
        SearchProgress {
            elapsed: spent.time,
            variable: self.question.variable,
            status: status.clone(),
            verdict: self.ledger.verdict(open.unwrap_or_default(), at),
            ended: spent.requests,
            failed: spent.failed,
            in_flight: self.dials.in_flight.get(),
            budget_spent: spent.share_of(&self.question.budget),
        }
    }

    fn tell_tally(&mut self) {
        if let Some(tally) = &self.tally {
            (self.each)(Event::Tally(Box::new(tally.clone())));
        }
    }

    fn sync(&mut self, search: &Search, stage: &str) {
        for dwelt in self.ledger.sync(search.spans(), stage) {
            self.put_down(&Entry::Dwell(dwelt));
        }
    }

    fn put_down_answers(&mut self, search: &Search) {
        for (group, answer) in search.settled() {
            if self.answered.insert(group) {
                self.put_down(&Entry::Answer(Box::new(Answered {
                    group: group as u32,
                    answer: answer.clone(),
                })));
            }
        }
    }

    /// A load at which the client was the bottleneck says nothing of the service.
    fn judge_client(&mut self, search: &mut Search, at: Nanos) {
        self.watch.take(self.dials.health.take());
        let Some(present) = self.ledger.present() else {
            return;
        };
        let in_flight = self.dials.in_flight.get();
        let reason = if in_flight >= self.room && !self.crowded {
            self.crowded = true;
            Some(format!(
                "{in_flight} requests were in flight, and the system lets a process have no more connections"
            ))
        } else {
            self.watch.judge(at, present)
        };
        let Some(reason) = reason else { return };
        search.void(&reason);
        (self.each)(Event::Note(format!(
            "the client was the bottleneck, this load does not count: {reason}"
        )));
        if let Some(dwelt) = self.ledger.void(&reason) {
            self.put_down(&Entry::Dwell(dwelt));
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

    /// The search is over: what ends from now on is of no dwell's time.
    fn end(&mut self, search: &mut Search, now: Nanos) {
        self.now = now;
        self.sync(search, "");
        self.put_down_answers(search);
        if !self.is_broken_off {
            // Nothing is left that could be broken off.
            let _ = self.show(search, now);
        }
        self.ledger.count(search.arrived());
        if let Some(dwelt) = self.ledger.end(now) {
            self.put_down(&Entry::Dwell(dwelt));
        }
    }

    fn close(mut self, search: &Search) -> SearchOutcome {
        self.tell_tally();
        let interrupted = self.stop.is_asked();
        if !interrupted {
            self.put_down(&Entry::End {
                at: self.now,
                drained: self.unended == 0,
            });
        }
        self.watch.take(self.dials.health.take());
        let answers = search.answers().into_iter();
        let answers = answers.map(|answer| answer.cloned().unwrap_or_else(open_answer));
        let tried = self.ledger.tried(self.now);
        let health = self.watch.total();
        if let Some(client) = client(&tried, &health) {
            self.writer.note(CLIENT, &client);
        }
        self.writer.note(INTERRUPTED, &interrupted.into());
        let database_loss = self
            .writer
            .finish()
            .err()
            .map(|error| format!("requests are missing from the database: {error}"));
        SearchOutcome {
            answers: answers
                .map(|answer| as_asked(answer, self.question, self.asked))
                .collect(),
            tried,
            dwells: self.ledger.dwells(self.now),
            began: self.ledger.began(),
            spent: self.ledger.spent(self.now),
            health,
            interrupted,
            loss: self
                .journal_loss
                .or(database_loss)
                .or(self.dials.lost.take()),
        }
    }
}

/// What the client observed of itself, over all loads.
fn client(tried: &[Tried], health: &ClientHealth) -> Option<Value> {
    let runs = tried.iter().flat_map(|tried| &tried.runs).cloned();
    let all = runs.reduce(|mut all, run| {
        all.merge(run);
        all
    })?;
    Some(client_health::health(health, &all))
}
