//! The flags of `crestline compare` as they are typed.
//!
//! Says nothing of what they mean.

use std::path::PathBuf;

use clap::Args;

/// Compares two runs, or two sets of repeated runs: which is faster, by how much, and how sure that is.
///
/// A and B are what `crestline report` takes: a run's folder or database, the folder of a command with several loads, a result
/// of `bench serve`. Runs at the same load belong together; several on one side are repeats. Ends with exit code 4 where B is
/// worse than A by more than the threshold, for certain.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct CompareArgs {
    /// What is compared: A, then B.
    #[arg(value_name = "RUN", num_args = 0..)]
    pub(crate) runs: Vec<PathBuf>,
    /// Runs of A, where there are several.
    #[arg(long, value_name = "RUN", num_args = 1.., action = clap::ArgAction::Append)]
    pub(crate) a: Vec<PathBuf>,
    /// Runs of B, where there are several.
    #[arg(long, value_name = "RUN", num_args = 1.., action = clap::ArgAction::Append)]
    pub(crate) b: Vec<PathBuf>,
    /// How much worse B may be, in percent, before it is a regression; smaller differences are none that matter.
    #[arg(long, value_name = "PCT", default_value = "5")]
    pub(crate) threshold: f64,
    /// Figures to compare, with commas: a metric such as `ttft` (its mean, p50 and p99), or one figure such as `p90_itl`.
    #[arg(long, value_name = "LIST")]
    pub(crate) metrics: Option<String>,
    /// Probability that all intervals together hold the true differences.
    #[arg(long, value_name = "P", default_value = "0.99")]
    pub(crate) confidence: f64,
    /// Seed of what is drawn for the intervals.
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) seed: u64,
    /// Write the tables as Markdown; `-` prints them in place of the others.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write JUnit XML: a suite for each load, a case for each figure, a failure where B regressed.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write everything as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
