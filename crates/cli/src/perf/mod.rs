//! `crestline perf`: the dialect of `evalscope perf`.
//!
//! Reads flags, runs the plan, shows what comes of it and writes evalscope's files. Measures nothing itself.

pub(crate) mod args;
mod files;
pub(crate) mod plan;
mod session;

pub(crate) use files::read_back;

use std::fs;
use std::path::{Path, PathBuf};

use crestline_experiment::distributed::Senders;
use crestline_experiment::run::run_by;
use crestline_experiment::search::journal::JOURNAL;
use crestline_experiment::search::run_search_by;
use crestline_load::engine::Stop;

use crate::exit::Exit;
use crate::launch::{self, Launcher};
use crate::problem::Problem;
use crate::problems::Flags;
use crate::telemetry::Telemetry;
use crate::{moment, signals};
use args::PerfArgs;
use plan::{Machines, Surroundings};
use session::Session;

/// What hints call the flags.
const FLAGS: Flags = Flags {
    url: "--url",
    tokenizer: "--tokenizer-path",
    unverified: None,
    fits: |_| "give the --url of an endpoint that takes them",
    key: "with --api-key or in OPENAI_API_KEY",
    read_timeout: "--read-timeout",
    total_timeout: "--total-timeout",
    concurrency: "--parallel",
    extra: "--extra-args",
    unchecked: "--no-test-connection",
    folder: "--outputs-dir",
    name: "--name, or leave out --no-timestamp",
};

/// Commands of the same name that may begin in one second.
const SAME_SECOND: usize = 100;

/// Runs the command until it is done or interrupted.
pub(crate) fn run(args: &PerfArgs, launcher: Option<&dyn Launcher>) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    measure(args, &stop, launcher)
}

/// Refuses what [`run`] would refuse of the flags, and does nothing.
pub(crate) fn check(args: &PerfArgs) -> Result<(), Problem> {
    plan::translate(args, &surroundings()).map(drop)
}

/// The same, ended early by whoever holds `stop`.
pub(crate) fn measure(
    args: &PerfArgs,
    stop: &Stop,
    launcher: Option<&dyn Launcher>,
) -> Result<Exit, Problem> {
    let mut translation = plan::translate(args, &surroundings())?;
    let mut crew = Machines::of(args)
        .map(|machines| launch::crew(&machines, launcher))
        .transpose()?;
    let telemetry = Telemetry::start(&args.telemetry, &translation.plan)?;
    translation.plan.output.tallies = telemetry.tallies();
    let folder = &mut translation.plan.output.folder;
    match &args.sla.resume {
        None if !args.output.no_timestamp => *folder = unused(folder),
        Some(named) if named.is_empty() && !args.output.no_timestamp => {
            *folder = latest_search(folder)?;
        }
        _ => {}
    }
    let mut session = Session::new(args, &translation, stop);
    session.announce();
    if translation.plan.search.is_some() {
        session.track_search()?;
    }
    let plan = &translation.plan;
    let senders = crew
        .as_mut()
        .map_or(Senders::Here, |crew| Senders::Workers(crew.take_links()));
    let mut see = |event| {
        telemetry.see(&event);
        session.see(event);
    };
    let ended = match &plan.search {
        None => {
            let outcome = run_by(plan, senders, stop, &mut see);
            session.close(outcome)
        }
        Some(search) => {
            let outcome = run_search_by(plan, senders, stop, &mut see);
            session.close_search(search, outcome)
        }
    };
    telemetry.end(stop);
    ended
}

/// Of the folders beside this one, `DIR/TIMESTAMP/NAME`, the latest of the same name in which a search was begun.
fn latest_search(folder: &Path) -> Result<PathBuf, Problem> {
    let name = folder.file_name().unwrap_or_default();
    let place = folder.ancestors().nth(2).unwrap_or(folder);
    let begun = fs::read_dir(place)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join(name)))
        .filter(|candidate| candidate.join(JOURNAL).exists());
    begun.max().ok_or_else(|| {
        Problem::usage("there is no search to go on with")
            .cause(format!(
                "no folder {}/*/{} has a {JOURNAL}",
                place.display(),
                Path::new(name).display()
            ))
            .hint("give --resume the folder of the search, or leave it out to begin anew")
    })
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
    fn the_latest_search_of_a_name_is_gone_on_with() {
        let place = tempfile::tempdir().unwrap();
        let folder = |stamp: &str| place.path().join(stamp).join("name");
        assert_eq!(
            latest_search(&folder("now")).unwrap_err().exit(),
            Exit::Usage
        );
        for stamp in ["20261122_101500", "20261123_091500", "20261124_101500"] {
            fs::create_dir_all(folder(stamp)).unwrap();
        }
        for stamp in ["20261122_101500", "20261123_091500"] {
            fs::write(folder(stamp).join(JOURNAL), "").unwrap();
        }
        assert_eq!(
            latest_search(&folder("now")).unwrap(),
            folder("20261123_091500")
        );
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
