//! Where the records of a command go while it runs, and after it.
//!
//! Chooses folders only; what is written into them is for others.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::ServeArgs;
use crate::moment;
use crate::problem::Problem;

/// Commands that may begin in one second beside each other.
const SAME_SECOND: u32 = 100;

/// Where the databases of the runs are: beside the results, or where none are kept, in a folder that goes when the command
/// ends.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    _passing: Option<tempfile::TempDir>,
}

impl Place {
    pub(super) fn choose(args: &ServeArgs) -> Result<Self, Problem> {
        let results = &args.results;
        if results.save_result || results.append_result {
            let results = Path::new(results.result_dir.as_deref().unwrap_or("."));
            return Ok(Self {
                folder: unused(results, &moment::folder_stamp()),
                _passing: None,
            });
        }
        let passing = tempfile::tempdir().map_err(|error| {
            Problem::failed("there is no place for the run's records").because(&error)
        })?;
        Ok(Self {
            folder: passing.path().to_owned(),
            _passing: Some(passing),
        })
    }
}

/// A folder of this moment that no other command has; taken by making it. Where that fails, the run will say why.
fn unused(results: &Path, stamp: &str) -> PathBuf {
    let name = |turn: u32| match turn {
        1 => format!("crestline-{stamp}"),
        _ => format!("crestline-{stamp}_{turn}"),
    };
    (1..=SAME_SECOND)
        .map(|turn| results.join(name(turn)))
        .find(|folder| {
            let made = fs::create_dir_all(results).and_then(|()| fs::create_dir(folder));
            made.is_ok() || !folder.exists()
        })
        .unwrap_or_else(|| results.join(name(1)))
}
