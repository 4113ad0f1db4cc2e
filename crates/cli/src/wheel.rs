//! Runs a command again in the Python of the wheel, where crestline can do what the program alone cannot.
//!
//! The process becomes that Python: signals, output and exit code are its own from then on.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::interpreter::{Surroundings, candidates};
use crate::problem::Problem;

/// What a Python says of the package, or why it cannot.
const ASKED: &str = "from crestline import _native; print(_native.__version__)";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Becomes `python -m crestline` with the same arguments, `typed[0]` being the program; comes back only to say why not.
pub(crate) fn start_again(flag: &str, typed: &[OsString]) -> Problem {
    start_in(&candidates(&Surroundings::of_this_process()), flag, typed)
}

fn start_in(pythons: &[OsString], flag: &str, typed: &[OsString]) -> Problem {
    let mut found = Vec::new();
    for python in pythons {
        match package(python) {
            Ok(version) if version == VERSION => {
                let error = Command::new(python)
                    .args(["-m", "crestline"])
                    .args(typed.iter().skip(1))
                    .exec();
                found.push(format!("{} does not start: {error}", shown(python)));
            }
            Ok(version) => found.push(format!(
                "{} has crestline {version}, this is {VERSION}",
                shown(python)
            )),
            Err(why) => found.push(format!("{}: {why}", shown(python))),
        }
    }
    let problem = Problem::usage(format!("{flag} needs crestline's Python package")).hint(format!(
        "pip install 'crestline[ray]=={VERSION}', or set CRESTLINE_PYTHON to a Python that has it"
    ));
    if found.is_empty() {
        problem.cause("there is no Python beside this program or on the path")
    } else {
        problem.cause(found.join("\n"))
    }
}

/// The version of the package that a Python has.
fn package(python: &OsStr) -> Result<String, String> {
    let asked = Command::new(python)
        .args(["-c", ASKED])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("it does not start: {error}"))?;
    let last_line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.trim_end()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned()
    };
    if asked.status.success() {
        Ok(last_line(&asked.stdout))
    } else {
        Err(last_line(&asked.stderr))
    }
}

fn shown(python: &OsStr) -> std::path::Display<'_> {
    Path::new(python).display()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    fn python(place: &TempDir, script: &str) -> OsString {
        let path: PathBuf = place.path().join("python3");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.into()
    }

    fn refusal(pythons: &[OsString]) -> String {
        start_in(pythons, "--ray", &["crestline".into(), "perf".into()]).to_string()
    }

    #[test]
    fn a_python_without_the_package_is_named_with_its_own_words() {
        let place = tempfile::tempdir().unwrap();
        let without = python(
            &place,
            "echo 'Traceback' >&2; echo \"ModuleNotFoundError: No module named 'crestline'\" >&2; exit 1",
        );
        let text = refusal(&[without]);
        assert!(
            text.starts_with("error: --ray needs crestline's Python package"),
            "{text}"
        );
        let words = "python3: ModuleNotFoundError: No module named 'crestline'";
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("Traceback"), "{text}");
        assert!(text.contains("pip install 'crestline[ray]=="), "{text}");
    }

    #[test]
    fn another_version_is_not_started() {
        let place = tempfile::tempdir().unwrap();
        let text = refusal(&[python(&place, "echo 0.0.1")]);
        assert!(
            text.contains(&format!("has crestline 0.0.1, this is {VERSION}")),
            "{text}"
        );
    }

    #[test]
    fn no_python_at_all_is_said() {
        let text = refusal(&[]);
        assert!(text.contains("no Python beside this program"), "{text}");
        let text = refusal(&["/no/such/python".into()]);
        assert!(text.contains("it does not start: No such file"), "{text}");
    }
}
