//! The flags of `crestline bench sweep serve_workload`: those of `sweep serve`, and which loads are run.

use clap::Args;

use super::SweepServeArgs;
use crate::bench::sweep::workload::points::{Spacing, Variable};

/// Runs each benchmark on each server one request at a time, at a load of as many as it has prompts, and at loads in between.
///
/// The flags, folders and files are those of `vllm bench sweep serve_workload`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct SweepWorkloadArgs {
    #[command(flatten)]
    pub(crate) sweep: SweepServeArgs,
    #[command(flatten, next_help_heading = "Loads")]
    pub(crate) workload: WorkloadArgs,
}

/// Which loads are run.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkloadArgs {
    /// What is varied: requests a second or requests in flight.
    #[arg(long = "workload-var", value_name = "FLAG", value_enum, default_value_t = Variable::RequestRate)]
    pub(crate) variable: Variable,
    /// Loads in all, with both ends; at least 2.
    #[arg(
        long = "workload-iters",
        value_name = "N",
        default_value_t = 10,
        allow_negative_numbers = true
    )]
    pub(crate) iterations: i64,
    /// Where the loads in between lie: close where service gets worse, at equal distances (vLLM), or in equal ratios.
    #[arg(long = "workload-spacing", value_name = "HOW", value_enum, default_value_t = Spacing::Knee)]
    pub(crate) spacing: Spacing,
}
