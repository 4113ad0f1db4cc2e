//! The one description of work: every dialect is translated to a [`Plan`], and everything below runs one.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crestline_core::request::{Generation, LoadPoint};
use crestline_core::units::Nanos;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::target::Target;
use crestline_workload::plan::WorkloadPlan;
use serde::{Deserialize, Serialize};

/// A measurement of one service at one or more loads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name sent as `model`.
    pub model: String,
    /// Name of the run, for folders and titles.
    pub name: String,
    /// What is put under load.
    pub subject: SubjectPlan,
    /// How it is spoken to.
    pub endpoint: Endpoint,
    /// What is sent.
    pub workload: WorkloadPlan,
    /// Settings of the generation.
    pub generation: Generation,
    /// The loads, in the order in which they are applied.
    pub points: Vec<LoadPoint>,
    /// Pause between two loads.
    pub pause: Nanos,
    /// Send one request before each load and stop when it is refused.
    pub test_connection: bool,
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

/// The client's own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// Worker threads; `None` chooses by the load.
    pub workers: Option<NonZeroUsize>,
    /// Threads that prepare requests ahead; `None` chooses by the processors.
    pub preparers: Option<NonZeroUsize>,
    /// How long requests in flight may take after an interruption.
    pub grace: Nanos,
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
}
