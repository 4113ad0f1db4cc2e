//! `workload_timeline.json` and `workload_throughput.json`: tokens against time, credited when a request ends.

use crestline_core::record::{Phase, RequestRecord};
use crestline_core::units::Nanos;
use serde::Serialize;

/// Length of the window at the end of a run.
const LAST_WINDOW_S: f64 = 30.0;
/// Share of the run that the steady figure leaves out at its start.
const WARMUP_FRACTION: f64 = 0.2;

/// Tokens of all successes up to each moment at which one ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Timeline {
    /// First byte of the first counted request, in seconds from the run's epoch.
    wall_start: f64,
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Point {
    /// Seconds from `wall_start`.
    t: f64,
    cum_completion: u64,
    cum_new_prompt: u64,
    cum_cached_prompt: u64,
}

/// Tokens a second of the whole run, of its end, and without its beginning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Throughput {
    n_samples: usize,
    wall_time_s: f64,
    last_window_s: f64,
    warmup_frac: f64,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    metric: &'static str,
    overall: f64,
    last_window: f64,
    steady_state: f64,
}

/// What one success adds, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Completion {
    end: Nanos,
    output: u64,
    prompt: u64,
    cached: u64,
}

impl Timeline {
    /// Of the counted successes among these records, in any order; the same for any order.
    pub(crate) fn of(records: impl IntoIterator<Item = RequestRecord>) -> Self {
        let mut first: Option<Nanos> = None;
        let mut completions = Vec::new();
        for record in records {
            if record.phase == Phase::Measured {
                first = Some(first.map_or(record.sent, |first| first.min(record.sent)));
                completions.extend(completion(&record));
            }
        }
        completions.sort_unstable();
        let start = first.unwrap_or_default();
        let mut sum = Point {
            t: 0.0,
            cum_completion: 0,
            cum_new_prompt: 0,
            cum_cached_prompt: 0,
        };
        let points = completions.into_iter().map(|completion| {
            sum.t = completion.end.saturating_sub(start).as_secs_f64();
            sum.cum_completion += completion.output;
            sum.cum_new_prompt += completion.prompt.saturating_sub(completion.cached);
            sum.cum_cached_prompt += completion.cached;
            sum
        });
        Self {
            wall_start: start.as_secs_f64(),
            points: points.collect(),
        }
    }

    /// Rates over a run that took so long.
    pub(crate) fn throughput(&self, duration: Nanos) -> Throughput {
        let wall = duration.as_secs_f64();
        let row = |metric, sum: fn(&Point) -> u64| self.row(metric, wall, sum);
        Throughput {
            n_samples: self.points.len(),
            wall_time_s: super::rounded(wall, 4),
            last_window_s: LAST_WINDOW_S,
            warmup_frac: WARMUP_FRACTION,
            rows: vec![
                row("Total Prompt tok/s", |point| {
                    point.cum_new_prompt + point.cum_cached_prompt
                }),
                row("New Prompt tok/s", |point| point.cum_new_prompt),
                row("Cached Prompt tok/s", |point| point.cum_cached_prompt),
                row("Completion tok/s", |point| point.cum_completion),
            ],
        }
    }

    fn row(&self, metric: &'static str, wall: f64, sum: fn(&Point) -> u64) -> Row {
        let total = self.points.last().map_or(0, sum);
        let overall = per_second(total, wall);
        let last_window = if wall <= LAST_WINDOW_S {
            overall
        } else {
            let before = self.last_at(wall - LAST_WINDOW_S).map_or(0, sum);
            per_second(total - before, LAST_WINDOW_S)
        };
        let anchor = self.last_at(wall * WARMUP_FRACTION).or(self.points.first());
        let steady_state = match (anchor, self.points.last()) {
            (Some(anchor), Some(last)) if last.t > anchor.t => {
                per_second(total - sum(anchor), last.t - anchor.t)
            }
            _ => overall,
        };
        Row {
            metric,
            overall,
            last_window,
            steady_state,
        }
    }

    /// The last point at or before a time.
    fn last_at(&self, t: f64) -> Option<&Point> {
        self.points[..self.points.partition_point(|point| point.t <= t)].last()
    }
}

fn completion(record: &RequestRecord) -> Option<Completion> {
    record.succeeded().then(|| Completion {
        end: record.end,
        output: record
            .output_tokens
            .map_or(0, |tokens| u64::from(tokens.count)),
        prompt: record
            .prompt_tokens
            .map_or(0, |tokens| u64::from(tokens.count)),
        cached: u64::from(record.cached_tokens.unwrap_or_default()),
    })
}

fn per_second(tokens: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        tokens as f64 / seconds
    } else {
        0.0
    }
}
