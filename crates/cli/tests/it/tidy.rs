//! Rules of the repository that a machine can check: sizes of files, module docs, crate arrows, licences.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const MOST_LINES: usize = 600;

/// Which crates of the workspace each of them may know.
const ARROWS: [(&str, &[&str]); 9] = [
    ("crestline-core", &[]),
    ("crestline-workload", &["core"]),
    ("crestline-load", &["core", "workload"]),
    ("crestline-sim", &["core", "workload"]),
    ("crestline-store", &["core"]),
    ("crestline-report", &["core"]),
    (
        "crestline-experiment",
        &["core", "workload", "load", "sim", "store"],
    ),
    (
        "crestline",
        &[
            "core",
            "workload",
            "load",
            "sim",
            "store",
            "report",
            "experiment",
        ],
    ),
    (
        "crestline-python",
        &[
            "core",
            "workload",
            "load",
            "sim",
            "store",
            "report",
            "experiment",
        ],
    ),
];

/// Licences that ask for no more than to be named.
const PERMISSIVE: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn crate_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    assert!(found.len() > 50, "only {} sources are found", found.len());
    found
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

fn metadata(more: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(more)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The system that this compiler builds for.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.unwrap().to_owned()
}

fn packages(metadata: &Value) -> &Vec<Value> {
    metadata["packages"].as_array().unwrap()
}

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<String> = crate_sources()
        .iter()
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "above {MOST_LINES} lines: {long:#?}");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<PathBuf> = crate_sources()
        .into_iter()
        .filter(|(_, text)| {
            !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!(")
        })
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "without `//!` at the top: {silent:#?}");
}

/// Python of the package, its tests, its examples and its build.
fn python_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("python")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "py" || end == "pyi")
            {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn every_python_file_says_what_it_is_for_and_is_not_too_long() {
    let sources = python_sources();
    assert!(sources.len() > 20, "{sources:?}");
    let wrong: Vec<PathBuf> = sources
        .into_iter()
        .filter(|(_, text)| {
            let is_long = text.lines().count() > MOST_LINES;
            is_long || !text.starts_with("\"\"\"")
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        wrong.is_empty(),
        "without a docstring at the top, or above {MOST_LINES} lines: {wrong:#?}"
    );
}

#[test]
fn crates_know_only_those_below_them() {
    let metadata = metadata(&["--no-deps"]);
    let mut seen = 0;
    for package in packages(&metadata) {
        let name = package["name"].as_str().unwrap();
        let (_, allowed) = ARROWS
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("{name} has no arrows"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            if let (Some(short), true) = (
                other.strip_prefix("crestline-"),
                dependency["kind"].is_null(),
            ) {
                assert!(allowed.contains(&short), "{name} must not know {other}");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, ARROWS.len());
}

#[test]
fn core_has_no_runtime_and_no_database() {
    let metadata = metadata(&["--no-deps"]);
    let core = packages(&metadata)
        .iter()
        .find(|package| package["name"] == "crestline-core")
        .unwrap();
    for dependency in core["dependencies"].as_array().unwrap() {
        let name = dependency["name"].as_str().unwrap();
        assert!(
            !["tokio", "hyper", "rusqlite", "jiff", "nix"].contains(&name),
            "core must not know {name}"
        );
    }
}

#[test]
fn all_licences_are_permissive() {
    // Packages of other systems are not there on a machine that has only built.
    let metadata = metadata(&["--filter-platform", &host()]);
    let all = packages(&metadata);
    assert!(all.len() > 20, "only {} packages are listed", all.len());
    let wrong: Vec<String> = all
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_permissive))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether an SPDX expression can be met with permissive licences alone. `/` is the old way to write OR.
fn is_permissive(expression: &str) -> bool {
    let expression = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let (met, rest) = any_of(&words);
    met && rest.is_empty()
}

fn any_of<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all_of(words);
    while let ["OR", after @ ..] = rest {
        let (other, after) = all_of(after);
        met |= other;
        rest = after;
    }
    (met, rest)
}

fn all_of<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(words);
    while let ["AND", after @ ..] = rest {
        let (other, after) = one(after);
        met &= other;
        rest = after;
    }
    (met, rest)
}

fn one<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inside @ ..] => {
            let (met, rest) = any_of(inside);
            (
                met,
                rest.strip_prefix(&[")"]).expect("a closing parenthesis"),
            )
        }
        [licence, "WITH", exception, rest @ ..] => (
            PERMISSIVE.contains(&format!("{licence} WITH {exception}").as_str()),
            rest,
        ),
        [licence, rest @ ..] => (PERMISSIVE.contains(licence), rest),
        [] => (false, words),
    }
}

#[test]
fn licence_expressions_are_understood() {
    for (expression, permissive) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND MPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("", false),
    ] {
        assert_eq!(is_permissive(expression), permissive, "{expression}");
    }
}
