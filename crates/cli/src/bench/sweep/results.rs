//! Files of results: one a run, one a combination, one an experiment, as vLLM's tools read them.
//!
//! A file is there as a whole or not at all. Measures nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};

use super::fingerprint::{self, Fingerprint};
use super::params::Combination;
use super::table_csv;
use crate::console;
use crate::front_end::Seen;
use crate::problem::Problem;
use crate::whole_file;

/// The key that says which run of its combination one is.
const NUMBER: &str = "run_number";

/// What a run was made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// Its number; -1 is a warm-up.
    pub(crate) number: i64,
    pub(crate) serve: &'a Combination,
    pub(crate) bench: &'a Combination,
    pub(crate) fingerprint: &'a Fingerprint,
}

impl Origin<'_> {
    /// Parameters of both sides as they stand in a run. Where both have a name, it is the benchmark's.
    fn parameters(&self) -> Map<String, Value> {
        let both = self.serve.0.iter().chain(&self.bench.0);
        both.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// A result as it is kept: with its number and parameters, which take the place of measured values of the same name.
    pub(crate) fn stamp(&self, result: Value) -> Value {
        let Value::Object(mut run) = result else {
            return result;
        };
        run.insert(NUMBER.to_owned(), self.number.into());
        run.extend(self.parameters());
        run.insert(
            fingerprint::KEY.to_owned(),
            self.fingerprint.to_string().into(),
        );
        Value::Object(run)
    }

    /// Why a run that is there is not this one.
    fn misfit(&self, run: &Value) -> Option<String> {
        if run[NUMBER].as_i64() != Some(self.number) {
            return Some("it is not complete: it does not say which run it is".to_owned());
        }
        for (key, value) in self.parameters() {
            match run.get(&key) {
                Some(own) if *own == value => {}
                Some(own) => return Some(format!("its {key} is {own}, not {value}")),
                None => return Some(format!("it does not say its {key}")),
            }
        }
        self.fingerprint.misfit(run.get(fingerprint::KEY))
    }
}

/// Whether a run has to be made.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// It is there.
    Done(Value),
    /// Nothing is there.
    Missing,
    /// What is there is something else, for this reason.
    Other(String),
}

/// Looks for a run that an earlier command made.
pub(crate) fn find(path: &Path, origin: &Origin<'_>) -> Result<Found, Problem> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => {
            let problem = Problem::failed(format!("{}: cannot be read", path.display()));
            return Err(problem.because(&error));
        }
    };
    Ok(match serde_json::from_str::<Value>(&text) {
        Ok(run) if run.is_object() => match origin.misfit(&run) {
            None => Found::Done(run),
            Some(why) => Found::Other(why),
        },
        Ok(_) => Found::Other("it holds no result".to_owned()),
        Err(error) => Found::Other(format!("it is no JSON ({error})")),
    })
}

/// A JSON file that is there as a whole or not at all; `None` where it is not there, or holds no JSON.
pub(crate) fn read(path: &Path) -> Result<Option<Value>, Problem> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let problem = Problem::failed(format!("{}: cannot be read", path.display()));
            Err(problem.because(&error))
        }
    }
}

/// A failure as it is kept.
pub(crate) fn failure(
    number: Option<i64>,
    kind: &str,
    problem: &Problem,
    serve: &Combination,
    bench: Option<&Combination>,
) -> Value {
    let mut failure = Map::new();
    if let Some(number) = number {
        failure.insert(NUMBER.to_owned(), number.into());
    }
    failure.insert("error_type".to_owned(), kind.into());
    failure.insert("error".to_owned(), problem.to_string().into());
    failure.insert("serve_overrides".to_owned(), json!(serve.0));
    if let Some(bench) = bench {
        failure.insert("bench_overrides".to_owned(), json!(bench.0));
    }
    Value::Object(failure)
}

/// Writes a value as Python's `json.dump` with an indent of 4 does.
pub(crate) fn write(path: &Path, value: &Value) -> Result<(), Problem> {
    let mut out = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    value
        .serialize(&mut serializer)
        .expect("a JSON value has a text");
    write_whole(path, &out)
}

/// Writes the rows of all runs.
pub(crate) fn write_table(path: &Path, runs: &[Value]) -> Result<(), Problem> {
    console::show(|| Seen::Rows(runs.to_vec()));
    write_whole(path, table_csv::text(runs).as_bytes())
}

/// Writes a file as a whole, and the folders that it lies in.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder.and_then(|()| whole_file::write(path, bytes));
    written.map_err(|error| {
        Problem::failed(format!("{}: cannot be written", path.display()))
            .because(&error)
            .hint("make room or permit it, and go on with --resume")
    })
}

/// Puts something that is there out of the way: behind its name comes a number that is not taken.
pub(crate) fn put_aside(path: &Path, folder: &Path) -> Result<PathBuf, Problem> {
    let moved = || -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let name = path.file_name().unwrap_or_default();
        let numbered = (1u32..).map(|number| {
            let mut name = name.to_owned();
            name.push(format!("~{number}"));
            folder.join(name)
        });
        let free = numbered.into_iter().find(|place| !place.exists());
        let free = free.expect("numbers do not end");
        fs::rename(path, &free)?;
        Ok(free)
    };
    moved().map_err(|error| {
        Problem::failed(format!("{}: cannot be put aside", path.display())).because(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;

    #[test]
    fn a_file_may_have_the_longest_name_that_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let serve = Map::from_iter([("a".to_owned(), "x".repeat(300).into())]);
        let path = layout::server_failure(folder.path(), &Combination(serve));
        assert_eq!(path.file_name().unwrap().len(), 255);
        write(&path, &json!(1)).unwrap();
        assert_eq!(read(&path).unwrap(), Some(json!(1)));
    }

    #[test]
    fn nothing_is_left_of_a_file_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run=0.json");
        fs::create_dir_all(path.join("in the way")).unwrap();
        assert!(write(&path, &json!(1)).is_err());
        let names = fs::read_dir(folder.path()).unwrap();
        assert_eq!(names.count(), 1, "only what was there");
    }
}
