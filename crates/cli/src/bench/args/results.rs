//! Flags of the metrics and files.

use clap::{ArgAction, Args, ValueEnum};

use crate::report::PageArgs;

/// What is computed, shown and written.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResultArgs {
    /// Metrics to print and save, with commas: `ttft`, `tpot`, `itl`, `e2el`, `client_queue_time`,
    /// `e2el_including_client_queue` [default: ttft,tpot,itl].
    #[arg(long, value_name = "NAMES")]
    pub(crate) percentile_metrics: Option<String>,
    /// Percentiles of them, with commas.
    #[arg(long, value_name = "NUMBERS", default_value = "99")]
    pub(crate) metric_percentiles: String,
    /// Limits of a good request in milliseconds: `ttft:500 tpot:50 e2el:2000`.
    #[arg(long, value_name = "NAME:MS", num_args = 1.., action = ArgAction::Set)]
    pub(crate) goodput: Vec<String>,
    /// How figures are counted where vLLM's way is known to mislead.
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) compat: Compat,
    /// Write the results as JSON.
    #[arg(long)]
    pub(crate) save_result: bool,
    /// Keep the figures of each request in it.
    #[arg(long)]
    pub(crate) save_detailed: bool,
    /// Write them behind what is in the file.
    #[arg(long)]
    pub(crate) append_result: bool,
    /// Further fields of the JSON.
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., action = ArgAction::Set)]
    pub(crate) metadata: Vec<String>,
    /// Folder of the file.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) result_dir: Option<String>,
    /// Name of the file, in place of one made of backend, rate, model and time.
    #[arg(long, value_name = "NAME")]
    pub(crate) result_filename: Option<String>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Beginning of that name, in place of the backend.
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
}

/// Ways to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Spans by token, peaks as they were, time from the write of a request.
    None,
    /// As vLLM does: spans by event, peaks by seconds touched.
    Vllm,
}
