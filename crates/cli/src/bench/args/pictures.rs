//! Flags of the pictures of a run.

use clap::Args;

/// Where nothing else is asked for.
pub(crate) const TIMELINE_THRESHOLDS: &str = "25,50";

/// What is drawn.
#[derive(Debug, Clone, Args)]
pub(crate) struct PictureArgs {
    /// Draw the course of each request as a page, beside where the JSON is or would be.
    #[arg(long)]
    pub(crate) plot_timeline: bool,
    /// Milliseconds at which the colour of a wait for the next token changes in that page.
    #[arg(long, value_name = "MS,MS", default_value = TIMELINE_THRESHOLDS)]
    pub(crate) timeline_itl_thresholds: String,
    /// Draw how long prompts and answers were as a PNG, beside where the JSON is or would be.
    #[arg(long)]
    pub(crate) plot_dataset_stats: bool,
}
