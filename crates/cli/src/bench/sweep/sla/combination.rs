//! What is looked for on one server with one benchmark: all SLAs, with their files.
//!
//! How loads are chosen is for `crest` and `pchip`; which servers there are is for the command.

use std::ops::ControlFlow;
use std::path::PathBuf;

use crestline_core::search::{Answer, Budget, Question, Search};
use crestline_core::units::Nanos;
use crestline_experiment::search::Watch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::bench_command::{Client, command_of_run};
use super::super::course::{Course, Halt, Kind, Task, remove};
use super::super::fingerprint::Fingerprint;
use super::super::layout;
use super::super::plan::{Cell, ServerCells};
use super::super::results::{self, Origin};
use super::super::server::Host;
use super::super::shown;
use super::answers::{self, Found};
use super::crest::{self, CrestSearch, Searched};
use super::documents::{self, LoadDocument};
use super::gpus;
use super::pchip::Points;
use super::plan::{Method, SlaSweep};
use super::replayed::{self, Bench, Replayed};
use super::runs::{self, LoadRuns};
use crate::console;
use crate::problem::Problem;

/// One server with one benchmark.
#[derive(Debug)]
pub(crate) struct Combined<'a> {
    sla: &'a SlaSweep,
    pub(crate) server: &'a ServerCells,
    cell: &'a Cell,
    way: Way,
}

/// How loads are looked for.
#[derive(Debug)]
enum Way {
    /// One session.
    Session(Box<Session>),
    /// The same search over whole runs of another program.
    Replayed(Box<Question>),
    /// Separate runs, judged as a whole.
    Runs,
}

/// A session, and what it was made with.
#[derive(Debug)]
struct Session {
    search: CrestSearch,
    fingerprint: Fingerprint,
}

/// All answers of a combination, and the rows of the runs that they rest on.
#[derive(Debug, Default)]
pub(crate) struct AllFound {
    pub(crate) answers: Vec<Found>,
    pub(crate) rows: Vec<Value>,
}

/// The answers as they are kept for a command that goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    fingerprint: String,
    question: Value,
    answers: Vec<KeptAnswer>,
}

/// An answer, and the output tokens a second at its load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptAnswer {
    pub(super) answer: Answer,
    pub(super) tokens_per_s: Option<f64>,
}

/// What a session came to so far.
#[derive(Debug)]
pub(super) struct Turned {
    /// One for each SLA.
    pub(super) answers: Vec<KeptAnswer>,
    /// Time of load, that of earlier turns included.
    pub(super) spent: Nanos,
}

impl<'a> Combined<'a> {
    /// All combinations, those of each server together. Refuses what can be refused before anything is started.
    pub(crate) fn all(sla: &'a SlaSweep) -> Result<Vec<Vec<Self>>, Problem> {
        let of_server = |server: &'a ServerCells| {
            let cells = server.cells.iter();
            cells.map(|cell| Self::of(sla, server, cell)).collect()
        };
        sla.sweep.servers.iter().map(of_server).collect()
    }

    fn of(sla: &'a SlaSweep, server: &'a ServerCells, cell: &'a Cell) -> Result<Self, Problem> {
        let way = match sla.method {
            Method::Crest { .. } if sla.sweep.bench.client == Client::Program => {
                Way::Replayed(Box::new(crest::question(sla)))
            }
            Method::Crest { .. } => Way::Session(Box::new(Session::prepare(sla, server, cell)?)),
            Method::Pchip => Way::Runs,
        };
        Ok(Self {
            sla,
            server,
            cell,
            way,
        })
    }

    /// What an earlier command has found, where that was looked for in the same way.
    pub(crate) fn find(&self) -> Result<Option<AllFound>, Problem> {
        match &self.way {
            Way::Session(session) => self.found_by(session),
            Way::Replayed(question) => {
                let replayed = replayed::search(self.runs(), question, None);
                match replayed {
                    Ok(Some(replayed)) => self.put_replayed(&replayed).map(Some),
                    Ok(None) | Err(Halt::Interrupted) => Ok(None),
                    Err(Halt::Failed(_, problem)) => Err(problem),
                }
            }
            Way::Runs => self.found_in_runs(),
        }
    }

    /// Looks for the loads on a server that is up; `None` where that failed and the rest goes on.
    pub(crate) fn search(
        &self,
        course: &mut Course<'_>,
        host: &mut Host,
    ) -> Result<Option<AllFound>, Halt> {
        match &self.way {
            Way::Session(session) => self.search_by(session, course, host),
            Way::Replayed(question) => self.search_replayed(question, Bench { course, host }),
            Way::Runs => self.search_by_runs(course, host),
        }
    }

    fn search_replayed(
        &self,
        question: &Question,
        bench: Bench<'_, '_>,
    ) -> Result<Option<AllFound>, Halt> {
        console::say(&self.begins(&self.places()));
        let Some(replayed) = replayed::search(self.runs(), question, Some(bench))? else {
            return Ok(None);
        };
        let all = self.put_replayed(&replayed)?;
        for found in &all.answers {
            console::say(&self.concludes(found));
        }
        console::say("[SLA END]");
        Ok(Some(all))
    }

    fn put_replayed(&self, replayed: &Replayed) -> Result<AllFound, Problem> {
        let rows = replayed.rows();
        let mut all = AllFound::default();
        for (place, answer) in replayed.answers.iter().enumerate() {
            let tokens_per_s = answer.load.and_then(|load| replayed.tokens_at(load));
            let found = self.found(place, answer.clone(), tokens_per_s);
            all.rows.extend(self.write_sla(place, &found, &rows)?);
            all.answers.push(found);
        }
        Ok(all)
    }

    fn runs(&self) -> LoadRuns<'_> {
        LoadRuns {
            sla: self.sla,
            server: self.server,
            cell: self.cell,
        }
    }

    fn found_in_runs(&self) -> Result<Option<AllFound>, Problem> {
        let points = Points::of(self.runs())?;
        let mut all = AllFound::default();
        for place in 0..self.sla.slas.len() {
            let Some(concluded) = points.concluded(&self.sla.slas[place])? else {
                return Ok(None);
            };
            let found = self.found(place, concluded.answer, concluded.tokens_per_s);
            all.rows
                .extend(self.write_sla(place, &found, &points.rows())?);
            all.answers.push(found);
        }
        Ok(Some(all))
    }

    fn search_by_runs(
        &self,
        course: &mut Course<'_>,
        host: &mut Host,
    ) -> Result<Option<AllFound>, Halt> {
        let mut points = Points::of(self.runs())?;
        self.runs().warm_up(course, host)?;
        let mut all = AllFound::default();
        for (place, sla) in self.sla.slas.iter().enumerate() {
            console::say(&self.begins(&[place]));
            let Some(concluded) = points.look_for(sla, course, host)? else {
                return Ok(None);
            };
            let found = self.found(place, concluded.answer, concluded.tokens_per_s);
            all.rows
                .extend(self.write_sla(place, &found, &points.rows())?);
            console::say(&answers::conclusion(&found, self.sla));
            console::say("[SLA END]");
            all.answers.push(found);
        }
        Ok(Some(all))
    }

    fn found_by(&self, session: &Session) -> Result<Option<AllFound>, Problem> {
        let Some(kept) = results::read(&session.kept())? else {
            return Ok(None);
        };
        let Ok(kept) = serde_json::from_value::<Kept>(kept) else {
            return Ok(None);
        };
        let fits = kept.fingerprint == session.fingerprint.to_string()
            && kept.question == json!(session.search.question());
        if !fits || kept.answers.len() != self.sla.slas.len() {
            return Ok(None);
        }
        let mut all = AllFound::default();
        for (place, kept) in kept.answers.into_iter().enumerate() {
            let Some(Value::Array(rows)) = results::read(&self.sla_file(place))? else {
                return Ok(None);
            };
            all.rows.extend(rows);
            all.answers
                .push(self.found(place, kept.answer, kept.tokens_per_s));
        }
        Ok(Some(all))
    }

    fn search_by(
        &self,
        session: &Session,
        course: &mut Course<'_>,
        host: &mut Host,
    ) -> Result<Option<AllFound>, Halt> {
        console::say(&self.begins(&self.places()));
        let all_of_it = &mut |_: &mut Search, _| ControlFlow::Continue(());
        let Some(searched) = self.session_on(session, course, host, all_of_it)? else {
            return Ok(None);
        };
        let all = self.put_down(session, &searched)?;
        for found in &all.answers {
            console::say(&self.concludes(found));
        }
        session.keep(&all)?;
        console::say("[SLA END]");
        host.reset(&course.stop)?;
        Ok(Some(all))
    }

    /// A session that goes on until it is done, or is ended by `watch`; `None` where it failed and the rest goes on.
    fn session_on(
        &self,
        session: &Session,
        course: &mut Course<'_>,
        host: &mut Host,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Searched>, Halt> {
        self.clear(session)?;
        let searched = host.during(&course.stop, |stop| session.search.run(stop, watch));
        let searched = searched.and_then(|searched| {
            searched.map_err(|problem| Halt::Failed(Kind::Benchmark, problem))
        });
        match searched {
            Ok(searched) if searched.outcome.interrupted => Err(Halt::Interrupted),
            Ok(searched) => Ok(Some(searched)),
            Err(Halt::Failed(kind, problem)) => {
                course.run_failed(&self.task(session), kind, problem)?;
                Ok(None)
            }
            Err(halt) => Err(halt),
        }
    }

    /// Writes what a session came to so far.
    fn put_down(&self, session: &Session, searched: &Searched) -> Result<AllFound, Halt> {
        let documents = documents::of(searched, self.sla.counted_in())?;
        let rows = self.write_loads(session, &documents)?;
        let mut all = AllFound::default();
        for (place, answer) in searched.outcome.answers.iter().enumerate() {
            let tokens_per_s = answer
                .load
                .and_then(|load| documents::tokens_at(&documents, load));
            let found = self.found(place, answer.clone(), tokens_per_s);
            all.rows.extend(self.write_sla(place, &found, &rows)?);
            all.answers.push(found);
        }
        remove(&layout::run_failure(&self.cell.folder, 0))?;
        Ok(all)
    }

    /// A session that goes on for a turn, with its files; `None` where it failed and the rest goes on.
    pub(super) fn turn(
        &self,
        course: &mut Course<'_>,
        host: &mut Host,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Turned>, Halt> {
        let Way::Session(session) = &self.way else {
            unreachable!("a race is refused where there are no sessions");
        };
        console::say(&self.begins(&self.places()));
        let Some(searched) = self.session_on(session, course, host, watch)? else {
            return Ok(None);
        };
        let all = self.put_down(session, &searched)?;
        console::say("[SLA END]");
        host.reset(&course.stop)?;
        Ok(Some(Turned {
            answers: kept(&all),
            spent: searched.outcome.spent.time,
        }))
    }

    /// What a session is made of: one that is made otherwise is another one.
    pub(super) fn identity(&self) -> Value {
        match &self.way {
            Way::Session(session) => session.identity(),
            Way::Replayed(_) | Way::Runs => Value::Null,
        }
    }

    /// Puts an answer into the files of its session. Gives its rows; none where the session never ran.
    pub(super) fn amended(
        &self,
        place: usize,
        kept: KeptAnswer,
    ) -> Result<(Found, Vec<Value>), Problem> {
        let found = self.found(place, kept.answer, kept.tokens_per_s);
        let rows = match results::read(&self.sla_file(place))? {
            Some(Value::Array(rows)) => self.write_sla(place, &found, &rows)?,
            _ => Vec::new(),
        };
        Ok((found, rows))
    }

    /// Keeps the answers of a session for commands that go on.
    pub(super) fn keep(&self, all: &AllFound) -> Result<(), Problem> {
        match &self.way {
            Way::Session(session) => session.keep(all),
            Way::Replayed(_) | Way::Runs => Ok(()),
        }
    }

    /// The benchmark's parameters, as they are called.
    pub(super) fn bench(&self) -> String {
        self.cell.parameters.name()
    }

    /// Keeps what an earlier command left of this very search, and puts anything else out of the way.
    fn clear(&self, session: &Session) -> Result<(), Problem> {
        let (folder, made_by) = (session.search.folder(), session.made_by());
        let own = session.identity();
        if results::read(&made_by)?.is_some_and(|found| found == own) {
            return Ok(());
        }
        let experiment = &self.sla.sweep.experiment;
        let aside = layout::replaced(experiment, &self.cell.folder);
        if folder.exists() {
            let moved = results::put_aside(folder, &aside)?;
            console::tell(&format!(
                "note: the search in {} was made otherwise, and is not used; it is now {}",
                folder.display(),
                moved.display()
            ));
        }
        for load in runs::load_folders(self.cell, self.sla.variable.name()) {
            results::put_aside(&load, &aside)?;
        }
        results::write(&made_by, &own)
    }

    /// A result for each load, as whole runs have them.
    fn write_loads(
        &self,
        session: &Session,
        documents: &[LoadDocument],
    ) -> Result<Vec<Value>, Problem> {
        let mut rows = Vec::new();
        for LoadDocument { load, document } in documents {
            let name = self.sla.variable.name();
            let mut document = document.clone();
            document.insert(name.to_owned(), documents::number(*load));
            let row = self.task(session).origin.stamp(Value::Object(document));
            let folder = runs::load_folder(self.cell, name, *load);
            results::write(&layout::run(&folder, 0), &row)?;
            results::write(&layout::summary(&folder), &json!([row]))?;
            rows.push(row);
        }
        Ok(rows)
    }

    /// The records of one SLA, each with the answer.
    fn write_sla(
        &self,
        place: usize,
        found: &Found,
        rows: &[Value],
    ) -> Result<Vec<Value>, Problem> {
        let answer = answers::json(found, self.sla);
        let with_answer = |row: &Value| {
            let mut row = row.clone();
            row["crestline_sla"] = answer.clone();
            row
        };
        let rows: Vec<Value> = rows.iter().map(with_answer).collect();
        results::write(&self.sla_file(place), &Value::Array(rows.clone()))?;
        Ok(rows)
    }

    fn found(&self, place: usize, answer: Answer, tokens_per_s: Option<f64>) -> Found {
        Found {
            serve: self.server.parameters.name(),
            bench: self.cell.parameters.name(),
            sla: self.sla.slas[place].clone(),
            gpus: gpus::of(&self.server.command, &self.sla.aliases),
            answer,
            tokens_per_s,
        }
    }

    fn task<'b>(&'b self, session: &'b Session) -> Task<'b> {
        Task {
            origin: Origin {
                number: 0,
                serve: &self.server.parameters,
                bench: &self.cell.parameters,
                fingerprint: &session.fingerprint,
            },
            command: &self.cell.command,
            folder: &self.cell.folder,
        }
    }

    fn places(&self) -> Vec<usize> {
        (0..self.sla.slas.len()).collect()
    }

    fn sla_file(&self, place: usize) -> PathBuf {
        layout::sla(&self.cell.folder, &self.sla.slas[place].label())
    }

    /// The lines before a search for these SLAs.
    fn begins(&self, places: &[usize]) -> String {
        let criteria: Vec<String> = places
            .iter()
            .map(|place| format!("SLA criteria: {}", self.sla.slas[*place].shown()))
            .collect();
        format!(
            "[SLA START]\nBenchmark overrides: {}\n{}",
            shown::parameters(&self.cell.parameters),
            criteria.join("\n")
        )
    }

    fn concludes(&self, found: &Found) -> String {
        format!(
            "SLA criteria: {}\n{}",
            found.sla.shown(),
            answers::conclusion(found, self.sla)
        )
    }

    /// The lines of what an earlier command has found.
    pub(crate) fn say_found(&self, all: &AllFound) {
        console::say(&self.begins(&self.places()));
        console::say("Found existing results.");
        for found in &all.answers {
            console::say(&self.concludes(found));
        }
        console::say("[SLA END]");
    }

    /// What would be done.
    pub(crate) fn shown(&self) -> String {
        let first = match self.sla.method {
            Method::Crest { .. } => self.sla.first(),
            Method::Pchip => self.sla.bounds.highest,
        };
        format!(
            "{}\nTesting {}: {} first\n{}\n[SLA END]",
            self.begins(&self.places()),
            self.sla.variable.name(),
            documents::text(first),
            self.runs().shown(first)
        )
    }
}

impl Session {
    fn prepare(sla: &SlaSweep, server: &ServerCells, cell: &Cell) -> Result<Self, Problem> {
        let bench = &sla.sweep.bench;
        let folder = layout::beside(&sla.sweep.experiment, layout::SEARCHES, &cell.folder);
        let command = sla.with_percentiles(&cell.command);
        Ok(Self {
            search: CrestSearch::prepare(&command_of_run(&command, &folder), sla, folder)?,
            fingerprint: Fingerprint::of(&server.command, &command, bench.client),
        })
    }

    /// What it is made of; what it may spend can be raised.
    fn identity(&self) -> Value {
        let question = Question {
            budget: Budget::default(),
            ..self.search.question().clone()
        };
        json!({
            "fingerprint": self.fingerprint.to_string(),
            "question": question,
        })
    }

    fn made_by(&self) -> PathBuf {
        self.search.folder().join("made_by.json")
    }

    fn kept(&self) -> PathBuf {
        self.search.folder().join("answers.json")
    }

    /// Puts the answers down, for a command that goes on.
    fn keep(&self, all: &AllFound) -> Result<(), Problem> {
        let kept = Kept {
            fingerprint: self.fingerprint.to_string(),
            question: json!(self.search.question()),
            answers: kept(all),
        };
        results::write(&self.kept(), &json!(kept))
    }
}

fn kept(all: &AllFound) -> Vec<KeptAnswer> {
    let answers = all.answers.iter();
    answers
        .map(|found| KeptAnswer {
            answer: found.answer.clone(),
            tokens_per_s: found.tokens_per_s,
        })
        .collect()
}
