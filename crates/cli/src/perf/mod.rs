//! `crestline perf`: the dialect of `evalscope perf`.
//!
//! Reads flags, runs the plan, shows what comes of it and writes evalscope's files. Measures nothing itself.

pub(crate) mod args;
mod files;
pub(crate) mod plan;
mod problems;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use crestline_experiment::run::run as run_plan;
use crestline_load::engine::Stop;

use crate::exit::Exit;
use crate::problem::Problem;
use crate::{moment, signals};
use args::PerfArgs;
use plan::Surroundings;
use session::Session;

/// Commands of the same name that may begin in one second.
const SAME_SECOND: usize = 100;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &PerfArgs) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    measure(args, &stop)
}

/// The same, ended early by whoever holds `stop`.
pub(crate) fn measure(args: &PerfArgs, stop: &Stop) -> Result<Exit, Problem> {
    let mut translation = plan::translate(args, &surroundings())?;
    if !args.output.no_timestamp {
        let folder = &mut translation.plan.output.folder;
        *folder = unused(folder);
    }
    let mut session = Session::new(args, &translation, stop);
    session.announce();
    let outcome = run_plan(&translation.plan, stop, &mut |event| session.see(event));
    session.close(outcome)
}

/// The folder itself, or one beside it where another command of the same second and name has that already. Taken by making
/// it, so that two commands cannot both have it; where that fails, the run will say why.
fn unused(folder: &Path) -> PathBuf {
    let (Some(name), Some(stamped)) = (folder.file_name(), folder.parent()) else {
        return folder.to_owned();
    };
    let stamp = stamped.as_os_str();
    (1..=SAME_SECOND)
        .map(|turn| {
            let mut stamp = stamp.to_owned();
            if turn > 1 {
                stamp.push(format!("_{turn}"));
            }
            PathBuf::from(stamp).join(name)
        })
        .find(|candidate| {
            let parent = candidate.parent().unwrap_or(candidate);
            let made = fs::create_dir_all(parent).and_then(|()| fs::create_dir(candidate));
            made.is_ok() || !candidate.exists()
        })
        .unwrap_or_else(|| folder.to_owned())
}

fn surroundings() -> Surroundings {
    Surroundings {
        api_key: std::env::var("OPENAI_API_KEY").ok(),
        timestamp: moment::folder_stamp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_the_same_second_have_a_folder_each() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("20261122_101500/name");
        let taken: Vec<PathBuf> = (0..3).map(|_| unused(&folder)).collect();
        let expected = ["20261122_101500", "20261122_101500_2", "20261122_101500_3"]
            .map(|stamp| place.path().join(stamp).join("name"));
        assert_eq!(taken, expected);
        let other = place.path().join("20261122_101500/other");
        assert_eq!(unused(&other), other);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_left_to_the_run_to_tell() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let folder = file.join("20261122_101500/name");
        assert_eq!(unused(&folder), folder);
    }
}
