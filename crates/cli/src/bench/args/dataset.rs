//! Flags of the data sets.

use clap::{Args, ValueEnum};

/// Where prompts come from.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatasetArgs {
    /// Data set.
    #[arg(long, value_enum, default_value = "random")]
    pub(crate) dataset_name: DatasetName,
    /// Its file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) dataset_path: Option<String>,
    /// Do not use prompts again where there are fewer than `--num-prompts`.
    #[arg(long)]
    pub(crate) no_oversample: bool,
    /// Keep the order of the file.
    #[arg(long)]
    pub(crate) disable_shuffle: bool,
    /// Tokens of a random prompt.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) random_input_len: u32,
    /// Tokens of an answer to a random prompt.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) random_output_len: u32,
    /// Lengths vary by this share to both sides: a number, or JSON such as `{"input": 0.2, "output": 0.5}`.
    #[arg(long, value_name = "SHARE|JSON", default_value = "0.0")]
    pub(crate) random_range_ratio: String,
    /// Tokens shared by all random prompts, in addition to their own.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) random_prefix_len: u32,
}

/// The data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum DatasetName {
    Random,
    #[value(name = "random-mm")]
    RandomMm,
    #[value(name = "random-rerank")]
    RandomRerank,
    Sharegpt,
    Burstgpt,
    Sonnet,
    Hf,
    Custom,
    CustomImage,
    CustomAudio,
    PrefixRepetition,
    SpecBench,
    SpeedBench,
    TimedTrace,
}
