//! From the name of a data set and its arguments to what they mean.

use std::path::{Path, PathBuf};

use crestline_core::nearest::nearest;
use serde_json::{Map, Value};

use super::DatasetError;
use super::fit::read_prefix;
use crate::lengths::{LengthDraw, read_pairs};
use crate::plan::{Dataset, Fit, FitMode, Lengths, PrefixRole, RandomLengths, Source};

/// The data sets that are supported, by the names that users give them.
pub const DATASET_NAMES: [&str; 9] = [
    "openqa",
    "longalpaca",
    "line_by_line",
    "custom",
    "share_gpt_zh",
    "share_gpt_en",
    "random",
    "speed_benchmark",
    "speed_benchmark_long",
];

/// Names that other tools have and that are not built yet.
const LATER: [&str; 20] = [
    "flickr8k",
    "kontext_bench",
    "random_vl",
    "random_embedding",
    "random_embedding_batch",
    "embedding",
    "embed",
    "embedding_batch",
    "rerank",
    "random_rerank",
    "random_multi_turn",
    "share_gpt_zh_multi_turn",
    "share_gpt_en_multi_turn",
    "custom_multi_turn",
    "swe_smith",
    "trie_agentic_coding",
    "trie_code_qa",
    "trie_office_work",
    "workload_trace",
    "mmmu_multi_image",
];

const TEXT_ARGUMENTS: &[&str] = &[
    "target_input_len",
    "input_len_mode",
    "prefix_file",
    "prefix_role",
];
/// How lengths are written.
const LENGTHS_WANTED: &str = "it must be a number of tokens or an object with a `distribution`: fixed, uniform, normal, log_normal or mixture";
const RANDOM_ARGUMENTS: &[&str] = &["input", "output", "pairs"];

impl Dataset {
    /// A data set by name, with its file or folder and the arguments that it takes (a JSON object, as a user writes it).
    ///
    /// Values are checked as far as they can be without a tokenizer; files that arguments name must be there.
    pub fn from_name(
        name: &str,
        path: Option<&Path>,
        arguments: &Map<String, Value>,
    ) -> Result<Self, DatasetError> {
        let Some(name) = DATASET_NAMES.into_iter().find(|known| *known == name) else {
            return Err(not_known(name));
        };
        let arguments = Arguments {
            name,
            values: arguments,
        };
        let read = |make: fn(Source) -> Self| {
            let fit = arguments.fit()?;
            Ok(make(Source {
                path: path.map(Path::to_owned),
                fit,
            }))
        };
        match name {
            "openqa" => read(Self::OpenQa),
            "longalpaca" => read(Self::LongAlpaca),
            "share_gpt_zh" => read(Self::ShareGptZh),
            "share_gpt_en" => read(Self::ShareGptEn),
            "line_by_line" | "custom" if path.is_none() => Err(DatasetError::NeedsPath { name }),
            "line_by_line" => read(Self::LineByLine),
            "custom" => {
                arguments.allow(&[])?;
                Ok(Self::Custom(Source {
                    path: path.map(Path::to_owned),
                    fit: None,
                }))
            }
            _ if path.is_some() => Err(DatasetError::TakesNoPath { name }),
            "random" => Ok(Self::Random(arguments.random()?)),
            _ => {
                arguments.allow(&[])?;
                Ok(if name == "speed_benchmark" {
                    Self::SpeedBenchmark
                } else {
                    Self::SpeedBenchmarkLong
                })
            }
        }
    }
}

fn not_known(name: &str) -> DatasetError {
    if LATER.contains(&name) {
        return DatasetError::NotSupportedYet {
            name: name.to_owned(),
        };
    }
    DatasetError::Unknown {
        name: name.to_owned(),
        nearest: nearest(name, DATASET_NAMES),
    }
}

/// The arguments of one data set.
#[derive(Clone, Copy)]
struct Arguments<'a> {
    name: &'static str,
    values: &'a Map<String, Value>,
}

impl Arguments<'_> {
    fn allow(&self, known: &'static [&'static str]) -> Result<(), DatasetError> {
        match self
            .values
            .keys()
            .find(|key| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some(key) => Err(DatasetError::UnknownArgument {
                name: self.name,
                key: key.clone(),
                known,
            }),
        }
    }

    fn wrong(&self, key: &'static str, reason: &dyn ToString) -> DatasetError {
        DatasetError::Argument {
            name: self.name,
            key,
            value: self
                .values
                .get(key)
                .map_or_else(String::new, Value::to_string),
            reason: reason.to_string(),
        }
    }

    /// A `null` is as if the argument were not there.
    fn get<T: serde::de::DeserializeOwned>(
        &self,
        key: &'static str,
    ) -> Result<Option<T>, DatasetError> {
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| self.wrong(key, &error)),
        }
    }

    fn fit(&self) -> Result<Option<Fit>, DatasetError> {
        self.allow(TEXT_ARGUMENTS)?;
        let mode: Option<FitMode> = self.get("input_len_mode")?;
        let prefix_file: Option<PathBuf> = self.get("prefix_file")?;
        let prefix_role: Option<PrefixRole> = self.get("prefix_role")?;
        let alone = |key, needed| DatasetError::ArgumentAlone {
            name: self.name,
            key,
            needed,
        };
        let Some(target) = self.target_input_len()? else {
            return match (mode, &prefix_file, prefix_role) {
                (_, Some(_), _) => Err(alone("prefix_file", "target_input_len")),
                (Some(_), _, _) => Err(alone("input_len_mode", "target_input_len")),
                (_, _, Some(_)) => Err(alone("prefix_role", "prefix_file")),
                (None, None, None) => Ok(None),
            };
        };
        if prefix_role.is_some() && prefix_file.is_none() {
            return Err(alone("prefix_role", "prefix_file"));
        }
        if mode == Some(FitMode::Drop) && prefix_file.is_some() {
            return Err(DatasetError::Conflict {
                name: self.name,
                first: "prefix_file",
                second: "input_len_mode",
                reason: "`drop` skips the prompts that a prefix would fill up",
            });
        }
        if let Some(path) = &prefix_file {
            read_prefix(path)?;
        }
        Ok(Some(Fit {
            target_input_len: target,
            mode: mode.unwrap_or(FitMode::Cap),
            prefix_file,
            prefix_role: prefix_role.unwrap_or(PrefixRole::System),
        }))
    }

    fn target_input_len(&self) -> Result<Option<u32>, DatasetError> {
        const KEY: &str = "target_input_len";
        let Some(value) = self.get::<Value>(KEY)? else {
            return Ok(None);
        };
        let target = value
            .as_u64()
            .and_then(|target| u32::try_from(target).ok())
            .filter(|target| *target > 0);
        target
            .map(Some)
            .ok_or_else(|| self.wrong(KEY, &"it must be a whole number above 0"))
    }

    fn random(&self) -> Result<RandomLengths, DatasetError> {
        self.allow(RANDOM_ARGUMENTS)?;
        let lengths = RandomLengths {
            input: self.lengths("input")?,
            output: self.lengths("output")?,
            pairs: self.get("pairs")?,
        };
        if let Some(path) = &lengths.pairs {
            read_pairs(path).map_err(|error| self.wrong("pairs", &error))?;
            let second = match (&lengths.input, &lengths.output) {
                (Some(_), _) => "input",
                (None, Some(_)) => "output",
                (None, None) => return Ok(lengths),
            };
            return Err(DatasetError::Conflict {
                name: self.name,
                first: "pairs",
                second,
                reason: "a row of pairs has both lengths",
            });
        }
        Ok(lengths)
    }

    /// A distribution; a number stands for always that length.
    fn lengths(&self, key: &'static str) -> Result<Option<Lengths>, DatasetError> {
        let lengths = match self.values.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(_)) => Lengths::Fixed {
                value: self.get(key)?.unwrap_or_default(),
            },
            Some(Value::Object(_)) => match self.get::<Lengths>(key)? {
                Some(lengths) => lengths,
                None => return Ok(None),
            },
            Some(_) => return Err(self.wrong(key, &LENGTHS_WANTED)),
        };
        LengthDraw::new(&lengths).map_err(|error| self.wrong(key, &error))?;
        Ok(Some(lengths))
    }
}

#[cfg(test)]
mod tests;
