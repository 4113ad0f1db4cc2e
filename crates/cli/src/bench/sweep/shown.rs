//! Commands and parameters as they are shown: as Python prints them, with the values of keys masked by [`crate::secrets`].
//!
//! Prints nothing.

use super::course::Task;
use super::params::Combination;
use super::plan::ServerCells;
use super::python;
use crate::secrets::masked;

/// A command as a Python list.
pub(crate) fn command(command: &[String]) -> String {
    python::repr(&masked(command).into())
}

/// Parameters as a Python dictionary.
pub(crate) fn parameters(parameters: &Combination) -> String {
    python::repr(&parameters.0.clone().into())
}

/// The lines before a server.
pub(crate) fn server_begins(server: &ServerCells) -> String {
    format!(
        "[BEGIN SERVER]\nServer overrides: {}\nServer command: {}",
        parameters(&server.parameters),
        command(&server.command)
    )
}

/// The lines before a run, with the command that makes it.
pub(crate) fn run_begins(task: &Task<'_>, command_of_run: &[String]) -> String {
    format!(
        "[BEGIN BENCHMARK]\nBenchmark overrides: {}\nRun Number: {}\nBenchmark command: {}\nOutput file: {}",
        parameters(task.origin.bench),
        task.origin.number,
        command(command_of_run),
        task.file().display()
    )
}

/// The lines of a run that is there already.
pub(crate) fn run_found(task: &Task<'_>, command_of_run: &[String]) -> String {
    format!(
        "{}\nFound existing results.\n[SKIPPED BENCHMARK]",
        run_begins(task, command_of_run)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_python_lists_without_their_keys() {
        let line = ["s", "--api-key", "a"].map(str::to_owned);
        assert_eq!(command(&line), "['s', '--api-key', '***']");
    }
}
