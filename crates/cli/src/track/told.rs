//! What a tracker is told of a measurement: plain data in the measurement's own words, whoever the tracker is.
//!
//! Knows no tracker. As JSON each is an object with its kind under `told`.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub(crate) enum Told {
    /// The command begins; the first that is told.
    Begin(Begin),
    /// How a load goes, once a second of the run's own clock. The only kind of which some may be missing.
    Live(Live),
    /// A load has ended.
    LoadDone(LoadDone),
    /// A search has ended.
    Answer(Answer),
    /// A file was written and will not change any more.
    Artifact(Artifact),
    /// The command ends; the last that is told.
    End(End),
}

/// What is going to be measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Begin {
    /// What runs that belong together are filed under, unless a variable of the tracker's says otherwise.
    pub(crate) project: String,
    /// The run's own name.
    pub(crate) name: String,
    /// Where its files go; it exists.
    pub(crate) folder: PathBuf,
    /// What the final values of loads are laid along.
    pub(crate) varied: Varied,
    /// How the measurement is set up, in the order of the results' file of arguments; secrets are masked.
    pub(crate) config: Map<String, Value>,
    /// Names and values by which runs are found again.
    pub(crate) tags: Vec<(String, String)>,
}

/// What differs between loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Varied {
    /// Requests in flight.
    Parallel,
    /// Requests a second.
    Rate,
}

/// How a load goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Live {
    /// From 0, one more for each of these in the whole command.
    pub(crate) step: u64,
    /// Seconds of load in the whole command so far, on the run's own clock; pauses do not count.
    pub(crate) time_s: f64,
    /// Seconds since this load began, on the run's own clock.
    pub(crate) elapsed_s: f64,
    /// Which load it is, as tables name it.
    pub(crate) load: String,
    /// Position of the load in the command, from 1; a search is one.
    pub(crate) number: usize,
    /// Names, which end in their unit, and values. Counts are since the load began, rates of the last second.
    pub(crate) values: Vec<(String, f64)>,
}

/// What came of a load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LoadDone {
    /// Which load it is, as tables name it.
    pub(crate) load: String,
    /// Name of its folder of results, or of the load itself where it has none: unlike any other in the command.
    pub(crate) key: String,
    /// Position in the command, from 1.
    pub(crate) number: usize,
    /// Highest number of requests in flight, where that was limited.
    pub(crate) parallel: Option<u32>,
    /// Requests that were to be sent a second, where that was given.
    pub(crate) rate: Option<f64>,
    /// What the summary's file holds in numbers: its keys and values, those of objects with a dot between the names.
    pub(crate) values: Vec<(String, f64)>,
    /// A row a percentile.
    pub(crate) percentiles: Table,
    /// What the client observed of itself.
    pub(crate) client: Client,
    /// It was ended before all of its requests were sent and answered.
    pub(crate) interrupted: bool,
}

/// Whether the figures are the service's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", content = "reasons", rename_all = "snake_case")]
pub(crate) enum Client {
    /// The client kept up.
    Sound,
    /// It was the bottleneck, for these reasons: the figures say nothing of the service.
    Void(Vec<String>),
}

/// Rows under names of columns; a cell is a text, a number or null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Table {
    /// One a column.
    pub(crate) columns: Vec<String>,
    /// Each as long as `columns`.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Answer {
    /// One a group of criteria.
    pub(crate) rows: Vec<AnswerRow>,
}

/// The answer for one group of criteria.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AnswerRow {
    /// The group, as it was asked for.
    pub(crate) criteria: String,
    /// What was varied.
    pub(crate) variable: Varied,
    /// Which kind of answer it is, in a word: `value`, `infeasible`, `not_reached`, `inconclusive`, `void`.
    pub(crate) status: String,
    /// The highest load at which the criteria are met.
    pub(crate) max_satisfied: Option<f64>,
    /// Where the true load begins to lie.
    pub(crate) low: Option<f64>,
    /// Where it ends to lie.
    pub(crate) high: Option<f64>,
    /// How likely it lies there, in 0..=1.
    pub(crate) probability: Option<f64>,
    /// The criterion that limits the load.
    pub(crate) binding: Option<String>,
    /// Requests that count as evidence near the answer.
    pub(crate) requests: u64,
    /// Why the search ended so.
    pub(crate) reason: String,
}

/// A file of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Artifact {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its path inside the folder of results.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: ArtifactKind,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArtifactKind {
    /// A page of HTML that needs no other file.
    Page,
    /// A picture, SVG or PNG.
    Figure,
    /// JSON.
    Json,
    /// Plain text.
    Text,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct End {
    /// In a word.
    pub(crate) status: Status,
    /// The exit code of the program.
    pub(crate) exit: u8,
}

/// Ways to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// All was measured, whether or not a service level was met.
    Done,
    /// It could not be carried through.
    Failed,
    /// The user ended it; what was measured until then was told.
    Interrupted,
}
