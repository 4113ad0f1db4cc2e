//! Which pictures of a run are drawn, and where they are written.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::args::{PictureArgs, TIMELINE_THRESHOLDS};
use crate::problem::Problem;

/// The pictures that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Pictures {
    /// Thresholds in milliseconds of the waits in the timeline, where one is drawn.
    pub(crate) timeline: Option<[f64; 2]>,
    /// The lengths of prompts and answers.
    pub(crate) dataset_stats: bool,
}

impl Pictures {
    /// The file of the timeline, beside a run's JSON.
    pub(crate) fn timeline_file(results: &Path) -> PathBuf {
        beside(results, ".timeline.html")
    }

    /// The file of the lengths.
    pub(crate) fn dataset_file(results: &Path) -> PathBuf {
        beside(results, ".dataset_stats.png")
    }

    /// The page of the results.
    pub(crate) fn page_file(results: &Path) -> PathBuf {
        beside(results, ".report.html")
    }

    /// All that are written beside a run's JSON.
    pub(crate) fn files(&self, results: &Path) -> Vec<PathBuf> {
        let timeline = self.timeline.map(|_| Self::timeline_file(results));
        let lengths = self.dataset_stats.then(|| Self::dataset_file(results));
        timeline.into_iter().chain(lengths).collect()
    }
}

/// The same name with another ending. What is behind the last point of a name without `.json` may be a part of a number.
fn beside(results: &Path, ending: &str) -> PathBuf {
    let is_json = results
        .extension()
        .is_some_and(|extension| extension == "json");
    let stem = if is_json {
        results.file_stem()
    } else {
        results.file_name()
    };
    let mut name = OsString::from(stem.unwrap_or_default());
    name.push(ending);
    results.with_file_name(name)
}

pub(super) fn plan(args: &PictureArgs, notes: &mut Vec<String>) -> Result<Pictures, Problem> {
    let thresholds = thresholds(&args.timeline_itl_thresholds)?;
    if !args.plot_timeline && args.timeline_itl_thresholds != TIMELINE_THRESHOLDS {
        notes.push("--timeline-itl-thresholds has no effect without --plot-timeline".to_owned());
    }
    Ok(Pictures {
        timeline: args.plot_timeline.then_some(thresholds),
        dataset_stats: args.plot_dataset_stats,
    })
}

fn thresholds(typed: &str) -> Result<[f64; 2], Problem> {
    let numbers: Option<Vec<f64>> = typed
        .split(',')
        .map(|text| text.trim().parse::<f64>().ok())
        .collect();
    match numbers.as_deref() {
        Some(&[low, high]) if 0.0 < low && low < high && high.is_finite() => Ok([low, high]),
        _ => Err(
            Problem::usage(format!("--timeline-itl-thresholds cannot be {typed}"))
                .hint("write two rising numbers of milliseconds: --timeline-itl-thresholds 25,50"),
        ),
    }
}
