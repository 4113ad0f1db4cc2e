//! Commands and parameters as they are shown: as Python prints them, with the values of keys masked.
//!
//! Prints nothing.

use crestline_load::target::{MASK, is_sensitive};

use super::course::Task;
use super::params::Combination;
use super::plan::ServerCells;
use super::python;

/// Names of flags whose value is a secret, with dashes.
const SECRET: [&str; 4] = ["--api-key", "--hf-token", "--password", "--auth-token"];

/// A command without its secrets.
pub(crate) fn masked(command: &[String]) -> Vec<String> {
    let mut is_secret = false;
    let masked = command.iter().map(|word| {
        if std::mem::take(&mut is_secret) {
            return MASK.to_owned();
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word.as_str(), None),
        };
        if SECRET.contains(&flag.replace('_', "-").as_str()) {
            is_secret = value.is_none();
            return value.map_or_else(|| word.clone(), |_| format!("{flag}={MASK}"));
        }
        if !flag.starts_with('-') && value.is_some() && is_sensitive(flag) {
            return format!("{flag}={MASK}");
        }
        word.clone()
    });
    masked.collect()
}

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
    use crate::plan_lines::words;

    #[test]
    fn secrets_are_masked_and_all_else_is_shown() {
        let line = "s --api-key a --api_key=b --header Authorization=c X-A=d --tokenizer t";
        let typed: Vec<String> = words(line).into_iter().map(str::to_owned).collect();
        assert_eq!(
            masked(&typed).join(" "),
            "s --api-key *** --api_key=*** --header Authorization=*** X-A=d --tokenizer t"
        );
        assert_eq!(command(&typed[..3]), "['s', '--api-key', '***']");
    }
}
