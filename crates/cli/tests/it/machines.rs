//! `--ray` from the program alone: it becomes the Python of the wheel, or says what is missing. Clusters are in python/tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::harness::{Place, Ran};

const LINE: &str = "perf --model m --prompt hello --number 2 --url http://127.0.0.1:9 --ray auto";

/// A program that stands for a Python with or without the package.
fn python(place: &Place, script: &str) -> PathBuf {
    let path = place.path("a python");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn run(place: &Place, script: &str, line: &str) -> Ran {
    let python = python(place, script);
    let mut command = place.command(line);
    command.env("CRESTLINE_PYTHON", python);
    command.output().unwrap().into()
}

#[test]
fn the_python_that_has_the_package_gets_the_same_arguments() {
    let place = Place::new();
    let script = format!(
        "if [ \"$1\" = -c ]; then echo {}; else echo \"python $*\"; exit 7; fi",
        env!("CARGO_PKG_VERSION")
    );
    let ran = run(&place, &script, &format!("{LINE} --workers 2"));
    assert_eq!(ran.code, Some(7), "{ran:#?}");
    assert_eq!(ran.out, format!("python -m crestline {LINE} --workers 2\n"));
}

#[test]
fn wrong_flags_are_told_before_a_python_is_looked_for() {
    let place = Place::new();
    let ran = run(&place, "touch was-asked", &format!("{LINE} --workers 0"));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("--workers must be"), "{ran:#?}");
    assert!(!place.path("was-asked").exists());
}

#[test]
fn a_missing_package_is_told_with_what_to_do() {
    let place = Place::new();
    let script = "echo \"ModuleNotFoundError: No module named 'crestline'\" >&2; exit 1";
    let ran = run(&place, script, LINE);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    for text in [
        "--ray needs crestline's Python package",
        "No module named 'crestline'",
        "pip install 'crestline[ray]==",
    ] {
        assert!(ran.err.contains(text), "no `{text}` in {}", ran.err);
    }
    assert!(!place.path("outputs").exists());
}
