//! What a server says of itself while a load runs: series over time as they were read, and courses of what they mean.
//!
//! Reads no page and draws nothing. Which name of which server means what is not known here either.

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// All series of a run, as step functions: a value holds from where it was read first until the next change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerSeries {
    /// When the server was read, increasing offsets from the run's epoch: the moments at which answers were whole.
    pub read_at: Vec<Nanos>,
    /// When it could not be read, increasing; nothing is known between the read before and the one after.
    pub missed: Vec<Missed>,
    /// In the order in which they were seen first.
    pub series: Vec<Series>,
}

/// A moment at which a server could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// When it was given up, as an offset from the run's epoch.
    pub at: Nanos,
    /// Why, in words.
    pub why: String,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The name that the server gives it.
    pub name: String,
    /// Names and values of its labels, in the server's order.
    pub labels: Vec<(String, String)>,
    /// What kind of number it is.
    pub kind: SeriesKind,
    /// Where its value changed, increasing; the first is where it was seen first.
    pub changes: Vec<Point>,
}

/// What came of reading the server once.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRead {
    /// When the answer was whole, or was given up, as an offset from the run's epoch.
    pub at: Nanos,
    /// What it said, or why nothing was read.
    pub content: Result<Vec<Reading>, String>,
}

/// What a server says of one series at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The name that the server gives it.
    pub name: String,
    /// Names and values of its labels, in the server's order.
    pub labels: Vec<(String, String)>,
    /// What kind of number it is.
    pub kind: SeriesKind,
    /// The number; one that is none (NaN) counts as if the series were not there.
    pub value: f64,
}

/// What kind of number a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// A total that only grows, until the server starts again.
    Counter,
    /// A level that goes up and down.
    Gauge,
    /// The server does not say.
    Unknown,
}

impl SeriesKind {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Unknown => "unknown",
        }
    }
}

/// A value from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Offset from the run's epoch.
    pub at: Nanos,
    /// The value; `None` where there is none from here on.
    pub value: Option<f64>,
}

impl Series {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Its value at each of some increasing moments.
    fn values<'a>(&'a self, moments: &'a [Nanos]) -> impl Iterator<Item = Option<f64>> + 'a {
        let mut next = 0;
        moments.iter().map(move |moment| {
            while self
                .changes
                .get(next)
                .is_some_and(|change| change.at <= *moment)
            {
                next += 1;
            }
            self.changes.get(next.checked_sub(1)?)?.value
        })
    }
}

/// How series of the same meaning, of several engines of a server, become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

impl ServerSeries {
    /// Nothing was read, and nothing was tried.
    pub fn is_empty(&self) -> bool {
        self.read_at.is_empty() && self.missed.is_empty()
    }

    /// The course of one series: a point for each moment at which the server was read, and one without a value for each
    /// at which it could not be.
    pub fn course_of(&self, series: &Series) -> Vec<Point> {
        self.combined(&[series], Combination::Sum)
    }

    /// The course of several series together, each moment by those of them that have a value there.
    pub fn combined(&self, series: &[&Series], combination: Combination) -> Vec<Point> {
        let mut sums = vec![(0.0, 0_u32); self.read_at.len()];
        for one in series {
            for (sum, value) in sums.iter_mut().zip(one.values(&self.read_at)) {
                if let Some(value) = value {
                    *sum = (sum.0 + value, sum.1 + 1);
                }
            }
        }
        let read = self.read_at.iter().zip(sums).map(|(at, (sum, count))| {
            let value = match combination {
                Combination::Sum => sum,
                Combination::Mean => sum / f64::from(count),
            };
            Point {
                at: *at,
                value: (count > 0).then_some(value),
            }
        });
        let missed = self.missed.iter().map(|missed| Point {
            at: missed.at,
            value: None,
        });
        let mut points: Vec<Point> = read.chain(missed).collect();
        points.sort_by_key(|point| point.at);
        points
    }
}

/// What a course is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// Requests in the batch.
    Running,
    /// Requests that wait for a place in it.
    Waiting,
    /// Share of the key-value cache that is in use, 0 to 1.
    CacheUse,
    /// Prompt tokens read since the server's start.
    PromptTokens,
    /// Tokens generated since the server's start.
    GeneratedTokens,
    /// Requests thrown out of the batch for want of room since the server's start.
    Preemptions,
    /// Prompt tokens looked up in the prefix cache since the server's start.
    PrefixQueries,
    /// Of these, found.
    PrefixHits,
    /// Prompt tokens read a second.
    PromptTokensPerS,
    /// Tokens generated a second.
    GeneratedTokensPerS,
    /// Share of the prompt tokens that was found in the prefix cache, 0 to 1.
    PrefixHitShare,
}

impl Quantity {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "requests_running",
            Self::Waiting => "requests_waiting",
            Self::CacheUse => "kv_cache_use",
            Self::PromptTokens => "prompt_tokens",
            Self::GeneratedTokens => "generated_tokens",
            Self::Preemptions => "preemptions",
            Self::PrefixQueries => "prefix_cache_queries",
            Self::PrefixHits => "prefix_cache_hits",
            Self::PromptTokensPerS => "prompt_tokens_per_s",
            Self::GeneratedTokensPerS => "generated_tokens_per_s",
            Self::PrefixHitShare => "prefix_cache_hit_share",
        }
    }

    /// How the values of several engines become that of the server.
    pub fn combination(self) -> Combination {
        match self {
            Self::CacheUse | Self::PrefixHitShare => Combination::Mean,
            _ => Combination::Sum,
        }
    }
}

/// A quantity over a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// What it is of.
    pub quantity: Quantity,
    /// Its values, increasing in time; a point without a value is a gap.
    pub points: Vec<Point>,
}

/// What is drawn of a server: levels as they are; totals of tokens as tokens a second; hits and queries as the share of
/// hits; preemptions as their number since the first point. A rate or a share at a point is that since the point before.
/// In the order of [`Quantity`], each at most once; where a server gives both a total and a rate, the total counts.
pub fn drawn(courses: &[Course]) -> Vec<Course> {
    let of = |quantity| {
        let found = courses.iter().find(|course| course.quantity == quantity);
        found.map(|course| course.points.as_slice())
    };
    let rate = |total, given| {
        let by_total = of(total).map(|points| increases(points, per_second));
        by_total.or_else(|| of(given).map(<[Point]>::to_vec))
    };
    let share = of(Quantity::PrefixHits)
        .zip(of(Quantity::PrefixQueries))
        .map(|(hits, queries)| hit_share(hits, queries))
        .or_else(|| of(Quantity::PrefixHitShare).map(<[Point]>::to_vec));
    let level = |quantity| of(quantity).map(<[Point]>::to_vec);
    [
        (Quantity::Running, level(Quantity::Running)),
        (Quantity::Waiting, level(Quantity::Waiting)),
        (Quantity::CacheUse, level(Quantity::CacheUse)),
        (
            Quantity::Preemptions,
            of(Quantity::Preemptions).map(since_first),
        ),
        (
            Quantity::PromptTokensPerS,
            rate(Quantity::PromptTokens, Quantity::PromptTokensPerS),
        ),
        (
            Quantity::GeneratedTokensPerS,
            rate(Quantity::GeneratedTokens, Quantity::GeneratedTokensPerS),
        ),
        (Quantity::PrefixHitShare, share),
    ]
    .into_iter()
    .filter_map(|(quantity, points)| {
        Some(Course {
            quantity,
            points: points?,
        })
    })
    .collect()
}

/// `(b - a) / seconds between`: the mean rate since the point before.
fn per_second(increase: f64, span: Nanos) -> Option<f64> {
    (span > Nanos::ZERO).then(|| increase / span.as_secs_f64())
}

/// What a total grew by between two points: one that is lower than before began at 0 again.
fn increase(from: f64, to: f64) -> f64 {
    if to < from { to } else { to - from }
}

/// A point for each: something of the increase since the one before; nothing at the first, and nothing across a gap.
fn increases(points: &[Point], of: impl Fn(f64, Nanos) -> Option<f64>) -> Vec<Point> {
    let pairs = points.windows(2).map(|pair| Point {
        at: pair[1].at,
        value: pair[0]
            .value
            .zip(pair[1].value)
            .and_then(|(from, to)| of(increase(from, to), pair[1].at.saturating_sub(pair[0].at))),
    });
    let first = points.first().map(|first| Point {
        at: first.at,
        value: None,
    });
    first.into_iter().chain(pairs).collect()
}

/// Hits for each query since the point before; a gap where nothing was looked up.
fn hit_share(hits: &[Point], queries: &[Point]) -> Vec<Point> {
    let grown = |points| increases(points, |increase, _| Some(increase));
    let both = grown(hits).into_iter().zip(grown(queries));
    both.map(|(hits, queries)| Point {
        at: hits.at,
        value: hits
            .value
            .zip(queries.value.filter(|queries| *queries > 0.0))
            .map(|(hits, queries)| hits / queries),
    })
    .collect()
}

/// The growth of a total since its first value.
fn since_first(points: &[Point]) -> Vec<Point> {
    let mut grown = 0.0;
    let mut before: Option<f64> = None;
    let sums = points.iter().map(|point| {
        let value = point.value.map(|value| {
            grown += increase(before.unwrap_or(value), value);
            before = Some(value);
            grown
        });
        Point {
            at: point.at,
            value,
        }
    });
    sums.collect()
}

#[cfg(test)]
mod tests;
