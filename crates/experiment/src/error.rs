//! Why a plan cannot be run.

use std::io;
use std::path::PathBuf;

use crestline_core::record::FailureKind;
use crestline_load::client::endpoint::{Endpoint, Misfit};
use crestline_load::engine::EngineError;
use crestline_load::files::FilesError;
use crestline_sim::profile::ProfileError;
use crestline_store::runs::StoreError;
use crestline_workload::WorkloadError;

use crate::distributed::FleetError;
use crate::search::journal::JournalError;

/// A plan that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data set, the tokenizer or the lengths.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// What is sent has no place in the requests.
    #[error("the data set has {misfit}, which have no place in a request to {}", endpoint.path())]
    Unsendable {
        /// What cannot be sent.
        misfit: Misfit,
        /// Where it would go.
        endpoint: Endpoint,
    },
    /// The user's own data set, in virtual time, where no request can fail for it.
    #[error("the data set cannot make an item: {why}")]
    OwnItem {
        /// Why not.
        why: String,
    },
    /// An API of the user's own that speaks to no service.
    #[error("API `{name}` is not at hand: it is code that is not in this process")]
    OwnApi {
        /// What it is called.
        name: String,
    },
    /// The simulated engine's profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The way to the service, or a worker.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The service refused the test request.
    #[error("the test request to {url} failed: {text}")]
    Refused {
        /// Where it went.
        url: String,
        /// Why it failed.
        kind: FailureKind,
        /// What was seen.
        text: String,
    },
    /// The service's metrics, where they have to be there.
    #[error("the metrics at {url} cannot be read: {text}")]
    NoMetrics {
        /// Where they should be.
        url: String,
        /// Why not.
        text: String,
    },
    /// Open connections.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The output folder.
    #[error("the output folder `{}` cannot be written", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The database of a load.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A search where the plan has none.
    #[error("the plan holds no search of this kind")]
    NoSearch,
    /// The journal of a search.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Several machines.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}
