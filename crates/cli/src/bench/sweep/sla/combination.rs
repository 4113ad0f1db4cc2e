//! What is looked for on one server with one benchmark: all SLAs, with their files.
//!
//! How loads are chosen is for `crest`; which servers there are is for the command.

use std::fs;
use std::path::PathBuf;

use crestline_core::search::Answer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::course::{Course, Halt, Kind, Task, remove};
use super::super::fingerprint::Fingerprint;
use super::super::layout;
use super::super::plan::{Cell, ServerCells};
use super::super::results::{self, Origin};
use super::super::server::Host;
use super::super::shown;
use super::answers::{self, Found};
use super::crest::CrestSearch;
use super::documents::{self, LoadDocument};
use super::gpus;
use super::plan::SlaSweep;
use crate::console;
use crate::problem::Problem;

/// One server with one benchmark.
#[derive(Debug)]
pub(crate) struct Combined<'a> {
    sla: &'a SlaSweep,
    pub(crate) server: &'a ServerCells,
    cell: &'a Cell,
    fingerprint: Fingerprint,
    search: CrestSearch,
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

#[derive(Debug, Serialize, Deserialize)]
struct KeptAnswer {
    answer: Answer,
    tokens_per_s: Option<f64>,
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
        let bench = &sla.sweep.bench;
        let folder = layout::beside(&sla.sweep.experiment, "searches", &cell.folder);
        let command = sla.with_percentiles(&cell.command);
        let search = CrestSearch::prepare(&bench.command_of_run(&command, &folder), sla, folder)?;
        Ok(Self {
            fingerprint: Fingerprint::of(&server.command, &command, bench.client),
            sla,
            server,
            cell,
            search,
        })
    }

    /// What an earlier command has found, where that was looked for in the same way.
    pub(crate) fn find(&self) -> Result<Option<AllFound>, Problem> {
        let Some(kept) = results::read(&self.kept())? else {
            return Ok(None);
        };
        let Ok(kept) = serde_json::from_value::<Kept>(kept) else {
            return Ok(None);
        };
        let fits = self
            .fingerprint
            .misfit(Some(&kept.fingerprint.into()))
            .is_none()
            && kept.question == json!(self.search.question());
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

    /// Looks for the loads on a server that is up; `None` where that failed and the rest goes on.
    pub(crate) fn search(
        &self,
        course: &mut Course<'_>,
        host: &mut Host,
    ) -> Result<Option<AllFound>, Halt> {
        console::say(&self.begins());
        self.clear()?;
        let searched = host.during(&course.stop, |stop| self.search.run(stop));
        let searched = searched.and_then(|searched| {
            searched.map_err(|problem| Halt::Failed(Kind::Benchmark, problem))
        });
        let searched = match searched {
            Ok(searched) if searched.outcome.interrupted => return Err(Halt::Interrupted),
            Ok(searched) => searched,
            Err(Halt::Failed(kind, problem)) => {
                course.run_failed(&self.task(), kind, problem)?;
                return Ok(None);
            }
            Err(halt) => return Err(halt),
        };
        let documents = documents::of(&searched, self.sla.counted_in())?;
        let rows = self.write_loads(&documents)?;
        let mut all = AllFound::default();
        for (place, answer) in searched.outcome.answers.iter().enumerate() {
            let tokens_per_s = answer
                .load
                .and_then(|load| documents::tokens_at(&documents, load));
            let found = self.found(place, answer.clone(), tokens_per_s);
            all.rows.extend(self.write_sla(place, &found, &rows)?);
            console::say(&self.concludes(&found));
            all.answers.push(found);
        }
        self.keep(&all)?;
        remove(&layout::run_failure(&self.cell.folder, 0))?;
        console::say("[SLA END]");
        host.reset(&course.stop)?;
        Ok(Some(all))
    }

    /// Keeps what an earlier command left of this very search, and puts anything else out of the way.
    fn clear(&self) -> Result<(), Problem> {
        let (folder, made_by) = (self.search.folder(), self.made_by());
        let own = json!({
            "fingerprint": self.fingerprint.to_string(),
            "question": self.search.question(),
        });
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
        for load in self.load_folders() {
            results::put_aside(&load, &aside)?;
        }
        results::write(&made_by, &own)
    }

    /// Of loads that were tried before.
    fn load_folders(&self) -> Vec<PathBuf> {
        let begin = format!("{}=", self.sla.variable.name());
        let entries = fs::read_dir(&self.cell.folder).into_iter().flatten();
        let names = entries.filter_map(Result::ok).filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(&begin)
        });
        let mut folders: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    }

    /// A result for each load, as whole runs have them.
    fn write_loads(&self, documents: &[LoadDocument]) -> Result<Vec<Value>, Problem> {
        let mut rows = Vec::new();
        for LoadDocument { load, document } in documents {
            let row = self.origin().stamp(Value::Object(document.clone()));
            let folder = self.load_folder(*load);
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

    /// Puts the answers down, for a command that goes on.
    fn keep(&self, all: &AllFound) -> Result<(), Problem> {
        let answers = all.answers.iter().map(|found| KeptAnswer {
            answer: found.answer.clone(),
            tokens_per_s: found.tokens_per_s,
        });
        let kept = Kept {
            fingerprint: self.fingerprint.to_string(),
            question: json!(self.search.question()),
            answers: answers.collect(),
        };
        results::write(&self.kept(), &json!(kept))
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

    fn task(&self) -> Task<'_> {
        Task {
            origin: self.origin(),
            command: &self.cell.command,
            folder: &self.cell.folder,
        }
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            number: 0,
            serve: &self.server.parameters,
            bench: &self.cell.parameters,
            fingerprint: &self.fingerprint,
        }
    }

    fn made_by(&self) -> PathBuf {
        self.search.folder().join("made_by.json")
    }

    fn kept(&self) -> PathBuf {
        self.search.folder().join("answers.json")
    }

    fn load_folder(&self, load: f64) -> PathBuf {
        let name = self.sla.variable.name();
        self.cell
            .folder
            .join(format!("{name}={}", documents::text(load)))
    }

    fn sla_file(&self, place: usize) -> PathBuf {
        layout::sla(&self.cell.folder, &self.sla.slas[place].label())
    }

    fn begins(&self) -> String {
        let criteria = self.sla.slas.iter();
        let criteria: Vec<String> = criteria
            .map(|sla| format!("SLA criteria: {}", sla.shown()))
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
        console::say(&self.begins());
        console::say("Found existing results.");
        for found in &all.answers {
            console::say(&self.concludes(found));
        }
        console::say("[SLA END]");
    }

    /// What would be done.
    pub(crate) fn shown(&self, sla: &SlaSweep) -> String {
        format!(
            "{}\nTesting {}: {} and others\nBenchmark command: {}\nOutput folder: {}\n[SLA END]",
            self.begins(),
            sla.variable.name(),
            documents::text(sla.first()),
            shown::command(&sla.with_percentiles(&self.cell.command)),
            self.cell.folder.display()
        )
    }
}
