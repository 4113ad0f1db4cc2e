//! What becomes of each piece of news in MLflow.
//!
//! The command is a run; each of its loads is a run nested in it, so that MLflow's own comparisons and plots are over loads.
//! Live points are metrics `live/…` of the command's run; final values are metrics of the load's run under their names, and of
//! the command's run as `final/…`, where the step is the number of the load. Percentiles and answers are tables among the files.

use std::fs;
use std::path::PathBuf;

use crestline_core::units::Nanos;
use crestline_load::background::step_back;
use crestline_load::clock;
use serde_json::{Value, json};

use super::names;
use super::server::{METRICS, Point, Run, RunStatus, Server, ServerError};
use crate::track::told::{
    Answer, AnswerRow, Artifact, Begin, Client, End, Live, LoadDone, Status, Table, Told, Varied,
};
use crate::track::tracker::{Sink, SinkError};

/// Under which name the page of a run finds its tables.
const TABLES: &str = "mlflow.loggedArtifacts";

/// A run that is told of.
pub(super) struct Book {
    server: Server,
    run: Run,
    /// When the run began, in Unix time.
    began: Nanos,
    is_placed: bool,
    lost: Lost,
}

/// What was not delivered of a batch.
#[derive(Default)]
struct Lost {
    pieces: u64,
    why: Option<String>,
}

type Tags = Vec<(String, String)>;

/// By what a run is found again.
pub(super) fn tags(begin: &Begin) -> Tags {
    let own = begin.tags.iter();
    let own = own.map(|(name, value)| (format!("crestline.{name}"), names::tag(value)));
    let folder = begin.folder.display().to_string();
    let mut tags: Tags = own.collect();
    tags.push(("crestline.folder".to_owned(), names::tag(&folder)));
    tags.push(("mlflow.source.name".to_owned(), "crestline".to_owned()));
    tags.push(("mlflow.source.type".to_owned(), "LOCAL".to_owned()));
    if let Ok(user) = std::env::var("USER") {
        tags.push(("mlflow.user".to_owned(), names::tag(&user)));
    }
    tags
}

impl Book {
    pub(super) fn new(server: Server, run: Run) -> Self {
        Self {
            server,
            run,
            began: clock::wall(),
            is_placed: false,
            lost: Lost::default(),
        }
    }

    /// Live points that follow each other go together.
    fn live(&mut self, lives: &[Live]) {
        let mut points = Vec::new();
        let mut pieces = 0;
        for live in lives {
            let more = live.values.len() + 1;
            if points.len() + more > METRICS {
                self.send_live(&std::mem::take(&mut points), pieces);
                pieces = 0;
            }
            points.extend(self.live_points(live));
            pieces += 1;
        }
        self.send_live(&points, pieces);
    }

    fn live_points(&self, live: &Live) -> Vec<Point> {
        let at = self.began.saturating_add(Nanos::from_secs_f64(live.time_s));
        let number = ("load_number".to_owned(), live.number as f64);
        let values = live.values.iter().cloned().chain([number]);
        values
            .filter(|(_, value)| value.is_finite())
            .take(METRICS)
            .map(|(name, value)| Point {
                key: format!("live/{}", names::metric(&name)),
                value,
                at,
                step: live.step,
            })
            .collect()
    }

    fn send_live(&mut self, points: &[Point], pieces: u64) {
        if points.is_empty() {
            return;
        }
        let sent = self.server.metrics(&self.run, points);
        self.note(sent, pieces);
    }

    fn load_done(&mut self, done: &LoadDone) -> Result<(), ServerError> {
        let now = clock::wall();
        let parent = self.run.clone();
        let finals: Vec<Point> = final_values(done)
            .map(|(name, value)| Point {
                key: format!("final/{name}"),
                value,
                at: now,
                step: done.number as u64,
            })
            .collect();
        for part in finals.chunks(METRICS) {
            self.server.metrics(&parent, part)?;
        }
        if let Client::Void(reasons) = &done.client {
            let tag = format!("crestline.void.{}", done.number);
            let why = names::tag(&reasons.join("; "));
            self.server.tags(&parent, &[(tag.clone(), why.clone())])?;
        }
        self.nested(done, now)
    }

    /// A run of the load's own.
    fn nested(&mut self, done: &LoadDone, now: Nanos) -> Result<(), ServerError> {
        let tags = load_tags(done, &self.run.id);
        let experiment = self.run.experiment.clone();
        let run = self.server.begin(&experiment, &done.load, &tags, now)?;
        self.server.params(&run, &load_params(done))?;
        let points: Vec<Point> = final_values(done)
            .map(|(name, value)| Point {
                key: name,
                value,
                at: now,
                step: 0,
            })
            .collect();
        for part in points.chunks(METRICS) {
            self.server.metrics(&run, part)?;
        }
        self.table(&run, "percentiles.json", &done.percentiles)?;
        let status = if done.interrupted {
            RunStatus::Killed
        } else {
            RunStatus::Finished
        };
        self.server.end(&run, status, now)
    }

    fn answer(&mut self, answer: &Answer) -> Result<(), ServerError> {
        let run = self.run.clone();
        let now = clock::wall();
        let mut tags = Tags::new();
        let mut points = Vec::new();
        for (position, row) in answer.rows.iter().enumerate() {
            let group = format!("sla.{}", position + 1);
            tags.extend(answer_tags(&group, row));
            points.extend(answer_values(row).map(|(name, value)| Point {
                key: format!("{group}/{name}"),
                value,
                at: now,
                step: 0,
            }));
        }
        self.server.tags(&run, &tags)?;
        for part in points.chunks(METRICS) {
            self.server.metrics(&run, part)?;
        }
        self.table(&run, "sla_answer.json", &answer_table(answer))
    }

    /// A table among the files of a run, which its page shows.
    fn table(&mut self, run: &Run, name: &str, table: &Table) -> Result<(), ServerError> {
        if self.server.artifacts(run).is_none() || table.rows.is_empty() {
            return Ok(());
        }
        let content = json!({"columns": table.columns, "data": table.rows}).to_string();
        self.server.put(run, name, content.as_bytes())?;
        let listed = json!([{"path": name, "type": "table"}]).to_string();
        {
            self.server
                .tags(run, &[(TABLES.to_owned(), listed.clone())])
        }
    }

    fn artifact(&mut self, artifact: &Artifact) -> Result<(), Undelivered> {
        if self.server.artifacts(&self.run).is_none() {
            return Ok(());
        }
        let content = fs::read(&artifact.path).map_err(|source| Undelivered::File {
            path: artifact.path.clone(),
            source,
        })?;
        let run = self.run.clone();
        Ok(self.server.put(&run, &artifact.name, &content)?)
    }

    fn end(&mut self, end: End) -> Result<(), ServerError> {
        let run = self.run.clone();
        let exit = ("crestline.exit_code".to_owned(), end.exit.to_string());
        self.server.tags(&run, std::slice::from_ref(&exit))?;
        let status = match end.status {
            Status::Done => RunStatus::Finished,
            Status::Failed => RunStatus::Failed,
            Status::Interrupted => RunStatus::Killed,
        };
        self.server.end(&run, status, clock::wall())
    }

    /// One piece that is told once.
    fn once(&mut self, told: &Told) -> Result<(), Undelivered> {
        match told {
            // The run has begun before anything else could be told.
            Told::Begin(_) | Told::Live(_) => Ok(()),
            Told::LoadDone(done) => Ok(self.load_done(done)?),
            Told::Answer(answer) => Ok(self.answer(answer)?),
            Told::Artifact(artifact) => self.artifact(artifact),
            Told::End(end) => Ok(self.end(*end)?),
        }
    }

    fn note<E: ToString>(&mut self, outcome: Result<(), E>, pieces: u64) {
        if let Err(error) = outcome {
            self.lost.pieces += pieces;
            self.lost.why = Some(error.to_string());
        }
    }
}

impl Sink for Book {
    fn take(&mut self, batch: Vec<Told>) -> Result<(), SinkError> {
        if !self.is_placed {
            self.is_placed = true;
            step_back();
        }
        let mut lives = Vec::new();
        for told in batch {
            if let Told::Live(live) = told {
                lives.push(live);
                continue;
            }
            self.live(&std::mem::take(&mut lives));
            let outcome = self.once(&told);
            self.note(outcome, 1);
        }
        self.live(&lives);
        let lost = std::mem::take(&mut self.lost);
        match lost.why {
            Some(why) => Err(SinkError::Lost {
                pieces: lost.pieces,
                why,
            }),
            None => Ok(()),
        }
    }
}

/// Why a piece was not delivered.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    /// The server did not take it.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A file that cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Names and values that are numbers, whether the client kept up among them, and what the load was.
fn final_values(done: &LoadDone) -> impl Iterator<Item = (String, f64)> + '_ {
    let is_sound = f64::from(u8::from(done.client == Client::Sound));
    let parallel = done.parallel.map(|limit| ("parallel", f64::from(limit)));
    let rate = done.rate.map(|rate| ("rate", rate));
    let own = [Some(("client_sound", is_sound)), parallel, rate];
    let own = own.into_iter().flatten();
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let values = done.values.iter();
    let values = values.map(|(name, value)| (names::metric(name), *value));
    values
        .chain(own)
        .filter(|(name, value)| !name.is_empty() && value.is_finite())
}

fn load_tags(done: &LoadDone, parent: &str) -> Tags {
    let client = match &done.client {
        Client::Sound => "sound".to_owned(),
        Client::Void(reasons) => format!("void: {}", reasons.join("; ")),
    };
    [
        ("mlflow.parentRunId", parent.to_owned()),
        ("mlflow.source.name", "crestline".to_owned()),
        ("crestline.load", done.load.clone()),
        ("crestline.key", done.key.clone()),
        ("crestline.client", client),
    ]
    .map(|(name, value)| (name.to_owned(), names::tag(&value)))
    .to_vec()
}

fn load_params(done: &LoadDone) -> Tags {
    let parallel = done.parallel.map(|limit| ("parallel", limit.to_string()));
    let rate = done.rate.map(|rate| ("rate", rate.to_string()));
    let number = Some(("load_number", done.number.to_string()));
    let params = [parallel, rate, number].into_iter().flatten();
    params
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn answer_tags(group: &str, row: &AnswerRow) -> Tags {
    let texts = [
        ("criteria", Some(&row.criteria)),
        ("status", Some(&row.status)),
        ("binding", row.binding.as_ref()),
        ("reason", Some(&row.reason)),
    ];
    let tags = texts.into_iter().filter_map(|(name, text)| {
        let text = text.filter(|text| !text.is_empty())?;
        Some((format!("{group}.{name}"), names::tag(text)))
    });
    tags.collect()
}

fn answer_values(row: &AnswerRow) -> impl Iterator<Item = (&'static str, f64)> {
    let values = [
        ("max_satisfied", row.max_satisfied),
        ("low", row.low),
        ("high", row.high),
        ("probability", row.probability),
        ("requests", Some(row.requests as f64)),
    ];
    let known = values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    known.filter(|(_, value)| value.is_finite())
}

fn answer_table(answer: &Answer) -> Table {
    let columns = [
        "criteria",
        "variable",
        "status",
        "max_satisfied",
        "low",
        "high",
        "probability",
        "binding",
        "requests",
        "reason",
    ];
    let row = |row: &AnswerRow| -> Vec<Value> {
        let variable = match row.variable {
            Varied::Parallel => "parallel",
            Varied::Rate => "rate",
        };
        vec![
            json!(row.criteria),
            json!(variable),
            json!(row.status),
            json!(row.max_satisfied),
            json!(row.low),
            json!(row.high),
            json!(row.probability),
            json!(row.binding),
            json!(row.requests),
            json!(row.reason),
        ]
    };
    Table {
        columns: columns.map(str::to_owned).to_vec(),
        rows: answer.rows.iter().map(row).collect(),
    }
}
