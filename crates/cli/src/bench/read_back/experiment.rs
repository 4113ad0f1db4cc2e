//! What the files of a sweep are called, and what stands in those that are no results of a load.
//!
//! Opens no file.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Document;
use crate::bench::sweep::layout;
use crate::python_json::number;

/// The table of all runs.
pub(crate) const TABLE: &str = "summary.csv";
/// All runs of a combination.
pub(crate) const SUMMARY: &str = "summary.json";
/// What is of crestline's own in an experiment.
pub(crate) const OWN: &str = "crestline";
/// How the folders of combinations begin.
const COMBINATIONS: [&str; 2] = ["SERVE-", "BENCH-"];
/// How rows of answers are named; each of them is a run of its own too.
const ANSWERS: [&str; 2] = ["SLA-", "SLA--"];
/// Names of the server's and of the benchmark's parameters where they have none.
const DEFAULT: &str = "default";

/// What a file in an experiment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// The run of this number.
    Run(i64),
    /// Why a run is not there.
    Failure,
    /// All runs of a combination.
    Summary,
    /// Something that is in the runs too, or does not count.
    Companion,
    /// Anything else.
    Other,
}

/// Tells by the name.
pub(crate) fn file_kind(name: &str) -> FileKind {
    let run = |name: &str| {
        name.strip_prefix("run=")
            .and_then(|number| number.parse().ok())
    };
    if name == SUMMARY {
        FileKind::Summary
    } else if name.ends_with("failure.json") {
        FileKind::Failure
    } else if name == "warmup.json" || ANSWERS.iter().any(|begin| name.starts_with(begin)) {
        FileKind::Companion
    } else {
        let stem = name.strip_suffix(".json");
        stem.and_then(run).map_or(FileKind::Other, FileKind::Run)
    }
}

/// Whether a folder of this name is of a combination.
pub(crate) fn is_combination(name: &str) -> bool {
    COMBINATIONS.iter().any(|begin| name.starts_with(begin))
}

/// The folder of the databases of a run.
pub(crate) fn records(experiment: &Path, folder: &Path, number: i64) -> PathBuf {
    layout::records(experiment, folder, number)
}

/// The file of all answers.
pub(crate) fn answers(experiment: &Path) -> PathBuf {
    layout::answers(experiment)
}

/// The folder of the session of a combination.
pub(crate) fn session(experiment: &Path, folder: &Path) -> PathBuf {
    layout::beside(experiment, layout::SEARCHES, folder)
}

/// The combination of an answer, by the names of its parameters.
pub(crate) fn combination(experiment: &Path, serve: &str, bench: &str) -> PathBuf {
    let named = [("SERVE-", serve), ("BENCH-", bench)];
    let named = named
        .iter()
        .filter(|(_, name)| !name.is_empty() && *name != DEFAULT);
    let parts: Vec<String> = named
        .map(|(begin, name)| format!("{begin}-{name}"))
        .collect();
    if parts.is_empty() {
        return experiment.to_owned();
    }
    experiment.join(layout::folder_name(&parts.join("-")))
}

/// Times of starts in seconds, by what was started: `cold startup`, `warm first token`. Empty where a document is of no starts.
pub(crate) fn starts(document: &Document) -> Vec<(String, Vec<f64>)> {
    let kinds = document.keys().filter_map(|key| {
        let kind = key.strip_prefix("avg_")?.strip_suffix("_time")?;
        let times = document.get(&format!("{kind}_times"))?.as_array()?;
        let times: Vec<f64> = times.iter().filter_map(number).collect();
        (!times.is_empty()).then(|| (kind.replace('_', " "), times))
    });
    kinds.collect()
}

/// Why a run failed, in a line.
pub(crate) fn failure(value: &Value) -> String {
    let told = value["error"].as_str().and_then(|text| text.lines().next());
    let told = told.map(|line| line.trim_start_matches("error: "));
    told.map_or_else(
        || "the run failed".to_owned(),
        |line| format!("the run failed: {line}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        for (name, expected) in [
            ("run=0.json", FileKind::Run(0)),
            ("run=12.json", FileKind::Run(12)),
            ("run=1.failure.json", FileKind::Failure),
            ("SERVE-a-failure.json", FileKind::Failure),
            ("summary.json", FileKind::Summary),
            ("warmup.json", FileKind::Companion),
            ("SLA--p99_ttft_ms<=100.00.json", FileKind::Companion),
            ("run=x.json", FileKind::Other),
            ("notes.json", FileKind::Other),
        ] {
            assert_eq!(file_kind(name), expected, "{name}");
        }
    }

    #[test]
    fn combinations_have_the_folders_that_sweeps_give_them() {
        let at = |serve: &str, bench: &str| combination(Path::new("e"), serve, bench);
        assert_eq!(at("seqs8", ""), Path::new("e/SERVE--seqs8"));
        assert_eq!(at("a=1", "b=2"), Path::new("e/SERVE--a=1-BENCH--b=2"));
        assert_eq!(at("default", ""), Path::new("e"));
    }

    #[test]
    fn starts_have_their_kinds() {
        let value = json!({
            "avg_cold_startup_time": 3.0, "cold_startup_times": [4.0, 2.0], "avg_x_time": 1.0,
            "avg_warm_first_token_time": 1.0, "warm_first_token_times": [1.0], "max_num_seqs": 2,
        });
        let expected = [
            ("cold startup".to_owned(), vec![4.0, 2.0]),
            ("warm first token".to_owned(), vec![1.0]),
        ];
        assert_eq!(starts(value.as_object().unwrap()), expected);
    }
}
