//! What a report needs of a stored run: summary, digest and segments, read in one pass by several threads.
//!
//! Reads one database; draws nothing, and judges nothing. What comes out does not depend on how many threads there are.

use std::path::Path;
use std::thread;

use crestline_core::digest::{Digest, Limits, Window};
use crestline_core::request::{Load, LoadPoint};
use crestline_core::segments::Segments;
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;
use crestline_store::runs::{RowRange, RunMeta, RunReader, RunSpan, StoreError};

use crate::run::point_folders;

/// Threads that read one run at most.
const MOST_THREADS: usize = 4;
/// Rows that are worth a thread of their own.
const ROWS: u64 = 2_000;

/// A stored run, of a size that does not depend on how many requests it has.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDigest {
    /// The run's facts about itself.
    pub meta: RunMeta,
    /// The load that was applied, where the run's plan says which it was; no search's does.
    pub point: Option<LoadPoint>,
    /// What it comes to, its samples in order. Where `point` is not known, that of the summary says only how many requests
    /// there are.
    pub summary: RunSummary,
    /// Its course, its lengths, its requests, its failures.
    pub digest: Digest,
    /// For intervals of its figures.
    pub segments: Segments,
}

/// What one thread makes of its rows.
struct Part {
    summary: RunSummary,
    digest: Digest,
    segments: Segments,
}

/// Reads a run's database: finished, killed or still being written. The whole file is read twice: once for when the run was.
pub fn read(path: &Path, limits: Limits) -> Result<RunDigest, StoreError> {
    let reader = RunReader::open(path)?;
    let meta = reader.meta().clone();
    let span = reader.span()?;
    let rows = span.map_or(0, |span| span.rows);
    let point = point_of(&meta, path);
    let empty = || Part {
        summary: RunSummary::new(point.unwrap_or(LoadPoint {
            load: Load::closed(std::num::NonZeroU32::MIN),
            requests: rows,
            warmup: 0,
            duration: None,
        })),
        digest: Digest::new(window(span), limits),
        segments: Segments::default(),
    };
    let mut whole = empty();
    if let Some(span) = span {
        for part in read_parts(path, span, &empty) {
            whole.merge(part?);
        }
    }
    whole.summary.sort();
    Ok(RunDigest {
        meta,
        point,
        summary: whole.summary,
        digest: whole.digest,
        segments: whole.segments,
    })
}

fn window(span: Option<RunSpan>) -> Window {
    span.map_or_else(
        || Window::of(Nanos::ZERO, Nanos::ZERO, 0),
        |span| Window::of(span.first_sent, span.last_end, span.rows),
    )
}

/// Each thread opens the file for itself.
fn read_parts(
    path: &Path,
    span: RunSpan,
    empty: &(impl Fn() -> Part + Sync),
) -> Vec<Result<Part, StoreError>> {
    let wanted = usize::try_from(span.rows / ROWS).unwrap_or(usize::MAX);
    let most = thread::available_parallelism().map_or(1, usize::from);
    let threads = wanted.min(most).clamp(1, MOST_THREADS);
    thread::scope(|scope| {
        let begun: Vec<_> = span
            .range
            .parts(threads)
            .into_iter()
            .map(|rows| scope.spawn(move || read_part(path, rows, empty())))
            .collect();
        begun
            .into_iter()
            .map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

fn read_part(path: &Path, rows: RowRange, mut part: Part) -> Result<Part, StoreError> {
    let reader = RunReader::open(path)?;
    for record in reader.records_without_texts(rows) {
        let record = record?;
        part.summary.add(&record);
        part.digest.add(&record);
        part.segments.add(&record);
    }
    Ok(part)
}

impl Part {
    fn merge(&mut self, other: Self) {
        self.summary.merge(other.summary);
        self.digest.merge(other.digest);
        self.segments.merge(&other.segments);
    }
}

/// The load of a run: the one in its plan, or the one that its folder is named after.
fn point_of(meta: &RunMeta, path: &Path) -> Option<LoadPoint> {
    let points = meta.header.plan.get("points")?.clone();
    let points: Vec<LoadPoint> = serde_json::from_value(points).ok()?;
    if let [only] = points[..] {
        return Some(only);
    }
    let folder = path.parent()?.file_name()?.to_str()?;
    let names = point_folders(&points);
    let place = names.iter().position(|name| name == folder)?;
    points.get(place).copied()
}

#[cfg(test)]
mod tests;
