//! Names of folders and files of an experiment, as vLLM has them, so that its tools read these and these read its.
//!
//! Makes and reads nothing.

use std::path::{Path, PathBuf};

use super::params::Combination;

/// Longest name of a folder that file systems take, in bytes.
const LONGEST: usize = 255;
/// Digits of the number that stands for what is cut off a name.
const DIGITS: usize = 16;

/// The folder of a combination; that of the experiment itself where neither side varies.
pub(crate) fn folder(experiment: &Path, serve: &Combination, bench: &Combination) -> PathBuf {
    let mut parts = Vec::new();
    for (title, combination) in [("SERVE-", serve), ("BENCH-", bench)] {
        if !combination.0.is_empty() {
            parts.push(title.to_owned());
            parts.push(combination.name());
        }
    }
    if parts.is_empty() {
        return experiment.to_owned();
    }
    experiment.join(within_limit(sanitised(&parts.join("-"))))
}

/// The result of a run.
pub(crate) fn run(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("run={number}.json"))
}

/// All runs of a combination.
pub(crate) fn summary(folder: &Path) -> PathBuf {
    folder.join("summary.json")
}

/// The log of the server of a combination.
pub(crate) fn log(experiment: &Path, serve: &Combination) -> PathBuf {
    let name = match serve.name() {
        name if name.is_empty() => "default".to_owned(),
        name => name,
    };
    experiment.join(within_limit(format!(
        "{}.log",
        sanitised(&format!("SERVE-{name}"))
    )))
}

/// The simulated engine in place of the server of a combination.
pub(crate) fn profile(experiment: &Path, serve: &Combination) -> PathBuf {
    let name = match serve.name() {
        name if name.is_empty() => "default".to_owned(),
        name => name,
    };
    let name = sanitised(&format!("SERVE--{name}.toml"));
    experiment
        .join("crestline")
        .join("profiles")
        .join(within_limit(name))
}

/// No separator, no way up, no quotes around it.
fn sanitised(name: &str) -> String {
    let name = name.replace('/', "_").replace("..", "__");
    name.trim_matches(['\'', '"']).to_owned()
}

/// A name that is too long keeps its beginning, and ends in a number that is the same for the same name.
fn within_limit(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let mut end = LONGEST - DIGITS - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{:016x}", &name[..end], fingerprint(&name))
}

/// FNV-1a, 64 bit: the same on every machine.
pub(crate) fn fingerprint(text: &str) -> u64 {
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
    fn a_name_that_is_too_long_is_cut_and_stays_its_own() {
        let long = |end: &str| name(json!({"a": format!("{}{end}", "é".repeat(200))}), json!({}));
        let (one, other) = (long("x"), long("y"));
        assert!(one.len() - 2 <= LONGEST && one != other);
        assert_eq!(one, long("x"));
    }
}
