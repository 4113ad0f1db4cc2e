//! Names of folders and files of an experiment, as vLLM has them, so that its tools read these and these read its.
//!
//! Makes and reads nothing.

use std::path::{Path, PathBuf};

use super::params::Combination;

/// Longest name of a folder that file systems take, in bytes.
const LONGEST: usize = 255;
/// Digits of the number that stands for what is cut off a name.
const DIGITS: usize = 16;

/// What vLLM's tools do not write is in this folder of an experiment.
const OWN: &str = "crestline";
/// Sessions of searches, in that folder.
pub(crate) const SEARCHES: &str = "searches";
/// The name where neither side varies.
const DEFAULT: &str = "default";

/// The folder of a combination; that of the experiment itself where neither side varies.
pub(crate) fn folder(experiment: &Path, serve: &Combination, bench: &Combination) -> PathBuf {
    match name(serve, bench) {
        Some(name) => experiment.join(name),
        None => experiment.to_owned(),
    }
}

/// The folder of a combination at one load, which is named as `key=value`.
pub(crate) fn workload(
    experiment: &Path,
    serve: &Combination,
    bench: &Combination,
    load: &str,
) -> PathBuf {
    let mut parts = parts(serve, bench);
    parts.push("WL-".to_owned());
    parts.push(load.to_owned());
    experiment.join(within_limit(sanitised(&parts.join("-")), ""))
}

/// The folder of a combination of starts; that of the experiment itself where neither side varies.
pub(crate) fn startup(experiment: &Path, serve: &Combination, startup: &Combination) -> PathBuf {
    let parts = titled([("SERVE-", serve), ("STARTUP-", startup)]);
    if parts.is_empty() {
        return experiment.to_owned();
    }
    experiment.join(within_limit(sanitised(&parts.join("-")), ""))
}

fn name(serve: &Combination, bench: &Combination) -> Option<String> {
    let parts = parts(serve, bench);
    (!parts.is_empty()).then(|| within_limit(sanitised(&parts.join("-")), ""))
}

fn parts(serve: &Combination, bench: &Combination) -> Vec<String> {
    titled([("SERVE-", serve), ("BENCH-", bench)])
}

fn titled(sides: [(&str, &Combination); 2]) -> Vec<String> {
    let mut parts = Vec::new();
    for (title, combination) in sides {
        if !combination.0.is_empty() {
            parts.push(title.to_owned());
            parts.push(combination.name());
        }
    }
    parts
}

/// The result of a run.
pub(crate) fn run(folder: &Path, number: i64) -> PathBuf {
    match number {
        -1 => folder.join("warmup.json"),
        _ => folder.join(format!("run={number}.json")),
    }
}

/// Why a run has no result.
pub(crate) fn run_failure(folder: &Path, number: i64) -> PathBuf {
    match number {
        -1 => folder.join("warmup.failure.json"),
        _ => folder.join(format!("run={number}.failure.json")),
    }
}

/// All runs of a combination.
pub(crate) fn summary(folder: &Path) -> PathBuf {
    folder.join("summary.json")
}

/// All runs of an experiment.
pub(crate) fn table(experiment: &Path) -> PathBuf {
    experiment.join("summary.csv")
}

/// The runs that the answer to one SLA rests on.
pub(crate) fn sla(folder: &Path, criteria: &str) -> PathBuf {
    folder.join(within_limit(
        sanitised(&format!("SLA--{criteria}")),
        ".json",
    ))
}

/// All answers of an experiment.
pub(crate) fn answers(experiment: &Path) -> PathBuf {
    experiment.join(OWN).join("sla.json")
}

/// How configurations were raced.
pub(crate) fn race(experiment: &Path) -> PathBuf {
    experiment.join(OWN).join("race.json")
}

/// Why there is no server of a combination.
pub(crate) fn server_failure(experiment: &Path, serve: &Combination) -> PathBuf {
    experiment.join(server_name(serve, "-failure.json"))
}

/// The log of the server of a combination.
pub(crate) fn log(experiment: &Path, serve: &Combination) -> PathBuf {
    server_records(experiment).join(server_name(serve, ".log"))
}

/// The command of the server of a combination.
pub(crate) fn server_record(experiment: &Path, serve: &Combination) -> PathBuf {
    server_records(experiment).join(server_name(serve, ".json"))
}

/// The folder of these.
pub(crate) fn server_records(experiment: &Path) -> PathBuf {
    experiment.join(OWN).join("servers")
}

/// The file of a figure; `end` is that of its kind.
pub(crate) fn figure(name: &str, end: &str) -> String {
    within_limit(sanitised(name), end)
}

/// The page of an experiment.
pub(crate) fn page(experiment: &Path) -> PathBuf {
    experiment.join(OWN).join("report.html")
}

/// The file that is locked while a program is at work in an experiment.
pub(crate) fn lock(experiment: &Path) -> PathBuf {
    experiment.join(OWN).join("sweep.lock")
}

/// The file that is locked while a server of an experiment lives, beside the folder of logs.
pub(crate) fn server_lock(log: &Path) -> PathBuf {
    let own = log.parent().and_then(Path::parent).unwrap_or(log);
    own.join("server.lock")
}

/// The simulated engine in place of the server of a combination.
pub(crate) fn profile(experiment: &Path, serve: &Combination) -> PathBuf {
    let folder = experiment.join(OWN).join("profiles");
    folder.join(server_name(serve, ".toml"))
}

/// Records of a run, whose combination has this folder.
pub(crate) fn records(experiment: &Path, folder: &Path, number: i64) -> PathBuf {
    let name = match number {
        -1 => "warmup".to_owned(),
        _ => format!("run={number}"),
    };
    beside(experiment, "runs", folder).join(name)
}

/// Results of a combination that others have taken the place of.
pub(crate) fn replaced(experiment: &Path, folder: &Path) -> PathBuf {
    beside(experiment, "replaced", folder)
}

/// The folder for what belongs to the results in `folder` and is of crestline's own.
pub(crate) fn beside(experiment: &Path, what: &str, folder: &Path) -> PathBuf {
    let own = experiment.join(OWN).join(what);
    match folder.strip_prefix(experiment) {
        Ok(path) if path != Path::new("") => own.join(path),
        _ => own.join(DEFAULT),
    }
}

fn server_name(serve: &Combination, end: &str) -> String {
    let name = match serve.name() {
        name if name.is_empty() => DEFAULT.to_owned(),
        name => name,
    };
    within_limit(sanitised(&format!("SERVE-{name}")), end)
}

/// A name as a folder has it.
pub(crate) fn folder_name(name: &str) -> String {
    within_limit(sanitised(name), "")
}

/// No separator, no way up, no quotes around it.
fn sanitised(name: &str) -> String {
    let name = name.replace('/', "_").replace("..", "__");
    name.trim_matches(['\'', '"']).to_owned()
}

/// A name and its end. One that is too long keeps its beginning, and a number that is the same for the same name.
fn within_limit(name: String, end: &str) -> String {
    if name.len() + end.len() <= LONGEST {
        return name + end;
    }
    let mut cut = LONGEST - DIGITS - 1 - end.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}-{:016x}{end}", &name[..cut], fnv(&name))
}

/// FNV-1a, 64 bit: the same on every machine.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn combination(value: Value) -> Combination {
        match value {
            Value::Object(fields) => Combination(fields),
            other => panic!("{other}"),
        }
    }

    fn name(serve: Value, bench: Value) -> String {
        let folder = folder(Path::new("e"), &combination(serve), &combination(bench));
        folder.to_str().unwrap().to_owned()
    }

    #[test]
    fn folders_are_called_by_both_sides() {
        assert_eq!(
            name(
                json!({"_benchmark_name": "seqs2", "max_num_seqs": 2}),
                json!({"random_input_len": 32, "max_concurrency": 1})
            ),
            "e/SERVE--seqs2-BENCH--random_input_len=32-max_concurrency=1"
        );
        assert_eq!(name(json!({"a": 0.9}), json!({})), "e/SERVE--a=0.9");
        assert_eq!(name(json!({}), json!({"m": "a/b..c"})), "e/BENCH--m=a_b__c");
        assert_eq!(name(json!({}), json!({})), "e");
    }

    #[test]
    fn loads_have_folders_of_their_own() {
        let named = |serve, bench, load| {
            let (serve, bench) = (combination(serve), combination(bench));
            let folder = workload(Path::new("e"), &serve, &bench, load);
            folder.to_str().unwrap().to_owned()
        };
        assert_eq!(
            named(
                json!({}),
                json!({"max_concurrency": 1}),
                "max_concurrency=1"
            ),
            "e/BENCH--max_concurrency=1-WL--max_concurrency=1"
        );
        assert_eq!(
            named(json!({"a": 1}), json!({}), "request_rate=0.5"),
            "e/SERVE--a=1-WL--request_rate=0.5"
        );
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_and_stays_its_own() {
        let long = |end: &str| name(json!({"a": format!("{}{end}", "é".repeat(200))}), json!({}));
        let (one, other) = (long("x"), long("y"));
        assert!(one.len() - 2 <= LONGEST && one != other);
        assert_eq!(one, long("x"));
    }
}
