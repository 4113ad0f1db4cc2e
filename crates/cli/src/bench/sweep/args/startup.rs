//! The flags of `crestline bench sweep startup`: those of `vllm bench sweep startup`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::report::PageArgs;

/// Measures how long servers take to start, for each combination of server and start parameters.
///
/// The flags, folders and files are those of `vllm bench sweep startup`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct SweepStartupArgs {
    /// Command of the benchmark; `crestline bench startup --serve-cmd …` is run without a process of its own.
    #[arg(long, value_name = "COMMAND", default_value = "vllm bench startup")]
    pub(crate) startup_cmd: String,
    #[command(flatten, next_help_heading = "Parameters")]
    pub(crate) parameters: StartupParameterArgs,
    #[command(flatten, next_help_heading = "Runs and results")]
    pub(crate) runs: StartupRunArgs,
}

/// What is varied.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartupParameterArgs {
    /// JSON file with the combinations of server parameters.
    #[arg(long = "serve-params", value_name = "FILE")]
    pub(crate) serve: Option<PathBuf>,
    /// JSON file with the combinations of parameters of the benchmark.
    #[arg(long = "startup-params", value_name = "FILE")]
    pub(crate) startup: Option<PathBuf>,
    /// Refuse parameters that the benchmark does not know, in place of leaving them out.
    #[arg(long = "strict-params")]
    pub(crate) is_strict: bool,
    /// Short names in the server command and the parameters that they stand for: `tp=tensor_parallel_size`.
    #[arg(long = "serve-alias", value_name = "SHORT=NAME", num_args = 1.., action = ArgAction::Append)]
    pub(crate) alias: Vec<String>,
}

/// How often, and where to.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartupRunArgs {
    /// Folder of experiments.
    #[arg(short, long, value_name = "FOLDER", default_value = "results")]
    pub(crate) output_dir: PathBuf,
    /// Name of this one [default: date and time].
    #[arg(short, long, value_name = "NAME")]
    pub(crate) experiment_name: Option<String>,
    /// Runs of each combination, of several starts each.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) num_runs: i64,
    /// Show what the commands print.
    #[arg(long)]
    pub(crate) show_stdout: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Print the commands and folders, and start nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on with an experiment: that of `--experiment-name`, or the one named here.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub(crate) resume: Option<String>,
}

/// What becomes of parameters that the benchmark does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Dropped,
    Refused,
}

impl StartupParameterArgs {
    pub(crate) fn unknown(&self) -> Unknown {
        if self.is_strict {
            Unknown::Refused
        } else {
            Unknown::Dropped
        }
    }
}
