//! The flags of `crestline bench sweep` as they are typed: the names of `vllm bench sweep`, and a few of crestline's own.
//!
//! Says nothing of what they mean together: that is [`super::plan`].

mod sla;
pub(crate) mod startup;
pub(crate) mod workload;

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use crate::report::PageArgs;

pub(crate) use sla::{SlaArgs, SlaSearch, SlaVariable, SweepSlaArgs};

use super::bench_command::{Native, Output};
use super::plan::{Naming, OnError};
use super::plot::args::{ParetoArgs, PlotArgs};
use startup::SweepStartupArgs;
use workload::SweepWorkloadArgs;

/// Starts servers and varies what they and their load are given.
#[derive(Debug, Clone, Args)]
pub(crate) struct SweepArgs {
    #[command(subcommand)]
    pub(crate) command: SweepCommand,
}

/// What is varied.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SweepCommand {
    Plot(Box<PlotArgs>),
    #[command(name = "plot_pareto", alias = "plot-pareto")]
    PlotPareto(Box<ParetoArgs>),
    Serve(Box<SweepServeArgs>),
    #[command(name = "serve_sla", alias = "serve-sla")]
    ServeSla(Box<SweepSlaArgs>),
    #[command(name = "serve_workload", alias = "serve-workload")]
    ServeWorkload(Box<SweepWorkloadArgs>),
    Startup(Box<SweepStartupArgs>),
}

/// Runs a benchmark for each combination of server and benchmark parameters, with one start of the server for each of its own.
///
/// The flags, folders and files are those of `vllm bench sweep serve`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct SweepServeArgs {
    #[command(flatten, next_help_heading = "Commands")]
    pub(crate) commands: CommandArgs,
    #[command(flatten, next_help_heading = "Parameters")]
    pub(crate) parameters: ParameterArgs,
    #[command(flatten, next_help_heading = "Runs and results")]
    pub(crate) runs: RunArgs,
}

/// What is started.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommandArgs {
    /// Command that starts the server, as typed in a shell; no shell runs it.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) serve_cmd: String,
    /// Command of the benchmark; `crestline bench serve` is run without a process of its own.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) bench_cmd: String,
    /// Command to run after each benchmark, in place of resetting the server's caches; '' if there is nothing to reset.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) after_bench_cmd: Option<String>,
    /// Run `vllm bench serve` by crestline itself, also where vLLM is installed.
    #[arg(long)]
    pub(crate) bench_native: bool,
    /// Start nothing and simulate the servers in virtual time: the serve command must begin with `crestline sim`.
    #[arg(long)]
    pub(crate) virtual_time: bool,
    /// Show what the commands print.
    #[arg(long)]
    pub(crate) show_stdout: bool,
    /// Longest time until the server is ready.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300.0,
        allow_negative_numbers = true
    )]
    pub(crate) server_ready_timeout: f64,
    /// Where the server is asked, if its command does not say it with --host and --port.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server_address: Option<String>,
    /// The page that answers 200 when it is.
    #[arg(long, value_name = "PATH", default_value = "/health")]
    pub(crate) server_health_path: String,
    /// Time between the request to end and the end by force.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30.0,
        allow_negative_numbers = true
    )]
    pub(crate) server_stop_timeout: f64,
}

/// What is varied.
#[derive(Debug, Clone, Args)]
pub(crate) struct ParameterArgs {
    /// JSON file with the combinations of server parameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) serve_params: Option<PathBuf>,
    /// JSON file with the combinations of benchmark parameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) bench_params: Option<PathBuf>,
    /// Only combinations in which these have equal values: `SERVER=BENCH`, with commas.
    #[arg(long, value_name = "PAIRS", default_value = "")]
    pub(crate) link_vars: String,
    /// Short names in the server command and the parameters that they stand for: `tp=tensor_parallel_size`.
    #[arg(long, value_name = "SHORT=NAME", num_args = 1.., action = ArgAction::Append)]
    pub(crate) serve_alias: Vec<String>,
}

/// How often, and where to.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Folder of experiments.
    #[arg(short, long, value_name = "FOLDER", default_value = "results")]
    pub(crate) output_dir: PathBuf,
    /// Name of this one [default: date and time].
    #[arg(short, long, value_name = "NAME")]
    pub(crate) experiment_name: Option<String>,
    /// Runs of each combination.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        allow_negative_numbers = true
    )]
    pub(crate) num_runs: i64,
    /// Prompts of a run before the first, which is not counted; 0 for none.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) warmup_num_prompts: i64,
    /// Write down what failed and go on with the next combination.
    #[arg(long)]
    pub(crate) continue_on_error: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Print the commands and folders, and start nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on with an experiment: that of `--experiment-name`, or the one named here.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub(crate) resume: Option<String>,
}

impl CommandArgs {
    /// Whether `vllm bench serve` is for crestline to run.
    pub(crate) fn native(&self) -> Native {
        if self.bench_native || self.virtual_time {
            Native::Always
        } else {
            Native::WhereNeeded
        }
    }

    /// What becomes of what the commands print.
    pub(crate) fn output(&self) -> Output {
        if self.show_stdout {
            Output::Shown
        } else {
            Output::Dropped
        }
    }
}

impl RunArgs {
    /// How the experiment is called.
    pub(super) fn naming(&self) -> Naming<'_> {
        Naming {
            output_dir: &self.output_dir,
            experiment_name: self.experiment_name.as_deref(),
            resume: self.resume.as_deref(),
            dry_run: self.dry_run,
        }
    }

    /// What becomes of the rest when something fails.
    pub(crate) fn on_error(&self) -> OnError {
        if self.continue_on_error {
            OnError::GoOn
        } else {
            OnError::Stop
        }
    }
}
