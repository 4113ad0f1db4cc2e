//! The flags of `crestline bench sweep plot` and `plot_pareto` as they are typed: those of vLLM's, and a few of crestline's own.
//!
//! Says nothing of what they mean together.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Draws curves of what a sweep has measured, one file a figure.
///
/// The runs are those of all `summary.json` in the folder. The flags are those of `vllm bench sweep plot`; folders that vLLM
/// wrote are read as well.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct PlotArgs {
    /// Folder of the experiment.
    #[arg(value_name = "EXPERIMENT_DIR")]
    pub(crate) experiment: PathBuf,
    #[command(flatten, next_help_heading = "What is drawn")]
    pub(crate) data: PlotDataArgs,
    #[command(flatten, next_help_heading = "Figures")]
    pub(crate) figure: PlotFigureArgs,
    #[command(flatten, next_help_heading = "Files")]
    pub(crate) output: OutputArgs,
}

/// What is drawn where.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlotDataArgs {
    /// A figure for each combination of values of these, with commas.
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) fig_by: String,
    /// A row of panels for each combination of values of these.
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) row_by: String,
    /// A column of panels for each combination of values of these.
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) col_by: String,
    /// A curve for each combination of values of these: colour, dashes, width.
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) curve_by: String,
    /// The lower axis.
    #[arg(long, value_name = "KEY", default_value = "total_token_throughput")]
    pub(crate) var_x: String,
    /// The left axis.
    #[arg(long, value_name = "KEY", default_value = "median_ttft_ms")]
    pub(crate) var_y: String,
    /// Only runs for which this holds: `max_concurrency<=64,tp==2`.
    #[arg(
        long,
        value_name = "CONDITIONS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) filter_by: String,
    /// Values rounded down to multiples: `request_throughput%5`.
    #[arg(
        long,
        value_name = "BINS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) bin_by: String,
    /// Draw the limits of this file of criteria: `[{"p99_ttft_ms": "<=200"}]`.
    #[arg(long, value_name = "FILE")]
    pub(crate) sla_params: Option<PathBuf>,
}

/// How figures look.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlotFigureArgs {
    /// How the lower axis is laid out: linear, log, log2, sqrt.
    #[arg(long, value_name = "SCALE")]
    pub(crate) scale_x: Option<String>,
    /// How the left axis is laid out.
    #[arg(long, value_name = "SCALE")]
    pub(crate) scale_y: Option<String>,
    /// Draw no intervals around means.
    #[arg(long)]
    pub(crate) no_error_bars: bool,
    /// Height and width of a panel, in inches.
    #[arg(
        long,
        value_name = "INCHES",
        default_value_t = 6.4,
        allow_negative_numbers = true
    )]
    pub(crate) fig_height: f64,
    /// How the files are called; behind it come the values of --fig-by.
    #[arg(long, value_name = "NAME", default_value = "FIGURE")]
    pub(crate) fig_name: String,
    /// Folder of the files, in that of the experiment.
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) fig_dir: String,
}

/// What becomes of figures.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// Kinds of files.
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        default_value = "png"
    )]
    pub(crate) fig_format: Vec<Format>,
    /// Pixels an inch of a PNG.
    #[arg(
        long,
        value_name = "DPI",
        default_value_t = 300.0,
        allow_negative_numbers = true
    )]
    pub(crate) fig_dpi: f64,
    /// Show figures in the terminal too.
    #[arg(long)]
    pub(crate) preview: bool,
    /// Say what would be drawn, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Kinds of files of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Png,
    Svg,
}

/// Draws the Pareto frontier of throughput a GPU against speed a user, and writes it as a table.
///
/// The flags are those of `vllm bench sweep plot_pareto`; folders that vLLM wrote are read as well.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct ParetoArgs {
    /// Folder of the experiment.
    #[arg(value_name = "EXPERIMENT_DIR")]
    pub(crate) experiment: PathBuf,
    /// Key of the number of users; `max_concurrency` where it is not given.
    #[arg(long, value_name = "KEY")]
    pub(crate) user_count_var: Option<String>,
    /// Key of the number of GPUs; where it is not given `num_gpus` or `gpu_count`, else the product of the parallel sizes.
    #[arg(long, value_name = "KEY")]
    pub(crate) gpu_count_var: Option<String>,
    /// What stands at the points of the frontier, with commas.
    #[arg(long, value_name = "KEYS", default_value = "max_concurrency,gpu_count")]
    pub(crate) label_by: String,
    /// The speed of a user: output tokens a second divided by users, or 1000 / TPOT.
    #[arg(long, value_name = "SPEED", default_value = "throughput")]
    pub(crate) user_speed: UserSpeed,
    #[command(flatten, next_help_heading = "Files")]
    pub(crate) output: OutputArgs,
}

/// What the speed of a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UserSpeed {
    /// Output tokens a second of all, divided by the users, as vLLM has it: time in a queue and before the first token counts.
    Throughput,
    /// Tokens a second while an answer comes: 1000 / `mean_tpot_ms`.
    Decode,
}
