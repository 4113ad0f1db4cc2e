//! Runs of an experiment: those of all `summary.json` in its folder, whoever wrote them.
//!
//! What cannot be read is named and left out. Judges no run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crestline_core::nearest::nearest;
use serde_json::{Map, Value};

use super::super::python;
use crate::problem::Problem;
use crate::python_json::{natural, number, parse};

/// All runs of a combination.
const SUMMARY: &str = "summary.json";
/// What is of crestline's own in an experiment.
const OWN: &str = "crestline";
/// A run has at least one of these.
const OF_A_RUN: [&str; 3] = ["run_number", "completed", "duration"];

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// The file it stands in.
    pub(super) file: PathBuf,
    pub(super) fields: Map<String, Value>,
}

/// All runs, and what was left out, in sentences.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) warnings: Vec<String>,
}

/// Reads all files in the natural order of their paths: `a=2` before `a=16`.
pub(super) fn read(experiment: &Path) -> Result<Found, Problem> {
    if !experiment.is_dir() {
        return Err(
            Problem::usage(format!("{} is no folder", experiment.display()))
                .hint("name the folder of an experiment, such as results/20261122_101500"),
        );
    }
    let mut files = Vec::new();
    let mut found = Found::default();
    find(experiment, &mut files, &mut found.warnings);
    files.sort_by_cached_key(|path| natural(&path.to_string_lossy()));
    for file in &files {
        if let Err(why) = add(file, &mut found) {
            let line = format!("{} is left out: {why}", file.display());
            found.warnings.push(line);
        }
    }
    if found.records.is_empty() {
        let why = match files.len() {
            0 => format!("there is no {SUMMARY} in it"),
            _ => found.warnings.join("\n"),
        };
        return Err(Problem::usage(format!(
            "{} holds no runs to draw",
            experiment.display()
        ))
        .cause(why)
        .hint("the folder is that of an experiment of `bench sweep`; a sweep writes the file when the runs of a combination are done"));
    }
    Ok(found)
}

/// Looks in all folders, and not behind links, which may lead in circles.
fn find(folder: &Path, files: &mut Vec<PathBuf>, warnings: &mut Vec<String>) {
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            warnings.push(format!("{} is left out: {error}", folder.display()));
            return;
        }
    };
    for entry in entries {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if entry.file_name() == SUMMARY && !is_folder {
            files.push(entry.path());
        } else if is_folder && entry.file_name() != OWN {
            find(&entry.path(), files, warnings);
        }
    }
}

/// Adds the runs of a file; says why where there are none.
fn add(file: &Path, found: &mut Found) -> Result<(), String> {
    let text = fs::read(file).map_err(|error| error.to_string())?;
    let Value::Array(runs) = parse(&text)? else {
        return Err("it holds no list of runs".to_owned());
    };
    if runs.is_empty() {
        return Err("its list of runs is empty".to_owned());
    }
    for (place, run) in runs.into_iter().enumerate() {
        match run {
            Value::Object(mut fields) if OF_A_RUN.iter().any(|key| fields.contains_key(*key)) => {
                // Values of single requests are not drawn.
                fields.retain(|_, value| !value.is_array());
                found.records.push(Record {
                    file: file.to_owned(),
                    fields,
                });
            }
            _ => found.warnings.push(format!(
                "{}: entry {} is left out: it is no run of a benchmark",
                file.display(),
                place + 1
            )),
        }
    }
    Ok(())
}

impl Record {
    /// The number that a key holds; texts such as `inf` are numbers.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        number(self.fields.get(key)?)
    }

    /// The value of a key as Python prints it.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.fields.get(key).map(python::str)
    }

    /// Whether the client was the bottleneck, so that the run says nothing of the service.
    pub(super) fn is_void(&self) -> bool {
        self.fields
            .get("crestline_client")
            .is_some_and(|client| client["void"] == true)
    }

    /// Whether nothing was answered: its times are 0 and mean nothing.
    pub(super) fn has_failed(&self) -> bool {
        self.number("completed") == Some(0.0)
    }
}

/// A key that no run has, with what was probably meant.
pub(super) fn unknown(flag: &str, key: &str, records: &[Record]) -> Problem {
    let keys = records.iter().flat_map(|record| record.fields.keys());
    let near = nearest(key, keys.map(String::as_str));
    let hint = near.map_or_else(
        || "summary.csv of the experiment has all keys in its first line".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Problem::usage(format!("{flag}: no run has {key}")).hint(hint)
}

/// Whether any run has a key.
pub(super) fn has(records: &[Record], key: &str) -> bool {
    records.iter().any(|record| record.fields.contains_key(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn runs_are_those_of_all_summaries_in_the_order_of_their_numbers() {
        let run = |value: u32| format!("[{{\"run_number\": 0, \"a\": {value}}}]");
        let folder = folder(&[
            ("a=16/summary.json", &run(16)),
            ("a=2/summary.json", &run(2)),
            ("crestline/replaced/summary.json", &run(99)),
            ("a=2/run=0.json", "{}"),
        ]);
        let found = read(folder.path()).unwrap();
        let values: Vec<_> = found.records.iter().map(|it| it.number("a")).collect();
        assert_eq!(values, [Some(2.0), Some(16.0)]);
        assert!(found.warnings.is_empty());
    }

    #[test]
    fn what_is_no_summary_is_named_and_left_out() {
        let folder = folder(&[
            (
                "good/summary.json",
                r#"[{"completed": 1, "x": NaN, "y": [1], "z": "\"NaN"}]"#,
            ),
            ("broken/summary.json", r#"[{"completed": 1"#),
            ("empty/summary.json", ""),
            ("none/summary.json", "[]"),
            ("object/summary.json", "{}"),
            ("foreign/summary.json", r#"[{"name": "x"}, 7]"#),
            ("bytes/summary.json", "\u{0}\u{1}"),
        ]);
        let found = read(folder.path()).unwrap();
        assert_eq!(found.records.len(), 1);
        let record = &found.records[0];
        assert!(record.number("x").unwrap().is_nan() && !record.fields.contains_key("y"));
        assert_eq!(record.text("z").unwrap(), "\"NaN");
        assert_eq!(found.warnings.len(), 7, "{:#?}", found.warnings);
        for name in ["broken", "empty", "none", "object", "foreign", "bytes"] {
            let path = format!("{name}/summary.json");
            assert!(found.warnings.iter().any(|it| it.contains(&path)), "{name}");
        }
    }

    #[test]
    fn a_folder_without_runs_is_refused_with_the_reason() {
        let none = folder(&[("run=0.json", "{}")]);
        let problem = read(none.path()).unwrap_err().to_string();
        assert!(
            problem.contains("there is no summary.json in it"),
            "{problem}"
        );
        let broken = folder(&[("summary.json", "[")]);
        let problem = read(broken.path()).unwrap_err().to_string();
        assert!(problem.contains("it is no JSON"), "{problem}");
        assert!(read(Path::new("no such folder")).is_err());
    }

    #[test]
    fn texts_that_python_has_for_numbers_are_numbers() {
        let fields = json!({"a": "inf", "b": "1", "c": null, "d": true, "e": -2.5});
        let record = Record {
            file: PathBuf::new(),
            fields: fields.as_object().unwrap().clone(),
        };
        assert_eq!(record.number("a"), Some(f64::INFINITY));
        assert_eq!(
            ["b", "c", "d", "f"].map(|key| record.number(key)),
            [None; 4]
        );
        assert_eq!(record.number("e"), Some(-2.5));
        assert_eq!(record.text("d").unwrap(), "True");
    }
}
