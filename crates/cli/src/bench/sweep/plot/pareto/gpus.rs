//! How many GPUs a run had: what it says, else what its server was started with.
//!
//! Asks no machine.

use super::Sourced;
use super::users::spellings;
use crate::bench::sweep::plot::records::Record;
use crate::bench::sweep::{served, sla::gpus};

/// The source where nothing is known.
pub(super) const ASSUMED: &str = "assumed";
/// Keys that hold the whole number.
const WHOLE: [&str; 3] = ["num_gpus", "gpu_count", "n_gpus"];
/// Sizes of which the product is the number of GPUs, with the spellings of each: vLLM's, SGLang's and TensorRT-LLM's.
const SIZES: [&[&str]; 3] = [
    &["tensor_parallel_size", "tp", "tp_size", "tensor_parallel"],
    &[
        "pipeline_parallel_size",
        "pp",
        "pp_size",
        "pipeline_parallel",
    ],
    &["data_parallel_size", "dp", "dp_size", "data_parallel"],
];

/// By the named key; else by a key of the whole number; else the product of the parallel sizes, each as the run says, or as the
/// command of its server does, or 1.
pub(super) fn of(record: &Record, named: Option<&str>) -> Sourced {
    let keys = named.into_iter().chain(WHOLE);
    let mut whole = keys.flat_map(spellings).filter_map(|key| {
        let value = count(record, &key)?;
        Some(Sourced { value, source: key })
    });
    if let Some(found) = whole.next() {
        return found;
    }
    let mut product = 1.0;
    let mut sources: Vec<String> = Vec::new();
    let command = served::command(&record.file);
    for names in SIZES {
        let own = names
            .iter()
            .flat_map(|name| spellings(name))
            .find_map(|key| Some((count(record, &key)?, key)));
        let told = || {
            let size = gpus::size(command.as_deref()?, names[0], &[])?;
            Some((size as f64, "server command".to_owned()))
        };
        if let Some((size, source)) = own.or_else(told) {
            product *= size;
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    if sources.is_empty() && command.is_some() {
        sources.push("server command".to_owned());
    }
    let source = if sources.is_empty() {
        ASSUMED.to_owned()
    } else {
        sources.join(", ")
    };
    Sourced {
        value: product,
        source,
    }
}

/// The size of this name in the command of the run's server.
pub(super) fn size(record: &Record, key: &str) -> Option<u64> {
    let plain = key.replace('-', "_");
    let names = SIZES.iter().find(|names| names.contains(&plain.as_str()))?;
    gpus::size(&served::command(&record.file)?, names[0], &[])
}

/// A number of GPUs that can be; 0 is none.
fn count(record: &Record, key: &str) -> Option<f64> {
    let value = record.number(key).or_else(|| {
        let text = record.fields.get(key)?.as_str()?;
        text.trim().parse().ok()
    });
    value.filter(|value| *value > 0.0 && value.is_finite())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::*;

    fn gpus(fields: &Value, named: Option<&str>) -> (f64, String) {
        let record = Record {
            file: PathBuf::from("nowhere/summary.json"),
            fields: fields.as_object().unwrap().clone(),
        };
        let found = of(&record, named);
        (found.value, found.source)
    }

    #[test]
    fn every_spelling_counts() {
        let check = |fields: &Value, expected: f64, source: &str| {
            assert_eq!(
                gpus(fields, None),
                (expected, source.to_owned()),
                "{fields}"
            );
        };
        check(&json!({}), 1.0, ASSUMED);
        check(&json!({"num_gpus": 8, "tp": 2}), 8.0, "num_gpus");
        check(&json!({"gpu-count": 4}), 4.0, "gpu-count");
        check(
            &json!({"tensor_parallel_size": 4}),
            4.0,
            "tensor_parallel_size",
        );
        check(
            &json!({"tensor-parallel-size": 4, "pp": 2}),
            8.0,
            "tensor-parallel-size, pp",
        );
        check(
            &json!({"tp": 2, "pp_size": 3, "dp": "2"}),
            12.0,
            "tp, pp_size, dp",
        );
        check(&json!({"tp": 0, "num_gpus": null}), 1.0, ASSUMED);
    }

    #[test]
    fn a_named_key_comes_first_and_falls_back_where_it_is_0() {
        let named = gpus(&json!({"cards": 16, "num_gpus": 8}), Some("cards"));
        assert_eq!(named, (16.0, "cards".to_owned()));
        let zero = gpus(&json!({"cards": 0, "tp": 2}), Some("cards"));
        assert_eq!(zero, (2.0, "tp".to_owned()));
    }

    #[test]
    fn the_command_of_the_server_says_what_the_run_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("crestline/servers")).unwrap();
        fs::create_dir_all(at("SERVE--a=1-BENCH--b=1")).unwrap();
        let text = json!({"command": ["vllm", "serve", "m", "-tp", "4", "--pp=2"], "folders": ["SERVE--a=1-BENCH--b=1"]});
        fs::write(at("crestline/servers/SERVE-a=1.json"), text.to_string()).unwrap();
        let record = |fields: Value| Record {
            file: at("SERVE--a=1-BENCH--b=1/summary.json"),
            fields: fields.as_object().unwrap().clone(),
        };
        let found = of(&record(json!({})), None);
        assert_eq!(
            (found.value, found.source.as_str()),
            (8.0, "server command")
        );
        let own = of(&record(json!({"tp": 2})), None);
        assert_eq!(
            (own.value, own.source.as_str()),
            (4.0, "tp, server command")
        );
        assert_eq!(size(&record(json!({})), "tensor_parallel_size"), Some(4));
        assert_eq!(size(&record(json!({})), "max_num_seqs"), None);
    }
}
