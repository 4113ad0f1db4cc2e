//! Commands of the user's that a sweep runs to their end: this program's own name in them, what they print, who ends them.
//!
//! They are kept as servers are: none outlives this program, however it ends.

use std::fs;
use std::path::Path;

use crestline_core::units::Nanos;
use crestline_experiment::server::keeper::{Ending, Task};
use crestline_experiment::server::{Kept, StartError};
use crestline_load::engine::Stop;

use crate::own_program;
use crate::problem::Problem;

/// Time between the request to end and the end by force.
const GRACE: Nanos = Nanos::from_secs(10);
/// Letters of what a command printed that an error shows.
const SHOWN: usize = 2000;

/// What came of a command.
#[derive(Debug)]
pub(crate) enum Done {
    /// It ended by itself, so, and printed this at last.
    Ended(Ending, String),
    /// It was ended because the user asked to stop.
    Interrupted,
}

/// A command in which `crestline` is this very program.
pub(crate) fn resolved(command: &[String]) -> Vec<String> {
    match command.split_first() {
        Some((first, arguments)) if first == "crestline" => {
            let mut words = own_program::words();
            words.extend_from_slice(arguments);
            words
        }
        _ => command.to_vec(),
    }
}

/// Runs a command; all that it prints is appended to `log`.
pub(crate) fn run(command: &[String], log: &Path, stop: &Stop) -> Result<Done, Problem> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            Problem::failed(format!("{}: cannot be made", folder.display())).because(&error)
        })?;
    }
    let from = fs::metadata(log).map_or(0, |file| file.len());
    let task = Task::of_command(resolved(command), log.to_owned(), GRACE);
    let mut kept = match Kept::start(&task, &own_program::keeper(), stop) {
        Ok(kept) => kept,
        Err(StartError::Interrupted) => return Ok(Done::Interrupted),
        Err(error) => {
            return Err(Problem::failed(format!("{} cannot be run", command[0])).because(&error));
        }
    };
    let ending = kept.wait(stop);
    kept.end(stop);
    Ok(match ending {
        Some(ending) => Done::Ended(ending, printed(log, from)),
        None => Done::Interrupted,
    })
}

/// The end of what was printed behind `from`.
fn printed(log: &Path, from: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[from..]);
    let text = text.trim_end();
    let start = text.char_indices().rev().nth(SHOWN - 1);
    start.map_or(text, |(at, _)| &text[at..]).to_owned()
}
