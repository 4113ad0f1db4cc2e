//! The one description of work: every dialect is translated to a [`Plan`], and everything below runs one.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use crestline_core::request::{Adapters, Generation, LoadPoint};
use crestline_core::search::Question;
use crestline_core::units::{Nanos, Rate};
use crestline_load::client::endpoint::Endpoint;
use crestline_load::engine::Part;
use crestline_load::own::OwnApi;
use crestline_load::target::{Target, masked_url};
use crestline_workload::plan::WorkloadPlan;
use serde::{Deserialize, Serialize, Serializer};

/// A measurement of one service at one or more loads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name sent as `model`.
    pub model: String,
    /// Names that requests send in its place, each one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapters: Option<Adapters>,
    /// Name of the run, for folders and titles.
    pub name: String,
    /// What is put under load.
    pub subject: SubjectPlan,
    /// How it is spoken to.
    pub endpoint: Endpoint,
    /// What makes bodies and reads answers in place of the endpoint, where that is the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_api: Option<OwnApi>,
    /// What is sent.
    pub workload: WorkloadPlan,
    /// Settings of the generation.
    pub generation: Generation,
    /// The loads, in the order in which they are applied; none where a search chooses them.
    pub points: Vec<LoadPoint>,
    /// Which loads to look for, in place of `points`.
    pub search: Option<SearchPlan>,
    /// Pause between two loads.
    pub pause: Nanos,
    /// Send one request before each load and stop when it is refused.
    pub test_connection: bool,
    /// How long that request is repeated until it is answered; zero asks once.
    pub ready_within: Nanos,
    /// Small requests beside each load, so many a second; none in virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_rate: Option<Rate>,
    /// Whether what the service says of itself is read while a load goes on; never in virtual time.
    #[serde(default, skip_serializing_if = "ServerMetrics::is_usual")]
    pub server_metrics: ServerMetrics,
    /// The client's own settings.
    pub client: ClientPlan,
    /// What is written, and where.
    pub output: OutputPlan,
}

impl Plan {
    /// Where requests go, for messages.
    pub fn url(&self) -> &str {
        match &self.subject {
            SubjectPlan::Live(target) => &target.url,
            SubjectPlan::Virtual(profile) => profile,
        }
    }

    /// Part `number` (from 0) of `of`: together, the parts send what this plan sends, each request once. A process that runs
    /// one does not wait for the others, and all must have as many processors as this one.
    pub fn shard(&self, number: usize, of: NonZeroUsize) -> Self {
        let mut part = self.clone();
        part.client.part = Some(Part::on_this_machine(number, of));
        part
    }

    /// The same for files: secrets masked, and virtual time told apart from a service.
    pub fn shown_url(&self) -> String {
        match &self.subject {
            SubjectPlan::Live(target) => masked_url(&target.url),
            SubjectPlan::Virtual(profile) => format!("sim:{profile}"),
        }
    }
}

/// What a service says of itself on its page of metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServerMetrics {
    /// Whether it is read.
    pub read: ReadMetrics,
    /// Where the page is; `None` is `/metrics` of the service itself.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_masked"
    )]
    pub url: Option<String>,
}

impl ServerMetrics {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a page of metrics is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadMetrics {
    /// Where the service has one.
    #[default]
    IfThere,
    /// Always: without one, no load is applied.
    Always,
    /// Never.
    Never,
}

#[expect(clippy::ref_option, reason = "serde asks with a reference")]
fn write_masked<S: Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_deref().map(masked_url).serialize(serializer)
}

/// What is put under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectPlan {
    /// A service behind a URL, on a real clock.
    Live(Target),
    /// The simulated engine in virtual time: the name of a built-in profile, or the path of a profile file.
    Virtual(String),
}

/// A search for the loads that meet an SLA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchPlan {
    /// What is asked.
    pub question: Question,
    /// How it is answered.
    pub method: Method,
    /// Most requests in flight where the rate is varied; `None` is no limit.
    pub fixed_parallel: Option<NonZeroU32>,
    /// Go on from what an earlier command left in the output folder, where the journal there is of the same plan.
    pub resume: Resume,
}

/// The ways to search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// One session whose load is changed in place, with a statistical answer: `core::search`.
    Crest,
    /// Separate runs, doubled or halved and then bisected over whole numbers: `core::search::bisect`.
    Bisect(BisectPlan),
}

/// One probe of a bisection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BisectPlan {
    /// Runs of each load, whose figures are averaged.
    pub runs: NonZeroU32,
    /// Counted requests of a run, as a multiple of the load.
    pub multiplier: f64,
    /// Requests before them, not counted: a number, or below 1 a share of the counted ones.
    pub warmup: f64,
    /// Ends a run's sending earlier.
    pub duration: Option<Nanos>,
    /// When requests become due, where the rate is varied.
    pub arrivals: Spacing,
}

/// How the arrivals of a rate lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// At random times, independent of each other.
    Random,
    /// Evenly.
    Even,
}

/// Whether a search begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// In a folder of its own.
    No,
    /// From the journal in the output folder.
    Yes,
}

/// The client's own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// Worker threads; `None` chooses by the load.
    pub workers: Option<NonZeroUsize>,
    /// Threads that prepare requests ahead; `None` chooses by the processors.
    pub preparers: Option<NonZeroUsize>,
    /// How long requests in flight may take after an interruption.
    pub grace: Nanos,
    /// What the ids of requests begin with; `None` makes one up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_ids: Option<String>,
    /// The part of each load that this process applies; `None` is the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// What is written, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputPlan {
    /// Folder of the whole command; each load gets a folder in it.
    pub folder: PathBuf,
    /// Rows of the database committed together; a commit also happens each second.
    pub commit_rows: NonZeroUsize,
    /// Keep prompts and answers.
    pub keep_text: bool,
    /// The command that asks for it, without its secrets: for whoever wants to do it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether [`crate::event::Event::Tally`] is told: for whoever watches, and so in no file.
    #[serde(skip)]
    pub tallies: Tallies,
}

/// Whether the counts so far are told while a load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tallies {
    /// Nobody asks for them.
    #[default]
    Untold,
    /// With each report of progress.
    Told,
}

/// Requests of a warm-up: a number from 1 on as it is, rounded down; below 1 that share of the counted requests, but at
/// least one; 0 is none.
pub fn warmup_requests(warmup: f64, counted: u64) -> u64 {
    if warmup <= 0.0 {
        0
    } else if warmup < 1.0 {
        ((warmup * counted as f64).floor() as u64).max(1)
    } else {
        warmup.floor() as u64
    }
}
